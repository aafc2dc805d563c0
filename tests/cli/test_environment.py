"""``mlsteps environment lock`` as a user calls it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from cli.conftest import Finished
from environment.conda_channel import Channel
from environment.conftest import make_wheel


def test_a_file_is_locked_until_it_is_refreshed(mlsteps: Callable[..., Finished], tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "moving", "1.0")
    file = tmp_path / "requirements.txt"
    file.write_text(f"--no-index\n--find-links {wheels}\nmoving\n")

    first = mlsteps("environment", "lock", str(file))
    assert (first.status, first.out) == (0, "moving==1.0\n")
    assert "Resolving" in first.err

    make_wheel(wheels, "moving", "2.0")
    again = mlsteps("environment", "lock", str(file), "--json")
    assert again.last_json["packages"] == ["moving==1.0"]
    assert "Resolving" not in again.err

    assert mlsteps("environment", "lock", str(file), "--refresh").out == "moving==2.0\n"
    assert mlsteps("environment", "lock", str(file)).out == "moving==2.0\n"
    other = mlsteps("environment", "lock", str(file), "--python", "3.10", "--json")
    assert other.last_json["python"] == "3.10"


@pytest.mark.skipif(find_spec("rattler") is None, reason="the extra conda (py-rattler) is not installed")
def test_a_conda_file_that_the_index_cannot_serve_is_locked(
    mlsteps: Callable[..., Finished], tmp_path: Path
) -> None:
    channel = Channel(tmp_path / "channel")
    channel.add_python()
    channel.add_module("gribtool", "2.1")
    file = tmp_path / "environment.yml"
    pip = "- pip: [--no-index]"
    file.write_text(f"channels: [{channel.url}, nodefaults]\ndependencies:\n- gribtool\n{pip}\n")
    settings = {"HOME": str(tmp_path), "RATTLER_CACHE_DIR": str(tmp_path / "cache")}

    first = mlsteps("environment", "lock", str(file), **settings)
    assert first.out.splitlines()[0] == "gribtool=2.1=py_0"
    assert "2 conda packages" in first.err
    channel.add_module("gribtool", "3.0")
    assert mlsteps("environment", "lock", str(file), **settings).out == first.out
    newer = mlsteps("environment", "lock", str(file), "--refresh", "--json", **settings).last_json
    assert [item["version"] for item in newer["conda"] if item["name"] == "gribtool"] == ["3.0"]
    assert all(item["url"].startswith("file:") and item["sha256"] for item in newer["conda"])


def test_mistakes_are_told_in_words(mlsteps: Callable[..., Finished], tmp_path: Path) -> None:
    unknown = mlsteps("environment", "lock", "nobody")
    assert unknown.status == 2
    assert "no environment 'nobody'" in unknown.err
    empty = tmp_path / "empty.txt"
    empty.write_text("# nothing\n")
    assert "asks for no packages" in mlsteps("environment", "lock", str(empty)).err
