from __future__ import annotations

import pytest

from mlsteps.exceptions import UserErrorException
from mlsteps.run import Run


def test_tags(run: Run) -> None:
    run.tag("a", 1)
    run.tag("mark")
    run.set_tags({"b": "x", "team": None})
    run.set_tags("bare")
    assert run.get_tags() == {"team": None, "a": "1", "mark": None, "b": "x", "bare": None}
    run.remove_tags(["a", "absent"])
    run.remove_tags("mark")
    assert run.tags == {"team": None, "b": "x", "bare": None}


def test_tags_are_a_copy(run: Run) -> None:
    run.tags["x"] = "y"
    assert run.tags == {"team": "blue"}


def test_properties_do_not_change(run: Run) -> None:
    run.add_properties({"a": 1})
    run.add_properties({"a": "1", "git": "abc"})
    with pytest.raises(UserErrorException, match="git='abc'"):
        run.add_properties({"git": "def", "new": "x"})
    assert run.get_properties() == run.properties == {"git": "abc", "a": "1"}


def test_the_parent_has_labels_of_its_own(run: Run) -> None:
    assert run.parent is not None
    run.parent.tag("champion", True)
    run.parent.add_properties({"git": "other"})
    assert run.parent.get_tags() == {"kind": "nightly", "champion": "True"}
    assert run.parent.properties == {"owner": "ann", "git": "other"}
    assert run.tags == {"team": "blue"}


def test_names_and_description(run: Run) -> None:
    assert (run.display_name, run.description) == ("train", None)
    run.display_name = "Train it"
    run.description = "weekly"
    run.display_name = "Train again"
    assert (run.name, run.display_name, run.description) == ("train", "Train again", "weekly")
