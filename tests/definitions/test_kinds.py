"""Nothing that can be declared is forgotten: a new step or a new argument of data has to be written, too."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

import mlsteps
from mlsteps import (
    DataPath,
    DataPathComputeBinding,
    DataReference,
    DatasetConsumptionConfig,
    Datastore,
    Pipeline,
    PipelineData,
    PipelineParameter,
    SqlDataReference,
)
from mlsteps.data import InputPortBinding
from mlsteps.definitions import STEP_TYPES
from steps.project import Project


def test_every_step_can_be_published() -> None:
    steps = [name for name in mlsteps.__all__ if name.endswith("Step")]
    assert sorted(steps) == sorted(STEP_TYPES)
    for name, module in STEP_TYPES.items():
        assert getattr(import_module(module), name) is getattr(mlsteps, name)


@pytest.mark.parametrize(
    "kind", ["data", "reference", "binding", "parameter", "path", "way", "dataset", "rows"]
)
def test_every_argument_of_data_is_written(project: Project, kind: str) -> None:
    store, data = Datastore(project.workspace), PipelineData("d")
    parameter = PipelineParameter("p", DataPath(store, "x"))
    given = {
        "data": data,
        "reference": DataReference(store, "r"),
        "binding": InputPortBinding("b", data),
        "parameter": parameter,
        "path": parameter.default_value,
        "way": DataPathComputeBinding(),
        "dataset": DatasetConsumptionConfig("c", (project.workspace, "name")),
        "rows": SqlDataReference(store, "s", sql_table="t"),
    }[kind]
    step = project.step("s", executor_config={"anything": given})
    made = project.step("m", outputs=[data])
    objects = Pipeline(project.workspace, [made, step]).definition().objects
    (written,) = [one for one in objects if one["kind"] == type(given).__name__]
    arguments = set(inspect.signature(type(given).__init__).parameters) - {"self"}
    assert set(written) - {"kind"} == arguments
