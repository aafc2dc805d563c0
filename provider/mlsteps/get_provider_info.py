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
        "extra-links": ["mlsteps.steps.reuse_link.ReusedFromLink"],
        "hooks": [{"integration-name": _INTEGRATION, "python-modules": ["mlsteps.hooks.workspace"]}],
        "connection-types": [_WORKSPACE_CONNECTION],
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
    },
}
