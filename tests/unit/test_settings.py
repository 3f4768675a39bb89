from pathlib import Path

import pytest

from runner.errors import SettingsError
from runner.ignored_names import IGNORED_NAMES
from runner.settings import CHECKOUT, Settings
from runner.template import stack_template


def test_defaults_need_no_environment():
    settings = Settings.from_env({})
    assert (settings.root / "runner" / "settings.py").is_file()
    assert settings.inbox == settings.root / "data" / "inbox"
    assert settings.retain
    assert settings.settle_s == 1.0
    assert settings.concurrency >= 1


def test_another_process_reads_the_same_settings(tmp_path: Path):
    (tmp_path / "pipelines").mkdir()
    settings = Settings.from_env(
        {
            "RUNNER_ROOT": str(tmp_path),
            "RUNNER_DATA": str(tmp_path / "elsewhere"),
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "EMULATOR": "ministack",
            "LAMBDA_CONCURRENCY": "3",
            "RUNNER_SETTLE_S": "0.25",
            "RUNNER_POLLING": "yes",
            "RETAIN_INPUT_FILES": "false",
            "RUNNER_IGNORE": "*.bak ~*",
            "RUNNER_DEBUG": "true",
            "RUNNER_DEBUG_PORT": "5679",
            "RUNNER_WEB": "no",
            "RUNNER_WEB_PORT": "8781",
        }
    )
    assert settings.ignored_names == ("*.bak", "~*")
    assert not settings.retain
    assert settings.debug
    assert settings.debug_port == 5679
    assert not settings.has_page
    assert settings.web_port == 8781
    assert Settings.from_env(settings.to_env()) == settings


def test_each_ignored_name_is_documented():
    page = Path("docs/settings.md").read_text()
    assert [name for name in IGNORED_NAMES if f"`{name}`" not in page and "[0-9a-f]" not in name] == []


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("LAMBDA_CONCURRENCY", "0", "LAMBDA_CONCURRENCY='0' is not a number of 1 or more"),
        ("RUNNER_SETTLE_S", "soon", "RUNNER_SETTLE_S='soon' is not a number of 0 or more"),
        ("RUNNER_SETTLE_S", "inf", "RUNNER_SETTLE_S='inf' is not a number"),
        ("RUNNER_DEBUG_PORT", "99999", "RUNNER_DEBUG_PORT='99999' is not a number from 1 to 65535"),
        ("EMULATOR", "moto", "EMULATOR='moto' must be localstack or ministack. Correct it or unset EMULATOR."),
        ("RUNNER_POLLING", "maybe", "RUNNER_POLLING='maybe' is neither true nor false. Write RUNNER_POLLING=true"),
    ],
)
def test_a_bad_value_names_its_variable(name: str, value: str, text: str):
    with pytest.raises(SettingsError, match=text):
        Settings.from_env({name: value})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project without a template, at a path with a space, an accent and characters that shells and URLs treat."""
    root = tmp_path / "my été & #1"
    (root / "pipelines").mkdir(parents=True)
    return root


def test_the_project_is_the_variable_then_the_current_folder_then_the_checkout(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert Settings.from_env({}).root == CHECKOUT
    monkeypatch.chdir(project)
    assert Settings.from_env({}).root == project
    assert Settings.from_env({"RUNNER_ROOT": str(CHECKOUT)}).root == CHECKOUT
    assert Settings.from_env({}).data == project / "data"


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match="is not a project: it has no folder `pipelines`. Name the folder that"):
        Settings.from_env({"RUNNER_ROOT": str(tmp_path)})
    with pytest.raises(SettingsError, match="missing is not a folder. Correct --project, or RUNNER_ROOT."):
        Settings.from_env({"RUNNER_ROOT": str(tmp_path / "missing")})


def test_a_project_without_a_template_has_the_shipped_one_without_its_schedules(project: Path):
    settings = Settings.from_env({"RUNNER_ROOT": str(project)})
    shipped = stack_template.load(CHECKOUT / "template.yaml")
    template = stack_template.load_for(settings)
    assert template.source_bucket == shipped.source_bucket
    assert (len(shipped.schedules), template.schedules) == (1, ())


def test_a_project_with_a_template_has_its_own(project: Path):
    text = (CHECKOUT / "template.yaml").read_text(encoding="utf-8")
    (project / "template.yaml").write_text(text.replace('Default: ""', "Default: my-inputs", 1))
    template = stack_template.load_for(Settings.from_env({"RUNNER_ROOT": str(project)}))
    assert (template.source_bucket, len(template.schedules)) == ("my-inputs", 1)
