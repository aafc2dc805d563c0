"""One lock for a spec, whoever asks: found, made once, refreshed, and read without the store."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from pathlib import Path

import pytest

from environment.conftest import make_wheel
from mlsteps.data.stores import FolderStore
from mlsteps.environment import (
    CondaDependencies,
    Environment,
    EnvironmentLocks,
    PythonEnvironmentSpec,
    VirtualEnvironments,
    environment_identity,
    lock_for,
    lock_store,
    plan_environment,
)
from mlsteps.environment.locking import minor_version
from mlsteps.exceptions import DatastoreException, EnvironmentBuildError

MINOR = minor_version(PythonEnvironmentSpec())


class Place:
    """A package source that releases appear in, a store, and machines that use both."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = root / "source"
        self.source.mkdir()
        self.release("1.0")
        self.store = FolderStore(root / "store")
        self.spec = PythonEnvironmentSpec(None, ("moving",), ("--no-index", f"--find-links {self.source}"))

    def release(self, version: str) -> None:
        make_wheel(self.source, "moving", version)

    def machine(self, name: str = "one") -> EnvironmentLocks:
        return EnvironmentLocks(self.store, self.root / name)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_release_is_no_change_until_the_lock_is_refreshed(place: Place) -> None:
    assert place.machine().find(place.spec, MINOR) is None
    first = place.machine().get(place.spec, MINOR)
    assert first.packages == ("moving==1.0",)
    place.release("2.0")
    assert place.machine().get(place.spec, MINOR) == first
    assert place.machine("other").get(place.spec, MINOR) == first
    assert place.machine().refresh(place.spec, MINOR).packages == ("moving==2.0",)
    assert place.machine("other").get(place.spec, MINOR).packages == ("moving==2.0",)


def test_refreshing_without_news_keeps_the_lock(place: Place) -> None:
    first = place.machine().get(place.spec, MINOR)
    assert place.machine().refresh(place.spec, MINOR) == first
    assert place.machine().find(place.spec, MINOR) == first


def test_one_object_stays_with_its_answer(place: Place) -> None:
    planning = place.machine()
    first = planning.get(place.spec, MINOR)
    place.release("2.0")
    place.machine().refresh(place.spec, MINOR)
    assert planning.get(place.spec, MINOR) == first


def test_the_python_that_is_asked_for_by_name_has_the_same_lock(place: Place) -> None:
    first = place.machine().get(place.spec, MINOR)
    named = PythonEnvironmentSpec(MINOR, place.spec.requirements, place.spec.options)
    assert place.machine().find(named, MINOR) == first
    assert place.machine().find(place.spec, "3.9") is None


