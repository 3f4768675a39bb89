"""What an archive may hold: limits from the function's environment, and the account kept of one archive. Pure."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from runner.errors import ArchiveError, SettingsError

_MIB = 1 << 20
# Whatever its ratio, what unpacks to less than this does no harm.
_HARMLESS_BYTES = 64 * _MIB
_LONGEST_NAME = 100


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold; the function's environment in template.yaml says it."""

    entries: int = 10_000
    """Files and folders."""
    size_mb: int = 4096
    """Everything unpacked, in MiB."""
    ratio: int = 200
    """How many times its own size an archive may unpack to, looked at from 64 MiB on."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ArchiveLimits:
        """Read the limits that are set.

        Raises:
            SettingsError: one is not a whole number above 0.
        """
        names = {"ARCHIVE_MAX_ENTRIES": "entries", "ARCHIVE_MAX_MB": "size_mb", "ARCHIVE_MAX_RATIO": "ratio"}
        values = {}
        for name, field in names.items():
            if text := env.get(name, ""):
                if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
                    raise SettingsError(f"{name}={text!r} is not a whole number above 0. Correct it in template.yaml.")
                values[field] = int(text)
        return cls(**values)


class Tally:
    """Adds up what an archive holds, and raises as soon as that is too much or unsafe."""

    def __init__(self, name: str, packed_bytes: int, limits: ArchiveLimits) -> None:
        self.name, self.limits = name, limits
        self._packed, self._entries, self._sum = packed_bytes, 0, 0

    def entry(self, name: str, size: int, *, mode: int, encrypted: bool = False) -> None:
        """Count an entry.

        Args:
            mode: what it is, as in stat; 0 if the archive does not say.

        Raises:
            ArchiveError: this entry is one too many, or must not be read.
        """
        self._entries += 1
        if self._entries > self.limits.entries:
            raise self._over(f"has more than {self.limits.entries} entries", "ARCHIVE_MAX_ENTRIES", "Split it")
        self._sum += size
        self.unpacked(self._sum)
        shown = _shown(name)
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

    def unpacked(self, total: int) -> None:
        """Take note of how many bytes there are by now.

        Raises:
            ArchiveError: they are too many, or too many for an archive of this size.
        """
        if total > self.limits.size_mb * _MIB:
            raise self._over(f"unpacks to more than {self.limits.size_mb} MB", "ARCHIVE_MAX_MB", "Split it")
        if total > max(_HARMLESS_BYTES, self.limits.ratio * self._packed):
            what = f"unpacks to more than {self.limits.ratio} times its size, as a zip bomb does"
            raise self._over(what, "ARCHIVE_MAX_RATIO", "Find out who made it")

    def _over(self, what: str, limit: str, advice: str) -> ArchiveError:
        return ArchiveError(f"{self.name} {what} ({limit} in template.yaml). {advice}, or raise that value.")

    def _unsafe(self, what: str, how: str) -> ArchiveError:
        return ArchiveError(f"{self.name} holds {what}. It is not read; make it again {how}.")


def _shown(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…")
