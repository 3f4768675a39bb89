"""When schedules are due, and which runs they request."""

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import EventError, TemplateError
from runner.messages.schedule_events import Window, iso, parse
from runner.template import stack_template
from runner.template.schedules import Schedule

TEXT = Path("template.yaml").read_text()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT = "Resources.BuoyWindHourlySchedule.Properties"
VAP = {
    "source": "tsdat.schedule", "schedule": "daily", "time": "2020-12-02T02:30:00Z", "config": "pipelines/x.yaml",
    "window": {"length_h": 24, "round_h": 24},
}  # fmt: skip


def due(
    expression: str, after: str, count: int, zone: str = "UTC", since: datetime = NOON, **more: object
) -> list[str]:
    schedule = Schedule("s", expression, zone, True, **{"start": None, "end": None, "input": "{}"} | more)
    return [iso(time) for time in islice(schedule.times(datetime.fromisoformat(after), since), count)]


def test_cron_uses_local_time_of_its_time_zone():
    assert due("cron(30 2 * * ? *)", "2026-01-01T02:30:00+00:00", 2) == ["2026-01-02T02:30:00Z", "2026-01-03T02:30:00Z"]
    assert due("cron(0 8 ? * MON *)", "2026-03-02T12:00:00+00:00", 3, "America/Los_Angeles") == [
        "2026-03-02T16:00:00Z", "2026-03-09T15:00:00Z", "2026-03-16T15:00:00Z",  # daylight saving time from the 8th
    ]  # fmt: skip


def test_omitted_time_is_skipped_and_repeated_time_is_due_once_at_daylight_saving_changes():
    los_angeles = "America/Los_Angeles"
    assert due("cron(30 2 * * ? *)", "2026-03-07T00:00:00+00:00", 3, los_angeles) == [
        "2026-03-07T10:30:00Z", "2026-03-09T09:30:00Z", "2026-03-10T09:30:00Z",
    ]  # fmt: skip
    assert due("cron(0/30 1 1 11 ? *)", "2026-10-31T00:00:00+00:00", 3, los_angeles) == [
        "2026-11-01T08:00:00Z", "2026-11-01T08:30:00Z", "2027-11-01T08:00:00Z",
    ]  # fmt: skip


def test_rate_counts_from_its_start_or_from_creation():
    assert due("rate(5 minutes)", "2026-03-01T11:00:00+00:00", 2) == ["2026-03-01T12:00:00Z", "2026-03-01T12:05:00Z"]
    assert due("rate(1 hour)", "2026-03-01T12:00:00+00:00", 1) == ["2026-03-01T13:00:00Z"]
    start = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
    assert due("rate(2 days)", "2026-03-01T00:00:00+00:00", 2, start=start) == [
        "2026-03-02T00:10:00Z", "2026-03-04T00:10:00Z",
    ]  # fmt: skip


@given(st.integers(1, 5000), st.integers(0, 10**7), st.integers(1, 60))
def test_rate_is_regular_and_omits_no_time(minutes: int, passed_s: int, count: int):
    after = NOON + timedelta(seconds=passed_s)
    times = list(
        islice(Schedule("s", f"rate({minutes} minutes)", "UTC", True, None, None, "").times(after, NOON), count)
    )
    assert all(later - earlier == timedelta(minutes=minutes) for earlier, later in zip(times, times[1:], strict=False))
    assert all((time - NOON) % timedelta(minutes=minutes) == timedelta() for time in times)
    assert timedelta() < times[0] - after <= timedelta(minutes=minutes)


def test_at_is_due_once():
    assert due("at(2026-03-01T04:00:00)", "2026-03-01T00:00:00+00:00", 5, "America/Los_Angeles") == [
        "2026-03-01T12:00:00Z"
    ]
    assert due("at(2026-03-01T04:00:00)", "2026-03-01T12:00:00+00:00", 5, "America/Los_Angeles") == []


def test_nothing_is_due_before_the_start_or_after_the_end():
    start, end = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
    assert due("cron(0 0/12 * * ? *)", "2026-03-01T00:00:00+00:00", 9, start=start, end=end) == [
        "2026-03-02T00:00:00Z", "2026-03-02T12:00:00Z", "2026-03-03T00:00:00Z",
    ]  # fmt: skip


def test_shipped_schedule_requests_the_previous_day():
    (schedule,) = stack_template.load(Path("template.yaml")).schedules
    requested = schedule.requested_run(datetime(2020, 12, 2, 2, 30, tzinfo=UTC))
    assert str(requested.window) == "2020-12-01T00:00:00Z to 2020-12-02T00:00:00Z"
    assert (requested.schedule, requested.bucket, requested.prefix) == ("buoy-wind-hourly", None, "")
    assert Path(requested.config).is_file()


def test_keywords_are_replaced_as_in_eventbridge():
    words = "aws.scheduler.schedule-arn aws.scheduler.scheduled-time aws.scheduler.attempt-number"
    text = Schedule("daily", "", "UTC", True, None, None, " ".join(f"<{w}>" for w in words.split())).message(NOON)
    assert text == "arn:aws:scheduler:us-west-2:000000000000:schedule/default/daily 2026-03-01T12:00:00Z 1"
    first, second = (
        Schedule("d", "", "UTC", True, None, None, "<aws.scheduler.execution-id>").message(NOON) for _ in "ab"
    )
    assert first != second


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)), st.sampled_from([0, 0.25, 1, 6, 24]), st.integers(1, 99)
)
def test_window_ends_at_a_multiple_of_its_rounding(time: datetime, round_h: float, length_h: int):
    time = time.replace(microsecond=0, tzinfo=UTC)
    window = parse(VAP | {"time": iso(time), "window": {"length_h": length_h, "round_h": round_h}}).window
    assert window.end - window.begin == timedelta(hours=length_h)
    assert timedelta() <= time - window.end <= timedelta(hours=round_h)
    if round_h:
        assert window.end.timestamp() % (round_h * 3600) == 0
    else:
        assert window.end == time


