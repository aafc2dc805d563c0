"""Differences of two command lines, by the options that people gave, not by words."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mlsteps.reuse.canonical import Json
from mlsteps.reuse.change import Change
from mlsteps.reuse.words import ORDER_OF_ARGUMENTS

# A negative number is a value.
_OPTION = re.compile(r"--?[A-Za-z_][^\s=]*")
_PYTHON = re.compile(r"python[0-9.]*(\.exe)?")
_PYTHON_VALUES = ("-W", "-X", "--check-hash-based-pycs")


@dataclass(frozen=True)
class _Argument:
    """An option with the words that follow it, or a word that follows no option.

    :param words: As they stand in the command.
    :param name: The option, or empty.
    :param place: Of its first word, counted from 1.
    """

    words: tuple[str, ...]
    name: str
    values: tuple[str, ...]
    place: int

    @property
    def label(self) -> str:
        return self.name or f"argument {self.place}"

    @property
    def value(self) -> Json:
        if len(self.values) == 1:
            return self.values[0]
        return list(self.values) or None


_Place = tuple[int, _Argument]  # with the number of the block of differences that it is in


def command_changes(before: Sequence[str], after: Sequence[str]) -> list[Change]:
    """What differs between two commands; empty only if nothing does.

    The program, of Python also its script, comes first. Of options that are told apart by name each is told
    once: ``--lr 0.1`` and ``--lr=0.1`` alike.
    """
    if tuple(before) == tuple(after):
        return []
    (old_program, old_words), (new_program, new_words) = _split(before), _split(after)
    found = []
    if old_program != new_program:
        found.append(Change("command", "command", old_program, new_program))
    found += _argument_changes(old_words, new_words)
    return found or [
        Change("command", "command", list(before), list(after))
    ]  # as by quotes in a shell's line


def without_parameters(arguments: Sequence[Change], parameters: Iterable[Change]) -> list[Change]:
    """``arguments`` without those that changed only as a parameter did, whose change is told already.

    Where one of several such arguments is called like a parameter the others stay: that their values are the
    same may be chance.
    """
    told: dict[tuple[str, str], set[str]] = {}
    for parameter in parameters:
        if parameter.action == "changed":
            told.setdefault((str(parameter.before), str(parameter.after)), set()).add(_bare(parameter.name))
    groups: dict[frozenset[tuple[str, str]], list[Change]] = {}
    for argument in arguments:
        pairs = _different_words(argument)
        if pairs and pairs <= told.keys():
            groups.setdefault(pairs, []).append(argument)
    dropped: list[Change] = []
    for pairs, group in groups.items():
        names = set().union(*(told[pair] for pair in pairs))
        dropped += [argument for argument in group if _bare(argument.name) in names] or group
    return [argument for argument in arguments if not any(argument is other for other in dropped)]


def _split(command: Sequence[str]) -> tuple[list[str], list[str]]:
    """The program, with Python's own options and its script, and the arguments."""
    words = list(command)
    if len(words) == 1:
        with contextlib.suppress(ValueError):  # an open quote: one word then
            words = shlex.split(words[0]) or words
    if not words or not _PYTHON.fullmatch(os.path.basename(words[0]).lower()):
        return words[:1], words[1:]
    end = 1
    while end < len(words) and words[end].startswith("-") and words[end] not in ("-m", "-c", "-"):
        end += 2 if words[end] in _PYTHON_VALUES else 1
    end += 2 if words[end : end + 1] in (["-m"], ["-c"]) else 1
    return words[:end], words[end:]


def _arguments(words: Sequence[str]) -> Iterator[_Argument]:
    start, options_end = 0, False
    while start < len(words):
        word, end = words[start], start + 1
        option = None if options_end else _OPTION.match(word)
        options_end = options_end or word == "--"
        if option is None:
            yield _Argument((word,), "", (word,), start + 1)
        elif option.end() < len(word):
            if word[option.end()] == "=":
                yield _Argument((word,), option.group(), (word[option.end() + 1 :],), start + 1)
            else:
                yield _Argument((word,), "", (word,), start + 1)
        else:
            while end < len(words) and words[end] != "--" and not _OPTION.match(words[end]):
                end += 1
            yield _Argument(tuple(words[start:end]), word, tuple(words[start + 1 : end]), start + 1)
        start = end


def _argument_changes(before: Sequence[str], after: Sequence[str]) -> list[Change]:
    old, new = list(_arguments(before)), list(_arguments(after))
    removed: list[_Place] = []
    added: list[_Place] = []
    pairs: list[tuple[_Argument, _Argument]] = []
    matcher = difflib.SequenceMatcher(
        None, [item.words for item in old], [item.words for item in new], autojunk=False
    )
    for block, (tag, i, j, k, m) in enumerate(matcher.get_opcodes()):
        if tag == "equal":
            pairs += zip(old[i:j], new[k:m], strict=True)
        else:
            removed += [(block, item) for item in old[i:j]]
            added += [(block, item) for item in new[k:m]]
    pairs += _take_pairs(removed, added, lambda block, item: (block, item.name))
    pairs += _take_pairs(removed, added, lambda block, item: item.words)
    pairs += _take_pairs(removed, added, lambda block, item: item.name or block)

    found = [(new.place, _changed(old, new)) for old, new in pairs if old.words != new.words]
    found += [
        (item.place, Change("argument", item.label, item.value, None, "removed")) for _, item in removed
    ]
    found += [(item.place, Change("argument", item.label, None, item.value, "added")) for _, item in added]
    changes = [change for _, change in sorted(found, key=lambda item: (item[0], item[1].action))]
    places = [new.place for _, new in sorted(pairs, key=lambda pair: pair[0].place)]
    if places != sorted(places):
        changes.append(Change("argument", ORDER_OF_ARGUMENTS, list(before), list(after)))
    return changes


def _take_pairs(
    removed: list[_Place], added: list[_Place], alike: Callable[[int, _Argument], object]
) -> list[tuple[_Argument, _Argument]]:
    """Take what is ``alike`` out of both lists, the first with the first."""
    waiting: dict[object, list[_Place]] = {}
    for place in removed:
        waiting.setdefault(alike(*place), []).append(place)
    pairs, left = [], []
    for place in added:
        others = waiting.get(alike(*place))
        if others:
            pairs.append((others.pop(0)[1], place[1]))
        else:
            left.append(place)
    gone = {id(old) for old, _ in pairs}
    removed[:] = [place for place in removed if id(place[1]) not in gone]
    added[:] = left
    return pairs


def _changed(old: _Argument, new: _Argument) -> Change:
    if old.values == new.values:  # written with a blank, then with "="
        return Change("argument", new.label, " ".join(old.words), " ".join(new.words))
    return Change("argument", new.label, old.value, new.value)


def _different_words(argument: Change) -> frozenset[tuple[str, str]]:
    """The words that differ, before and after; none where they cannot be told in pairs."""
    if argument.part != "argument" or argument.action != "changed" or argument.name == ORDER_OF_ARGUMENTS:
        return frozenset()
    before, after = _words(argument.before), _words(argument.after)
    if len(before) != len(after):
        return frozenset()
    return frozenset((old, new) for old, new in zip(before, after, strict=True) if old != new)


def _words(value: Json) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    return [] if value is None else [str(value)]


def _bare(name: str) -> str:
    return name.lstrip("-").replace("-", "_").lower()
