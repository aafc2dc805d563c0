"""InputPortBinding: some data as a step's input, with a name and mode of its own."""

from __future__ import annotations

from typing import Any

from mlsteps.data.names import check_port_name
from mlsteps.exceptions import UserErrorException


class InputPortBinding:
    """An input of a step: some data under a port name, in a mode.

    :param name: The port's name: letters, digits, underscores.
    :param bind_object: PipelineData, OutputFileDatasetConfig, DataReference or PortDataReference.
    :param bind_mode: ``mount`` or ``download``.
    :param path_on_compute: Where the data stands for the script; default: chosen by the compute target.

    (SDK v1: ``azureml.pipeline.core.graph.InputPortBinding``.)
    """

    def __init__(
        self,
        name: str,
        bind_object: Any = None,
        bind_mode: str = "mount",
        path_on_compute: str | None = None,
        overwrite: bool | None = None,
        is_resource: bool = False,
        additional_transformations: Any = None,
    ) -> None:
        self.name = check_port_name(name, "InputPortBinding")
        if bind_object is None:
            raise UserErrorException(f"InputPortBinding {name!r}: bind_object is required.")
        if bind_mode not in ("mount", "download"):
            raise UserErrorException(
                f"InputPortBinding {name!r}: bind_mode {bind_mode!r} is not mount or download."
            )
        self.bind_object = bind_object
        self.bind_mode = bind_mode
        self.path_on_compute = path_on_compute
        self.overwrite = overwrite
        self.is_resource = is_resource
        self.additional_transformations = additional_transformations

    def __repr__(self) -> str:
        return f"InputPortBinding({self.name!r}, {self.bind_object!r}, {self.bind_mode!r})"

    def __str__(self) -> str:
        return f"$AZUREML_DATAREFERENCE_{self.name}"

    def serialize(self) -> str:
        """The text that Airflow's Rendered Templates view shows."""
        return str(self)


class BindableData:
    """Data that a step can read under another name, or in another mode, than its own."""

    name: str

    def create_input_binding(
        self,
        input_name: str | None = None,
        mode: str | None = None,
        path_on_compute: str | None = None,
        overwrite: bool | None = None,
    ) -> InputPortBinding:
        """This data as an input with a name and mode of its own."""
        return InputPortBinding(input_name or self.name, self, mode or "mount", path_on_compute, overwrite)

    def as_input(self, input_name: str) -> InputPortBinding:
        """This data as an input called ``input_name``."""
        return self.create_input_binding(input_name)

    def as_mount(self, input_name: str | None = None) -> InputPortBinding:
        """This data as a mounted input."""
        return self.create_input_binding(input_name, "mount")

    def as_download(
        self, input_name: str | None = None, path_on_compute: str | None = None, overwrite: bool | None = None
    ) -> InputPortBinding:
        """This data as a private copy on the compute target."""
        return self.create_input_binding(input_name, "download", path_on_compute, overwrite)
