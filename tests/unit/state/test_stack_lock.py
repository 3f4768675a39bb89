from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import SettingsError, StackError
from runner.settings import Settings
from runner.state import stack_lock


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"RUNNER_DATA": str(tmp_path)})


def test_a_running_stack_is_found_once_it_is_announced(settings: Settings):
    assert stack_lock.running_at(settings) is None
    with stack_lock.only_one(settings):
        assert stack_lock.running_at(settings) is None
        with stack_lock.announced(settings, "http://127.0.0.1:4566"):
            assert stack_lock.running_at(settings) == "http://127.0.0.1:4566"
            inside = replace(settings, endpoint_url="http://emulator:4566")
            assert stack_lock.running_at(inside) == "http://emulator:4566"
        assert stack_lock.running_at(settings) is None


def test_the_file_of_a_killed_stack_is_ignored(settings: Settings):
    with stack_lock.only_one(settings):
        pass
    (settings.state / "stack.json").write_text('{"endpoint_url": "http://127.0.0.1:4566"}')
    assert stack_lock.running_at(settings) is None


def test_a_second_stack_is_refused(settings: Settings):
    with stack_lock.only_one(settings), pytest.raises(StackError) as caught, stack_lock.only_one(settings):
        pass
    assert str(caught.value) == (
        f"A stack already runs on {settings.data}. Use it, stop it, or give this one a folder: --data DIR."
    )


def test_a_data_folder_that_cannot_be_created_is_reported_with_what_to_do(tmp_path: Path):
    (tmp_path / "file").touch()
    data = tmp_path / "file/data"
    with pytest.raises(SettingsError) as error, stack_lock.only_one(Settings.from_env({"RUNNER_DATA": str(data)})):
        pass
    assert str(error.value) == (
        f"The data folder {data} cannot be used: [Errno 20] Not a directory: '{data}/state'. "
        "Name another one with --data DIR or RUNNER_DATA."
    )
