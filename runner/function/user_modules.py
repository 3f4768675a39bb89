"""Loads the user's own modules so that an edit counts at the next run: knows their files, and forgets them together.

Only what is below `pipelines`, `shared` and `utils` is loaded anew; tsdat and everything else stays imported.
"""

from __future__ import annotations

import importlib
import linecache
import os
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

NAMES = frozenset({"pipelines", "shared", "utils"})
"""The top-level packages that a project may have."""

Stamp = tuple[int, int] | None
"""A file's modification time and size, or that it is not there."""


class UserModules(MetaPathFinder):
    """Finds a project's own modules, and remembers every file that was looked for, whether it was there or not."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._stamps: dict[str, Stamp] = {}

    def install(self) -> None:
        """Come before Python's own finders, once for each project."""
        if not any(isinstance(finder, UserModules) and finder._root == self._root for finder in sys.meta_path):
            sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for a source file of the user; a folder without `__init__.py` is left to Python's own finders."""
        top, _, _ = fullname.partition(".")
        if top not in NAMES:
            return None
        for folder in [self._root] if path is None else path:
            if not self._holds(folder):
                continue
            # A new one each time: its list of a folder's files is only as fresh as the folder's modification time.
            spec = FileFinder(folder, (self._loader, [".py"])).find_spec(fullname)  # type: ignore[arg-type]
            if spec and spec.loader:
                return spec
            base = os.path.join(folder, fullname.rpartition(".")[2])  # noqa: PTH118  as Python itself joins them
            self._note(f"{base}.py")
            self._note(os.path.join(base, "__init__.py"))  # noqa: PTH118
        return None

    def _loader(self, fullname: str, path: str) -> SourceFileLoader:
        return _FromSource(fullname, path, self._note)

    def _note(self, path: str) -> None:
        self._stamps.setdefault(path, stamp(path))

    def _holds(self, path: str) -> bool:
        return path == self._root or path.startswith(self._root + os.sep)

    def changed(self) -> bool:
        """Whether a file that was loaded is other or gone, or one that was missing is there."""
        return any(stamp(path) != noted for path, noted in self._stamps.items())

    def forget(self) -> None:
        """Have every module of the user imported anew by whoever asks for it next."""
        own = [
            name for name, module in list(sys.modules.items()) if name.partition(".")[0] in NAMES and self._owns(module)
        ]
        for name in own:
            del sys.modules[name]
        self._stamps.clear()
        importlib.invalidate_caches()
        linecache.checkcache()  # else tracebacks show the lines that were there before

    def _owns(self, module: ModuleType) -> bool:
        if file := getattr(module, "__file__", None):
            return self._holds(file)
        try:
            return any(self._holds(path) for path in getattr(module, "__path__", ()))
        except KeyError:  # a folder without __init__.py whose parent's import failed
            return True


class _FromSource(SourceFileLoader):
    """Compiles from source always: Python trusts a .pyc whose source has the same size and the same second."""

    def __init__(self, fullname: str, path: str, note: Callable[[str], None]) -> None:
        super().__init__(fullname, path)
        self._note_file = note

    def get_code(self, fullname: str) -> CodeType:
        """Compile what is there now; noted before it is read, so that an edit in between is seen the next time."""
        path = self.get_filename(fullname)
        self._note_file(path)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def stamp(path: str | Path) -> Stamp:
    """What tells an edited file from the one that was there."""
    try:
        found = os.stat(path)  # noqa: PTH116  Path.stat costs as much again
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
