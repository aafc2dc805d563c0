"""The tail of a stream is what a person would have seen last, in bounded memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.launcher.output_pump import OutputPump, Tail


def tail(*blocks: bytes) -> str:
    made = Tail()
    for block in blocks:
        made.feed(block)
    return made.text()


@given(st.lists(st.text("ab\nü", max_size=30), max_size=60), st.integers(1, 50))
def test_the_last_forty_lines_are_kept_however_they_arrive(lines: list[str], size: int) -> None:
    data = "\n".join(lines).encode()
    blocks = [data[start : start + size] for start in range(0, len(data), size)]
    expected = data.decode().split("\n")
    if expected[-1] == "":
        expected.pop()
    assert tail(*blocks) == "\n".join(expected[-40:])


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_progress_bar_shows_its_last_state(size: int) -> None:
    data = b"start\r\n" + b"".join(b"\r%d%%" % percent for percent in range(101)) + b"\r\nend\r\n"
    assert tail(*(data[at : at + size] for at in range(0, len(data), size))) == "start\n100%\nend"


def test_long_lines_are_cut() -> None:
    cut = " ... [line cut]"
    assert tail(b"x" * 2000) == "x" * 2000
    assert tail(b"x" * 2001 + b"\nshort") == "x" * 2000 + cut + "\nshort"
    assert tail(*["日".encode() * 1000] * 5) == "日" * 2000 + cut
    assert tail(*["😀".encode() * 1000] * 3) == "😀" * 2000 + cut


def test_what_is_not_text_does_no_harm() -> None:
    assert tail(b"\xff\xfe\0\n") == "\ufffd\ufffd\0"


def test_a_failing_log_or_reader_does_not_stop_the_other(tmp_path: Path) -> None:
    for failing in ("log", "reader"):
        source, feeder = os.pipe()
        reader, forward = os.pipe()
        log = os.open(tmp_path / failing, os.O_CREAT | (os.O_RDONLY if failing == "log" else os.O_WRONLY))
        if failing == "reader":
            os.close(reader)
        pump = OutputPump(source, forward, log)
        pump.start()
        os.write(feeder, b"text")
        os.close(feeder)
        assert pump.drain(10)
        assert pump.tail.text() == "text"
        if failing == "log":
            assert os.read(reader, 10) == b"text"
            assert pump.problem is not None and "log" in pump.problem
            os.close(reader)
        else:
            assert (tmp_path / failing).read_text() == "text"
            assert pump.problem is None
        os.close(source)
        os.close(forward)


def test_draining_gives_up_when_the_stream_stays_open(tmp_path: Path) -> None:
    source, feeder = os.pipe()
    pump = OutputPump(
        source, os.open(os.devnull, os.O_WRONLY), os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    )
    pump.start()
    assert not pump.drain(0.05)
    os.close(feeder)
    assert pump.drain(10)
