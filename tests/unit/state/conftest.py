from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.state.database import State


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(State(tmp_path)) as made:
        yield made
