"""Compute targets of SDK v1 whose services are gone, or have no place here; each says what to use instead."""

from __future__ import annotations

from typing import Any, NoReturn

from mlsteps.exceptions import ComputeTargetException


class _Says(type):
    """Lets a class refuse whatever is done with it."""

    instead: str

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        cls.refuse()

    def refuse(cls, *args: Any, **kwargs: Any) -> NoReturn:
        """Say what to use instead."""
        raise ComputeTargetException(f"{cls.__name__} is not supported: {cls.instead}")

    attach = create = attach_configuration = provisioning_configuration = list = refuse


class RetiredCompute(metaclass=_Says):
    """A compute target that can be imported, and says what to use instead when it is used."""

    instead = ""


class AdlaCompute(RetiredCompute):
    """Azure Data Lake Analytics, which Azure ended in February 2024."""

    instead = "Azure ended the service in February 2024. Run the query as SQL or Spark, in a script step."


class HDInsightCompute(RetiredCompute):
    """A Spark cluster of HDInsight's."""

    instead = "submit to the cluster with the Airflow providers for Spark or Livy, beside the steps of a DAG."


class BatchCompute(RetiredCompute):
    """Azure Batch."""

    instead = "use AzureBatchOperator of Airflow's Microsoft Azure provider, beside the steps of a DAG."


class KustoCompute(RetiredCompute):
    """Azure Data Explorer."""

    instead = "use AzureDataExplorerQueryOperator of Airflow's Microsoft Azure provider."


class SynapseCompute(RetiredCompute):
    """A Spark pool of Synapse's."""

    instead = "use AzureSynapseRunSparkBatchOperator of Airflow's Microsoft Azure provider."


class DsvmCompute(RetiredCompute):
    """A data science virtual machine."""

    instead = "run an Airflow worker on the machine; a LocalCompute then is what runs there."


class ComputeInstance(RetiredCompute):
    """A person's machine in Azure ML studio."""

    instead = "name an AmlCompute or LocalCompute; the workspace says what stands for it."


class AksCompute(RetiredCompute):
    """A cluster for web services."""

    instead = "web services are not part of mlsteps; deploy the model with the tools of your cluster."
