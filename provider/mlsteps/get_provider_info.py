"""What Airflow's providers manager reads about this package.

Every Airflow command calls it, so it imports nothing but the version.
"""

from __future__ import annotations

from typing import Any

from mlsteps import __version__

_INTEGRATION = "mlsteps"


def get_provider_info() -> dict[str, Any]:
    """Describe the provider to Airflow, in the words of its ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-mlsteps",
        "name": "mlsteps",
        "description": "Azure-ML-SDK-v1-style pipelines: steps, data references and run records.",
        "versions": [__version__],
        "integrations": [{"integration-name": _INTEGRATION, "tags": ["machine-learning", "azure"]}],
        "operators": [
            {"integration-name": _INTEGRATION, "python-modules": ["mlsteps.steps.python_script_step"]}
        ],
        "sensors": [{"integration-name": _INTEGRATION, "python-modules": ["mlsteps.sensors.reuse"]}],
        "extra-links": [
            "mlsteps.steps.reuse_link.ReusedFromLink",
            "mlsteps.steps.databricks_link.DatabricksRunLink",
        ],
        "hooks": [{"integration-name": _INTEGRATION, "python-modules": ["mlsteps.hooks.workspace"]}],
        "bundles": [{"integration-name": _INTEGRATION, "python-modules": ["mlsteps.bundles"]}],
        "connection-types": [_WORKSPACE_CONNECTION, _DATASTORE_CONNECTION],
        "asset-uris": [
            {
                "schemes": ["x-mlsteps"],
                "handler": None,
                "to_openlineage_converter": "mlsteps.asset_uris.to_openlineage",
            }
        ],
        "config": {"mlsteps": _CONFIG},
    }


# Fields that are declared here spare Airflow (3.2 and newer) the import of the hook when it draws the form.
_WORKSPACE_CONNECTION: dict[str, Any] = {
    "connection-type": "mlsteps",
    "hook-class-name": "mlsteps.hooks.workspace.WorkspaceHook",
    "hook-name": "mlsteps workspace",
    "conn-fields": {
        "folder": {
            "label": "Folder",
            "description": "Root folder of the workspace. Empty: the home option of [mlsteps].",
            "schema": {"type": ["string", "null"]},
        },
        "default_datastore": {
            "label": "Default datastore",
            "description": "Name of the datastore that a step writes to when it names none.",
            "schema": {"type": ["string", "null"]},
        },
        "default_compute_target": {
            "label": "Default compute target",
            "description": "Name of the compute target that a step runs on when it names none.",
            "schema": {"type": ["string", "null"]},
        },
    },
    "ui-field-behaviour": {
        "hidden-fields": ["host", "port", "login", "password", "schema"],
        "relabeling": {},
        "placeholders": {},
    },
}

_DATASTORE_CONNECTION: dict[str, Any] = {
    "connection-type": "mlsteps_datastore",
    "hook-class-name": "mlsteps.hooks.datastores.DatastoreHook",
    "hook-name": "mlsteps datastore",
    "conn-fields": {
        name: {"label": label, "description": description, "schema": {"type": ["string", "null"]}}
        for name, label, description in (
            ("type", "Type", "azure_blob, azure_file, object_storage, folder, or a kind of SQL database."),
            ("container", "Container", "Of azure_blob."),
            ("prefix", "Prefix", "The folder of the container or share that is the datastore's root."),
            ("share", "File share", "Of azure_file."),
            ("url", "URL", "Of object_storage, such as s3://bucket/folder."),
            ("path", "Path", "Of folder."),
            ("conn_id", "Credentials", "Id of the connection that has them. Empty: this one."),
        )
    },
    "ui-field-behaviour": {
        "hidden-fields": ["port", "schema"],
        "relabeling": {"login": "Storage account", "password": "Account key", "host": "Account URL"},
        "placeholders": {},
    },
}

_CONFIG: dict[str, Any] = {
    "description": "Where mlsteps keeps its workspace when no connection says otherwise.",
    "options": {
        "home": {
            "description": "Root folder of the embedded workspace: data, records and environments.",
            "version_added": "0.1.0",
            "type": "string",
            "example": None,
            "default": "{AIRFLOW_HOME}/mlsteps",
        },
        "conn_id": {
            "description": "Connection of the workspace. The embedded workspace is used when there is none.",
            "version_added": "0.1.0",
            "type": "string",
            "example": None,
            "default": "mlsteps_default",
        },
        "compute_pools": {
            "description": "Whether steps run in the pools that 'mlsteps compute sync' makes, one for each "
            "compute target, so that Airflow holds max_nodes. A step whose pool is missing does not start.",
            "version_added": "0.1.0",
            "type": "boolean",
            "example": None,
            "default": "False",
        },
        "on_failure_callback": {
            "description": "Import path of a notifier, or another callback of DAGs, for when a run of a "
            "published pipeline, an endpoint or a schedule fails. Whoever publishes cannot set one.",
            "version_added": "0.1.0",
            "type": "string",
            "example": "my_company.alerts.to_chat",
            "default": "",
        },
        "on_success_callback": {
            "description": "The same for when a run succeeds.",
            "version_added": "0.1.0",
            "type": "string",
            "example": None,
            "default": "",
        },
    },
}
