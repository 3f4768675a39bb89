"""What is different between a sample and the one from which a pipeline was made."""

from __future__ import annotations

from runner.scaffold import plan as plans
from runner.scaffold import time_columns, variables
from runner.scaffold.sample import Sample


def between(old: Sample, new: Sample) -> list[str]:
    """Return a line for each difference in columns, units, layout, times and cadence."""
    found: list[str] = []
    before, after = ([str(name) for name in one.table.columns] for one in (old, new))
    found += [f"column {name!r} is missing" for name in before if name not in after]
    found += [f"column {name!r} is new" for name in after if name not in before]
    if set(before) == set(after) and before != after:
        found.append("the columns are in another order")
    if old.facts != new.facts:
        found.append(f"the format is {', '.join(new.facts)}, and was {', '.join(old.facts)}")
    for title, values in (
        ("options", (old.reading.parameters, new.reading.parameters)),
        ("call", (old.reading.call, new.reading.call)),
    ):  # noqa: E501
        if values[0] != values[1] and old.facts == new.facts:
            found.append(f"the reader's {title} would be {values[1]}, and are {values[0]}")
    return found + _of_times(old, new) + _of_units(old, new)


def _of_times(old: Sample, new: Sample) -> list[str]:
    times = [next(iter(time_columns.candidates(sample)), None) for sample in (old, new)]
    if times[0] is None or times[1] is None:
        return ["there is no column with times"] if times[1] is None else []
    found = []
    if times[0].name != times[1].name:
        found.append(f"the time is in {times[1].name}, and was in {times[0].name}")
    if times[0].format != times[1].format:
        found.append(f"the time format is {times[1].format}, and was {times[0].format}")
    steps = [plans.cadence(one) or "irregular" for one in times if one]
    if steps[0] != steps[1]:
        found.append(f"the interval between rows is {steps[1]}, and was {steps[0]}")
    return found


def _of_units(old: Sample, new: Sample) -> list[str]:
    found = []
    units = []
    for sample in (old, new):
        proposed, _ = variables.propose(sample, (), {})
        units.append({one.column: one.source_units for one in proposed if one.has_known_units})
    for column, unit in units[0].items():
        if column in units[1] and units[1][column] != unit:
            found.append(f"column {column!r} is in {units[1][column]}, and was in {unit}")
    return found
