"""Environments by conda's means: solved to a lock, installed, used, and refused where something is wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compute.jobs import Bench
from environment.conda_channel import MINOR, PLACEHOLDER, PLATFORM, Channel
from environment.conftest import make_wheel
from mlsteps.data.stores import FolderStore
from mlsteps.environment import (
    CondaDependencies,
    EnvironmentLock,
    EnvironmentLocks,
    EnvironmentPlan,
    RunConfiguration,
    VirtualEnvironments,
    conda_means,
    environment_identity,
    lock_for,
    plan_environment,
    python_for,
    resolving,
)
from mlsteps.exceptions import EnvironmentBuildError
from servers.conda_server import CondaServer

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("rattler") is None, reason="the extra conda (py-rattler) is not installed"
)

SCRIPT = """
import json, os, subprocess, sys, gribtool, helper, tinyone
from pathlib import Path
tool = subprocess.run(["gribinfo"], capture_output=True, text=True).stdout
share = Path(sys.prefix, "share", "grib.txt").read_text()
variables = [os.environ.get(name) for name in ("GRIB_DATA", "CONDA_PREFIX")]
versions = [module.__version__ for module in (gribtool, helper, tinyone)]
print(json.dumps([*versions, tool, share, variables, sys.prefix]))
"""


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither this machine's settings of conda, nor its cache of packages."""
    for name in (
        "CONDARC",
        "MAMBARC",
        "CONDA_ROOT",
        "MAMBA_ROOT_PREFIX",
        "CONDA_CHANNELS",
        "XDG_CONFIG_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_CACHE_DIR", os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(tmp_path / "rattler"))


