"""What servers and networks say, in words that a person can act on and without signatures."""

from __future__ import annotations

import re
import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from mlsteps.exceptions import MlstepsException
from mlsteps.launcher.redaction import redacted

if TYPE_CHECKING:
    from mlsteps.launcher.web import Answer

_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,80})</Code>")


class RefusedException(MlstepsException):
    """A server says no, and would say it again. ``status`` is the answer's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnreachableException(MlstepsException):
    """A server could not be reached, or was too busy, however often it was tried."""


def refused(address: str, answer: Answer) -> RefusedException:
    """The error for an answer that says no."""
    place, code = shown(address), code_of(answer)
    if answer.status in (401, 403):
        expiry = expires_at(address)
        if expiry is not None and expiry <= time.time():
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(expiry))
            text = (
                f"the signed address expired at {when} UTC; raise max_run_duration, "
                "from which its time is reckoned, or retry the step"
            )
        else:
            text = (
                f"the signed address was refused ({code or answer.status}). Either the key that signed it "
                "was changed, or the store does not let this machine in, or the clock of who signed is wrong"
            )
    elif answer.status == 404:
        text = f"there is nothing at this address ({code or 404})"
    else:
        text = f"the server refuses with {answer.status} {code}".rstrip()
    return RefusedException(f"{place}: {text}", answer.status)


def unreachable(address: str, problem: str, attempts: int) -> UnreachableException:
    """The error for a server that gave no useful answer."""
    often = f", though it was tried {attempts} times" if attempts > 1 else ""
    return UnreachableException(f"{shown(address)}: {problem}{often}")


def shown(address: str) -> str:
    """An address without its signature and without credentials."""
    return redacted(address.partition("?")[0])


def code_of(answer: Answer) -> str:
    """The store's own word for what is wrong, if there is one."""
    code = answer.headers.get("x-ms-error-code", "")
    if not code:
        found = _CODE.search(answer.body[:4096])
        code = found.group(1).decode() if found else ""
    return code[:80]


def is_final(error: Exception) -> bool:
    """Whether trying again cannot help."""
    return isinstance(error, (ssl.SSLCertVerificationError, UnicodeError))


def words_for(error: Exception) -> str:
    """What went wrong on the way, without a signature."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the server's certificate is not trusted ({error.verify_message}). "
            "SSL_CERT_FILE may name a file with the certificates of your network"
        )
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return "the server did not answer in time"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return redacted(f"the connection failed: {text}")


def expires_at(address: str) -> float | None:
    """When the signature in an address expires (seconds since 1970), or None if it does not tell."""
    query = parse_qs(urlsplit(address).query)
    fields = {name.lower(): values[0] for name, values in query.items()}
    if "se" in fields:
        text = re.sub(r"\.\d+Z$", "Z", fields["se"])
        return _utc(text, ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"))
    for vendor in ("amz", "goog"):
        begin = _utc(fields.get(f"x-{vendor}-date", ""), ("%Y%m%dT%H%M%SZ",))
        seconds = fields.get(f"x-{vendor}-expires", "")
        if begin is not None and seconds.isdigit():
            return begin + int(seconds)
    return float(fields["expires"]) if fields.get("expires", "").isdigit() else None


def _utc(text: str, formats: tuple[str, ...]) -> float | None:
    import calendar

    for form in formats:
        try:
            return float(calendar.timegm(time.strptime(text, form)))
        except ValueError:
            continue
    return None
