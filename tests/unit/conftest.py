from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from runner.services.reconciler.backend import Backend
from runner.services.reconciler.repair import Reconciler
from runner.settings import Settings
from runner.state.database import State
from runner.template.stack_template import load
from tests.support.memory_aws import MemoryAws, MemoryQueues


@pytest.fixture
def aws() -> MemoryAws:
    made = MemoryAws(load(Path("template.yaml")))
    made.restart()
    return made


@pytest.fixture
def reconciler(aws: MemoryAws, tmp_path: Path) -> Iterator[Reconciler]:
    settings = replace(Settings.from_env({}), data=tmp_path)
    settings.inbox.mkdir()
    with closing(State(settings.state)) as state:
        backend = Backend(aws, MemoryQueues(aws), aws.template)  # type: ignore[arg-type]
        yield Reconciler(settings, aws.template, state, backend)
