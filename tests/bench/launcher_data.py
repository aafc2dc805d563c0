"""The launcher's own fetching and sending beside the SDK's, with the same Azurite."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

from bench.budgets import Line, Tell
from bench.processes import interleaved, median_of
from mlsteps.cli.azurite import Azurite
from mlsteps.launcher.digest import digest_file
from mlsteps.launcher.inputs import InputFile, InputSpec
from mlsteps.launcher.job import Job, OutputSpec
from mlsteps.launcher.package import build_launcher_zip
from mlsteps.launcher.places import Place

# At least 0.9 of the SDK's speed, although the launcher hashes what passes, and starts anew each time.
LIMIT = 1 / 0.9
THREADS = 8


def launcher_data(folder: Path, repetitions: int, tell: Tell, size: int = 500_000_000) -> list[Line]:
    """Fetch an input and send an output of one large file, in turns with the SDK."""
    tell("starting Azurite")
    source = folder / "large.bin"
    with source.open("wb") as file:
        for start in range(0, size, 8 << 20):
            file.write(os.urandom(min(8 << 20, size - start)))
    with Azurite(folder / "azurite-of-launcher") as azurite:
        sides = _Sides(azurite, folder, source)
        found = interleaved(
            repetitions,
            {
                "SDK, down": sides.sdk_down,
                "launcher, down": sides.launcher_down,
                "SDK, up": sides.sdk_up,
                "launcher, up": sides.launcher_up,
            },
            tell,
        )
    medians = {name: median_of(results, "seconds") for name, results in found.items()}
    lines = []
    for way, what in (("down", "input"), ("up", "output")):
        sdk, ours = medians[f"SDK, {way}"], medians[f"launcher, {way}"]
        lines.append(
            Line(
                f"launcher: {what} of {size // 1_000_000} MB",
                f"SDK {sdk:.2f} s; ours, with the launcher's start, {ours:.2f} s",
                ours / sdk,
                "x SDK",
                LIMIT,
                medians,
            )
        )
    return lines


class _Sides:
    """Both sides; each move is to a new name."""

    def __init__(self, azurite: Azurite, folder: Path, source: Path) -> None:
        from azure.storage.blob import (
            BlobServiceClient,
            ContainerSasPermissions,
            generate_container_sas,
        )

        service = BlobServiceClient.from_connection_string(azurite.connection_string)
        self.container = service.create_container("data")
        self.url = f"{azurite.url}/data"
        self.query = generate_container_sas(
            str(service.account_name),
            "data",
            account_key=service.credential.account_key,
            permission=ContainerSasPermissions(read=True, write=True, create=True),
            expiry=datetime.now(timezone.utc) + timedelta(hours=2),
        )
        self.source, self.folder = source, folder
        self.zip = build_launcher_zip(folder)
        self.digest = digest_file(source)
        self._numbers = count()
        self.sdk_up("stored")
        found = self.container.get_blob_client("stored").get_blob_properties()
        self.stored = InputFile("", found.size, str(found.etag).strip('"'), self.digest)

    def sdk_up(self, name: str | None = None) -> dict[str, Any]:
        name = name or f"sdk{next(self._numbers)}"
        started = time.perf_counter()
        with self.source.open("rb") as file:
            self.container.upload_blob(name, file, max_concurrency=THREADS)
        return {"seconds": time.perf_counter() - started}

    def sdk_down(self) -> dict[str, Any]:
        place = self.folder / "down"
        started = time.perf_counter()
        with place.open("wb") as file:
            self.container.download_blob("stored", max_concurrency=THREADS).readinto(file)
        seconds = time.perf_counter() - started
        place.unlink()
        return {"seconds": seconds}

    def launcher_down(self) -> dict[str, Any]:
        path = str(self.folder / "job" / "in")
        spec = InputSpec("in", path, "file", (self.stored,), url=f"{self.url}/stored", query=self.query)
        return self._run(("true",), inputs=(spec,))

    def launcher_up(self) -> dict[str, Any]:
        # As the script's own work is none of the launcher's, the output is there at once: a link to the file.
        path = str(self.folder / "job" / "out")
        place = Place(f"{self.url}/ours{next(self._numbers)}", self.query)
        manifest = str(self.folder / "job" / "manifest.json")
        return self._run(
            ("ln", str(self.source), path), outputs=(OutputSpec("out", path, False, manifest, place),)
        )

    def _run(self, command: tuple[str, ...], **fields: Any) -> dict[str, Any]:
        folder = self.folder / "job"
        folder.mkdir()
        job = Job(
            command,
            str(folder / "work"),
            str(folder),
            str(folder / "result.json"),
            {"PATH": os.environ["PATH"]},
            **fields,
        )
        (folder / "job.json").write_text(job.to_json())
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(self.zip), str(folder / "job.json")], capture_output=True
        )
        seconds = time.perf_counter() - started
        if done.returncode != 0:
            raise RuntimeError(f"The launcher failed:\n{done.stderr.decode()}")
        result = json.loads((folder / "result.json").read_text())
        shutil.rmtree(folder)
        return {"seconds": seconds, **result["phases"]}
