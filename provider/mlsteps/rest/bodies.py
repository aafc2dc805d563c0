"""What clients send and get, as SDK v1's service had it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

# A parameter's value; texts are read as the parameter's type.
Scalar = StrictStr | StrictBool | StrictInt | StrictFloat
Name = Annotated[str, Field(min_length=1, max_length=250)]


class _Body(BaseModel):
    """A part of a request. The case of its names does not count, as in SDK v1's service."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        known = {name.lower(): name for name in cls.model_fields}
        found: dict[str, Any] = {}
        for key, one in value.items():
            name = known.get(str(key).lower(), str(key))
            if name in found:
                raise ValueError(f"{name} is given twice")
            found[name] = one
        return found


class DataPathAssignment(_Body):
    """A path on a datastore."""

    DataStoreName: Name
    RelativePath: str | None = ""


class SavedDataset(_Body):
    """A registered dataset by its id."""

    Id: Name


class RegisteredDataset(_Body):
    """A registered dataset by id, or by name and version; without a version the newest."""

    Id: str | None = None
    Name: str | None = None
    Version: str | int | None = None

    @model_validator(mode="after")
    def _names_one(self) -> RegisteredDataset:
        if not self.Id and not self.Name:
            raise ValueError("Id or Name is missing")
        return self


class DatasetAssignment(_Body):
    """A dataset, in one of two ways."""

    SavedDataSetReference: SavedDataset | None = None
    DataSetReference: RegisteredDataset | None = None

    @model_validator(mode="after")
    def _is_one(self) -> DatasetAssignment:
        if (self.SavedDataSetReference is None) == (self.DataSetReference is None):
            raise ValueError("one of SavedDataSetReference and DataSetReference has to be given")
        return self


class PipelineSubmission(_Body):
    """What to run a published pipeline with."""

    ExperimentName: Name | None = Field(None, description="The label that the run is under.")
    Description: str | None = Field(None, max_length=1000)
    RunSource: str | None = Field(None, max_length=250, description="Kept among the run's properties.")
    RunType: str | None = Field(None, max_length=250, description="Kept among the run's properties.")
    ParameterAssignments: dict[Name, Scalar] | None = Field(
        None, description="Values by parameter. Texts are read as the parameter's type."
    )
    DataPathAssignments: dict[Name, DataPathAssignment] | None = None
    DataSetDefinitionValueAssignments: dict[Name, DatasetAssignment] | None = None
    ContinueRunOnStepFailure: StrictBool | None = Field(
        None,
        description="False: no step starts after one that failed. True: those go on that do not need it.",
    )
    EnableNotification: bool | None = Field(None, description="Ignored: notifications are Airflow's.")
    ScheduleId: str | None = Field(None, max_length=250, description="Kept among the run's properties.")
    tags: dict[Name, str] | None = None
    Properties: dict[Name, str] | None = None


class RunStatus(BaseModel):
    """Where a run stands."""

    StatusCode: str = Field(description="NotStarted, Running, Finished, Failed or Canceled.")
    StatusDetail: str | None = None
    CreationTime: datetime | None = None
    EndTime: datetime | None = None


class PipelineRunEntity(BaseModel):
    """A run of a published pipeline."""

    Id: str
    Status: RunStatus
    PipelineId: str | None = None
    PipelineEndpointId: str | None = None
    GraphId: str | None = None
    IsSubmitted: bool = True
    HasErrors: bool = False
    HasWarnings: bool = False
    Description: str | None = None
    RunHistoryExperimentName: str | None = None
    ParameterAssignments: dict[str, Any] = Field(default_factory=dict)
    RunSource: str | None = None
    RunType: str | None = None
    ScheduleId: str | None = None
    ContinueRunOnStepFailure: bool | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    Properties: dict[str, str] = Field(default_factory=dict)
    CreatedDate: datetime | None = None
    EntityStatus: str = "Active"
    DagId: str = Field(description="Airflow's DAG.")
    DagRunId: str = Field(description="Airflow's id of the run; the same as Id.")
    Url: str = Field(description="The run in Airflow's pages.")


class Problem(BaseModel):
    """Why a request was refused."""

    code: str
    message: str
    target: str | None = Field(None, description="The field that is meant.")


class ErrorAnswer(BaseModel):
    """A refusal."""

    error: Problem
