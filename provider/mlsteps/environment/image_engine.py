"""What image building asks of a Docker engine: fetch, build, push, look at images."""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mlsteps.environment.docker_client import EngineAddress, docker_client
from mlsteps.environment.image_probe import ImageFacts, image_facts
from mlsteps.environment.installer import LAST_LINES
from mlsteps.environment.redaction import redact
from mlsteps.exceptions import EnvironmentBuildError

if TYPE_CHECKING:
    from docker import DockerClient

OnLine = Callable[[str], None]

_ANSWER_SECONDS = 20
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_MISSING = re.compile(
    r"No matching distribution found for (\S+)|Unable to locate package (\S+)|"
    r"Because (\S+) was not found in the package registry|PackagesNotFoundError.*?- (\S+)",
)


@dataclass(frozen=True)
class RegistryLogin:
    """Who may fetch from a container registry and push to it; shown nowhere."""

    username: str = field(repr=False)
    password: str = field(repr=False)


class ImageEngine:
    """One Docker engine, connected to when it is first needed.

    Args:
        engine: a client, a URL, or ``None`` for ``DOCKER_HOST`` or the usual socket.
        known: a folder for what is known of images.
        build_network: of builds; ``None`` for the engine's default.
        timeout: seconds without any news from the engine.
        pull: when to fetch images: ``missing``, ``always`` or ``never``.
    """

    def __init__(
        self,
        engine: DockerClient | str | None,
        known: Path,
        build_network: str | None,
        timeout: float,
        pull: str = "missing",
    ) -> None:
        self._given = engine
        self._known = known
        self._build_network = build_network
        self._timeout = int(timeout)
        self._pull = pull
        self._client: DockerClient | None = None

    @property
    def client(self) -> DockerClient:
        """The client.

        Raises:
            EnvironmentBuildError: the Docker SDK is not installed, or no engine answers.
        """
        if self._client is None:
            if isinstance(self._given, str) or self._given is None:
                address = EngineAddress(self._given)
                self._client = docker_client(
                    address, _ANSWER_SECONDS, "Images cannot be made", EnvironmentBuildError
                )
                self._client.api.timeout = self._timeout
            else:
                self._client = self._given
        return self._client

    def has(self, name: str) -> bool:
        """Whether the engine has an image of this name."""
        from docker.errors import ImageNotFound

        try:
            self.client.images.get(name)
        except ImageNotFound:
            return False
        return True

    def id_of(self, name: str) -> str:
        """The id of an image that the engine has."""
        return str(self.client.images.get(name).id)

    def facts(self, name: str, tell: OnLine, login: RegistryLogin | None) -> ImageFacts:
        """Return what an image has, fetching it if need be.

        Raises:
            EnvironmentBuildError: it cannot be fetched, or has no Python.
        """
        there = self.has(name)
        if not there and self._pull == "never":
            raise EnvironmentBuildError(
                f"The engine has no image {name!r}, and pull is 'never'. Put it there, or set pull to "
                f"'missing'."
            )
        if not there or self._pull == "always":
            tell(f"Fetching image {name}.")
            self._fetch(name, login)
        return image_facts(self.client, name, self._known)

    def fetched_as(self, name: str, tag: str, login: RegistryLogin | None) -> bool:
        """Fetch an image that another engine may have pushed, and give it the tag; whether there is one."""
        with suppress(EnvironmentBuildError):
            self._fetch(name, login)
            repository, _, version = tag.partition(":")
            self.client.images.get(name).tag(repository, version)
            return True
        return False

    def _fetch(self, name: str, login: RegistryLogin | None) -> None:
        from docker.errors import APIError

        repository, tag = _parts(name)
        try:
            self.client.images.pull(repository, tag=tag, auth_config=_auth(login))
        except APIError as error:
            reason = redact(str(error.explanation or error))
            raise EnvironmentBuildError(
                f"Image {name!r} cannot be fetched: {reason}. Look at its name, and whether its registry "
                "needs a login (docker.base_image_registry)."
            ) from error

    def build(self, context: bytes | IO[bytes], tag: str, dockerfile: str, tell: OnLine) -> None:
        """Build an image from a context archive.

        Raises:
            EnvironmentBuildError: it failed; the text has the end of the build's log, and the package that
                was missing if that is seen there.
        """
        from docker.errors import APIError

        file = io.BytesIO(context) if isinstance(context, bytes) else context
        options = {"network_mode": self._build_network} if self._build_network else {}
        try:
            events = self.client.api.build(
                fileobj=file,
                custom_context=True,
                dockerfile=dockerfile,
                tag=tag,
                rm=True,
                forcerm=True,
                decode=True,
                timeout=self._timeout,
                **options,
            )
            _follow(events, f"Building image {tag}", tell)
        except APIError as error:
            raise EnvironmentBuildError(
                f"Building image {tag} failed: {redact(str(error.explanation))}"
            ) from error

    def push(self, tag: str, name: str, login: RegistryLogin | None, tell: OnLine) -> str:
        """Push an image under another name, unless that registry has it; return the name with its digest.

        Raises:
            EnvironmentBuildError: the registry did not take it.
        """
        from docker.errors import APIError

        repository, version = _parts(name)
        with suppress(APIError):
            data = self.client.images.get_registry_data(name, auth_config=_auth(login))
            return f"{repository}@{data.id}"
        self.client.images.get(tag).tag(repository, version)
        tell(f"Pushing image {name}.")
        try:
            events = self.client.api.push(
                repository, tag=version, stream=True, decode=True, auth_config=_auth(login)
            )
            digest = _follow(events, f"Pushing image {name}", lambda line: None)
        except APIError as error:
            raise EnvironmentBuildError(
                f"Pushing image {name} failed: {redact(str(error.explanation))}"
            ) from error
        return f"{repository}@{digest}" if digest else name


def _follow(events: Iterable[Mapping[str, Any]], what: str, tell: OnLine) -> str | None:
    """Hand a build's or push's progress on to its end; the digest of what was pushed."""
    last: deque[str] = deque(maxlen=LAST_LINES)
    digest = None
    for event in events:
        digest = (event.get("aux") or {}).get("Digest", digest)
        for line in str(event.get("stream") or "").splitlines():
            shown = redact(_ANSI.sub("", line.rstrip()))
            if shown:
                last.append(shown)
                tell(shown)
        if "error" in event:
            text = redact(str(event["error"]))
            written = "\n".join(
                line for line in last if not line.startswith("Step ")
            )  # what was run, not said
            found = _MISSING.search(written)
            missing = f" There is no package {next(filter(None, found.groups()))!r}." if found else ""
            log = "\n".join(f"  {line}" for line in last) or "  (it wrote nothing)"
            raise EnvironmentBuildError(f"{what} failed: {text}.{missing} The end of its log:\n{log}")
    return digest


def _parts(name: str) -> tuple[str, str]:
    """Repository and tag or digest of an image's name."""
    if "@" in name:
        repository, _, digest = name.partition("@")
        return repository, digest
    repository, _, tag = name.rpartition(":")
    return (repository, tag) if repository and "/" not in tag else (name, "latest")


def _auth(login: RegistryLogin | None) -> dict[str, str] | None:
    return {"username": login.username, "password": login.password} if login else None
