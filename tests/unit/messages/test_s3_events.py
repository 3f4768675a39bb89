import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import EventError
from runner.messages.s3_events import S3Object, for_one_pipeline, is_sqs, parse
from runner.template import stack_template

EVENTS = Path("tests/events")
BUCKET = stack_template.load(Path("template.yaml")).source_bucket  # `sam local invoke` needs it in each event
HUMBOLDT = "a2e_buoy_ingest/humboldt/buoy.z05.00.20201201.000000.zip"
MORRO = "a2e_buoy_ingest/morro/buoy.z06.00.20201201.000000.zip"
CREATED, TEST = "ObjectCreated:Put", ("s3:TestEvent", None)
NOT_NEW = "Only new objects are processed."

OBJECTS = {
    "a2e_buoy_ingest/humboldt/s3-event": [HUMBOLDT],
    "a2e_buoy_ingest/morro/s3-event": [MORRO],
    "s3-put": [HUMBOLDT],
    "s3-multipart": [HUMBOLDT],
    "s3-several-records": [HUMBOLDT, MORRO],
    "s3-odd-keys": [
        "tide_gauge/spring tide.csv",
        "tide_gauge/spring tide.csv",
        "tide_gauge/1+1.csv",
        "tide_gauge/100%25.csv",
        "tide_gauge/Pier 7 + Süd/100%25 día 1.csv",
        "潮汐/станция 1.csv",
    ],
    "s3-localstack": ["tide_gauge/spring tide.csv"],
    "sqs-s3": [HUMBOLDT],
    "sqs-batch": [HUMBOLDT, MORRO],
    "sqs-sns-s3": [HUMBOLDT],
    "sqs-sns-raw-s3": [HUMBOLDT],
    "sns-s3": [HUMBOLDT],
    "eventbridge-created": [HUMBOLDT],
    "eventbridge-odd-key": ["tide_gauge/1%2B1 + spring tide.csv"],
    "sqs-eventbridge-created": [HUMBOLDT],
}
SKIPS = {
    "s3-several-records": [("ObjectRemoved:Delete", HUMBOLDT.replace("20201201", "20201130"))],
    "s3-removed": [("ObjectRemoved:Delete", HUMBOLDT)],
    "s3-restored": [("ObjectRestore:Completed", HUMBOLDT)],
    "s3-reduced-redundancy-lost": [("ReducedRedundancyLostObject", HUMBOLDT)],
    "s3-replication-failed": [("Replication:OperationFailedReplication", HUMBOLDT)],
    "s3-folder": [(CREATED, "a2e_buoy_ingest/humboldt/")],
    "s3-test-event": [TEST],
    "sqs-test-event": [TEST],
    "sqs-batch": [TEST],
    "sqs-sns-test-event": [TEST],
    "sns-test-event": [TEST],
    "eventbridge-folder": [("Object Created", "a2e_buoy_ingest/humboldt/")],
    "eventbridge-deleted": [("Object Deleted", HUMBOLDT)],
    "eventbridge-tags-added": [("Object Tags Added", HUMBOLDT)],
}
DECEMBER_1 = "2020-12-01T00:00:00Z to 2020-12-02T00:00:00Z"
SCHEDULED = {
    "schedule-vap": [("buoy-wind-hourly", DECEMBER_1, None, "")],
    "schedule-ingest": [("tide-gauge-daily", DECEMBER_1, BUCKET, "tide_gauge/")],
    "schedule-window-given": [("buoy-wind-hourly", DECEMBER_1, None, "")],
    "sqs-schedule-vap": [("buoy-wind-hourly", DECEMBER_1, None, "")],
}
ERRORS = {
    "schedule-without-time": (
        "Invalid event of the schedule 'buoy-wind-hourly': '<aws.scheduler.scheduled-time>' is not a time such as "
        "2020-12-01T00:00:00Z. Correct its Input in template.yaml."
    ),
    "s3-key-not-utf8": "The object key 'tide_gauge/d%EDa.csv' is not UTF-8 after URL decoding.",
    "s3-version-1": "An S3 event notification with eventVersion '1.0'; only 2.x is supported: {",
    "s3-version-3": "An S3 event notification with eventVersion '3.0'; only 2.x is supported: {",
    "s3-version-missing": "An S3 event notification without an eventVersion; only 2.x is supported: {",
    "sqs-not-json": (
        "The message is not JSON (Expecting value: line 1 column 1 (char 0)): "
        "buoy.z05.00.20201201.000000.zip is there\n"
        "Known forms: "
    ),
    "sqs-sns-subscription": 'Unknown form of event: {"Type": "SubscriptionConfirmation", ',
    "eventbridge-cloudtrail": 'Unknown form of event: {"version": "0", ',
    "eventbridge-schedule": 'Unknown form of event: {"version": "0", ',
}


