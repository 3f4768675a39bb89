"""Limits on the contents of an archive, and a check of its entries against them. Pure."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from runner.errors import ArchiveError, SettingsError

_MIB = 1 << 20
# Below this unpacked size no ratio is harmful.
_HARMLESS_BYTES = 64 * _MIB
_MAX_NAME_CHARACTERS = 100


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may contain; set by the function's environment in template.yaml."""

    entries: int = 10_000
    """Files and folders."""
    size_mb: int = 4096
    """Total unpacked size, in MiB."""
    ratio: int = 200
    """Unpacked size divided by packed size; checked from 64 MiB on."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ArchiveLimits:
        """Return the limits in environment variables; defaults for those that are not set.

        Raises:
            SettingsError: a value is not a whole number above 0.
        """
        names = {"ARCHIVE_MAX_ENTRIES": "entries", "ARCHIVE_MAX_MB": "size_mb", "ARCHIVE_MAX_RATIO": "ratio"}
        values = {}
        for name, field in names.items():
            if text := env.get(name, ""):
                if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
                    raise SettingsError(f"{name}={text!r} is not a whole number above 0. Correct it in template.yaml.")
                values[field] = int(text)
        return cls(**values)


class ArchiveCheck:
    """Checks the entries of one archive as they are listed, and raises as soon as one is too many or unsafe."""

    def __init__(self, name: str, packed_bytes: int, limits: ArchiveLimits) -> None:
        self.name, self.limits = name, limits
        self._packed, self._entries, self._sum = packed_bytes, 0, 0

    def add_entry(self, name: str, size: int, *, mode: int, encrypted: bool = False) -> None:
        """Check an entry.

        Args:
            name: its path in the archive.
            size: its unpacked size in bytes.
            mode: its type as in `stat.st_mode`; 0 if the archive has none.
            encrypted: whether a password is needed to read it.

        Raises:
            ArchiveError: the entry exceeds a limit, or is unsafe.
        """
        self._entries += 1
        if self._entries > self.limits.entries:
            raise self._exceeded(f"has more than {self.limits.entries} entries", "ARCHIVE_MAX_ENTRIES", "Split it")
        self._sum += size
        self.check_unpacked(self._sum)
        shown = _quoted(name)
        if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
            raise self._unsafe(f"an absolute path, {shown}", "with paths relative to its folder")
        if ".." in re.split(r"[/\\]", name):
            raise self._unsafe(f"a path that leads out of its folder, {shown}", "without '..' in its names")
        if stat.S_ISLNK(mode):
            how = "with the file itself in its place (tar --dereference --hard-dereference)"
            raise self._unsafe(f"a link, {shown}", how)
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise self._unsafe(f"{shown}, which is neither file nor folder", "without it")
        if encrypted:
            raise self._unsafe(f"an encrypted file, {shown}", "without a password")

    def check_unpacked(self, total: int) -> None:
        """Check the number of bytes unpacked so far.

        Raises:
            ArchiveError: there are too many, or too many for an archive of this size.
        """
        if total > self.limits.size_mb * _MIB:
            raise self._exceeded(f"unpacks to more than {self.limits.size_mb} MB", "ARCHIVE_MAX_MB", "Split it")
        if total > max(_HARMLESS_BYTES, self.limits.ratio * self._packed):
            what = f"unpacks to more than {self.limits.ratio} times its size, as a zip bomb does"
            raise self._exceeded(what, "ARCHIVE_MAX_RATIO", "Find out where it comes from")

    def _exceeded(self, what: str, limit: str, advice: str) -> ArchiveError:
        return ArchiveError(f"{self.name} {what} ({limit} in template.yaml). {advice}, or raise that value.")

    def _unsafe(self, what: str, how: str) -> ArchiveError:
        return ArchiveError(f"{self.name} holds {what}. It was refused; create it again {how}.")


def _quoted(name: str) -> str:
    return repr(name if len(name) <= _MAX_NAME_CHARACTERS else f"{name[:_MAX_NAME_CHARACTERS]}…")
