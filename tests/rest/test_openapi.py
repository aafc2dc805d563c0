"""The calls as their OpenAPI document says, tried with whatever fits it and with what does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, settings
from schemathesis import checks

from mlsteps import Pipeline, PublishedPipeline

Header = Callable[[str], dict[str, str]]


@pytest.fixture
def published(pipeline: Pipeline, shown: Callable[[], None]) -> PublishedPipeline:
    published = pipeline.publish("fuzzed")
    shown()
    return published


def test_the_document_names_every_field_and_refusal(client: Any) -> None:
    document = client.get("/mlsteps/openapi.json").json()
    calls = {(method, path) for path, methods in document["paths"].items() for method in methods}
    below = "/v1.0/dags/{dag_id}/PipelineRuns"
    assert calls == {
        ("post", f"{below}/PipelineSubmit/{{pipeline_id}}"),
        ("post", f"{below}/PipelineEndpointSubmit/Id/{{endpoint_id}}"),
        ("get", f"{below}/{{run_id}}"),
    }
    body = document["components"]["schemas"]["PipelineSubmission"]
    assert set(body["properties"]) == {
        "ExperimentName",
        "Description",
        "RunSource",
        "RunType",
        "ParameterAssignments",
        "DataPathAssignments",
        "DataSetDefinitionValueAssignments",
        "ContinueRunOnStepFailure",
        "EnableNotification",
        "ScheduleId",
        "tags",
        "Properties",
    }
    assert body["additionalProperties"] is False
    for method, path in calls:
        call = document["paths"][path][method]
        assert {"200", "400", "401", "403", "404"} <= set(call["responses"])
        assert "422" not in call["responses"]
        assert call["security"]


@pytest.fixture
def calls(airflow_app: Any, client: Any, published: PublishedPipeline) -> Any:
    """The calls of the document, in this process."""
    loaded = schemathesis.openapi.from_asgi("/mlsteps/openapi.json", airflow_app)
    loaded.config.update(base_url="http://localhost:8080/mlsteps")
    return loaded


described = schemathesis.pytest.from_fixture("calls")


@described.parametrize()
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent_is_answered_as_documented(
    case: schemathesis.Case, token: Header, published: PublishedPipeline
) -> None:
    if case.meta is None or case.meta.generation.mode == schemathesis.GenerationMode.POSITIVE:
        # Whose names fit by chance never gets as far as the body.
        case.path_parameters["dag_id"] = f"published.{published.name}"
        if "pipeline_id" in case.path_parameters:
            case.path_parameters["pipeline_id"] = published.id
    # A newline in a path never comes to us: Airflow's own server answers that there is no such place.
    assume(not any("\n" in unquote(str(value)) for value in case.path_parameters.values()))
    case.call_and_validate(
        headers=token("admin"),
        # Which parameters there are is the pipeline's business, so what fits the document may be refused.
        excluded_checks=[checks.positive_data_acceptance],
    )
