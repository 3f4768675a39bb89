import sys

import pytest

from runner.errors import StackError
from runner.settings import Settings
from runner.stack import embedded
from runner.stack.supervisor import Stop


def test_other_systems_than_linux_are_sent_to_docker(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(StackError) as raised, embedded.running(Settings.from_env({}), print, Stop()):
        pass
    assert str(raised.value) == (
        "The stack without Docker runs on Linux only, and this is darwin. Use Docker: `runner up --docker`, or see "
        "docs/platforms.md."
    )
