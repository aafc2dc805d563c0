"""The documentation says what is true: its snippets run, its commands exist, its links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mlsteps
from mlsteps.workspace_config import read_workspace_file

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SNIPPETS = DOCS / "snippets"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_IMAGE_OR_LINK = re.compile(r"\]\(([^)\s]+)\)")
_LITERAL = re.compile(r"^```\{literalinclude\} (\S+)$", re.MULTILINE)
# Layers that the contracts have a place for already.
_REFERENCE = re.compile(r"(?<=<!-- reference -->\n).*?(?=<!-- end of reference -->)", re.DOTALL)


def _blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """The first line's number and the text of each block."""
    text = page.read_text("utf-8")
    return [
        (text[: found.start(2)].count("\n") + 1, found.group(2))
        for found in _BLOCK.finditer(text)
        if found.group(1) == language
    ]


def _typed() -> Iterator[tuple[str, list[str]]]:
    """Every command line of the pages, as words, with where it stands."""
    for page in PAGES:
        for number, block in _blocks(page, "console"):
            for line in block.splitlines():
                if line.startswith("$ "):
                    yield f"{page.name}:{number}", shlex.split(line[2:])


# Snippets


@pytest.mark.parametrize(
    "page", [page for page in PAGES if _blocks(page, "python")], ids=lambda page: page.stem
)
def test_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(SNIPPETS, project, ignore=shutil.ignore_patterns("workspace.yaml", "__pycache__"))
    lines: list[str] = []
    for number, block in _blocks(page, "python"):
        lines += [""] * (number - 1 - len(lines))  # a traceback then names the page's own line
        lines += block.splitlines()
    script = project / f"{page.stem}.py"
    script.write_text("\n".join(lines) + "\n", "utf-8")
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=project,
        env={**os.environ, "MLSTEPS_WORKSPACE": str(tmp_path / "workspace"), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=240,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["first_pipeline", "first_dag"])
def test_first_pipelines_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlsteps.dag_files import load_dags
    from mlsteps.local_airflow import run_dag

    monkeypatch.setenv("MLSTEPS_WORKSPACE", str(tmp_path))
    (dag,) = load_dags(SNIPPETS / f"{name}.py")
    finished = run_dag(dag, {"rows": 20})
    assert {task.name: task.state for task in finished.tasks}.items() >= {
        "prepare": "success",
        "train": "success",
    }.items()
    assert not finished.failed


@pytest.mark.parametrize("name", ["first_pipeline", "first_dag"])
def test_first_pipelines_are_seen_by_airflow(name: str) -> None:
    text = (SNIPPETS / f"{name}.py").read_text("utf-8").lower()
    assert "dag" in text and "airflow" in text


def test_workspace_file_of_the_docs_is_read() -> None:
    config = read_workspace_file(SNIPPETS / "workspace.yaml")
    assert config.name == "churn"
    assert config.datastores["shared"].folder == Path("/mnt/team")
    assert set(config.compute_targets) == {"local", "cpu-cluster"}
    assert (config.mlflow.conn_id, config.mlflow.max_file_mb) == ("my_mlflow", 100)


# Commands


def _commands() -> dict[str, Any]:
    from typer.main import get_command

    from mlsteps.cli.app import app

    return dict(_flat(get_command(app)))


