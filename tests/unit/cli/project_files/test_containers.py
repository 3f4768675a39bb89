"""Compose and the dev container of a project name the project and this checkout, in folders with odd names too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from runner.aws import clients
from runner.cli.project_files import containers
from runner.settings import CHECKOUT
from runner.stack.build_variables import dotenv


def texts(project: Path) -> dict[str, str]:
    return {one.path: one.text for one in containers.files(project)}


def dev(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(texts(project)[".devcontainer/compose.yaml"])
    return found


def test_compose_includes_the_checkouts_and_names_what_to_do_without_it(tmp_path: Path):
    described = yaml.safe_load(texts(tmp_path / "met")["compose.yaml"])
    assert described["name"] == "${STACK_NAME:-met}"
    (included,) = described["include"]
    folder = "${TSDAT_LOCAL:?run `runner init` in this folder, which writes .env}"
    assert included == {"path": f"{folder}/compose.yaml", "project_directory": folder}


def test_the_committed_files_have_no_folder_of_this_machine(tmp_path: Path):
    text = "".join(texts(tmp_path / "met").values())
    assert str(CHECKOUT) not in text
    assert str(tmp_path) not in text


def test_the_dev_container_is_that_of_the_checkout_with_the_project_beside_it(tmp_path: Path):
    described = json.loads(texts(tmp_path / "met")[".devcontainer/devcontainer.json"])
    added = dev(tmp_path / "met")
    service = added["services"][described["service"]]
    mounts = {one["target"]: one["source"] for one in service["volumes"] if isinstance(one, dict)}
    assert mounts == {"/home/dev/tsdat-local": "${TSDAT_LOCAL}", described["workspaceFolder"]: "${RUNNER_ROOT}"}
    assert service["environment"]["RUNNER_ROOT"] == described["workspaceFolder"]
    assert service["environment"].items() >= clients.FAKE_IDENTITY.items()
    shipped = yaml.safe_load(Path(".devcontainer/compose.yaml").read_text())
    assert added["volumes"] == shipped["volumes"]
    assert set(shipped["services"]["dev"]["volumes"][1:]) <= {one for one in service["volumes"] if isinstance(one, str)}
    setup = described["postCreateCommand"].removeprefix("/home/dev/tsdat-local/")
    assert Path(setup).stat().st_mode & 0o111
    assert f"ARG {next(iter(service['build']['args']))}=\n" in Path(".devcontainer/Dockerfile").read_text()


def test_variables_name_this_project_and_an_empty_folder_for_one_that_is_missing(tmp_path: Path):
    (tmp_path / "shared").mkdir()
    found = containers.variables(tmp_path, "met-1")
    assert (found["TSDAT_LOCAL"], found["RUNNER_ROOT"]) == (str(CHECKOUT), str(tmp_path))
    assert (found["PROJECT_UTILS"], "PROJECT_SHARED" in found) == (str(tmp_path / "data/state/empty"), False)
    # The dev container's CLI would use it for its containers, too.
    assert "COMPOSE_PROJECT_NAME" not in found


def test_values_are_quoted_for_compose(tmp_path: Path):
    lines = containers.quoted({"RUNNER_ROOT": '/a b/$HOME "x" \\ #1'})
    assert lines == {"RUNNER_ROOT": 'RUNNER_ROOT="/a b/\\$HOME \\"x\\" \\\\ #1"'}
    assert dotenv(containers.quoted({"A": "/a b"})["A"]) == {"A": "/a b"}