def test_explicit_window_is_converted_to_tsdats_format():
    window = parse(VAP | {"window": {"begin": "2020-12-01T02:00:00+02:00", "end": "2020-12-02"}}).window
    assert window == Window(datetime(2020, 12, 1, tzinfo=UTC), datetime(2020, 12, 2, tzinfo=UTC))
    assert window.for_tsdat() == ["20201201.000000", "20201202.000000"]
    assert window.as_json() == {"begin": "2020-12-01T00:00:00Z", "end": "2020-12-02T00:00:00Z"}


def test_ingest_event_names_bucket_and_prefix():
    requested = parse(VAP | {"bucket": "inputs", "prefix": ""})
    assert (requested.bucket, requested.prefix) == ("inputs", "")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"window": None}, "the window None must have either length_h and round_h, in hours, or begin and end"),
        ({"window": {"length_h": 24}},
         "the window {'length_h': 24} must have either length_h and round_h, in hours, or begin and end"),
        ({"window": {"begin": "2020-12-02", "end": "2020-12-02"}},
         "the window from 2020-12-02T00:00:00Z to 2020-12-02T00:00:00Z is empty"),
        ({"window": {"length_h": 0, "round_h": 0}},
         "the window from 2020-12-02T02:30:00Z to 2020-12-02T02:30:00Z is empty"),
        ({"time": "<aws.scheduler.scheduled-time>"},
         "'<aws.scheduler.scheduled-time>' is not a time such as 2020-12-01T00:00:00Z"),
        ({"time": 5}, "time is 5, but must be a non-empty string"),
        ({"config": ""}, "config is '', but must be a non-empty string"),
        ({"bucket": "inputs"},
         "an ingest needs both a bucket and a prefix (which may be empty), and a VAP needs neither"),
        ({"pipeline": "x"}, "unknown pipeline. Known: bucket, config, prefix, schedule, source, time, window"),
    ],
)  # fmt: skip
def test_event_error_names_the_problem(change: dict[str, object], text: str):
    with pytest.raises(EventError) as caught:
        parse(VAP | change)
    assert str(caught.value) == f"Invalid event of the schedule 'daily': {text}. Correct its Input in template.yaml."


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('Mode: "OFF"', "Mode: FLEXIBLE",
         f'{AT}.FlexibleTimeWindow.Mode: must be "OFF": the local stack runs schedules at their exact time.'),
        ("cron(30 2 * * ? *)", "daily",
         f"{AT}.ScheduleExpression: 'daily' is not a schedule expression. Write rate(5 minutes), cron(30 2 * * ? *) or "
         "at(2026-12-01T02:30:00)."),
        ("cron(30 2 * * ? *)", "cron(30 25 * * ? *)",
         f"{AT}: '25' is not valid for hours. Write numbers from 0 to 23 as in 1,5-8 or 0/10, or *."),
        ("cron(30 2 * * ? *)", "rate(0 days)",
         f"{AT}: rate(0 days): write a positive integer and minutes, hours or days."),
        ("cron(30 2 * * ? *)", "at(tomorrow)", f"{AT}: at(tomorrow): EventBridge Scheduler requires seconds "),
        ("Timezone: UTC", "Timezone: Mars/Olympus", f"{AT}: 'No time zone found with key Mars/Olympus'"),
        ('"config": ', '"confg": ',
         f"{AT}: Invalid event of the schedule 'buoy-wind-hourly': unknown confg. Known: bucket, config, prefix, "
         "schedule, source, time, window. Correct its Input in template.yaml."),
        ('{"source": "tsdat.schedule", ', '{"source": "aws.s3", "detail-type": "Object Deleted", "detail": {"bucket": '
         '{"name": "b"}, "object": {"key": "k"}}, ', f"{AT}: Its Input must be one JSON object with source "),
    ],
)  # fmt: skip
def test_schedule_error_is_raised_when_the_template_is_loaded(tmp_path: Path, old: str, new: str, text: str):
    assert old in TEXT
    (tmp_path / "template.yaml").write_text(TEXT.replace(old, new))
    with pytest.raises(TemplateError) as caught:
        stack_template.load(tmp_path / "template.yaml")
    assert str(caught.value).startswith(f"template.yaml: {text}")


def test_schedule_for_another_queue_is_not_included(tmp_path: Path):
    changed = TEXT.replace(
        "      Target:\n        Arn: !GetAtt IngestQueue.Arn", "      Target:\n        Arn: arn:aws:sqs:x"
    )
    assert changed != TEXT
    (tmp_path / "template.yaml").write_text(changed)
    assert stack_template.load(tmp_path / "template.yaml").schedules == ()


def test_state_is_set_by_the_parameter():
    (schedule,) = stack_template.load(Path("template.yaml"), {"ScheduleState": "ENABLED"}).schedules
    assert schedule.enabled
    assert json.loads(schedule.input)["schedule"] == schedule.name == "buoy-wind-hourly"
