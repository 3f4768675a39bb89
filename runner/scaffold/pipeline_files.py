"""Writes the folder of a new pipeline, as tsdat's template lays it out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from string import Template

from runner.scaffold import configs
from runner.scaffold.plan import Plan


def folder_of(root: Path, name: str) -> Path:
    """Return the folder of a pipeline in a project."""
    return root / "pipelines" / name


def write(plan: Plan, root: Path) -> Path:
    """Write the pipeline's files, without the expected output of its test, and return its folder."""
    folder = folder_of(root, plan.name)
    texts = {
        "__init__.py": "",
        "README.md": readme(plan),
        "pipeline.py": _pipeline(plan),
        "config/pipeline.yaml": configs.pipeline_yaml(plan, has_storage=(root / "shared/storage.yaml").is_file()),
        "config/retriever.yaml": configs.retriever_yaml(plan),
        "config/dataset.yaml": configs.dataset_yaml(plan),
        "config/quality.yaml": _quality(plan),
        "test/__init__.py": "",
    }
    if plan.needs_reader:
        texts["readers.py"] = _reader(plan)
    package = folder.parent / "__init__.py"
    if not package.exists():  # otherwise another package called pipelines may be found first
        package.touch()
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_formatted(text) if name.endswith(".py") else text, encoding="utf-8")
    _copy_sample(plan.sample.path, folder / "test/data/input" / plan.sample.path.name)
    return folder


def add_expected(plan: Plan, root: Path, output: Path) -> None:
    """Add the expected output and the test that compares with it."""
    folder = folder_of(root, plan.name)
    expected = folder / "test/data/expected" / output.name
    expected.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(output, expected)
    text = _filled("test_pipeline.py", name=plan.name, input=plan.sample.path.name, expected=output.name)
    (folder / "test/test_pipeline.py").write_text(text, encoding="utf-8")


def sample_of(root: Path, name: str) -> Path | None:
    """Return the sample from which a pipeline was made, or None."""
    return next(
        (path for path in sorted((folder_of(root, name) / "test/data/input").glob("*")) if path.is_file()), None
    )


def _copy_sample(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _formatted(code: str) -> str:
    """Return Python code in lines of readable length, if the formatter is installed."""
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        return code
    command = [str(ruff), "format", "--isolated", "--line-length", "120", "-"]
    done = subprocess.run(command, input=code, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else code


def _filled(name: str, /, **words: str) -> str:
    text = resources.files("runner.scaffold").joinpath(f"templates/{name}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(words)


def _quality(plan: Plan) -> str:
    names = configs.coordinates(plan)
    return _filled("quality.yaml", exclude=f"\n    exclude: [{', '.join(names)}]" if names else "")


def _pipeline(plan: Plan) -> str:
    plotted = [v.name for v in plan.variables if v.standard_name not in ("latitude", "longitude")]
    plotted = sorted(plotted, key=lambda name: _is_dull(plan, name))[:4] or [plan.variables[0].name]
    names = [*configs.coordinates(plan), *(v.name for v in plan.variables if not v.standard_name)]
    done = "        # Not measurements with a CF standard name, but what goes with them.\n" if names else ""
    done += f"        return dataset.set_coords({_quoted(names)})" if names else "        return dataset"
    sorting = "" if plan.is_sorted else _filled("sorting").rstrip("\n") + "\n"
    return _filled(
        "pipeline.py",
        files=_files(plan),
        class_name=plan.class_name,
        plotted=_quoted(plotted),
        coordinates=done,
        sorting=sorting,
    )


def _is_dull(plan: Plan, name: str) -> bool:
    """Whether a variable says little about the measurement: unknown, or of the logger itself."""
    variable = next(one for one in plan.variables if one.name == name)
    return not variable.standard_name


def _quoted(names: list[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def _files(plan: Plan) -> str:
    return f"files such as {plan.sample.path.name}"


def _reader(plan: Plan) -> str:
    reading, _times = plan.sample.reading, plan.times
    call = reading.call
    base = "DataReader"
    first = "from tsdat import DataReader"
    if reading.classname:
        base = reading.classname.rpartition(".")[2]
        first = f"from tsdat.io.readers import {base}"
        options = {"CSVReader": "pd.read_csv(input_key, **self.parameters.read_csv_kwargs)",
                   "ParquetReader": "pd.read_parquet(input_key, **self.parameters.read_parquet_kwargs)",
                   "NetCDFReader": "super().read(input_key).reset_coords().to_dataframe().reset_index()"}  # fmt: skip
        call = options[base]
    lines = [f"        table = {call}"]
    if reading.extension == "xlsx" or "index" in call:
        lines.append("        table.columns = table.columns.map(str)")
    if code := _time_code(plan):
        lines.append(f'        table["time"] = {code}')
    head = _SKIPPING if "lines_to(" in call else ""
    return (
        f'"""Reads {_files(plan)}."""\n\nimport pandas as pd\nimport xarray as xr\n{first}\n\n\n{head}'
        f"class {plan.class_name}Reader({base}):\n"
        '    """Read a file into a dataset with a variable for each column."""\n\n'
        "    def read(self, input_key: str) -> xr.Dataset:\n"
        f'        """Return the columns of a file{_and_time(plan)}."""\n'
        + "\n".join(lines)
        + "\n        return xr.Dataset.from_dataframe(table)\n"
    ).replace("import pandas as pd\n", "import pandas as pd\n" if "pd." in "\n".join(lines) else "")


_SKIPPING = '''\
def lines_to(path: str, mark: str = "*END*") -> int:
    """Return the number of lines up to the mark that ends the header."""
    with open(path, encoding="latin-1") as file:
        return next(number for number, line in enumerate(file, 1) if line.startswith(mark))


'''


def _and_time(plan: Plan) -> str:
    if plan.times.is_text:
        return ""
    return f" and the time, from {plan.times.name}"


def _time_code(plan: Plan) -> str:
    times = plan.times
    if times.is_text:
        return f"table[{times.columns[0]!r}]" if times.columns[0] != "time" else ""
    code = times.expression or f"table[{times.columns[0]!r}]"
    if not plan.is_in_utc:
        code = f'({code}).dt.tz_localize({plan.timezone!r}).dt.tz_convert("UTC").dt.tz_localize(None)'
    return "" if code == "table['time']" else code


def readme(plan: Plan) -> str:
    """Return README.md."""
    rows = [
        f"| `{v.name}` | `{v.column}` | {v.source_units}{'' if v.has_known_units else ' (assumed)'} | {v.units} |"
        for v in plan.variables
    ]
    notes = (
        [f"Columns that are not read: {', '.join(f'`{name}`' for name in plan.left_out)}.\n"] if plan.left_out else []
    )
    if unknown := [f"`{v.name}`" for v in plan.variables if not v.has_known_units]:
        notes.append(f"**To decide:** the units of {', '.join(unknown)} are not in the file.\n")
    if not configs.has_station(plan):
        notes.append("**To decide:** the dataset has no latitude and longitude yet.\n")
    datastream = f"{plan.location_id}.{plan.name}{f'-{plan.temporal}' if plan.temporal else ''}.{plan.level}"
    zone = "UTC" if plan.is_in_utc else f"{plan.timezone}, converted to UTC"
    return _filled(
        "README.md", title=plan.title, files=_files(plan), location=plan.location_name, name=plan.name,
        datastream=datastream, rows="\n".join(rows), facts=", ".join(plan.sample.facts),
        time=f"column {plan.times.name}, {plan.times.format}, {zone}", notes="\n" + "\n".join(notes) if notes else "",
    )  # fmt: skip
