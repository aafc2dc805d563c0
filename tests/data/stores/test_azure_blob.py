"""Azure Blob Storage as a store, against Azurite."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from data.stores.contract import StoreContract, listed
from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores import Store
from mlsteps.data.stores.azure_account import AzureAccount
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.exceptions import DatastoreException, MlstepsException
from mlsteps.launcher.digest import CHUNK_SIZE, digest_bytes
from mlsteps.launcher.remote import DIGEST_KEY
from servers.azurite import account_of, azurite, blob_store

__all__ = ["azurite"]

ELSEWHERE = """\
from azure.storage.blob import BlobServiceClient
from mlsteps.data.stores import Store
from mlsteps.data.stores.azure_account import AzureAccount
from mlsteps.data.stores.azure_blob import AzureBlobStore
"""


@pytest.fixture
def store(azurite: Azurite) -> AzureBlobStore:
    return blob_store(azurite, prefix="some/root")


def content(size: int, seed: bytes = b"") -> bytes:
    """Bytes that do not repeat."""
    blocks = (hashlib.sha512(seed + number.to_bytes(8, "big")).digest() for number in range(size // 64 + 1))
    return b"".join(blocks)[:size]


class TestAzureBlobStore(StoreContract):
    refused_names = frozenset({"backslash"})  # which the service takes for a slash

    @pytest.fixture
    def elsewhere(self, store: AzureBlobStore, azurite: Azurite) -> tuple[str, str]:
        imports = "; ".join(ELSEWHERE.splitlines())
        text = azurite.connection_string
        make = f"lambda options: BlobServiceClient.from_connection_string({text!r}, **options)"
        opened = f"AzureBlobStore(AzureAccount({make}, 'elsewhere'), {store.container!r}, {store.prefix!r}, "
        return imports, opened + "create_if_not_exists=True)"

    def test_a_listing_is_sorted_by_path(self, store: Store) -> None:
        """As the emulator sorts: by UTF-16, where what is outside of the BMP does not come last."""
        paths = ["a-b", "a.b/x", "a/b-c", "a/b.d/e", "a/c/1", "a0", "b", "ﾃ", "🎻/x", "🎻.x"]
        for path in reversed(paths):
            store.write(path, b"")
        assert listed(store) == sorted(paths, key=lambda path: path.encode("utf-16-be"))
        assert listed(store, "a") == ["a/b-c", "a/b.d/e", "a/c/1"]
        assert store.list_names() == sorted(["a-b", "a.b", "a", "a0", "b", "ﾃ", "🎻", "🎻.x"])


def test_what_is_known_of_a_blob_is_its_digest(store: AzureBlobStore, tmp_path: Path) -> None:
    data = content(2 * CHUNK_SIZE + 5)
    (tmp_path / "large").write_bytes(data)
    store.put_file(tmp_path / "large", "large")
    store.write("small", b"small")
    assert store.create("made", b"made")
    known = {info.path: info.content for info in store.list()}
    assert known == {
        "large": digest_bytes(data),
        "small": digest_bytes(b"small"),
        "made": digest_bytes(b"made"),
    }
    assert store.stat("large") == next(info for info in store.list("large"))


def test_a_blob_that_somebody_else_wrote_is_known_by_its_md5_or_tag(store: AzureBlobStore) -> None:
    store.write("ours", b"ours")
    blob = store.blob("ours")
    blob.upload_blob(b"theirs", overwrite=True)
    found = store.stat("ours")
    assert found is not None
    assert found.content == f"md5:{hashlib.md5(b'theirs').hexdigest()}"
    appended = store.blob("appended")
    appended.create_append_blob(metadata={DIGEST_KEY: digest_bytes(b"")})
    appended.append_block(b"more")
    before = store.stat("appended")
    appended.append_block(b"and more")
    after = store.stat("appended")
    assert before is not None
    assert after is not None
    assert (before.content or "").startswith("etag:")
    assert before.content != after.content


def test_blobs_that_stand_for_folders_are_no_files(store: AzureBlobStore) -> None:
    store.write("a/b/file", b"x")
    for folder in ("a", "a/b", "a/empty"):
        store.blob(folder).upload_blob(b"", metadata={"hdi_isfolder": "true"})
    assert [info.path for info in store.list()] == ["a/b/file"]
    assert store.stat("a/b") is None
    with pytest.raises(FileNotFoundError):
        store.open("a/b")


def test_an_upload_goes_on_where_it_was_interrupted(store: AzureBlobStore, tmp_path: Path) -> None:
    data = content(6 * CHUNK_SIZE + 17)
    source = tmp_path / "large"
    source.write_bytes(data)
    store.write("large", b"what stood before")
    sent: list[int] = []
    blob = store.blob("large")
    stage = type(blob).stage_block

    def dies_after_three(self: object, name: str, block: bytes, **options: object) -> object:
        if len(sent) == 3:
            raise OSError("the power is gone")
        sent.append(len(block))
        return stage(self, name, block, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(blob), "stage_block", dies_after_three)
        with pytest.raises(OSError, match="power"):
            store.put_file(source, "large")
    assert store.read("large") == b"what stood before"

    def counts(self: object, name: str, block: bytes, **options: object) -> object:
        sent.append(len(block))
        return stage(self, name, block, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(blob), "stage_block", counts)
        store.put_file(source, "large")
    assert len(sent) == 7
    assert store.read("large") == data
    assert store.stat("large").content == digest_bytes(data)  # type: ignore[union-attr]


def test_blocks_of_another_program_do_not_stop_an_upload(store: AzureBlobStore, tmp_path: Path) -> None:
    data = content(2 * CHUNK_SIZE)
    (tmp_path / "large").write_bytes(data)
    store.write("other", b"")
    store.blob("large").stage_block("x" * 32, b"of another program")
    store.put_file(tmp_path / "large", "large")
    assert store.read("large") == data
    store.blob("short").stage_block("0001", b"of another program")
    with pytest.raises(DatastoreException, match="uncommitted blocks of another program"):
        store.put_file(tmp_path / "large", "short")


def test_a_download_of_a_blob_that_is_written_meanwhile_fails_and_leaves_nothing(
    store: AzureBlobStore, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(content(4 * CHUNK_SIZE))
    store.put_file(tmp_path / "large", "large")
    blob = store.blob("large")
    download = type(blob).download_blob
    seen: list[int] = []

    def written_meanwhile(self: object, *positional: object, **options: object) -> object:
        seen.append(1)
        if len(seen) == 2:
            store.write("large", content(4 * CHUNK_SIZE - 1, b"other"))
        return download(self, *positional, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(blob), "download_blob", written_meanwhile)
        with pytest.raises(MlstepsException):
            store.get_file("large", tmp_path / "target" / "large")
    assert list((tmp_path / "target").iterdir()) == []


def test_what_came_has_to_be_what_its_digest_says(store: AzureBlobStore, tmp_path: Path) -> None:
    store.write("small", b"small")
    store.blob("small").set_blob_metadata({DIGEST_KEY: digest_bytes(b"other")})
    with pytest.raises(DatastoreException, match="not what its digest says"):
        store.get_file("small", tmp_path / "small")
    assert list(tmp_path.iterdir()) == []


def test_a_create_whose_answer_was_lost_is_known_for_ones_own(store: AzureBlobStore) -> None:
    store.write("there", b"")  # makes the container
    blob = store.blob("claim")
    upload = type(blob).upload_blob

    def answered_late(self: object, *positional: object, **options: object) -> object:
        upload(self, *positional, **options)
        return upload(self, *positional, **options)  # as the SDK sends it again when no answer came

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(blob), "upload_blob", answered_late)
        assert store.create("claim", b"mine")
        assert not store.create("claim", b"not mine")
    assert store.read("claim") == b"mine"


def test_a_missing_container_is_told_or_made(azurite: Azurite) -> None:
    made = blob_store(azurite)
    assert list(made.list()) == []
    assert made.list_names() == []
    assert made.stat("a") is None
    made.delete("a")
    made.write("a", b"x")
    assert made.read("a") == b"x"
    missing = AzureBlobStore(account_of(azurite), "never-made")
    for use in (
        lambda: missing.write("a", b"x"),
        lambda: missing.read("a"),
        lambda: list(missing.list()),
        lambda: missing.stat("a"),
    ):
        with pytest.raises(DatastoreException, match=r"ContainerNotFound.*create_if_not_exists"):
            use()


def test_no_key_and_no_signature_is_in_an_error(azurite: Azurite) -> None:
    from azure.storage.blob import BlobServiceClient

    signed = f"{azurite.url}?sv=2020-10-02&sig=c2VjcmV0%3D&se=2020-01-01"
    refused = AzureBlobStore(
        AzureAccount(lambda options: BlobServiceClient(signed, **options), "a token"), "some-container"
    )
    with pytest.raises(DatastoreException) as told:
        refused.write("a", b"x")
    assert "c2VjcmV0" not in str(told.value)
    assert "a token does not allow it" in str(told.value) or "What a token holds" in str(told.value)
    gone = AzureBlobStore(
        AzureAccount(
            lambda options: BlobServiceClient(
                signed.replace(azurite.url, "http://127.0.0.1:9/account"),
                **{**options, "retry_policy": None, "retry_total": 0},
            ),
            "a token",
        ),
        "some-container",
    )
    with pytest.raises(DatastoreException) as told:
        gone.read("a")
    assert "c2VjcmV0" not in str(told.value)
    assert told.value.__cause__ is None


def test_many_threads_use_one_store(store: AzureBlobStore, tmp_path: Path) -> None:
    def there_and_back(number: int) -> bool:
        data = content(1000 + number, bytes([number]))
        source = tmp_path / f"source-{number}"
        source.write_bytes(data)
        store.put_file(source, f"many/{number}")
        store.get_file(f"many/{number}", tmp_path / f"target-{number}")
        return (tmp_path / f"target-{number}").read_bytes() == data

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(there_and_back, range(64)))


@pytest.fixture(autouse=True)
def _no_files_left_open() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) < before + 60
