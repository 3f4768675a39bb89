"""The YAML files of a new pipeline."""

from __future__ import annotations

from typing import Any

from runner.scaffold import yaml_text
from runner.scaffold.plan import Plan
from runner.scaffold.variables import Variable

_COORDINATES = ("latitude", "longitude", "station_name")


def pipeline_yaml(plan: Plan, *, has_storage: bool) -> str:
    """Return config/pipeline.yaml.

    Args:
        plan: of the pipeline.
        has_storage: whether the project has a shared/storage.yaml.
    """
    folder = f"pipelines/{plan.name}/config"
    value: dict[str, Any] = {"classname": f"pipelines.{plan.name}.pipeline.{plan.class_name}"}
    value["triggers"] = _Long([plan.trigger])
    for section in ("retriever", "dataset", "quality"):
        value[section] = {"path": f"{folder}/{section}.yaml"}
    value["storage"] = {"path": "shared/storage.yaml"} if has_storage else {"classname": "tsdat.io.storage.FileSystem"}
    return "\n".join(yaml_text.dump({key: part}) for key, part in value.items())


class _Long(list[Any]):
    """A list with a line for each item."""


yaml_text._Dumper.add_representer(
    _Long, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=False)
)


def retriever_yaml(plan: Plan) -> str:
    """Return config/retriever.yaml."""
    text = (
        "# Maps each variable to its column, with a UnitsConverter where the units differ from those in dataset.yaml.\n"
    )
    text += yaml_text.dump({"classname": "tsdat.io.retrievers.DefaultRetriever"})
    text += "\n" + yaml_text.dump({"readers": _readers(plan)})
    text += "\n" + yaml_text.dump({"coords": {"time": _time(plan)}})
    text += "\ndata_vars:\n" + yaml_text.dump_entries({variable.name: _source(variable) for variable in plan.variables})
    return text


def _readers(plan: Plan) -> dict[str, Any]:
    reading = plan.sample.reading
    reader: dict[str, Any] = {"classname": reading.classname}
    if plan.needs_reader:
        reader["classname"] = f"pipelines.{plan.name}.readers.{plan.class_name}Reader"
    if reading.parameters and any(reading.parameters.values()):
        reader["parameters"] = reading.parameters
    if not reading.member:
        return {".*": reader}
    inner = {"readers": {reading.member: reader}}
    return {r".*\.zip$": {"classname": "tsdat.io.readers.ZipReader", "parameters": inner}}


def _time(plan: Plan) -> dict[str, Any]:
    if not plan.times.is_text:
        return {"name": "time" if plan.needs_reader else plan.times.columns[0]}
    converter: dict[str, Any] = {"classname": "tsdat.io.converters.StringToDatetime", "format": plan.times.format}
    if plan.times.is_utc:
        converter["to_datetime_kwargs"] = {"utc": True}
    else:
        converter["timezone"] = plan.timezone
    return {"name": "time" if plan.needs_reader else plan.times.columns[0], "data_converters": [converter]}


def _source(variable: Variable) -> dict[str, Any]:
    source: dict[str, Any] = {"name": variable.column}
    if variable.input_units:
        converter = {"classname": "tsdat.io.converters.UnitsConverter", "input_units": variable.input_units}
        source["data_converters"] = [converter]
    return source


def dataset_yaml(plan: Plan) -> str:
    """Return config/dataset.yaml."""
    names = list(dict.fromkeys(variable.long_name for variable in plan.variables))
    attrs: dict[str, Any] = {
        "title": plan.title,
        "description": f"{plan.title}: {', '.join(names)}",
        "summary": f"{plan.title}: {', '.join(names)}",
        "keywords": ", ".join(names),
        "Conventions": "CF-1.10, ACDD-1.3",
        **_feature(plan),
        "institution": plan.institution,
        "location_id": plan.location_id,
        "location_name": plan.location_name,
        "dataset_name": plan.name,
        "temporal": plan.temporal,
        "data_level": plan.level,
    }
    time = {
        "dims": ["time"], "dtype": "datetime64[ns]",
        "attrs": {"long_name": "Time", "standard_name": "time", "units": "seconds since 1970-01-01T00:00:00",
                  "axis": "T", "timezone": "UTC", "coverage_content_type": "coordinate"},
    }  # fmt: skip
    text = yaml_text.dump({"attrs": {name: value for name, value in attrs.items() if value}})
    text += "\n" + yaml_text.dump({"coords": {"time": time}}) + "\ndata_vars:\n"
    return text + yaml_text.dump_entries({**_station(plan), **{v.name: _variable(v) for v in plan.variables}})


def _feature(plan: Plan) -> dict[str, Any]:
    if plan.is_moving:
        return {"featureType": "trajectory"}
    return {"featureType": "timeSeries"} if plan.latitude is not None else {}


def has_station(plan: Plan) -> bool:
    """Whether the dataset has the position of a station, or the name of a moving platform."""
    return plan.is_moving or plan.latitude is not None


def coordinates(plan: Plan) -> list[str]:
    """Return the variables that say where the data are from."""
    return [name for name in _COORDINATES if has_station(plan)]


def _station(plan: Plan) -> dict[str, Any]:
    if not has_station(plan):
        return {}
    station: dict[str, Any] = {}
    for name, value, units in (("latitude", plan.latitude, "north"), ("longitude", plan.longitude, "east")):
        if not plan.is_moving:
            attrs: dict[str, Any] = {"long_name": name.capitalize(), "standard_name": name, "units": f"degree_{units}"}
            attrs |= {"coverage_content_type": "coordinate", "_FillValue": None}
            station[name] = {"dims": [], "dtype": "float64", "data": value, "attrs": attrs}
    role = "trajectory_id" if plan.is_moving else "timeseries_id"
    attrs = {
        "long_name": "Name of the station",
        "cf_role": role,
        "units": "1",
        "coverage_content_type": "referenceInformation",
    }
    station["station_name"] = {"dims": [], "dtype": "str", "data": plan.location_id, "attrs": attrs}
    return station


def _variable(variable: Variable) -> dict[str, Any]:
    is_place = variable.standard_name in ("latitude", "longitude")
    attrs: dict[str, Any] = {
        "long_name": variable.long_name,
        "standard_name": variable.standard_name,
        "units": variable.units,
    }
    if not variable.has_known_units and variable.units == "1" and not variable.standard_name:
        attrs["comment"] = "Unknown units: the file does not name them."
    attrs["cell_methods"] = variable.cell_methods
    if variable.valid_range and not is_place:
        attrs["valid_range"] = [_plain(value) for value in variable.valid_range]
    attrs["coverage_content_type"] = "coordinate" if is_place else "physicalMeasurement"
    return {
        "dims": ["time"],
        "dtype": variable.dtype,
        "attrs": {name: value for name, value in attrs.items() if value},
    }


def _plain(value: float) -> float | int:
    return int(value) if value == int(value) else value
