"""How MiniStack is started; the contract suite runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import StackError
from runner.settings import EmulatorName
from runner.stack import emulators
from runner.stack.emulators import ministack
from runner.stack.emulators.localstack import LocalStack
from runner.stack.emulators.ministack import MiniStack


def test_child_listens_on_the_endpoint_only_enforces_rights_and_keeps_nothing(tmp_path: Path):
    stale = tmp_path / "ministack" / "stale"
    stale.mkdir(parents=True)
    child = MiniStack().child(tmp_path, "http://127.0.0.1:4567", tmp_path / "ministack.log")
    assert child.name == MiniStack.name == "MiniStack"
    assert (child.env["BIND_HOST"], child.env["GATEWAY_PORT"]) == ("127.0.0.1", "4567")
    assert child.env["AUTH"] == "true"
    assert (child.env["PERSIST_STATE"], child.env["S3_PERSIST"]) == ("0", "0")
    assert child.env["HOME"] == str(child.cwd) == str(tmp_path / "ministack")
    assert not stale.exists()


def test_missing_installation_is_reported_with_the_command_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ministack, "_INTERPRETER", tmp_path / "python")
    with pytest.raises(StackError) as caught:
        MiniStack().child(tmp_path, "http://127.0.0.1:4566", tmp_path / "ministack.log")
    assert str(caught.value) == (
        f"MiniStack is not installed: {tmp_path / 'python'} does not exist. Run scripts/setup."
    )


def test_every_name_has_its_emulator():
    made = {name: type(emulators.by_name(name)) for name in EmulatorName}
    assert made == {EmulatorName.LOCALSTACK: LocalStack, EmulatorName.MINISTACK: MiniStack}
