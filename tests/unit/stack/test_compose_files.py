"""compose.yaml is consistent with template.yaml and the runner."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runner.aws import clients
from runner.settings import EmulatorName, Settings
from runner.stack import docker_compose, lambda_process
from runner.stack.embedded_limits import MOST
from runner.stack.emulators.ministack import MiniStack
from runner.template import stack_template
from runner.testing.stacks import environment

COMPOSE = yaml.safe_load(Path("compose.yaml").read_text())
EMULATORS = yaml.safe_load(Path("docker/emulators.yaml").read_text())["services"]
# With each emulator, as Compose merges it.
SERVICES = {
    **{name: service for name, service in COMPOSE["services"].items() if name != "emulator"},
    **{name: service | COMPOSE["services"]["emulator"] for name, service in EMULATORS.items()},
}
TEMPLATE = Path("template.yaml").read_text()
DESCRIBED = stack_template.load(Path("template.yaml"))


def resolved(node: object) -> object:
    """Return a part of compose.yaml with the defaults of its variables."""
    text = json.dumps(node)
    while (plain := re.sub(r"\$\{\w+:?-([^${}]*)\}", r"\1", text)) != text:
        text = plain
    return json.loads(text)


LAMBDA = resolved(SERVICES["lambda"])
DEBUG = yaml.safe_load(Path("compose.debug.yaml").read_text())["services"]


def test_the_lambda_has_fake_credentials_and_no_setting_of_the_template():
    environment = {name: str(value) for name, value in LAMBDA["environment"].items()}
    assert environment == clients.FAKE_IDENTITY | {"AWS_ENDPOINT_URL": "http://emulator:4566", "LOG_LEVEL": ""}


def test_our_services_have_fake_credentials():
    assert SERVICES["watcher"]["environment"].items() >= {**clients.FAKE_IDENTITY, "RUNNER_DATA": "/data"}.items()


def test_the_lambda_starts_the_local_handler_and_the_image_its_own():
    assert SERVICES["lambda"]["command"] == [lambda_process.LOCAL_HANDLER]
    assert Path("Dockerfile").read_text().endswith(f'CMD ["{lambda_process.HANDLER}"]\n')


def test_the_default_size_of_tmp_is_the_templates():
    defaults = dict(re.findall(r"\$\{(LAMBDA_\w+_MB):-(\d+)\}", json.dumps(COMPOSE)))
    wanted = docker_compose.variables(DESCRIBED)
    assert defaults == wanted | {"LAMBDA_MEMORY_MB": "10240"}
    assert LAMBDA["tmpfs"][0] == f"/tmp:size={wanted['LAMBDA_TMP_MB']}m,mode=1777"
    assert (LAMBDA["ipc"], LAMBDA["ulimits"], LAMBDA["pids_limit"]) == ("none", {"nofile": MOST}, MOST)
    assert LAMBDA["mem_limit"] == LAMBDA["memswap_limit"] == "10240m"
    command = resolved(SERVICES["template"]["command"])
    assert command[command.index("--tmp-mb") + 1] == wanted["LAMBDA_TMP_MB"]


def prepare(folder: Path, root: Path, tmp_mb: str) -> subprocess.CompletedProcess[str]:
    """Run the command of the service `template`."""
    command = [sys.executable, "-m", "runner", "prepare-lambda", "--tmp-mb", tmp_mb, str(folder)]
    variables = environment(RUNNER_ROOT=str(root))
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_the_volume_has_the_templates_environment_and_the_local_modules(tmp_path: Path):
    done = prepare(tmp_path, Path.cwd(), str(DESCRIBED.ephemeral_storage_mb))
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "environment.json").read_text()) == DESCRIBED.function_environment
    for module in ("lambda_container_init.py", "local_handler.py", "hot_reload.py", "role_session.py"):
        assert (tmp_path / module).read_bytes() == Path("runner/stack", module).read_bytes()
    # The Lambda's user is another one.
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in tmp_path.iterdir())
    assert json.loads((tmp_path / "role" / "role.json").read_text())["name"] == "PipelineRole"
    # Where the handler's name finds them, beside the packages in the image.
    (mount,) = [volume for volume in LAMBDA["volumes"] if volume.startswith("lambda-stack:")]
    assert mount == "lambda-stack:/var/task/runner/stack:ro"
    assert LAMBDA["entrypoint"] == ["python3", "/var/task/runner/stack/lambda_container_init.py"]


def test_another_size_of_tmp_is_refused_with_the_line_to_add(tmp_path: Path):
    (tmp_path / "template.yaml").write_text(TEMPLATE.replace("{Size: 1024}", "{Size: 2048}"))
    (tmp_path / "pipelines").mkdir()
    done = prepare(tmp_path, tmp_path, "1024")
    assert done.returncode == 2
    assert done.stderr == (
        "error: EphemeralStorage in template.yaml is 2048 MB, but docker compose, which cannot read the template, made "
        "/tmp 1024 MB. Start with scripts/up --docker, or add this line to .env and start again:\nLAMBDA_TMP_MB=2048\n"
    )
    assert not (tmp_path / "environment.json").exists()


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_read_only_and_gain_no_privileges(name: str):
    service = SERVICES[name]
    assert service.get("read_only", False) == (name != "localstack")  # not ours
    assert service["init"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_lambda_has_no_privileges_and_the_others_can_only_change_user():
    assert LAMBDA["user"] == "1000:1000"
    assert "cap_add" not in LAMBDA
    for name in ("provision", "poller", "watcher", "template", "page"):
        assert SERVICES[name]["cap_add"] == ["SETUID", "SETGID"]


def test_ports_are_published_on_loopback_only():
    ports = [port for service in [*SERVICES.values(), *DEBUG.values()] for port in service.get("ports", [])]
    assert ports
    assert all(str(port).startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize(
    ("package", "image"), [("localstack", "localstack/localstack"), ("ministack", "ministackorg/ministack")]
)
def test_images_are_pinned_and_the_emulators_are_the_embedded_ones(package: str, image: str):
    assert not [service["image"] for service in SERVICES.values() if "latest" in service["image"]]
    lines = Path(f"requirements/{package}.txt").read_text().splitlines()
    (version,) = re.findall(rf"^{package}(?:-core)?==(\S+)", "\n".join(lines), re.MULTILINE)
    assert SERVICES[package]["image"].endswith(f"{image}:{version}}}")


def test_compose_takes_the_emulator_that_a_variable_names(tmp_path: Path):
    assert {str(name) for name in EmulatorName} == EMULATORS.keys()
    assert COMPOSE["services"]["emulator"]["extends"]["service"] == "${EMULATOR:-localstack}"
    for name, service in EMULATORS.items():
        assert f"/guard/{name}_entrypoint.py" in str(service["entrypoint"])
    embedded = MiniStack().child(tmp_path, "http://127.0.0.1:4566", Path("log")).env
    same = embedded.keys() & EMULATORS["ministack"]["environment"].keys() - {"BIND_HOST"}
    assert {name: EMULATORS["ministack"]["environment"][name] for name in same} == {
        name: embedded[name] for name in same
    }


def test_only_folders_are_mounted():
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":/")[0].removeprefix("../")  # relative to docker/
            while (plain := re.sub(r"\$\{\w+:-([^${}]*)\}", r"\1", source)) != source:  # from the inside out
                source = plain
            assert source in COMPOSE["volumes"] or Path(source).is_dir(), volume


def test_under_the_debugger_emulator_and_poller_have_the_same_timeout():
    environment = DEBUG["poller"]["environment"]
    template = stack_template.with_debug_timeout(DESCRIBED, Settings.from_env(environment))
    assert environment == {"RUNNER_DEBUG": "true"}
    assert DEBUG["lambda"]["environment"]["AWS_LAMBDA_FUNCTION_TIMEOUT"] == str(template.function_timeout_s) == "3600"
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


def test_the_debugger_is_copied_at_each_start_by_a_service_without_rights():
    service = DEBUG["debugger"]
    assert service["network_mode"] == "none"
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "restart" not in service
    assert DEBUG["lambda"]["depends_on"] == {"debugger": {"condition": "service_completed_successfully"}}


def test_the_wrapper_runs_the_arguments_under_the_debugger():
    done = subprocess.run(
        ["docker/debug-wrapper", "echo", "boot.py", "a b"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "-Xfrozen_modules=off /opt/debugpy/debugpy --listen 0.0.0.0:5678 boot.py a b\n"
