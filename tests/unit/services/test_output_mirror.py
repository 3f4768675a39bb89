from pathlib import Path
from typing import Any

import pytest

from runner.services.output_mirror import Mirror


def mirror(folder: Path) -> Mirror:
    no_s3: Any = None  # paths are worked out without asking
    return Mirror(no_s3, "outputs", folder)


@pytest.mark.parametrize("key", ["../x", "/x", "a/../../x", "a/..", "..", "//x", "///x", ""])
def test_a_key_that_leads_out_of_the_folder_has_no_file(tmp_path: Path, key: str):
    assert mirror(tmp_path).path(key) is None


@pytest.mark.parametrize(
    ("key", "below"),
    [("x", "x"), ("a/b.nc", "a/b.nc"), ("a//b", "a/b"), ("..a/b..c", "..a/b..c"), ("a\\..\\b", "a\\..\\b")],
)
def test_any_other_key_is_a_path_below_the_folder(tmp_path: Path, key: str, below: str):
    assert mirror(tmp_path).path(key) == tmp_path / below
