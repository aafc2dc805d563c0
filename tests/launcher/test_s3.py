"""Presigned addresses of S3 work as they are: to read inputs, and to write a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import s3fs

from mlsteps.launcher.digest import digest_bytes
from mlsteps.launcher.inputs import InputFile, InputSpec
from mlsteps.launcher.job import OutputSpec
from mlsteps.launcher.places import Place
from servers.s3 import S3Server, s3_server

from .cloud import QUICK
from .conftest import Launcher


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


def test_a_job_reads_and_writes_by_presigned_addresses(launcher: Launcher, server: S3Server) -> None:
    files = s3fs.S3FileSystem(**server.options)
    bucket = server.bucket()
    content = {"a": b"1", "large": bytes(range(256)) * 80_000}
    described = []
    for name, data in content.items():
        files.pipe_file(f"{bucket}/in/{name}", data)
        tag = files.info(f"{bucket}/in/{name}")["ETag"].strip('"')
        address = files.sign(f"{bucket}/in/{name}", expiration=600)
        described.append(InputFile(name, len(data), tag, digest_bytes(data), address))
    source, target = launcher.folder / "in", launcher.folder / "out"
    signed = files.url(f"{bucket}/out", expires=600, client_method="put_object")
    url, _, query = signed.partition("?")
    manifest = str(launcher.folder / "m.json")
    launcher.job = replace(
        launcher.job,
        inputs=(InputSpec("in", str(source), "directory", tuple(described)),),
        outputs=(OutputSpec("out", str(target), False, manifest, Place(url, query, "plain")),),
        web=QUICK,
    )
    done = launcher.shell(f"cat {source}/a {source}/large >{target}").run()
    assert done.returncode == 0, done.stderr
    assert files.cat_file(f"{bucket}/out") == content["a"] + content["large"]
    target.unlink()
    files.pipe_file(f"{bucket}/in/a", b"2")
    assert launcher.run().returncode == 70
    assert "file 'a' was changed or deleted since" in (launcher.result.error or "")
