"""compose.yaml repeats values of template.yaml and of the runner; these tests compare them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runner.aws import clients
from runner.settings import Settings
from runner.stack import docker_compose, lambda_container_init, lambda_process
from runner.template import stack_template
from runner.testing.stacks import environment

COMPOSE = yaml.safe_load(Path("compose.yaml").read_text())
SERVICES = COMPOSE["services"]
TEMPLATE = Path("template.yaml").read_text()
DESCRIBED = stack_template.load(Path("template.yaml"))


def resolved(node: object) -> object:
    """Return a part of compose.yaml as it is when no variable is set."""
    text = json.dumps(node)
    while (plain := re.sub(r"\$\{\w+:?-([^${}]*)\}", r"\1", text)) != text:
        text = plain
    return json.loads(text)


LAMBDA = resolved(SERVICES["lambda"])
DEBUG = yaml.safe_load(Path("compose.debug.yaml").read_text())["services"]


def test_lambda_environment_has_fake_credentials_and_no_value_of_the_template():
    variables = {name: str(value) for name, value in LAMBDA["environment"].items()}
    assert variables == clients.FAKE_IDENTITY | {"AWS_ENDPOINT_URL": "http://localstack:4566", "LOG_LEVEL": ""}


def test_services_have_fake_credentials():
    assert SERVICES["watcher"]["environment"].items() >= {**clients.FAKE_IDENTITY, "RUNNER_DATA": "/data"}.items()


def test_lambda_starts_the_handler_of_the_image():
    assert SERVICES["lambda"]["command"] == [lambda_process.HANDLER]
    assert Path("Dockerfile").read_text().endswith(f'CMD ["{lambda_process.HANDLER}"]\n')


def test_default_tmp_size_matches_the_template_and_memory_is_a_variable():
    defaults = dict(re.findall(r"\$\{(LAMBDA_\w+_MB):-(\d+)\}", json.dumps(COMPOSE)))
    wanted = docker_compose.variables(DESCRIBED)
    assert defaults == wanted | {"LAMBDA_MEMORY_MB": "10240"}
    assert LAMBDA["tmpfs"] == [f"/tmp:size={wanted['LAMBDA_TMP_MB']}m,mode=1777"]
    assert LAMBDA["mem_limit"] == LAMBDA["memswap_limit"] == "10240m"
    command = resolved(SERVICES["template"]["command"])
    assert command[command.index("--tmp-mb") + 1] == wanted["LAMBDA_TMP_MB"]


def prepare(folder: Path, root: Path, tmp_mb: str) -> subprocess.CompletedProcess[str]:
    """Run the command of the service `template`."""
    command = [sys.executable, "-m", "runner", "prepare-lambda", "--tmp-mb", tmp_mb, str(folder)]
    variables = environment(RUNNER_ROOT=str(root))
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_lambda_gets_the_environment_of_the_template(tmp_path: Path):
    done = prepare(tmp_path, Path.cwd(), str(DESCRIBED.ephemeral_storage_mb))
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "environment.json").read_text()) == DESCRIBED.function_environment
    assert (tmp_path / "start.py").read_bytes() == Path(lambda_container_init.__file__).read_bytes()


def test_different_tmp_size_is_refused_with_the_line_to_write(tmp_path: Path):
    (tmp_path / "template.yaml").write_text(TEMPLATE.replace("{Size: 1024}", "{Size: 2048}"))
    done = prepare(tmp_path, tmp_path, "1024")
    assert done.returncode == 2
    assert done.stderr == (
        "error: template.yaml gives /tmp 2048 MB (EphemeralStorage), docker compose 1024 MB, and it cannot read the "
        "template. Start with scripts/up --docker, or put this line into .env and start again:\nLAMBDA_TMP_MB=2048\n"
    )
    assert not (tmp_path / "environment.json").exists()


@pytest.mark.parametrize("name", SERVICES)
def test_services_have_a_read_only_root_and_no_capabilities(name: str):
    service = SERVICES[name]
    assert service.get("read_only", False) == (name != "localstack")  # a third-party image
    assert service["init"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_lambda_runs_as_a_user_and_services_can_only_switch_to_one():
    assert LAMBDA["user"] == "1000:1000"
    assert "cap_add" not in LAMBDA
    for name in ("provision", "poller", "watcher", "template"):
        assert SERVICES[name]["cap_add"] == ["SETUID", "SETGID"]


def test_ports_are_published_on_loopback_only():
    ports = [port for service in [*SERVICES.values(), *DEBUG.values()] for port in service.get("ports", [])]
    assert ports
    assert all(str(port).startswith("127.0.0.1:") for port in ports)


def test_images_are_pinned_and_localstack_matches_the_embedded_version():
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
            assert source in COMPOSE["volumes"] or Path(source).is_dir(), volume


def test_when_debugging_emulator_and_poller_have_the_same_timeout():
    variables = DEBUG["poller"]["environment"]
    template = stack_template.with_debug_timeout(DESCRIBED, Settings.from_env(variables))
    assert variables == {"RUNNER_DEBUG": "true"}
    assert DEBUG["lambda"]["environment"]["AWS_LAMBDA_FUNCTION_TIMEOUT"] == str(template.function_timeout_s) == "3600"
    assert DEBUG["lambda"]["scale"] == 1


def test_when_debugging_the_lambda_keeps_its_image_and_limits():
    assert DEBUG.keys() == {"debugger", "lambda", "poller"}
    assert DEBUG["lambda"].keys() == {"environment", "volumes", "ports", "scale", "depends_on"}
    # PYTHONPATH would remove /opt/python, which holds the packages, from the search path.
    assert DEBUG["lambda"]["environment"].keys() == {"AWS_LAMBDA_EXEC_WRAPPER", "AWS_LAMBDA_FUNCTION_TIMEOUT"}
    assert DEBUG["lambda"]["volumes"] == ["debugpy:/opt/debugpy:ro"]
    assert re.findall(r"^FROM .* AS ([\w-]+)$", Path("Dockerfile").read_text(), re.MULTILINE)[-1] == "lambda"
    shipped = Path("Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert "debug" not in shipped


def test_debugger_is_copied_at_each_start_by_an_isolated_service():
    service = DEBUG["debugger"]
    assert service["network_mode"] == "none"
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "restart" not in service
    assert DEBUG["lambda"]["depends_on"] == {"debugger": {"condition": "service_completed_successfully"}}


def test_wrapper_inserts_the_debugger_after_the_interpreter():
    done = subprocess.run(
        ["docker/debug-wrapper", "echo", "boot.py", "a b"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "-Xfrozen_modules=off /opt/debugpy/debugpy --listen 0.0.0.0:5678 boot.py a b\n"
