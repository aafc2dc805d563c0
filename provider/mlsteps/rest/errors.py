"""RestError: an answer that is no success, in the form of SDK v1's service."""

from __future__ import annotations

from typing import Any

_CODES = {
    400: "UserError",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    415: "UnsupportedMediaType",
}


class RestError(Exception):
    """A request is refused.

    :param status: The HTTP status.
    :param message: What was wrong, and what to do.
    :param target: The field of the body that is meant.
    """

    def __init__(self, status: int, message: str, target: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.target = status, message, target

    def body(self) -> dict[str, Any]:
        """The answer's body."""
        code = _CODES.get(self.status, "ServiceError" if self.status >= 500 else "UserError")
        error = {"code": code, "message": self.message}
        if self.target is not None:
            error["target"] = self.target
        return {"error": error}
