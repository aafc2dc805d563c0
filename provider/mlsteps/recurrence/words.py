"""A rule in words, for Airflow's pages."""

from __future__ import annotations

from collections.abc import Sequence

from mlsteps.recurrence.rule import Rule
from mlsteps.recurrence.schedule_recurrence import WEEK_DAYS


def in_words(rule: Rule) -> str:
    """As ``Every 2 weeks on Monday and Friday at 06:30, Europe/Berlin``."""
    text = how_often(rule)
    if rule.days:
        text += f" on {_listed([WEEK_DAYS[day] for day in rule.days])}"
    if rule.times:
        text += f" at {_listed([f'{hour:02}:{minute:02}' for hour, minute in rule.times])}"
    begun = "first at" if rule.at_once else "from"
    return f"{text}, {begun} {rule.start:%Y-%m-%d %H:%M}, {rule.zone}"


def how_often(rule: Rule) -> str:
    """As ``Every 2 weeks``."""
    unit = rule.frequency.lower()
    return f"Every {unit}" if rule.interval == 1 else f"Every {rule.interval} {unit}s"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
