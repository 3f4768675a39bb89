"""The stack without Docker: AWS emulator, Lambdas, watcher and poller as child processes of this one."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from runner.aws import clients
from runner.errors import StackError
from runner.function import routing
from runner.packages import install
from runner.settings import Settings
from runner.stack import (
    debugger,
    embedded_children,
    emulators,
    lambda_python,
    live_page,
    ports,
    role_rights,
    stray_processes,
    task_root,
)
from runner.stack.buckets import Buckets
from runner.stack.child import Child
from runner.stack.emulators.contract import AwsEmulator
from runner.stack.supervisor import Stop, Supervisor
from runner.state.stack_lock import announced, only_one
from runner.template import stack_template
from runner.template.stack_template import StackTemplate

_START_TIMEOUT_S = 120.0  # a slow, busy machine takes a minute


@dataclass
class EmbeddedBackend:
    """A running stack of child processes."""

    settings: Settings
    endpoint_url: str
    supervisor: Supervisor
    emulator: Child
    buckets: Buckets

    def maintain(self) -> None:
        """Restart children that have exited, and recreate buckets that the emulator has lost. Call it often."""
        self.supervisor.restart_exited()
        self.buckets.ensure()


@contextlib.contextmanager
def running(
    settings: Settings, report: Callable[[str], None], stop: Stop, *, quiet: bool = False, watch: bool = True
) -> Iterator[EmbeddedBackend]:
    """Run a stack for the duration of the body, which starts when the stack is ready for files.

    Args:
        settings: without `endpoint_url`, S3 and SQS get any free port.
        report: called with each line that the user should read.
        stop: checked during every wait.
        quiet: send the output of the watcher and the poller to log files, not to the terminal.
        watch: start the watcher, which uploads files from the inbox.

    Raises:
        RunnerError: the template or the routes are invalid, a port is in use, a process did not start, or a stop was
            requested.
    """
    if sys.platform != "linux":
        raise StackError(
            f"The stack without Docker runs on Linux only, and this is {sys.platform}. Use Docker: `runner up "
            "--docker`, or see docs/platforms.md."
        )
    settings = live_page.with_port(debugger.with_one_lambda(settings))
    template = stack_template.with_debug_timeout(stack_template.load_for(settings), settings)
    for text in filter(None, [*template.notices, lambda_python.notice()]):
        report(f"⚠ {text}")
    routing.load(settings.root)
    packages = install.prepare(settings, lambda_python.INTERPRETER, report)
    endpoint_url = _choose_endpoint(settings)
    settings = replace(settings, endpoint_url=endpoint_url)
    with only_one(settings), contextlib.ExitStack() as stack:
        (settings.state / "logs").mkdir(exist_ok=True)
        stray_processes.end(task_root.of(settings.state))  # of a stack that was killed
        stack.callback(stray_processes.end, task_root.of(settings.state))
        _require_free_ports(settings, endpoint_url)
        _delete_old_logs(settings)
        ready_reader, ready_writer = os.pipe()  # the poller writes to it when all Lambdas are warm
        stack.callback(os.close, ready_reader)
        stack.callback(os.close, ready_writer)
        emulator, supervisor = emulators.by_name(settings.emulator or emulators.DEFAULT), Supervisor(report)
        stack.callback(supervisor.stop, kill=[emulator.name])
        if settings.has_page:
            supervisor.start(embedded_children.page(settings, endpoint_url))
            report(live_page.line(settings))
        backend = _start(
            settings, endpoint_url, template, emulator, supervisor, ready_writer, packages, quiet=quiet, watch=watch
        )
        _await_buckets(backend, stop)
        _await_lambdas(backend, ready_reader, stop)
        stack.enter_context(announced(settings, endpoint_url))
        yield backend


def _start(
    settings: Settings,
    endpoint_url: str,
    template: StackTemplate,
    emulator: AwsEmulator,
    supervisor: Supervisor,
    ready_writer: int,
    packages: Path | None,
    *,
    quiet: bool,
    watch: bool,
) -> EmbeddedBackend:
    """Start all processes, each as early as possible, so that they load at the same time."""
    log = settings.state / "logs" / f"{emulator.name.lower()}.log"
    emulator_child = emulator.child(settings.state, endpoint_url, log)
    supervisor.start(emulator_child)
    role_folder = settings.state / "role"
    shutil.rmtree(role_folder, ignore_errors=True)
    role_rights.write_rights(role_folder, template.role, enforced=emulator.enforces_rights)
    lambda_addresses = [ports.private_address() for _ in range(settings.concurrency)]
    for child in embedded_children.lambdas(
        settings, endpoint_url, template, lambda_addresses, [packages] if packages else []
    ):
        supervisor.start(child)
    for child in embedded_children.services(
        settings, endpoint_url, lambda_addresses, ready_writer, quiet=quiet, watch=watch
    ):
        supervisor.start(child)
    # Create the clients only now: importing boto3 takes much of the time that the emulator takes to start.
    buckets = Buckets(emulator, emulator_child, endpoint_url, template, role_folder)
    return EmbeddedBackend(settings, endpoint_url, supervisor, emulator_child, buckets)


def _choose_endpoint(settings: Settings) -> str:
    configured = settings.endpoint_url
    # In a dev container the setting names the Docker stack beside it.
    if configured is None or clients.in_compose_network(configured):
        return f"http://127.0.0.1:{ports.free_port()}"
    return clients.require_local(configured)


def _require_free_ports(settings: Settings, endpoint_url: str) -> None:
    ports.require_free(endpoint_url, "runner up --port 4567 (0 chooses any free one)")
    if settings.debug:
        ports.require_free(f"http://127.0.0.1:{settings.debug_port}", "RUNNER_DEBUG_PORT=5679")


def _delete_old_logs(settings: Settings) -> None:
    for log in (settings.state / "logs").glob("*.log"):
        log.unlink()


def _await_buckets(backend: EmbeddedBackend, stop: Stop) -> None:
    emulator, deadline = backend.emulator, time.monotonic() + _START_TIMEOUT_S
    while not backend.buckets.ensure():
        if not emulator.alive or time.monotonic() > deadline:
            raise StackError(
                f"{emulator.name} did not start. The end of its log ({emulator.log}):\n{emulator.log_tail()}"
            )
        stop.pause(0.02)


def _await_lambdas(backend: EmbeddedBackend, ready_reader: int, stop: Stop) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not select.select([ready_reader], [], [], 0.05)[0]:
        stop.pause(0)
        backend.maintain()
        if time.monotonic() > deadline:
            log = backend.settings.state / "logs" / "lambda-1.log"
            raise StackError(f"The Lambdas did not start within {_START_TIMEOUT_S:.0f} s. See {log}.")
