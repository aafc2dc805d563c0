"""What lies at a path of a store, as content: one digest that tells whether it is the same data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlsteps.data.stores.base import FileInfo, Store
from mlsteps.exceptions import MlstepsException
from mlsteps.launcher.digest import CHUNK_SIZE, FILE_PREFIX, FileDigest, changed_meanwhile, digest_tree
from mlsteps.launcher.manifest import FileEntry, Manifest
from mlsteps.reuse.content import content_of
from mlsteps.reuse.digest_cache import DigestCache


@dataclass(frozen=True)
class StoredContent:
    """The data at one path.

    :param kind: ``file`` or ``directory``.
    :param digest: Equal digests are equal data. In a folder the one of a manifest; elsewhere made from what
        the store says of each file.
    :param files: Makes the digest of each file, by path relative to the data; costs more than the rest.
    """

    kind: str
    digest: str
    number_of_files: int
    bytes: int
    files: Callable[[], Mapping[str, str]]


def content_at(store: Store, path: str, cache: DigestCache | None) -> StoredContent | None:
    """The content of the file or folder at ``path``; None where there is nothing.

    In a folder on this machine files are hashed, those that ``cache`` knows by their status alone. Of other
    stores the listing serves, with the hash or tag that they keep of a file; without one it is read.

    :raises MlstepsException: something there cannot be read, or changes meanwhile.
    """
    local = store.local_path(path)
    if local is None:
        return _content_by_listing(store, path)
    if not local.exists():
        return None
    found = content_of(local, cache, follow_links_anywhere=True)

    def files() -> Mapping[str, str]:
        return {entry.path: entry.digest for entry in found.manifest().files}

    return StoredContent(found.kind, found.digest, found.number_of_files, found.bytes, files)


def _content_by_listing(store: Store, path: str) -> StoredContent | None:
    listed = list(store.list(path))
    if not listed:
        return None
    single = len(listed) == 1 and listed[0].path == path
    known = {info.below(path): (info.size, content_of_file(store, info)) for info in listed}
    tree = digest_tree((name, size, content) for name, (size, content) in known.items())
    return StoredContent(
        "file" if single else "directory",
        known[""][1] if single else tree,
        len(listed),
        sum(info.size for info in listed),
        lambda: {name: content for name, (_, content) in known.items()},
    )


def content_of_file(store: Store, info: FileInfo) -> str:
    """What a store says of a file's bytes, else their digest: then the file is read."""
    if info.content is not None:
        return info.content
    chunks, size = [], 0
    try:
        with store.open(info.path) as stream:
            while chunk := stream.read(CHUNK_SIZE):
                while len(chunk) < CHUNK_SIZE and (more := stream.read(CHUNK_SIZE - len(chunk))):
                    chunk += more
                chunks.append(hashlib.sha256(chunk).digest())
                size += len(chunk)
    except OSError as error:
        raise MlstepsException(f"Cannot read {store.url(info.path)!r} to hash it: {error}") from error
    if size != info.size:
        raise changed_meanwhile(store.url(info.path))
    return FileDigest(size, tuple(chunks)).text


@dataclass(frozen=True)
class Damage:
    """How data differs from what a manifest says.

    :param missing, altered, added: Paths relative to the data, or the data's own place where it is gone.
    """

    missing: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.altered or self.added)


def marks_at(store: Store, path: str) -> dict[str, str] | None:
    """What the store knows of each file at ``path``, by path relative to the data: tells later whether it is
    still the same. None for a folder on this machine, of which the bytes are looked at.
    """
    if store.local_path(path) is not None:
        return None
    return {info.below(path): info.content for info in store.list(path) if info.content is not None}


def damage(
    manifest: Manifest,
    store: Store,
    path: str,
    cache: DigestCache | None,
    marks: Mapping[str, str] | None = None,
) -> Damage:
    """What is no longer as ``manifest`` says at ``path``; false where all stands as recorded.

    :param marks: What :func:`marks_at` said when it was recorded. Where a store knows nothing of the bytes,
        existence and size have to do.
    """
    # An object store has no empty folders: of one that holds nothing, nothing is what has to be there.
    if store.local_path(path) is None:
        listed = {info.below(path): info for info in store.list(path)}
        recorded = {entry.path: f"{entry.size} {entry.digest}" for entry in manifest.files}
        known = {entry.path: entry for entry in manifest.files}
        found_there = {
            name: recorded[name] if name in known and _stands(known[name], info, marks or {}) else "altered"
            for name, info in listed.items()
        }
        return _compare(recorded, found_there)
    try:
        found = content_at(store, path, cache)
    except MlstepsException:
        return Damage(altered=("",))
    if found is None:
        return Damage(missing=("",))
    if (found.kind, found.digest) == (manifest.kind, manifest.digest):
        return Damage()
    return _compare({entry.path: entry.digest for entry in manifest.files}, found.files())


def _stands(entry: FileEntry, info: FileInfo, marks: Mapping[str, str]) -> bool:
    if info.size != entry.size:
        return False
    if info.content is None or info.content == entry.digest:
        return True
    return marks.get(entry.path) == info.content and not info.content.startswith(FILE_PREFIX)


def _compare(recorded: Mapping[str, str], found: Mapping[str, str]) -> Damage:
    return Damage(
        missing=tuple(sorted(recorded.keys() - found.keys())),
        altered=tuple(
            sorted(path for path in recorded.keys() & found.keys() if recorded[path] != found[path])
        ),
        added=tuple(sorted(found.keys() - recorded.keys())),
    )
