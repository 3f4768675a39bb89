"""Each row of docs/parity.md names a test that exists."""

import re
from pathlib import Path

ROWS = re.findall(r"^\| (?!\|)(.+) \|$", Path("docs/parity.md").read_text(), re.MULTILINE)
TESTS = {
    name for path in Path("tests").rglob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
}


def test_every_row_names_the_test_that_shows_it():
    cells = [row.split(" | ") for row in ROWS if " | " in row]
    assert len(cells) > 15
    assert {len(row) for row in cells} == {5}
    named = {row[0]: row[4].strip("`") for row in cells}
    assert [point for point, test in named.items() if test not in TESTS] == ["CPU"]  # no machine is like AWS's
