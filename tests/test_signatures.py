"""Parameters and defaults are those of Azure ML SDK v1, so that its pipelines run as they are.

The expected signatures are the public interface of azureml-core 1.61 and azureml-pipeline 1.62. Ours may
differ from them only in that a parameter which SDK v1 requires is optional, and that there are further
keyword-only parameters, or any where SDK v1 takes ``**kwargs``.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

import mlsteps
from mlsteps.data import InputPortBinding, OutputPortBinding
from mlsteps.environment import databricks
from mlsteps.exceptions import MlstepsException

WORKSPACE = {
    "__init__": "subscription_id, resource_group, workspace_name, auth=None, _location=None, "
    "_disable_service_check=False, _workspace_id=None, sku='basic', tags=None, _cloud='AzureCloud'",
    "get": "name, auth=None, subscription_id=None, resource_group=None, location=None, cloud='AzureCloud', "
    "id=None",
    "from_config": "path=None, auth=None, _logger=None, _file_name=None",
    "get_default_datastore": "",
    "get_default_compute_target": "type",
}
DATASTORE = {
    "__init__": "workspace, name=None",
    "get": "workspace, datastore_name",
    "get_default": "workspace",
    "upload": "src_dir, target_path=None, overwrite=False, show_progress=True",
    "upload_files": "files, relative_root=None, target_path=None, overwrite=False, show_progress=True",
    "download": "target_path, prefix=None, overwrite=False, show_progress=True",
    "path": "path=None, data_reference_name=None",
    "as_mount": "",
    "as_download": "path_on_compute=None",
    "as_upload": "path_on_compute=None",
    "set_as_default": "",
    "unregister": "",
    "register_azure_blob_container": "workspace, datastore_name, container_name, account_name, "
    "sas_token=None, account_key=None, protocol=None, endpoint=None, overwrite=False, "
    "create_if_not_exists=False, skip_validation=False, blob_cache_timeout=None, "
    "grant_workspace_access=False, subscription_id=None, resource_group=None",
    "register_azure_data_lake_gen2": "workspace, datastore_name, filesystem, account_name, tenant_id=None, "
    "client_id=None, client_secret=None, resource_url=None, authority_url=None, protocol=None, "
    "endpoint=None, overwrite=False, subscription_id=None, resource_group=None, "
    "grant_workspace_access=False",
    "register_azure_file_share": "workspace, datastore_name, file_share_name, account_name, "
    "sas_token=None, account_key=None, protocol=None, endpoint=None, overwrite=False, "
    "create_if_not_exists=False, skip_validation=False",
    "register_azure_sql_database": "workspace, datastore_name, server_name, database_name, tenant_id=None, "
    "client_id=None, client_secret=None, resource_url=None, authority_url=None, endpoint=None, "
    "overwrite=False, username=None, password=None, subscription_id=None, resource_group=None, "
    "grant_workspace_access=False, **kwargs",
    "register_azure_postgre_sql": "workspace, datastore_name, server_name, database_name, user_id, "
    "user_password, port_number=None, endpoint=None, overwrite=False, enforce_ssl=True, **kwargs",
    "register_azure_my_sql": "workspace, datastore_name, server_name, database_name, user_id, "
    "user_password, port_number=None, endpoint=None, overwrite=False, **kwargs",
}
DATA_REFERENCE = {
    "__init__": "datastore, data_reference_name=None, path_on_datastore=None, mode='mount', "
    "path_on_compute=None, overwrite=False",
    "as_mount": "",
    "as_download": "path_on_compute=None, overwrite=False",
    "as_upload": "path_on_compute=None, overwrite=False",
    "create": "data_reference_name=None, datapath=None, datapath_compute_binding=None",
    "path": "path=None, data_reference_name=None",
}
DATA_PATH = {
    "__init__": "datastore=None, path_on_datastore=None, name=None",
    "create_data_reference": "data_reference_name=None, datapath_compute_binding=None",
    "create_from_data_reference": "data_reference",
}
DATA_PATH_COMPUTE_BINDING = {
    "__init__": "mode='mount', path_on_compute=None, overwrite=False",
    "create_data_reference": "data_reference_name=None, datapath=None",
    "create_from_data_reference": "data_reference",
}
AS_INPUT = {
    "as_download": "input_name=None, path_on_compute=None, overwrite=None",
    "as_input": "input_name",
    "as_mount": "input_name=None",
    "create_input_binding": "input_name=None, mode=None, path_on_compute=None, overwrite=None",
}
PIPELINE_DATA = {
    "__init__": "name, datastore=None, output_name=None, output_mode='mount', output_path_on_compute=None, "
    "output_overwrite=None, data_type=None, is_directory=None, pipeline_output_name=None, "
    "training_output=None",
    **AS_INPUT,
    "get_env_variable_name": "",
}
# Its constructor is not for users: references are made by runs.
PORT_DATA_REFERENCE = {**AS_INPUT, "download": "local_path, overwrite=None, show_progress=None"}
OUTPUT_FILE_DATASET_CONFIG = {
    "__init__": "name=None, destination=None, source=None, partition_format=None",
    "as_input": "name=None",
    "as_mount": "disable_metadata_cache=False",
    "as_upload": "overwrite=False, source_globs=None",
}
INPUT_PORT_BINDING = {
    "__init__": "name, bind_object=None, bind_mode='mount', path_on_compute=None, overwrite=None, "
    "is_resource=False, additional_transformations=None",
}
OUTPUT_PORT_BINDING = {
    "__init__": "name, datastore=None, output_name=None, bind_mode='mount', path_on_compute=None, "
    "is_directory=None, overwrite=None, data_type=None, pipeline_output_name=None, training_output=None, "
    "dataset_registration=None, dataset_output=None",
}
PIPELINE = {
    "__init__": "workspace, steps, description=None, default_datastore=None, default_source_directory=None, "
    "resolve_closure=True",
    "submit": "experiment_name, pipeline_parameters=None, continue_on_step_failure=False, "
    "regenerate_outputs=False, parent_run_id=None, credential_passthrough=None",
    "validate": "",
    "publish": "name=None, description=None, version=None, continue_on_step_failure=None",
}
PIPELINE_RUN = {
    "get_pipeline_runs": "workspace, pipeline_id, _service_endpoint=None",
    "save": "path=None",
    "publish_pipeline": "name, description, version, continue_on_step_failure=None, **kwargs",
}
PUBLISHED_PIPELINE = {
    "__init__": "name, graph_id, description, version, published_pipeline_id, status, endpoint, "
    "total_run_steps, workspace, continue_on_step_failure=None, _pipeline_provider=None, **kwargs",
    "disable": "",
    "enable": "",
    "get": "workspace, id",
    "get_all": "workspace, active_only=True",
    "get_graph": "",
    "get_step_names": "",
    "list": "workspace, active_only=True",
    "save": "path=None",
    "submit": "workspace, experiment_name, pipeline_parameters=None, parent_run_id=None, "
    "continue_on_step_failure=None",
}
_CREATE_SCHEDULE = (
    "experiment_name, recurrence=None, description=None, "
    "pipeline_parameters=None, wait_for_provisioning=False, wait_timeout=3600, datastore=None, "
    "polling_interval=5, data_path_parameter_name=None, continue_on_step_failure=None, "
    "path_on_datastore=None, _workflow_provider=None, _service_endpoint=None"
)
SCHEDULE = {
    "__init__": "workspace, id, name, description, pipeline_id, status, recurrence, datastore_name, "
    "polling_interval, data_path_parameter_name, continue_on_step_failure, path_on_datastore, "
    "_schedule_provider=None, pipeline_endpoint_id=None",
    "create": f"workspace, name, pipeline_id, {_CREATE_SCHEDULE}",
    "create_for_pipeline_endpoint": f"workspace, name, pipeline_endpoint_id, {_CREATE_SCHEDULE}",
    "disable": "wait_for_provisioning=False, wait_timeout=3600",
    "enable": "wait_for_provisioning=False, wait_timeout=3600",
    "get": "workspace, id",
    "get_all": "workspace, active_only=True, pipeline_id=None, pipeline_endpoint_id=None",
    "get_last_pipeline_run": "",
    "get_pipeline_runs": "",
    "get_schedules_for_pipeline_endpoint_id": "workspace, pipeline_endpoint_id",
    "get_schedules_for_pipeline_id": "workspace, pipeline_id",
    "list": "workspace, active_only=True, pipeline_id=None, pipeline_endpoint_id=None",
    "load_yaml": "workspace, filename",
    "update": "name=None, description=None, recurrence=None, pipeline_parameters=None, status=None, "
    "wait_for_provisioning=False, wait_timeout=3600, datastore=None, polling_interval=None, "
    "data_path_parameter_name=None, continue_on_step_failure=None, path_on_datastore=None",
}
_PUBLISH_MODULE = (
    "create_sequencing_ports=True, version=None, is_default=False, {path}=None, hash_paths=None, "
    "category=None, arguments=None, runconfig=None"
)
PIPELINE_DRAFT = {
    "__init__": "workspace, id, name=None, description=None, experiment_name=None, tags=None, "
    "properties=None, graph_draft_id=None, parent_pipeline_id=None, parent_pipeline_run_id=None, "
    "parent_step_run_ids=None, parent_pipeline_draft_id=None, last_submitted_pipeline_run_id=None, "
    "_pipeline_draft_provider=None",
    "create": "workspace, pipeline, name=None, description=None, experiment_name=None, "
    "pipeline_parameters=None, continue_on_step_failure=None, tags=None, properties=None, "
    "_workflow_provider=None, _service_endpoint=None",
    "delete": "_workflow_provider=None",
    "get": "workspace, id, _workflow_provider=None, _service_endpoint=None",
    "get_graph": "_workflow_provider=None",
    "list": "workspace, tags=None, _workflow_provider=None",
    "publish": "_workflow_provider=None",
    "save": "path=None, _workflow_provider=None",
    "submit_run": "_workflow_provider=None",
    "update": "pipeline=None, name=None, description=None, experiment_name=None, tags=None, "
    "pipeline_parameters=None, continue_on_step_failure=None, _workflow_provider=None",
}
MODULE = {
    "__init__": "workspace, module_id, name, description, status, default_version, module_version_list, "
    "_module_provider=None, _module_version_provider=None",
    "create": "workspace, name, description, _workflow_provider=None",
    "deprecate": "",
    "disable": "",
    "enable": "",
    "get": "workspace, module_id=None, name=None, _workflow_provider=None",
    "get_default": "",
    "get_default_version": "",
    "get_versions": "workspace, name, _workflow_provider=None",
    "module_version_list": "",
    "publish": "description, execution_type, inputs, outputs, param_defs=None, "
    + _PUBLISH_MODULE.format(path="content_path"),
    "publish_python_script": "script_name, description, inputs, outputs, params=None, "
    + _PUBLISH_MODULE.format(path="source_directory"),
    "resolve": "version=None",
    "set_default_version": "version_id",
    "set_description": "description",
    "set_name": "name",
}
MODULE_VERSION = {
    "__init__": "workspace, module_entity, version, _module_version_provider",
    "deprecate": "",
    "disable": "",
    "enable": "",
    "get": "workspace, module_version_id=None",
    "module": "",
    "set_description": "description",
}
INPUT_PORT_DEF = {
    "__init__": "name, data_types=None, default_datastore_mode=None, default_path_on_compute=None, "
    "is_optional=False, default_overwrite=None, default_data_reference_name=None, is_resource=False, "
    "label=None, additional_transformations=None, **kwargs",
}
OUTPUT_PORT_DEF = {
    "__init__": "name, default_datastore_name=None, default_datastore_mode=None, "
    "default_path_on_compute=None, is_directory=False, data_type=None, default_overwrite=None, "
    "training_output=None, label=None",
}
PARAM_DEF = {
    "__init__": "name, default_value=None, is_metadata_param=False, is_optional=False, set_env_var=False, "
    "calculate_hash=True, env_var_override=None",
}
# SDK v1's ``params`` goes by another name here, see test_a_step_takes_every_argument_of_sdk_v1.
MODULE_STEP = {
    "__init__": "module=None, version=None, module_version=None, inputs_map=None, outputs_map=None, "
    "compute_target=None, runconfig=None, runconfig_pipeline_params=None, arguments=None, "
    "script_params=None, name=None, _workflow_provider=None",
}
SCHEDULE_RECURRENCE = {
    "__init__": "frequency, interval, start_time=None, time_zone=None, hours=None, minutes=None, "
    "week_days=None, time_of_day=None",
    "validate": "",
}
PIPELINE_ENDPOINT = {
    "__init__": "workspace, id, name, description, status, default_version, endpoint, "
    "pipeline_version_list, _pipeline_endpoint_provider=None, _published_pipeline_provider=None, "
    "_swaggerurl=None",
    "add": "pipeline",
    "add_default": "pipeline",
    "archive": "",
    "disable": "",
    "enable": "",
    "get": "workspace, id=None, name=None",
    "get_all": "workspace, active_only=True",
    "get_all_pipelines": "active_only=True",
    "get_all_versions": "",
    "get_default_version": "",
    "get_pipeline": "version=None",
    "list": "workspace, active_only=True, max_results=100",
    "list_pipelines": "active_only=True",
    "list_versions": "",
    "publish": "workspace, name, description, pipeline",
    "reactivate": "name",
    "set_default": "pipeline",
    "set_default_version": "version",
    "set_name": "name",
    "submit": "experiment_name, pipeline_parameters=None, parent_run_id=None, pipeline_version=None",
}
RUN_CONFIGURATION = {
    "__init__": "script=None, arguments=None, framework=None, communicator=None, conda_dependencies=None, "
    "_history_enabled=None, _path=None, _name=None, command=None",
}
ENVIRONMENT = {
    "__init__": "name, **kwargs",
    "clone": "new_name",
    "from_conda_specification": "name, file_path",
    "from_pip_requirements": "name, file_path, pip_version=None",
    "from_docker_image": "name, image, container_registry=None, conda_specification=None, "
    "pip_requirements=None",
}
CONDA_DEPENDENCIES = {
    "__init__": "conda_dependencies_file_path=None, _underlying_structure=None",
    "add_channel": "channel",
    "add_conda_package": "conda_package",
    "add_pip_package": "pip_package",
    "remove_conda_package": "conda_package",
    "remove_pip_package": "pip_package",
    "set_python_version": "version",
    "serialize_to_string": "",
}
COMPUTE_TARGET = {
    "create": "workspace, name, provisioning_configuration",
    "attach": "workspace, name, attach_configuration",
    "list": "workspace",
    "get_status": "",
    "refresh_state": "",
    "wait_for_completion": "show_output=False, is_delete_operation=False",
    "delete": "",
    "detach": "",
}
AML_COMPUTE = {
    "provisioning_configuration": "vm_size='', vm_priority='dedicated', min_nodes=0, max_nodes=None, "
    "idle_seconds_before_scaledown=1800, admin_username=None, admin_user_password=None, "
    "admin_user_ssh_key=None, vnet_resourcegroup_name=None, vnet_name=None, subnet_name=None, tags=None, "
    "description=None, remote_login_port_public_access='NotSpecified', identity_type=None, identity_id=None, "
    "location=None, enable_node_public_ip=True",
    "supported_vmsizes": "workspace, location=None",
    "update": "min_nodes=None, max_nodes=None, idle_seconds_before_scaledown=None",
    "wait_for_completion": "show_output=False, min_node_count=None, timeout_in_minutes=25, "
    "is_delete_operation=False",
    "get": "",
    "get_status": "",
}
DATA_FACTORY_COMPUTE = {
    "provisioning_configuration": "location=None",
    "attach_configuration": "resource_group=None, factory_name=None, resource_id=None",
}
DATABRICKS_COMPUTE = {
    "attach_configuration": "resource_group=None, workspace_name=None, resource_id=None, access_token=''",
}
_CLUSTER = (
    "existing_cluster_id=None, spark_version=None, node_type=None, instance_pool_id=None, num_workers=None, "
    "min_workers=None, max_workers=None, spark_env_variables=None, spark_conf=None, init_scripts=None, "
    "cluster_log_dbfs_path=None"
)
DATABRICKS_STEP = {
    "__init__": f"name, inputs=None, outputs=None, {_CLUSTER}, notebook_path=None, notebook_params=None, "
    "python_script_path=None, python_script_params=None, main_class_name=None, jar_params=None, "
    "python_script_name=None, source_directory=None, hash_paths=None, run_name=None, timeout_seconds=None, "
    "runconfig=None, maven_libraries=None, pypi_libraries=None, egg_libraries=None, jar_libraries=None, "
    "rcran_libraries=None, compute_target=None, allow_reuse=True, version=None, permit_cluster_restart=None",
}
REMOTE_COMPUTE = {
    "attach_configuration": "username, subscription_id=None, resource_group=None, vm_name=None, "
    "resource_id=None, address=None, ssh_port=22, password='', private_key_file='', "
    "private_key_passphrase=''",
}
EXPECTED: list[tuple[type, dict[str, str]]] = [
    (mlsteps.Workspace, WORKSPACE),
    (mlsteps.Datastore, DATASTORE),
    (mlsteps.DataReference, DATA_REFERENCE),
    (mlsteps.DataPath, DATA_PATH),
    (mlsteps.DataPathComputeBinding, DATA_PATH_COMPUTE_BINDING),
    (mlsteps.PipelineData, PIPELINE_DATA),
    (mlsteps.PortDataReference, PORT_DATA_REFERENCE),
    (mlsteps.OutputFileDatasetConfig, OUTPUT_FILE_DATASET_CONFIG),
    (mlsteps.PipelineParameter, {"__init__": "name, default_value"}),
    (InputPortBinding, INPUT_PORT_BINDING),
    (OutputPortBinding, OUTPUT_PORT_BINDING),
    (mlsteps.Pipeline, PIPELINE),
    (mlsteps.PipelineRun, PIPELINE_RUN),
    (mlsteps.PublishedPipeline, PUBLISHED_PIPELINE),
    (mlsteps.PipelineEndpoint, PIPELINE_ENDPOINT),
    (mlsteps.Schedule, SCHEDULE),
    (mlsteps.PipelineDraft, PIPELINE_DRAFT),
    (mlsteps.Module, MODULE),
    (mlsteps.ModuleVersion, MODULE_VERSION),
    (mlsteps.ModuleVersionDescriptor, {"__init__": "version, module_version_id"}),
    (mlsteps.ModuleStep, MODULE_STEP),
    (mlsteps.InputPortDef, INPUT_PORT_DEF),
    (mlsteps.OutputPortDef, OUTPUT_PORT_DEF),
    (mlsteps.ParamDef, PARAM_DEF),
    (mlsteps.ScheduleRecurrence, SCHEDULE_RECURRENCE),
    (mlsteps.StepSequence, {"__init__": "steps=None"}),
    (mlsteps.RunConfiguration, RUN_CONFIGURATION),
    (mlsteps.Environment, ENVIRONMENT),
    (mlsteps.CondaDependencies, CONDA_DEPENDENCIES),
    (mlsteps.ComputeTarget, COMPUTE_TARGET),
    (mlsteps.AmlCompute, AML_COMPUTE),
    (mlsteps.DataFactoryCompute, DATA_FACTORY_COMPUTE),
    (mlsteps.RemoteCompute, REMOTE_COMPUTE),
    (mlsteps.DatabricksCompute, DATABRICKS_COMPUTE),
    (mlsteps.DatabricksStep, DATABRICKS_STEP),
    (databricks.DatabricksCluster, {"__init__": f"{_CLUSTER}, permit_cluster_restart=None", "validate": ""}),
    (databricks.PyPiLibrary, {"__init__": "package=None, repo=None"}),
    (databricks.MavenLibrary, {"__init__": "coordinates=None, repo=None, exclusions=None"}),
    (databricks.EggLibrary, {"__init__": "library=None"}),
    (databricks.JarLibrary, {"__init__": "library=None"}),
    (databricks.RCranLibrary, {"__init__": "package=None, repo=None"}),
]
CASES = [(kind, name, text) for kind, methods in EXPECTED for name, text in methods.items()]


def parsed(text: str) -> list[inspect.Parameter]:
    namespace: dict[str, Any] = {}
    exec(f"def f({text}): pass", namespace)
    return list(inspect.signature(namespace["f"]).parameters.values())


@pytest.mark.parametrize(("kind", "name", "text"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_a_call_is_that_of_sdk_v1(kind: type, name: str, text: str) -> None:
    ours = [
        parameter
        for parameter in inspect.signature(getattr(kind, name)).parameters.values()
        if parameter.name != "self" and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    expected = parsed(text)
    if expected and expected[-1].kind is inspect.Parameter.VAR_KEYWORD:
        expected.pop()
        assert inspect.Parameter.empty not in [parameter.default for parameter in ours[len(expected) :]]
        ours = ours[: len(expected)]
    assert [parameter.name for parameter in ours] == [parameter.name for parameter in expected]
    for mine, theirs in zip(ours, expected, strict=True):
        if theirs.default is not inspect.Parameter.empty:
            assert mine.default == theirs.default, mine.name


PYTHON_SCRIPT_STEP = (
    "script_name, name=None, arguments=None, compute_target=None, runconfig=None, "
    "runconfig_pipeline_params=None, inputs=None, outputs=None, params=None, source_directory=None, "
    "allow_reuse=True, version=None, hash_paths=None"
)


def test_a_step_takes_every_argument_of_sdk_v1(tmp_path: Path) -> None:
    """By calling: Airflow's operators have ``params`` too, and a metaclass tells the two apart."""
    (tmp_path / "train.py").touch()
    values: dict[str, Any] = {parameter.name: parameter.default for parameter in parsed(PYTHON_SCRIPT_STEP)}
    values |= {
        "script_name": "train.py",
        "name": "Train",
        "arguments": ["--lr", 0.1],
        "params": {"seed": "7"},
        "source_directory": str(tmp_path),
        "version": "2",
        "hash_paths": ["x.yaml"],
    }
    step = mlsteps.PythonScriptStep(**values)
    assert (step.script_name, step.name, step.version) == ("train.py", "Train", "2")
    assert list(step.arguments) == ["--lr", "0.1"]
    assert dict(step.script_params) == {"seed": "7"}
    plain = mlsteps.PythonScriptStep("train.py", source_directory=str(tmp_path))
    assert (plain.name, list(plain.arguments)) == ("train.py", [])
    with pytest.raises((MlstepsException, TypeError)):
        mlsteps.PythonScriptStep(**values, no_such_argument=1)
