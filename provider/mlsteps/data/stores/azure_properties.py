"""What the properties of a blob say: its content, its version, and whether it is a file at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlsteps.data.stores.base import FileInfo
from mlsteps.launcher.digest import FILE_PREFIX
from mlsteps.launcher.remote import DIGEST_KEY

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties

# By DIGEST_KEY, metadata of blobs that we wrote. A blob that is overwritten loses them, so they always fit.
_FOLDER_KEY = "hdi_isfolder"


def marked(digest: str) -> dict[str, str]:
    """The metadata of a blob with this content."""
    return {DIGEST_KEY: digest}


def is_folder(found: BlobProperties) -> bool:
    """Whether a blob only stands for a folder, as where a namespace is hierarchical."""
    return stands_for_folder(found.metadata or {})


def stands_for_folder(metadata: Mapping[str, str]) -> bool:
    """Whether a blob with these metadata only stands for a folder."""
    return str(metadata.get(_FOLDER_KEY, "")).lower() == "true"


def info_of(found: BlobProperties) -> FileInfo:
    """What a store says of a blob, by its name in the container."""
    kind = str(getattr(found.blob_type, "value", found.blob_type))
    md5 = bytes(found.content_settings.content_md5 or b"")
    content = known_by(kind, found.metadata or {}, md5, tag_of(found))
    return FileInfo(found.name, found.size, content, tag_of(found))


def known_by(kind: str, metadata: Mapping[str, str], md5: bytes, tag: str) -> str:
    """What is known of a blob's bytes. Only a block blob loses its metadata and MD5 with its content."""
    if kind == "BlockBlob":
        digest = metadata.get(DIGEST_KEY, "")
        if digest.startswith(FILE_PREFIX):
            return digest
        if md5:
            return f"md5:{md5.hex()}"
    return f"etag:{tag}"


def tag_of(found: BlobProperties) -> str:
    """The blob's ETag, without quotes."""
    return str(found.etag).strip('"')
