"""The examples parse fast, run to success, and their scripts work by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlsteps import Experiment, PipelineRun, Workspace
from mlsteps.compat import empty_dag_bag
from mlsteps.dag_files import load_dags
from mlsteps.local_airflow import run_dag
from mlsteps.records import read_model
from mlsteps.run.protocol import RUN_DIRECTORY_VARIABLE

EXAMPLES = Path(__file__).parents[2] / "dags_examples"
FILES = sorted(EXAMPLES.glob("*.py"))
# What runs on a machine by itself. One needs Databricks, see test_on_databricks.py, and one a person who
# agrees, see e2e/test_assets.py.
NEED_OTHERS = {"transform_on_databricks", "retrain_weekly"}
BY_THEMSELVES = [file for file in FILES if file.stem not in NEED_OTHERS]

MODELS = {
    "prepare": set(),
    "train_logistic": {"prepare"},
    "train_forest": {"prepare"},
    "compare": {"prepare", "train_logistic", "train_forest"},
    "evaluate": {"prepare", "compare"},
}
AFTER_SEED = {
    task: {*MODELS[task], "seed_of_the_week"} for task in ("prepare", "train_logistic", "train_forest")
}
EDGES = {
    "compare_models": {**MODELS, "prepare": {"reuse"}, "reuse": set()},
    "compare_models_taskflow": {
        **MODELS,
        **AFTER_SEED,
        "seed_of_the_week": set(),
        "announcement": {"compare", "evaluate"},
        "tell": {"announcement"},
    },
    "retrain_weekly": {
        "prepare": set(),
        "train": {"prepare"},
        "compare": {"train"},
        "approve": {"compare"},
        "keep_champion": {"compare"},
        "register": {"approve", "train"},
    },
    "train_with_parameters": {"train": {"reuse"}, "reuse": set()},
    "transform_on_databricks": {
        "prepare": {"reuse"},
        "transform": {"prepare"},
        "train": {"transform"},
        "reuse": set(),
    },
}

# Airflow gives a DAG file 30 s; what an example adds to Airflow's own start should not be felt.
PARSE_SECONDS = 5
PARSE = """
import json, runpy, sys, time
import airflow.sdk
start = time.perf_counter()
runpy.run_path(sys.argv[1])
print(json.dumps({"seconds": time.perf_counter() - start, "modules": list(sys.modules)}))
"""


# Parsing


def test_every_example_is_known_here() -> None:
    assert [file.stem for file in FILES] == sorted(EDGES)


def test_airflow_finds_one_dag_in_each_file() -> None:
    bag = empty_dag_bag(str(EXAMPLES))  # with safe mode, as a DAG processor reads the folder
    assert bag.import_errors == {}
    assert {dag_id: Path(dag.fileloc).stem for dag_id, dag in bag.dags.items()} == {
        name: name for name in EDGES
    }


@pytest.mark.parametrize("name", EDGES)
def test_tasks_and_edges(name: str) -> None:
    (dag,) = load_dags(EXAMPLES / f"{name}.py")
    assert {task.task_id: task.upstream_task_ids for task in dag.tasks} == EDGES[name]


@pytest.mark.parametrize("name", EDGES)
def test_parsing_is_fast_and_imports_nothing_heavy(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(EXAMPLES / f"{name}.py")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    parsed = json.loads(done.stdout.splitlines()[-1])
    assert parsed["seconds"] < PARSE_SECONDS
    assert not {"joblib", "numpy", "pandas", "sklearn"} & set(parsed["modules"])


def test_fields_of_the_trigger_form() -> None:
    (dag,) = load_dags(EXAMPLES / "train_with_parameters.py")
    types = {name: dag.params.get_param(name).schema["type"] for name in dag.params}
    assert types.pop("regenerate_outputs")[0] == "array"
    assert types == {"loss": "string", "epochs": "integer", "learning_rate": "number", "average": "boolean"}
    assert dag.params.get_param("loss").schema["enum"] == ["log_loss", "hinge", "modified_huber"]
    (dag,) = load_dags(EXAMPLES / "compare_models_taskflow.py")
    assert dag.params.dump() == {"minimum_auc": 0.95, "test_size": 0.2, "regenerate_outputs": []}


# Running


@pytest.fixture
def run_example(
    airflow_db: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[PipelineRun, dict[str, str | None]]]:
    """Run an example in a workspace of its own; returns its run, and each task's state."""
    pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    monkeypatch.setenv("MLSTEPS_WORKSPACE", str(tmp_path / "workspace"))

    def run(name: str, conf: dict[str, Any] | None = None) -> tuple[PipelineRun, dict[str, str | None]]:
        (dag,) = load_dags(EXAMPLES / f"{name}.py")
        finished = run_dag(dag, conf)
        experiment = Experiment(Workspace(), finished.dag_id)
        return PipelineRun(experiment, finished.run_id), {task.task_id: task.state for task in finished.tasks}

    return run


