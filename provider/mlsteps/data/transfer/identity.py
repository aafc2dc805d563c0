"""Whether two files have the same content, by the cheapest way that is sure.

1. Sizes differ: no. Both empty: yes.
2. Both stores know the content's digest (``sha256c:``), or both its MD5: they decide.
3. Otherwise what is missing is computed: of the side that knows nothing the kind of hash that the other side
   knows, and of both sides the digest where neither knows one. Digests of files on this machine are looked up
   in, and added to, the digest cache; everything else is read.

Never do size, time or an ETag alone count as identity.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from mlsteps.data.stores.base import FileInfo
from mlsteps.data.transfer.listings import Pair, Place
from mlsteps.data.transfer.work import Work
from mlsteps.launcher.digest import CHUNK_SIZE, FILE_PREFIX, FileDigest, digest_tree
from mlsteps.reuse.digest_cache import DigestCache, Tree, size_of, state

MD5_PREFIX = "md5:"


def by_listing(pair: Pair) -> bool | None:
    """Whether the two are identical, as far as listings tell; None where they do not."""
    one, other = pair.source, pair.target
    assert one is not None
    assert other is not None
    if one.size != other.size:
        return False
    if one.size == 0:
        return True
    known, known_too = known_content(one), known_content(other)
    if known is None or known_too is None or _kind(known) != _kind(known_too):
        return None
    return known == known_too


def known_content(info: FileInfo) -> str | None:
    """The digest or MD5 that a store knows of a file."""
    content = info.content or ""
    return content if content.startswith((FILE_PREFIX, MD5_PREFIX)) else None


class Comparison:
    """Settles what listings leave open, many files at a time.

    :param cache: Remembers the digests of files on this machine.
    """

    def __init__(self, source: Place, target: Place, cache: DigestCache | None, work: Work) -> None:
        self._source = _Side(source, cache, work)
        self._target = _Side(target, cache, work)

    def settle(self, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, bool]]:
        """Each pair, and whether the two are identical."""
        wanted = [_hash_for(pair) for pair in pairs]
        ones = self._source.contents([(p.path, p.source) for p in pairs], wanted)
        others = self._target.contents([(p.path, p.target) for p in pairs], wanted)
        for pair, one, other in zip(pairs, ones, others, strict=True):
            yield pair, one == other


class _Side:
    def __init__(self, place: Place, cache: DigestCache | None, work: Work) -> None:
        self._place = place
        self._cache = cache
        self._work = work
        self._calls = 0

    def contents(self, files: list[tuple[str, FileInfo | None]], wanted: list[str]) -> Iterator[str | None]:
        """The hash of each file, of the kind that is wanted; None where it is no longer what was listed."""
        hashed = self._digests(
            [path for (path, _), kind in zip(files, wanted, strict=True) if kind != MD5_PREFIX]
        )

        def content(item: tuple[tuple[str, FileInfo | None], str]) -> str | None:
            (path, info), kind = item
            assert info is not None
            known = known_content(info)
            if known is not None and known.startswith(kind):
                return known
            if path in hashed:
                return hashed[path]
            return self._read(info, kind)

        yield from self._work.in_order(content, zip(files, wanted, strict=True))

    def _digests(self, paths: list[str]) -> dict[str, str]:
        """Digests of files on this machine."""
        local = self._place.store.local_path(self._place.path)
        if local is None:
            return {}
        tree = Tree(self._cache, f"transfer {self._calls}", os.path.realpath(local))
        self._calls += 1
        tree.lines = sorted(f"{path}\0{state(os.stat(local / path if path else local))}" for path in paths)
        entries = [(path, size_of(found), digest) for path, found, digest in tree.entries]
        tree.keep(digest_tree(entries), sum(size for _, size, _ in entries))
        return {path: digest for path, _, digest in entries}

    def _read(self, info: FileInfo, kind: str) -> str | None:
        md5: Any = hashlib.md5(usedforsecurity=False)
        chunks, size = [], 0
        with self._place.store.open(info.path) as stream:
            for chunk in read_chunks(stream):
                self._work.bandwidth.take(len(chunk))
                size += len(chunk)
                if kind == MD5_PREFIX:
                    md5.update(chunk)
                else:
                    chunks.append(hashlib.sha256(chunk).digest())
        if size != info.size:
            return None
        return MD5_PREFIX + md5.hexdigest() if kind == MD5_PREFIX else FileDigest(size, tuple(chunks)).text


def read_chunks(stream: Any, length: int = CHUNK_SIZE) -> Iterator[bytes]:
    """A stream's bytes in pieces of a length, of which the last may be shorter."""
    while chunk := stream.read(length):
        while len(chunk) < length and (more := stream.read(length - len(chunk))):
            chunk += more
        yield chunk


def _hash_for(pair: Pair) -> str:
    """The kind of hash that both have to be compared by: one that somebody knows, if somebody does."""
    kinds = {_kind(known) for info in pair[1:] if info is not None and (known := known_content(info))}
    return MD5_PREFIX if kinds == {MD5_PREFIX} else FILE_PREFIX


def _kind(content: str) -> str:
    return content[: content.index(":") + 1]
