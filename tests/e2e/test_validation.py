"""Three looks at template.yaml, because each misses something that AWS would refuse; no account, no network."""

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
# SAM's own words are checked by SAM alone; what CloudFormation's resources may hold, by cfn-lint; and what becomes of
# SAM's resources, only in the expanded template.
NO_SAM = ("Type: SQS\n", "Type: Queue\n")
NO_PROPERTY = ("VisibilityTimeout: 720", "VisibilityTimeouts: 720")
NO_SUCH_ANSWER = ("[ReportBatchItemFailures]", "[ReportFailures]")


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
    # In a folder of its own, where no samconfig.toml adds options.
    done = sam_validate(changed(tmp_path, ("", "")), *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is a valid SAM Template" in done.stdout


def test_cfn_lint_finds_nothing_in_the_expanded_template(tmp_path: Path):
    paths = [tmp_path / f"{number}.json" for number, _ in enumerate(VARIANTS)]
    for path, variant in zip(paths, VARIANTS, strict=True):
        path.write_text(json.dumps(expanded(variant)))
    done = cfn_lint(*paths)
    assert (done.stdout, done.returncode) == ("", 0)


def test_only_sam_knows_its_own_words(tmp_path: Path):
    done = sam_validate(changed(tmp_path, NO_SAM))
    assert done.returncode == 1
    assert "NewFile" in done.stdout + done.stderr


def test_only_the_linter_knows_what_a_resource_may_hold(tmp_path: Path):
    path = changed(tmp_path, NO_PROPERTY)
    assert sam_validate(path).returncode == 0
    done = sam_validate(path, "--lint")
    assert done.returncode == 1
    assert "VisibilityTimeouts" in done.stdout + done.stderr


def test_only_the_expanded_template_shows_what_an_event_becomes(tmp_path: Path):
    path = changed(tmp_path, NO_SUCH_ANSWER)
    assert sam_validate(path, "--lint").returncode == 0
    whole = tmp_path / "expanded.json"
    whole.write_text(json.dumps(expanded({}, path)))
    done = cfn_lint(whole)
    assert done.returncode != 0
    assert "E3030 'ReportFailures' is not one of ['ReportBatchItemFailures']" in done.stdout