class Place:
    """A channel, a folder of wheels that is the index, a store, and machines that use them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.channel = Channel(root / "channel")
        self.channel.add_python()
        self.channel.add_module("gribtool", "2.1", "libgrib", "helper")
        self.channel.add_module("helper", "1.0")
        self.channel.add(
            "libgrib",
            "1.0",
            "h1",
            files={
                "share/grib.txt": f"data of {PLACEHOLDER}",
                "bin/gribinfo": "#!/bin/sh\necho reading\n",
                "etc/conda/activate.d/grib.sh": 'export GRIB_DATA="$CONDA_PREFIX/share"\n',
            },
        )
        self.wheels = root / "wheels"
        self.wheels.mkdir()
        for name, version in (("tinyone", "1.0"), ("helper", "1.0"), ("helper", "2.0")):
            make_wheel(self.wheels, name, version, ("helper",) if name == "tinyone" else ())
        self.store = FolderStore(root / "store")

    def machine(self, name: str = "one") -> EnvironmentLocks:
        return EnvironmentLocks(self.store, self.root / name)

    def asking(
        self, *packages: str, pip: tuple[str, ...] = (), channel: str | None = None
    ) -> CondaDependencies:
        asked = CondaDependencies.create(conda_packages=packages, pip_packages=pip)
        asked.add_channel(channel or self.channel.url)
        asked.add_channel("nodefaults")
        for option in (f"--find-links {self.wheels}", "--no-index"):
            asked.set_pip_option(option)
        return asked

    def plan(self, *packages: str, pip: tuple[str, ...] = (), channel: str | None = None) -> EnvironmentPlan:
        return plan_environment(self.asking(*packages, pip=pip, channel=channel))

    def lock(
        self, plan: EnvironmentPlan, machine: str = "one", lines: list[str] | None = None
    ) -> EnvironmentLock:
        lock = lock_for(plan, self.machine(machine), (lines if lines is not None else []).append)
        assert lock is not None
        return lock

    def python(self, plan: EnvironmentPlan, machine: str = "one", lines: list[str] | None = None) -> Path:
        tell = (lines if lines is not None else []).append
        return python_for(
            plan, VirtualEnvironments(self.root / machine), tell, self.lock(plan, machine, lines)
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_script_runs_with_what_the_index_does_not_have(place: Place) -> None:
    bench = Bench(place.root / "bench")
    place.channel.add("libgcc-ng", "13", files={"lib/libgcc.txt": "no Python package\n"})
    asked = place.asking("gribtool=2", "helper", "libgcc-ng", pip=("tinyone",))
    outcome = bench.run(SCRIPT, run_configuration=RunConfiguration(conda_dependencies=asked))
    assert outcome.error is None, bench.lines
    (line,) = [line for stream, line in bench.lines if stream == "stdout"]
    *found, tool, share, variables, prefix = json.loads(line)
    # tinyone needs helper, for which the index has 2.0: conda's stays
    assert found == ["2.1", "1.0", "1.0"]
    assert tool == "reading\n"
    assert share == f"data of {prefix}"
    assert variables == [f"{prefix}/share", prefix]
    assert prefix.startswith(str(place.root / "bench" / "environments"))
    told = [line for stream, line in bench.lines if stream == "environment"]
    assert sum("cannot serve conda package 'gribtool=2'" in line for line in told) == 1
    assert not any("is left out" in line for line in told)
    assert outcome.environment["packages"]["libgcc-ng"].startswith("13=0 ")
    assert outcome.environment["packages"]["gribtool"].startswith("2.1=py_0 sha256:")

    bench.lines.clear()
    again = bench.run(SCRIPT, run_configuration=RunConfiguration(conda_dependencies=asked))
    assert again.error is None
    assert not [line for stream, line in bench.lines if stream == "environment"]


def test_the_lock_says_it_all_and_serves_other_machines(place: Place) -> None:
    plan = place.plan("gribtool", pip=("tinyone",))
    lock = place.lock(plan)
    assert [str(item) for item in lock.conda][:3] == [
        "gribtool=2.1=py_0",
        "helper=1.0=py_0",
        "libgrib=1.0=h1",
    ]
    assert (lock.platform, lock.python, lock.packages) == (PLATFORM, MINOR, ("tinyone==1.0",))
    assert all(item.url.startswith(place.channel.url) and len(item.sha256) == 64 for item in lock.conda)
    (file,) = (place.root / "store" / "mlsteps" / "environments" / "locks").iterdir()
    assert file.name.endswith(f"-py{MINOR}-{PLATFORM}.json")
    place.channel.add_module("gribtool", "3.0", "libgrib", "helper")
    lines: list[str] = []
    assert place.lock(plan, "other", lines) == lock and not lines
    python = place.python(plan, "other")
    assert list(python.parent.parent.glob("lib/python*/site-packages/gribtool-2.1.dist-info"))

    def seconds() -> float:
        start = time.perf_counter()
        assert place.python(plan, "other") == python
        return time.perf_counter() - start

    assert statistics.median(seconds() for _ in range(5)) < 0.1


def test_pip_replaces_a_conda_package_only_where_it_asks_for_another_version(place: Place) -> None:
    assert place.lock(place.plan("gribtool", pip=("helper>=1",))).packages == ()
    plan = place.plan("gribtool", pip=("helper==2.0",))
    assert place.lock(plan).packages == ("helper==2.0",)
    packages = place.python(plan).parent.parent.glob("lib/python*/site-packages/helper-*.dist-info")
    assert [folder.name for folder in packages] == ["helper-2.0.dist-info"]


def test_the_key_counts_versions_builds_and_files(place: Place) -> None:
    plan = place.plan("gribtool")

    def identity(lock: EnvironmentLock) -> object:
        return environment_identity(plan, lock)

    first = place.lock(plan)
    assert identity(first) == identity(place.lock(plan, "other"))
    place.channel.add_module("gribtool", "2.1", "libgrib", "helper", more="CHANGED = True\n")
    assert identity(place.lock(plan)) == identity(first)  # until it is refreshed
    assert plan.spec is not None
    rebuilt = place.machine().refresh(plan.spec, MINOR)
    assert rebuilt.versions["libgrib"] == first.versions["libgrib"]
    assert rebuilt.versions["gribtool"] != first.versions["gribtool"]
    assert identity(rebuilt) != identity(first)
    assert place.lock(plan, "other") == rebuilt
    assert place.machine().refresh(plan.spec, MINOR) == rebuilt


def test_what_the_index_serves_is_not_asked_of_conda(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "solve_conda", lambda *arguments: pytest.fail("conda was asked"))
    lock = place.lock(place.plan("helper=1.0", "libgcc-ng"))
    assert (lock.packages, lock.conda) == (("helper==1.0",), ())
    (file,) = (place.root / "store" / "mlsteps" / "environments" / "locks").iterdir()
    assert file.name.endswith(f"-py{MINOR}.json")
    assert "conda" not in json.loads(file.read_text())


def test_once_the_index_has_it_a_refresh_takes_it_from_there(place: Place) -> None:
    plan = place.plan("gribtool")
    assert plan.spec is not None and place.lock(plan).conda
    make_wheel(place.wheels, "gribtool", "2.2")
    assert place.lock(plan).conda
    assert place.machine().refresh(plan.spec, MINOR).packages == ("gribtool==2.2",)
    assert place.lock(plan, "other").packages == ("gribtool==2.2",)


@pytest.mark.parametrize(
    ("package", "told"),
    [
        ("nowhere", r"'nowhere' is in none of the channels file://.*/channel \("),
        ("gribtool=9", r"'gribtool' is in none of the channels .* the version that is asked for"),
        ("broken", r"(?s)Solving broken for Python .* failed: .*absent"),
    ],
)
def test_what_cannot_be_solved_is_named_with_the_channels(place: Place, package: str, told: str) -> None:
    place.channel.add_module("broken", "1.0", "absent >=2")
    with pytest.raises(EnvironmentBuildError, match=told):
        place.lock(place.plan(package))


def test_a_package_comes_from_the_first_channel_that_has_it_unless_nothing_is_found_so(place: Place) -> None:
    other = Channel(place.root / "other")
    other.add_module("helper", "3.0")
    other.add_module("special", "1.0", "helper >=3")
    lines: list[str] = []
    asked = place.asking("gribtool")
    asked.add_channel(other.url)
    assert place.lock(plan_environment(asked), lines=lines).versions["helper"].startswith("1.0=")
    asked.add_conda_package("special")
    assert place.lock(plan_environment(asked), lines=lines).versions["helper"].startswith("3.0=")
    assert sum("looking in all" in line for line in lines) == 1


def test_a_channel_that_is_not_there_is_named(place: Place) -> None:
    with pytest.raises(EnvironmentBuildError, match=r"(?s)failed: .*/nothing/here"):
        place.lock(place.plan("gribtool", channel="file:///nothing/here"))


def test_a_file_that_is_not_the_one_of_the_lock_is_refused(place: Place) -> None:
    plan = place.plan("gribtool")
    place.lock(plan)
    place.channel.add_module("gribtool", "2.1", "libgrib", "helper", more="EVIL = True\n")
    for _ in range(2):
        with pytest.raises(EnvironmentBuildError, match=r"hash mismatch: .*gribtool-2.1-py_0"):
            place.python(plan)
    assert not list((place.root / "one").rglob("ready.json"))


def test_without_the_extra_the_error_says_what_would_help(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = place.plan("gribtool", "helper")
    lock = place.lock(plan)
    for module in (resolving, conda_means):
        monkeypatch.setattr(module, "has_conda_means", lambda: False)
    assert place.lock(plan) == lock
    with pytest.raises(EnvironmentBuildError, match=r"needs the extra 'conda'.*mlsteps\[conda\]'"):
        place.python(plan)
    with pytest.raises(EnvironmentBuildError, match=r"no package 'otherconda'(?s:.*)mlsteps\[conda\]'"):
        place.lock(place.plan("otherconda"))


def test_for_containers_and_other_machines_it_says_what_to_do_instead(place: Place) -> None:
    plan = place.plan("gribtool")
    place.lock(plan)
    with pytest.raises(EnvironmentBuildError, match=r"'gribtool' .* \(Environment\.from_docker_image"):
        lock_for(plan, place.machine(), image_python=MINOR)


def test_a_worker_that_is_killed_while_installing_is_no_obstacle(place: Place) -> None:
    marker, go = place.root / "hanging", place.root / "go"
    place.channel.add(
        "slowlib",
        "1.0",
        files={
            "etc/conda/activate.d/slow.sh": f"[ -e {go} ] && return\necho $$ > {marker}.part\n"
            f"mv {marker}.part {marker}\nsleep 60\n"
        },
    )
    place.channel.add_module("slowtool", "1.0", "slowlib")
    plan = place.plan("slowtool")
    lock = place.lock(plan)
    code = (
        "import json, sys; from mlsteps.environment import EnvironmentLock, VirtualEnvironments; "
        "from mlsteps.environment import PythonEnvironmentSpec as S; root, plain = json.load(sys.stdin); "
        "lock = EnvironmentLock.from_plain(plain); "
        "VirtualEnvironments(root).get_or_build(S(None, ('slowtool',)), lock=lock)"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, text=True)
    assert worker.stdin is not None
    json.dump([str(place.root / "one"), lock.to_plain()], worker.stdin)
    worker.stdin.close()
    deadline = time.monotonic() + 60
    while not marker.exists():
        assert worker.poll() is None and time.monotonic() < deadline, "the installation did not begin"
        time.sleep(0.05)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    try:
        (half,) = (path.parent.parent for path in (place.root / "one").rglob("bin/python"))
        go.touch()
        python = place.python(plan)
        assert not half.exists() and python.parent.parent != half
        assert list(python.parent.parent.glob("lib/python*/site-packages/slowtool.py"))
    finally:
        os.kill(int(marker.read_text()), signal.SIGKILL)


class TestSecrets:
    """Credentials of a channel reach the server, and nothing that is kept, told or seen by a script."""

    @pytest.mark.parametrize("way", ["password", "token"])
    @pytest.mark.parametrize("where", ["settings", "specification"])
    def test_of_a_channel(self, place: Place, monkeypatch: pytest.MonkeyPatch, way: str, where: str) -> None:
        with CondaServer(place.channel.folder) as server:
            full = server.url_with(way)
            if where == "settings":
                condarc = place.root / "condarc.yml"
                condarc.write_text("channels: [$TEAM_CHANNEL]\n")
                monkeypatch.setenv("CONDARC", str(condarc))
                monkeypatch.setenv("TEAM_CHANNEL", full)
            plan = place.plan("gribtool", channel=server.url if where == "settings" else full)
            lines: list[str] = []
            python = place.python(plan, lines=lines)
            assert server.served("gribtool-2.1-py_0.tar.bz2")
            place.channel.add_module("gribtool", "2.1", "libgrib", "helper", more="EVIL = True\n")
            with pytest.raises(EnvironmentBuildError, match="hash mismatch") as mismatch:
                monkeypatch.setenv("RATTLER_CACHE_DIR", str(place.root / "rattler-two"))
                place.python(plan, "other")
            with pytest.raises(EnvironmentBuildError, match="in none of the channels") as missing:
                place.lock(place.plan("nowhere", channel=full))
        kept = "".join(path.read_text() for path in (place.root / "store").rglob("*.json"))
        assert f"{server.url}/noarch/gribtool" in kept
        seen = "".join(path.read_text() for path in python.parent.parent.glob("conda-meta/*.json"))
        assert f"{server.url}/noarch/gribtool" in seen
        resolved = "".join(path.read_text() for path in (place.root / "one").rglob("*.json"))
        cached = (path.read_bytes() for path in (place.root / "rattler").rglob("*") if path.is_file())
        resolved += b"".join(cached).decode(errors="replace")
        identity = environment_identity(plan, place.lock(plan))
        told = f"{lines}{mismatch.value}{missing.value}{plan}{identity}{plan.spec!r}"
        for text in (kept, seen, resolved, told):
            assert server.password not in text and server.token not in text

    def test_where_there_are_none_the_error_says_where_they_are_looked_for(self, place: Place) -> None:
        refused = pytest.raises(EnvironmentBuildError, match=r"(?s)401.*RATTLER_AUTH_FILE")
        with CondaServer(place.channel.folder) as server, refused as caught:
            place.lock(place.plan("gribtool", channel=server.url.replace("://", "://joe:wrongword@")))
        assert "wrongword" not in str(caught.value)

    def test_a_file_of_credentials_serves_as_well(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with CondaServer(place.channel.folder) as server:
            file = place.root / "auth.json"
            basic = {"username": server.user, "password": server.password}
            file.write_text(json.dumps({"127.0.0.1": {"BasicHTTP": basic}}))
            monkeypatch.setenv("RATTLER_AUTH_FILE", str(file))
            assert place.lock(place.plan("gribtool", channel=server.url)).conda
