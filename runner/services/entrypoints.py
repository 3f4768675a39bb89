"""The processes of a stack: the only place where services are put together."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from runner.aws import clients, emulator_api
from runner.aws.s3 import bucket_epoch
from runner.settings import EmulatorName, Settings
from runner.state import stack_lock
from runner.state.database import State
from runner.template import stack_template

log = logging.getLogger("services")


def _stop_event() -> threading.Event:
    """Set by SIGTERM and SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _exit_with_any_thread() -> None:
    """Exit the process when a thread crashes: the supervisor restarts it, and nothing waits for the thread forever."""

    def exit_process(crash: threading.ExceptHookArgs) -> None:
        name = crash.thread.name if crash.thread else "a thread"
        log.critical("thread %s crashed; this process is restarted", name, exc_info=crash.exc_value)
        os._exit(1)

    threading.excepthook = exit_process


def _write_ready(file: Path | None) -> None:
    if file:
        file.write_text("ready\n")


def provision(settings: Settings, ready_file: Path | None) -> None:
    """Create buckets and queues whenever the emulator starts, because it starts empty; for the Docker stack."""
    from runner.services.provisioner import provision as make

    stop = _stop_event()
    described = stack_template.load_for(settings)
    s3, sqs = clients.local_s3(settings.endpoint_url), clients.local_sqs(settings.endpoint_url)
    other = partial(clients.local_client, endpoint_url=settings.endpoint_url)
    is_reported = False
    while not stop.is_set():
        answers = emulator_api.answers(s3)
        there = answers and bool(bucket_epoch(s3, described.source_bucket))
        if answers and not there:
            with suppress(ClientError, BotoCoreError):  # it went away again; look again
                make(s3, sqs, described, other if settings.emulator is EmulatorName.MINISTACK else None)
                log.info("made the buckets and queues of template.yaml")
                there = True
        if there and not is_reported:  # also if a process before this one created them
            is_reported = True
            _write_ready(ready_file)
        time.sleep(0.5)


def watch(settings: Settings, ready_file: Path | None) -> None:
    """Run the watcher until SIGTERM."""
    from runner.services.watcher.watcher import Watcher

    _exit_with_any_thread()
    described = stack_template.load_for(settings)
    s3 = clients.local_s3(settings.endpoint_url)
    with closing(State(settings.state)) as state:
        watcher = Watcher(settings, s3, described.source_bucket, state)
        watcher.run(_stop_event(), lambda: _write_ready(ready_file))


def poll(
    settings: Settings, lambda_urls: list[str], ready_file: Path | None, announce: str = "", tmp: Path | None = None
) -> None:
    """Run the event source mapping, and beside it what mostly waits, until SIGTERM.

    Args:
        announce: where S3 and SQS answer on this machine; empty if a supervisor outside announces that.
        tmp: a folder on the disk of the Lambdas' /tmp; None if /tmp is limited by itself.

    Raises:
        StackError: another stack runs on the data folder.
    """
    from runner.services.event_source_mapping.poller import EventSourceMapping
    from runner.services.event_source_mapping.run_room import RunRoom
    from runner.services.output_mirror import OutputMirror
    from runner.services.reconciler.loop import ReconcileLoop
    from runner.services.scheduler import Scheduler

    stop = _stop_event()
    _exit_with_any_thread()
    described = stack_template.with_debug_timeout(stack_template.load_for(settings), settings)
    s3, sqs = clients.local_s3(settings.endpoint_url), clients.local_sqs(settings.endpoint_url)
    mirror = OutputMirror(s3, described.destination_bucket, settings.outputs, described.source_bucket)
    threads = {
        "outputs": mirror.run,
        "reconciler": ReconcileLoop(settings, described).run,
        "scheduler": Scheduler(sqs, described.queue_name, described.schedules).run,
    }
    with ExitStack() as stack:
        if announce:
            stack.enter_context(stack_lock.only_one(settings))

        def on_ready() -> None:
            if announce:
                stack.enter_context(stack_lock.announced(settings, announce))
            _write_ready(ready_file)

        State(settings.state).close()  # refuse a folder of another version before any thread needs it
        for name, run in threads.items():
            threading.Thread(target=run, args=(stop,), name=name, daemon=True).start()
        room = RunRoom(settings.state, settings.outputs, tmp, described.ephemeral_storage_mb << 20)
        EventSourceMapping(sqs, described, lambda_urls, settings.state, mirror, room, on_ready).run(stop)