def _metrics(run: PipelineRun, step: str) -> dict[str, Any]:
    (found,) = run.find_step_run(step)
    return found.get_metrics()


@pytest.mark.slow
def test_compare_models(run_example: Callable[..., Any]) -> None:
    run, states = run_example("compare_models", {"test_size": 0.25, "seed": 3})
    assert states == dict.fromkeys(MODELS, "success")
    assert run.get_status() == "Finished"
    assert run.record.parameters == {"test_size": 0.25, "seed": 3}

    assert _metrics(run, "prepare")["parts"]["part"] == ["train", "validation", "test"]
    assert _metrics(run, "prepare")["parts"]["rows"] == [319, 107, 143]
    candidates = _metrics(run, "compare")["candidates"]
    assert candidates["model"] == ["logistic", "forest"]
    assert min(candidates["auc"]) > 0.9

    best = max(zip(candidates["auc"], candidates["model"], strict=True))[1]
    evaluated = _metrics(run, "evaluate")
    matrix = evaluated["confusion_matrix"]["data"]["matrix"]
    assert sum(map(sum, matrix)) == 143
    assert evaluated["accuracy"] == pytest.approx((matrix[0][0] + matrix[1][1]) / 143)
    of_run = run.get_metrics()
    assert of_run == {
        "best_model": best,
        "validation_auc": max(candidates["auc"]),
        "test_auc": evaluated["auc"],
    }

    model = run.get_pipeline_output("best_model")
    assert model.files() == ["about.json", "model.joblib"]
    assert json.load(model.open("about.json"))["model"] == best
    assert json.load(run.get_pipeline_output("report").open())["auc"] == evaluated["auc"]

    (evaluate,) = run.find_step_run("evaluate")
    kept = ["outputs/model/about.json", "outputs/model/model.joblib", "outputs/report.txt"]
    assert evaluate.get_file_names() == kept
    store = Workspace().record_store()
    registered = read_model(store, "breast_cancer")
    assert registered is not None
    assert (registered.id, registered.tags, registered.run_id) == (
        "breast_cancer:1",
        {"model": best},
        evaluate.id,
    )
    assert store.read(f"{registered.path}/model.joblib") == model.open("model.joblib", "rb").read()


@pytest.mark.slow
def test_compare_models_gives_the_same_bytes_again(run_example: Callable[..., Any]) -> None:
    runs = [run_example("compare_models")[0] for _ in range(2)]
    outputs = [
        {
            (step.name, name): output["digest"]
            for step in run.get_steps()
            for name, output in step.record.outputs.items()
        }
        for run in runs
    ]
    assert runs[0].id != runs[1].id
    assert len(outputs[0]) == 5
    assert outputs[0] == outputs[1]


