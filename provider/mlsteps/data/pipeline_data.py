"""PipelineData: what one step makes and later steps read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlsteps.data.input_binding import BindableData
from mlsteps.data.names import check_port_name
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.datastore import Datastore
    from mlsteps.data.pipeline_dataset import PipelineOutputDataset


class PipelineData(BindableData):
    """Intermediate data of a pipeline: put it in the ``outputs`` of one step and the ``inputs`` of others.

    The script gets a path in its arguments and in ``AZUREML_DATAREFERENCE_<output_name>``. The path's parent
    exists, the path itself does not: the script makes it, as a file or as a folder.

    :param name: Display name: letters, digits, underscores.
    :param datastore: Where it is kept. Default: the pipeline's default datastore, else the workspace's.
    :param output_name: The port's name on the producing step. Default: ``name``.
    :param output_mode: ``mount`` (the script writes to the datastore) or ``upload`` (it writes to
        ``output_path_on_compute``, which is uploaded when the script has succeeded).
    :param output_path_on_compute: For ``upload``: where the script writes, relative to its working directory.
    :param output_overwrite: Accepted for SDK v1; each run writes to a place of its own.
    :param data_type: Accepted for SDK v1; not used.
    :param is_directory: True or False checks what the script made; None (default) takes either.
    :param pipeline_output_name: Unique in the pipeline; found again by ``PipelineRun.get_pipeline_output``.
    :param training_output: Accepted for SDK v1's HyperDrive and AutoML steps.

    (SDK v1: ``azureml.pipeline.core.PipelineData``.)
    """

    def __init__(
        self,
        name: str,
        datastore: Datastore | None = None,
        output_name: str | None = None,
        output_mode: str = "mount",
        output_path_on_compute: str | None = None,
        output_overwrite: bool | None = None,
        data_type: str | None = None,
        is_directory: bool | None = None,
        pipeline_output_name: str | None = None,
        training_output: Any = None,
    ) -> None:
        self.name = check_port_name(name, "PipelineData")
        self.output_name = check_port_name(output_name or name, "PipelineData output")
        if output_mode not in ("mount", "upload"):
            raise UserErrorException(
                f"PipelineData {name!r}: output_mode {output_mode!r} is not mount or upload."
            )
        self.datastore = datastore
        self.output_mode = output_mode
        self.output_path_on_compute = output_path_on_compute
        self.output_overwrite = output_overwrite
        self.data_type = data_type
        self.is_directory = is_directory
        self.pipeline_output_name = pipeline_output_name
        self.training_output = training_output
        # The steps that make and read it, so that order comes from the data.
        self.makers: list[Any] = []
        self.readers: list[Any] = []

    def __deepcopy__(self, memo: object) -> PipelineData:
        # Which data it is lies in the object itself: a copied DAG still talks of the same data.
        return self

    @property
    def origin(self) -> PipelineData:
        """What makes two declarations the same data: here the object itself."""
        return self

    def __repr__(self) -> str:
        return f"PipelineData({self.name!r})"

    def __str__(self) -> str:
        return f"${self.get_env_variable_name()}"

    def serialize(self) -> str:
        """The text that Airflow's Rendered Templates view shows."""
        return str(self)

    def as_dataset(self) -> PipelineOutputDataset:
        """This data as a dataset, which steps behind read as files or rows, and which can be registered."""
        from mlsteps.data.pipeline_dataset import PipelineOutputDataset

        return PipelineOutputDataset(self)

    def get_env_variable_name(self) -> str:
        """The environment variable that holds the path on the compute target."""
        return f"AZUREML_DATAREFERENCE_{self.output_name}"


class OutputPortBinding:
    """An output of a step, declared without a PipelineData.

    (SDK v1: ``azureml.pipeline.core.graph.OutputPortBinding``.)
    """

    def __init__(
        self,
        name: str,
        datastore: Datastore | None = None,
        output_name: str | None = None,
        bind_mode: str = "mount",
        path_on_compute: str | None = None,
        is_directory: bool | None = None,
        overwrite: bool | None = None,
        data_type: str | None = None,
        pipeline_output_name: str | None = None,
        training_output: Any = None,
        dataset_registration: Any = None,
        dataset_output: Any = None,
    ) -> None:
        self.data = PipelineData(
            name,
            datastore,
            output_name,
            bind_mode,
            path_on_compute,
            overwrite,
            data_type,
            is_directory,
            pipeline_output_name,
            training_output,
        )
        self.dataset_registration = dataset_registration
        self.dataset_output = dataset_output

    @property
    def name(self) -> str:
        """The output's name."""
        return self.data.name

    def __repr__(self) -> str:
        return f"OutputPortBinding({self.name!r})"

    def __str__(self) -> str:
        return str(self.data)

    def serialize(self) -> str:
        """The text that Airflow's Rendered Templates view shows."""
        return str(self)
