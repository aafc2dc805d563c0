"""A share of Azure Files as a store, on a double of the service."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from azure.storage.fileshare import LinearRetry, ShareClient

from data.stores.contract import StoreContract, listed
from mlsteps.data.stores.azure_file import AzureFileStore
from mlsteps.data.stores.object_reading import ReplacedMeanwhile
from mlsteps.exceptions import DatastoreException, UserErrorException
from servers.azure_files_double import ACCOUNT, KEY, AzureFilesDouble, File, Share, azure_files_double

CREDENTIAL = {"account_name": ACCOUNT, "account_key": KEY}


@pytest.fixture(scope="module")
def server() -> Iterator[AzureFilesDouble]:
    with azure_files_double() as running:
        yield running


@pytest.fixture
def share(server: AzureFilesDouble) -> str:
    name = f"share-{uuid4().hex}"
    server.shares[name] = Share()
    return name


@pytest.fixture
def store(server: AzureFilesDouble, share: str) -> AzureFileStore:
    return opened(server, share)


def opened(server: AzureFilesDouble, share: str, **options: Any) -> AzureFileStore:
    options = {"credential": CREDENTIAL, "retry_policy": LinearRetry(0, random_jitter_range=0), **options}
    return AzureFileStore(
        lambda: ShareClient(server.url, share, **options), "connection 'files'", "a folder/below"
    )


class TestAzureFiles(StoreContract):
    case_matters = False
    refused_names = frozenset(
        {
            "question mark",
            "colon",
            "backslash",
            "quotes",
            "brackets",
            "star",
            "line break",
            "trailing blank",
            "looks like a URL",
        }
    )

    @pytest.fixture
    def elsewhere(self, server: AzureFilesDouble, share: str) -> tuple[str, str]:
        imports = f"""
