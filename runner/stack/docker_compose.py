"""The stack with Docker: starts and stops the services of compose.yaml with `docker compose`."""

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
from runner.stack import (
    build_variables,
    compose_project,
    docker_engine,
    image_context,
    lambda_container_init,
    live_page,
    role_rights,
    role_session,
)
from runner.stack.child import Child
from runner.stack.supervisor import Stop, Supervisor
from runner.state.stack_lock import announced, only_one
from runner.template import stack_template
from runner.template.stack_template import StackTemplate

# The services whose output the user reads. The Lambdas' own logs would drown it.
_SHOWN_SERVICES = ("provision", "template", "watcher", "poller")
_LOG_READER = "docker compose logs"
LAMBDA_MODULES = (
    "hot_reload.py", "lambda_container_init.py", "lambda_description.py", "local_handler.py", "role_session.py",
)  # fmt: skip
"""The modules of runner/stack that run in the Lambda's container."""


@contextlib.contextmanager
def running(settings: Settings, report: Callable[[str], None], stop: Stop) -> Iterator[DockerBackend]:
    """Run the services of compose.yaml for the duration of the body, which starts when they are ready for files.

    Args:
        settings: without `endpoint_url`, S3 and SQS get any free port.
        report: called with each line that the user should read.
        stop: checked during every wait.

    Raises:
        RunnerError: Docker cannot be used, the template or the routes are invalid, a service did not start, or a stop
            was requested.
    """
    if settings.endpoint_url:
        clients.require_local(settings.endpoint_url)
    settings = live_page.with_port(settings)
    reason = docker_engine.unavailable_reason()
    if reason:
        raise StackError(f"Docker cannot be used: {reason}. `runner up --embedded` does not need it.")
    template = stack_template.load_for(settings)
    for text in template.notices:
        report(f"⚠ {text}")
    routing.load(settings.root)
    with only_one(settings):
        backend = DockerBackend(settings, template, Supervisor(report), report)
        try:
            if settings.has_page:
                report(live_page.line(settings))
            backend.start(stop)
            with announced(settings, backend.endpoint_url):
                yield backend
        finally:
            backend.stop()


class DockerBackend:
    """A compose project, and a child process that prints its logs."""

    def __init__(
        self, settings: Settings, template: StackTemplate, supervisor: Supervisor, report: Callable[[str], None]
    ) -> None:
        self._supervisor, self._settings, self._report = supervisor, settings, report
        self._env = environment(settings) | variables(template)
        compose_project.require_own(self._env["COMPOSE_PROJECT_NAME"])
        files = ["compose.yaml", *(["compose.debug.yaml"] if settings.debug else [])]
        self._compose = ["docker", "compose", *(f"--file={CHECKOUT / name}" for name in files)]

    def start(self, stop: Stop) -> None:
        """Build images that have changed, start all services and wait until each is healthy."""
        known = build_variables.with_code_version(self._settings.root)
        if "CODE_VERSION" in known:
            self._env["CODE_VERSION"] = known["CODE_VERSION"]
        self._env["LAMBDA_CONTEXT"] = str(image_context.stage(self._settings, self._report))
        up = Child("compose", [*self._compose, "up", "--detach", "--wait", "--build"], self._env, cwd=CHECKOUT)
        up.start()
        try:
            while up.alive:
                stop.pause(0.05)
        except StoppedError:
            up.signal(signal.SIGTERM)
            raise
        finally:
            image_context.discard(self._settings)
        if up.process and up.process.returncode:
            subprocess.run([*self._compose, "logs", "--tail", "15"], env=self._env, check=False)
            raise StackError(
                "`docker compose up` failed; the lines above say why. If an image cannot be pulled, "
                "scripts/offline-images builds substitutes. `runner up --embedded` does not need Docker."
            )
        self._follow_logs()

    def _follow_logs(self) -> None:
        logs = [*self._compose, "logs", "--follow", "--no-log-prefix", *_SHOWN_SERVICES]
        reader = Child(_LOG_READER, logs, self._env, cwd=CHECKOUT)
        self._supervisor.start(reader)
        reader.argv = [*logs, "--tail", "0"]  # after a restart, do not print the same lines again

    @property
    def endpoint_url(self) -> str:
        """Where S3 and SQS listen on this machine."""
        command = [*self._compose, "port", "emulator", "4566"]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=True)
        return f"http://{done.stdout.strip()}"

    def maintain(self) -> None:
        """Keep the logs printed. Docker itself restarts containers that exit."""
        self._supervisor.restart_exited()

    def stop(self) -> None:
        """Remove the containers and their network; keep the images."""
        self._supervisor.stop(kill=[_LOG_READER])  # on SIGTERM it would print "canceled"
        # The volumes hold only what each start creates.
        down = [*self._compose, "down", "--remove-orphans", "--volumes"]
        for _ in range(2):  # a container that was just restarting may still have held the network
            # In its own process group, so that a second Ctrl-C does not interrupt it.
            if subprocess.run(down, env=self._env, capture_output=True, check=False, process_group=0).returncode == 0:
                return


