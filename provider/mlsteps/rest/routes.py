"""SDK v1's calls: starting runs of published pipelines, and asking for them."""

# No postponed annotations: FastAPI reads them when a route is made.

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.security import HTTPBearer

from mlsteps.compat import conf
from mlsteps.publishing.dag_ids import publication_told
from mlsteps.rest.airflow_api import AIRFLOW_APP, AirflowApi
from mlsteps.rest.answers import entity_of
from mlsteps.rest.bodies import ErrorAnswer, PipelineRunEntity, PipelineSubmission
from mlsteps.rest.errors import RestError
from mlsteps.rest.values import values_of
from mlsteps.runs.dag_ids import PUBLICATION
from mlsteps.steps.submitted import PARENT, Submission

_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": text}
    for status, text in (
        (400, "The body or a value is wrong; the field is named."),
        (401, "There is no valid bearer token."),
        (403, "The caller may not do that with this DAG."),
        (404, "There is no such DAG or run."),
        (409, "What the DAG runs is another publication, or it is disabled."),
        (415, "The body is not JSON."),
    )
}
_bearer = HTTPBearer(auto_error=False, description="A token of Airflow's, as its own API takes it.")


async def _caller(request: Request, token: Annotated[Any, Depends(_bearer)]) -> AirflowApi:
    """Airflow's API in the caller's name."""
    if token is None:
        raise RestError(401, "Send a token of Airflow's: the header 'Authorization: Bearer ...'.")
    return AirflowApi(request.scope[AIRFLOW_APP], f"Bearer {token.credentials}")


async def _only_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RestError(415, f"Send JSON, with 'Content-Type: application/json'; got {kind or 'none'}.")
    unknown = sorted(set(request.query_params) - {"parentRunId"})
    if unknown:
        raise RestError(400, f"Unknown query parameter {unknown[0]!r}; there is parentRunId.", unknown[0])


Caller = Annotated[AirflowApi, Depends(_caller)]
_ID: dict[str, Any] = {"min_length": 1, "max_length": 250, "pattern": r"^[^\x00-\x1f/]+$"}
DagId = Annotated[str, Path(description="The DAG's id, such as published.forecast.", **_ID)]
Id = Annotated[str, Path(**_ID)]
ParentRun = Annotated[
    str | None, Query(alias="parentRunId", max_length=250, description="Kept among the run's properties.")
]

router = APIRouter(prefix="/v1.0/dags/{dag_id}/PipelineRuns", tags=["PipelineRuns"], responses=_REFUSALS)


@router.post("/PipelineSubmit/{pipeline_id}", dependencies=[Depends(_only_json)])
async def submit_pipeline(
    caller: Caller, dag_id: DagId, pipeline_id: Id, body: PipelineSubmission, parent_run_id: ParentRun = None
) -> PipelineRunEntity:
    """Run a published pipeline; the address is ``PublishedPipeline.endpoint``."""
    dag = await caller.dag(dag_id)
    runs = publication_told(dag.get("doc_md"))
    if runs != pipeline_id:
        raise RestError(
            409,
            f"DAG {dag_id!r} does not run publication {pipeline_id!r}, but {runs or 'none'}. If it was "
            f"published just now, Airflow shows it in a moment. If there is a newer one of its name, take "
            f"that one's endpoint, or a PipelineEndpoint, whose address stays.",
        )
    return await _submitted(caller, dag, body, {PUBLICATION: pipeline_id, PARENT: parent_run_id})


@router.post("/PipelineEndpointSubmit/Id/{endpoint_id}", dependencies=[Depends(_only_json)])
async def submit_endpoint(
    caller: Caller, dag_id: DagId, endpoint_id: Id, body: PipelineSubmission, parent_run_id: ParentRun = None
) -> PipelineRunEntity:
    """Run the default version of a pipeline endpoint; the address is ``PipelineEndpoint.endpoint``."""
    dag = await caller.dag(dag_id)
    publication = publication_told(dag.get("doc_md"))
    said = {"PipelineEndpointId": endpoint_id, PUBLICATION: publication, PARENT: parent_run_id}
    return await _submitted(caller, dag, body, said)


@router.get("/{run_id}")
async def get_run(caller: Caller, dag_id: DagId, run_id: Id) -> PipelineRunEntity:
    """Where a run stands."""
    return entity_of(await caller.run(dag_id, run_id), _pages())


async def _submitted(
    caller: AirflowApi, dag: Mapping[str, Any], body: PipelineSubmission, said: Mapping[str, str | None]
) -> PipelineRunEntity:
    name = str(dag["dag_id"])
    if dag.get("is_paused"):
        raise RestError(409, f"DAG {name!r} is paused: the pipeline is disabled, or somebody paused it.")
    values = values_of(body, dag.get("params") or {})
    told = {
        **(body.Properties or {}),
        "RunSource": body.RunSource,
        "RunType": body.RunType,
        "ScheduleId": body.ScheduleId,
        **said,
    }
    submission = Submission(
        experiment=body.ExperimentName,
        description=body.Description,
        tags=body.tags or {},
        properties={key: value for key, value in told.items() if value is not None},
        continue_on_step_failure=body.ContinueRunOnStepFailure,
    )
    # Airflow's own ids are unique for one DAG only, and SDK v1's runs are found by theirs alone.
    run_id = str(uuid4())
    run = await caller.trigger(name, run_id, {**values, **submission.conf()}, body.Description or None)
    return entity_of(run, _pages())


def _pages() -> str:
    """Where Airflow's pages are."""
    return str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
