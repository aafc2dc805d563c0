"""``credentials: sas``: signatures for one run, which a cluster looks up in a secret scope."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest

from compute.databricks.there import There, eventually
from mlsteps import DatabricksCompute
from mlsteps.cli.azurite import Azurite
from mlsteps.compute import JobInput, JobOutput, JobSuspended
from mlsteps.compute.databricks.signatures import signed_by
from mlsteps.compute.databricks.starting import port_url
from mlsteps.data.stores.azure_account import AzureAccount
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.environment import DatabricksCluster, EnvironmentLocks
from mlsteps.exceptions import ComputeTargetException
from servers.azurite import azurite, blob_store

__all__ = ["azurite"]

COPY = """
fs = dbutils.fs
fs.put(dbutils.widgets.get("made"), fs.head(dbutils.widgets.get("raw")).upper())
"""
LOGS = """
import sys; sys.path.append(dbutils.widgets.get("mlsteps_path"))
from mlsteps.run import Run
Run.get_context().log("rows", 1)
"""
HOST = "account.dfs.core.windows.net"
FIXED = f"spark.hadoop.fs.azure.sas.fixed.token.{HOST}"
SIGNED = {"credentials": "sas"}


def offline(container: str, connection: str = "AccountKey=a2V5;", name: str = "account") -> AzureBlobStore:
    """A store that nobody asks for anything."""
    from azure.storage.blob import BlobServiceClient

    text = f"DefaultEndpointsProtocol=https;AccountName={name};{connection}EndpointSuffix=core.windows.net"
    account = AzureAccount(lambda given: BlobServiceClient.from_connection_string(text, **given), "account")
    return AzureBlobStore(account, container)


def reads(store: Any, path: str, name: str = "raw") -> JobInput:
    return JobInput(name, f"$in_{name}", f"IN_{name}", store, path, "mount")


def writes(store: Any, path: str) -> JobOutput:
    return JobOutput("made", "$out", "OUT", store, path, create_directory=False)


@pytest.mark.parametrize(
    ("scheme", "setting"),
    [
        ("abfss", f"fs.azure.sas.fixed.token.{HOST}"),
        ("wasbs", "fs.azure.sas.data.account.blob.core.windows.net"),
    ],
)
def test_a_place_is_opened_by_a_secret_of_the_job(there: There, scheme: Any, setting: str) -> None:
    target = DatabricksCompute("dbx", credentials="sas", url_scheme=scheme)
    port = reads(offline("data"), "a/b")
    ports = [port_url(target, there.notebook(""), job, port) for job in ("one", "one", "other")]
    assert ports[0] == ports[1] and {found.setting for found in ports} == {setting}
    assert ports[0].secret != ports[2].secret and str(ports[0].secret).startswith("mlsteps-")


def test_what_is_no_blob_needs_no_signature(there: There) -> None:
    port = there.bench.reads("raw", "in.txt")
    assert signed_by("job", port, f"abfss://c@{HOST}/in.txt") is None
    assert signed_by("job", reads(offline("c"), "in.txt"), "/Volumes/a/b/c/in.txt") is None


def refused(there: There, *inputs: JobInput) -> str:
    with pytest.raises(ComputeTargetException) as error:
        there.run(there.notebook(""), inputs=inputs, settings=SIGNED)
    assert not there.double.submitted and not there.double.secrets["amlscope"]
    return str(error.value)


def test_two_containers_of_an_account_are_refused_where_spark_takes_one_signature(there: There) -> None:
    one, other = reads(offline("one"), "a"), reads(offline("other"), "a", "more")
    told = refused(there, one, other)
    assert "'more'" in told and "wasbs" in told


def test_a_connection_that_cannot_sign_is_named(there: There) -> None:
    signature = "SharedAccessSignature=sv=2021-08-06&sig=hidden;"
    told = refused(there, reads(offline("data", signature), "a"))
    assert "cannot sign" in told and "'raw'" in told and "hidden" not in told


@pytest.mark.parametrize("credentials", ["sas", "secret"])
def test_a_runs_folder_is_not_where_that_would_spoil_the_way_to_the_data(
    there: There, credentials: str
) -> None:
    """The workspace's own store may be another container, or on another account."""
    own = offline("own") if credentials == "sas" else offline("own", name="another")
    there.double.secrets["amlscope"]["account"] = "the key"
    locks = EnvironmentLocks(own, there.bench.root / "environments")
    inputs = (reads(offline("data"), "a"),)
    outcome = there.run(there.notebook(""), inputs=inputs, locks=locks, settings={"credentials": credentials})
    assert outcome.error is None, outcome.error
    assert any("offline run there" in line for line in there.printed("databricks"))


