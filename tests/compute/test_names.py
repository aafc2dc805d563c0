"""Compute targets by name: as configured, as created in code, and as SDK v1's pipelines look for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlsteps import AmlCompute, ComputeTarget, DataFactoryCompute, LocalCompute, Workspace
from mlsteps.compute import ComputeConfiguration
from mlsteps.compute.resources import Resources
from mlsteps.exceptions import ComputeTargetException
from processes import at_once

CONFIGURED = """
compute_targets:
  big: {type: local}
  cpu: {type: amlcompute, vm_size: STANDARD_D2_V2, max_nodes: 3}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "workspace.yaml").write_text(CONFIGURED)
    return Workspace(folder=tmp_path)


def aml(**settings: Any) -> ComputeConfiguration:
    return AmlCompute.provisioning_configuration(**{"vm_size": "STANDARD_D3_V2", "max_nodes": 4, **settings})


def test_a_name_is_a_target_of_the_class_that_it_is(workspace: Workspace) -> None:
    assert type(ComputeTarget(workspace, "big")) is LocalCompute
    assert type(ComputeTarget(workspace=workspace, name="cpu")) is AmlCompute
    assert AmlCompute(workspace, "cpu").max_nodes == 3
    assert workspace.compute_targets["cpu"].type == "AmlCompute"
    assert {target.name for target in ComputeTarget.list(workspace)} == {"local", "big", "cpu"}


def test_an_unknown_name_is_the_error_that_sdk_v1_scripts_catch(workspace: Workspace) -> None:
    with pytest.raises(ComputeTargetException, match="'gpu'; it has big, cpu, local") as error:
        ComputeTarget(workspace, "gpu")
    assert "ComputeTargetNotFound" in error.value.message


def test_a_target_of_another_kind_is_refused_by_a_class_of_its_own(workspace: Workspace) -> None:
    with pytest.raises(ComputeTargetException, match="'big' is of type 'local', not a AmlCompute"):
        AmlCompute(workspace, "big")


