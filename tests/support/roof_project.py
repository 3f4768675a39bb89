"""A small project as a scientist has it, outside this checkout: one pipeline in tsdat's layout, and files for it."""

from __future__ import annotations

import shutil
from pathlib import Path

CONFIG = "pipelines/roof/config"
PIPELINE_FILE = "pipelines/roof/pipeline.py"
PLAIN = """from tsdat import IngestPipeline


class Roof(IngestPipeline):
    pass
"""
FILES = {
    "pipelines/__init__.py": "",
    "pipelines/roof/__init__.py": "",
    PIPELINE_FILE: PLAIN,
    # tsdat's template has a file of this name, which must not hide the runner's package.
    "runner.py": "raise SystemExit('the runner of tsdat')\n",
    "shared/storage.yaml": "classname: tsdat.io.storage.FileSystem\n",
    f"{CONFIG}/pipeline.yaml": r"""classname: pipelines.roof.pipeline.Roof
triggers:
  - .*roof\.\d{8}.*\.csv
retriever:
  path: pipelines/roof/config/retriever.yaml
dataset:
  path: pipelines/roof/config/dataset.yaml
quality:
  path: pipelines/roof/config/quality.yaml
storage:
  path: shared/storage.yaml
""",
    f"{CONFIG}/retriever.yaml": r"""classname: tsdat.io.retrievers.DefaultRetriever
readers:
  .*\.csv:
    classname: tsdat.io.readers.CSVReader
coords:
  time:
    name: time
    data_converters:
      - classname: tsdat.io.converters.StringToDatetime
        format: "%Y-%m-%d %H:%M"
        timezone: UTC
data_vars:
  air_temperature:
    name: temp_f
    data_converters:
      - classname: tsdat.io.converters.UnitsConverter
        input_units: degF
  wind_speed:
    name: wind
""",
    f"{CONFIG}/dataset.yaml": """attrs:
  title: Roof
  description: Weather on a roof
  location_id: lab
  dataset_name: roof
  data_level: b1
coords:
  time:
    dims: [time]
    dtype: datetime64[s]
    attrs:
      units: Seconds since 1970-01-01 00:00:00
data_vars:
  air_temperature:
    dims: [time]
    dtype: float
    attrs:
      units: degC
      valid_range: [-40, 50]
  wind_speed:
    dims: [time]
    dtype: float
    attrs:
      units: m/s
      valid_range: [0, 60]
""",
    f"{CONFIG}/quality.yaml": """managers:
  - name: Remove values below the valid range
    checker:
      classname: tsdat.qc.checkers.CheckValidRangeMin
    handlers:
      - classname: tsdat.qc.handlers.RecordQualityResults
        parameters:
          assessment: bad
          meaning: Value is below the valid range
    apply_to: [DATA_VARS]
""",
}


def make(root: Path, pipeline: str = PLAIN, **files: str) -> Path:
    """Write the project and return its folder.

    Args:
        root: the folder.
        pipeline: the source of its pipeline.
        files: more files, or others, by path with `__` for a slash.
    """
    shutil.rmtree(root, ignore_errors=True)
    changed = {name.replace("__", "/"): text for name, text in files.items()}
    for name, text in {**FILES, PIPELINE_FILE: pipeline, **changed}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def csv(name: str = "20240501") -> bytes:
    """Return the content of a file whose first time is the day that its name begins with."""
    day = f"{name[:4]}-{name[4:6]}-{name[6:8]}"
    return f"time,temp_f,wind\n{day} 00:00,50.0,3.1\n{day} 00:10,51.8,-1.0\n".encode()
