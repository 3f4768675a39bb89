from pathlib import Path

import pytest

from runner.errors import SettingsError
from runner.settings import Settings


def test_defaults_need_no_environment():
    settings = Settings.from_env({})
    assert (settings.root / "runner" / "settings.py").is_file()
    assert settings.inbox == settings.root / "data" / "inbox"
    assert settings.retain
    assert settings.settle_s == 1.0
    assert settings.concurrency >= 1


def test_another_process_reads_the_same_settings(tmp_path: Path):
    settings = Settings.from_env(
        {
            "RUNNER_ROOT": str(tmp_path),
            "RUNNER_DATA": str(tmp_path / "elsewhere"),
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "LAMBDA_CONCURRENCY": "3",
            "RUNNER_SETTLE_S": "0.25",
            "RUNNER_POLLING": "yes",
            "RETAIN_INPUT_FILES": "false",
            "RUNNER_IGNORE": "*.bak ~*",
            "RUNNER_DEBUG": "true",
            "RUNNER_DEBUG_PORT": "5679",
        }
    )
    assert settings.ignored_names == ("*.bak", "~*")
    assert not settings.retain
    assert settings.debug
    assert settings.debug_port == 5679
    assert Settings.from_env(settings.to_env()) == settings


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("LAMBDA_CONCURRENCY", "0", "LAMBDA_CONCURRENCY='0' is not a number of 1 or more"),
        ("RUNNER_SETTLE_S", "soon", "RUNNER_SETTLE_S='soon' is not a number of 0 or more"),
        ("RUNNER_SETTLE_S", "inf", "RUNNER_SETTLE_S='inf' is not a number"),
        ("RUNNER_DEBUG_PORT", "99999", "RUNNER_DEBUG_PORT='99999' is not a number from 1 to 65535"),
        ("RUNNER_POLLING", "maybe", "RUNNER_POLLING='maybe' is neither true nor false. Write RUNNER_POLLING=true"),
    ],
)
def test_a_bad_value_names_its_variable(name: str, value: str, text: str):
    with pytest.raises(SettingsError, match=text):
        Settings.from_env({name: value})