def test_get_or_create_as_sdk_v1_scripts_do(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        try:
            target = ComputeTarget(workspace=workspace, name="new")
        except ComputeTargetException:
            target = ComputeTarget.create(workspace, "new", aml(min_nodes=1, tags={"team": "a"}))
        target.wait_for_completion(show_output=True, min_node_count=None, timeout_in_minutes=20)

    assert type(target) is AmlCompute and target.tags == {"team": "a"}
    assert target.provisioning_state == "Succeeded"
    status = target.get_status().serialize()
    assert status["vm_size"] == "STANDARD_D3_V2"
    assert status["scale_settings"]["maximum_node_count"] == 4
    assert "new" in workspace.compute_targets
    assert "'new' is ready" in capsys.readouterr().out
    # Another process finds it.
    assert ComputeTarget(Workspace(folder=workspace.config.source), "new").describe() == target.describe()


def test_creating_the_same_once_more_changes_nothing_and_something_else_is_refused(
    workspace: Workspace,
) -> None:
    first = ComputeTarget.create(workspace, "new", aml())

    assert ComputeTarget.create(workspace, "new", aml()).describe() == first.describe()
    with pytest.raises(ComputeTargetException, match="'new' exists already, with other settings"):
        ComputeTarget.create(workspace, "new", aml(max_nodes=9))
    first.update(max_nodes=9)
    assert AmlCompute(workspace, "new").max_nodes == first.max_nodes == 9
    assert AmlCompute(workspace, "new").vm_size == "STANDARD_D3_V2"


def test_of_many_that_create_one_name_differently_one_wins(tmp_path: Path) -> None:
    code = f"""
config = AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", max_nodes=number + 1)
try:
    print(ComputeTarget.create(Workspace(folder={str(tmp_path)!r}), "new", config).max_nodes)
except ComputeTargetException:
    print("refused")
"""
    imports = (
        "from mlsteps import AmlCompute, ComputeTarget, Workspace\n"
        "from mlsteps.exceptions import ComputeTargetException\nimport mlsteps.compute.aml_compute"
    )
    said = at_once(imports, code, tmp_path, count=4)
    (won,) = (words for words in said if words != "refused")
    assert AmlCompute(Workspace(folder=tmp_path), "new").max_nodes == int(won)


def test_what_is_configured_counts_and_is_not_deleted(workspace: Workspace) -> None:
    created = ComputeTarget.create(workspace, "cpu", aml(max_nodes=9))

    assert created.max_nodes == 3
    for change in (created.delete, created.detach, lambda: created.update(max_nodes=5)):
        with pytest.raises(ComputeTargetException, match=r"'cpu' is configured in .*workspace\.yaml; change"):
            change()


def test_a_created_one_can_be_deleted_and_one_made_in_code_has_no_name(
    workspace: Workspace,
) -> None:
    ComputeTarget.create(workspace, "new", aml()).delete()

    assert "new" not in workspace.compute_targets
    with pytest.raises(ComputeTargetException, match="was made in code"):
        LocalCompute().delete()


def test_the_registry_holds_no_secret(workspace: Workspace) -> None:
    with pytest.raises(ComputeTargetException, match="'access_token' is a secret") as error:
        ComputeConfiguration({"type": "local", "access_token": "hunter2"})
    assert "hunter2" not in str(error.value)
    ComputeTarget.create(workspace, "new", aml(admin_username="x", admin_user_password="hunter2"))
    for file in Path(workspace.location).rglob("*.json"):
        assert "hunter2" not in file.read_text()
        assert json.loads(file.read_text())["settings"]["vm_size"] == "STANDARD_D3_V2"


def test_what_is_not_a_configuration_is_refused(workspace: Workspace) -> None:
    with pytest.raises(ComputeTargetException, match=r"'new': expected .* provisioning_configuration"):
        ComputeTarget.create(workspace, "new", {"vm_size": "x"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "target",
    [
        LocalCompute("a", pass_environment=["X"], scratch="s", input_cache_gb=3),
        AmlCompute("b", "STANDARD_NC6", "lowpriority", 1, 2, 60, {"a": "b"}, "text"),
        AmlCompute("c", "mine", backend={"type": "local", "scratch": "s"}, vm_sizes={"mine": {"cpu": 2}}),
        DataFactoryCompute("d"),
    ],
    ids=lambda target: target.kind,
)
def test_a_target_is_made_again_from_what_it_says_of_itself(target: ComputeTarget) -> None:
    from mlsteps.compute import create_compute_target

    again = create_compute_target(target.name, target.describe(), vm_sizes={"mine": {"cpu": 2}})
    assert type(again) is type(target) and again.describe() == target.describe()


@pytest.mark.parametrize("number", [0, -1, "4", True, 2.5])
def test_numbers_of_nodes_that_make_no_sense(number: Any) -> None:
    with pytest.raises(ComputeTargetException, match="max_nodes one from 1"):
        aml(max_nodes=number)


def test_more_nodes_at_least_than_at_most() -> None:
    with pytest.raises(ComputeTargetException, match="min_nodes 5 is more than max_nodes 4"):
        aml(min_nodes=5)


def test_the_workspace_says_what_stands_for_an_aml_compute(tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").write_text(
        "aml_compute: {type: local, scratch: fast}\nvm_sizes: {huge: {cpu: 256, memory: 4t, gpus: 16}}"
    )
    workspace = Workspace(folder=tmp_path)
    target = ComputeTarget.create(workspace, "new", aml(vm_size="HUGE"))

    assert target.backend == {"type": "local", "scratch": "fast"}
    assert target.resources == Resources(cpu=256, memory=4 * 2**40, gpus=16)
    assert {"name": "STANDARD_HUGE", "vCPUs": 256, "gpus": 16, "memoryGB": 4096} in (
        AmlCompute.supported_vmsizes(workspace)
    )


def test_an_unknown_size_is_told_those_written_alike_before_anything_is_kept(workspace: Workspace) -> None:
    with pytest.raises(ComputeTargetException, match=r"'new': the vm_size 'STANDARD_D22_V2'.*STANDARD_D2_V2"):
        ComputeTarget.create(workspace, "new", aml(vm_size="STANDARD_D22_V2"))
    assert "new" not in workspace.compute_targets


def test_an_aml_compute_cannot_stand_for_itself() -> None:
    with pytest.raises(ComputeTargetException, match="cannot stand for an AmlCompute"):
        AmlCompute("a", backend={"type": "amlcompute"})


def test_a_data_factory_is_a_name_only(workspace: Workspace) -> None:
    made = ComputeTarget.create(workspace, "adf", DataFactoryCompute.provisioning_configuration())

    assert type(DataFactoryCompute(workspace, "adf")) is DataFactoryCompute
    with pytest.raises(ComputeTargetException, match="give it to a DataTransferStep"):
        made.run(None, None)


def test_an_engine_that_a_connection_names_is_attached_without_looking_the_connection_up(
    workspace: Workspace,
) -> None:
    settings = {"type": "docker", "engine_conn_id": "nobody_made_it", "gpus": "all"}
    ComputeTarget.attach(workspace, "gpu", ComputeConfiguration(settings))
    found = ComputeTarget(Workspace(folder=workspace.config.source), "gpu")
    assert found.describe() == {"name": "gpu", **settings}
