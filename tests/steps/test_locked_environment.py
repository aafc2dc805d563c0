"""A step's packages are those of the lock: in its key, in its environment and in its record."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG

from environment.conftest import make_wheel
from mlsteps import CondaDependencies, Pipeline, RunConfiguration
from mlsteps.environment import EnvironmentLocks, plan_environment
from mlsteps.environment.locking import minor_version
from steps.project import Project, states


class Releases:
    """A package source of the test's own, and a DAG of one step that needs a package of it."""

    def __init__(self, project: Project, wheels: Path) -> None:
        wheels.mkdir()
        self.project, self.wheels = project, wheels

    def dag(self, package: str = "moving") -> DAG:
        asked = CondaDependencies.create(pip_packages=[package])
        for option in (f"--find-links {self.wheels}", "--no-index"):
            asked.set_pip_option(option)
        self.configuration = RunConfiguration(conda_dependencies=asked)
        text = "import moving; from mlsteps.run import Run; Run.get_context().tag('used', moving.__version__)"
        step = self.project.step("look", text, runconfig=self.configuration)
        return Pipeline(self.project.workspace, [step]).to_dag("look")

    def refresh(self) -> None:
        plan = plan_environment(self.configuration)
        assert plan.spec is not None
        workspace = self.project.workspace
        locks = EnvironmentLocks(workspace.record_store(), workspace.config.folder / "environments")
        locks.refresh(plan.spec, minor_version(plan.spec))


@pytest.fixture
def releases(project: Project) -> Releases:
    return Releases(project, project.root / "wheels")


def test_a_release_runs_a_step_again_once_the_lock_is_refreshed(releases: Releases) -> None:
    project = releases.project
    make_wheel(releases.wheels, "moving", "1.0")
    first = project.run(releases.dag())
    record = project.record(first, "look")
    assert (states(first), record.tags) == ({"look": "success"}, {"used": "1.0"})
    assert record.environment["packages"] == {"moving": "1.0"}

    make_wheel(releases.wheels, "moving", "2.0")
    assert states(project.run(releases.dag())) == {"look": "skipped"}
    assert states(project.run(releases.dag("moving==1.0"))) == {"look": "skipped"}, "the same packages"

    releases.dag()
    releases.refresh()
    changed = project.record(project.run(releases.dag()), "look")
    assert changed.tags == {"used": "2.0"}
    assert changed.reason == "re-run: package moving 1.0 -> 2.0"


def test_packages_that_cannot_be_resolved_fail_the_step_with_the_reason(releases: Releases) -> None:
    run = releases.project.run(releases.dag("moving==3.0"))
    assert states(run) == {"look": "failed"}
    assert "moving==3.0" in str(releases.project.record(run, "look").error)
