"""Copies between accounts that nobody waits for, against Azurite behind a proxy that holds them up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from azure.storage.blob import BlobClient

from data.transfer.stores import TwoAccounts, blobs_of, content, tree
from mlsteps.data.stores import azure_background
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.data.transfer import CopiesPending, TransferResult, transfer
from mlsteps.exceptions import DatastoreException, MlstepsException
from mlsteps.launcher.digest import CHUNK_SIZE, digest_bytes
from servers.faults import Fault, FaultyProxy

LARGE = content(3 * CHUNK_SIZE + 9)


class Accounts:
    """A source, and a target whose copies go on for as long as ``held`` is set."""

    def __init__(self, running: TwoAccounts, stack: ExitStack) -> None:
        self.held = True
        self.proxy = stack.enter_context(FaultyProxy(running.url, self._hold))
        self.connection_string = running.connection_string
        self.source = blobs_of(self.proxy.through(running.connection_string))
        self.target = blobs_of(self.proxy.through(running.other))

    def _hold(self, number: int, line: str) -> Fault | None:
        return "copy goes on" if self.held and line.startswith("HEAD") else None

    def copy(self, **options: bool) -> TransferResult:
        return transfer(self.source, "", self.target, "below", background=True, **options)

    def starts(self) -> int:
        """How many copies were asked for."""
        return sum(line.startswith("PUT") and ".02-" in line for line in self.proxy.requests)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoAccounts]:
    try:
        with TwoAccounts(tmp_path_factory.mktemp("azurite")) as azurite:
            yield azurite
    except MlstepsException as error:
        pytest.skip(str(error))


@pytest.fixture
def accounts(running: TwoAccounts, monkeypatch: pytest.MonkeyPatch) -> Iterator[Accounts]:
    monkeypatch.setattr("mlsteps.data.stores.azure_copy.ONE_REQUEST", CHUNK_SIZE)
    monkeypatch.setattr("mlsteps.data.transfer.one_file.ONE_REQUEST", CHUNK_SIZE)
    with ExitStack() as stack:
        made = Accounts(running, stack)
        made.target.container_client.create_container()
        made.source.write("large", LARGE)
        made.source.write("small", b"1")
        yield made


def hidden(store: AzureBlobStore) -> list[str]:
    found = store.container_client.list_blob_names()
    return [name for name in found if name.endswith(".tmp")]


def test_while_a_large_copy_goes_on_the_rest_is_done_and_nothing_of_it_is_seen(accounts: Accounts) -> None:
    with pytest.raises(CopiesPending) as pending:
        accounts.copy()
    assert tree(accounts.target) == {"below/small": b"1"}
    assert accounts.target.list_names("below") == ["small"]
    assert len(hidden(accounts.target)) == len(pending.value.paths) == 1
    assert azure_background.copy_state(accounts.target, pending.value.paths[0]) == "pending"


def test_a_second_call_asks_for_no_second_copy_and_a_later_one_finishes_it(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        with pytest.raises(CopiesPending):
            accounts.copy()
    assert accounts.starts() == 1
    accounts.held = False
    monkeypatch.setattr(BlobClient, "download_blob", None)  # no byte of it comes here
    done = accounts.copy()
    assert (done.files, done.files_there, done.verified) == (1, 1, {"service": 1})
    monkeypatch.undo()
    assert accounts.starts() == 1
    assert tree(accounts.target, "below") == {"large": LARGE, "small": b"1"}
    stands = accounts.target.stat("below/large")
    assert stands is not None and stands.content == digest_bytes(LARGE)
    assert hidden(accounts.target) == []


def test_a_source_that_is_written_meanwhile_is_copied_as_it_is_then(accounts: Accounts) -> None:
    with pytest.raises(CopiesPending):
        accounts.copy()
    accounts.source.write("large", LARGE[::-1])
    accounts.held = False
    accounts.copy()
    assert accounts.target.read("below/large") == LARGE[::-1]
    assert hidden(accounts.target) == []


def test_a_copy_that_azure_gives_up_is_told_and_begun_anew_by_the_next_try(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CopiesPending):
        accounts.copy()
    with monkeypatch.context() as patch:
        patch.setattr(azure_background, "copy_state", lambda store, path: "failed")
        with pytest.raises(DatastoreException, match=r"could not copy .*large.*Copy it again"):
            accounts.copy()
    assert hidden(accounts.target) == []
    accounts.held = False
    accounts.copy()
    assert accounts.starts() == 2
    assert accounts.target.read("below/large") == LARGE


def test_nothing_is_mirrored_away_before_all_copies_stand(accounts: Accounts) -> None:
    accounts.target.write("below/extra", b"2")
    with pytest.raises(CopiesPending):
        accounts.copy(mirror=True)
    assert "below/extra" in tree(accounts.target)
    accounts.held = False
    accounts.copy(mirror=True)
    assert set(tree(accounts.target)) == {"below/large", "below/small"}


def test_within_an_account_nobody_has_to_wait(accounts: Accounts) -> None:
    accounts.held = False
    target = blobs_of(accounts.proxy.through(accounts.connection_string))
    assert transfer(accounts.source, "", target, "", background=True).files == 2
