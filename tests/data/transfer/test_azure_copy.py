"""Copies that the service makes, within an account and from one to another, against Azurite."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from azure.storage.blob import BlobClient, BlobServiceClient

from data.transfer.stores import TwoAccounts, blobs_of, content, tree
from mlsteps.data.stores import azure_copy
from mlsteps.data.stores.azure_account import AzureAccount
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.data.stores.azure_quick import QuickRequests
from mlsteps.data.transfer import TransferStopped, transfer
from mlsteps.exceptions import MlstepsException
from mlsteps.launcher.digest import CHUNK_SIZE, digest_bytes
from mlsteps.launcher.remote import DIGEST_KEY


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoAccounts]:
    """A running Azurite."""
    try:
        with TwoAccounts(tmp_path_factory.mktemp("azurite")) as running:
            yield running
    except MlstepsException as error:
        pytest.skip(str(error))


@pytest.fixture
def source(accounts: TwoAccounts) -> AzureBlobStore:
    return blobs_of(accounts.connection_string)


@pytest.fixture(params=["the same account", "another account"])
def target(accounts: TwoAccounts, request: pytest.FixtureRequest) -> AzureBlobStore:
    same = request.param == "the same account"
    return blobs_of(accounts.connection_string if same else accounts.other)


@pytest.fixture
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """One request copies little, and is refused for more."""
    monkeypatch.setattr(azure_copy, "ONE_REQUEST", CHUNK_SIZE)
    monkeypatch.setattr("mlsteps.data.transfer.one_file.ONE_REQUEST", CHUNK_SIZE)
    monkeypatch.setattr(azure_copy, "_BLOCK", CHUNK_SIZE)
    monkeypatch.setattr(QuickRequests, "copy", lambda self, name, source, tag: False)


FILES = {"a b/ﾃ%20+&?#x": b"1", "c": b"", "large": content(3 * CHUNK_SIZE + 9)}


def test_blobs_are_copied_with_their_digest_and_without_coming_here(
    source: AzureBlobStore, target: AzureBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, data in FILES.items():
        source.write(path, data)
    with monkeypatch.context() as patch:
        patch.setattr(BlobClient, "download_blob", None)
        done = transfer(source, "", target, "below")
        assert done.verified == {"service": 3}
        assert transfer(source, "", target, "below").files_there == 3
    assert {info.path: info.content for info in target.list()} == {
        f"below/{path}": digest_bytes(data) for path, data in FILES.items()
    }
    assert tree(target, "below") == FILES


def test_copy_here_copies_one_blob(source: AzureBlobStore, target: AzureBlobStore) -> None:
    source.write("a", b"new")
    target.write("b", b"old")
    assert target.copy_here(source, "a", "b")
    assert target.read("b") == b"new"
    with pytest.raises(FileNotFoundError):
        target.copy_here(source, "none", "b")
    assert target.read("b") == b"new"


def test_a_large_blob_is_copied_by_one_request_where_the_service_takes_it(
    source: AzureBlobStore, target: AzureBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure_copy, "ONE_REQUEST", CHUNK_SIZE)
    asked: list[str] = []
    copy = QuickRequests.copy

    def counting(self: QuickRequests, name: str, source: str, tag: str) -> bool:
        asked.append(name)
        return copy(self, name, source, tag)

    monkeypatch.setattr(QuickRequests, "copy", counting)
    monkeypatch.setattr(BlobClient, "start_copy_from_url", None)
    source.write("large", FILES["large"])
    target.write("large", b"before")
    assert transfer(source, "", target, "").verified == {"service": 1}
    assert asked == ["root/large"]
    assert target.copies_large
    assert target.read("large") == FILES["large"]
    assert target.stat("large").content == digest_bytes(FILES["large"])  # type: ignore[union-attr]


@pytest.mark.usefixtures("small_requests")
def test_a_service_that_copies_no_blocks_is_asked_for_a_copy_in_the_background(
    source: AzureBlobStore, target: AzureBlobStore
) -> None:
    source.write("large", FILES["large"])
    assert transfer(source, "", target, "").verified == {"service": 1}
    assert not target.copies_large
    assert not target.copies_blocks
    assert target.stat("large").content == digest_bytes(FILES["large"])  # type: ignore[union-attr]


@pytest.fixture
def block_service(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A service that copies blocks, which the emulator does not: by what it does behind the scenes."""
    copied: list[int] = []

    def stage(self: BlobClient, name: str, url: str, start: int, length: int) -> None:
        request = urllib.request.Request(url, headers={"Range": f"bytes={start}-{start + length - 1}"})
        with urllib.request.urlopen(request) as response:
            self.stage_block(name, response.read())
        copied.append(start)

    monkeypatch.setattr(BlobClient, "stage_block_from_url", stage)
    return copied


@pytest.mark.usefixtures("small_requests")
def test_a_large_blob_is_copied_by_blocks_and_goes_on_where_it_stopped(
    source: AzureBlobStore, target: AzureBlobStore, block_service: list[int]
) -> None:
    data = content(7 * CHUNK_SIZE + 9)
    source.write("large", data)
    with pytest.raises(TransferStopped):
        transfer(source, "", target, "", stopped=lambda: len(block_service) >= 3, parallel=2)
    assert target.stat("large") is None
    transfer(source, "", target, "")
    assert len(block_service) == 8
    assert target.read("large") == data
    assert target.stat("large").content == digest_bytes(data)  # type: ignore[union-attr]


