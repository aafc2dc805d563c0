"""Jobs and results say the same on both sides, and nothing unknown passes."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.digest import digest_bytes
from mlsteps.launcher.inputs import InputFile, InputSpec
from mlsteps.launcher.job import Job, OutputSpec
from mlsteps.launcher.places import Place, ReportSpec, WebLimits, joined
from mlsteps.launcher.result import JobResult, signal_name, signal_number

text = st.text(st.characters(exclude_characters="\0"), max_size=10)
word = text.filter(bool)
path = text.map("/".__add__)
url = st.text("aé %?/", min_size=1).map(lambda name: joined("https://h/c", name))
places = st.builds(Place, url=url, query=text, dialect=st.sampled_from(["azure_blob", "plain"]))
inputs = st.builds(
    InputSpec,
    name=word,
    path=path,
    kind=st.just("directory"),
    files=st.builds(
        InputFile,
        path=st.sampled_from(["a", "b/c", "ä"]),
        size=st.integers(0, 1 << 50),
        version=st.none() | text,
        digest=st.none() | st.just(digest_bytes(b"")),
        address=st.none() | url,
    ).map(lambda file: (file,)),
    writable=st.booleans(),
    url=url,
    query=text,
)
reports = st.builds(ReportSpec, place=places, run_directory=st.none() | path)
outputs = st.lists(
    st.builds(
        OutputSpec,
        name=word,
        path=path,
        create_directory=st.booleans(),
        manifest_path=path,
        upload=st.none() | places,
        manifest_upload=st.none() | places,
        patterns=st.none() | st.lists(word, max_size=2).map(tuple),
    ),
    unique_by=(lambda output: output.name, lambda output: output.manifest_path),
    max_size=3,
).map(tuple)
jobs = st.builds(
    Job,
    command=st.lists(word, min_size=1, max_size=4).map(tuple),
    working_directory=path,
    log_directory=path,
    result_path=path,
    environment=st.dictionaries(word.filter(lambda name: "=" not in name), text, max_size=3),
    snapshot=st.none() | path | url,
    outputs=outputs,
    inputs=st.lists(inputs, max_size=2, unique_by=lambda item: item.name).map(tuple),
    files=st.dictionaries(path, text, max_size=2),
    report=st.none() | reports,
    web=st.none() | st.builds(WebLimits, threads=st.integers(1, 9)),
    delete_job_file=st.booleans(),
    inherit=st.booleans(),
    keep=st.just(("outputs", "logs")),
    keep_to=st.none() | path,
    time_limit_seconds=st.none() | st.floats(0.001, 1e9),
    grace_seconds=st.floats(0, 1e3),
    lifeline=st.booleans(),
)
results = st.builds(
    JobResult,
    exit_code=st.none() | st.integers(0, 255),
    signal=st.none() | st.just("SIGKILL"),
    started_at=st.none() | text,
    ended_at=st.none() | text,
    duration_seconds=st.floats(0, 1e9),
    timed_out=st.booleans(),
    stopped=st.sampled_from([None, "worker-gone", "terminated"]),
    error=st.none() | text,
    missing_outputs=st.lists(text, max_size=2).map(tuple),
    warnings=st.lists(text, max_size=2).map(tuple),
    stdout_tail=text,
    stderr_tail=text,
    phases=st.dictionaries(text, st.floats(0, 1e9), max_size=2),
)
JOB = Job(("python", "a.py"), "/w", "/l", "/r", {"A": "b"}, outputs=(OutputSpec("o", "out", False, "/m"),))

INPUT = InputSpec("i", "/i", "directory", (InputFile("a", 1),), url="https://h/c")


@given(jobs)
def test_a_job_survives_json(job: Job) -> None:
    assert Job.from_json(job.to_json()) == job


@given(results)
def test_a_result_survives_json(result: JobResult) -> None:
    assert JobResult.from_json(result.to_json()) == result


@given(results)
def test_only_a_flawless_result_is_a_success(result: JobResult) -> None:
    flaw = (
        result.error is not None
        or result.missing_outputs
        or result.signal
        or result.stopped
        or result.timed_out
    )
    assert result.succeeded == (result.exit_code == 0 and not flaw)


@pytest.mark.parametrize("document", [JOB, JobResult()])
def test_every_field_must_be_there_and_no_other(document: Job | JobResult) -> None:
    good: dict[str, Any] = json.loads(document.to_json())
    assert set(good) == {"kind", "version", *(field.name for field in fields(document))}
    for name in good:
        with pytest.raises(UserErrorException, match=name):
            type(document).from_json(json.dumps({key: value for key, value in good.items() if key != name}))
        with pytest.raises(UserErrorException):
            type(document).from_json(json.dumps({**good, name: {"of": ["no", "such", "type"]}}))
    with pytest.raises(UserErrorException, match="'surprise'"):
        type(document).from_json(json.dumps({**good, "surprise": 1}))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"command": ()}, "command"),
        ({"command": ("",)}, "command"),
        ({"command": ("a", "b\0")}, "NUL"),
        ({"working_directory": "relative"}, "working_directory"),
        ({"result_path": ""}, "result_path"),
        ({"snapshot": "s.zip"}, "snapshot"),
        ({"environment": {"A=B": ""}}, "A=B"),
        ({"environment": {"": ""}}, "environment variable"),
        ({"keep": ("..",)}, "keep"),
        ({"keep": ("/tmp",)}, "keep"),
        ({"keep": ("a/../..",)}, "keep"),
        ({"time_limit_seconds": 0.0}, "time_limit_seconds"),
        ({"grace_seconds": -1.0}, "grace_seconds"),
        ({"outputs": JOB.outputs * 2}, "the name 'o'"),
        ({"snapshot": "https://h/ä"}, "percent-encoded"),
        ({"files": {"relative": ""}}, "files"),
        ({"inputs": (INPUT, INPUT)}, "the name 'i'"),
        ({"outputs": (*JOB.outputs, replace(JOB.outputs[0], name="p"))}, "the manifest_path '/m'"),
    ],
)
def test_an_unusable_job_is_refused_by_field(change: dict[str, Any], named: str) -> None:
    with pytest.raises(UserErrorException, match=named):
        replace(JOB, **change)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"path": "relative"}, "absolute"),
        ({"kind": "socket"}, "kind"),
        ({"kind": "file"}, "empty path"),
        ({"url": None}, "neither the file nor the input has an address"),
        ({"url": "ftp://h"}, "https://"),
        ({"files": (InputFile("../a", 1),)}, "plain relative path"),
        ({"files": (InputFile("/a", 1),)}, "plain relative path"),
        ({"files": (InputFile("\ud800", 1),)}, "plain relative path"),
        ({"files": (InputFile("a", -1),)}, "size"),
        ({"files": (InputFile("a", 1, digest="md5:1"),)}, "digest"),
        ({"files": INPUT.files * 2}, "twice"),
    ],
)
def test_an_unusable_input_is_refused_by_field(change: dict[str, Any], named: str) -> None:
    with pytest.raises(UserErrorException, match=named):
        replace(INPUT, **change)


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (15, "SIGTERM"), (40, "SIG40")])
def test_signals_have_names(number: int, name: str) -> None:
    assert signal_name(number) == name
    assert signal_number(name) == number
