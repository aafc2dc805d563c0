"""How data and values reach the code: as widgets of a notebook, or as arguments of a script or jar.

Each value is an element of its own in the request's JSON, and no text is made of several of them: what is in
a value, be it ``;``, ``=``, quotes or newlines, arrives as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlsteps.compute.databricks.task import DatabricksTask
from mlsteps.compute.tokens import substitute

# SDK v1's names; the rest of its list tells of Azure ML itself.
_TOLD = ("AZUREML_RUN_ID", "AZUREML_ARM_PROJECT_NAME", "AZUREML_ARM_WORKSPACE_NAME")
_PARAMETER = "AML_PARAMETER_"
RUN_PATH = "mlsteps_path"
_DIRECTORY = "--AZUREML_SCRIPT_DIRECTORY_NAME"


@dataclass(frozen=True)
class PortUrl:
    """An input or output, and what it is called on the cluster.

    :param token: What stands for it in arguments.
    :param secret: Name of the secret that opens it, in the cluster's secret scope; None leaves that to the
        cluster's own identity.
    :param setting: The setting of Spark that takes the secret.
    """

    name: str
    token: str
    url: str
    secret: str | None = None
    setting: str | None = None


@dataclass(frozen=True)
class JobValues:
    """What is known of a job when it starts.

    :param arguments: Given by the user; ports may stand in them as tokens.
    :param ports: Inputs, then outputs.
    :param variables: SDK v1's environment variables.
    :param directory: Where the folder of a script was uploaded to.
    :param run_path: What a cluster's Python finds ``mlsteps.run`` by.
    """

    arguments: tuple[str, ...] = ()
    ports: tuple[PortUrl, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    directory: str | None = None
    run_path: str | None = None

    @property
    def filled_in(self) -> tuple[str, ...]:
        """The user's arguments with URLs in place."""
        urls = {port.token: port.url for port in self.ports}
        return tuple(substitute(argument, urls) for argument in self.arguments)

    @property
    def parameters(self) -> dict[str, str]:
        """Values of pipeline parameters, by ``AML_PARAMETER_<name>``."""
        return {name: text for name, text in self.variables.items() if name.startswith(_PARAMETER)}

    @property
    def told(self) -> dict[str, str]:
        """What SDK v1 told of the run itself, by its names."""
        return {f"--{name}": self.variables[name] for name in _TOLD if name in self.variables}


def widgets(task: DatabricksTask, values: JobValues) -> dict[str, str]:
    """What a notebook asks for by ``dbutils.widgets.get(name)``: the user's values win."""
    found: dict[str, str] = {**values.told, **values.parameters}
    if values.run_path is not None:
        found[RUN_PATH] = values.run_path
    for port in values.ports:
        found[port.name] = port.url
        if port.secret and port.setting:
            found[f"{port.name}_blob_secretname"] = port.secret
            found[f"{port.name}_blob_config"] = port.setting
    return {**found, **dict(zip(task.names, values.filled_in, strict=True))}


def arguments(values: JobValues) -> list[str]:
    """What a script finds in ``sys.argv``: the user's first, so that their positions are as written."""
    found = list(values.filled_in)
    for port in values.ports:
        found += [f"--{port.name}", port.url]
    for name, text in values.parameters.items():
        found += [f"--{name}", text]
    for name, text in values.told.items():
        found += [name, text]
    if values.run_path is not None:
        found += [f"--{RUN_PATH}", values.run_path]
    if values.directory is not None:
        found += [_DIRECTORY, values.directory]
    return found
