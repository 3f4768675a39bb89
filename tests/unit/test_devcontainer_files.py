"""The dev container's files name what exists, open no port, and agree with compose.yaml."""

import json
from pathlib import Path

import yaml

from runner.aws import clients

FOLDER = Path(".devcontainer")
DESCRIBED = json.loads((FOLDER / "devcontainer.json").read_text())
ADDED = yaml.safe_load((FOLDER / "compose.yaml").read_text())
DEV = ADDED["services"]["dev"]
PROJECT = yaml.safe_load(Path("compose.yaml").read_text())


def test_it_names_files_and_services_that_exist():
    files = [(FOLDER / name).resolve() for name in DESCRIBED["dockerComposeFile"]]
    assert files == [Path("compose.yaml").resolve(), (FOLDER / "compose.yaml").resolve()]
    assert DESCRIBED["service"] in ADDED["services"].keys() - PROJECT["services"].keys()
    assert Path(DESCRIBED["postCreateCommand"]).stat().st_mode & 0o111
    assert (Path(DEV["build"]["context"]) / "Dockerfile").exists()
    assert set(DEV["secrets"]) <= PROJECT["secrets"].keys()


def test_all_services_start_beside_it():
    assert "runServices" not in DESCRIBED  # without it, all services start
    services = PROJECT["services"].values()
    assert all("profiles" not in service for service in services)


def test_it_opens_no_port_and_uses_the_local_endpoint():
    assert not DESCRIBED.keys() & {"appPort", "forwardPorts", "runArgs", "features"}
    assert not DEV.keys() & {"ports", "network_mode", "privileged", "cap_add"}
    variables = {name: value for name, value in DEV["environment"].items() if name.startswith("AWS_")}
    assert variables == clients.FAKE_IDENTITY | {"AWS_ENDPOINT_URL": "http://emulator:4566"}
    assert clients.require_local(variables["AWS_ENDPOINT_URL"])


def test_the_base_image_is_that_of_compose_and_can_be_replaced():
    assert DEV["build"]["args"]["PYTHON_BASE"] == PROJECT["services"]["lambda"]["build"]["args"]["PYTHON_BASE"]
    default = DEV["build"]["args"]["PYTHON_BASE"].removeprefix("${PYTHON_BASE:-").removesuffix("}")
    assert f"ARG PYTHON_BASE={default}\n" in (FOLDER / "Dockerfile").read_text()


def test_volumes_cover_the_environments_of_the_host():
    workspace = DESCRIBED["workspaceFolder"]
    mounts = dict(reversed(volume.split(":")) for volume in DEV["volumes"])
    assert mounts[workspace] == "."
    covered = [f"{workspace}/{name}" for name in (".venv", ".venv-lambda", ".venv-localstack", ".venv-ministack")]
    assert {mounts[folder] for folder in covered} <= ADDED["volumes"].keys()
    # Otherwise Docker creates the mount points as root.
    assert {f"{workspace}/{name}" for name in DESCRIBED["initializeCommand"][2:]} == set(covered)
