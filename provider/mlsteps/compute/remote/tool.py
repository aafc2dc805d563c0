"""Packs what runs on the other machine besides the launcher."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from pathlib import Path

_COMPUTE = Path(__file__).resolve().parent.parent
# Any Python reads this far, and one that is too old says so instead of showing a syntax error.
_MAIN = """\
import sys

if sys.version_info < (3, 9):
    sys.exit("python is %d.%d, and 3.9 or newer is needed" % sys.version_info[:2])
from mlsteps.compute.remote.there import main

main()
"""


@cache
def tool_zip() -> bytes:
    """The zip file that runs as ``python -I -S tool.zip VERB ...``; :mod:`.there` has the verbs."""
    files = {
        "__main__.py": _MAIN,
        "mlsteps/__init__.py": "",
        "mlsteps/compute/__init__.py": "",
        "mlsteps/compute/scratch.py": (_COMPUTE / "scratch.py").read_text("utf-8"),
        "mlsteps/compute/remote/__init__.py": "",
        "mlsteps/compute/remote/there.py": (_COMPUTE / "remote/there.py").read_text("utf-8"),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # without a date: the same bytes each time
    return buffer.getvalue()
