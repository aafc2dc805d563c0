"""Data of a pipeline: datastores, references to data that exists, data that steps make. No Airflow here."""

from mlsteps.data.consumption import DatasetConsumptionConfig
from mlsteps.data.datastore import Datastore
from mlsteps.data.input_binding import InputPortBinding
from mlsteps.data.output_config import OutputFileDatasetConfig
from mlsteps.data.parameter import PipelineParameter
from mlsteps.data.pipeline_data import OutputPortBinding, PipelineData
from mlsteps.data.port_defs import InputPortDef, OutputPortDef, ParamDef
from mlsteps.data.port_reference import PortDataReference, Producer
from mlsteps.data.reference import DataPath, DataPathComputeBinding, DataReference
from mlsteps.data.sql.reference import SqlDataReference

__all__ = [
    "DataPath",
    "DataPathComputeBinding",
    "DataReference",
    "DatasetConsumptionConfig",
    "Datastore",
    "InputPortBinding",
    "InputPortDef",
    "OutputFileDatasetConfig",
    "OutputPortBinding",
    "OutputPortDef",
    "ParamDef",
    "PipelineData",
    "PipelineParameter",
    "PortDataReference",
    "Producer",
    "SqlDataReference",
]