def load(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event


def notification(key: str, size: int = 1) -> dict[str, Any]:
    """Return a record of an S3 event notification, with the key as it is encoded there."""
    described = {"bucket": {"name": "b"}, "object": {"key": key, "size": size}}
    return {"eventVersion": "2.6", "eventSource": "aws:s3", "eventName": CREATED, "s3": described}


def keys(event: dict[str, Any] | str) -> list[str]:
    return [item.key for item in parse(event).objects]


def test_every_file_is_expected_and_in_the_readme() -> None:
    files = {path.relative_to(EVENTS).with_suffix("").as_posix() for path in EVENTS.rglob("*.json")}
    files = {name for name in files if not name.startswith("saved/")}  # `runner events save` is for a user's own
    assert files == OBJECTS.keys() | SKIPS.keys() | SCHEDULED.keys() | ERRORS.keys()
    readme = (EVENTS / "README.md").read_text(encoding="utf-8")
    assert [name for name in files if f"`{name}.json`" not in readme] == []


@pytest.mark.parametrize("name", sorted((OBJECTS.keys() | SKIPS.keys()) - ERRORS.keys()))
def test_file(name: str) -> None:
    parsed = parse(load(name))
    assert [item.key for item in parsed.objects] == OBJECTS.get(name, [])
    assert [(skip.event_name, skip.key) for skip in parsed.skips] == SKIPS.get(name, [])
    assert {item.bucket for item in parsed.objects + parsed.skips} == {BUCKET}


@pytest.mark.parametrize("name", sorted(SCHEDULED))
def test_file_of_a_schedule(name: str) -> None:
    parsed = parse(load(name))
    found = [(item.schedule, str(item.window), item.bucket, item.prefix) for item in parsed.scheduled]
    assert (found, parsed.objects, parsed.skips) == (SCHEDULED[name], (), ())


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_file_with_an_error(name: str) -> None:
    with pytest.raises(EventError) as caught:
        parse(load(name))
    assert str(caught.value).startswith(ERRORS[name])


def test_all_fields_of_a_notification() -> None:
    assert parse(load("s3-put")).objects == (
        S3Object(
            bucket=BUCKET,
            key=HUMBOLDT,
            size=135969,
            etag="3c376e0932cb36395924828ca670883b",
            version_id="ExampleVersionOfTheObject0000001",
            sequencer="0065F1C2A4B31D7E90",
            event_name="ObjectCreated:Put",
            event_time="2020-12-01T00:10:02.317Z",
        ),
    )


def test_all_fields_of_an_eventbridge_event() -> None:
    assert parse(load("eventbridge-created")).objects == (
        S3Object(
            bucket=BUCKET,
            key=HUMBOLDT,
            size=135969,
            etag="3c376e0932cb36395924828ca670883b",
            version_id="ExampleVersionOfTheObject0000001",
            sequencer="0065F1C2A4B31D7E90",
            event_name="Object Created",
            event_time="2020-12-01T00:10:02Z",
        ),
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("s3-test-event", "S3 only tests whether it may send notifications."),
        ("s3-folder", "This empty object represents a folder, not a file."),
        ("eventbridge-folder", "This empty object represents a folder, not a file."),
        ("s3-removed", NOT_NEW),
        ("eventbridge-tags-added", NOT_NEW),
    ],
)
def test_a_skip_has_a_reason(name: str, reason: str) -> None:
    assert [skip.reason for skip in parse(load(name)).skips] == [reason]


@pytest.mark.parametrize("name", sorted(name for name in OBJECTS | SKIPS if name.startswith("sqs-")))
def test_a_message_body_alone_is_parsed_the_same(name: str) -> None:
    event = load(name)
    bodies = [parse(record["body"]) for record in event["Records"]]
    assert tuple(item for parsed in bodies for item in parsed.objects) == parse(event).objects
    assert tuple(skip for parsed in bodies for skip in parsed.skips) == parse(event).skips


def test_is_sqs() -> None:
    names = OBJECTS | SKIPS | ERRORS
    assert [name for name in names if is_sqs(load(name)) != name.startswith("sqs-")] == []
    for odd in ({}, {"Records": []}, {"Records": "text"}, {"Records": ["text"]}, [], "text", None):
        assert not is_sqs(odd)


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.3", "2.6", "2.17"])
def test_every_minor_version_is_supported(version: str) -> None:
    assert keys({"Records": [notification("a.csv") | {"eventVersion": version}]}) == ["a.csv"]


def test_an_emulator_may_send_the_event_name_with_its_prefix() -> None:
    assert keys({"Records": [notification("a.csv") | {"eventName": "s3:ObjectCreated:Put"}]}) == ["a.csv"]


