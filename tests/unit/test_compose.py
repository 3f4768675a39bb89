"""compose.yaml repeats what template.yaml and the runner say; here they are held together."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from runner import aws, debugging, template
from runner.settings import Settings

COMPOSE = yaml.safe_load(Path("compose.yaml").read_text())
SERVICES = COMPOSE["services"]
LAMBDA = SERVICES["lambda"]
DESCRIBED = template.load(Path("template.yaml"))
DEBUG = yaml.safe_load(Path("compose.debug.yaml").read_text())["services"]


def test_the_lambda_has_the_limits_of_the_template():
    assert LAMBDA["mem_limit"] == LAMBDA["memswap_limit"] == f"{DESCRIBED.memory_mb}m"
    assert LAMBDA["tmpfs"] == [f"/tmp:size={DESCRIBED.ephemeral_storage_mb}m,mode=1777"]
    assert LAMBDA["environment"]["AWS_LAMBDA_FUNCTION_TIMEOUT"] == str(DESCRIBED.function_timeout_s)
    assert LAMBDA["environment"]["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == str(DESCRIBED.memory_mb)
    assert LAMBDA["environment"]["AWS_LAMBDA_FUNCTION_NAME"] == DESCRIBED.function_name


def test_the_lambda_has_the_environment_of_the_template_and_fake_credentials_only():
    environment = dict(LAMBDA["environment"])
    own = {name: environment.pop(name) for name in DESCRIBED.environment}
    assert own == DESCRIBED.environment | {"LOG_LEVEL": f"${{LOG_LEVEL:-{DESCRIBED.environment['LOG_LEVEL']}}}"}
    rest = {name: value for name, value in environment.items() if not name.startswith("AWS_LAMBDA_FUNCTION_")}
    assert rest == aws.FAKE_IDENTITY | {"AWS_ENDPOINT_URL": "http://localstack:4566"}


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
    for name in ("provision", "poller", "watcher"):
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
    environment = DEBUG["poller"]["environment"]
    patient = debugging.patient(DESCRIBED, Settings.from_env(environment))
    assert environment == {"RUNNER_DEBUG": "true"}
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