def _flat(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """The commands of a group by their full names: ``environment lock``."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _flat(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def test_commands_of_the_docs_exist() -> None:
    commands = _commands()
    used = [(where, words) for where, words in _typed() if words[0] == "mlsteps"]
    assert used
    for where, (_, *words) in used:
        size = 2 if " ".join(words[:2]) in commands else 1
        name, rest = " ".join(words[:size]), words[size:]
        assert name in commands, f"{where}: mlsteps {name}"
        options = {option for param in commands[name].params for option in param.opts}
        for word in rest:
            if word.startswith("-"):
                assert word in options, f"{where}: mlsteps {name} {word}"


def test_commands_show_their_help() -> None:
    for words in ([], *(name.split() for name in _commands())):
        done = subprocess.run(
            [sys.executable, "-m", "mlsteps.cli", *words, "--help"],
            env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        for name in _commands() if not words else ():
            assert name.split()[0] in done.stdout


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    used = {words[1] for _, words in _typed() if words[0] == "make"}
    for page in PAGES:
        used |= set(re.findall(r"(?:`|^    )make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE))
    assert used >= {"demo", "test", "bench"}
    assert used <= targets


def test_options_of_make_bench_exist() -> None:
    text = (ROOT / "tests" / "bench" / "bench.py").read_text("utf-8")
    options = {
        word
        for _, words in _typed()
        if words[:2] == ["make", "bench"]
        for argument in words[2:]
        for word in argument.removeprefix("ARGS=").split()
    }
    assert {option for option in options if option.startswith("--")} >= {"--quick"}
    for option in options - {"bench.json"}:
        assert f'"{option}"' in text


def _reference() -> str:
    """The command line reference as Markdown, from the commands themselves."""
    parts = []
    for name, command in _commands().items():
        usage = " ".join(
            p.metavar if p.required else f"[{p.metavar.strip('[]')}]"
            for p in command.params
            if p.param_type_name == "argument"
        )
        paragraphs = [" ".join(part.split()) for part in command.help.split("\n\n")]
        rows = ["| | |", "|---|---|"]
        for param in command.params:
            is_argument = param.param_type_name == "argument"
            label = param.metavar.strip("[]") if is_argument else ", ".join(param.opts)
            if not is_argument and not getattr(param, "is_flag", False):
                label += f" {param.metavar or 'N'}"
            default = param.default if param.default not in (None, False, [], ()) else None
            shown = f" Default: `{default}`." if default is not None and not is_argument else ""
            rows.append(f"| `{label}` | {param.help}{shown} |")
        parts += [
            f"## mlsteps {name}",
            *paragraphs[:1],
            f"`mlsteps {name} {usage} [OPTIONS]`".replace("  ", " "),
        ]
        parts += [*paragraphs[1:], "\n".join(rows)]
    return "\n" + "\n\n".join(parts) + "\n\n"


def test_command_line_reference_is_that_of_the_commands() -> None:
    found = _REFERENCE.search((DOCS / "command-line.md").read_text("utf-8"))
    assert found
    assert found.group() == _reference()


# Everything else


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in _IMAGE_OR_LINK.findall(page.read_text("utf-8")):
            path, _, _ = target.partition("#")
            assert "://" not in path, f"{page.name}: {target}"
            assert (page.parent / path).exists(), f"{page.name}: {target}"


def test_files_that_are_shown_exist() -> None:
    shown = {name for page in PAGES for name in _LITERAL.findall(page.read_text("utf-8"))}
    assert shown
    for name in shown:
        assert (DOCS / name).is_file()


def test_every_public_name_is_in_the_api_reference() -> None:
    text = (DOCS / "api.md").read_text("utf-8")
    for name in mlsteps.__all__:
        if name not in ("__version__", "Run"):
            assert f":: mlsteps.{name}\n" in text
    assert ":: mlsteps.run.Run\n" in text


def test_layers_are_those_of_the_contracts() -> None:
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = re.search(r"^layers = \[(.*?)^\]", settings, re.MULTILINE | re.DOTALL)
    assert listed
    names = re.findall(r"\((\w+)\)", listed.group(1))
    drawn = re.findall(
        r'<text x="\d+" y="\d+">(\w+)</text>', (DOCS / "images" / "layers.svg").read_text("utf-8")
    )
    assert drawn == names


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 120


def _write_reference() -> None:
    page = DOCS / "command-line.md"
    page.write_text(_REFERENCE.sub(lambda _: _reference(), page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    _write_reference()
