"""A disk that a test fills and frees at once, without writing: a tmpfs whose size changes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class SmallDisk:
    """A mounted folder."""

    folder: Path

    @contextmanager
    def full(self, free_bytes: int = 0) -> Iterator[None]:
        """Have so little room for the body."""
        status = os.statvfs(self.folder)
        used = (status.f_blocks - status.f_bfree) * status.f_frsize
        self._resize(used + free_bytes)
        try:
            yield
        finally:
            self._resize(2 << 30)

    def _resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={max(size, 4096)}", self.folder], check=True)


@contextmanager
def mounted(folder: Path) -> Iterator[SmallDisk]:
    """Mount a disk on a folder for the body."""
    folder.mkdir(parents=True, exist_ok=True)
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g", "x", folder], check=False).returncode
    ):
        pytest.skip("only a user who may mount can make a small disk")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
