"""``mlsteps plan``: what a run would reuse and what it would run, told without running anything."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mlsteps.cli.app import app
from mlsteps.cli.plan import plan_file, tell
from mlsteps.workspace import WORKSPACE_VARIABLE
from steps.project import states

from .conftest import Finished

# Three steps in a chain; what a test changes of one stands in OPTIONS and MORE.
CHAIN = """
    from mlsteps import Pipeline, PipelineData, PipelineParameter, PythonScriptStep, Workspace

    OPTIONS = {}
    MORE = {"train": ["--rate", PipelineParameter("rate", 0.1)]}

    read = []
    for name in ("prepare", "train", "compare"):
        made = PipelineData(name)
        step = PythonScriptStep(
            "work.py",
            name=name,
            arguments=[made, *read, *MORE.get(name, [])],
            inputs=read,
            outputs=[made],
            source_directory=name,
            **OPTIONS.get(name, {}),
        )
        read = [made]
    dag = Pipeline(Workspace(), [step]).to_dag("chain")
"""

WORK = "import sys; open(sys.argv[1], 'w').write('made')"

# Steps with nothing but an order; EDGES are pairs of names.
GRAPH = """
    from airflow.sdk import DAG
    from airflow.providers.standard.operators.empty import EmptyOperator
    from mlsteps import PythonScriptStep

    with DAG("graph", schedule=None):
        steps = {{
            name: PythonScriptStep("work.py", name=name, source_directory="prepare")
            for name in {names!r}
        }}
        others = {{name: EmptyOperator(task_id=name) for name in {others!r}}}
        for before, after in {edges!r}:
            {{**steps, **others}}[before] >> {{**steps, **others}}[after]
