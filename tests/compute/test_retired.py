"""What SDK v1 had and mlsteps has not can be imported, and says what to use instead."""

from __future__ import annotations

import pytest

from mlsteps import compute
from mlsteps.compute import retired
from mlsteps.exceptions import ComputeTargetException, UserErrorException
from mlsteps.steps import retired as retired_steps

COMPUTES = [kind for kind in vars(retired).values() if getattr(kind, "instead", "")]
STEPS = [kind for kind in vars(retired_steps).values() if getattr(kind, "instead", "")]


@pytest.mark.parametrize("kind", COMPUTES, ids=lambda kind: kind.__name__)
def test_a_retired_compute_target_says_what_to_use(kind: type[retired.RetiredCompute]) -> None:
    assert getattr(compute, kind.__name__) is kind
    for use in (
        lambda: kind("workspace", "name"),  # type: ignore[call-arg]
        lambda: kind.attach_configuration(resource_group="a"),
        lambda: kind.provisioning_configuration(vm_size="b"),
    ):
        with pytest.raises(ComputeTargetException, match=f"{kind.__name__} is not supported: ") as error:
            use()
        assert kind.instead in str(error.value)


@pytest.mark.parametrize("kind", STEPS, ids=lambda kind: kind.__name__)
def test_a_retired_step_says_what_to_use(kind: type[retired_steps.RetiredStep]) -> None:
    with pytest.raises(UserErrorException, match=f"Step 'x': {kind.__name__} is not supported") as error:
        kind(name="x", compute_target="y")
    assert kind.instead in str(error.value)


def test_there_are_retired_ones() -> None:
    assert len(COMPUTES) >= 8 and len(STEPS) >= 6
