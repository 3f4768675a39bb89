"""Finds hooks of a pipeline that do not return the dataset, by reading their code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from runner.diagnostics.problem import Problem

_RETURNING = {"hook_customize_dataset", "hook_finalize_dataset", "hook_customize_input_datasets"}


def check(root: Path, classname: str) -> Iterator[Problem]:
    """Yield each hook of a class that ends without a value, so that tsdat continues with None."""
    module, _, name = classname.rpartition(".")
    file = root / Path(*module.split(".")).with_suffix(".py") if module else None
    if file is None or not file.is_file():
        return
    relative = file.relative_to(root).as_posix()
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return  # the import reports it
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == name:
            for hook in node.body:
                if isinstance(hook, ast.FunctionDef) and hook.name in _RETURNING and not _returns(hook):
                    argument = hook.args.args[1].arg if len(hook.args.args) > 1 else "dataset"
                    text = f"{hook.name} returns nothing, so the dataset is lost. End it with: return {argument}"
                    yield Problem(relative, hook.lineno, hook.col_offset + 1, text, hook.name)


def _returns(hook: ast.FunctionDef) -> bool:
    """Whether a function returns a value, or always raises."""
    body = [node for node in ast.walk(hook) if isinstance(node, ast.Return)]
    return any(node.value is not None for node in body) or isinstance(hook.body[-1], ast.Raise)
