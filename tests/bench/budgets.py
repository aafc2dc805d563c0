"""The measurements, each with the budget it has to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.dag_files import write_dag_file
from bench.processes import interleaved, median, median_of, probe

Tell = Callable[[str], None]

IMPORT_LIMIT = 0.050
PARSE_LIMIT = 1.5
LINEAR_LIMIT = 1.3
STEP_LIMIT = 0.5

_SDK = "import airflow.sdk"
_OURS = "import mlsteps"
_DAG_FILE = "from airflow.sdk import DAG; from airflow.providers.standard.operators.bash import BashOperator"
_OUR_NAMES = "from mlsteps import Pipeline, PipelineData, PythonScriptStep"


@dataclass(frozen=True)
class Line:
    """One line of the report.

    :param compared: What is measured, against what, with both medians.
    :param value: The difference or ratio.
    :param limit: The most that it may be; None is a number that is only told.
    """

    what: str
    compared: str
    value: float
    unit: str
    limit: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether it keeps its budget."""
        return self.limit is None or self.value <= self.limit


def imports(folder: Path, repetitions: int, tell: Tell) -> list[Line]:
    """What ``import mlsteps`` adds to ``import airflow.sdk``."""
    found = interleaved(
        repetitions,
        {
            "import airflow.sdk": lambda: probe(folder, "imports", _SDK),
            "import airflow.sdk, mlsteps": lambda: probe(folder, "imports", _SDK, _OURS),
            "import mlsteps": lambda: probe(folder, "imports", _OURS),
            "imports of a DAG file": lambda: probe(folder, "imports", _DAG_FILE, _OUR_NAMES),
        },
        tell,
    )
    without = [sum(result["seconds"]) for result in found["import airflow.sdk"]]
    together = [sum(result["seconds"]) for result in found["import airflow.sdk, mlsteps"]]
    differences = [b - a for a, b in zip(without, together, strict=True)]
    # Airflow itself imports the start of every installed provider, also ours; so that is measured alone, too.
    alone = median([sum(result["seconds"]) for result in found["import mlsteps"]])
    base = median([result["seconds"][0] for result in found["imports of a DAG file"]])
    ours = median([result["seconds"][1] for result in found["imports of a DAG file"]])
    return [
        Line(
            "import mlsteps",
            f"import airflow.sdk {_ms(median(without))}, with mlsteps {_ms(median(together))}",
            median(differences),
            "s",
            IMPORT_LIMIT,
        ),
        Line("import mlsteps", "by itself, in a process without Airflow", alone, "s", IMPORT_LIMIT),
        Line(
            "from mlsteps import Pipeline, ...",
            f"on top of DAG and BashOperator, which take {_ms(base)}",
            ours,
            "s",
        ),
    ]


def parsing(folder: Path, repetitions: int, tell: Tell, steps: int = 1000) -> list[Line]:
    """What a DAG file of steps costs beside one of BashOperators."""
    styles = ("bash", "steps", "pipeline")
    files = {style: str(write_dag_file(folder / "dags", style, steps)) for style in styles}
    found = interleaved(repetitions, {style: _parsing(folder, file) for style, file in files.items()}, tell)
    for style, results in found.items():
        extra = 1 if style == "pipeline" else 0  # the sensor in front
        shapes = {(result["tasks"] - extra, result["edges"] - extra) for result in results}
        if shapes != {(steps, steps - 1)}:
            raise RuntimeError(f"The DAGs that are compared are not the same chain: {style} {shapes}")
    parse = {style: median_of(results, "parse") for style, results in found.items()}
    whole = {
        style: median([result["imports"] + result["parse"] + result["serialize"] for result in results])
        for style, results in found.items()
    }
    lines = []
    for style, name in (("steps", "with DAG(...)"), ("pipeline", "Pipeline.to_dag")):
        what = f"parse {steps} steps, {name}"
        both = (
            (f"{steps} BashOperators", parse, PARSE_LIMIT),
            ("the same with the file's imports and serialization:", whole, None),
        )
        lines += [
            Line(
                what,
                f"{other} {_ms(seconds['bash'])}, steps {_ms(seconds[style])}",
                seconds[style] / seconds["bash"],
                "x",
                limit,
                {"bash": seconds["bash"], "steps": seconds[style]},
            )
            for other, seconds, limit in both
        ]
    return lines


def growth(
    folder: Path,
    repetitions: int,
    tell: Tell,
    sizes: tuple[int, ...] = (250, 500, 1000, 2000),
    few: int = 500,
    many: int = 2000,
) -> list[Line]:
    """Whether serialization's time per step stays the same as pipelines grow."""
    lines = []
    names = {"steps": "with DAG(...)", "pipeline": "Pipeline.to_dag", "bash": "BashOperator, to compare"}
    files = {
        f"{style} {size}": str(write_dag_file(folder / "dags", style, size))
        for style in names
        for size in sizes
    }
    found = interleaved(repetitions, {name: _parsing(folder, file) for name, file in files.items()}, tell)
    for style, name in names.items():
        for part, limit in (("serialize", LINEAR_LIMIT), ("parse", None)):
            per_step = {size: median_of(found[f"{style} {size}"], part) / size for size in sizes}
            lines.append(
                Line(
                    f"{part}, {name}",
                    "µs a step: " + ", ".join(f"{size}: {s * 1e6:.0f}" for size, s in per_step.items()),
                    per_step[many] / per_step[few],
                    "x",
                    None if style == "bash" else limit,
                    {str(size): seconds for size, seconds in per_step.items()},
                )
            )
    return lines


def _parsing(home: Path, file: str) -> Callable[[], dict[str, Any]]:
    return lambda: probe(home, "dag", file)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
