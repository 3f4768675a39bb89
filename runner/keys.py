"""Where an object is put on disk. Pure."""

from __future__ import annotations

from pathlib import Path

# File systems allow 255 bytes a name, S3 1,024; the end of a name is what patterns look at.
_LONGEST_NAME_BYTES = 200


def local_path(key: str, folder: Path) -> Path:
    """An object's key as a path below `folder`, because readers are chosen by patterns on it."""
    parts = [_shortened(part) for part in key.split("/") if part not in ("", ".", "..")]
    return folder.joinpath(*parts or ["object"])


def _shortened(name: str) -> str:
    if len(name) * 4 <= _LONGEST_NAME_BYTES:
        return name
    return name.encode(errors="surrogatepass")[-_LONGEST_NAME_BYTES:].decode(errors="ignore")
