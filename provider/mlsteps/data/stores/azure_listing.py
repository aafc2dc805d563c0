"""Listing blobs, a page after the other, without what the SDK costs for each of them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.etree import ElementTree

from mlsteps.data.stores.azure_properties import info_of, is_folder, known_by, stands_for_folder
from mlsteps.data.stores.base import FileInfo

if TYPE_CHECKING:
    from mlsteps.data.stores.azure_blob import AzureBlobStore


ASIDE_MARK = "02"
"""Tells what is copied aside of a target from other temporary names; see ``launcher.atomic.TEMPORARY``."""

_ASIDE = re.compile(rf"\..*\.{ASIDE_MARK}-[0-9a-f]{{12}}\.tmp", re.DOTALL)


def is_aside(name: str) -> bool:
    """Whether a blob is a copy that has not taken its place yet, which listings do not show."""
    return name.endswith(".tmp") and _ASIDE.fullmatch(name.rpartition("/")[2]) is not None


def list_blobs(store: AzureBlobStore, prefix: str) -> Iterator[FileInfo]:
    """Every blob whose name begins with ``prefix``, by its name in the container, in the service's order."""
    marker = ""
    while store.quick:
        page = store.quick.listing(prefix, marker)
        if page is None:
            break
        files, marker = _parsed(page)
        yield from files
        if not marker:
            return
    listed = store.container_client.list_blobs(name_starts_with=prefix or None, include=["metadata"])
    for found in listed.by_page(marker or None):
        for blob in found:
            if not is_folder(blob):
                yield info_of(blob)


def _parsed(page: bytes) -> tuple[list[FileInfo], str]:
    root = ElementTree.fromstring(page)
    files = []
    for blob in root.iterfind("Blobs/Blob"):
        name = blob.find("Name")
        if name is None:
            continue
        path = name.text or ""
        if name.get("Encoded") == "true":
            path = unquote(path)
        properties = {one.tag: one.text or "" for one in blob.iterfind("Properties/*")}
        metadata = {one.tag.lower(): one.text or "" for one in blob.iterfind("Metadata/*")}
        if stands_for_folder(metadata):
            continue
        tag = properties.get("Etag", "").strip('"')
        md5 = base64.b64decode(properties.get("Content-MD5", ""))
        content = known_by(properties.get("BlobType", ""), metadata, md5, tag)
        files.append(FileInfo(path, int(properties["Content-Length"]), content, tag))
    return files, root.findtext("NextMarker") or ""
