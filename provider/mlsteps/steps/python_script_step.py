"""PythonScriptStep: a step that runs a Python script."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

from mlsteps.compute import PYTHON
from mlsteps.exceptions import StepDefinitionError
from mlsteps.steps.base import PipelineStep

if TYPE_CHECKING:
    from mlsteps.compute import ComputeTarget
    from mlsteps.data import PipelineParameter
    from mlsteps.environment import RunConfiguration


class PythonScriptStep(PipelineStep):
    """Runs a Python script of a source directory.

    The script runs in a copy of the directory (what ``.amlignore`` leaves of it), with ``./outputs`` and
    ``./logs`` made and kept. It sees its declared data as paths, and ``Run.get_context()`` logs to the step.

    :param script_name: The script, relative to ``source_directory``; may lie in a sub-folder.
    :param name: Default: ``script_name``.
    :param arguments: Its arguments: text, numbers, data, PipelineParameters, Airflow XComArgs. Templated.
    :param compute_target: A compute target or its name in the workspace; default: ``runconfig.target``, else the
        workspace's default.
    :param runconfig: Environment, variables and limits. Default: the worker's own interpreter.
    :param runconfig_pipeline_params: Values of the run configuration that pipeline parameters set.
    :param inputs: Data that it reads.
    :param outputs: Data that it makes.
    :param params: Values for environment variables ``AML_PARAMETER_<name>``.
    :param source_directory: Default: the folder of the DAG file, else the working directory.
    :param allow_reuse: Whether an earlier result may stand for this step when nothing changed.
    :param version: Part of what decides whether something changed.
    :param hash_paths: Further files, relative to ``source_directory``, whose content counts.

    (SDK v1: ``azureml.pipeline.steps.PythonScriptStep``; Airflow's operator arguments are taken too.)
    """

    step_type: ClassVar[str] = "PythonScriptStep"

    def __init__(
        self,
        script_name: str,
        name: str | None = None,
        arguments: Sequence[Any] | None = None,
        compute_target: ComputeTarget | str | None = None,
        runconfig: RunConfiguration | None = None,
        runconfig_pipeline_params: Mapping[str, PipelineParameter] | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        script_params: Mapping[str, Any] | None = None,
        source_directory: str | os.PathLike[str] | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
        hash_paths: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(script_name, str) or not script_name:
            raise StepDefinitionError(str(name), "script_name", f"expected a text, got {script_name!r}")
        self.script_name = PurePosixPath(script_name.replace("\\", "/")).as_posix()
        self.runconfig = runconfig
        super().__init__(
            name=name or script_name,
            inputs=inputs,
            outputs=outputs,
            arguments=arguments,
            compute_target=compute_target,
            source_directory=source_directory,
            script_params=script_params,
            runconfig_pipeline_params=runconfig_pipeline_params,
            allow_reuse=allow_reuse,
            version=version,
            hash_paths=hash_paths,
            **kwargs,
        )
        script = self.source_directory / self.script_name
        if not script.is_file():
            raise StepDefinitionError(self.name, "script_name", f"script not found at {str(script)!r}")

    @property
    def run_configuration(self) -> RunConfiguration | None:
        """The RunConfiguration it runs with, or None for the worker's own interpreter."""
        return self.runconfig

    def command(self) -> tuple[str, ...]:
        """``python script.py``."""
        return (PYTHON, self.script_name)
