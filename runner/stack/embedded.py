"""The stack without Docker: LocalStack, emulators, watcher and poller as child processes of this one."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from runner.aws import clients, emulator_api
from runner.errors import StackError
from runner.function import routing
from runner.services import provisioner
from runner.settings import CHECKOUT, Settings
from runner.stack import debugger, lambda_process, ports
from runner.stack.emulators import localstack
from runner.stack.supervisor import Child, Stop, Supervisor, python
from runner.state.stack_lock import announced, only_one
from runner.template import stack_template
from runner.template.stack_template import StackTemplate

DEFAULT_PORT = 4566
_PATIENCE_S = 120.0  # a slow machine that is busy with other things takes one minute


@dataclass
class Stack:
    """A running stack."""

    settings: Settings
    template: stack_template.StackTemplate
    supervisor: Supervisor
    endpoint_url: str
    buckets: Buckets

    def tend(self) -> None:
        """Start again what died, and make again what LocalStack has lost; call it often."""
        self.supervisor.tend()
        self.buckets.tend()


@contextlib.contextmanager
def running(
    settings: Settings, say: Callable[[str], None], stop: Stop, *, quiet: bool = False, watch: bool = True
) -> Iterator[Stack]:
    """A stack that is ready for files, for as long as the body runs.

    Args:
        settings: `endpoint_url` None means any free port.
        say: told, a line each, what a user should know.
        stop: looked at while something is waited for.
        quiet: the watcher and the poller write to their logs and not to the terminal.
        watch: take files from the inbox.

    Raises:
        RunnerError: template or routes are wrong, the port is taken, a part did not start, or it was stopped.
    """
    settings = debugger.prepared(settings)
    described = stack_template.patient(stack_template.load(settings.root / "template.yaml"), settings)
    routing.load(settings.root)
    endpoint_url = _own_endpoint(settings)
    settings = replace(settings, endpoint_url=endpoint_url)
    (settings.state / "logs").mkdir(parents=True, exist_ok=True)
    with only_one(settings), contextlib.ExitStack() as stack:
        _require_free_port(endpoint_url, "runner up --port 4567 (0 takes any free one)")
        if settings.debug:
            _require_free_port(f"http://127.0.0.1:{settings.debug_port}", "RUNNER_DEBUG_PORT=5679")
        for old in (settings.state / "logs").glob("*.log"):
            old.unlink()
        warm, tell_warm = os.pipe()  # the poller writes to it when all Lambdas are warm
        stack.callback(os.close, warm)
        stack.callback(os.close, tell_warm)
        supervisor = Supervisor(say)
        stack.callback(supervisor.stop, at_once=["LocalStack"])
        local = _start(settings, described, supervisor, tell_warm, quiet=quiet, watch=watch)
        # Before the waiting: importing boto3 takes a good part of the time that LocalStack takes to start.
        made = Stack(settings, described, supervisor, endpoint_url, Buckets(local, endpoint_url, described))
        _await_buckets(made.buckets, local, stop)
        _await(warm, made, stop)
        stack.enter_context(announced(settings, endpoint_url))
        yield made


def _own_endpoint(settings: Settings) -> str:
    given = settings.endpoint_url
    if given is None or clients.in_compose_network(given):  # in a dev container, where that is the stack beside it
        return f"http://127.0.0.1:{ports.free_port()}"
    return clients.require_local(given)


def _start(
    settings: Settings,
    described: stack_template.StackTemplate,
    supervisor: Supervisor,
    tell_warm: int,
    *,
    quiet: bool,
    watch: bool,
) -> Child:
    """Start all children, in an order that gives each the most time to boot while others do; gives LocalStack."""
    endpoint_url = settings.endpoint_url or ""
    logs = settings.state / "logs"
    local = localstack.child(settings.state, endpoint_url, logs / "localstack.log")
    supervisor.start(local)
    lambda_ports = [ports.free_port() for _ in range(settings.concurrency)]
    for number, port in enumerate(lambda_ports, start=1):
        module = debugger.interpreter(settings)
        supervisor.start(
            lambda_process.child(number, port, settings.root, settings.state, described, endpoint_url, module)
        )
    urls = [f"--lambda-url=http://127.0.0.1:{port}" for port in lambda_ports]
    poller = [*python("-m", "runner", "poll", f"--ready-file=/dev/fd/{tell_warm}"), *urls]
    env = _service_environment(settings, endpoint_url)
    log = logs / "poller.log" if quiet else None
    supervisor.start(Child("poller", poller, env, log=log, cwd=settings.root, pass_fds=(tell_warm,)))
    if watch:
        log = logs / "watcher.log" if quiet else None
        supervisor.start(Child("watcher", python("-m", "runner", "watch"), env, log=log, cwd=settings.root))
    return local


def _service_environment(settings: Settings, endpoint_url: str) -> dict[str, str]:
    """What the watcher and the poller are told: this process's own settings."""
    terminal = {name: os.environ[name] for name in ("TERM", "NO_COLOR", "FORCE_COLOR") if name in os.environ}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(CHECKOUT),
        **terminal,
        **clients.local_environment(endpoint_url),
        **settings.to_env(),
    }


def _await_buckets(buckets: Buckets, local: Child, stop: Stop) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not buckets.tend():
        if not local.alive or time.monotonic() > deadline:
            raise StackError(f"LocalStack did not start. The end of {local.log}:\n{local.last_words()}")
        stop.pause(0.02)


def _await(warm: int, stack: Stack, stop: Stop) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not select.select([warm], [], [], 0.05)[0]:
        stop.pause(0)
        stack.tend()
        if time.monotonic() > deadline:
            raise StackError(f"The Lambdas did not start within {_PATIENCE_S:.0f} s: see data/state/logs/lambda-1.log.")


def _require_free_port(endpoint_url: str, other: str) -> None:
    parts = urlsplit(endpoint_url)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((parts.hostname or "127.0.0.1", parts.port or 80))
        except OSError as error:
            raise StackError(
                f"Port {parts.port} is in use, perhaps by another stack. Stop that, or choose another port: {other}."
            ) from error


class Buckets:
    """The buckets and queues of a LocalStack, which comes up empty whenever it starts."""

    def __init__(self, local: Child, endpoint_url: str, described: StackTemplate) -> None:
        self._local, self._endpoint_url, self._template = local, endpoint_url, described
        self._s3, self._sqs = clients.local_s3(endpoint_url), clients.local_sqs(endpoint_url)
        self._made_in: object = None

    def tend(self) -> bool:
        """Make them if LocalStack answers and has none, else look again next time; gives whether they are there.

        Waits for nothing: other children may have died too, and LocalStack itself may die again meanwhile.
        """
        process = self._local.process
        if process is not self._made_in and emulator_api.is_healthy(self._endpoint_url):
            with suppress(BotoCoreError, ClientError):  # it went away again
                provisioner.provision(self._s3, self._sqs, self._template)
                self._made_in = process
        return process is not None and process is self._made_in
