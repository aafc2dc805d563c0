"""Field names and types of Databricks' public REST API, as JSON schemas: what it has no name for is an error.

They are those of the requests that are made here: Jobs 2.2 ``runs/submit`` with all kinds of tasks, clusters
and libraries it documents, and the Clusters, Workspace and DBFS requests. The service itself ignores fields
that it does not know, so that a misspelt one would never be found there.
"""

from __future__ import annotations

from typing import Any

import jsonschema

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
FLAG = {"type": "boolean"}
ANY = {"type": "object"}
TEXTS = {"type": "array", "items": TEXT}
BY_NAME = {"type": "object", "additionalProperties": TEXT}

Schema = dict[str, Any]


def exactly(required: str = "", **properties: Schema) -> Schema:
    """An object with these fields and no other."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required.split()}


def listed(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def one_of(*values: str) -> Schema:
    return {"enum": list(values)}


PLACE = exactly("destination", destination=TEXT)
SOURCE = one_of("WORKSPACE", "GIT")

LIBRARY = {
    **exactly(
        cran=exactly("package", package=TEXT, repo=TEXT),
        egg=TEXT,
        jar=TEXT,
        maven=exactly("coordinates", coordinates=TEXT, exclusions=TEXTS, repo=TEXT),
        pypi=exactly("package", package=TEXT, repo=TEXT),
        requirements=TEXT,
        whl=TEXT,
    ),
    "minProperties": 1,
    "maxProperties": 1,
}

NEW_CLUSTER = {
    **exactly(
        "spark_version",
        apply_policy_default_values=FLAG,
        autoscale=exactly("min_workers max_workers", min_workers=NUMBER, max_workers=NUMBER),
        aws_attributes=ANY,
        azure_attributes=ANY,
        cluster_log_conf=exactly(dbfs=PLACE, s3=ANY, volumes=PLACE),
        custom_tags=BY_NAME,
        data_security_mode=one_of("NONE", "SINGLE_USER", "USER_ISOLATION", "LEGACY_SINGLE_USER"),
        docker_image=ANY,
        driver_instance_pool_id=TEXT,
        driver_node_type_id=TEXT,
        enable_elastic_disk=FLAG,
        enable_local_disk_encryption=FLAG,
        gcp_attributes=ANY,
        init_scripts=listed(
            {
                **exactly(
                    abfss=PLACE, dbfs=PLACE, file=PLACE, gcs=PLACE, s3=ANY, volumes=PLACE, workspace=PLACE
                ),
                "minProperties": 1,
                "maxProperties": 1,
            }
        ),
        instance_pool_id=TEXT,
        is_single_node=FLAG,
        kind=TEXT,
        node_type_id=TEXT,
        num_workers=NUMBER,
        policy_id=TEXT,
        runtime_engine=one_of("NULL", "STANDARD", "PHOTON"),
        single_user_name=TEXT,
        spark_conf=BY_NAME,
        spark_env_vars=BY_NAME,
        spark_version=TEXT,
        ssh_public_keys=TEXTS,
        use_ml_runtime=FLAG,
        workload_type=ANY,
    ),
    "oneOf": [{"required": ["num_workers"]}, {"required": ["autoscale"]}],
}

_CODE = ("notebook_task", "spark_python_task", "spark_jar_task", "spark_submit_task", "python_wheel_task")

TASK = {
    **exactly(
        "task_key",
        task_key=TEXT,
        description=TEXT,
        depends_on=listed(ANY),
        run_if=TEXT,
        notebook_task=exactly(
            "notebook_path", notebook_path=TEXT, base_parameters=BY_NAME, source=SOURCE, warehouse_id=TEXT
        ),
        spark_python_task=exactly("python_file", python_file=TEXT, parameters=TEXTS, source=SOURCE),
        spark_jar_task=exactly("main_class_name", main_class_name=TEXT, parameters=TEXTS, jar_uri=TEXT),
        spark_submit_task=exactly(parameters=TEXTS),
        python_wheel_task=ANY,
        existing_cluster_id=TEXT,
        new_cluster=NEW_CLUSTER,
        environment_key=TEXT,
        libraries=listed(LIBRARY),
        max_retries=NUMBER,
        min_retry_interval_millis=NUMBER,
        retry_on_timeout=FLAG,
        disable_auto_optimization=FLAG,
        timeout_seconds=NUMBER,
        email_notifications=ANY,
        notification_settings=ANY,
        webhook_notifications=ANY,
        health=ANY,
    ),
    "oneOf": [{"required": [name]} for name in _CODE],
    "not": {"required": ["existing_cluster_id", "new_cluster"]},
}

SUBMIT = exactly(
    "tasks",
    access_control_list=listed(ANY),
    budget_policy_id=TEXT,
    email_notifications=ANY,
    environments=listed(
        exactly(
            "environment_key",
            environment_key=TEXT,
            spec=exactly(
                base_environment=TEXT,
                client=TEXT,
                dependencies=TEXTS,
                environment_version=TEXT,
                java_dependencies=TEXTS,
            ),
        )
    ),
    git_source=ANY,
    health=ANY,
    idempotency_token={"type": "string", "maxLength": 64},
    notification_settings=ANY,
    performance_target=TEXT,
    queue=ANY,
    run_as=ANY,
    run_name=TEXT,
    tasks={**listed(TASK), "minItems": 1, "maxItems": 100},
    timeout_seconds=NUMBER,
    usage_policy_id=TEXT,
    webhook_notifications=ANY,
)

# What comes as a query is text.
_RUN = {"type": ["integer", "string"]}
_PATH = exactly("path", path=TEXT)

REQUESTS: dict[tuple[str, str], Schema] = {
    ("POST", "2.2/jobs/runs/submit"): SUBMIT,
    ("GET", "2.2/jobs/runs/get"): exactly(
        "run_id", run_id=_RUN, include_history=FLAG, include_resolved_values=FLAG, page_token=TEXT
    ),
    ("GET", "2.2/jobs/runs/get-output"): exactly("run_id", run_id=_RUN),
    ("POST", "2.2/jobs/runs/cancel"): exactly("run_id", run_id=_RUN),
    ("POST", "2.2/jobs/runs/cancel-all"): exactly(all_queued_runs=FLAG, job_id=_RUN),
    ("GET", "2.1/clusters/get"): exactly("cluster_id", cluster_id=TEXT),
    ("POST", "2.0/secrets/put"): exactly("scope key", scope=TEXT, key=TEXT, string_value=TEXT),
    ("POST", "2.0/secrets/delete"): exactly("scope key", scope=TEXT, key=TEXT),
    ("GET", "2.0/workspace/get-status"): _PATH,
    ("POST", "2.0/workspace/mkdirs"): _PATH,
    ("POST", "2.0/workspace/delete"): exactly("path", path=TEXT, recursive=FLAG),
    ("POST", "2.0/workspace/import"): exactly(
        "path",
        path=TEXT,
        content=TEXT,
        format=one_of("SOURCE", "HTML", "JUPYTER", "DBC", "R_MARKDOWN", "AUTO", "RAW"),
        language=one_of("SCALA", "PYTHON", "SQL", "R"),
        overwrite=FLAG,
    ),
    ("GET", "2.0/workspace/export"): exactly(
        "path", path=TEXT, format=one_of("SOURCE", "HTML", "JUPYTER", "DBC", "R_MARKDOWN", "AUTO", "RAW")
    ),
    ("PUT", "2.0/fs/files"): exactly(overwrite=one_of("true", "false")),
    ("HEAD", "2.0/fs/files"): exactly(),
    ("GET", "2.0/fs/files"): exactly(),
    ("PUT", "2.0/fs/directories"): exactly(),
    ("GET", "2.0/dbfs/get-status"): _PATH,
    ("GET", "2.0/dbfs/read"): exactly("path", path=TEXT, offset=_RUN, length=_RUN),
    ("POST", "2.0/dbfs/mkdirs"): _PATH,
    ("POST", "2.0/dbfs/create"): exactly("path", path=TEXT, overwrite=FLAG),
    ("POST", "2.0/dbfs/add-block"): exactly("handle data", handle=NUMBER, data=TEXT),
    ("POST", "2.0/dbfs/close"): exactly("handle", handle=NUMBER),
}


def problem_with(method: str, endpoint: str, body: Any) -> str | None:
    """What is wrong with a request; None if the API knows all of it."""
    schema = REQUESTS.get((method, endpoint))
    if schema is None:
        return f"there is no {method} {endpoint}"
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(body))
    return None if error is None else f"{error.json_path}: {error.message}"
