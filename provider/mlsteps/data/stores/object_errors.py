"""Errors of fsspec's filesystems as ours: each has its own kinds, and some tell more than they should."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mlsteps.exceptions import DatastoreException, MlstepsException

_HIDDEN = "***"
_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")
_SIGNATURE = re.compile(
    r"(?i)\b((?:x-amz-|x-goog-)?(?:signature|credential|security-token)|sig|awsaccesskeyid|access_token"
    r"|accountkey|password|secret\w*)(=|%3d|\s*:\s*)[^&;,\s'\"}]+"
)
_SECRET_OPTIONS = re.compile(r"(?i)key|secret|token|password|sas|credential|connection_string")


@dataclass(frozen=True)
class Telling:
    """Says what went wrong with one filesystem.

    :param label: Where its credentials are from, for people: ``Airflow connection 'aws_default'``.
    :param options: What the filesystem was made with; secrets in there are kept out of all texts.
    """

    label: str
    options: Mapping[str, Any] = field(repr=False)

    @contextmanager
    def reading(self, doing: str, url: str) -> Iterator[None]:
        """A missing file is FileNotFoundError, everything else a DatastoreException."""
        try:
            yield
        except MlstepsException:
            raise
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            if answer(error)[0] == "NoSuchBucket":
                raise self._explained(error, doing, url) from None
            raise FileNotFoundError(f"There is no file at {url}") from None
        except Exception as error:  # each kind of filesystem has errors of its own
            raise self._explained(error, doing, url) from None

    @contextmanager
    def writing(self, url: str) -> Iterator[None]:
        """Everything is a DatastoreException: what is missing can only be the place to write to."""
        try:
            yield
        except MlstepsException:
            raise
        except Exception as error:
            raise self._explained(error, "Writing", url) from None

    def _explained(self, error: Exception, doing: str, url: str) -> DatastoreException:
        code, status = answer(error)
        advice = ""
        if code == "NoSuchBucket" or isinstance(error, FileNotFoundError):
            advice = " See that the bucket exists; it is not made for you."
        elif status in (401, 403) or isinstance(error, PermissionError) or _without_credentials(error):
            advice = f" What {self.label} holds does not allow it: see that the key, token or role is right."
        elif status is None and not isinstance(error, OSError | ValueError):
            advice = " See that the address is right and the service can be reached from here."
        kind = type(error).__name__ if code is None else code
        text = safe_text(error, self.options).rstrip(".")
        return DatastoreException(f"{doing} {url}: {kind}: {text}.{advice}", status=status)


def safe_text(error: BaseException, options: Mapping[str, Any]) -> str:
    """What an error says, without the secrets among the options and those that URLs hold."""
    text = str(error).strip() or type(error).__name__
    for name, value in options.items():
        if _SECRET_OPTIONS.search(name) and isinstance(value, str) and len(value) > 3:
            text = text.replace(value, _HIDDEN)
    return _SIGNATURE.sub(rf"\1\2{_HIDDEN}", _IN_URL.sub(f"{_HIDDEN}@", text))


def answer(error: BaseException) -> tuple[str | None, int | None]:
    """The service's own code and HTTP status, as far as an error of s3fs or gcsfs, or its cause, has them."""
    seen: BaseException | None = error
    while seen is not None:
        response = getattr(seen, "response", None)
        if isinstance(response, dict):  # botocore
            told = response.get("Error", {}).get("Code")
            return told, response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        code = getattr(seen, "code", getattr(seen, "status", None))  # gcsfs, aiohttp
        if isinstance(code, int):
            return None, code
        seen = seen.__cause__
    if isinstance(error, OSError) and str(error).startswith("Forbidden"):  # gcsfs
        return None, 403
    return None, None


def _without_credentials(error: Exception) -> bool:
    return "credential" in type(error).__name__.lower()
