"""Signatures of who signed in with a token and holds no key: the service gives him one to sign with."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlsteps.compute.staged import StagingArea
from mlsteps.data.stores.azure_blob import AzureBlobStore
from servers.azurite_https import HttpsAzurite


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpsAzurite]:
    with HttpsAzurite(tmp_path_factory.mktemp("azurite-https")) as running:
        yield running


@pytest.fixture(autouse=True)
def _signing_as_the_emulator_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK signs four fields that came after the emulator was written, all of them empty here."""
    from azure.storage.blob import _shared_access_signature as sdk

    sign = sdk.sign_string

    def sign_older(key: str, text: str) -> str:
        lines = text.split("\n")
        assert len(lines) == 28 and not any(lines[at] for at in (13, 14, 21, 22)), lines
        return str(sign(key, "\n".join(line for at, line in enumerate(lines) if at not in (13, 14, 21, 22))))

    monkeypatch.setattr(sdk, "sign_string", sign_older)
    monkeypatch.setattr(sdk, "X_MS_VERSION", "2024-11-04")


@pytest.fixture
def store(service: HttpsAzurite, monkeypatch: pytest.MonkeyPatch) -> AzureBlobStore:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(service.certificate))
    made = AzureBlobStore(service.account(), "signed", create_if_not_exists=True)
    made.write("mine/a.txt", b"a")
    made.write("others/b.txt", b"b")
    return made


def answer(
    service: HttpsAzurite, address: str, method: str = "GET", data: bytes | None = None
) -> int | bytes:
    """What is there, or the status of a refusal; asked for without any credential."""
    trusting = ssl.create_default_context(cafile=str(service.certificate))
    headers = {"x-ms-blob-type": "BlockBlob"} if data is not None else {}
    request = urllib.request.Request(address, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20, context=trusting) as response:
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        return error.code


def test_a_signed_address_opens_one_blob_for_reading(service: HttpsAzurite, store: AzureBlobStore) -> None:
    address = store.signed_url("mine/a.txt", 600)
    assert address is not None and "skoid=" in address, "signed by a key that was given to who signed in"
    assert answer(service, address) == b"a"
    assert answer(service, address, "PUT", b"other") == 403
    assert answer(service, address.replace("mine/a.txt", "others/b.txt")) == 403
    assert store.read("mine/a.txt") == b"a"


def test_a_jobs_area_is_open_to_its_signature_and_nothing_else_is(
    service: HttpsAzurite, store: AzureBlobStore
) -> None:
    area = StagingArea.of_job(store, "job.1")
    assert area.make()
    place = area.place(600).below("outputs/x/a b.json")
    written = json.dumps({"made": "there"}).encode()
    assert answer(service, place.address, "PUT", written) == b""
    assert area.store.read("outputs/x/a b.json") == written
    query = place.address.partition("?")[2]
    for other in (store.url("mine/a.txt"), f"{store.url('')}?restype=container&comp=list"):
        assert answer(service, f"{other}{'&' if '?' in other else '?'}{query}") == 403
    listing = f"{area.store.url('')}?restype=container&comp=list&{query}"
    assert answer(service, listing) == 403
    assert answer(service, place.address, "DELETE") == 403
    area.delete()
    assert answer(service, place.address) == 404


def test_quick_requests_sign_the_same_way(
    service: HttpsAzurite, store: AzureBlobStore, tmp_path: Path
) -> None:
    assert store.quick is not None and store.quick.works
    assert [info.path for info in store.list()] == ["mine/a.txt", "others/b.txt"]
    assert store.quick.put(store.name("quick.txt"), b"quick", {})
    store.get_file("quick.txt", tmp_path / "quick.txt")
    assert (tmp_path / "quick.txt").read_bytes() == b"quick"
