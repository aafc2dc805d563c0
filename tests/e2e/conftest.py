"""What the Airflows of these tests have in common."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def settings() -> dict[str, str]:
    """Settings for an Airflow that has nothing to do most of the time."""
    # With the 0.05 seconds of a demo, its scheduler takes a fifth of a processor for looking around.
    return {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2"}
