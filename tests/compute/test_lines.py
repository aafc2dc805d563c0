"""Cutting a stream into lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.compute import lines
from mlsteps.compute.lines import MAX_LINE, LineReader


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lines, "time", clock)
    return clock


def read(*chunks: bytes) -> list[str]:
    told: list[str] = []
    reader = LineReader(told.append)
    for chunk in chunks:
        reader.feed(chunk)
    reader.close()
    return told


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """``data`` in chunks of these sizes, the rest as the last."""
    chunks = []
    for size in sizes:
        chunks.append(data[:size])
        data = data[size:]
    return [*chunks, data]


sizes = st.lists(st.integers(0, 4), max_size=40)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))), sizes)
def test_lines_come_out_as_they_went_in_however_they_are_cut(
    given_lines: list[str], sizes: list[int]
) -> None:
    data = "".join(f"{line}\n" for line in given_lines).encode()
    assert read(*cut(data, sizes)) == given_lines


@given(st.lists(st.text("aé🎻", max_size=5)), sizes)
def test_windows_line_ends_make_no_empty_lines(given_lines: list[str], sizes: list[int]) -> None:
    data = "".join(f"{line}\r\n" for line in given_lines).encode()
    assert read(*cut(data, sizes)) == given_lines


@given(st.binary(max_size=60), sizes)
def test_how_it_is_cut_makes_no_difference(data: bytes, sizes: list[int]) -> None:
    assert read(*cut(data, sizes)) == read(data)


def test_a_character_may_come_in_two_pieces() -> None:
    data = "größe 🎻\n".encode()
    assert read(*(data[i : i + 1] for i in range(len(data)))) == ["größe 🎻"]


def test_the_last_line_needs_no_end() -> None:
    assert read(b"a\nb") == ["a", "b"]
    assert read(b"a\n") == ["a"]
    assert read() == read(b"") == read(b"\r") == []


def test_empty_lines_are_lines() -> None:
    assert read(b"a\n\nb\r\n\r\nc\n") == ["a", "", "b", "", "c"]


def test_bytes_that_are_no_text_are_marked() -> None:
    assert read(b"a\xffb\n") == ["a\ufffdb"]


def test_of_a_progress_bar_the_last_state_is_told(clock: Clock) -> None:
    assert read(b" 10%\r 20%\r", b" 30%\r", b"100%\r\ndone\n") == ["100%", "done"]
    assert read(b"\r10%", b"\r20%", b"\r100%\n") == ["100%"]
    assert read(b"10%\r", b"20%") == ["20%"]
    assert read(b"10%\r", b"20%\r") == ["20%"]


def test_of_a_long_progress_bar_a_state_is_told_now_and_then(clock: Clock) -> None:
    told: list[str] = []
    reader = LineReader(told.append)
    for percent in range(100):
        clock.now += 1
        reader.feed(b"\r%d%%" % percent)
    reader.feed(b"\n")
    assert len(told) in range(9, 12)
    assert told[-1] == "99%"
    assert len(set(told)) == len(told)


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_line_after_a_silence_is_told_once(clock: Clock, end: bytes) -> None:
    """Even if it comes in pieces that end between the two characters of its end."""
    told: list[str] = []
    reader = LineReader(told.append)
    for line in (b"one", b"two"):
        clock.now += 60
        for byte in line + end:
            reader.feed(bytes([byte]))
    reader.close()
    assert told == ["one", "two"]


def test_a_progress_bar_that_ends_after_a_silence_is_told_once(clock: Clock) -> None:
    told: list[str] = []
    reader = LineReader(told.append)
    clock.now += 60
    reader.feed(b"100%\r")
    assert told == ["100%"]
    clock.now += 60
    reader.feed(b"100%\r")
    reader.feed(b"\n")
    reader.feed(b"100%\n")
    reader.close()
    assert told == ["100%", "100%"]


@pytest.mark.parametrize("size", [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 3 * MAX_LINE, 3 * MAX_LINE + 5])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("chunk", [1000, 10**9])
def test_a_long_line_is_cut(size: int, end: bytes, chunk: int) -> None:
    data = b"x" * size + end
    told = read(*(data[i : i + chunk] for i in range(0, len(data), chunk)))
    assert "".join(told) == "x" * size
    assert all(0 < len(line) <= MAX_LINE for line in told)
    assert len(told) == -(-size // MAX_LINE)


@pytest.mark.parametrize("shift", [0, 1, 2, 3])
@pytest.mark.parametrize("chunk", [1000, 10**9])
def test_a_long_line_is_not_cut_inside_a_character(shift: int, chunk: int) -> None:
    text = "x" * shift + "🎻" * (MAX_LINE // 2)
    data = text.encode() + b"\n"
    told = read(*(data[i : i + chunk] for i in range(0, len(data), chunk)))
    assert "".join(told) == text
    assert all(len(line.encode()) <= MAX_LINE for line in told)


def test_a_long_line_that_is_no_text_ends() -> None:
    told = read(b"\x80" * (2 * MAX_LINE + 10))
    assert sum(map(len, told)) == 2 * MAX_LINE + 10


def test_memory_is_bounded_by_a_line() -> None:
    reader = LineReader(lambda line: None)
    for _ in range(20):
        reader.feed(b"x" * 50_000)
        assert len(reader._pending) <= MAX_LINE
