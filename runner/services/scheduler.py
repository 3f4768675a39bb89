"""Emulates EventBridge Scheduler: sends the messages of due schedules to the queue."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from runner.messages.schedule_events import iso
from runner.template.schedules import Schedule

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

log = logging.getLogger("scheduler")

_TICK_S = 0.2
# EventBridge is precise to 60 s. An older time, from while the machine was asleep, counts as missed.
_MAX_DELAY = timedelta(seconds=60)


class Timetable:
    """Finds the schedules that become due between two points in time. Pure."""

    def __init__(self, schedules: Iterable[Schedule], since: datetime) -> None:
        self._since = since
        just_before = since - timedelta(microseconds=1)
        self._next = {schedule: self._after(schedule, just_before) for schedule in schedules if schedule.enabled}

    def _after(self, schedule: Schedule, time: datetime) -> datetime | None:
        return next(schedule.times(time, self._since), None)

    def due(self, now: datetime) -> tuple[list[tuple[Schedule, datetime]], list[tuple[Schedule, datetime]]]:
        """Return the schedules that became due since the last call, and those that were missed."""
        due: list[tuple[Schedule, datetime]] = []
        missed: list[tuple[Schedule, datetime]] = []
        for schedule, time in self._next.items():
            if time is not None and time <= now:
                (due if now - time <= _MAX_DELAY else missed).append((schedule, time))
                self._next[schedule] = self._after(schedule, now)
        return due, missed


class Scheduler:
    """Sends each message when it is due; if the queue is unavailable, as soon as it is available again."""

    def __init__(
        self, sqs: SQSClient, queue_name: str, schedules: Iterable[Schedule],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._sqs, self._queue_name, self._clock = sqs, queue_name, clock
        self._timetable = Timetable(schedules, clock())
        self._unsent: deque[tuple[Schedule, datetime]] = deque()

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set."""
        while not stop.wait(_TICK_S):
            due, missed = self._timetable.due(self._clock())
            for schedule, time in missed:
                log.warning("✗ schedule %s was due at %s; missed", schedule.name, iso(time))
            self._unsent.extend(due)
            while self._unsent and self._send(*self._unsent[0]):
                self._unsent.popleft()

    def _send(self, schedule: Schedule, time: datetime) -> bool:
        try:
            url = self._sqs.get_queue_url(QueueName=self._queue_name)["QueueUrl"]
            self._sqs.send_message(QueueUrl=url, MessageBody=schedule.message(time))
        except (ClientError, BotoCoreError) as error:
            log.debug("schedule %s waits for the queue: %s", schedule.name, error)
            return False
        log.info("⏲ schedule %s, due at %s", schedule.name, iso(time))
        return True
