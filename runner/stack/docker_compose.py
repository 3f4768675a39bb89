"""The stack with Docker: starts and ends the services of compose.yaml with `docker compose`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from runner.aws import clients
from runner.errors import StackError, StoppedError
from runner.function import routing
from runner.settings import CHECKOUT, Settings
from runner.stack import lambda_container_init
from runner.stack.supervisor import Child, Stop, Supervisor
from runner.state.stack_lock import announced, only_one
from runner.template import stack_template
from runner.template.stack_template import StackTemplate

_OLDEST_COMPOSE = (2, 26)
# What a person wants to read of the services' output; the Lambdas' own logs would drown it.
_TELLING = ("provision", "template", "watcher", "poller")
_READER = "docker compose logs"
LAMBDA_MODULES = ("lambda_container_init.py", "local_handler.py", "hot_reload.py")
"""The modules of runner/stack that run in the Lambda's container."""


def why_not() -> str | None:
    """Why Docker cannot be used here; None when it can."""
    if not shutil.which("docker"):
        return "docker is not installed"
    try:
        _ask("docker", "version", "--format", "{{.Server.Version}}")
    except (subprocess.SubprocessError, OSError) as error:
        return f"no Docker engine answers: {_last_line(error)}"
    try:
        version = _ask("docker", "compose", "version", "--short").lstrip("v")
    except (subprocess.SubprocessError, OSError):
        return "docker has no compose plugin"
    numbers = tuple(int(number) for number in version.split("-")[0].split(".")[:2])
    if numbers < _OLDEST_COMPOSE:
        return f"docker compose {version} is older than {'.'.join(map(str, _OLDEST_COMPOSE))}"
    return None


def _ask(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


def _last_line(error: Exception) -> str:
    said = getattr(error, "stderr", "") or str(error)
    return (said if isinstance(said, str) else said.decode(errors="replace")).strip().splitlines()[-1]


@contextlib.contextmanager
def running(settings: Settings, say: Callable[[str], None], stop: Stop) -> Iterator[Stack]:
    """The services of compose.yaml, ready for files, for as long as the body runs.

    Args:
        settings: `endpoint_url` None means any free port.
        say: told, a line each, what a user should know.
        stop: looked at while something is waited for.

    Raises:
        RunnerError: Docker is not there, template or routes are wrong, a service did not start, or it was stopped.
    """
    if settings.endpoint_url:
        clients.require_local(settings.endpoint_url)
    reason = why_not()
    if reason:
        raise StackError(f"Docker cannot be used: {reason}. `runner up --embedded` needs none.")
    described = stack_template.load(settings.root / "template.yaml")
    routing.load(settings.root)
    # What Docker mounts it would make as root where it is missing.
    for folder in (settings.data, *(settings.root / name for name in ("pipelines", "shared", "utils"))):
        folder.mkdir(parents=True, exist_ok=True)
    with only_one(settings):
        stack = Stack(settings, described, Supervisor(say))
        try:
            stack.start(stop)
            with announced(settings, stack.endpoint_url):
                yield stack
        finally:
            stack.end()


class Stack:
    """A compose project and those who read its logs."""

    def __init__(self, settings: Settings, described: stack_template.StackTemplate, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._env = environment(settings) | variables(described)
        files = ["compose.yaml", *(["compose.debug.yaml"] if settings.debug else [])]
        self._compose = ["docker", "compose", *(f"--file={CHECKOUT / name}" for name in files)]

    def start(self, stop: Stop) -> None:
        """Build what has changed, start all services and wait until each says that it is ready."""
        up = Child("compose", [*self._compose, "up", "--detach", "--wait", "--build"], self._env, cwd=CHECKOUT)
        up.start()
        try:
            while up.alive:
                stop.pause(0.05)
        except StoppedError:
            up.signal(signal.SIGTERM)
            raise
        if up.process and up.process.returncode:
            subprocess.run([*self._compose, "logs", "--tail", "15"], env=self._env, check=False)
            raise StackError(
                "`docker compose up` failed; the lines above say why. If an image cannot be pulled, "
                "scripts/offline-images makes stand-ins; `runner up --embedded` needs no Docker at all."
            )
        logs = [*self._compose, "logs", "--follow", "--no-log-prefix", *_TELLING]
        reader = Child(_READER, logs, self._env, cwd=CHECKOUT)
        self._supervisor.start(reader)
        reader.argv = [*logs, "--tail", "0"]  # should it end, it goes on and tells nothing twice

    @property
    def endpoint_url(self) -> str:
        """Where S3 and SQS answer on this machine."""
        command = [*self._compose, "port", "localstack", "4566"]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=True)
        return f"http://{done.stdout.strip()}"

    def tend(self) -> None:
        """Go on reading the logs; Docker itself starts again what died."""
        self._supervisor.tend()

    def end(self) -> None:
        """Remove the containers and their network; images stay."""
        self._supervisor.stop(at_once=[_READER])  # asked to end it says "canceled"
        down = [*self._compose, "down", "--remove-orphans", "--volumes"]  # what they hold is made at each start
        for _ in range(2):  # a container that was just starting again may have held the network
            # A group of its own: Ctrl-C pressed again must not end it halfway.
            if subprocess.run(down, env=self._env, capture_output=True, check=False, process_group=0).returncode == 0:
                return


def environment(settings: Settings) -> dict[str, str]:
    """What compose.yaml's variables stand for: settings that are not the defaults, the rest is for .env to say."""
    defaults = Settings.from_env({}).to_env()
    changed = {name: value for name, value in settings.to_env().items() if defaults.get(name) != value}
    port = (urlsplit(settings.endpoint_url).port or 80) if settings.endpoint_url else 0
    return {
        **os.environ, **changed, "LOCALSTACK_PORT": str(port), "RUNNER_ROOT": str(settings.root),
        "RUNNER_DATA": str(settings.data), "RUNNER_ANNOUNCE": "",  # this process does
    }  # fmt: skip


def variables(template: StackTemplate) -> dict[str, str]:
    """Return the variables with which compose.yaml gives the Lambda the template's limits, enforced by the kernel."""
    return {"LAMBDA_MEMORY_MB": str(template.memory_mb), "LAMBDA_TMP_MB": str(template.ephemeral_storage_mb)}


def prepare(template: StackTemplate, folder: Path, tmp_mb: str) -> None:
    """Write the local part of the Lambda's container: the template's environment, the init process and hot reload.

    Args:
        folder: the volume that compose.yaml mounts in the container as runner/stack.
        tmp_mb: the size of /tmp in compose.yaml, in MB.

    Raises:
        StackError: the template has another size of /tmp. The text says which line to write where.
    """
    wanted = str(template.ephemeral_storage_mb)
    if tmp_mb != wanted:
        raise StackError(
            f"EphemeralStorage in template.yaml is {wanted} MB, but docker compose, which cannot read the template, "
            f"made /tmp {tmp_mb} MB. Start with scripts/up --docker, or add this line to .env and start again:\n"
            f"LAMBDA_TMP_MB={wanted}"
        )
    (folder / lambda_container_init.ENVIRONMENT).write_text(json.dumps(template.function_environment))
    for module in LAMBDA_MODULES:
        shutil.copyfile(Path(__file__).with_name(module), folder / module)
