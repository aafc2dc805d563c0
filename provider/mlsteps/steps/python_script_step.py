"""PythonScriptStep: a step that runs a Python script."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mlsteps.compute import PYTHON
from mlsteps.exceptions import StepDefinitionError
from mlsteps.steps.base import PipelineStep
from mlsteps.steps.script_names import is_outside, pattern_of, with_slashes

if TYPE_CHECKING:
    from airflow.sdk import XComArg

    from mlsteps.compute import ComputeTarget
    from mlsteps.data import Datastore, PipelineParameter
    from mlsteps.environment import RunConfiguration
    from mlsteps.workspace import Workspace


class PythonScriptStep(PipelineStep):
    """Runs a Python script of a source directory.

    The script runs in a copy of the directory (what ``.amlignore`` leaves of it), with ``./outputs`` and
    ``./logs`` made and kept. It sees its declared data as paths, and ``Run.get_context()`` logs to the step.

    :param script_name: The script, relative to ``source_directory``; may lie in a sub-folder.
    :param name: Default: ``script_name``.
    :param arguments: Its arguments: text, numbers, data, PipelineParameters, Airflow XComArgs. Templated.
    :param compute_target: A compute target or its name in the workspace; default: ``runconfig.target``, else
        the workspace's default.
    :param runconfig: Environment, variables and limits. Default: the worker's own interpreter.
    :param runconfig_pipeline_params: Values of the run configuration that pipeline parameters set.
    :param inputs: Data that it reads.
    :param outputs: Data that it makes.
    :param params: Values for environment variables ``AML_PARAMETER_<name>``.
    :param source_directory: Default: the folder of the DAG file, else the working directory.
    :param allow_reuse: Whether an earlier result may stand for this step when nothing changed.
    :param version: Part of what decides whether something changed.
    :param hash_paths: Further files or folders, relative to ``source_directory``, whose content counts.
    :param source_files: Patterns of the only files that are taken along, besides the script.
    :param on_reuse: ``skip`` (default) or ``success``: how Airflow shows that it was reused.
    :param reuse_max_age: How old a result may be to stand for it.
    :param reuse_timeout: How long to wait for a run that is computing the same result right now.
    :param workspace: Where it works. Default: the pipeline's, else ``workspace.yaml`` beside the DAG file, or
        the default workspace.
    :param default_datastore: For outputs that name none. Default: the workspace's.
    :param upstream_outputs: Set by the step itself: where the data of its inputs comes from.

    (SDK v1: ``azureml.pipeline.steps.PythonScriptStep``; Airflow's operator arguments are taken too.)
    """

    step_type: ClassVar[str] = "PythonScriptStep"

    script_name: str
    runconfig: RunConfiguration | None

    def __init__(
        self,
        script_name: str,
        name: str | None = None,
        arguments: Sequence[Any] | None = None,
        compute_target: ComputeTarget | str | PipelineParameter | None = None,
        runconfig: RunConfiguration | None = None,
        runconfig_pipeline_params: Mapping[str, PipelineParameter] | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        script_params: Mapping[str, Any] | None = None,
        source_directory: str | os.PathLike[str] | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
        hash_paths: Sequence[str] | None = None,
        *,
        source_files: Sequence[str] | None = None,
        on_reuse: str | None = None,
        reuse_max_age: timedelta | float | None = None,
        reuse_timeout: timedelta | float | None = None,
        workspace: Workspace | None = None,
        default_datastore: Datastore | None = None,
        upstream_outputs: Mapping[str, XComArg] | None = None,
        **kwargs: Any,
    ) -> None:
        self.__dict__.update(script_name=_checked_script_name(name, script_name), runconfig=runconfig)
        self._declare(
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
            source_files=source_files,
            on_reuse=on_reuse,
            reuse_max_age=reuse_max_age,
            reuse_timeout=reuse_timeout,
            workspace=workspace,
            default_datastore=default_datastore,
            upstream_outputs=upstream_outputs,
            **kwargs,
        )

    def check_source(self, directory: Path) -> None:
        """Refuse a source directory without the script.

        :raises StepDefinitionError: the script is missing, or lies outside of the directory.
        """
        if is_outside(self.script_name):
            raise StepDefinitionError(
                self.name,
                "script_name",
                f"{self.script_name!r} is not inside the source directory {str(directory)!r}",
                "Only that directory is taken along: write the script's path relative to it.",
            )
        script = os.path.join(directory, self.script_name)
        if not os.path.isfile(script):
            raise StepDefinitionError(self.name, "script_name", f"script not found at {script!r}")

    @property
    def run_configuration(self) -> RunConfiguration | None:
        """The RunConfiguration it runs with, or None for the worker's own interpreter."""
        return self.runconfig

    def taken_along(self) -> tuple[str, ...]:
        """Patterns of the files that its script gets, which is always among them."""
        # The last pattern has the last word, so that none of the others can leave the script out.
        return (*self.source_files, pattern_of(self.script_name)) if self.source_files else ()

    def command(self) -> tuple[str, ...]:
        """``python script.py``."""
        return (PYTHON, self.script_name)


def _checked_script_name(step: str | None, given: object) -> str:
    if isinstance(given, str) and given.strip():
        return with_slashes(given)
    raise StepDefinitionError(str(step), "script_name", f"expected a text, got {given!r}")
