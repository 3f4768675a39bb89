import logging
import os
import tempfile
import warnings
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from runner.function.isolation import isolated


def process_state() -> tuple[object, ...]:
    """Return the state that a run could change for the next one."""
    root = logging.getLogger()
    style = {name: value for name, value in mpl.rcParams.items() if name != "backend"}  # chosen once, at first use
    return root.handlers[:], root.level, dict(os.environ), Path.cwd(), style


def test_a_run_leaves_nothing_behind():
    before = process_state()
    texts: list[str] = []
    with isolated(texts):
        made = Path(tempfile.mkdtemp())
        plt.figure()
        plt.rcParams["axes.facecolor"] = "pink"
        logging.getLogger().addHandler(logging.NullHandler())
        logging.getLogger().setLevel(1)
        os.environ["LEAK"] = "1"
        os.chdir(made)
        assert plt.get_fignums()
    assert not made.exists()
    assert not plt.get_fignums()
    assert process_state() == before


def test_a_failed_run_leaves_nothing_behind():
    made = None
    with pytest.raises(ZeroDivisionError), isolated([]):
        made = Path(tempfile.mkdtemp())
        1 / 0  # noqa: B018
    assert made is not None
    assert not made.exists()
    assert Path(tempfile.mkdtemp()).exists()


def test_warnings_and_logged_warnings_are_collected_once():
    texts: list[str] = []
    with isolated(texts):
        for _ in range(2):
            warnings.warn("100% odd", stacklevel=1)
            logging.getLogger("tsdat.x").warning("value %s", 3)
        logging.getLogger("tsdat.x").info("not this")
    assert texts == ["100% odd", "value 3"]