@pytest.mark.usefixtures("small_requests")
def test_a_source_that_changes_while_blocks_are_copied_leaves_what_stood_there(
    source: AzureBlobStore, target: AzureBlobStore, block_service: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source.write("large", content(4 * CHUNK_SIZE))
    target.write("large", b"before")
    stage = BlobClient.stage_block_from_url

    def writing(self: BlobClient, *positional: Any) -> None:
        stage(self, *positional)  # type: ignore[call-arg]
        source.write("large", content(4 * CHUNK_SIZE, bytes([len(block_service)])))

    monkeypatch.setattr(BlobClient, "stage_block_from_url", writing)
    with pytest.raises(MlstepsException, match="changes all the time"):
        transfer(source, "", target, "", parallel=1)
    assert target.read("large") == b"before"


def test_a_blob_that_was_written_since_it_was_listed_is_copied_as_it_is_now(
    source: AzureBlobStore, target: AzureBlobStore
) -> None:
    source.write("a", b"old")
    transfer(source, "", target, "", told=lambda _: source.write("a", b"newer"))
    assert target.read("a") == b"newer"
    assert target.stat("a").content == digest_bytes(b"newer")  # type: ignore[union-attr]


def test_a_digest_that_may_be_wrong_is_not_copied(source: AzureBlobStore, target: AzureBlobStore) -> None:
    source.write("a", b"")
    source.delete("a")
    blob = source.blob("a")
    blob.create_append_blob(metadata={DIGEST_KEY: digest_bytes(b"1"), "other": "kept"})
    blob.append_block(b"12")
    transfer(source, "", target, "")
    assert target.read("a") == b"12"
    assert not (target.stat("a").content or "").startswith("sha256c:")  # type: ignore[union-attr]
    assert target.blob("a").get_blob_properties().metadata.get("other") == "kept"


def test_a_copy_in_the_background_that_is_given_up_is_aborted(
    source: AzureBlobStore, target: AzureBlobStore, monkeypatch: pytest.MonkeyPatch, small_requests: None
) -> None:
    source.write("large", FILES["large"])
    looked: list[int] = []
    aborted: list[str] = []
    kept = BlobClient.get_blob_properties

    def pending(self: BlobClient) -> Any:
        if self.container_name != target.container:
            return kept(self)
        looked.append(1)
        return SimpleNamespace(copy=SimpleNamespace(status="pending", id="some-copy", status_description=""))

    target.copies_blocks = False
    monkeypatch.setattr(BlobClient, "get_blob_properties", pending)
    monkeypatch.setattr(target, "stat", lambda path: None)
    monkeypatch.setattr(BlobClient, "abort_copy", lambda self, copy: aborted.append(copy))
    with pytest.raises(TransferStopped):
        transfer(source, "", target, "", stopped=lambda: len(looked) >= 3)
    assert aborted == ["some-copy"]


def test_who_cannot_sign_copies_through_this_machine(
    accounts: TwoAccounts, source: AzureBlobStore, target: AzureBlobStore
) -> None:
    for path, data in FILES.items():
        source.write(path, data)
    signature = source.signer.container(source.container)
    reading = AzureBlobStore(
        AzureAccount(lambda options: BlobServiceClient(f"{accounts.url}?{signature}", **options), "a token"),
        source.container,
        "root",
    )
    assert reading.signed_url("c", 60) is None
    assert not target.copy_here(_listing(reading, source), "c", "c")
    reading.list = source.list  # type: ignore[method-assign]  # its token does not allow listing
    assert transfer(reading, "", target, "").verified == {"digest": 3}
    assert tree(target) == FILES


def test_a_signed_url_opens_one_blob_for_a_while(source: AzureBlobStore) -> None:
    source.write("a b/ﾃ%20+&?#x", b"1")
    source.write("other", b"2")
    url = source.signed_url("a b/ﾃ%20+&?#x", 60) or ""
    assert urllib.request.urlopen(url).read() == b"1"
    for refused in (
        urllib.request.Request(url, data=b"3", method="PUT", headers={"x-ms-blob-type": "BlockBlob"}),
        urllib.request.Request(f"{source.blob('other').url}?{url.partition('?')[2]}"),
    ):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(refused)
    writable = source.signed_url("made", 60, write=True) or ""
    headers = {"x-ms-blob-type": "BlockBlob"}
    urllib.request.urlopen(urllib.request.Request(writable, data=b"3", method="PUT", headers=headers)).close()
    assert source.read("made") == b"3"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(source.signed_url("other", -60) or "")


def test_the_signature_for_copies_is_renewed_before_it_ends(
    source: AzureBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = source.signer.container("some")
    assert source.signer.container("some") == first
    monkeypatch.setattr("mlsteps.data.stores.azure_signing._LASTING", 7200.0)
    monkeypatch.setattr("mlsteps.data.stores.azure_signing._LEFT", 3601.0)
    assert source.signer.container("some") != first


def test_no_signature_is_logged_or_told(
    source: AzureBlobStore, target: AzureBlobStore, caplog: pytest.LogCaptureFixture
) -> None:
    source.write("a", b"1")
    signature = source.signer.container(source.container).rpartition("sig=")[2]
    with caplog.at_level(logging.DEBUG):
        transfer(source, "", target, "")
        transfer(source, "", target, "other")
        source.signed_url("a", 60)
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert signature not in logged
    assert "sig=" not in logged.replace("sig=***", "").replace("sig=REDACTED", "")


def _listing(reading: AzureBlobStore, source: AzureBlobStore) -> AzureBlobStore:
    reading.stat = source.stat  # type: ignore[method-assign]
    return reading