def environment(settings: Settings) -> dict[str, str]:
    """Return the variables for compose.yaml: settings of options and of the shell; .env may set the others."""
    defaults = Settings.from_env({}).to_env()
    changed = {
        name: value
        for name, value in settings.to_env().items()
        if defaults.get(name) != value or name in os.environ  # an option overrides the shell's variable
    }
    port = (urlsplit(settings.endpoint_url).port or 80) if settings.endpoint_url else 0
    return {
        **os.environ, **changed, **_project(settings), "LOCALSTACK_PORT": str(port), "RUNNER_ROOT": str(settings.root),
        "RUNNER_DATA": str(settings.data), "RUNNER_ANNOUNCE": "",  # this process does
        "PAGE_REPLICAS": str(int(settings.has_page)),
    }  # fmt: skip


def _project(settings: Settings) -> dict[str, str]:
    """Return the variables that tell projects apart, and those for folders that a project does not have."""
    found = {"COMPOSE_PROJECT_NAME": compose_project.name(settings)}
    for variable, name in (("PROJECT_SHARED", "shared"), ("PROJECT_UTILS", "utils")):
        if not (settings.root / name).is_dir():
            empty = settings.state / "empty"  # Docker would create the missing folder in the project, as root
            empty.mkdir(parents=True, exist_ok=True)
            found[variable] = str(empty)
    if image_context.is_foreign(settings):
        found["LAMBDA_IMAGE"] = f"tsdat-local/lambda:{image_context.name_of(settings.root)}"
    return found


def variables(template: StackTemplate) -> dict[str, str]:
    """Return the variables with which compose.yaml gives the Lambda the template's limits, enforced by the kernel."""
    return {"LAMBDA_MEMORY_MB": str(template.memory_mb), "LAMBDA_TMP_MB": str(template.ephemeral_storage_mb)}


def prepare(template: StackTemplate, folder: Path, tmp_mb: str, *, enforced: bool) -> None:
    """Write the local part of the Lambda's container: the template's environment, the init process and hot reload.

    Args:
        folder: the volume that compose.yaml mounts in the container as runner/stack.
        tmp_mb: the size of /tmp in compose.yaml, in MB.
        enforced: whether the emulator enforces the role, so that `provision` will write its credentials.

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
    role = folder / role_session.FOLDER.name
    role.mkdir(exist_ok=True)
    role.chmod(0o777)  # `provision` writes to it as another user
    (role / role_session.CREDENTIALS).unlink(missing_ok=True)  # of an emulator that has lost them
    role_rights.write_rights(role, template.role, enforced=enforced)
    for module in LAMBDA_MODULES:
        shutil.copyfile(Path(__file__).with_name(module), folder / module)
