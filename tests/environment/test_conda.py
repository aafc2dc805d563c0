"""Reading a conda environment of this machine; the conda here is a double that answers as conda does."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlsteps.environment import Environment, plan_environment
from mlsteps.exceptions import EnvironmentBuildError

_DOUBLE = """\
#!/bin/sh
[ "$1 $2 $3" = "env export --name" ] || exit 9
if [ "$4" = broken ]; then echo "no disk at https://u:hunter2@host" >&2; exit 1; fi
if [ "$4" != work ]; then echo "EnvironmentLocationNotFound: Not a conda environment: $4" >&2; exit 1; fi
cat <<END
name: work
channels: [conda-forge]
dependencies:
  - libgcc-ng=13.2.0=h807b86f_2
  - numpy=1.23.5=py310h53a5b5f_0
  - python=3.10.13=hd12c33a_0_cpython
  - pip:
    - tqdm==4.66.1
prefix: /somewhere
END
"""


@pytest.fixture
def conda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "conda"
    program.parent.mkdir()
    program.write_text(_DOUBLE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return program


def test_an_existing_environment_gives_its_python_packages(conda: Path) -> None:
    made = Environment.from_existing_conda_environment("mine", "work")
    assert made is not None and made.name == "mine"
    plan = plan_environment(made)
    assert plan.spec is not None
    assert (plan.spec.python, plan.spec.requirements) == ("3.10", ("numpy==1.23.5", "tqdm==4.66.1"))
    assert any("libgcc-ng" in note for note in plan.notes)


def test_one_that_does_not_exist_is_none(conda: Path) -> None:
    assert Environment.from_existing_conda_environment("mine", "other") is None


def test_a_conda_that_fails_is_told_without_credentials(conda: Path) -> None:
    with pytest.raises(EnvironmentBuildError, match="does not export 'broken': no disk") as caught:
        Environment.from_existing_conda_environment("mine", "broken")
    assert "hunter2" not in str(caught.value)


def test_without_conda_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CONDA_EXE", raising=False)
    monkeypatch.delenv("MAMBA_EXE", raising=False)
    with pytest.raises(EnvironmentBuildError, match="there is no conda on this machine"):
        Environment.from_existing_conda_environment("mine", "work")
