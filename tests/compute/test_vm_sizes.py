from __future__ import annotations

import pytest

from mlsteps.compute.resources import Resources
from mlsteps.compute.vm_sizes import vm_resources, vm_size_names
from mlsteps.exceptions import ComputeTargetException

GIB = 2**30


@pytest.mark.parametrize(
    ("size", "cpu", "memory", "gpus"),
    [
        ("STANDARD_D2_V2", 2, 7, 0),
        ("Standard_DS3_v2", 4, 14, 0),
        ("STANDARD_DS12_V2", 4, 28, 0),
        ("Standard_D1_v2", 1, 3.5, 0),
        ("Standard_D4s_v3", 4, 16, 0),
        ("Standard_D16ads_v5", 16, 64, 0),
        ("Standard_E8s_v3", 8, 64, 0),
        ("Standard_F4s_v2", 4, 8, 0),
        ("STANDARD_NC6", 6, 56, 1),
        ("standard_nc24s_v3", 24, 448, 4),
        ("Standard_ND40rs_v2", 40, 672, 8),
        ("Standard_NV6", 6, 56, 1),
        ("nc4as_t4_v3", 4, 28, 1),
        ("Standard_ND96amsr_A100_v4", 96, 1800, 8),
        ("Standard_E20ads_v6", 20, 160, 0),
    ],
)
def test_sizes_that_pipelines_name(size: str, cpu: int, memory: float, gpus: int) -> None:
    assert vm_resources(size, {}, "x") == Resources(cpu=cpu, memory=int(memory * GIB), gpus=gpus)


def test_a_workspace_adds_sizes_and_sees_others_otherwise() -> None:
    further = {"Standard_D2_v2": {"cpu": 1}, "tiny": {"cpu": 0.5, "memory": "1g"}}

    assert vm_resources("STANDARD_D2_V2", further, "x") == Resources(cpu=1)
    assert vm_resources("Tiny", further, "x") == Resources(cpu=0.5, memory=GIB)
    assert "STANDARD_TINY" in vm_size_names(further)
    assert "STANDARD_NC6" in vm_size_names()


def test_an_unknown_size_is_told_some_written_alike_and_how_to_add_it() -> None:
    with pytest.raises(ComputeTargetException) as error:
        vm_resources("STANDARD_NC6_V3", {}, "Compute target 'gpu'")
    text = str(error.value)
    assert text.startswith("Compute target 'gpu': the vm_size 'STANDARD_NC6_V3' is unknown. Alike are ")
    assert "STANDARD_NC6S_V3" in text
    assert "vm_sizes: {STANDARD_NC6_V3: {cpu:" in text


def test_a_size_that_a_workspace_describes_wrongly_is_named() -> None:
    with pytest.raises(ComputeTargetException, match="vm_sizes 'odd': unknown 'gpu'"):
        vm_resources("odd", {"odd": {"gpu": 1}}, "x")
