"""DockerCompute where nothing of the worker is mounted: a real engine, and Azurite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compute.jobs import Bench
from compute.test_docker import Containers, ok
from mlsteps.cli.azurite import Azurite
from mlsteps.compute import JobInput, JobOutcome, JobOutput, LocalCompute
from servers.azurite import azurite, blob_store
from servers.docker_engine import DockerEngine

__all__ = ["azurite"]

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]


class StagedContainers(Containers):
    """Jobs in containers that reach nothing but a storage account."""

    def __init__(self, root: Path, azurite: Azurite, engine: DockerEngine, settings: dict[str, Any]) -> None:
        super().__init__(root, engine, {"network_mode": "host", "shared_disk": False, **settings})
        self.store = blob_store(azurite)
        self.store.write("data/a.txt", b"abc")

    def reads(self, name: str, path: str, mode: str = "mount") -> JobInput:
        return replace(self.bench.reads(name, path, mode), store=self.store)

    def writes(self, name: str, path: str, **settings: Any) -> JobOutput:
        return replace(self.bench.writes(name, path, **settings), store=self.store)

    def run(self, script: str, *arguments: str, **changes: Any) -> JobOutcome:
        outputs = (self.writes("none", "made/none", create_directory=True),)
        return self.bench.run(script, *arguments, **{"outputs": outputs, **changes})

    def areas(self) -> list[str]:
        """Staging areas that are still there."""
        found = self.store.account.client.list_containers(name_starts_with="mlsteps-job-")
        return [container.name for container in found]


Make = Callable[..., StagedContainers]


@pytest.fixture
def containers(tmp_path: Path, azurite: Azurite, docker_engine: DockerEngine) -> Iterator[Make]:
    made: list[StagedContainers] = []

    def make(**settings: Any) -> StagedContainers:
        made.append(StagedContainers(tmp_path, azurite, docker_engine, settings))
        return made[-1]

    yield make
    for one in made:
        assert one.left() == [], "a container was left behind"
        assert one.areas() == [], "something staged was left behind"


COPY = """
import os, sys
source, target, folder = sys.argv[1:]
text = open(os.path.join(source, "a.txt")).read()
open(target, "w").write(text.upper())
os.makedirs("outputs", exist_ok=True)
open("outputs/kept.txt", "w").write("kept")
open(os.path.join(folder, "b.txt"), "w").write("b")
from mlsteps.run import Run
run = Run.get_context()
run.log("rows", 3)
open("model", "w").write("m")
run.upload_file("outputs/model.txt", "model")
print(os.environ["LANG"], os.path.isdir(os.environ["HOME"]), os.getuid())
"""


def copy(bench: Bench, store: Any) -> JobOutcome:
    return bench.run(
        COPY,
        "$in_source",
        "$out_target",
        "$out_folder",
        inputs=(replace(bench.reads("source", "data"), store=store),),
        outputs=(
            replace(bench.writes("target", "made/target.txt"), store=store),
            replace(bench.writes("folder", "made/folder", create_directory=True), store=store),
        ),
    )


def test_a_job_gives_the_same_as_on_this_machine(containers: Make, tmp_path: Path) -> None:
    there, here = containers(user="1234:4321"), Bench(tmp_path / "here", LocalCompute())
    one = ok(copy(there.bench, there.store))
    assert there.store.read("made/target.txt") == b"ABC"
    assert there.store.read("made/folder/b.txt") == b"b"
    other = ok(copy(here, there.store))
    assert one.manifests == other.manifests
    assert there.printed() == "C.UTF-8 True 1234"
    assert [event["value"] for event in one.events if event["event"] == "metric"] == [3]
    assert there.bench.kept["files/outputs/kept.txt"] == b"kept"
    assert set(there.bench.kept) == set(here.kept)
    assert one.environment["image_digest"].startswith("sha256:")
    assert one.environment.keys() >= {"image", "base_image_digest", "python"}
    assert {"environment", "stage", "script", "publish"} <= set(there.bench.watcher.phases)
