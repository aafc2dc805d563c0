"""Temporary folders of jobs: gone afterwards, whatever happened to their owner."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from mlsteps.compute.scratch import ScratchFolder
from processes import at_once, folder_for_everybody, start, unprivileged

IMPORT = "from pathlib import Path; from mlsteps.compute.scratch import ScratchFolder"


def test_it_is_there_and_then_gone(tmp_path: Path) -> None:
    with ScratchFolder(tmp_path / "scratch", "job") as folder:
        assert folder == tmp_path / "scratch/job"
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "deep/er").mkdir(parents=True)
        (folder / "deep/er/file").touch()
        (folder / "link").symlink_to("/etc")
    assert os.listdir(tmp_path / "scratch") == []
    assert Path("/etc").exists()


def test_it_is_gone_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), ScratchFolder(tmp_path, "job"):
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_a_script_may_delete_it(tmp_path: Path) -> None:
    with ScratchFolder(tmp_path, "job") as folder:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    with ScratchFolder(tmp_path, "job"):
        pass
    assert os.listdir(tmp_path) == []


def owner(root: Path, name: str = "job"):  # type: ignore[no-untyped-def]
    """A process that holds a scratch folder until it is killed, or told to end."""
    code = f"""
import os, sys
{IMPORT}
with ScratchFolder(Path({str(root)!r}), {name!r}) as folder:
    (folder / "half").write_text("half")
    print("ready", flush=True)
    sys.stdin.read()
"""
    process = start(code)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_what_a_killed_owner_leaves_is_swept_by_the_next(tmp_path: Path) -> None:
    process = owner(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (tmp_path / "job/half").exists()
    with ScratchFolder(tmp_path, "other"):
        assert os.listdir(tmp_path) == ["other"]
    process.communicate()


def test_the_same_job_starts_with_an_empty_folder(tmp_path: Path) -> None:
    process = owner(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with ScratchFolder(tmp_path, "job") as folder:
        assert os.listdir(folder) == ["owner.lock"]


def test_a_living_owner_keeps_its_folder(tmp_path: Path) -> None:
    process = owner(tmp_path)
    with ScratchFolder(tmp_path, "other"):
        assert (tmp_path / "job/half").exists()
    assert (tmp_path / "job/half").exists()
    process.communicate()
    assert os.listdir(tmp_path) == []


def test_the_same_job_waits_for_its_earlier_owner(tmp_path: Path) -> None:
    process = owner(tmp_path)
    entered = threading.Event()

    def second() -> None:
        with ScratchFolder(tmp_path, "job") as folder:
            assert os.listdir(folder) == ["owner.lock"]
            entered.set()

    thread = threading.Thread(target=second)
    thread.start()
    assert not entered.wait(0.2)
    process.communicate()
    assert entered.wait(10)
    thread.join()
    assert os.listdir(tmp_path) == []


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").touch()
    (tmp_path / "file").touch()
    with ScratchFolder(tmp_path, "job"):
        pass
    assert sorted(os.listdir(tmp_path)) == ["file", "mine"]


@pytest.mark.parametrize("same", [False, True])
def test_many_at_once_do_not_take_each_other_s_folder(tmp_path: Path, same: bool) -> None:
    code = f"""
import os
for i in range(40):
    name = "job" if {same} else f"job-{{number}}-{{i % 3}}"
    with ScratchFolder(Path({str(tmp_path / "root")!r}), name) as folder:
        assert os.listdir(folder) == ["owner.lock"], os.listdir(folder)
        (folder / "mine").write_text(str(number))
        (folder / "sub").mkdir()
        assert (folder / "mine").read_text() == str(number)
"""
    at_once(IMPORT, code, tmp_path)
    assert os.listdir(tmp_path / "root") == []


def test_folders_that_a_script_made_read_only_go_too() -> None:
    with folder_for_everybody() as root, unprivileged():
        with ScratchFolder(root, "job") as folder:
            (folder / "a/b").mkdir(parents=True)
            (folder / "a/b/c").touch()
            (folder / "a/b").chmod(0o500)
            (folder / "a").chmod(0o000)
        assert os.listdir(root) == []


def test_what_cannot_be_deleted_does_not_fail_the_job_and_is_tried_again() -> None:
    with folder_for_everybody() as root:
        with unprivileged(), ScratchFolder(root, "job") as folder:
            os.seteuid(os.getuid())
            (folder / "foreign").mkdir(mode=0o700)
            (folder / "foreign/file").touch()
            if os.getuid() == 0:
                os.seteuid(65534)
        if os.getuid() == 0:
            assert (folder / "owner.lock").exists()
        with ScratchFolder(root, "next"):
            assert os.listdir(root) == ["next"]
