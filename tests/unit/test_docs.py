"""What README and docs say is true: files, links, settings and commands exist."""

import re
from pathlib import Path

import pytest

from runner.settings import Settings

DOCS = [Path("README.md"), Path("CONTRIBUTING.md"), *Path("docs").glob("*.md"), *Path("pipelines").glob("*/README.md")]


@pytest.mark.parametrize("doc", DOCS, ids=str)
def test_links_lead_to_files(doc: Path):
    targets = re.findall(r"\]\(([^)#]+)", doc.read_text())
    missing = [target for target in targets if "://" not in target and not (doc.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("doc", DOCS, ids=str)
def test_named_scripts_exist(doc: Path):
    named = set(re.findall(r"\bscripts/([a-z-]+)\b", doc.read_text()))
    assert not [name for name in named if not Path("scripts", name).exists()]


@pytest.mark.parametrize("doc", DOCS, ids=str)
def test_named_commands_exist(doc: Path):
    from runner.cli import app

    names = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    known = {name.replace("_", "-") for name in names}
    known |= {str(group.name) for group in app.registered_groups}
    code = re.findall(r"`runner ([a-z-]+)|^    (?:scripts/)?runner ([a-z-]+)", doc.read_text(), re.MULTILINE)
    assert {a or b for a, b in code} <= known


def test_every_setting_is_documented_and_no_other():
    documented = set(re.findall(r"^\| `([A-Z_]+)`", Path("docs/settings.md").read_text(), re.MULTILINE))
    assert documented == set(Settings.from_env({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}).to_env())


def test_the_readme_stays_short():
    assert len(Path("README.md").read_text().splitlines()) < 150


def test_the_record_is_documented_field_by_field():
    from runner.record import RunRecord

    table = "".join(re.findall(r"^\|.*$", Path("docs/pipelines.md").read_text(), re.MULTILINE))
    assert set(RunRecord.__annotations__) <= set(re.findall(r"`([a-z_]+)`", table))
