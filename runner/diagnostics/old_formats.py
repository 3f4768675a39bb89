"""Names files that look like configs and that no pipeline uses, with what to change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from runner.diagnostics.problem import Problem

_OLD_DATASET = re.compile(r"^\s*dataset_definition:|^pipeline:\s*$", re.MULTILINE)


def check(root: Path) -> Iterator[Problem]:
    """Yield pipeline configs with another ending, and those of tsdat before version 0.3."""
    for path in sorted((root / "pipelines").rglob("*pipeline*.y*ml")):
        name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8", errors="replace")
        if _OLD_DATASET.search(text):
            line = text[: _OLD_DATASET.search(text).start()].count("\n") + 1  # type: ignore[union-attr]
            yield Problem(
                name, line, 1,
                "is a config of tsdat 0.2, which tsdat 0.10 cannot read. Write retriever, dataset, quality and storage "
                "as sections: `runner new` makes a pipeline to start from.",
            )  # fmt: skip
        elif path.suffix == ".yml":
            yield Problem(name, 1, 1, f"is not used: tsdat reads .yaml. Rename it to {path.with_suffix('.yaml').name}.")
