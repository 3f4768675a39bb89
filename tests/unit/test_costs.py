"""docs/costs.md reckons right, and with the template's values."""

import re
from pathlib import Path

import pytest

from runner.template import stack_template

TEXT = Path("docs/costs.md").read_text(encoding="utf-8")
DESCRIBED = stack_template.load(Path("template.yaml"))
ROWS = re.findall(r"^\| ([^|*]+) \| ([\d.,]+)[^|]*\| \$([\d.]+) \| \$([\d.]+) \|$", TEXT, re.MULTILINE)


def number(text: str) -> float:
    return float(text.replace(",", ""))


@pytest.mark.parametrize(("what", "quantity", "price", "cost"), ROWS)
def test_each_line_is_quantity_times_price(what: str, quantity: str, price: str, cost: str):
    assert round(number(quantity) * float(price), 4) == float(cost), what


def test_the_lines_come_to_the_sum():
    (total,) = re.findall(r"\| \*\*\$([\d.]+)\*\* \|$", TEXT, re.MULTILINE)
    assert len(ROWS) == 7
    assert round(sum(float(cost) for *_, cost in ROWS), 4) == float(total)


def test_the_time_is_that_of_the_templates_memory():
    (files, seconds, memory_mb, gb_s) = re.findall(
        r"^([\d,]+) × ([\d.]+) s × (\d+) / 1024 GB = ([\d,]+) GB-s", TEXT, re.M
    )[0]
    assert int(memory_mb) == DESCRIBED.memory_mb
    assert round(number(files) * float(seconds) * int(memory_mb) / 1024) == number(gb_s)
    assert number(ROWS[0][1]) == number(gb_s)
    tmp_gb = (DESCRIBED.ephemeral_storage_mb - 512) / 1024
    assert number(ROWS[2][1]) == number(files) * float(seconds) * tmp_gb
    assert f"`MaximumConcurrency` ({DESCRIBED.maximum_concurrency})" in TEXT