def test_a_scope_that_is_not_there_is_named(there: There) -> None:
    there.double.secrets.clear()
    inputs = (reads(offline("data"), "a"),)
    with pytest.raises(ComputeTargetException, match="into scope 'amlscope'"):
        there.run(there.notebook(""), inputs=inputs, settings=SIGNED)


def test_a_container_that_is_only_read_is_opened_for_reading(there: There) -> None:
    outcome = there.run(there.notebook(""), inputs=(reads(offline("data"), "a"),), settings=SIGNED)
    assert outcome.error is None, outcome.error
    conf = there.double.runs[101].spark_conf
    assert "sp=rl&" in conf[FIXED]
    assert conf[f"spark.hadoop.fs.azure.account.auth.type.{HOST}"] == "SAS"
    assert conf[f"spark.hadoop.fs.azure.sas.token.provider.type.{HOST}"].endswith("FixedSASTokenProvider")
    nowhere_but_in_the_scope(there, conf[FIXED])


def nowhere_but_in_the_scope(there: There, signature: str) -> None:
    """Neither in a request for a run nor in a log, and in the scope no more."""
    others = [body for _, path, body in there.double.requests if not path.endswith("secrets/put")]
    assert signature.partition("sig=")[2] not in str(others)
    assert "sig=" not in str(there.bench.lines)
    assert there.double.secrets == {"amlscope": {}}


def test_an_existing_cluster_is_told_which_secret_it_is(there: There) -> None:
    there.double.clusters["c"] = {}
    task = there.notebook("", cluster=DatabricksCluster(existing_cluster_id="c"))
    there.run(task, inputs=(reads(offline("data"), "a"),), settings=SIGNED)
    (request,) = there.double.submitted
    widgets = request["tasks"][0]["notebook_task"]["base_parameters"]
    assert widgets["raw_blob_secretname"].startswith("mlsteps-")
    assert widgets["raw_blob_config"] == FIXED.removeprefix("spark.hadoop.")


def test_code_reads_and_writes_by_the_signature(there: There, azurite: Azurite) -> None:
    store = blob_store(azurite)
    store.write("in.txt", b"abc")
    url, root = f"abfss://{store.container}@{HOST}", store.url("").rstrip("/")
    there.double.files.mounts[url] = root
    settings = {**SIGNED, "deferrable": True, "places": {root: url}}
    given: dict[str, Any] = {
        "inputs": (reads(store, "in.txt"),),
        "outputs": (writes(store, "azureml/job.1/made"),),
    }
    task = there.notebook(COPY + LOGS)
    there.double.start_seconds = 0.2
    with pytest.raises(JobSuspended) as waiting:
        there.run(task, settings=settings, **given)
    assert waiting.value.staged is not None
    assert [waiting.value.staged["secrets"]] == list(there.double.secrets["amlscope"])
    eventually(lambda: there.ended(101))
    outcome = there.run(task, settings=settings, resumed=True, **given)
    assert outcome.error is None, there.bench.lines
    assert store.read("azureml/job.1/made") == b"ABC"
    assert [event.get("value") for event in outcome.events] == [1]
    nowhere_but_in_the_scope(there, there.double.runs[101].spark_conf[FIXED])
    assert not [info.path for info in store.list() if "mlsteps-run" in info.path]


def test_a_signature_for_reading_does_not_write(azurite: Azurite) -> None:
    store = blob_store(azurite)
    store.write("in.txt", b"abc")
    address = store.url("in.txt")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(address, timeout=10)
    address += f"?{store.signer.cluster(store.container, 600, write=False)}"
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.read() == b"abc"
    headers = {"x-ms-blob-type": "BlockBlob"}
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(urllib.request.Request(address, b"x", headers, method="PUT"), timeout=10)
    assert store.read("in.txt") == b"abc"
