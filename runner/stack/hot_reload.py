"""Reload a project's code, configs and routes when a file changed, so that an edit counts at the next file.

Local only: `local_handler` uses it, and the image that ships has neither. All user modules are dropped together,
because `importlib.reload` keeps old names and other modules keep references to the old objects. tsdat and every other
installed package stay imported.

It imports only the standard library, because with Docker it runs in the image that ships.
"""

from __future__ import annotations

import importlib
import linecache
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

PACKAGES = ("pipelines", "shared", "utils")
"""The folders of a project that are watched: its top-level packages, with their YAML files."""

_WATCHED = (".py", ".yaml", ".yml")

Snapshot = dict[str, tuple[int, int]]
"""Modification time (ns) and size (bytes) of each watched file, by path."""


class Watch:
    """Reports whether a project's source and YAML files changed since the previous look."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._last = snapshot(root)

    def changed(self) -> bool:
        """Return whether a file was edited, added, moved or removed since the previous call."""
        # Files are read after the snapshot: an edit made in between shows as a change the next time.
        before, self._last = self._last, snapshot(self._root)
        return before != self._last


def snapshot(root: Path) -> Snapshot:
    """Return the state of all watched files of a project."""
    found: Snapshot = {}
    visited: set[tuple[int, int]] = set()  # a symbolic link may lead back to a folder above it
    for name in PACKAGES:
        for entry in _files(os.path.join(root, name), visited):  # noqa: PTH118  pathlib would double the time
            try:
                status = entry.stat()
            except OSError:  # removed meanwhile, or a broken link
                continue
            found[entry.path] = status.st_mtime_ns, status.st_size
    return found


def _files(folder: str, visited: set[tuple[int, int]]) -> Iterator[os.DirEntry[str]]:
    try:
        status = os.stat(folder)  # noqa: PTH116
        entries = list(os.scandir(folder))
    except OSError:  # not there, or not a folder that may be read
        return
    if (status.st_dev, status.st_ino) in visited:
        return
    visited.add((status.st_dev, status.st_ino))
    for entry in entries:
        if entry.name.endswith(_WATCHED):
            yield entry
        elif entry.is_dir() and not entry.name.startswith((".", "__pycache__")):
            yield from _files(entry.path, visited)


class SourceFinder(MetaPathFinder):
    """Finds a project's modules, and compiles them from source.

    Python would trust a .pyc file whose source had the same size and was modified in the same second. A folder without
    `__init__.py` and a module in any other form than source are left to Python's own finders.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a source file of the project, or None."""
        if fullname.partition(".")[0] not in PACKAGES:
            return None
        for folder in [self._root] if path is None else path:
            if not self.holds(folder):
                continue
            # A new finder each time, because one that is kept misses files added within the folder's time resolution.
            spec = FileFinder(folder, (_UncachedLoader, [".py"])).find_spec(fullname)
            if spec and spec.loader:
                return spec
        return None

    def forget_modules(self) -> None:
        """Remove the project's modules, so that the next import reads their files again."""
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] in PACKAGES and self._owns(module):
                del sys.modules[name]
        importlib.invalidate_caches()
        linecache.checkcache()  # otherwise tracebacks show the lines from before the edit

    def holds(self, path: str) -> bool:
        """Return whether a path is the project's folder or below it."""
        return path == self._root or path.startswith(self._root + os.sep)

    def _owns(self, module: ModuleType) -> bool:
        if file := getattr(module, "__file__", None):
            return self.holds(file)
        try:
            return any(self.holds(path) for path in getattr(module, "__path__", ()))
        except KeyError:  # a folder without __init__.py whose parent could not be imported
            return True


class _UncachedLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code
