"""In a container, work as the user who owns the data folder."""

from __future__ import annotations

import os
from pathlib import Path


def become_owner(folder: Path) -> None:
    """As root in a container, continue as the user who owns the mounted folder, so that new files are theirs."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
