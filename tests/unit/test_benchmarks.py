"""The benchmarks build a folder as the stack would have."""

from contextlib import closing
from pathlib import Path

from benchmarks import scale
from runner.state.database import State


def test_a_built_folder_is_read_as_any_other(tmp_path: Path):
    scale.build(tmp_path, 2000)
    with closing(State(tmp_path / "state")) as state:
        assert len(state.versions.with_outcome("succeeded")) == 1998
        (failed, _) = state.versions.with_outcome("dead-lettered")
        assert state.runs.of(failed.job)
        assert state.uploads.get(failed.key)
