"""Files of Unity Catalog Volumes: they are bytes and no JSON, and the provider's hook cannot send those."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

PREFIX = "/Volumes/"


class Volumes:
    """The Files API of a workspace, with the address, credentials and patience of the provider's hook.

    Its methods raise what ``requests`` raises.

    :param hook: A DatabricksHook.
    """

    def __init__(self, hook: Any) -> None:
        self._hook = hook

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        from requests import HTTPError

        try:
            self._ask("HEAD", "files", path)
        except HTTPError as error:
            if error.response is None or error.response.status_code != 404:
                raise
            return False
        return True

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it; one that is there is no error."""
        self._ask("PUT", "directories", path)

    def write(self, path: str, data: bytes) -> None:
        """Write a file, or replace it."""
        self._ask("PUT", "files", path, data, {"overwrite": "true"})

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        return bytes(self._ask("GET", "files", path).content)

    def _ask(
        self,
        method: str,
        kind: str,
        path: str,
        data: bytes | None = None,
        query: dict[str, str] | None = None,
    ) -> Any:
        import requests
        from tenacity import RetryError

        hook = self._hook
        address = hook._endpoint_url(f"api/2.0/fs/{kind}{quote(path)}")
        headers = {**hook.user_agent_header, **hook._get_aad_headers()}
        token = hook._get_token()
        auth = None if token else (hook.databricks_conn.login, hook.databricks_conn.password)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if data is not None:
            headers["Content-Type"] = "application/octet-stream"
        try:
            for attempt in hook._get_retry_object():
                with attempt:
                    answer = requests.request(
                        method,
                        address,
                        params=query,
                        data=data,
                        headers=headers,
                        auth=auth,
                        timeout=hook.timeout_seconds,
                        **hook._get_requests_kwargs(),
                    )
                    answer.raise_for_status()
                    return answer
        except RetryError as error:
            raise error.last_attempt.exception() or error from None
        raise AssertionError("a retry ends with an answer or an error")
