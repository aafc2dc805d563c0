"""What may take long, such as asking a store that does not answer, where there is no time for that."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T], otherwise: T) -> T:
    """What ``call`` returns or raises, or ``otherwise`` if that takes longer: then it is left to itself.

    It runs in a thread that nobody waits for when this process ends.
    """
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(call())
        except BaseException as error:  # raised again below, in the caller's thread
            raised.append(error)

    thread = threading.Thread(target=run, name="in time", daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    return returned[0] if returned else otherwise
