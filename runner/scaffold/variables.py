"""Proposes a variable of the output for each column: name, standard name, units and valid range."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from runner.scaffold import quantities, unit_names
from runner.scaffold.quantities import Quantity
from runner.scaffold.sample import Sample

_OXYGEN = {
    "umol L-1": "mole_concentration_of_dissolved_molecular_oxygen_in_sea_water",
    "umol kg-1": "moles_of_oxygen_per_unit_mass_in_sea_water",
    "ml L-1": "volume_fraction_of_oxygen_in_sea_water",
    "%": "fractional_saturation_of_oxygen_in_sea_water",
}
_STATISTICS = {"max": "maximum", "min": "minimum", "std": "standard_deviation", "sd": "standard_deviation", "avg": "mean", "mean": "mean"}  # fmt: skip  # noqa: E501
# pint's names where they differ from what UDUNITS and a reader of the YAML expect.
_GENERAL = ("air_temperature", "air_pressure")
_DIMENSIONLESS = {"psu", "NTU", "g kg-1", "m3 m-3"}


@dataclass
class Variable:
    """A variable of the output, and the column it comes from."""

    column: str
    name: str
    long_name: str
    units: str
    """In the output."""
    input_units: str = ""
    """In the file, if they are not those of the output."""
    standard_name: str = ""
    cell_methods: str = ""
    valid_range: tuple[float, float] | None = None
    dtype: str = "float32"
    has_known_units: bool = True
    """Whether the file names the units."""

    @property
    def source_units(self) -> str:
        """The units in the file."""
        return self.input_units or self.units


def propose(sample: Sample, time_columns: Collection[str], units: dict[str, str]) -> tuple[list[Variable], list[str]]:
    """Return a variable for each column of numbers, and the columns that are left out.

    Args:
        sample: of a file.
        time_columns: columns that hold the time.
        units: of columns, as the user named them.
    """
    found: list[Variable] = []
    left_out: list[str] = []
    for column in map(str, sample.table.columns):
        if column in time_columns:
            continue
        values = sample.table[column]
        if values.dtype.kind not in "iufb" or (
            values.isna().all() and not quantities.find(unit_names.split(column)[0])
        ):
            left_out.append(column)
            continue
        taken = {variable.name for variable in found} | set(map(str, sample.table.columns)) - {column}
        found.append(_variable(sample, column, units.get(column), taken))
    return found, left_out


def _variable(sample: Sample, column: str, named: str | None, taken: Collection[str]) -> Variable:
    base, in_name = unit_names.split(column)
    title = sample.titles.get(column, "")
    units = as_known(named or sample.units.get(column) or in_name)
    quantity = _quantity(sample, column, base, units)
    variable = Variable(column, "", "", "")
    variable.has_known_units = units is not None
    values = sample.table[column].dropna()
    if units is None:
        units = _likely_units(quantity, values)
    statistic = _suffix(base, tuple(_STATISTICS))
    height = _suffix(base, (r"\d+(?:_?\d+)?_?m",))
    _name(variable, base, title, quantity, (height, statistic if statistic not in ("avg", "mean") else ""), taken)
    if statistic:
        variable.cell_methods = f"time: {_STATISTICS[statistic]}"
    _set_units(variable, quantity, units, is_spread=statistic in ("std", "sd"))
    if quantity and quantity.name in ("latitude", "longitude") or (len(values) and values.abs().max() >= 2**24):
        variable.dtype = "float64"
    variable.valid_range = _range(values, variable, quantity)
    return variable


def _quantity(sample: Sample, column: str, base: str, units: str | None) -> Quantity | None:
    """Return what a column measures: by its name, its long name, its units and what is measured beside it."""
    found = quantities.find(base) or quantities.find(column)
    by_title = quantities.find(sample.titles.get(column, ""))
    if by_title and (found is None or found.name in _GENERAL and by_title.name not in _GENERAL):
        return by_title
    if found and found.name == "air_pressure" and units == "dbar":
        return quantities.named("sea_water_pressure")
    if found and found.name == "air_temperature" and re.match(r"(?i)t(emp(erature)?)?$", base.strip()):
        others = {one.name for name in sample.table.columns if (one := quantities.find(unit_names.split(str(name))[0]))}
        if others & {"salinity", "conductivity", "sea_water_pressure"}:
            return quantities.named("sea_water_temperature")
    return found


def as_known(text: str | None) -> str | None:
    """Return the unit that a text means, as UDUNITS and pint know it, or None."""
    if not text:
        return None
    if known := unit_names.clean(text):
        return known
    from pint.errors import PintError
    from tsdat.config.variables.ureg import check_unit

    try:
        check_unit(text, keep_exp=True)
    except (PintError, ValueError, TypeError, AttributeError, SyntaxError, AssertionError):
        return None
    except Exception:  # pint's tokenizer raises more than it documents
        return None
    return text


def _likely_units(quantity: Quantity | None, values: Any) -> str:
    """Return the most likely units of a column that names none."""
    if quantity is None:
        return "1"
    high = values.max() if len(values) else 0
    if quantity.units == "degC":
        return "K" if high > 150 else "degF" if high > 50 else "degC"
    if quantity.name.startswith("air_pressure"):
        return "Pa" if high > 2000 else "kPa" if 40 < high < 120 else "inHg" if high < 40 else "hPa"
    if quantity.name == "conductivity" and high > 8:
        return "mS/cm"
    return "1" if quantity.units == "%" and 0 < high <= 1 else quantity.units


def _suffix(base: str, words: tuple[str, ...]) -> str:
    key = re.sub(r"[^a-z0-9]+", "_", base.lower())
    found = re.search(rf"(?:^|_)({'|'.join(words)})(?=_|$)", key)
    return found[1] if found else ""


def _name(
    variable: Variable,
    base: str,
    title: str,
    quantity: Quantity | None,
    suffixes: tuple[str, ...],
    taken: Collection[str],
) -> None:
    own = slug(base)
    parts = [part for part in suffixes if part]
    if quantity and quantity.name == "wind_gust":
        parts = [part for part in parts if part != "max"]
    name = "_".join([quantity.name, *parts]) if quantity else own
    if name in taken:
        name = f"{name}_{own}" if own not in name else name
        number = 2
        while name in taken:
            name, number = f"{re.sub(r'_[0-9]+$', '', name)}_{number}", number + 1
    variable.name = name
    words = [quantity.long_name, *parts] if quantity else []
    variable.long_name = (title if title and not quantity else " ".join(words)) or base.replace(
        "_", " "
    ).strip().capitalize()
    if quantity and name not in ("_".join([quantity.name, *parts]),):
        variable.long_name = f"{variable.long_name} ({base})"
    variable.standard_name = quantity.standard_name if quantity else ""


def slug(text: str) -> str:
    """Return a name for a variable: lower case letters, digits and underscores."""
    import unicodedata

    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = "number" if plain.strip() == "#" else plain
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_").replace("qc_", "flag_") or "value"
    return f"v_{name}" if name[0].isdigit() or keyword.iskeyword(name) or name == "time" else name


def _set_units(variable: Variable, quantity: Quantity | None, units: str, *, is_spread: bool) -> None:
    if units in _DIMENSIONLESS:
        units = "1"
    variable.units = units
    if quantity is None or not variable.standard_name and units == "1":
        if units in ("degF", "knot", "mile/hour", "inHg", "inch", "ft"):
            variable.units = {"degF": "degC", "inHg": "hPa", "inch": "mm", "ft": "m"}.get(units, "m/s")
    elif quantity.name == "dissolved_oxygen" and units in _OXYGEN:
        variable.standard_name = _OXYGEN[units]
    elif not are_compatible(units, quantity.units):
        variable.standard_name = ""
    elif {units, quantity.units} != {"1", "%"}:  # tsdat's converter leaves these as they are
        variable.units = quantity.units
    if is_spread and units in ("degC", "degF"):  # a difference of temperatures has no offset
        variable.standard_name, variable.units, variable.input_units = "", "K", f"delta_{units}"
    elif is_spread:
        variable.standard_name = ""
    if variable.units != units and not variable.input_units:
        variable.input_units = units


def are_compatible(units: str, others: str) -> bool:
    """Whether values in some units can be converted to others."""
    from tsdat.config.variables.ureg import check_unit, ureg

    return bool(ureg(check_unit(units, True)).is_compatible_with(ureg(check_unit(others, True))))


def converted(value: float, variable: Variable) -> float:
    """Return a value of the file in the units of the output."""
    if not variable.input_units or "1" in (variable.input_units, variable.units):
        return value
    from tsdat.config.variables.ureg import check_unit, ureg

    quantity = ureg.Quantity(float(value), ureg(check_unit(variable.input_units, True)).units)
    return float(quantity.to(check_unit(variable.units, True)).magnitude)


def _range(values: Any, variable: Variable, quantity: Quantity | None) -> tuple[float, float] | None:
    """Return the usual range of the quantity, or one around the data if they are outside it or no range is usual."""
    if values.empty or values.dtype.kind == "b" or not math.isfinite(float(values.abs().max())):
        return None
    if quantity is None and (values % 1 == 0).all() and (values.is_monotonic_increasing or variable.units == "1"):
        return None  # a counter or a code, whose later values are unknown
    low, high = converted(values.min(), variable), converted(values.max(), variable)
    least = most = None
    if quantity and variable.units == quantity.units and "deviation" not in variable.cell_methods:
        least, most = quantity.low, quantity.high
    margin = (high - low) or max(abs(high), 1.0)
    step = 10 ** math.floor(math.log10(margin))
    bottom, top = math.floor((low - margin) / step) * step, math.ceil((high + margin) / step) * step
    if low >= 0 and quantity is None:
        bottom = max(bottom, 0.0)
    bottom = least if least is not None and least <= low else bottom
    top = most if most is not None and high <= most else top
    return round(bottom, 6), round(top, 6)
