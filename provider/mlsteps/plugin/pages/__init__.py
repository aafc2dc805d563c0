"""The page behind the tab "Reuse" of each DAG run: files that any browser may have, as they hold nothing.

What they show, the browser asks of Airflow's own API with its user's rights.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

_FOLDER = Path(__file__).parent
# Nothing is loaded from elsewhere, no script but the file's, and the page stands in Airflow's pages only.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/reuse")
def reuse_page() -> FileResponse:
    """The page."""
    return _file("reuse.html")


@router.get("/reuse.js")
def reuse_script() -> FileResponse:
    """Its script."""
    return _file("reuse.js")


def _file(name: str) -> FileResponse:
    # The page of one version must not meet the script of another.
    return FileResponse(
        _FOLDER / name, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    )
