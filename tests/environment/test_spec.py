from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.environment import PythonEnvironmentSpec
from mlsteps.environment.spec import normalise_python, python_matches
from mlsteps.exceptions import UserErrorException

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}(?:[-_.][a-z0-9]{1,4}){0,2}", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,2}\.[0-9]{1,2}(?:\.[0-9]{1,2})?", fullmatch=True)
REQUIREMENTS = st.lists(st.tuples(NAMES, st.sampled_from(["==", ">=", "~="]), VERSIONS), max_size=8)


def test_golden_hash() -> None:
    """A change here makes every environment be built again, everywhere: raise SPEC_FORMAT if it is meant."""
    spec = PythonEnvironmentSpec("3.10", ("numpy==1.21.*", "Scikit-Learn>=1.3"), ("--pre",))
    assert spec.spec_hash == "5ef1a9a87cc5af04dc583eccc7247b1f54688819480ef64c4b28ae49f0990509"


@given(REQUIREMENTS, st.randoms(use_true_random=False))
def test_hash_does_not_depend_on_the_spelling(
    items: list[tuple[str, str, str]], chance: random.Random
) -> None:
    plain = PythonEnvironmentSpec("3.10", tuple("".join(item) for item in items))
    respelt = []
    for name, operator, version in items:
        text = f"{chance.choice(['', ' '])}{name.replace('-', chance.choice('-_.'))} {operator} {version} "
        respelt += [text.upper() if chance.random() < 0.5 else text] * chance.randint(1, 3)
    chance.shuffle(respelt)
    other = PythonEnvironmentSpec(" 3.10.7 ", tuple(respelt))
    assert other == plain
    assert other.spec_hash == plain.spec_hash
    assert PythonEnvironmentSpec.from_plain(json.loads(json.dumps(plain.to_plain()))) == plain


@pytest.mark.parametrize(
    "other",
    [
        PythonEnvironmentSpec("3.11", ("six==1.16.0",)),
        PythonEnvironmentSpec(None, ("six==1.16.0",)),
        PythonEnvironmentSpec("3.10", ("six==1.15.0",)),
        PythonEnvironmentSpec("3.10", ("six==1.16.0", "iniconfig")),
        PythonEnvironmentSpec("3.10", ("six==1.16.0",), ("--index-url https://host/simple",)),
    ],
)
def test_hash_depends_on_what_matters(other: PythonEnvironmentSpec) -> None:
    assert other.spec_hash != PythonEnvironmentSpec("3.10", ("six==1.16.0",)).spec_hash


def test_another_token_is_the_same_environment() -> None:
    one, two = (
        PythonEnvironmentSpec(None, ("six",), (f"-i https://{user}@host/simple",)) for user in ("a:b", "c")
    )
    assert one == two
    assert one.options == ("--index-url https://host/simple",)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("3.10", "3.10"),
        ("3.10.18", "3.10"),
        ("=3.10", "3.10"),
        ("==3.10.*", "3.10"),
        ("3.10*", "3.10"),
        ("3.13.0rc1", "3.13"),
        ("3", "==3.*"),
        ("< 4, >=3.8", "<4,>=3.8"),
        ("*", None),
        ("", None),
        (None, None),
    ],
)
def test_python_version(written: str | None, canonical: str | None) -> None:
    assert normalise_python(written) == canonical
    assert normalise_python(canonical) == canonical


@pytest.mark.parametrize("written", ["three", "3.x", "3.8|3.9"])
def test_python_version_refused(written: str) -> None:
    with pytest.raises(UserErrorException, match="Python version"):
        PythonEnvironmentSpec(written)


def test_python_matches() -> None:
    assert python_matches(None, (3, 11, 7))
    assert python_matches("3.1", (3, 1, 0)) and not python_matches("3.1", (3, 11, 0))
    assert python_matches("<3.12,>=3.9", (3, 11, 7)) and not python_matches("<3.12,>=3.9", (3, 12, 0))


def test_asks_for_nothing() -> None:
    assert PythonEnvironmentSpec(options=("--pre",)).asks_for_nothing
    assert not PythonEnvironmentSpec("3.10").asks_for_nothing
    assert str(PythonEnvironmentSpec("3.10", tuple(f"p{n}" for n in range(7)))).endswith("and 2 more")
