"""Resolves a spec by whichever means serve it: the package index, or conda where the index cannot."""

from __future__ import annotations

import re
from collections.abc import Callable

from mlsteps.environment.conda_means import EXTRA, has_conda_means, solve_conda
from mlsteps.environment.lock import EnvironmentLock
from mlsteps.environment.locking import RESOLVE_TIMEOUT
from mlsteps.environment.locking import resolve as resolve_on_index
from mlsteps.environment.redaction import UrlSecrets
from mlsteps.environment.spec import PythonEnvironmentSpec
from mlsteps.exceptions import EnvironmentBuildError

_NAME = r"`?([A-Za-z0-9][A-Za-z0-9._-]*)"
_NOT_SERVED = re.compile(
    rf"{_NAME} was not found in the (?:package registry|provided)"
    rf"|there (?:is|are) no versions? of {_NAME}"
    rf"|only (?:the following versions of )?{_NAME}(?:[<>=!~]\S*)? (?:is|are) available"
    rf"|Failed to (?:download and )?build `?{_NAME}"
)


def resolve(
    spec: PythonEnvironmentSpec,
    python: str,
    on_line: Callable[[str], None],
    secrets: UrlSecrets,
    timeout: float = RESOLVE_TIMEOUT,
) -> EnvironmentLock:
    """Return the packages that ``spec`` means now, for Python ``python`` (a minor version).

    Conda's means are taken where the index says that it does not have a conda package, not in that version,
    or only as source that cannot be built here; not where it cannot be reached.

    Args:
        spec: what is asked for. Its own Python version does not matter here.
        python: such as ``3.11``.
        on_line: gets progress.
        secrets: credentials of package indexes and channels.
        timeout: seconds that each of the two may take.

    Raises:
        EnvironmentBuildError: it cannot be resolved; the text says why, and what would help.
    """
    heard: list[str] = []

    def tell(line: str) -> None:
        heard.append(line)
        on_line(line)

    try:
        return resolve_on_index(spec, python, tell, secrets, timeout)
    except EnvironmentBuildError as error:
        lacking = _not_served(spec, "\n".join([*heard, str(error)]))
        if not lacking:
            raise
        named = ", ".join(map(repr, lacking))
        if not has_conda_means():
            raise EnvironmentBuildError(
                f"{error}\nThe package index cannot serve conda package {named}. With {EXTRA} on the "
                "workers, environments of local compute are made from the conda channels instead."
            ) from error
    on_line(f"The package index cannot serve conda package {named}: all of it is taken from conda channels.")
    return solve_conda(spec, python, on_line, secrets, timeout)


def _not_served(spec: PythonEnvironmentSpec, output: str) -> list[str]:
    """The conda packages that the index's answer says it cannot serve."""
    if spec.conda is None:
        return []
    found = _NOT_SERVED.findall(" ".join(output.split()))
    names = {re.sub(r"[-_.]+", "-", name.rstrip(".")).lower() for groups in found for name in groups if name}
    return spec.conda.packages_called(names)
