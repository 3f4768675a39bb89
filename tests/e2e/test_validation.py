"""Three validations of template.yaml: each misses errors that AWS would refuse. No account, no network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runner.testing.stacks import environment
from tests.support.expansion import TEMPLATE, VARIANTS, expanded
from tests.support.stacks import ROOT

TEXT = TEMPLATE.read_text(encoding="utf-8")
# Only SAM knows its own resource types, only cfn-lint knows the properties of CloudFormation's resources, and only the
# expanded template shows what SAM generates.
UNKNOWN_TYPE = ("Type: SQS\n", "Type: Queue\n")
UNKNOWN_PROPERTY = ("VisibilityTimeout: 720", "VisibilityTimeouts: 720")
UNKNOWN_RESPONSE_TYPE = ("[ReportBatchItemFailures]", "[ReportFailures]")


def sam_validate(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [ROOT / "scripts" / "sam", "validate", "--region", "us-west-2", "--template", path, *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)


def cfn_lint(*paths: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "cfn-lint", *paths]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)


def changed(folder: Path, change: tuple[str, str]) -> Path:
    old, new = change
    assert old in TEXT
    path = folder / "template.yaml"
    path.write_text(TEXT.replace(old, new))
    return path


@pytest.mark.parametrize("options", [[], ["--lint"]])
def test_sam_finds_nothing(tmp_path: Path, options: list[str]):
    # In another folder, where no samconfig.toml adds options.
    done = sam_validate(changed(tmp_path, ("", "")), *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is a valid SAM Template" in done.stdout


def test_cfn_lint_finds_nothing_in_the_expanded_template(tmp_path: Path):
    paths = [tmp_path / f"{number}.json" for number, _ in enumerate(VARIANTS)]
    for path, variant in zip(paths, VARIANTS, strict=True):
        path.write_text(json.dumps(expanded(variant)))
    done = cfn_lint(*paths)
    assert (done.stdout, done.returncode) == ("", 0)


def test_only_sam_finds_an_unknown_event_type(tmp_path: Path):
    done = sam_validate(changed(tmp_path, UNKNOWN_TYPE))
    assert done.returncode == 1
    assert "NewFile" in done.stdout + done.stderr


def test_only_the_linter_finds_an_unknown_property(tmp_path: Path):
    path = changed(tmp_path, UNKNOWN_PROPERTY)
    assert sam_validate(path).returncode == 0
    done = sam_validate(path, "--lint")
    assert done.returncode == 1
    assert "VisibilityTimeouts" in done.stdout + done.stderr


def test_only_the_expanded_template_shows_an_unknown_response_type(tmp_path: Path):
    path = changed(tmp_path, UNKNOWN_RESPONSE_TYPE)
    assert sam_validate(path, "--lint").returncode == 0
    complete = tmp_path / "expanded.json"
    complete.write_text(json.dumps(expanded({}, path)))
    done = cfn_lint(complete)
    assert done.returncode != 0
    assert "E3030 'ReportFailures' is not one of ['ReportBatchItemFailures']" in done.stdout
