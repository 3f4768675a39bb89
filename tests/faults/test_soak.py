"""A short soak; the long one is scripts/soak."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.soak import KINDS, Soak

MOST_GROWTH_MB = 15


@pytest.mark.timeout(240)
def test_no_file_is_lost_or_wrong_while_processes_are_killed(tmp_path: Path):
    soak = Soak(files=120, seed=1, pause_s=(1.0, 3.0), folder=tmp_path)
    soak.run()
    print(soak)
    assert soak.dropped == soak.files == len(soak.report.outcomes)
    assert all(soak.kills[kind] for kind in KINDS)
    assert not soak.lost
    assert not soak.report.problems
    for kind in ("supervisor", "watcher", "poller"):
        first, *_, last = soak.quarters(kind)
        assert last - first < MOST_GROWTH_MB, kind
