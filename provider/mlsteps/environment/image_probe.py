"""What an image has: its Python, C library and digest; found out by running it once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.data.stores import FolderStore
from mlsteps.exceptions import EnvironmentBuildError
from mlsteps.reuse.process import process_facts

if TYPE_CHECKING:
    from docker import DockerClient

# What a container of ours is for is told by other labels; by this one it is found when its worker has ended.
WORKER_LABEL = "mlsteps.worker"
_FORMAT = 1
_SECONDS = 120
_PROBE = (
    "import json, platform, sys, sysconfig; "
    "print('mlsteps' + json.dumps([sys.executable, sys.version_info[:3], platform.machine(), "
    "platform.libc_ver(), sys.prefix != sys.base_prefix]))"
)
_FIND = (
    "for python in python3 python; do "
    'if command -v "$python" >/dev/null; then exec "$python" -c "$0"; fi; done; echo mlsteps-no-python'
)


@dataclass(frozen=True)
class ImageFacts:
    """An image that this engine has.

    Args:
        name: what it is called, or was made as.
        id: of its content in this engine.
        digest: what tells it from others everywhere: the registry's digest, else the id.
        python: the path of its interpreter.
        version: of that, such as ``3.11.2``.
        machine: ``x86_64``, ``aarch64``.
        libc: name and version of the C library, such as ``glibc 2.36``; of others, such as musl, often empty.
        platform: as Docker names it: ``linux/amd64``.
    """

    name: str
    id: str
    digest: str
    python: str
    version: str
    machine: str
    libc: str
    platform: str

    @property
    def minor(self) -> str:
        """The minor version of its Python."""
        return ".".join(self.version.split(".")[:2])


def image_facts(client: DockerClient, name: str, folder: Path) -> ImageFacts:
    """Return what the image called ``name`` has; run it once, and keep the answer in ``folder``.

    Raises:
        EnvironmentBuildError: there is no Python in it, or it cannot be run.
        docker.errors.ImageNotFound: the engine does not have it.
    """
    image = client.images.get(name)
    kept, file = FolderStore(folder), f"{str(image.id).replace(':', '-')}.json"
    try:
        known = json.loads(kept.read(file))
        if known.pop("format") == _FORMAT:
            return ImageFacts(**{**known, "name": name})
    except (OSError, ValueError, TypeError, KeyError):
        pass
    digests = sorted(item.rpartition("@")[2] for item in image.attrs.get("RepoDigests") or [])
    system = f"{image.attrs.get('Os', 'linux')}/{image.attrs.get('Architecture', '')}"
    facts = _run(client, name, str(image.id), digests[0] if digests else str(image.id), system)
    kept.write(file, json.dumps({"format": _FORMAT, **asdict(facts)}).encode(), durable=False)
    return facts


def _run(client: DockerClient, name: str, id: str, digest: str, platform: str) -> ImageFacts:
    from docker.errors import APIError

    problem = f"Image {name!r}"
    try:
        text, code = _output(client, id, ["sh", "-c", _FIND, _PROBE])
    except APIError:  # no shell in it
        try:
            text, code = _output(client, id, ["python3", "-c", _PROBE])
        except APIError as error:
            reason = error.explanation or error
            raise EnvironmentBuildError(f"{problem} cannot be asked for its Python: {reason}") from error
    line = next((item for item in text.splitlines() if item.startswith("mlsteps[")), None)
    if line is None:
        if "mlsteps-no-python" in text:
            raise EnvironmentBuildError(
                f"{problem} has no Python: neither python3 nor python is on its PATH. Use an image that has "
                "one; scripts need 3.9 or newer for mlsteps.run."
            )
        raise EnvironmentBuildError(
            f"{problem} cannot be asked for its Python (exit code {code}): {text[-2000:]}"
        )
    python, version, machine, libc, _ = json.loads(line.removeprefix("mlsteps"))
    release = ".".join(map(str, version))
    return ImageFacts(name, id, digest, python, release, machine, " ".join(libc).strip(), platform)


def _output(client: DockerClient, image: str, command: list[str]) -> tuple[str, Any]:
    container = client.containers.create(
        image,
        command[1:],
        entrypoint=command[:1],
        network_mode="none",
        labels={"mlsteps": "probe", WORKER_LABEL: json.dumps(dict(process_facts()))},
    )
    try:
        container.start()
        code = container.wait(timeout=_SECONDS)["StatusCode"]
        return container.logs().decode("utf-8", "replace"), code
    finally:
        container.remove(force=True)
