"""S3 as a store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
import s3fs
from botocore.exceptions import ClientError

from data.stores.contract import StoreContract, listed
from mlsteps.data.stores import FolderStore
from mlsteps.data.stores.object_reading import ReplacedMeanwhile
from mlsteps.data.stores.object_storage import ObjectStorageStore
from mlsteps.data.stores.objects_s3 import S3Objects
from mlsteps.exceptions import DatastoreException, UserErrorException
from processes import start
from servers.s3 import KEY, SECRET, S3Server, s3_server


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture
def bucket(server: S3Server) -> str:
    return server.bucket()


@pytest.fixture
def store(server: S3Server, bucket: str) -> ObjectStorageStore:
    root = f"{bucket}/a folder"
    return ObjectStorageStore(s3fs.S3FileSystem(**server.options), root, f"s3://{root}")


class TestS3(StoreContract):
    names_unknown_to_the_server = frozenset({"line break"})  # moto's routes end there

    @pytest.fixture
    def elsewhere(self, server: S3Server, bucket: str) -> tuple[str, str]:
        return opening(server, bucket), "store"


def test_files_are_known_by_their_tags(store: ObjectStorageStore) -> None:
    store.write("x", b"abc")
    (found,) = store.list()
    assert found == store.stat("x")
    assert found.content == f"etag:{hashlib.md5(b'abc').hexdigest()}"
    assert found.version is None


def test_listings_of_many_pages_are_whole_and_sorted(store: ObjectStorageStore, server: S3Server) -> None:
    paths = [f"f{number % 7}/{number:05}" for number in range(2300)]
    fill(server, store, paths)
    assert listed(store) == sorted(paths)
    assert listed(store, "f3") == sorted(path for path in paths if path.startswith("f3/"))
    assert store.list_names() == [f"f{number}" for number in range(7)]
    fill(server, store, [f"flat/{number:05}" for number in range(1500)])
    assert store.list_names("flat") == [f"{number:05}" for number in range(1500)]
    store.delete("")
    assert listed(store) == []


@pytest.mark.slow
def test_a_listing_is_not_held(store: ObjectStorageStore, server: S3Server, bucket: str) -> None:
    fill(server, store, [f"{'long ' * 30}{number:06}" for number in range(12_000)])
    lister = start(f"""
import tracemalloc
{opening(server, bucket)}
next(store.list())
tracemalloc.start()
print(sum(1 for _ in store.list()), tracemalloc.get_traced_memory()[1])
""")
    count, peak = lister.communicate()[0].split()
    assert int(count) == 12_000
    assert int(peak) < 12_000 * 300  # the paths alone are more than half of that


@pytest.mark.slow
def test_large_files_are_not_held(server: S3Server, bucket: str, tmp_path: Path) -> None:
    size = 200 << 20
    with (tmp_path / "large").open("wb") as file:
        file.truncate(size)
    mover = start(f"""
