"""Pipelines that are submitted to a running Airflow, and wait until they may go on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from mlsteps import Experiment, Pipeline, PipelineData, PipelineParameter, PipelineRun, PythonScriptStep
from mlsteps.workspace import Workspace

WAIT = "import pathlib, time\nwhile not pathlib.Path({!r}).exists(): time.sleep(0.1)\n"
TELL = "import sys; print(sys.argv[1], '{}'); open(sys.argv[2], 'w').write('{}')\n"


def write(folder: Path, name: str, text: str) -> None:
    """A folder with one script of the same name."""
    (folder / name).mkdir(exist_ok=True)
    (folder / name / f"{name}.py").write_text(text)


def submit(
    client: Workspace, folder: Path, gate: Path, text: str, word: str, retries: int = 0
) -> PipelineRun:
    """A run that waits for a file, and then prints a word and a text that is in its code."""
    write(
        folder,
        "waits",
        f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.1)\n",
    )
    write(folder, "tells", TELL.format(text, text))
    data = PipelineData("data", pipeline_output_name="data")
    again = {"retries": retries, "retry_delay": timedelta(seconds=1), "retry_policy": None}
    waits = PythonScriptStep("waits.py", source_directory=folder / "waits", allow_reuse=False, **again)
    tells = PythonScriptStep(
        "tells.py",
        source_directory=folder / "tells",
        arguments=[PipelineParameter("word", "hello"), data],
        outputs=[data],
        **again,
    )
    tells.run_after(waits)
    return Experiment(client, "by hand").submit(
        Pipeline(client, [tells]), {"who": "me"}, pipeline_parameters={"word": word}
    )


def check_words(printed: str, *runs: tuple[PipelineRun, str, str]) -> None:
    """That each run had its own code, told by its text, and its own word."""
    for run, text, word in runs:
        assert run.get_pipeline_output("data").open().read() == text
        assert f"{word} {text}" in printed, printed
