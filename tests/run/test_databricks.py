"""The run of code on a Databricks cluster, with a folder in place of its storage."""

from __future__ import annotations

import pickle
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlsteps.exceptions import RunEnvironmentException
from mlsteps.run import Run, _OfflineRun, sent
from mlsteps.run.context import RunContext
from mlsteps.run.databricks import RUNTIME_VARIABLE, ClusterPlace
from mlsteps.run.journal import read_events
from mlsteps.run.protocol import CONTEXT_FILE, JOURNAL_FILE, RUN_PLACE


@pytest.fixture
def folder(tmp_path: Path, context: RunContext, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a script is told of by its arguments."""
    made = tmp_path / "there"
    made.mkdir()
    (made / CONTEXT_FILE).write_text(replace(context, working_directory="").to_json())
    monkeypatch.setenv(RUNTIME_VARIABLE, "15.4")
    monkeypatch.setattr(sys, "argv", ["s.py", f"--{RUN_PLACE}", str(made)])
    monkeypatch.setattr(sent, "_senders", {})
    return made


def values(folder: Path) -> list[Any]:
    """What has arrived, in its order."""
    return [event.get("value") for event in read_events(folder / JOURNAL_FILE)]


def test_what_is_logged_arrives_at_once(folder: Path) -> None:
    run = Run.get_context(allow_offline=False)
    assert run is Run.get_context() and run.id == "pipe/2026:train"
    run.log("a", 1)
    assert values(folder) == [1]
    run.parent.log("b", 2)  # type: ignore[union-attr]
    with run.child_run("c") as child:
        child.log("x", 3)
    assert [value for value in values(folder) if value] == [1, 2, 3]
    assert run.get_metrics() == {"a": 1}
    run.upload_file("m", __file__)
    assert run.get_file_names() == ["m"]
    (upload,) = [event for event in read_events(folder / JOURNAL_FILE) if event["event"] == "upload"]
    assert (folder / upload["path"]).read_bytes() == Path(__file__).read_bytes()


def test_a_pickled_run_logs_too(folder: Path) -> None:
    pickle.loads(pickle.dumps(Run.get_context())).log("a", 1)
    assert values(folder) == [1]


def test_a_script_that_logs_all_the_time_does_not_send_all_the_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sent, "_FREE_SECONDS", -1.0)
    monkeypatch.setattr(sent, "_SHARE", 0.0)
    monkeypatch.setattr(sent, "_LATER_SECONDS", 3600.0)
    cells: list[Callable[..., None]] = []
    shell = types.SimpleNamespace(
        events=types.SimpleNamespace(register=lambda name, call: cells.append(call))
    )
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))  # type: ignore[arg-type]
    run = Run.get_context()
    for number in range(100):
        run.log("a", number)
    assert not (folder / JOURNAL_FILE).exists()
    (cell_ends,) = cells
    cell_ends("the result of a cell")
    assert values(folder) == list(range(100))
    run.log("a", 100)
    run.flush()
    assert values(folder)[-1] == 100


def test_what_cannot_be_sent_is_told_and_goes_with_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.get_context()
    with monkeypatch.context() as broken, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")

        def fail(*given: Any) -> None:
            raise OSError("no network")

        broken.setattr(ClusterPlace, "write", fail)
        run.log("a", 1)
    assert "no network" in str(told[0].message)
    run.log("a", 2)
    assert values(folder) == [1, 2]


def test_an_upload_that_did_not_arrive_can_be_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.get_context()

    def fail(*given: Any) -> None:
        raise OSError("no network")

    with monkeypatch.context() as broken, pytest.raises(OSError, match="no network"):
        broken.setattr(ClusterPlace, "put", fail)
        run.upload_file("m", __file__)
    assert run.get_file_names() == []
    run.upload_file("m", __file__)
    assert run.get_file_names() == ["m"]


def test_a_folder_that_cannot_be_read_is_an_error_that_names_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["s.py", f"--{RUN_PLACE}", "/nowhere"])
    with pytest.raises(RunEnvironmentException, match="at /nowhere cannot be read: FileNotFoundError"):
        Run.get_context()


def test_code_that_mlsteps_has_not_started_has_an_offline_run(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["s.py"])
    assert isinstance(Run.get_context(), _OfflineRun)


def test_elsewhere_an_argument_of_that_name_means_nothing(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.delenv(RUNTIME_VARIABLE)
    assert isinstance(Run.get_context(), _OfflineRun)


def test_urls_are_read_and_written_by_dbutils(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"abfss://c@a/run/{CONTEXT_FILE}": (folder / CONTEXT_FILE).read_text()}
    fs = types.SimpleNamespace(
        head=lambda url, most: files[url][:most],
        put=lambda url, text, overwrite: files.__setitem__(url, text),
        cp=lambda source, url: files.__setitem__(url, Path(source.removeprefix("file:")).read_text()),
    )
    widgets = types.SimpleNamespace(get={RUN_PLACE: "abfss://c@a/run/"}.__getitem__)
    dbutils = types.SimpleNamespace(fs=fs, widgets=widgets)
    monkeypatch.setattr(sys, "argv", ["kernel.py"])
    monkeypatch.setattr(sys.modules["__main__"], "dbutils", dbutils, raising=False)
    run = Run.get_context()
    run.log("a", 1)
    run.upload_file("m", __file__)
    assert '"value": 1' in files["abfss://c@a/run/journal.jsonl"].replace('":1', '": 1')
    assert files["abfss://c@a/run/uploads/self/m"] == Path(__file__).read_text()
