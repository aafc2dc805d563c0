"""Following a program on the other machine until it ends."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paramiko import Channel

_CHUNK = 1 << 16
_TICK = 0.2


def follow(
    channel: Channel,
    on_out: Callable[[bytes], None],
    on_err: Callable[[bytes], None],
    tick: Callable[[], None] = lambda: None,
) -> int:
    """Hand on what a program prints until it ends; its exit code, -1 if that is not known.

    :param tick: Called several times a second; may raise.
    """
    while True:
        select.select([channel], [], [], _TICK)
        ended = channel.exit_status_ready()
        idle = True
        while channel.recv_ready():
            on_out(channel.recv(_CHUNK))
            idle = False
        while channel.recv_stderr_ready():
            on_err(channel.recv_stderr(_CHUNK))
            idle = False
        tick()
        if not idle:
            continue
        if channel.closed or (ended and channel.eof_received):
            return int(channel.recv_exit_status())
        time.sleep(0.02)  # at the end of both streams there is always something to read: nothing
