"""When something recurs: SDK v1's recurrences as exact moments. Knows nothing of Airflow."""

from mlsteps.recurrence.rule import Rule
from mlsteps.recurrence.schedule_recurrence import ScheduleRecurrence
from mlsteps.recurrence.time_zones import TimeZone

__all__ = ["Rule", "ScheduleRecurrence", "TimeZone"]
