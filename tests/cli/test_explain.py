"""``mlsteps explain``: why the steps of a run ran, or were reused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mlsteps import Pipeline, PipelineData, PipelineParameter, RunConfiguration
from mlsteps.cli.app import app
from mlsteps.data.stores import FolderStore
from mlsteps.records import RunRecord, StepRecord
from mlsteps.reuse.decision import Decision
from steps.project import Project

ORIGIN = {"dag_id": "other", "run_id": "manual__1", "task_id": "made", "created": "2026-01-31T12:00:00+00:00"}


@dataclass(frozen=True)
class Explained:
    """A workspace, and the runs in it, the oldest first."""

    folder: Path
    runs: tuple[str, ...] = ()

    def call(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["explain", "--workspace", str(self.folder), *words])

    def lines(self, *words: str) -> list[str]:
        done = self.call(*words)
        assert done.exit_code == 0, done.output
        return done.stdout.splitlines()

    def told(self, *words: str) -> dict[str, Any]:
        done = self.call("--json", *words)
        assert done.exit_code == 0, done.output
        assert len(done.stdout.splitlines()) == 1
        told: dict[str, Any] = json.loads(done.stdout)
        return told


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("MLSTEPS_WORKSPACE", str(tmp_path / "nowhere"))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explained]:
    """Two runs of two steps; in the second the script and a parameter of the second step differ."""
    with pytest.MonkeyPatch.context() as patch:
        project = Project(tmp_path_factory.mktemp("explained"), patch)
        runs = []
        for text, rate in (("made", 0.1), ("changed", 0.2)):
            runs.append(project.run(_pipeline(project, text).to_dag("chain"), rate=rate).run_id)
    yield Explained(project.folder, tuple(runs))


def _pipeline(project: Project, text: str) -> Pipeline:
    data, model = PipelineData("data"), PipelineData("model")
    (project.source / "one").mkdir(exist_ok=True)
    project.script("one/write.py", "import sys; open(sys.argv[1], 'w').write('made')")
    configured = RunConfiguration()
    configured.environment_variables = {"TOKEN": "hunter2"}
    step = project.step(
        "train model",
        f"import sys; open(sys.argv[1], 'w').write('{text}')",
        inputs=[data],
        outputs=[model],
        arguments=[model, data, "--rate", PipelineParameter("rate", 0.1), "[red]id:key:date"],
        runconfig=configured,
    )
    from mlsteps import PythonScriptStep

    first = PythonScriptStep(
        "write.py", name="prepare", source_directory=project.source / "one", outputs=[data], arguments=[data]
    )
    return Pipeline(project.workspace, [first, step])


class TestARun:
    def test_a_line_for_each_step_says_why(self, ran: Explained) -> None:
        first, second = ran.runs
        assert ran.lines(first) == ["prepare  ran  no earlier run", "train model  ran  no earlier run"]
        assert ran.lines(second) == [
            f"prepare  reused  reused from run {first} of chain: nothing changed",
            "train model  ran  re-run: train_model.py changed; parameter rate 0.1 -> 0.2",
        ]

    def test_it_is_found_by_the_end_of_its_id_or_as_the_last(self, ran: Explained) -> None:
        assert ran.lines("last") == ran.lines(ran.runs[1])
        end = ran.runs[0][-12:]
        assert not ran.runs[1].endswith(end)
        assert ran.lines(end) == ran.lines(ran.runs[0])

    def test_as_json(self, ran: Explained) -> None:
        first, second = ran.runs
        told = ran.told("last")
        assert told["run_id"] == second
        prepare, train = told["steps"]
        for step in (prepare, train):
            assert set(step) == {
                "name",
                "task_id",
                "state",
                "reason",
                "because",
                "fingerprint",
                "reused_from",
            }
        assert (prepare["name"], prepare["state"]) == ("prepare", "reused")
        assert prepare["reused_from"]["run_id"] == prepare["because"]["origin"]["run_id"] == first
        assert (train["name"], train["task_id"], train["state"]) == ("train model", "train_model", "ran")
        assert train["reason"] == "re-run: train_model.py changed; parameter rate 0.1 -> 0.2"
        assert [change["name"] for change in train["because"]["changes"]] == ["train_model.py", "rate"]
        assert train["reused_from"] == {}
        assert train["fingerprint"].startswith("sha256k:")

    @pytest.mark.parametrize("form", [(), ("--json",)], ids=["words", "json"])
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("manual__2000",), "No run 'manual__2000' is recorded in"),
            (("manual__2000", "prepare"), "No run 'manual__2000' is recorded in"),
            (("",), "2 runs end in ''"),
            (("last", "evaluate"), "has no record of a step 'evaluate'; it has 'prepare', 'train model'."),
        ],
    )
    def test_what_is_not_known_is_told(
        self, ran: Explained, words: tuple[str, ...], message: str, form: tuple[str, ...]
    ) -> None:
        done = ran.call(*words, *form)
        assert (done.exit_code, done.stdout) == (2, "")
        assert message in done.stderr

    def test_no_run_at_all_is_told(self, tmp_path: Path) -> None:
        done = Explained(tmp_path / "empty").call("last")
        assert done.exit_code == 2
        assert "No run 'last' is recorded" in done.stderr
        assert not (tmp_path / "empty").exists()


class TestAStep:
    def test_everything_about_one_that_ran(self, ran: Explained) -> None:
        lines = ran.lines("last", "train model")
        assert lines[0] == "train model  ran  re-run: train_model.py changed; parameter rate 0.1 -> 0.2"
        assert lines[1].startswith(f"  compared with train_model of run {ran.runs[0]}, DAG chain, made 20")
        assert lines[2:4] == ["  • train_model.py changed", "  • parameter rate 0.1 -> 0.2"]
        assert lines[4].startswith("  fingerprint sha256k:")
        key = dict(line.strip().split(": ", 1) for line in lines[5:])
        assert json.loads(key["command"])[-3:] == ["--rate", "0.2", "[red]id:key:date"]
        assert json.loads(key["parameters"]) == {"rate": 0.2}
        assert "apache-airflow" not in key["environment"], "hundreds of packages would hide the rest"
        assert {"code", "kind", "inputs", "outputs", "variables", "format"} <= key.keys()
        assert "extra" not in key and "hash_paths" not in key

    def test_everything_about_one_that_was_reused(self, ran: Explained) -> None:
        lines = ran.lines("last", "prepare")
        assert lines[1].startswith(f"  reused from prepare of run {ran.runs[0]}, DAG chain, made 20")
        assert lines[2].startswith("  fingerprint sha256k:")

    def test_one_that_was_compared_with_nothing(self, ran: Explained) -> None:
        lines = ran.lines(ran.runs[0], "prepare")
        assert lines[0] == "prepare  ran  no earlier run"
        assert lines[1].startswith("  fingerprint sha256k:")

    def test_secrets_are_not_shown(self, ran: Explained) -> None:
        text = "\n".join(ran.lines("last", "train model"))
        assert "TOKEN" in text and "hunter2" not in text

    def test_it_goes_by_its_name_and_task_id(self, ran: Explained) -> None:
        assert ran.lines("last", "train_model") == ran.lines("last", "train model")
        assert [step["name"] for step in ran.told("last", "train_model")["steps"]] == ["train model"]


class TestRecordsOfManyKinds:
    @pytest.fixture
    def store(self, tmp_path: Path) -> FolderStore:
        return FolderStore(tmp_path / "workspaceblobstore")

    def explained(self, store: FolderStore, **fields: Any) -> Explained:
        """A workspace with one run of one step, of which these are recorded."""
        from mlsteps.records.run import DeclaredStep

        run = RunRecord("dag", "r1", "dag", "2026-01-31T12:00:00+00:00", steps=(DeclaredStep("a", "a"),))
        run.create(store)
        known: dict[str, Any] = {"name": "a", "step_run_id": "dag.r1.a.1", "step_type": "X", "state": "ran"}
        StepRecord("dag", "r1", "a", -1, 1, **{**known, **fields}).save(store)
        return Explained(store.root.parent, ("r1",))

    def test_a_step_that_did_not_get_as_far_as_a_decision(self, store: FolderStore) -> None:
        found = self.explained(store, state="failed")
        assert found.lines("r1", "a") == ["a  failed  nothing was decided"]
        (step,) = found.told("r1")["steps"]
        assert (step["reason"], step["because"], step["fingerprint"]) == ("nothing was decided", {}, None)

    def test_a_decision_that_a_newer_version_made(self, store: FolderStore) -> None:
        decision = {**Decision.first().to_plain(), "cause": "the moon"}
        found = self.explained(store, decision=decision, reason="re-run: the moon is full")
        assert found.lines("r1", "a") == ["a  ran  re-run: the moon is full"]
        assert found.told("r1")["steps"][0]["because"] == decision

    def test_a_run_that_was_waited_for_in_vain(self, store: FolderStore) -> None:
        holder = {"dag_id": "other", "run_id": "manual__1", "task_id": "made", "map_index": -1}
        found = self.explained(store, decision=Decision.waited_too_long(holder).to_plain())
        assert found.lines("r1", "a")[1:] == ["  waited for made of run manual__1, DAG other"]

    @pytest.mark.parametrize(
        ("decision", "line"),
        [
            (
                Decision.unchanged(ORIGIN),
                "reused from made of run manual__1, DAG other, made 2026-01-31T12:00",
            ),
            (Decision.joined(ORIGIN), "reused from made of run manual__1, DAG other, made 2026-01-31T12:00"),
            (
                Decision.outputs_missing("data", ["data/a"], ORIGIN),
                "compared with made of run manual__1, DAG other, made 2026-01-31T12:00",
            ),
        ],
    )
    def test_what_it_was_compared_with(self, store: FolderStore, decision: Decision, line: str) -> None:
        found = self.explained(store, decision=decision.to_plain())
        assert found.lines("r1", "a")[1].startswith(f"  {line}")

    @pytest.mark.parametrize("decision", [Decision.not_allowed(), Decision.forced(), Decision.cleared()])
    def test_what_was_compared_with_nothing(self, store: FolderStore, decision: Decision) -> None:
        found = self.explained(store, decision=decision.to_plain())
        assert found.lines("r1", "a") == [f"a  ran  {decision.in_words()}"]

    def test_texts_are_shown_as_they_are(self, store: FolderStore) -> None:
        decision = Decision.unreadable("[bold]s3:key:x[/bold] is no folder\\")
        found = self.explained(store, name="[red]a[/red] :rocket: ", decision=decision.to_plain())
        assert found.lines("last", "a") == [
            "[red]a[/red] :rocket:  ran  re-run: [bold]s3:key:x[/bold] is no folder\\"
        ]

    def test_a_state_of_a_newer_version(self, store: FolderStore) -> None:
        found = self.explained(store, state="[paused]", decision=Decision.first().to_plain())
        assert found.lines("r1") == ["a  [paused]  no earlier run"]
