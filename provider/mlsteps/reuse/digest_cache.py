"""Remembers content digests on this machine, so that only files that changed are read again.

A file's *state* is its device, inode, size, modification time and change time. Whoever writes to a file moves
its change time, which only the kernel sets, so equal states are equal contents; except when the file is
written in the very moment of hashing, or the clock is set back. Therefore, as for git, what changed less than
two seconds before hashing began is hashed but not remembered, and nothing is believed that was remembered at
a later time than now.

All that rests on what the file system says. Beyond it are those that keep no change time of their own (a
squashfs image), file servers whose clock is behind by more than those two seconds, and programs that go on
writing through one shared memory map.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from mlsteps.launcher import atomic
from mlsteps.launcher.digest import changed_meanwhile, digest_file, digest_listed

_RACY = 2_000_000_000  # nanoseconds: the coarsest clock of a file system, that of FAT
_TREE_TAG = b"mlsteps.digest-cache.tree/1"
_FILES_TAG = b"mlsteps.digest-cache.files/1"
_now = time.time_ns

# What opening and listing a file cost, in bytes that could be hashed meanwhile.
_OPENING = 16 * 1024
_LISTING = 2 * 1024


class DigestCache:
    """A folder of this machine with what is known of the trees that were hashed before.

    It may be missing, read-only, shared by any number of processes, or deleted at any time: then there is
    more to hash. For every root it holds two files, see `Tree`.

    :param folder: Made when something is first written.
    :param worth: The work that writing has to save next time, in bytes hashed. Below it, hashing again costs
        less than making a file safe on the disk.
    """

    def __init__(self, folder: str | os.PathLike[str], worth: int = 4 * 1024 * 1024) -> None:
        self.folder = os.fspath(folder)
        self.worth = worth

    def __repr__(self) -> str:
        return f"DigestCache({self.folder!r})"


@dataclass(frozen=True)
class KnownTree:
    """What is remembered of a whole tree.

    :param listing: The hash of all paths and states. The rest is true of a tree with that listing.
    :param written: The clock when it was written.
    :param rules: What the walk passed over depends on this; see ``entered`` and ``skipped``.
    :param entered: The folders that such rules let in.
    :param skipped: The paths that such rules keep out, those of folders with a slash at the end.
    """

    listing: str
    written: int
    digest: str
    number_of_files: int
    bytes: int
    rules: str = ""
    entered: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


class Tree:
    """One walk over the files below a root, and what the cache knows from the walks before.

    Made before the walk begins, which then fills ``lines``, sorted: each is a path below the root (empty for
    the root itself), a NUL and the file's `state`, or ``>`` and the target of a link that is kept as a link.

    The cache has a small file with a `KnownTree`, which is all that an unchanged tree needs, and one with the
    digest for each state, read when something changed.

    :param purpose: Which kind of walk; each has its own files in the cache.
    :param root: A real path.
    """

    def __init__(self, cache: DigestCache | None, purpose: str, root: str) -> None:
        self.root = root
        self.lines: list[str] = []
        self._began = _now()
        self._cache = cache
        key = "\0".join((os.uname().nodename, purpose, root))
        name = hashlib.sha256(os.fsencode(key)).hexdigest()[:40]
        self._file = os.path.join(cache.folder, name) if cache else ""
        self._settled: dict[str, str] = {}
        self._learned = False
        self._racy = False
        self._work = 0

    @cached_property
    def known(self) -> KnownTree | None:
        """What was remembered last; only `recall` tells whether it is true of this walk."""
        try:
            fields = json.loads(self._read("tree", _TREE_TAG))
            for name in ("entered", "skipped"):
                fields[name] = tuple(fields[name])
            return KnownTree(**fields)
        except (ValueError, TypeError, KeyError):
            return None

    def recall(self) -> KnownTree | None:
        """What is remembered, if nothing changed since."""
        known = self.known
        return known if known and known.listing == self._listing() and known.written <= _now() else None

    @cached_property
    def entries(self) -> list[tuple[str, str, str]]:
        """Path, state and digest of each line, looked up if remembered and otherwise hashed now.

        The digest of a link is its target.

        :raises DataNotFoundException: a file is gone.
        :raises MlstepsException: a file cannot be read, or changes while it is read.
        """
        remembered = self._remembered()
        root = self.root.rstrip("/")
        entries: list[tuple[str, str, str]] = []
        missing: list[int] = []
        files: list[tuple[str, int]] = []
        for line in self.lines:
            path, name = line.split("\0")
            digest = remembered.get(name)
            if digest is not None:
                self._settled[name] = digest
            elif name[0] == ">":
                digest = name[1:]
            else:
                missing.append(len(entries))
                files.append((f"{root}/{path}" if path else self.root, size_of(name)))
            entries.append((path, name, digest or ""))
        for number, (place, _), (hashed, after) in zip(missing, files, digest_listed(files), strict=True):
            path, name, _ = entries[number]
            digest = hashed.text
            entries[number] = (path, name, digest)
            settled = state(after) == name
            # A mode or a link count may have changed; not so the content.
            if not settled and digest_file(place) != digest:
                raise changed_meanwhile(place)
            # When the clock was set back meanwhile, what it says now is what "older" has to mean.
            if settled and _newest(after) < min(self._began, _now()) - _RACY:
                self._settled[name] = digest
                self._learned = True
            else:
                self._racy = True
        self._work = sum(size + _OPENING for _, size in files)
        return entries

    def keep(
        self,
        digest: str,
        size: int,
        rules: str = "",
        entered: tuple[str, ...] = (),
        skipped: tuple[str, ...] = (),
    ) -> None:
        """Remember all of it, or, when some of it is too new to be believed later, the rest."""
        if self._cache is None or self._work + _LISTING * len(self.lines) < self._cache.worth:
            return
        written = max(self._began, _now())
        with suppress(OSError):
            if self._learned:
                text = "\n".join(f"{name} {digest}" for name, digest in self._settled.items())
                self._write("files", _FILES_TAG, f"{written}\n{text}")
            if not self._racy:
                known = KnownTree(
                    self._listing(), written, digest, len(self.lines), size, rules, entered, skipped
                )
                self._write("tree", _TREE_TAG, json.dumps(vars(known)))

    def _remembered(self) -> Mapping[str, str]:
        with suppress(ValueError):
            written, *fields = self._read("files", _FILES_TAG).decode("ascii").split()
            if int(written) <= _now():
                return dict(zip(fields[::2], fields[1::2], strict=True))
        return {}

    def _listing(self) -> str:
        return hashlib.sha256(os.fsencode("\0".join(self.lines))).hexdigest()

    def _read(self, kind: str, tag: bytes) -> bytes:
        """What `_write` wrote; empty if it is not there, or not as it was written."""
        if self._cache is None:
            return b""
        try:
            with open(f"{self._file}.{kind}", "rb") as file:
                found, checksum, content = (file.readline().rstrip(), file.readline().rstrip(), file.read())
        except OSError:
            return b""
        return content if (found, checksum) == (tag, _checksum(content)) else b""

    def _write(self, kind: str, tag: bytes, text: str) -> None:
        content = text.encode("ascii")
        atomic.write_bytes(f"{self._file}.{kind}", b"\n".join((tag, _checksum(content), content)))


def state(status: os.stat_result) -> str:
    """What a file's content is remembered by.

    The executable bit is in it for those to whom it matters; it cannot change without the change time.
    """
    times = f"{status.st_mtime_ns}:{status.st_ctime_ns}"
    executable = "x" if status.st_mode & stat.S_IXUSR else "-"
    return f"{status.st_size}:{times}:{status.st_dev}:{status.st_ino}:{executable}"


def size_of(name: str) -> int:
    """The size of a file in that `state`."""
    return int(name.partition(":")[0])


def is_executable(name: str) -> bool:
    """Whether a file in that `state` has the executable bit."""
    return name[-1] == "x"


def _newest(status: os.stat_result) -> int:
    return max(status.st_mtime_ns, status.st_ctime_ns)


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
