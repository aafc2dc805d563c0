"""Steps of SDK v1 whose services are gone, or have no place here; each says what to use instead."""

from __future__ import annotations

from typing import Any, ClassVar

from mlsteps.exceptions import UserErrorException


class RetiredStep:
    """A step that can be imported, and says what to use instead when it is constructed."""

    instead: ClassVar[str] = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = kwargs.get("name") or (args[0] if args else None)
        raise UserErrorException(
            f"Step {name!r}: {type(self).__name__} is not supported: {self.instead} "
            f"In a DAG file an operator of any Airflow provider may stand between steps."
        )


class AdlaStep(RetiredStep):
    """A script of Azure Data Lake Analytics, which Azure ended in February 2024."""

    instead = "Azure ended the service in February 2024. Run the query as SQL or Spark, in a script step."


class AzureBatchStep(RetiredStep):
    """A job of Azure Batch."""

    instead = "use AzureBatchOperator of Airflow's Microsoft Azure provider, or a step with the same command."


class KustoStep(RetiredStep):
    """A query of Azure Data Explorer."""

    instead = "use AzureDataExplorerQueryOperator of Airflow's Microsoft Azure provider."


class SynapseSparkStep(RetiredStep):
    """A Spark job in a pool of Synapse's."""

    instead = "use AzureSynapseRunSparkBatchOperator of Airflow's Microsoft Azure provider, or Databricks."


class RScriptStep(RetiredStep):
    """An R script."""

    instead = "Azure ML ended it before SDK v1 itself. Call Rscript from a Python script, in an image with R."


class AutoMLStep(RetiredStep):
    """A run of Azure ML's automated machine learning, which is a service of its own."""

    instead = "the service is not part of mlsteps. Train in a script step, with a library of your choice."
