"""Writes the JSON schemas with which editors complete and underline a project's YAML files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_NAMED_PATTERNS = {"type": "object", "additionalProperties": {"type": "string", "format": "regex"}}
_ROUTES = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "pipelines/routes.yaml",
    "description": "Which pipeline and which location a file belongs to, by patterns on its key and its name.",
    "type": "object",
    "properties": {
        "pipelines": {**_NAMED_PATTERNS, "description": "Folders in pipelines/, each with a regular expression."},
        "locations": {**_NAMED_PATTERNS, "description": "Names of config files, each with a regular expression."},
        "companions": {"description": "Files that belong to a data file, by a pattern of its name.", "type": "object"},
        "multidispatch": {"description": "Whether each pipeline that matches a file runs.", "type": "boolean"},
    },
    "additionalProperties": False,
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas by name; all but that of the routes are tsdat's own."""
    from tsdat.config.dataset import DatasetConfig
    from tsdat.config.pipeline import PipelineConfig
    from tsdat.config.quality import QualityConfig
    from tsdat.config.retriever import RetrieverConfig
    from tsdat.config.storage import StorageConfig

    models: dict[str, Any] = {
        "pipeline": PipelineConfig, "retriever": RetrieverConfig, "dataset": DatasetConfig, "quality": QualityConfig,
        "storage": StorageConfig,
    }  # fmt: skip
    return {**{name: model.model_json_schema() for name, model in models.items()}, "routes": _ROUTES}


def write(folder: Path) -> None:
    """Write one file for each schema."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        text = json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