"""


@dataclass(frozen=True)
class Planned:
    """A folder with DAG files, scripts and a workspace, to plan in."""

    root: Path

    def write(self, name: str, text: str) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        (self.root / name).write_text(text.replace(old, new))

    def call(self, *words: str, file: str = "dag.py") -> Result:
        """What the command prints, and how it ends."""
        return CliRunner().invoke(
            app, ["plan", str(self.root / file), "--workspace", str(self.root / "ws"), *words]
        )

    def lines(self, *params: str, file: str = "dag.py") -> list[str]:
        """What people read. Airflow's own log is quiet only in a process that has just begun."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(WORKSPACE_VARIABLE, str(self.root / "ws"))
            plans = plan_file(self.root / file, params, None)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            tell(plans)
        return out.getvalue().splitlines()

    def steps(self, *words: str, file: str = "dag.py") -> list[dict[str, Any]]:
        done = self.call("--json", *words, file=file)
        assert done.exit_code == 0, done.output
        assert len(done.stdout.splitlines()) == 1
        told = json.loads(done.stdout)
        assert set(told) == {"steps"}
        steps: list[dict[str, Any]] = told["steps"]
        return steps

    def decisions(self, *words: str, file: str = "dag.py") -> dict[str, str]:
        return {step["name"]: step["decision"] for step in self.steps(*words, file=file)}

    def reasons(self, *words: str, file: str = "dag.py") -> dict[str, str]:
        return {step["name"]: step["reason"] for step in self.steps(*words, file=file)}

    def files(self) -> dict[str, bytes]:
        """All there is, but what is remembered to be faster."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
            and "__pycache__" not in path.parts
            and not path.is_relative_to(self.root / "ws" / "digests")
        }


def new(root: Path) -> Planned:
    made = Planned(root)
    made.write("dag.py", CHAIN)
    for name in ("prepare", "train", "compare"):
        made.write(f"{name}/work.py", WORK)
    (root / "ws").mkdir()
    return made


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(tmp_path / "nowhere"))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Planned, str]]:
    """A chain that has been run once, and the id of the run. Not to be changed."""
    from mlsteps.dag_files import load_dags
    from mlsteps.local_airflow import run_dag

    made = new(tmp_path_factory.mktemp("ran"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WORKSPACE_VARIABLE, str(made.root / "ws"))
        (dag,) = load_dags(made.root / "dag.py")
        run = run_dag(dag)
    assert set(states(run).values()) == {"success"}
    yield made, run.run_id


@pytest.fixture
def before(tmp_path: Path) -> Planned:
    """A chain that was never run."""
    return new(tmp_path)


@pytest.fixture
def after(ran: tuple[Planned, str], tmp_path: Path) -> Planned:
    """A chain that was run once, in another folder."""
    shutil.copytree(ran[0].root, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    return Planned(tmp_path / "copy")


class TestDecisions:
    def test_before_the_first_run(self, before: Planned) -> None:
        assert [(s["name"], s["decision"], s["reason"]) for s in before.steps()] == [
            ("prepare", "run", "no earlier run"),
            ("train", "unknown", "unknown until step 'prepare' has run"),
            ("compare", "unknown", "unknown until step 'train' has run"),
        ]

    def test_after_a_run_all_is_reused(self, after: Planned, ran: tuple[Planned, str]) -> None:
        steps = after.steps()
        assert {step["decision"] for step in steps} == {"reuse"}
        assert {step["reason"] for step in steps} == {f"reused from run {ran[1]} of chain: nothing changed"}
        for step in steps:
            assert set(step) == {"name", "task_id", "dag_id", "decision", "reason", "because"}
            assert (step["dag_id"], step["task_id"]) == ("chain", step["name"])
            assert step["because"]["cause"] == "unchanged"
            assert step["because"]["origin"]["run_id"] == ran[1]

    def test_a_change_in_the_middle(self, after: Planned) -> None:
        after.edit("train/work.py", "made", "made otherwise")
        assert after.decisions() == {"prepare": "reuse", "train": "run", "compare": "unknown"}
        reasons = after.reasons()
        assert reasons["train"] == "re-run: work.py changed"
        assert reasons["compare"] == "unknown until step 'train' has run"

    def test_a_parameter(self, after: Planned) -> None:
        assert after.decisions("--param", "rate=0.2") == {
            "prepare": "reuse",
            "train": "run",
            "compare": "unknown",
        }
        assert after.reasons("-p", "rate=0.2")["train"] == "re-run: parameter rate 0.1 -> 0.2"
        assert set(after.decisions("-p", "rate=0.1").values()) == {"reuse"}

    def test_an_output_that_was_deleted(self, after: Planned) -> None:
        folder = next((after.root / "ws" / "workspaceblobstore" / "azureml").glob("*train*"))
        shutil.rmtree(folder)
        assert after.decisions() == {"prepare": "reuse", "train": "run", "compare": "unknown"}
        assert after.reasons()["train"].startswith("re-run: output train is missing: ")

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("off", ["reuse", "reuse", "reuse"]),
            ("[]", ["reuse", "reuse", "reuse"]),
            ("false", ["reuse", "reuse", "reuse"]),
            ("all", ["run", "run", "run"]),
            ("true", ["run", "run", "run"]),
            ("train", ["reuse", "run", "unknown"]),
            ('["train"]', ["reuse", "run", "unknown"]),
            ("prepare,compare", ["run", "unknown", "run"]),
        ],
    )
    def test_regenerate_outputs(self, after: Planned, value: str, expected: list[str]) -> None:
        steps = after.steps("-p", f"regenerate_outputs={value}")
        assert [step["decision"] for step in steps] == expected
        assert {step["reason"] for step in steps if step["decision"] == "run"} <= {
            "re-run: forced by regenerate_outputs"
        }

    def test_a_step_that_is_never_reused(self, after: Planned) -> None:
        after.edit("dag.py", "OPTIONS = {}", "OPTIONS = {'train': {'allow_reuse': False}}")
        assert after.decisions() == {"prepare": "reuse", "train": "run", "compare": "unknown"}
        assert after.reasons()["train"] == "re-run: allow_reuse=False"

    def test_a_step_whose_result_is_too_old(self, after: Planned) -> None:
        after.edit("dag.py", "OPTIONS = {}", "OPTIONS = {'compare': {'reuse_max_age': 0}}")
        assert after.decisions() == {"prepare": "reuse", "train": "reuse", "compare": "run"}
        assert "reuse_max_age" in after.reasons()["compare"]

    @pytest.mark.parametrize("template", ["{{ ds }}", "x-{{ ti.try_number }}", "{% if run_id %}a{% endif %}"])
    def test_a_template_of_what_only_a_run_has(self, after: Planned, template: str) -> None:
        after.edit("dag.py", "MORE = {", f"MORE = {{'prepare': [{template!r}], ")
        assert after.decisions() == {"prepare": "unknown", "train": "unknown", "compare": "unknown"}
        name = "ti" if "ti." in template else "ds" if "ds" in template else "run_id"
        assert after.reasons()["prepare"] == (
            f"unknown until it starts: its template {template!r} is filled in then ({name!r} is undefined)"
        )

    def test_a_template_of_what_is_known_now(self, after: Planned) -> None:
        after.edit("dag.py", "MORE = {", "MORE = {'prepare': ['{{ params.rate }} of {{ dag.dag_id }}'], ")
        assert after.reasons("-p", "rate=0.5")["prepare"] == "re-run: argument 2 0.5 of chain added"

    def test_an_input_that_is_not_there(self, after: Planned) -> None:
        after.edit("dag.py", "OPTIONS = {}", "OPTIONS = {'prepare': {'hash_paths': ['missing']}}")
        prepare = after.steps()[0]
        assert prepare["decision"] == "unknown"
        assert "it cannot be decided now: The path 'missing' of hash_paths" in prepare["reason"]

    def test_a_mapped_step_and_what_is_behind_it(self, after: Planned) -> None:
        after.write(
            "mapped.py",
            """
            from airflow.sdk import DAG
            from mlsteps import PythonScriptStep

            with DAG("mapped", schedule=None):
                each = PythonScriptStep.partial(
                    "work.py", name="each one", source_directory="prepare"
                ).expand(arguments=[["a"], ["b"]])
                each >> PythonScriptStep("work.py", name="all", source_directory="prepare")
            """,
        )
        steps = after.steps(file="mapped.py")
        assert [(s["name"], s["task_id"], s["decision"], s["reason"]) for s in steps] == [
            ("each one", "each_one", "unknown", "unknown until it starts: each of its mapped tasks decides"),
            ("all", "all", "unknown", "unknown until step 'each one' has run"),
        ]

    def test_a_step_behind_a_task_that_is_none(self, after: Planned) -> None:
        after.write(
            "taskflow.py",
            """
            from airflow.sdk import DAG, task
            from mlsteps import PythonScriptStep

            with DAG("taskflow", schedule=None):

                @task
                def choose() -> str:
                    return "a"

                PythonScriptStep("work.py", name="given", source_directory="prepare", arguments=[choose()])
                PythonScriptStep("work.py", name="free", source_directory="prepare")
            """,
        )
        steps = {s["name"]: (s["decision"], s["reason"]) for s in after.steps(file="taskflow.py")}
        assert steps == {
            "given": ("unknown", "unknown until step 'choose' has run"),
            "free": ("run", "no earlier run"),
        }

    def test_a_dag_without_steps(self, before: Planned) -> None:
        before.write("dag.py", 'from airflow.sdk import DAG\n\nwith DAG("empty", schedule=None):\n    pass\n')
        assert before.steps() == []
        assert before.lines() == ["empty", "no steps"]


@pytest.mark.parametrize("words", [(), ("--json",), ("-p", "regenerate_outputs=all")])
def test_nothing_is_run_or_recorded(after: Planned, words: tuple[str, ...]) -> None:
    after.edit("train/work.py", "made", "made otherwise")
    there = after.files()
    assert after.call(*words).exit_code == 0
    assert after.files() == there


def test_it_needs_no_database_and_leaves_the_workspace_as_it_is(
    before: Planned, mlsteps: Callable[..., Finished]
) -> None:
    done = mlsteps("plan", before.root / "dag.py", "--workspace", before.root / "ws")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "chain",
        "●  prepare  run      no earlier run",
        "●  train    unknown  unknown until step 'prepare' has run",
        "●  compare  unknown  unknown until step 'train' has run",
        "1 would run, 2 decide when they start",
    ]
    assert {path.name for path in (before.root / "ws").iterdir()} <= {"digests", ".airflow"}
    assert not (before.root / "ws" / ".airflow" / "airflow.db").exists()


class TestDrawing:
    def graph(self, planned: Planned, *edges: str, names: str = "", others: str = "") -> list[str]:
        """The lines for a DAG with edges such as ``ab``, without decisions and the line with sums."""
        nodes = sorted({name for edge in edges for name in edge} - set(others)) or list(names)
        text = GRAPH.format(names=nodes, others=list(others), edges=[tuple(edge) for edge in edges])
        planned.write("graph.py", text)
        first, *lines, _ = planned.lines(file="graph.py")
        assert first == "graph"
        return [line.partition("  run ")[0].partition("  unknown ")[0].rstrip() for line in lines]

    def test_a_chain(self, before: Planned) -> None:
        assert self.graph(before, "ab", "bc") == ["●  a", "●  b", "●  c"]

    def test_a_diamond(self, before: Planned) -> None:
        assert self.graph(before, "ab", "ac", "bd", "cd") == [
            "●    a",
            "├─╮",
            "● │  b",
            "│ ●  c",
            "├─╯",
            "●    d",
        ]

    def test_two_roots(self, before: Planned) -> None:
        assert self.graph(before, "ac", "bc") == ["●    a", "│ ●  b", "├─╯", "●    c"]

    def test_steps_without_an_order(self, before: Planned) -> None:
        assert self.graph(before, names="ab") == ["●  a", "●  b"]

    def test_a_step_in_the_middle_that_nothing_follows(self, before: Planned) -> None:
        assert self.graph(before, "ab", "ac", "cd") == ["●    a", "├─╮", "● │  b", "  /", "●    c", "●    d"]

    def test_a_fork_beside_other_rails(self, before: Planned) -> None:
        assert self.graph(before, "ab", "ac", "bd", "be", "ce") == [
            "●      a",
            "├─╮",
            "● │    b",
            "├─╮ \\",
            "│ │ ●  c",
            "● │ │  d",
            "  / /",
            "├─╯",
            "●      e",
        ]

    def test_tasks_that_are_no_steps_are_passed_through(self, before: Planned) -> None:
        edges = ("ax", "xy", "yb", "ab", "xc")
        assert self.graph(before, *edges, others="xy") == ["●    a", "├─╮", "│ ●  c", "●    b"]

    def test_sums_name_only_what_there_is(self, after: Planned) -> None:
        assert after.lines()[-1] == "3 would be reused"
        last = after.lines("regenerate_outputs=train")[-1]
        assert last == "1 would be reused, 1 would run, 1 decide when they start"

    def test_names_and_reasons_are_shown_as_they_are(self, before: Planned) -> None:
        before.write(
            "odd.py",
            """
            from airflow.sdk import DAG
            from mlsteps import PythonScriptStep

            with DAG("odd", schedule=None):
                for name in ("[red]one[/red] ", ":rocket:", "last\\\\"):
                    PythonScriptStep(
                        "work.py", name=name, source_directory="prepare", arguments=["{{ x }} [x] :key:"]
                    )
            """,
        )
        lines = before.lines(file="odd.py")[1:-1]
        assert [line.split("  unknown")[0] for line in lines] == [
            "●  [red]one[/red]",
            "●  :rocket:      ",
            "●  last\\         ",
        ]
        assert all("its template '{{ x }} [x] :key:' is filled in then" in line for line in lines)


class TestSeveralDags:
    @pytest.fixture
    def two(self, before: Planned) -> Planned:
        before.write(
            "two.py",
            """
            from airflow.sdk import DAG
            from mlsteps import PipelineParameter, PythonScriptStep

            for name in ("one", "two"):
                with DAG(name, schedule=None):
                    PythonScriptStep(
                        "work.py",
                        name=f"say {name}",
                        source_directory="prepare",
                        arguments=[PipelineParameter(name, 1)],
                    )
            """,
        )
        return before

    def test_all_are_planned_one_after_the_other(self, two: Planned) -> None:
        assert [(s["dag_id"], s["name"]) for s in two.steps(file="two.py")] == [
            ("one", "say one"),
            ("two", "say two"),
        ]
        assert [line.split("  ")[0] for line in two.lines(file="two.py")] == [
            "one",
            "●",
            "1 would run",
            "two",
            "●",
            "1 would run",
        ]

    def test_one_of_them_is_chosen(self, two: Planned) -> None:
        assert [s["dag_id"] for s in two.steps("--dag", "two", file="two.py")] == ["two"]

    def test_a_parameter_goes_to_those_that_have_it(self, two: Planned) -> None:
        assert two.call("-p", "one=2", file="two.py").exit_code == 0
        wrong = two.call("-p", "one=2", "--dag", "two", file="two.py")
        assert wrong.exit_code == 2
        assert "There is no parameter 'one'; there is regenerate_outputs, two." in wrong.stderr

    def test_a_dag_that_is_not_there_is_told(self, two: Planned) -> None:
        wrong = two.call("--dag", "three", file="two.py")
        assert wrong.exit_code == 2
        assert "has no DAG 'three'; it has one, two." in wrong.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-p", "regenerate_outputs=trian"], "there is no step 'trian'; there is compare, prepare, train."),
        (["-p", 'regenerate_outputs=["train", "x"]'], "there is no step 'x'; there is compare,"),
        (["-p", "regenerate_outputs=[train"], "is no JSON list"),
        (["-p", "rat=0.2"], "There is no parameter 'rat'; there is rate, regenerate_outputs."),
        (["-p", "rate=fast"], "Parameter 'rate' of 'chain' cannot be 'fast'"),
        (["-p", "rate"], "--param 'rate' is not of the form NAME=VALUE."),
        (["--dag", "other"], "has no DAG 'other'; it has chain."),
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["words", "json"])
def test_a_mistake_in_the_call_is_told(
    before: Planned, form: tuple[str, ...], words: list[str], message: str
) -> None:
    done = before.call(*form, *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "●" not in done.stdout and not (form and done.stdout)


def test_a_file_that_is_not_there_or_cannot_be_read_is_told(before: Planned) -> None:
    missing = before.call(file="missing.py")
    assert missing.exit_code == 2
    assert "missing.py: there is no such file." in missing.stderr
    before.write("broken.py", "import no_such_module")
    broken = before.call(file="broken.py")
    assert broken.exit_code == 2
    assert "cannot be imported" in broken.stderr and "no_such_module" in broken.stderr
    before.write("nothing.py", "x = 1")
    assert "defines no DAG and no Pipeline" in before.call(file="nothing.py").stderr
