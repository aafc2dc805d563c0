"""Listings: what a digest stands for, remembered for words, and never a reason to fail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlsteps.data.stores import FolderStore
from mlsteps.reuse import listings
from mlsteps.reuse.listings import MOST_FILES, Listings, listing_path
from reuse.doubles import StoreThatCalls

DIGEST = f"sha256t:{1:064x}"
FILES = {"a.py": "file sha256c:1", "größe/\udcff.csv": "exec sha256c:2"}


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def never() -> Mapping[str, str]:
    raise AssertionError("made although it is not needed")


def test_files_are_known_by_the_digest_of_the_whole(store: FolderStore) -> None:
    Listings(store).keep(DIGEST, 2, lambda: FILES)
    assert Listings(store).read(DIGEST) == FILES
    assert Listings(store).read(f"sha256t:{2:064x}") is None


def test_they_lie_in_one_folder_under_the_digits_of_the_digest(store: FolderStore) -> None:
    Listings(store).keep(DIGEST, 2, lambda: FILES)
    assert [info.path for info in store.list()] == [listing_path(DIGEST)]
    assert listing_path(DIGEST) == f"mlsteps/listings/{1:064x}.json"


def test_what_is_known_is_not_made_again(store: FolderStore) -> None:
    kept = Listings(store)
    kept.keep(DIGEST, 2, lambda: FILES)
    kept.keep(DIGEST, 2, never)
    assert kept.read(DIGEST) == FILES


def test_no_file_at_all_is_a_listing_too(store: FolderStore) -> None:
    Listings(store).keep(DIGEST, 0, dict)
    assert Listings(store).read(DIGEST) == {}


def test_very_many_files_are_not_kept(store: FolderStore) -> None:
    Listings(store).keep(DIGEST, MOST_FILES + 1, never)
    assert Listings(store).read(DIGEST) is None
    Listings(store).keep(DIGEST, MOST_FILES, lambda: FILES)
    assert Listings(store).read(DIGEST) == FILES


@pytest.mark.parametrize("error", [OSError("no route"), RuntimeError("a bug in somebody's library")])
def test_a_store_that_fails_costs_words_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(verb: str, path: str) -> None:
        raise error

    kept = Listings(StoreThatCalls(tmp_path, fail))
    kept.keep(DIGEST, 2, lambda: FILES)
    assert kept.read(DIGEST) is None
    warnings = [record.getMessage() for record in caplog.records]
    assert [f"{error}" in text and DIGEST in text for text in warnings] == [True, True]


def test_files_that_can_no_longer_be_told_cost_words_only(
    store: FolderStore, caplog: pytest.LogCaptureFixture
) -> None:
    def changed() -> Mapping[str, str]:
        raise OSError("it changed meanwhile")

    Listings(store).keep(DIGEST, 2, changed)
    assert list(store.list()) == []
    assert "it changed meanwhile" in caplog.text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{half",
        b"[]",
        b"\xff\xfe",
        json.dumps({"version": listings.VERSION + 1, "files": {"a": "b"}}).encode(),
        json.dumps({"version": listings.VERSION, "files": ["a"]}).encode(),
        json.dumps({"version": listings.VERSION}).encode(),
    ],
    ids=["empty", "half", "list", "no text", "newer", "other files", "no files"],
)
def test_a_listing_that_cannot_be_read_is_none(store: FolderStore, data: bytes) -> None:
    store.write(listing_path(DIGEST), data)
    assert Listings(store).read(DIGEST) is None


def test_digests_of_object_stores_have_listings_too(store: FolderStore) -> None:
    for digest in ("md5:ab/cd+ef==", 'etag:"0x8D"'):
        Listings(store).keep(digest, 1, lambda: FILES)
        assert Listings(store).read(digest) == FILES


def test_a_digest_that_leads_out_of_the_store_costs_words_only(store: FolderStore) -> None:
    Listings(store).keep("etag:../../../../x", 1, lambda: FILES)
    assert Listings(store).read("etag:../../../../x") is None
