"""Somebody who reads the destination of a transfer all the while."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mlsteps.data.stores import Store
from mlsteps.exceptions import DatastoreException


@contextmanager
def readers(
    store: Store, below: str, old: dict[str, bytes], new: dict[str, bytes], pause: float = 0.05
) -> Iterator[None]:
    """Somebody reads all the time, and must never see anything but what was there and what will be."""
    wrong: list[str] = []
    seen: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            for path, whole in new.items():
                try:
                    found = store.read(f"{below}/{path}")
                except FileNotFoundError:
                    continue
                except DatastoreException as error:
                    if error.status != 412:  # replaced between two ranges of it, which the store notices
                        wrong.append(f"{path}: {error}")
                    continue
                seen.append(path)
                if found not in (old.get(path), whole):
                    wrong.append(f"{path}: {len(found)} bytes")
            done.wait(pause)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert not wrong
    assert {path for path in old if path in new} <= set(seen)
