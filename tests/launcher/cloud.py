"""A container on a real Azurite, and jobs that fetch from it and send to it by signed addresses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

from mlsteps.cli.azurite import Azurite
from mlsteps.launcher.digest import digest_bytes
from mlsteps.launcher.inputs import InputFile, InputSpec
from mlsteps.launcher.job import OutputSpec
from mlsteps.launcher.places import Place, ReportSpec, WebLimits
from mlsteps.launcher.result import JobResult

from .conftest import Launcher

QUICK = WebLimits(threads=4, attempts=5, pause_seconds=0.01, timeout_seconds=2)


class Cloud:
    """A new container. ``url`` may lead through a proxy."""

    def __init__(self, azurite: Azurite) -> None:
        self.service = BlobServiceClient.from_connection_string(azurite.connection_string)
        self.name = f"job-{uuid4().hex[:20]}"
        self.container = self.service.create_container(self.name)
        self.url = f"{azurite.url}/{self.name}"
        self.query = self.signed(3600)

    def signed(self, seconds: float) -> str:
        """A signature that is good for so many seconds from now on."""
        now = datetime.now(timezone.utc)
        return generate_container_sas(
            str(self.service.account_name),
            self.name,
            account_key=self.service.credential.account_key,
            permission=ContainerSasPermissions(read=True, write=True, create=True),
            start=now - timedelta(hours=2),
            expiry=now + timedelta(seconds=seconds),
        )

    @property
    def secret(self) -> str:
        """The part of the signature that nobody may see."""
        return self.query.partition("sig=")[2].partition("&")[0]

    def place(self, path: str) -> Place:
        return Place(f"{self.url}/{path}", self.query)

    def put(self, folder: str, files: Mapping[str, bytes]) -> tuple[InputFile, ...]:
        """Write blobs, and describe them as a job does."""
        described = []
        for path, data in files.items():
            blob = self.container.get_blob_client(f"{folder}/{path}" if path else folder)
            tag = blob.upload_blob(data, overwrite=True)["etag"].strip('"')
            described.append(InputFile(path, len(data), tag, digest_bytes(data)))
        return tuple(described)

    def blobs(self, below: str = "") -> dict[str, bytes]:
        return {
            name: self.container.download_blob(name).readall()
            for name in self.container.list_blob_names(name_starts_with=below)
        }

    def read(self, name: str) -> bytes:
        return self.container.download_blob(name).readall()

    def has(self, name: str) -> bool:
        return bool(self.container.get_blob_client(name).exists())

    def metadata(self, name: str) -> dict[str, Any]:
        return dict(self.container.get_blob_client(name).get_blob_properties().metadata)

    @property
    def result(self) -> JobResult:
        return JobResult.from_json(self.read("run/result.json").decode())


def with_input(
    launcher: Launcher, cloud: Cloud, files: Mapping[str, bytes], writable: bool = False, name: str = "data"
) -> Path:
    """Let the job read some files; returns where."""
    described = cloud.put(name, files)
    kind = "file" if list(files) == [""] else "directory"
    path = launcher.folder / "inputs" / name
    spec = InputSpec(name, str(path), kind, described, writable, f"{cloud.url}/{name}", cloud.query)  # type: ignore[arg-type]
    launcher.job = replace(launcher.job, inputs=(*launcher.job.inputs, spec), web=QUICK)
    return path


def with_output(launcher: Launcher, cloud: Cloud, name: str = "out", **options: Any) -> Path:
    """Let the job write something that is sent; returns where."""
    path = launcher.folder / "outputs" / name
    spec = OutputSpec(
        name,
        str(path),
        options.pop("create", True),
        str(launcher.folder / "manifests" / f"{name}.json"),
        options.pop("upload", cloud.place(name)),
        cloud.place(f"run/manifests/{name}.json"),
        **options,
    )
    launcher.job = replace(launcher.job, outputs=(*launcher.job.outputs, spec), web=QUICK)
    return path


def with_report(launcher: Launcher, cloud: Cloud, **options: Any) -> Path:
    """Let the job report; returns the run directory."""
    folder = launcher.folder / "run"
    report = ReportSpec(cloud.place("run"), str(folder), **{"seconds": 0.1, **options})
    launcher.job = replace(launcher.job, report=report, web=QUICK)
    return folder


def everything_told(launcher: Launcher, *texts: bytes) -> str:
    """All that a job left for people to read, in one text."""
    found = [text.decode("utf-8", "replace") for text in texts]
    for path in launcher.folder.rglob("*"):
        if path.is_file() and path.name != "job.json":
            found.append(path.read_bytes().decode("utf-8", "replace"))
    return json.dumps(found)