def test_the_machine_that_was_second_uses_what_the_first_found(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = lock_store.resolve

    def slow(*arguments: object) -> object:
        found = real(*arguments)  # type: ignore[arg-type]
        monkeypatch.setattr(lock_store, "resolve", real)
        place.release("2.0")
        assert place.machine("faster").get(place.spec, MINOR).packages == ("moving==2.0",)
        return found

    monkeypatch.setattr(lock_store, "resolve", slow)
    assert place.machine("slower").get(place.spec, MINOR).packages == ("moving==2.0",)


def _ask(place: Place, answers: multiprocessing.Queue[tuple[str, list[str]]]) -> None:
    lines: list[str] = []
    lock = place.machine().get(place.spec, MINOR, lines.append)
    answers.put((lock.digest, lines))


def test_processes_of_one_machine_resolve_once(place: Place) -> None:
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[tuple[str, list[str]]] = context.Queue()
    processes = [context.Process(target=_ask, args=(place, answers)) for _ in range(6)]
    for process in processes:
        process.start()
    given = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert len({digest for digest, _ in given}) == 1
    assert sum(any(line.startswith("Resolving") for line in lines) for _, lines in given) == 1


def test_the_copy_serves_while_the_store_does_not_answer(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = place.machine().get(place.spec, MINOR)

    def away(*arguments: object, **options: object) -> bytes:
        raise DatastoreException("the store is away")

    monkeypatch.setattr(place.store, "read", away)
    assert place.machine().get(place.spec, MINOR) == first
    with pytest.raises(DatastoreException, match="is away"):
        place.machine("other").get(place.spec, MINOR)


def test_what_failed_is_no_lock(place: Place) -> None:
    spec = PythonEnvironmentSpec(None, ("moving==7",), place.spec.options)
    with pytest.raises(EnvironmentBuildError, match="moving==7"):
        place.machine().get(spec, MINOR)
    place.release("7")
    assert place.machine().get(spec, MINOR).packages == ("moving==7",)


def test_no_credential_is_stored(place: Place) -> None:
    asked = CondaDependencies.create(pip_packages=["moving"])
    for option in ("--no-index", f"--find-links {place.source}"):
        asked.set_pip_option(option)
    asked.set_pip_option("--extra-index-url https://someuser:hunter2@127.0.0.1:9/simple")
    lock = lock_for(plan_environment(asked), place.machine())
    assert lock is not None and lock.packages == ("moving==1.0",)
    written = "".join(path.read_text() for path in place.root.rglob("*.json"))
    assert "127.0.0.1:9" in written
    assert "hunter2" not in written and "someuser" not in written


def test_the_environment_is_what_the_lock_says(place: Place) -> None:
    locks, environments = place.machine(), VirtualEnvironments(place.root / "one")
    first = locks.get(place.spec, MINOR)
    place.release("2.0")
    python = environments.get_or_build(place.spec, lock=first)
    assert list(python.parent.parent.glob("lib/python*/site-packages/moving-1.0.dist-info"))
    assert environments.get_or_build(place.spec, lock=first) == python
    second = place.machine().refresh(place.spec, MINOR)
    newer = environments.get_or_build(place.spec, lock=second)
    assert newer != python
    assert list(newer.parent.parent.glob("lib/python*/site-packages/moving-2.0.dist-info"))


def test_finding_a_known_lock_and_its_environment_takes_less_than_a_tenth_of_a_second(place: Place) -> None:
    environments = VirtualEnvironments(place.root / "one")
    python = environments.get_or_build(place.spec, lock=place.machine().get(place.spec, MINOR))

    def seconds() -> float:
        start = time.perf_counter()
        lock = place.machine().get(place.spec, minor_version(place.spec))
        assert environments.get_or_build(place.spec, lock=lock) == python
        return time.perf_counter() - start

    assert statistics.median(seconds() for _ in range(5)) < 0.1


class TestIdentity:
    """What of a lock counts for results."""

    def identity(self, place: Place, environment: Environment, image_python: str | None = None) -> object:
        plan = plan_environment(environment)
        return environment_identity(plan, lock_for(plan, place.machine(), image_python=image_python))

    def asking(self, place: Place, *packages: str, python: str | None = None) -> Environment:
        made = Environment("x")
        made.python.conda_dependencies = CondaDependencies.create(
            pip_packages=packages, python_version=python
        )
        for option in reversed(place.spec.options):  # each is put before the others
            made.python.conda_dependencies.set_pip_option(option)
        return made

    def test_it_is_what_was_resolved_and_not_what_was_asked_for(self, place: Place) -> None:
        loose, pinned = self.asking(place, "moving"), self.asking(place, "moving==1.0")
        assert self.identity(place, loose) == {
            "python": MINOR,
            "packages": {"moving": "1.0"},
            "options": list(place.spec.options),
        }
        assert self.identity(place, loose) == self.identity(place, pinned)
        place.release("2.0")
        assert self.identity(place, loose) == self.identity(place, pinned)
        plan = plan_environment(loose)
        assert plan.spec is not None
        place.machine().refresh(plan.spec, MINOR)
        assert self.identity(place, loose) != self.identity(place, pinned)

    def test_a_container_made_for_the_packages_counts_as_the_packages(self, place: Place) -> None:
        local = self.identity(place, self.asking(place, "moving"))
        assert self.identity(place, self.asking(place, "moving"), image_python=MINOR) == local
        assert self.identity(place, self.asking(place, "moving", python=MINOR), image_python="3.9") == local
        assert self.identity(place, self.asking(place, "moving"), image_python="3.9") != local

    def test_an_image_that_is_named_counts_by_its_digest(self, place: Place) -> None:
        environment = self.asking(place, "moving")
        environment.docker.base_image = "host/image:1"
        plan = plan_environment(environment)
        lock = lock_for(plan, place.machine(), image_python=MINOR)
        one = environment_identity(plan, lock, "sha256:1")
        assert one["image"] == "sha256:1" and one["packages"] == {"moving": "1.0"}
        environment.docker.base_image = "host/image:latest"
        again = plan_environment(environment)
        assert environment_identity(again, lock, "sha256:1") == one
        assert environment_identity(again, lock, "sha256:2") != one
        assert environment_identity(again, lock)["image"] == "host/image:latest"
