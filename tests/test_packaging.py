"""What is shipped: the wheel, what Airflow sees of it, and that no file tells of somebody's machine."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.version import Version

import mlsteps
from mlsteps.get_provider_info import get_provider_info

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "provider" / "mlsteps"
CONSTRAINTS = sorted((ROOT / ".ci" / "constraints").glob("airflow-*.txt"))

# What runs beside a user's script, in any Python from 3.9 on and with nothing installed.
BESIDE_THE_SCRIPT = sorted(
    [PACKAGE / "exceptions.py", *(PACKAGE / "launcher").rglob("*.py"), *(PACKAGE / "run").rglob("*.py")]
)


# ---- the wheel ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy of the checkout by the build back end that is installed here."""
    work = tmp_path_factory.mktemp("wheel")
    source = work / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("provider", "dags_examples"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    result = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(work), str(source)],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = work.glob("*.whl")
    return zipfile.ZipFile(path)


def _dist_info(wheel: zipfile.ZipFile, name: str) -> str:
    return wheel.read(f"airflow_provider_mlsteps-{mlsteps.__version__}.dist-info/{name}").decode()


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


@pytest.mark.slow
def test_the_wheel_holds_the_package_with_its_examples_and_nothing_beside_it(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    wanted = {path.relative_to(PACKAGE.parent).as_posix() for path in _files(PACKAGE)}
    wanted |= {f"mlsteps/{path.relative_to(ROOT).as_posix()}" for path in _files(ROOT / "dags_examples")}
    shipped = {name for name in names if ".dist-info/" not in name}
    assert shipped == wanted
    assert {"mlsteps/__init__.py", "mlsteps/py.typed", "mlsteps/get_provider_info.py"} <= names
    assert "Apache License" in _dist_info(wheel, "licenses/LICENSE")


@pytest.mark.slow
def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    metadata = Parser().parsestr(_dist_info(wheel, "METADATA"))
    assert metadata["Name"] == "airflow-provider-mlsteps"
    assert metadata["Version"] == mlsteps.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Framework :: Apache Airflow :: Provider" in metadata.get_all("Classifier", [])

    required = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    runtime = {item.name for item in required if item.marker is None}
    assert {"apache-airflow", "azure-storage-blob", "uv"} <= runtime
    # A provider of an optional target must not come uninvited: each is worth seconds of import time.
    assert not {name for name in runtime if name.startswith("apache-airflow-providers")}
    for item in required:
        bounded = any(spec.operator == ">=" for spec in item.specifier)
        assert bounded or item.name == "airflow-provider-mlsteps", f"{item} has no lower bound"

    entry_points = ConfigParser(delimiters=("=",))
    entry_points.optionxform = str  # type: ignore[assignment, method-assign]
    entry_points.read_string(_dist_info(wheel, "entry_points.txt"))
    assert dict(entry_points["console_scripts"]) == {"mlsteps": "mlsteps.cli:main"}
    assert dict(entry_points["airflow.plugins"]) == {"mlsteps": "mlsteps.plugin:MlstepsPlugin"}
    assert dict(entry_points["apache_airflow_provider"]) == {
        "provider_info": "mlsteps.get_provider_info:get_provider_info"
    }


# ---- what Airflow sees ----------------------------------------------------------------------------


@pytest.mark.smoke
def test_provider_info_has_the_shape_that_airflow_asks_for(airflow_home: Path) -> None:
    import airflow
    from jsonschema import Draft7Validator

    info = get_provider_info()
    folder = Path(airflow.__file__).parent
    schema = json.loads((folder / "provider_info.schema.json").read_text(encoding="utf-8"))
    Draft7Validator(schema).validate(info)
    assert info["versions"][0] == mlsteps.__version__

    # The run-time schema lets connection fields pass unseen; the one that providers are written in does not.
    schema = json.loads((folder / "provider.yaml.schema.json").read_text(encoding="utf-8"))
    Draft7Validator(schema["properties"]["connection-types"]).validate(info["connection-types"])


def test_provider_info_names_modules_that_exist() -> None:
    info = get_provider_info()
    named = [
        module
        for kind in ("operators", "sensors", "hooks", "triggers")
        for item in info.get(kind, [])
        for module in item["python-modules"]
    ]
    named += [item["hook-class-name"].rpartition(".")[0] for item in info["connection-types"]]
    named += [item.rpartition(".")[0] for item in info.get("extra-links", [])]
    for module in named:
        path = PACKAGE.parent.joinpath(*module.split("."))
        assert path.with_suffix(".py").exists() or (path / "__init__.py").exists(), f"no module {module}"


@pytest.mark.slow
@pytest.mark.smoke
def test_airflow_lists_the_provider_its_connection_its_options_and_its_plugin(tmp_path: Path) -> None:
    providers, hooks, plugins, home = _airflow(
        tmp_path,
        "providers list --output json",
        "providers hooks --output json",
        "plugins --output json",
        "config get-value mlsteps home",
    )
    (ours,) = (p for p in _json(providers) if p["package_name"] == "airflow-provider-mlsteps")
    assert ours["version"] == mlsteps.__version__
    (ours,) = (hook for hook in _json(hooks) if hook["connection_type"] == "mlsteps")
    assert ours["class"] == "mlsteps.hooks.workspace.WorkspaceHook"
    assert "mlsteps" in {plugin["name"] for plugin in _json(plugins)}
    assert home.strip().splitlines()[-1] == f"{tmp_path}/mlsteps"


# What the "airflow" command does, for one command after the other.
AIRFLOW = """
import sys
from airflow.__main__ import main

for command in sys.argv[1:]:
    sys.argv = ["airflow", *command.split()]
    main()
    print("=" * 80, flush=True)
"""


def _airflow(home: Path, *commands: str) -> list[str]:
    """Output of each ``airflow`` command, in a home of its own; one process for all, as one takes seconds."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    result = subprocess.run(
        [sys.executable, "-c", AIRFLOW, *commands], capture_output=True, text=True, env=environ, timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr
    outputs = result.stdout.split("=" * 80 + "\n")
    assert outputs.pop() == ""
    return outputs


def _json(output: str) -> Any:
    # Warnings come first on some versions; the answer starts a line.
    start = re.search(r"^\[\s*(\{|\]|$)", output, re.MULTILINE)
    return json.loads(output[start.start() :] if start else output)


@pytest.mark.smoke
def test_what_airflow_imports_everywhere_is_light() -> None:
    # Every command reads the provider info: it must not pay for Airflow, nor for a single dependency.
    code = (
        "import sys; before = set(sys.modules);"
        "import mlsteps.get_provider_info as it; it.get_provider_info();"
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before}))"
    )
    names = _python(code).split()
    assert set(names) - set(sys.stdlib_module_names) == {"mlsteps"}

    # Every task process imports the plugin.
    code = (
        "import sys; import airflow.plugins_manager; before = set(sys.modules); import mlsteps.plugin;"
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before}))"
    )
    names = _python(code).split()
    heavy = {"azure", "databricks", "docker", "fastapi", "kubernetes", "numpy", "pandas", "rich", "typer"}
    assert not heavy & set(names)


def _python(code: str) -> str:
    """What a fresh interpreter prints for a program."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


# ---- what runs beside the script ------------------------------------------------------------------


@pytest.mark.parametrize("path", BESIDE_THE_SCRIPT, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_beside_the_script_python_3_9_and_its_standard_library_are_enough(path: Path) -> None:
    relative = path.relative_to(PACKAGE)
    # The launcher is a zip of its own; run and exceptions go along with the user's script.
    own = "launcher" if relative.parts[0] == "launcher" else "run"
    allowed = {"mlsteps.exceptions", f"mlsteps.{own}"}
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 9))
    for node in _walk_what_runs(tree):
        for module in _imported(node):
            if module.partition(".")[0] != "mlsteps":
                assert module.partition(".")[0] in sys.stdlib_module_names, f"line {node.lineno}: {module}"
            else:
                fits = any(module == name or module.startswith(name + ".") for name in allowed)
                assert fits or module == "mlsteps", f"line {node.lineno}: {module}"


