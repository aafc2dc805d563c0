"""What Linux offers to leave no process behind. Elsewhere these functions do nothing and tell so."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> bool:
    """Become the parent of every orphan among the descendants, in place of init; return whether it worked.

    A daemon leaves its group, its session and its parent, but it cannot leave the subreaper.
    """
    prctl = _prctl()
    return prctl is not None and prctl(_PR_SET_CHILD_SUBREAPER, 1) == 0


def hide() -> bool:
    """Let no other process of this user look into this one and its forks; return whether that worked.

    Neither memory nor environment nor open files can be read then, but by who may trace every process. A
    program that is started from here is not hidden.
    """
    prctl = _prctl()
    return prctl is not None and prctl(_PR_SET_DUMPABLE, 0) == 0


def dying_with_parent() -> Callable[[], None] | None:
    """Return what a forked child calls to be killed when its parent dies; None if there is no such thing.

    The child can also see its own open files again, which `hide` took from who is not root: without that list
    it would try to close every number that there can be. The C function is looked up here, in the parent:
    after a fork the less is done the better.
    """
    prctl = _prctl()
    if prctl is None:
        return None
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        prctl(_PR_SET_DUMPABLE, 1)
        if os.getppid() != parent:  # it died before the line above
            os.kill(os.getpid(), signal.SIGKILL)

    return tie


def alive_below(ancestor: int, group: int | None = None) -> list[int] | None:
    """Return the pids of the descendants of ``ancestor`` and members of ``group``, without zombies.

    None if there is no ``/proc`` to ask.
    """
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:
        return None
    if "self" not in names:  # mounted, but not by Linux
        return None
    children: dict[int, list[int]] = {}
    members: set[int] = set()
    zombies: set[int] = set()
    for name in names:
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The second field is the program's name in parentheses, and may itself hold any character.
                state, parent, process_group = file.read().rpartition(b")")[2].split()[:3]
        except (OSError, ValueError):  # it has just ended
            continue
        pid = int(name)
        children.setdefault(int(parent), []).append(pid)
        if int(process_group) == group:
            members.add(pid)
        if state in (b"Z", b"X"):
            zombies.add(pid)
    found = set(members)
    todo = [ancestor]
    while todo:
        below = children.get(todo.pop(), [])
        found.update(below)
        todo.extend(below)
    return sorted(found - zombies - {ancestor})


def _prctl() -> Callable[[int, int], int] | None:
    if sys.platform != "linux":
        return None
    try:
        import ctypes  # not part of every small Python build

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None

    def call(option: int, value: int) -> int:
        return int(prctl(option, ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3))

    return call
