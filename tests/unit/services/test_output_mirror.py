"""Which keys become files. What is copied and restored is tested against an emulator in e2e/test_outputs_folder.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.services.output_mirror import OutputMirror
from runner.template import stack_template
from tests.support.memory_aws import MemoryAws


@pytest.fixture
def mirror(tmp_path: Path) -> OutputMirror:
    no_s3: Any = None  # a path needs no request
    return OutputMirror(no_s3, "outputs", tmp_path, "inputs")


@pytest.mark.parametrize("key", ["../x", "/x", "a/../../x", "a/..", "..", "//x", "///x", ""])
def test_a_key_that_leads_out_of_the_folder_is_refused(mirror: OutputMirror, tmp_path: Path, key: str):
    with pytest.raises(ValueError) as caught:
        mirror.copy([key])
    assert str(caught.value) == f"The output key {key!r} leads out of {tmp_path}."


@pytest.mark.parametrize("key", ["a\0b", "a/" + "x" * 250, "é" * 125])
def test_a_key_that_cannot_be_a_path_is_refused(mirror: OutputMirror, key: str):
    with pytest.raises(ValueError) as caught:
        mirror.copy([key])
    assert str(caught.value) == (
        f"The output key {key!r} cannot be a path: a name is too long or contains a NUL character."
    )


@pytest.mark.parametrize(
    ("key", "below"),
    [("x", "x"), ("a/b.nc", "a/b.nc"), ("a//b", "a/b"), ("..a/b..c", "..a/b..c"), ("a\\..\\b", "a\\..\\b"),
     ("x" * 249, "x" * 249)],
)  # fmt: skip
def test_any_other_key_is_a_path_below_the_folder(mirror: OutputMirror, tmp_path: Path, key: str, below: str):
    assert mirror._path(key) == tmp_path / below


def test_an_earlier_output_that_was_restored_is_not_taken_for_that_of_a_run(tmp_path: Path):
    aws: Any = MemoryAws(stack_template.load(Path("template.yaml")))
    aws.restart()
    bucket = aws.template.destination_bucket
    mirror = OutputMirror(aws, bucket, tmp_path, aws.template.source_bucket)
    path = tmp_path / "a.nc"
    path.write_text("of an earlier run")
    mirror._restore([path])
    with pytest.raises(ValueError, match=r"a\.nc is lost with the emulator, and what is there was restored from an"):
        mirror.copy(["a.nc"])
    aws.put_object(bucket, "a.nc", b"of this run")
    mirror.copy(["a.nc"])
    assert path.read_text() == "of this run"