from azure.storage.fileshare import ShareClient
from mlsteps.data.stores.azure_file import AzureFileStore
make = lambda: ShareClient({server.url!r}, {share!r}, credential={CREDENTIAL!r})
"""
        return imports, "AzureFileStore(make, 'the connection', 'a folder/below')"


def test_files_are_known_by_their_tags(store: AzureFileStore) -> None:
    store.write("x", b"one")
    before = store.stat("x")
    assert before is not None
    assert before.content == f"etag:{before.version}"
    store.write("x", b"two")
    after = store.stat("x")
    assert after is not None
    assert after.version != before.version
    assert list(store.list()) == [after]


def test_listings_of_many_pages_are_whole_and_sorted(store: AzureFileStore) -> None:
    paths = [f"folder/{number:03}" for number in range(230)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda path: store.write(path, b""), paths))
    assert listed(store) == paths


def test_names_that_differ_by_case_are_one_file(store: AzureFileStore) -> None:
    assert store.create("Folder/File", b"1")
    assert not store.create("folder/file", b"2")
    assert store.read("FOLDER/FILE") == b"1"
    assert listed(store) == ["Folder/File"]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("a:b", "holds ':'"),
        ("a /b", "ends with a blank"),
        ("x/NUL.txt", "is the name of a device"),
        ("ü" * 256, "more than 255 characters"),
        ("/".join(["x" * 100] * 30), "more than 2048 characters"),
    ],
)
def test_names_that_the_service_would_refuse_are_told(store: AzureFileStore, path: str, problem: str) -> None:
    with pytest.raises(UserErrorException, match=f"cannot be a path on Azure Files.*{problem}"):
        store.write(path, b"")


@pytest.mark.parametrize("replace", [True, False])
def test_a_rename_whose_answer_was_lost_counts_for_its_writer(
    store: AzureFileStore, server: AzureFilesDouble, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    store.write("other", b"")
    monkeypatch.setattr(server, "lost_answers", 1)
    if replace:
        store.write("x", b"same")
    else:
        assert store.create("x", b"same")
    assert server.lost_answers == 0
    assert not store.create("x", b"same")
    assert listed(store) == ["other", "x"]


def test_what_a_killed_writer_leaves_is_hidden_and_goes_with_its_folder(
    store: AzureFileStore, server: AzureFilesDouble, share: str
) -> None:
    store.write("a/x", b"")
    folder = server.shares[share].directory(["a folder", "below", "a"])
    left = ".x.123-0123456789ab.tmp"
    folder.entries[left] = File(left, bytearray(), {})
    assert listed(store) == ["a/x"]
    assert store.list_names("a") == ["x"]
    store.delete("a")
    assert store.list_names() == []


def test_what_cannot_be_written_leaves_nothing_behind(
    store: AzureFileStore, server: AzureFilesDouble, share: str
) -> None:
    store.write("x/below", b"")
    with pytest.raises(DatastoreException, match=r"Writing http://.*/a folder/below/x: ResourceTypeMismatch"):
        store.write("x", b"")
    assert [*server.shares[share].directory(["a folder", "below"]).entries] == ["x"]


def test_what_is_below_a_file_cannot_be_written(
    store: AzureFileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    store.write("x", b"")
    with pytest.raises(DatastoreException, match="ParentNotFound"):
        store.write("x/below", b"")


def test_a_large_file_that_is_replaced_while_it_is_read_is_an_error(store: AzureFileStore) -> None:
    store.write("x", b"a" * (20 << 20))
    with store.open("x") as stream:
        stream.read(1)
        store.write("x", b"b" * 10)
        with pytest.raises(ReplacedMeanwhile, match=r"Reading http://.*/x: it was replaced meanwhile"):
            stream.read()


def test_getting_a_large_file_that_is_replaced_begins_anew(
    server: AzureFilesDouble, share: str, tmp_path: Path
) -> None:
    store = opened(server, share, max_single_get_size=4 << 20)
    store.write("x", b"a" * (40 << 20))
    replaced = []

    def replace_once(_: object) -> None:
        if not replaced:
            replaced.append(server.shares[share].file(["a folder", "below", "x"]))
            replaced[0].data = bytearray(b"b" * (36 << 20))
            replaced[0].touch()

    server.after_reading = replace_once
    try:
        store.get_file("x", tmp_path / "x")
    finally:
        server.after_reading = None
    assert replaced
    assert (tmp_path / "x").read_bytes() == b"b" * (36 << 20)


def test_a_share_that_is_not_there_is_named(server: AzureFilesDouble) -> None:
    store = opened(server, "none")
    for act in (
        lambda: store.write("a/x", b""),
        lambda: store.create("x", b""),
        lambda: store.read("x"),
        lambda: list(store.list()),
    ):
        with pytest.raises(DatastoreException, match=r"http://.*/none.*ShareNotFound"):
            act()


def test_credentials_that_do_not_fit_are_told_without_them(server: AzureFilesDouble, share: str) -> None:
    credential = {"account_name": "somebody", "account_key": KEY}
    store = AzureFileStore(
        lambda: ShareClient(server.url, share, credential=credential), "connection 'files'"
    )
    with pytest.raises(DatastoreException, match="What connection 'files' holds does not allow it") as caught:
        store.read("x")
    assert KEY not in str(caught.value)
    assert caught.value.status == 403


def test_a_client_that_cannot_be_made_is_told_with_its_connection() -> None:
    def make() -> ShareClient:
        raise ValueError("AccountKey=abc; is no connection string")

    store = AzureFileStore(make, "connection 'files'")
    with pytest.raises(DatastoreException, match="connection 'files' opens no share: AccountKey=") as caught:
        store.stat("x")
    assert "abc" not in str(caught.value)


def test_a_signed_url_is_for_reading_one_file(store: AzureFileStore, server: AzureFilesDouble) -> None:
    url = store.signed_url("a b/ü #1", 60)
    assert url is not None
    place, _, query = url.partition("?")
    assert place == store.url("").replace(" ", "%20") + "/a%20b/%C3%BC%20%231"
    assert {"sp=r", "sr=f"} <= set(query.split("&"))
    assert KEY not in url
    assert store.signed_url("x", 60, write=True) is None
