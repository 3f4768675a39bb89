"""Keys of objects: which ones S3 takes, how they are shown, where an object is put on disk. Pure."""

from __future__ import annotations

import re
from pathlib import Path

# File systems allow 255 bytes a name, S3 1,024; the end of a name is what patterns look at.
_LONGEST_NAME_BYTES = 200
_LONGEST_KEY_BYTES = 1024
# What XML cannot hold or changes; S3's lists are XML.
_NOT_LISTED = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")


def refused(key: str) -> str | None:
    """Why S3 cannot take a file under its name; None when it can."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "its name is not valid UTF-8, and S3 takes no other. Rename it."
    if found := _NOT_LISTED.search(key):
        return f"its name holds the character {found.group()!r}, which S3 cannot list. Rename it."
    if size > _LONGEST_KEY_BYTES:
        return f"its path below the inbox has {size} bytes, and S3 takes no more than {_LONGEST_KEY_BYTES}. Shorten it."
    return None


def printable(key: str) -> str:
    """A key that any terminal and any JSON can show."""
    text = key.encode(errors="surrogateescape").decode(errors="replace")
    return _NOT_LISTED.sub(lambda found: repr(found.group())[1:-1], text)


def local_path(key: str, folder: Path) -> Path:
    """An object's key as a path below `folder`, because readers are chosen by patterns on it."""
    parts = [_shortened(part) for part in key.split("/") if part not in ("", ".", "..")]
    return folder.joinpath(*parts or ["object"])


def _shortened(name: str) -> str:
    if len(name) * 4 <= _LONGEST_NAME_BYTES:
        return name
    return name.encode(errors="surrogatepass")[-_LONGEST_NAME_BYTES:].decode(errors="ignore")
