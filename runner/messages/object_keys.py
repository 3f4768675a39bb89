"""Object keys: whether S3 accepts them, how to print them, and their paths on disk. Pure."""

from __future__ import annotations

import re
from pathlib import Path

# File systems allow 255 bytes per name, S3 1,024 per key. The end of a name is kept, because patterns look at it.
_MAX_NAME_BYTES = 200
_MAX_KEY_BYTES = 1024
# Characters that XML cannot represent. S3 lists keys as XML.
_NOT_LISTED = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")


def refused(key: str) -> str | None:
    """Return why S3 cannot store a file under this key; None if it can."""
    if not is_utf8(key):
        return "its name is not valid UTF-8, which S3 requires. Rename it."
    size = len(key.encode())
    if found := _NOT_LISTED.search(key):
        return f"its name contains the character {found.group()!r}, which S3 cannot list. Rename it."
    if size > _MAX_KEY_BYTES:
        return f"its path below the inbox has {size} bytes, and S3 allows {_MAX_KEY_BYTES}. Shorten it."
    return None


def is_utf8(key: str) -> bool:
    """Return whether a name is valid UTF-8: Python reads other bytes of a file name as surrogates."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(key: str) -> str:
    """Return a key in a form that any terminal can print and JSON can encode."""
    text = key.encode(errors="surrogateescape").decode(errors="replace")
    return _NOT_LISTED.sub(lambda found: repr(found.group())[1:-1], text)


def local_path(key: str, folder: Path) -> Path:
    """Return a path below `folder` that resembles the key, because tsdat chooses readers by patterns on the path."""
    parts = [_shortened(part) for part in key.split("/") if part not in ("", ".", "..")]
    return folder.joinpath(*parts or ["object"])


def _shortened(name: str) -> str:
    if len(name) * 4 <= _MAX_NAME_BYTES:
        return name
    return name.encode(errors="surrogatepass")[-_MAX_NAME_BYTES:].decode(errors="ignore")
