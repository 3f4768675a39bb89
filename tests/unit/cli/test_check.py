"""What `runner check` says of the port that `runner up` needs."""

import socket
from pathlib import Path

import pytest

from runner.cli.check import warnings
from runner.settings import Settings
from runner.state.stack_lock import only_one


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose port is taken while the test runs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        yield Settings.from_env({"RUNNER_DATA": str(tmp_path), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})


def test_a_port_in_use_is_a_warning_with_what_to_do(settings: Settings):
    port = settings.endpoint_url.rpartition(":")[2]
    assert list(warnings(settings)) == [
        f"port {port} is in use, perhaps by a stack on another data folder. `runner up` needs a free one: "
        "runner up --port 4567, or --port 0 for any"
    ]


def test_the_port_of_the_stack_on_this_data_folder_is_none(settings: Settings):
    with only_one(settings):  # as a running stack holds it, and one that is starting
        assert list(warnings(settings)) == []


def test_a_free_port_is_none(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
    variables = {"RUNNER_DATA": str(tmp_path), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    assert list(warnings(Settings.from_env(variables))) == []


def test_an_endpoint_elsewhere_is_a_warning_because_up_refuses_it(tmp_path: Path):
    variables = {"RUNNER_DATA": str(tmp_path), "AWS_ENDPOINT_URL": "https://s3.us-west-2.amazonaws.com"}
    (warning,) = warnings(Settings.from_env(variables))
    assert "is not on this machine" in warning
