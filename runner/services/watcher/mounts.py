"""Which file systems change without an event on this machine."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

# A remote machine, or a hypervisor's host, changes them. `fuseblk` is a local disk.
_REMOTE = re.compile(
    r"nfs\d*|cifs|smb\w*|9p|fuse(\..*)?|virtiofs|vboxsf|prl_fs|vmhgfs|drvfs|afs|ceph|lustre|gpfs|beegfs\w*|glusterfs"
    r"|davfs|acfs|ncpfs|orangefs|pvfs2|ocfs2|gfs2"
)
_kinds: dict[int, str | None] = {}
_lock = threading.Lock()


def remote_kind(device: int, table: Path = Path("/proc/self/mountinfo")) -> str | None:
    """Return the type of a remote file system, such as `nfs4`; None for a local one, and if it is unknown.

    Args:
        device: `st_dev` of a file on it.
        table: Linux's list of mounts (proc(5)).
    """
    with _lock:
        if device not in _kinds:
            kind = _kind(device, table)
            _kinds[device] = kind if kind and _REMOTE.fullmatch(kind) else None
        return _kinds[device]


def _kind(device: int, table: Path) -> str | None:
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = table.read_text(errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        before, _, after = line.partition(" - ")
        if before.split()[2] == wanted:
            return after.split()[0]
    return None
