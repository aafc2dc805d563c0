"""Calls that block, out of the triggerer's event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

T = TypeVar("T")


async def in_thread(call: Callable[[], T]) -> T:
    """Make a call in a thread of the kind that may look up connections in a triggerer."""
    from asgiref.sync import sync_to_async

    return await cast("Awaitable[T]", sync_to_async(call, thread_sensitive=False)())
