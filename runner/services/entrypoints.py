"""Puts the stages together into the processes that run: the only place where they meet."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from runner.aws import clients, emulator_api
from runner.aws.s3 import bucket_epoch
from runner.messages.run_record import RunRecord
from runner.messages.schedule_events import SOURCE
from runner.services import run_log
from runner.services.event_source_mapping.batch_results import Verdict
from runner.services.event_source_mapping.worker import Batch
from runner.settings import Settings
from runner.state import stack_lock
from runner.state.runs import History
from runner.state.uploads import Ledger
from runner.template import stack_template

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from runner.services.output_mirror import Mirror

log = logging.getLogger("services")


def _stop_event() -> threading.Event:
    """Set by SIGTERM and SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _end_with_any_thread() -> None:
    """Have a thread that ends on an error take the process along: somebody starts it again, and nothing waits forever.

    What such a thread held would else be held for good.
    """

    def end(ended: threading.ExceptHookArgs) -> None:
        name = ended.thread.name if ended.thread else "a thread"
        log.critical("%s ended on an error; this process begins anew", name, exc_info=ended.exc_value)
        os._exit(1)

    threading.excepthook = end


def become_owner(folder: Path) -> None:
    """As root in a container: go on as the user whose folder was mounted, so that what is made in it is theirs."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _tell_ready(file: Path | None) -> None:
    if file:
        file.write_text("ready\n")


def provision(settings: Settings, ready_file: Path | None) -> None:
    """The provisioning process of the Docker stack: LocalStack comes up empty whenever it starts."""
    from runner.services.provisioner import provision as make

    stop = _stop_event()
    described = stack_template.load(settings.root / "template.yaml")
    s3, sqs = clients.local_s3(settings.endpoint_url), clients.local_sqs(settings.endpoint_url)
    told = False
    while not stop.is_set():
        answers = emulator_api.answers(s3)
        there = answers and bool(bucket_epoch(s3, described.source_bucket))
        if answers and not there:
            with suppress(ClientError, BotoCoreError):  # it went away again; look again
                make(s3, sqs, described)
                log.info("made the buckets and queues of template.yaml")
                there = True
        if there and not told:  # also when another life of this process had made them
            told = True
            _tell_ready(ready_file)
        time.sleep(0.5)


def watch(settings: Settings, ready_file: Path | None) -> None:
    """The watcher's process."""
    from runner.services.watcher.watcher import Watcher

    _end_with_any_thread()
    described = stack_template.load(settings.root / "template.yaml")
    s3 = clients.local_s3(settings.endpoint_url)
    with closing(Ledger(settings.state)) as ledger, closing(History(settings.state)) as history:
        watcher = Watcher(settings, s3, described.source_bucket, ledger, history)
        watcher.run(_stop_event(), lambda: _tell_ready(ready_file))


def poll(settings: Settings, lambda_urls: list[str], ready_file: Path | None, announce: str = "") -> None:
    """The poller's process.

    Args:
        announce: where S3 and SQS answer on this machine; empty when a supervisor outside tells that.

    Raises:
        StackError: another stack runs on the data folder already.
    """
    from runner.services.event_source_mapping.poller import Poller
    from runner.services.event_source_mapping.rie_client import Emulator, replicas
    from runner.services.output_mirror import Mirror
    from runner.state.received_events import Seen

    stop = _stop_event()
    _end_with_any_thread()
    described = stack_template.with_debug_timeout(stack_template.load(settings.root / "template.yaml"), settings)
    sqs = clients.local_sqs(settings.endpoint_url)
    mirror = Mirror(clients.local_s3(settings.endpoint_url), described.destination_bucket, settings.outputs)
    teller = run_log.Teller()

    def on_run(run: RunRecord, verdict: Verdict) -> None:
        for output in run["outputs"]:
            mirror.tell(output["key"])
        teller.tell(run, verdict)

    def find_emulators() -> list[Emulator]:
        return [emulator for url in lambda_urls for emulator in replicas(url, described.memory_mb)]

    with ExitStack() as stack:
        if announce:
            stack.enter_context(stack_lock.only_one(settings))

        def on_ready() -> None:
            if announce:
                stack.enter_context(stack_lock.announced(settings, announce))
            _tell_ready(ready_file)

        history = stack.enter_context(closing(History(settings.state)))
        seen = stack.enter_context(closing(Seen(settings.state)))

        def may_run(batch: Batch) -> bool:
            # What a schedule asks for reads outputs, which come back one by one when LocalStack has forgotten them.
            scheduled = any(SOURCE in message["Body"] for message in batch)
            return not scheduled or mirror.is_complete(described.source_bucket)

        for name, run in _beside_the_poller(settings, described, sqs, mirror).items():
            threading.Thread(target=run, args=(stop,), name=name, daemon=True).start()
        Poller(sqs, described, find_emulators, history, on_run, on_ready, seen.note, may_run).run(stop)


def _beside_the_poller(
    settings: Settings, described: stack_template.StackTemplate, sqs: SQSClient, mirror: Mirror
) -> dict[str, Callable[[threading.Event], None]]:
    """What runs in threads of its process.

    The mirror does, because the poller is the first to know what there is to fetch, and what mostly waits.
    """
    from runner.services.reconciler.loop import Keeper
    from runner.services.scheduler import Scheduler

    return {
        "mirror": mirror.run,
        "restore": partial(mirror.restore, described.source_bucket),
        "balance": Keeper(settings, described).run,
        "scheduler": Scheduler(sqs, described.queue_name, described.schedules).run,
    }
