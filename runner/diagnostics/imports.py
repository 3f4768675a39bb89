"""Finds imports that work on this machine and fail in the Lambda, which has only what ships."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from runner.diagnostics.problem import Problem
from runner.stack import lambda_python
from runner.stack.hot_reload import PACKAGES
from runner.template.runtime import PYTHON

# Python's "What's New" for 3.12, 3.13 and 3.14.
_REMOVED = frozenset({
    "asynchat", "asyncore", "distutils", "imp", "smtpd",
    "aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib", "nis", "nntplib",
    "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib",
})  # fmt: skip
_LATER = frozenset(("annotationlib", "compression"))
_STANDARD = sys.stdlib_module_names - _REMOVED - _LATER


def check(root: Path, packages: Path | None) -> Iterator[Problem]:
    """Yield the imports in a project's code that the Lambda cannot resolve, although this machine can.

    What is not installed here either is found when a pipeline is built. Optional imports, in a `try`, and tests are
    left out.

    Args:
        root: the project.
        packages: the folder of its own packages, if it has some.
    """
    known = {*_STANDARD, *PACKAGES, "runner", *lambda_python.modules(packages)}
    for name in PACKAGES:
        for path in sorted((root / name).rglob("*.py")):
            if not _is_test(path.relative_to(root)):
                yield from _check_file(root, path, known)


def _is_test(path: Path) -> bool:
    return path.name.startswith(("test_", "conftest")) or not {"test", "tests"}.isdisjoint(path.parts)


def _check_file(root: Path, path: Path, known: set[str]) -> Iterator[Problem]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # found when the pipeline is built
        return
    for node, module in _imports(tree):
        top = module.partition(".")[0]
        if top not in known and (reason := _reason(root, top)):
            name = path.relative_to(root).as_posix()
            yield Problem(name, node.lineno, node.col_offset + 1, f"imports {module}. {reason}")


def _imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module and not node.level:
                yield node, node.module
        elif not _is_optional(node):
            yield from _imports(node)


def _is_optional(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return any(name in ast.unparse(node.test) for name in ("TYPE_CHECKING", "__main__"))
    return isinstance(node, ast.Try)


def _reason(root: Path, top: str) -> str | None:
    """Return why the Lambda has no such module; None if this machine has none either."""
    if top in _REMOVED:
        return f"{PYTHON}, which Lambda runs, no longer has {top}. Use another module."
    if top in _LATER:
        return f"{PYTHON}, which Lambda runs, does not have {top} yet. Use another module."
    if (root / top).is_dir() or (root / f"{top}.py").exists():
        return f"It is outside {', '.join(PACKAGES)}, and only these ship. Move it into one of them."
    if importlib.util.find_spec(top):
        return f"It is installed on this machine and not in the Lambda. Run `runner add {top}`."
    return None
