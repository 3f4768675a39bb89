"""The local scheduler: each time is due once, on time, and never late."""

from datetime import UTC, datetime, timedelta

import pytest

from runner.cli import schedules
from runner.errors import SettingsError
from runner.messages import run_summary
from runner.messages.run_record import new_record
from runner.messages.schedule_events import iso
from runner.services.event_source_mapping.batch_results import results_of
from runner.services.event_source_mapping.rie_client import Answer
from runner.services.scheduler import Timetable
from runner.template.schedules import Schedule

START = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
INPUT = (
    '{"source": "tsdat.schedule", "schedule": "s", "time": "<aws.scheduler.scheduled-time>", "config": "c.yaml", '
    '"window": {"length_h": 1, "round_h": 1}}'
)


def schedule(expression: str, *, enabled: bool = True) -> Schedule:
    return Schedule("s", expression, "UTC", enabled, None, None, INPUT)


def due_and_missed(timetable: Timetable, seconds: float) -> tuple[list[str], list[str]]:
    due, missed = timetable.due(START + timedelta(seconds=seconds))
    return [iso(time)[11:19] for _, time in due], [iso(time)[11:19] for _, time in missed]


def test_each_time_is_due_once_and_not_early():
    timetable = Timetable([schedule("cron(* * * * ? *)")], START)
    assert due_and_missed(timetable, 29.9) == ([], [])
    assert due_and_missed(timetable, 30) == (["12:01:00"], [])
    assert due_and_missed(timetable, 30.2) == ([], [])
    assert due_and_missed(timetable, 91) == (["12:02:00"], [])


def test_rate_without_a_start_is_due_immediately():
    timetable = Timetable([schedule("rate(5 minutes)")], START)
    assert due_and_missed(timetable, 0) == (["12:00:30"], [])
    assert due_and_missed(timetable, 1) == ([], [])
    assert due_and_missed(timetable, 301) == (["12:05:30"], [])


def test_times_during_sleep_are_reported_as_missed_once():
    timetable = Timetable([schedule("cron(0/10 * * * ? *)")], START)
    assert due_and_missed(timetable, 5 * 3600) == ([], ["12:10:00"])
    assert due_and_missed(timetable, 5 * 3600 + 570) == (["17:10:00"], [])


def test_disabled_and_expired_schedules_are_never_due():
    timetable = Timetable([schedule("rate(1 minute)", enabled=False), schedule("at(2026-03-01T12:00:00)")], START)
    assert due_and_missed(timetable, 86_400) == ([], [])


def test_trigger_sends_the_current_message_or_the_given_window():
    current = schedules.message((schedule("rate(1 hour)"),), "s", None, None, START)
    assert '"time": "2026-03-01T12:00:30Z"' in current
    given = schedules.message((schedule("rate(1 hour)"),), "s", START, START + timedelta(hours=1), START)
    assert '"window": {"begin": "2026-03-01T12:00:30Z", "end": "2026-03-01T13:00:30Z"}' in given


def test_trigger_names_what_is_missing():
    with pytest.raises(SettingsError) as caught:
        schedules.message((schedule("rate(1 hour)"),), "x", None, None, START)
    assert str(caught.value) == "There is no schedule 'x' in template.yaml. Known schedules: s."
    for begin, end in ((START, None), (None, START), (START, START)):
        with pytest.raises(SettingsError) as caught:
            schedules.message((schedule("rate(1 hour)"),), "s", begin, end, START)
        assert str(caught.value) == "A window needs both --begin and --end, the earlier first."


def test_scheduled_run_is_titled_with_schedule_and_window_even_if_the_handler_died():
    message = {"MessageId": "m", "ReceiptHandle": "r", "Body": schedule("rate(1 hour)").message(START)}
    (result,) = results_of([message], Answer("died", error="gone"), 3)
    (run,) = result.runs
    assert (run["schedule"], run["config"], run["inputs"]) == ("s", "c.yaml", [])
    assert run_summary.title(run) == "s 2026-03-01T11:00:00Z to 2026-03-01T12:00:00Z"
    plain = new_record("failed", "id", inputs=[{"bucket": "b", "key": "k", "size": 1, "etag": None}])
    assert run_summary.title(plain) == "k"
