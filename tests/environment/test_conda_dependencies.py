from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
import yaml

from mlsteps.environment import CondaDependencies
from mlsteps.exceptions import UserErrorException

CONDA_FILE = """
name: project
channels: [defaults, conda-forge]
dependencies:
  - python=3.10.4
  - scikit-learn=1.3
  - pip:
      - azureml-defaults
      - joblib==1.2.0
"""


@pytest.fixture
def conda_file(tmp_path: Path) -> Path:
    file = tmp_path / "conda.yml"
    file.write_text(CONDA_FILE)
    return file


def test_create() -> None:
    made = CondaDependencies.create(
        pip_packages=["joblib", "six; python_version<'3.9'", "six==1.16.0; python_version>='3.9'"],
        conda_packages=["pandas", "numpy=1.21"],
        python_version="3.10.18",
    )
    assert made.get_python_version() == "3.10.18"
    assert made.conda_packages == ["pandas", "numpy=1.21"]
    assert len(made.pip_packages) == 3
    assert CondaDependencies.create().as_dict() == CondaDependencies().as_dict() == {"dependencies": []}
    assert CondaDependencies.create().get_python_version() is None


@pytest.mark.parametrize("argument", ["pip_packages", "conda_packages"])
def test_one_string_is_not_a_list(argument: str) -> None:
    with pytest.raises(UserErrorException, match="list of strings"):
        CondaDependencies.create(**{argument: "six"})  # type: ignore[arg-type]


def test_a_package_is_replaced_not_doubled() -> None:
    made = CondaDependencies.create(pip_packages=["Foo_Bar==1"], conda_packages=["numpy=1.20"])
    made.add_pip_package("foo-bar==2")
    made.add_conda_package("conda-forge::numpy=1.21")
    made.add_conda_package("python>=3.9")
    assert made.pip_packages == ["foo-bar==2"]
    assert made.conda_packages == ["conda-forge::numpy=1.21"]
    assert made.get_python_version() == ">=3.9"
    made.remove_pip_package("foo.bar")
    made.remove_conda_package("numpy")
    made.set_python_version(None)
    assert made.as_dict() == {"dependencies": []}


@pytest.mark.parametrize(
    ("entry", "version"),
    [
        ("python=3.8", "3.8"),
        ("python==3.8.1", "3.8.1"),
        ("python 3.8", "3.8"),
        ("python", None),
        ("python=3.8.12=h12debd9_0", "3.8.12"),
        ("conda-forge::python>=3.8,<4", ">=3.8,<4"),
    ],
)
def test_python_entry(entry: str, version: str | None) -> None:
    assert CondaDependencies(_underlying_structure={"dependencies": [entry]}).get_python_version() == version


def test_channels_and_options() -> None:
    made = CondaDependencies()
    made.add_channel("conda-forge")
    made.add_channel("conda-forge")
    assert made.conda_channels == ["conda-forge"]
    made.remove_channel("conda-forge")
    assert made.conda_channels == []
    made.set_pip_option("--pre")
    made.set_pip_index_url("https://one/simple")
    made.set_pip_index_url("https://two/simple")
    assert made.pip_options == ["--index-url https://two/simple", "--pre"]
    made.remove_pip_option("--pre")
    assert made.pip_options == ["--index-url https://two/simple"]
    with pytest.raises(UserErrorException, match="not a pip option"):
        made.set_pip_option("six")


def test_file_is_read_when_needed(conda_file: Path) -> None:
    made = CondaDependencies(conda_file)
    assert "not read yet" in repr(made)
    conda_file.write_text(CONDA_FILE.replace("1.2.0", "1.3.0"))
    assert made.pip_packages == ["azureml-defaults", "joblib==1.3.0"]
    assert made.get_python_version() == "3.10.4"
    assert made.conda_packages == ["scikit-learn=1.3"]
    assert made.conda_channels == ["defaults", "conda-forge"]


def test_file_that_includes_requirements(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six\n--pre\n")
    (tmp_path / "conda.yml").write_text("dependencies: [{pip: [-r requirements.txt, joblib]}]")
    made = CondaDependencies(tmp_path / "conda.yml")
    assert (made.pip_packages, made.pip_options) == (["six", "joblib"], ["--pre"])


@pytest.mark.parametrize(
    "text", ["[1, 2]", "dependencies: six", "dependencies: [{pip: six}]", "dependencies: [3]", "a: [", "\0"]
)
def test_file_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "conda.yml").write_text(text)
    with pytest.raises(UserErrorException, match="Conda specification"):
        CondaDependencies(tmp_path / "conda.yml").as_dict()


def test_missing_file_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserErrorException, match=r"no file .*missing\.yml"):
        CondaDependencies(tmp_path / "missing.yml")
    with pytest.raises(UserErrorException, match="looked in"):
        CondaDependencies("missing.yml")


def test_relative_path_is_found_beside_the_caller(
    tmp_path: Path, conda_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    code = compile("found = CondaDependencies('conda.yml').file_path", str(tmp_path / "dag.py"), "exec")
    names = {"CondaDependencies": CondaDependencies}
    exec(code, names)
    assert names["found"] == str(conda_file)


def test_saved_and_read_again(conda_file: Path, tmp_path: Path) -> None:
    made = CondaDependencies(conda_file)
    saved = made.save(tmp_path / "deep" / "saved.yml")
    assert CondaDependencies(saved) == made
    assert made.save_to_file(tmp_path, "other.yml") == "other.yml"
    assert yaml.safe_load(made.serialize_to_string()) == made.as_dict()
    assert Path(made.save(tmp_path)).name == "conda_dependencies.yml"


def test_copies_are_independent(conda_file: Path) -> None:
    for made in (CondaDependencies(conda_file), CondaDependencies.create(pip_packages=["six"])):
        for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
            assert other == made
            other.add_pip_package("more")
            assert "more" not in made.pip_packages


def test_no_credentials_in_anything_given_out(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    made = CondaDependencies.create(
        pip_indexurl="https://me:hunter2@host/simple",
        pip_packages=["x @ https://host/x.whl?sv=1&sig=hunter2", "git+https://hunter2@host/y"],
    )
    made.set_pip_option("--extra-index-url https://hunter2@other/simple")
    made.add_channel("https://me:hunter2@host/channel")
    saved = Path(made.save(tmp_path)).read_text()
    shown = [repr(made), str(made), made.serialize_to_string(), saved, str(made.as_dict()), caplog.text]
    assert "hunter2" not in "".join([*shown, *made.pip_packages, *made.pip_options, *made.conda_channels])
    assert "https://host/simple" in saved
