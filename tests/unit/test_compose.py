"""compose.yaml repeats what template.yaml and the runner say; here they are held together."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runner import aws, compose, debugging, template
from runner.backends import environment
from runner.errors import StackError
from runner.settings import Settings

COMPOSE = yaml.safe_load(Path("compose.yaml").read_text())
SERVICES = COMPOSE["services"]
TEMPLATE = Path("template.yaml").read_text()
DESCRIBED = template.load(Path("template.yaml"))


def resolved(node: object) -> object:
    """A part of compose.yaml where no variable is set."""
    text = json.dumps(node)
    while (plain := re.sub(r"\$\{\w+:?-([^${}]*)\}", r"\1", text)) != text:
        text = plain
    return json.loads(text)


LAMBDA = resolved(SERVICES["lambda"])
CHECK = resolved(SERVICES["template-check"]["environment"])
DEBUG = yaml.safe_load(Path("compose.debug.yaml").read_text())["services"]


def test_the_lambda_has_the_limits_of_the_template():
    assert LAMBDA["mem_limit"] == LAMBDA["memswap_limit"] == f"{DESCRIBED.memory_mb}m"
    assert LAMBDA["tmpfs"] == [f"/tmp:size={DESCRIBED.ephemeral_storage_mb}m,mode=1777"]
    assert LAMBDA["environment"]["AWS_LAMBDA_FUNCTION_TIMEOUT"] == str(DESCRIBED.function_timeout_s)
    assert LAMBDA["environment"]["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == str(DESCRIBED.memory_mb)
    assert LAMBDA["environment"]["AWS_LAMBDA_FUNCTION_NAME"] == DESCRIBED.function_name


def test_the_lambda_has_the_environment_of_the_template_and_fake_credentials_only():
    given = {name: str(value) for name, value in LAMBDA["environment"].items()}
    own = {name: given.pop(name) for name in DESCRIBED.environment}
    assert own == DESCRIBED.environment
    rest = {name: value for name, value in given.items() if not name.startswith("AWS_LAMBDA_FUNCTION_")}
    assert rest == aws.FAKE_IDENTITY | {"AWS_ENDPOINT_URL": "http://localstack:4566"}


def test_what_the_variables_stand_for_is_what_the_template_says():
    defaults = re.findall(r"\$\{(LAMBDA_\w+):-([^${}]*)\}", json.dumps(COMPOSE))
    assert {name: value for name, value in defaults if name not in ("LAMBDA_CONCURRENCY", "LAMBDA_BASE")} == (
        compose.variables(DESCRIBED)
    )


def test_the_check_is_given_what_the_lambda_is_given():
    given = {name: str(value) for name, value in CHECK.items()}
    compose.require_same(DESCRIBED, given)
    lambdas = {name: value for name, value in LAMBDA["environment"].items() if name in CHECK}
    assert lambdas.keys() >= DESCRIBED.environment.keys()
    assert lambdas == {name: CHECK[name] for name in lambdas}
    assert LAMBDA["tmpfs"] == [f"/tmp:size={CHECK['LAMBDA_TMP_MB']}m,mode=1777"]
    assert SERVICES["watcher"]["depends_on"]["template-check"] == {"condition": "service_completed_successfully"}


def test_a_difference_is_refused_with_the_lines_to_write(tmp_path: Path):
    changes = {
        "Timeout: 120": "Timeout: 60",
        "Default: 1769": "Default: 512",
        "Default: INFO": "Default: DEBUG",
        "MPLBACKEND: Agg": "MPLBACKEND: svg\n          UNITS: SI",
    }
    text = TEMPLATE
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "template.yaml").write_text(text)
    given = {name: str(value) for name, value in CHECK.items()} | {"LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-m", "runner", "check-compose"]
    variables = environment(RUNNER_ROOT=str(tmp_path), **{name: given[name] for name in given.keys() - {"RUNNER_ROOT"}})
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "error: docker compose gives the Lambda other values than template.yaml, which it cannot read.\n"
        "Start with scripts/up --docker, which passes them, or put these lines into .env and start again:\n"
        "LAMBDA_MEMORY_MB=512\nLAMBDA_TIMEOUT_S=60\nLAMBDA_LOG_LEVEL=DEBUG\n"
        "Put these lines below x-lambda-environment in compose.yaml and start again:\n"
        "MPLBACKEND: svg\nUNITS: SI\n"
    )


def test_a_log_level_of_ones_own_is_no_difference():
    given = {name: str(value) for name, value in CHECK.items()}
    compose.require_same(DESCRIBED, given | {"LOG_LEVEL": "DEBUG"})
    with pytest.raises(StackError):
        compose.require_same(DESCRIBED, given | {"LAMBDA_LOG_LEVEL": "DEBUG"})


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"localstack"}))
def test_our_services_can_write_nothing_and_gain_nothing(name: str):
    service = SERVICES[name]
    assert service["read_only"]
    assert service["init"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_lambda_is_nobody_and_the_others_can_only_become_somebody():
    assert LAMBDA["user"] == "1000:1000"
    assert "cap_add" not in LAMBDA
    for name in ("provision", "poller", "watcher", "template-check"):
        assert SERVICES[name]["cap_add"] == ["SETUID", "SETGID"]


def test_ports_open_on_this_machine_only():
    ports = [port for service in [*SERVICES.values(), *DEBUG.values()] for port in service.get("ports", [])]
    assert ports
    assert all(str(port).startswith("127.0.0.1:") for port in ports)


def test_images_are_pinned_and_localstack_is_the_embedded_one():
    images = [service["image"] for service in SERVICES.values()]
    assert not [image for image in images if "latest" in image]
    pinned = [
        line.split()[0] for line in Path("requirements/localstack.txt").read_text().splitlines() if line[:1].isalpha()
    ]
    (version,) = [name.split("==")[1] for name in pinned if name.startswith("localstack-core==")]
    assert SERVICES["localstack"]["image"].endswith(f"localstack/localstack:{version}}}")


def test_only_folders_are_mounted():
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", volume).split(":")[0]
            assert Path(source).is_dir(), volume


def test_under_the_debugger_emulator_and_poller_wait_alike():
    given = DEBUG["poller"]["environment"]
    patient = debugging.patient(DESCRIBED, Settings.from_env(given))
    assert given == {"RUNNER_DEBUG": "true"}
    assert DEBUG["lambda"]["environment"]["AWS_LAMBDA_FUNCTION_TIMEOUT"] == str(patient.function_timeout_s) == "3600"
    assert DEBUG["lambda"]["scale"] == 1


def test_under_the_debugger_the_lambda_is_the_one_that_ships_with_its_limits():
    assert DEBUG.keys() == {"debugger", "lambda", "poller"}
    assert DEBUG["lambda"].keys() == {"environment", "volumes", "ports", "scale", "depends_on"}
    # PYTHONPATH would take /opt/python, where the packages are, off the search path.
    assert DEBUG["lambda"]["environment"].keys() == {"AWS_LAMBDA_EXEC_WRAPPER", "AWS_LAMBDA_FUNCTION_TIMEOUT"}
    assert DEBUG["lambda"]["volumes"] == ["debugpy:/opt/debugpy:ro"]
    assert re.findall(r"^FROM .* AS ([\w-]+)$", Path("Dockerfile").read_text(), re.MULTILINE)[-1] == "lambda"
    shipped = Path("Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert "debug" not in shipped


def test_the_debugger_is_brought_at_each_start_by_a_service_that_can_do_nothing_else():
    service = DEBUG["debugger"]
    assert service["network_mode"] == "none"
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "restart" not in service
    assert DEBUG["lambda"]["depends_on"] == {"debugger": {"condition": "service_completed_successfully"}}


def test_the_wrapper_puts_the_debugger_between_the_interpreter_and_the_rest():
    done = subprocess.run(
        ["docker/debug-wrapper", "echo", "boot.py", "a b"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "-Xfrozen_modules=off /opt/debugpy/debugpy --listen 0.0.0.0:5678 boot.py a b\n"