import resource
from pathlib import Path
{opening(server, bucket)}
store.write("x", b"")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
store.put_file(Path({str(tmp_path)!r}, "large"), "large")
store.get_file("large", Path({str(tmp_path)!r}, "copy"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
""")
    kilobytes = int(mover.communicate()[0])
    assert (tmp_path / "copy").stat().st_size == size
    assert kilobytes < 120 * 1024


def test_a_large_file_that_is_replaced_while_it_is_read_is_an_error(store: ObjectStorageStore) -> None:
    store.write("x", b"a" * (40 << 20))
    with store.open("x") as stream:
        stream.read(1)
        store.write("x", b"b" * (40 << 20))
        with pytest.raises(ReplacedMeanwhile, match=r"Reading s3://.*/a folder/x: it was replaced meanwhile"):
            stream.read()
    with store.open("x") as stream:
        stream.read(1)
        store.write("x", b"c" * 10)  # what is read next begins behind its end
        with pytest.raises(ReplacedMeanwhile):
            stream.read()


def test_getting_a_large_file_that_is_replaced_begins_anew(
    store: ObjectStorageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write("x", b"a" * (9 << 20))
    read = S3Objects.read_ranges
    contents = [b"b" * (9 << 20), b"c" * (8 << 20)]

    def replacing(objects: S3Objects, place: str, ranges: list[tuple[int, int]]) -> list[bytes]:
        got = read(objects, place, ranges)
        if contents:
            store.write("x", contents.pop(0))
        return got

    monkeypatch.setattr(S3Objects, "read_ranges", replacing)
    store.get_file("x", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"c" * (8 << 20)
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_files_go_from_bucket_to_bucket_within_the_service(
    store: ObjectStorageStore, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ObjectStorageStore(store._objects.fs, server.bucket(), "s3://other")
    store.write("a b/#1", b"1")
    with monkeypatch.context() as patch:
        patch.setattr(S3Objects, "read", None)
        assert other.copy_here(store, "a b/#1", "c/ü")
    assert other.read("c/ü") == b"1"
    with pytest.raises(FileNotFoundError, match="There is no file at s3://"):
        other.copy_here(store, "none", "c")


def test_nothing_is_copied_within_a_service_from_elsewhere(store: ObjectStorageStore, tmp_path: Path) -> None:
    folder = FolderStore(tmp_path)
    folder.write("x", b"")
    assert not store.copy_here(folder, "x", "x")
    with s3_server() as another:
        fs = s3fs.S3FileSystem(**another.options)
        there = ObjectStorageStore(fs, another.bucket(), "s3://there")
        there.write("x", b"")
        assert not store.copy_here(there, "x", "x")
    assert listed(store) == []


@pytest.mark.parametrize("path", ["x", "a b/ü #?.txt"])
def test_a_signed_url_opens_one_file(store: ObjectStorageStore, path: str) -> None:
    writing = store.signed_url(path, 60, write=True)
    assert writing is not None
    with urlopen(
        Request(writing, b"signed", {"Content-Type": "application/octet-stream"}, method="PUT")
    ) as answer:
        assert answer.status == 200
    reading = store.signed_url(path, 60)
    assert reading is not None
    with urlopen(reading) as answer:
        assert answer.read() == store.read(path) == b"signed"


def test_no_url_is_signed_without_credentials(server: S3Server, bucket: str) -> None:
    fs = s3fs.S3FileSystem(anon=True, endpoint_url=server.url)
    assert ObjectStorageStore(fs, bucket, f"s3://{bucket}").signed_url("x", 60) is None


def test_what_others_wrote_for_folders_is_no_file(store: ObjectStorageStore, server: S3Server) -> None:
    fill(server, store, ["folder/", "folder/x", "strange//x", "strange/../x"])
    assert listed(store) == listed(store, "folder") == ["folder/x"]
    assert store.stat("folder") is None
    assert store.list_names() == ["folder", "strange"]
    assert store.list_names("folder") == ["x"]


def test_a_listing_that_somebody_cached_is_not_shown(server: S3Server, bucket: str) -> None:
    fs = s3fs.S3FileSystem(**server.options)
    fs.dircache.use_listings_cache = True
    fs.call_s3("put_object", Bucket=bucket, Key="f/old", Body=b"")
    assert fs.ls(f"{bucket}/f")
    store = ObjectStorageStore(fs, bucket, f"s3://{bucket}")
    fs.call_s3("put_object", Bucket=bucket, Key="f/new", Body=b"")
    assert store.list_names("f") == ["new", "old"]
    assert [entry.rpartition("/")[2] for entry in fs.ls(f"{bucket}/f", detail=False)] == ["new", "old"]


def test_a_service_that_overwrites_regardless_is_refused_for_records(
    store: ObjectStorageStore, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "without_conditions", True)
    store.write("x", b"kept")
    with pytest.raises(DatastoreException, match="overwrites objects though told not to"):
        store.create("x", b"new")
    with pytest.raises(DatastoreException, match="records and reuse would not be safe"):
        store.create("y", b"new")
    assert listed(store) == ["x"]
    assert store.read("x") == b"kept"


def test_a_write_whose_answer_was_lost_counts_for_its_writer(
    store: ObjectStorageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.create("first", b"")
    fs = store._objects.fs
    call = fs.call_s3

    def sent_twice(method: str, *args: object, **options: object) -> object:
        if method == "put_object":
            call(method, *args, **options)
        return call(method, *args, **options)

    monkeypatch.setattr(fs, "call_s3", sent_twice)
    assert store.create("x", b"same")
    assert not store.create("x", b"same")


def test_conditional_writes_that_met_are_tried_again(
    store: ObjectStorageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.create("first", b"")
    fs = store._objects.fs
    call, met = fs.call_s3, [1, 2]

    def meeting(method: str, *args: object, **options: object) -> object:
        if method == "put_object" and met:
            met.pop()
            told = {"Code": "ConditionalRequestConflict", "Message": "A conflicting operation occurred."}
            response = {"Error": told, "ResponseMetadata": {"HTTPStatusCode": 409}}
            raise OSError("A conflicting operation occurred.") from ClientError(response, "PutObject")
        return call(method, *args, **options)

    monkeypatch.setattr(fs, "call_s3", meeting)
    assert store.create("x", b"1")
    assert not met


def test_a_name_that_s3fs_would_cut_is_refused(store: ObjectStorageStore) -> None:
    with pytest.raises(UserErrorException, match="cannot hold"):
        store.write("x?versionId=3", b"")


def test_a_bucket_that_is_not_there_is_named(server: S3Server, tmp_path: Path) -> None:
    fs = s3fs.S3FileSystem(**server.options)
    store = ObjectStorageStore(fs, "nobodys", "s3://nobodys", "Airflow connection 'aws_default'")
    (tmp_path / "x").touch()
    for act in (
        lambda: store.write("x", b""),
        lambda: store.create("x", b""),
        lambda: store.put_file(tmp_path / "x", "x"),
        lambda: list(store.list()),
        store.list_names,
    ):
        with pytest.raises(DatastoreException, match=r"(Writing|Listing) s3://nobodys.*See that the bucket"):
            act()


def test_what_a_connection_may_not_do_is_told_with_its_name_and_no_secret(
    store: ObjectStorageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(
            f"The key {KEY} with {SECRET} may not; https://u:pw@host/x?X-Amz-Signature=abcd"
        )

    monkeypatch.setattr(store._objects.fs, "call_s3", refuse)
    with pytest.raises(DatastoreException, match="configuration holds does not allow it") as caught:
        store.stat("x")
    text = str(caught.value)
    assert "Looking at s3://" in text
    assert not [secret for secret in (KEY, SECRET, "u:pw", "abcd") if secret in text]
    assert caught.value.__cause__ is None


def test_a_service_that_does_not_answer_is_an_error_with_advice(bucket: str) -> None:
    config = {"retries": {"max_attempts": 0}, "connect_timeout": 1}
    fs = s3fs.S3FileSystem(key=KEY, secret=SECRET, endpoint_url="http://127.0.0.1:9", config_kwargs=config)
    fs.retries = 1
    store = ObjectStorageStore(fs, bucket, f"s3://{bucket}")
    with pytest.raises(DatastoreException, match=r"Looking at s3://.*service can be reached"):
        store.stat("x")


def fill(server: S3Server, store: ObjectStorageStore, paths: list[str]) -> None:
    """Put empty objects there without a request for each."""
    bucket, _, folder = store._root.partition("/")
    for path in paths:
        server.backend.put_object(bucket, f"{folder}/{path}", b"")


def opening(server: S3Server, bucket: str) -> str:
    root = f"{bucket}/a folder"
    return f"""
import s3fs
from mlsteps.data.stores.object_storage import ObjectStorageStore
store = ObjectStorageStore(s3fs.S3FileSystem(**{server.options!r}), {root!r}, "s3://{root}")
"""
