"""Decisions: each cause has its action and its line, and survives a record."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.exceptions import UserErrorException
from mlsteps.reuse.compare import Change
from mlsteps.reuse.decision import Cause, Decision

ORIGIN = {
    "dag_id": "compare_models",
    "run_id": "manual__2026-07-01T10:00:00+00:00",
    "task_id": "prepare",
    "map_index": -1,
    "try_number": 1,
    "name": "prepare.py",
    "created": "2026-07-01T10:00:05Z",
}
RUN = "run manual__2026-07-01T10:00:00+00:00 of compare_models"
FILE = Change("code", "prepare.py", "1", "2")
RATE = Change("argument", "--lr", "0.1", "0.2")
DAY = timedelta(days=1)

ALL = [
    (Decision.unchanged(ORIGIN), "reuse", f"reused from {RUN}: nothing changed"),
    (Decision.joined(ORIGIN), "reuse", f"reused from {RUN}, which was just making it"),
    (Decision.first(), "run", "no earlier run"),
    (Decision.changed([FILE, RATE], ORIGIN), "run", "re-run: prepare.py changed; --lr 0.1 -> 0.2"),
    (Decision.changed([]), "run", "re-run: changed"),
    (
        Decision.outputs_missing("model", ["azureml/1/model.pkl"], ORIGIN),
        "run",
        "re-run: output model is missing: azureml/1/model.pkl",
    ),
    (Decision.outputs_missing("model", []), "run", "re-run: output model is missing"),
    (
        Decision.outputs_altered("model", ["a/b", "a/c", "a/d"], ORIGIN),
        "run",
        "re-run: output model was altered: a/b and 2 more",
    ),
    (Decision.not_allowed(), "run", "re-run: allow_reuse=False"),
    (Decision.forced(), "run", "re-run: forced by regenerate_outputs"),
    (Decision.cleared(), "run", "re-run: cleared and run again"),
    (
        Decision.expired(3 * DAY, DAY, ORIGIN),
        "run",
        "re-run: the earlier result is 3 days old, reuse_max_age is 1 day",
    ),
    (
        Decision.unreadable("The kept result a.json cannot be read:\n  no such file"),
        "run",
        "re-run: the kept result a.json cannot be read: no such file",
    ),
    (Decision.unreadable("OSError: 5"), "run", "re-run: OSError: 5"),
    (Decision.unreadable(""), "run", "re-run: the earlier result cannot be read"),
    (
        Decision.waited_too_long(ORIGIN, timedelta(minutes=90)),
        "run",
        f"re-run: waited 1 hour 30 minutes in vain for {RUN}, which makes the same result",
    ),
    (
        Decision.waited_too_long(ORIGIN),
        "run",
        f"re-run: waited in vain for {RUN}, which makes the same result",
    ),
    (Decision.upstream(["prepare"]), "unknown", "unknown until step 'prepare' has run"),
    (Decision.upstream(["a", "b", "c"]), "unknown", "unknown until steps 'a', 'b' and 'c' have run"),
    (Decision.later("it is mapped"), "unknown", "unknown until it starts: it is mapped"),
]


@pytest.mark.parametrize(
    ("decision", "action", "words"), ALL, ids=[decision.cause.name for decision, _, _ in ALL]
)
def test_each_cause_has_its_action_and_words(decision: Decision, action: str, words: str) -> None:
    assert decision.action == action
    assert decision.in_words() == words


@pytest.mark.parametrize("decision", [decision for decision, _, _ in ALL])
def test_a_decision_survives_json(decision: Decision) -> None:
    plain = decision.to_plain()
    assert Decision.from_plain(json.loads(json.dumps(plain, allow_nan=False))) == decision


def test_there_is_a_function_for_every_cause() -> None:
    assert {decision.cause for decision, _, _ in ALL} == set(Cause)
    for cause in Cause:
        assert callable(getattr(Decision, cause.name.lower()))


def test_of_many_changes_the_first_are_told() -> None:
    files = [Change("code", f"{i}.py", "1", "2") for i in range(17)]
    told = "re-run: 0.py changed; 1.py changed; 2.py changed; 3.py changed; 4.py changed"
    assert Decision.changed(files).in_words() == f"{told}; and 12 more"
    assert Decision.changed(files[:5]).in_words() == told
    assert Decision.changed(files[:6]).in_words() == f"{told}; and 1 more"
    many = [*files[:6], Change("code", "30 more files", None, 30)]
    assert Decision.changed(many).in_words() == f"{told}; and 31 more"


@pytest.mark.parametrize(
    ("age", "limit", "words"),
    [
        (timedelta(hours=25), DAY, "1 day 1 hour old, reuse_max_age is 1 day"),
        (timedelta(hours=40), timedelta(hours=36), "1 day 16 hours old, reuse_max_age is 1 day 12 hours"),
        (timedelta(hours=50), DAY, "2 days old, reuse_max_age is 1 day"),
        (timedelta(days=1, seconds=1), DAY, "1 day 1 second old, reuse_max_age is 1 day"),
        (timedelta(seconds=5), timedelta(0), "5 seconds old, reuse_max_age is 0 seconds"),
        (timedelta(seconds=0.5), timedelta(0), "0 seconds old, reuse_max_age is 0 seconds"),
        (timedelta(days=800), timedelta(minutes=1), "800 days old, reuse_max_age is 1 minute"),
    ],
)
def test_ages_read_as_what_they_are(age: timedelta, limit: timedelta, words: str) -> None:
    assert Decision.expired(age, limit).in_words() == f"re-run: the earlier result is {words}"


@pytest.mark.parametrize(
    ("origin", "words"),
    [({}, "an earlier run"), ({"run_id": "r"}, "run r"), ({"dag_id": "d"}, "a run of d")],
)
def test_an_origin_need_not_be_known_wholly(origin: dict[str, Any], words: str) -> None:
    assert Decision.unchanged(origin).in_words() == f"reused from {words}: nothing changed"


def test_long_places_keep_their_end() -> None:
    words = Decision.outputs_missing("model", [f"{'folder/' * 20}model.pkl"]).in_words()
    assert words.startswith("re-run: output model is missing: …") and words.endswith("/folder/model.pkl")
    assert len(words) < 100


@given(st.text(), st.text())
def test_words_are_one_line(one: str, other: str) -> None:
    for decision in (
        Decision.unreadable(one),
        Decision.later(one),
        Decision.upstream([one, other]),
        Decision.outputs_missing(one, [other]),
        Decision.unchanged({"run_id": one, "dag_id": other}),
        Decision.changed([Change("extra", one, one, other)]),
    ):
        words = decision.in_words()
        assert len(words.splitlines()) == 1
        assert Decision.from_plain(json.loads(json.dumps(decision.to_plain()))).in_words() == words


def test_words_of_another_version_need_not_have_the_same_details() -> None:
    for cause in Cause:
        assert Decision("run", cause).in_words()


@pytest.mark.parametrize(
    "change",
    [
        {"action": "jump"},
        {"action": ["run"]},
        {"cause": "weather"},
        {"cause": None},
        {"changes": None},
        {"changes": [{"part": "code"}]},
        {"details": []},
        {"origin": "somewhere"},
        {"more": 1},
    ],
)
def test_what_is_no_decision_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UserErrorException):
        Decision.from_plain({**Decision.first().to_plain(), **change})
    with pytest.raises(UserErrorException):
        Decision.from_plain(None)