def _walk_what_runs(node: ast.AST) -> Iterator[ast.stmt]:
    """Every statement below a node, but for what stands under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.stmt):
            yield child
        yield from _walk_what_runs(child)


def _imported(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [node.module or ""]
    return []


# ---- constraints and tracked files ----------------------------------------------------------------


@pytest.mark.parametrize("path", CONSTRAINTS, ids=lambda path: path.stem)
def test_constraints_are_exact_versions_and_nothing_else(path: Path) -> None:
    release = path.stem.removeprefix("airflow-")
    pins: dict[str, list[Requirement]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        requirement = Requirement(line)
        assert requirement.url is None, line
        assert not requirement.extras, line
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", line
        assert Version(specifier.version).local is None, f"{line}: a version that only some machine has"
        pins.setdefault(requirement.name, []).append(requirement)
    assert "airflow-provider-mlsteps" not in pins
    (airflow,) = pins["apache-airflow"]
    assert str(airflow.specifier).startswith(f"=={release}.")

    # On each Python every name has one version at most, and what the provider itself needs has exactly one.
    wanted = {"apache-airflow", "azure-storage-blob", "pathspec", "pendulum", "pyyaml", "typer", "uv"}
    wanted |= {"apache-airflow-providers-docker", "mypy", "pandas", "pytest", "ruff", "sphinx"}
    for python in ("3.10", "3.11", "3.12", "3.13"):
        for name, requirements in pins.items():
            found = [item for item in requirements if _holds(item.marker, python)]
            assert len(found) <= 1, f"{name} on Python {python}: {found}"
            assert found or name not in wanted, f"{name} is not pinned for Python {python}"


def _holds(marker: Marker | None, python: str) -> bool:
    return marker is None or marker.evaluate({"python_version": python, "python_full_version": f"{python}.9"})


def test_there_are_constraints_for_each_airflow_that_is_supported() -> None:
    assert [path.stem for path in CONSTRAINTS] == ["airflow-3.1", "airflow-3.2", "airflow-3.3"]


# In pieces, so that this file does not find itself.
_INDEX_HOSTS = (
    "py" + "pi.org",
    "pythonho" + "sted.org",
    "registry.npm" + "js.org",
    "artif" + "actory",
    "nexus",
    "devpi",
)
_MADE_UP_HOSTS = re.compile(
    r"(?:[^.]+|.*\.?example\.(?:com|net|org)|.*\.(?:example|invalid|test)|127\.0\.0\.1)"
)
_FOLDERS = re.compile(
    r"(?<![\w.$}/-])/(?:ro" + r"ot|wo" + r"rk)/|fi" + r"le:///(?:home|opt|ro" + r"ot|wo" + r"rk)/"
)


def _tells_of_a_machine(line: str) -> bool:
    """Whether a line holds the address of a package index, or a path that only one machine has."""
    for url in re.findall(r"https?://[^\s\"'`<>()\[\],]+", line):
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2].partition(":")[0].lower()
        if _MADE_UP_HOSTS.fullmatch(host):
            continue
        if parts.path.rstrip("/").endswith("/simple") or any(name in host for name in _INDEX_HOSTS):
            return True
    return _FOLDERS.search(line) is not None


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_no_file_names_a_package_index_or_a_folder_of_somebodys_machine() -> None:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    found = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if not path.is_file() or path.is_symlink():
            continue
        content = path.read_bytes()
        if b"\0" in content[:8192]:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            if _tells_of_a_machine(line):
                found.append(f"{name}:{number}: {line.strip()[:120]}")
    assert listed, "git lists no files"
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "tells"),
    [
        ("--index-url https://user:secret@pypi.acme.io/" + "simple", True),
        ("index = 'http://10.1.2.3:8080/" + "simple/'", True),
        ("https://files.pythonho" + "sted.org/packages/a.whl", True),
        ("registry=https://registry.npm" + "js.org/", True),
        ("cd /wo" + "rk/main", True),
        ("HOME=/ro" + "ot/.pyenv", True),
        ("find-links = fi" + "le:///opt/wheels", True),
        ("see https://py" + "pi.org/project/uv/", True),
        ("--index-url https://me:secret@host/simple", False),
        ("--index-url https://pypi.example.com/simple", False),
        ("$HOME/wo" + "rk/data and /data/wo" + "rk/", False),
    ],
)
def test_the_scan_for_machines_sees(line: str, tells: bool) -> None:
    assert _tells_of_a_machine(line) is tells
