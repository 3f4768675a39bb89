"""How LocalStack is started; the end-to-end tests run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import StackError
from runner.stack.emulators import localstack
from runner.stack.emulators.localstack import LocalStack
from runner.stack.ports import free_port


def test_child_listens_on_the_endpoint_only_and_has_an_empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://s3.us-west-2.amazonaws.com")
    stale = tmp_path / "localstack" / "tmp" / "stale"
    stale.mkdir(parents=True)
    child = LocalStack().child(tmp_path, "http://127.0.0.1:4566", tmp_path / "localstack.log")
    assert child.name == LocalStack.name == "LocalStack"
    assert child.env["GATEWAY_LISTEN"] == "127.0.0.1:4566"
    assert child.env["HOME"] == str(child.cwd) == str(tmp_path / "localstack")
    assert not [name for name in child.env if name.startswith("AWS_")]
    assert not stale.exists()


def test_missing_installation_is_reported_with_the_command_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(localstack, "_INTERPRETER", tmp_path / "python")
    with pytest.raises(StackError) as caught:
        LocalStack().child(tmp_path, "http://127.0.0.1:4566", tmp_path / "localstack.log")
    assert str(caught.value) == (
        f"LocalStack is not installed: {tmp_path / 'python'} does not exist. Run scripts/setup."
    )


def test_emulator_without_a_process_is_not_healthy():
    assert LocalStack().is_healthy(f"http://127.0.0.1:{free_port()}") is False