def test_a_file_in_a_folder_with_no_bytes_is_still_a_file() -> None:
    assert keys({"Records": [notification("folder/empty.csv", size=0)]}) == ["folder/empty.csv"]
    assert keys({"Records": [notification("folder/", size=1)]}) == ["folder/"]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": []},
        {"Records": ["text"]},
        {"Records": [{"eventSource": "aws:kinesis"}]},
        {"Records": [{}]},
        "[]",
    ],
)
def test_an_unknown_event_is_reported_with_the_known_forms(event: dict[str, Any] | str) -> None:
    with pytest.raises(EventError) as caught:
        parse(event)
    received, known = str(caught.value).split("\n")
    assert received.startswith("Unknown form of event: ")
    assert known == (
        "Known forms: an S3 event notification (Records with eventSource aws:s3 and eventVersion 2.x), an "
        "s3:TestEvent, an EventBridge event with source aws.s3, a schedule's event with source tsdat.schedule; each "
        "alone, or in an SQS message, an SNS message, or an SNS message in SQS."
    )


@pytest.mark.parametrize("described", [None, {}, {"bucket": {"name": "b"}, "object": {"key": ""}}, {"bucket": {}}])
def test_a_record_without_bucket_or_key(described: object) -> None:
    with pytest.raises(EventError, match="^An S3 event without a bucket name or an object key: "):
        parse({"Records": [notification("a.csv") | {"s3": described}]})
    with pytest.raises(EventError, match="^An S3 event without a bucket name or an object key: "):
        parse({"source": "aws.s3", "detail-type": "Object Created", "detail": described})


def test_the_excerpt_is_short() -> None:
    with pytest.raises(EventError) as caught:
        parse({"text": "x" * 100_000})
    assert len(str(caught.value).split("\n")[0]) < 250


def test_too_many_layers_are_refused() -> None:
    body = json.dumps({"Records": [notification("a.csv")]})
    for layer in range(5):
        event = {"Records": [{"eventSource": "aws:sqs", "body": body}]}
        if layer < 3:
            assert keys(event) == ["a.csv"]
        else:
            with pytest.raises(EventError, match="^The event has more than 3 layers of SQS and SNS: "):
                parse(event)
        body = json.dumps(event)


@pytest.mark.parametrize("text", ["[" * 100_000, *(f'{{"a": {"[" * n}{"]" * n}}}' for n in range(900, 1000, 2))])
def test_deep_nesting_is_an_event_error(text: str) -> None:
    with pytest.raises(EventError):
        parse(text)


NAMES = st.text(min_size=1, max_size=60)
# quote_plus is what AWS does; quote (with %20) what LocalStack does.
ENCODINGS: list[Callable[[str], str]] = [quote_plus, quote]


@given(key=NAMES, encode=st.sampled_from(ENCODINGS))
def test_any_key_survives_url_encoding(key: str, encode: Callable[[str], str]) -> None:
    assert keys({"Records": [notification(encode(key))]}) == [key]


@given(key=NAMES)
def test_any_key_survives_every_wrapping(key: str) -> None:
    text = json.dumps({"Records": [notification(quote_plus(key))]})
    envelope = json.dumps({"Type": "Notification", "Message": text})
    assert keys(text) == keys(envelope) == [key]
    assert keys({"Records": [{"eventSource": "aws:sqs", "body": envelope}]}) == [key]
    assert keys({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": text}}]}) == [key]


@given(key=NAMES)
def test_a_key_from_eventbridge_is_not_decoded(key: str) -> None:
    detail = {"bucket": {"name": "b"}, "object": {"key": key, "size": 1}}
    assert keys({"source": "aws.s3", "detail-type": "Object Created", "detail": detail}) == [key]


@given(many=st.lists(NAMES, min_size=1, max_size=20))
def test_records_keep_their_order(many: list[str]) -> None:
    assert keys({"Records": [notification(quote_plus(key)) for key in many]}) == many


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Records", "Event", "eventSource", "s3", "body", "Type", "Message", "detail-type", "source"]
            ),
            inner | st.sampled_from(["aws:s3", "aws:sqs", "aws.s3", "Notification", "Object Created", "s3:TestEvent"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(event=JSON)
def test_any_event_is_parsed_or_refused_by_name(event: Any) -> None:
    try:
        parsed = parse(event)
    except EventError:
        return
    assert parsed.objects or parsed.skips


@pytest.mark.parametrize("name", ["s3-put", "eventbridge-created", "sns-s3"])
def test_a_message_of_any_form_can_be_for_one_pipeline(name: str):
    body = (EVENTS / f"{name}.json").read_text()
    assert parse(body).config is None
    named = parse(for_one_pipeline(body, "pipelines/a/config/pipeline.yaml"))
    assert named.config == "pipelines/a/config/pipeline.yaml"
    assert named.objects == parse(body).objects
    assert parse(for_one_pipeline(for_one_pipeline(body, "a"), "b")).config == "b"
