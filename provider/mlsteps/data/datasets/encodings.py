"""SDK v1's names of encodings."""

from __future__ import annotations

from mlsteps.exceptions import UserErrorException

# name -> codec; that of utf8 also takes a byte order mark off, where there is one.
CODECS = {
    "utf8": "utf-8-sig",
    "utf8bom": "utf-8-sig",
    "iso88591": "iso-8859-1",
    "latin1": "iso-8859-1",
    "ascii": "ascii",
    "utf16": "utf-16",
    "utf32": "utf-32",
    "windows1252": "cp1252",
}
NAMES = ", ".join(CODECS)


def check_encoding(name: object, what: str) -> str:
    """``name`` if it is one of SDK v1's encodings."""
    if not isinstance(name, str) or name not in CODECS:
        raise UserErrorException(f"{what}: encoding {name!r} is not one of {NAMES}.")
    return name
