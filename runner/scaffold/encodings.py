"""The encoding of a text file."""

from __future__ import annotations

import codecs

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def find(content: bytes) -> str | None:
    """Return the encoding of the content as Python names it, or None if it is not text."""
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    head = content[:4096]
    if head and head[1::2].count(0) > len(head) * 0.3:
        return "utf-16-le"
    if head and head[::2].count(0) > len(head) * 0.3:
        return "utf-16-be"
    if b"\0" in head:
        return None
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return _of_one_byte(content)
    return "utf-8"


def _of_one_byte(content: bytes) -> str | None:
    """Return the Western encoding of content that is not UTF-8; None if it has control characters, so is binary."""
    controls = sum(content.count(bytes([code])) for code in range(32) if code not in (9, 10, 12, 13, 26))
    if controls > len(content) * 0.01:
        return None
    # Windows writes printable characters where latin-1 has control characters.
    return "cp1252" if any(0x80 <= byte < 0xA0 for byte in content) else "latin-1"
