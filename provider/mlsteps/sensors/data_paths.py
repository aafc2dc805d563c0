"""Data paths among a run's parameters: looked at before the first step starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.data import DataPath
from mlsteps.exceptions import PipelineParameterError, WorkspaceException

if TYPE_CHECKING:
    from mlsteps.steps.base import PipelineStep


def check_data_paths(steps: Iterable[PipelineStep], parameters: Mapping[str, Any]) -> None:
    """Refuse a path on a datastore that does not exist. Airflow's form knows how a path is written, no more.

    :param parameters: The run's.
    :raises PipelineParameterError: naming the parameter and the datastores there are.
    """
    seen: set[tuple[str, str]] = set()
    for step in steps:
        for parameter in step.pipeline_parameters:
            value = parameters.get(parameter.name)
            # The default is what somebody declared, not what somebody typed: the step's own business.
            if not isinstance(parameter.default_value, DataPath) or value in (None, parameter.form_default):
                continue
            workspace, datastore = step.effective_workspace(), str(value).partition("/")[0]
            if not datastore or (workspace.locator, datastore) in seen:
                continue
            try:
                workspace.datastore_config(datastore)
            except WorkspaceException as error:
                raise PipelineParameterError(
                    f"Pipeline parameter {parameter.name!r} is {value!r}: {error}"
                ) from None
            seen.add((workspace.locator, datastore))