@pytest.mark.slow
@pytest.mark.parametrize("minimum", [0.5, 1.0])
def test_compare_models_taskflow(
    run_example: Callable[..., Any], capfd: pytest.CaptureFixture[str], minimum: float
) -> None:
    run, states = run_example("compare_models_taskflow", {"minimum_auc": minimum})
    assert states == dict.fromkeys(EDGES["compare_models_taskflow"], "success")

    (prepare,) = run.find_step_run("prepare")
    seed = prepare.record.command[prepare.record.command.index("--seed") + 1]
    assert 1 <= int(seed) <= 53

    best, auc = run.get_metrics()["best_model"], run.get_metrics()["test_auc"]
    decision = "release" if auc >= minimum else "keep the old one"
    announced = f"The {best} model has an AUC of {auc:.3f}: {decision}."
    told = capfd.readouterr()
    assert announced in told.out + told.err
    assert "holds about.json, model.joblib" in told.out + told.err


@pytest.mark.slow
def test_train_with_parameters(run_example: Callable[..., Any]) -> None:
    conf = {"loss": "hinge", "epochs": 3, "learning_rate": 0.1, "average": True}
    run, states = run_example("train_with_parameters", conf)
    assert states == {"train": "success"}

    (train,) = run.find_step_run("train")
    assert train.record.parameters == conf
    assert train.get_tags() == {"loss": "hinge", "average": "True"}
    metrics = train.get_metrics()
    assert len(metrics["accuracy"]) == len(metrics["hinge_loss"]) == 3
    assert metrics["epochs"]["epoch"] == [1, 2, 3]
    assert metrics["epochs"]["test"] == metrics["accuracy"]
    assert metrics["recall"]["digit"] == list(range(10))
    assert min(metrics["accuracy"]) > 0.8
    assert run.get_metrics() == {"accuracy": metrics["accuracy"][-1]}
    assert train.get_file_names() == ["outputs/model.joblib"]


def test_a_choice_that_the_form_does_not_offer_is_refused(run_example: Callable[..., Any]) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises((ParamValidationError, ValueError), match="log_loss"):
        run_example("train_with_parameters", {"loss": "squared"})


# By hand


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], str]:
    """Run a command line of a script as a person would, in an empty folder; returns what it printed."""
    pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    monkeypatch.delenv(RUN_DIRECTORY_VARIABLE, raising=False)

    def run(line: str) -> str:
        script, *arguments = line.split()
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / script), *arguments], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_scripts_of_compare_models_by_hand(by_hand: Callable[[str], str], tmp_path: Path) -> None:
    folder = "compare_models_src"
    assert "parts = " in by_hand(f"{folder}/prepare.py --output data")
    for kind in ("logistic", "forest"):
        trained = by_hand(f"{folder}/train.py --model {kind} --data data --output {kind}")
        assert "training_accuracy = " in trained
    compared = by_hand(f"{folder}/compare.py --data data --candidates logistic forest --output best")
    assert "parent: best_model = " in compared
    for _ in range(2):  # a second try does not stumble over what the first one left
        evaluated = by_hand(f"{folder}/evaluate.py --data data --model best --report report.json")
        assert "model breast_cancer:1 from outputs/model" in evaluated
    assert json.loads((tmp_path / "report.json").read_text())["auc"] > 0.9
    assert sorted(os.listdir(tmp_path / "outputs")) == ["model", "report.txt"]


def test_scripts_of_retrain_weekly_by_hand(by_hand: Callable[[str], str], tmp_path: Path) -> None:
    folder = "retrain_weekly_src"
    for day in ("2026-03-02", "2026-03-08"):  # of one week, whose data is the same
        by_hand(f"{folder}/prepare.py --until {day} --weeks 8 --output {day}.csv")
    assert (tmp_path / "2026-03-02.csv").read_bytes() == (tmp_path / "2026-03-08.csv").read_bytes()
    assert "rmse = " in by_hand(f"{folder}/train.py --data 2026-03-02.csv --output model.json")
    model = json.loads((tmp_path / "model.json").read_text())
    assert model["slope"] == pytest.approx(3, abs=0.3)


@pytest.mark.slow
def test_script_of_train_with_parameters_by_hand(by_hand: Callable[[str], str], tmp_path: Path) -> None:
    printed = by_hand("train_with_parameters_src/train.py --epochs 2 --loss modified_huber")
    assert "(step 2)" in printed
    assert (tmp_path / "outputs" / "model.joblib").is_file()
