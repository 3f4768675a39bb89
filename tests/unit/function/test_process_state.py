"""What loading a pipeline sets stays for its runs, and what a run sets goes."""

import logging
import logging.config
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import pytest

from runner.function.process_state import ProcessState


@pytest.fixture(autouse=True)
def _unchanged() -> Iterator[None]:
    before = ProcessState.now()
    yield
    before.restore()


def test_changes_are_undone_and_done_again(tmp_path: Path):
    os.environ["GONE"] = "1"
    before = ProcessState.now()
    os.environ["SET"] = "x"
    del os.environ["GONE"]
    os.chdir(tmp_path)
    mpl.rcParams["lines.linewidth"] = 7
    warnings.filterwarnings("ignore", message="known")
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger("pipelines.x").setLevel(logging.ERROR)
    changes = before.changes_to(ProcessState.now())
    before.restore()
    assert ("SET" in os.environ, os.environ["GONE"], Path.cwd()) == (False, "1", Path(before.folder))
    assert mpl.rcParams["lines.linewidth"] != 7
    assert list(warnings.filters) == before.filters
    assert logging.getLogger().level == before.root_level
    changes.apply()
    assert (os.environ["SET"], "GONE" in os.environ, mpl.rcParams["lines.linewidth"]) == ("x", False, 7)
    assert warnings.filters[0][0] == "ignore"
    assert (logging.getLogger().level, logging.getLogger("pipelines.x").level) == (logging.DEBUG, logging.ERROR)


def test_no_pipeline_silences_another():
    other = logging.getLogger("runner.other")
    before = ProcessState.now()
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": True})
    logging.disable(logging.CRITICAL)
    assert other.disabled
    before.restore()
    assert not other.disabled
    assert other.isEnabledFor(logging.CRITICAL)


def test_applied_changes_do_not_repeat():
    before = ProcessState.now()
    warnings.filterwarnings("ignore", message="known")
    logging.getLogger().addHandler(logging.NullHandler())
    changes = before.changes_to(ProcessState.now())
    for _ in range(3):
        changes.apply()
    assert len(warnings.filters) == len(before.filters) + 1
    assert len(logging.getLogger().handlers) == len(before.root_handlers) + 1
