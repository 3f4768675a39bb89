"""What `runner up --docker` passes to compose.yaml."""

from pathlib import Path

import pytest

from runner.settings import Settings
from runner.stack import docker_compose


def test_an_option_overrides_the_variable_of_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    settings = Settings.from_env({"RUNNER_DATA": str(tmp_path), "RUNNER_SETTLE_S": "1"})  # --settle 1, the default
    assert "RUNNER_SETTLE_S" not in docker_compose.environment(settings)  # .env may set it
    monkeypatch.setenv("RUNNER_SETTLE_S", "30")
    assert docker_compose.environment(settings)["RUNNER_SETTLE_S"] == "1.0"


def test_the_page_is_started_unless_the_settings_say_no():
    for variables, replicas in (({}, "1"), ({"RUNNER_WEB": "false"}, "0")):
        assert docker_compose.environment(Settings.from_env(variables))["PAGE_REPLICAS"] == replicas
