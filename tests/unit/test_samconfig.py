"""samconfig.toml: separate environments, options that SAM knows, and values that the template accepts."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from runner.template import stack_template
from tests.support.tools import require_sam

CONFIG = tomllib.loads(Path("samconfig.toml").read_text(encoding="utf-8"))
ENVIRONMENTS = ("default", "dev", "prod")
# Prints the names that each command's options have inside SAM CLI.
OPTIONS = """
import importlib, json
modules = {"build": "build.command", "validate": "validate.validate", "deploy": "deploy.command"}
found = {name: importlib.import_module(f"samcli.commands.{module}").cli.params for name, module in modules.items()}
print(json.dumps({name: [option.name for option in options] for name, options in found.items()}))
"""


def overrides(environment: str) -> dict[str, str]:
    assignments = CONFIG[environment]["deploy"]["parameters"].get("parameter_overrides", [])
    return dict(text.split("=", 1) for text in assignments)


def test_there_are_three_environments():
    assert set(CONFIG) - {"version"} == set(ENVIRONMENTS)


@pytest.fixture(scope="module")
def options() -> dict[str, list[str]]:
    require_sam()
    done = subprocess.run([".venv-sam/bin/python", "-c", OPTIONS], capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_sam_knows_every_option(environment: str, options: dict[str, list[str]]):
    section = CONFIG[environment]
    assert set(section) == {"global", "build", "validate", "deploy"}
    for command, known in options.items():
        own = section[command]["parameters"]
        assert own.keys() <= set(known), command
        assert {"region"} <= set(known)
    assert "stack_name" in options["deploy"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_builds_are_cached_and_validation_runs_the_linter(environment: str):
    section = {command: CONFIG[environment][command]["parameters"] for command in ("build", "validate", "deploy")}
    assert section["build"]["cached"]
    assert section["build"]["use_buildkit"]
    assert section["validate"]["lint"]
    assert section["deploy"]["resolve_s3"]
    assert section["deploy"]["resolve_image_repos"]
    assert section["deploy"]["capabilities"] == "CAPABILITY_IAM"


def test_production_needs_confirmation():
    assert CONFIG["prod"]["deploy"]["parameters"]["confirm_changeset"]


def test_environments_share_no_names():
    described = [stack_template.load(Path("template.yaml"), overrides(name)) for name in ENVIRONMENTS]
    for names in (
        [one.source_bucket for one in described] + [one.destination_bucket for one in described],
        [one.function_name for one in described],
        [CONFIG[name]["global"]["parameters"]["stack_name"] for name in ENVIRONMENTS],
    ):
        assert len(set(names)) == len(names)
