"""Parses the events that AWS delivers into new S3 objects and scheduled runs. Pure.

The core of every form is a record of an S3 event notification ("Event message structure", Amazon S3 User Guide):

    {"Records": [{"eventSource": "aws:s3", "eventVersion": "2.6", "eventName": "ObjectCreated:Put", "eventTime": "…",
                  "s3": {"bucket": {"name": "raw-files"},
                         "object": {"key": "tide+gauge/a.csv", "size": 5, "eTag": "…", "sequencer": "…"}}}]}

or an EventBridge event ("EventBridge event message structure", same guide), whose key is not URL-encoded:

    {"source": "aws.s3", "detail-type": "Object Created", "time": "…",
     "detail": {"bucket": {"name": "raw-files"}, "object": {"key": "tide gauge/a.csv", "size": 5}}}

SQS and SNS wrap either. Schedules have their own events: see `schedule_events`. tests/events/ has a file for each form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from runner.errors import EventError
from runner.messages import schedule_events
from runner.messages.schedule_events import Scheduled, iso

_KNOWN_FORMS = (
    "Known forms: an S3 event notification (Records with eventSource aws:s3 and eventVersion 2.x), an s3:TestEvent, an "
    "EventBridge event with source aws.s3, a schedule's event with source tsdat.schedule; each alone, or in an SQS "
    "message, an SNS message, or an SNS message in SQS."
)
_ONLY = "tsdat.config"
_MAX_EXCERPT_CHARACTERS = 200
# AWS itself nests at most two layers (SNS in SQS). One more allows for a forwarding queue or topic.
_MAX_LAYERS = 3


@dataclass(frozen=True)
class S3Object:
    """A new object in a bucket. The key is decoded, as GetObject takes it."""

    bucket: str
    key: str
    size: int | None
    """Bytes."""
    etag: str | None
    version_id: str | None
    sequencer: str | None
    event_name: str
    event_time: str | None


@dataclass(frozen=True)
class Skip:
    """An event that needs no run, with the reason."""

    event_name: str
    bucket: str | None
    key: str | None
    reason: str
    etag: str | None = None


@dataclass(frozen=True)
class Parsed:
    """The contents of an event, in its order."""

    objects: tuple[S3Object, ...]
    skips: tuple[Skip, ...]
    scheduled: tuple[Scheduled, ...] = ()
    config: str | None = None
    """Of the only pipeline that is to run on the objects; None for all that take them."""


def parse(event: Mapping[str, Any] | str) -> Parsed:
    """Find the new objects and the scheduled runs in an event, or in the body of an SQS message.

    Raises:
        EventError: the form is unknown, or the JSON or a key is invalid.
    """
    payload = _from_json(event) if isinstance(event, str) else event
    found = list(_read(payload, layers=0))
    config = payload.get(_ONLY) if isinstance(payload, Mapping) else None
    return Parsed(
        objects=tuple(item for item in found if isinstance(item, S3Object)),
        skips=tuple(item for item in found if isinstance(item, Skip)),
        scheduled=tuple(item for item in found if isinstance(item, Scheduled)),
        config=config if isinstance(config, str) else None,
    )


def for_one_pipeline(body: str, config: str) -> str:
    """Return the body of a message for a single pipeline of several; S3's own are for all that take an object."""
    return json.dumps({**json.loads(body), _ONLY: config})


def is_sqs(event: object) -> bool:
    """Return whether this is Lambda's event for a batch of SQS messages ("Using Lambda with Amazon SQS")."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    first = records[0] if isinstance(records, list) and records else None
    return isinstance(first, Mapping) and first.get("eventSource") == "aws:sqs"


def _read(payload: object, layers: int) -> Iterator[S3Object | Skip | Scheduled]:
    if layers > _MAX_LAYERS:
        raise EventError(f"The event has more than {_MAX_LAYERS} layers of SQS and SNS: {_excerpt(payload)}")
    if isinstance(payload, str):
        payload = _from_json(payload)
    if not isinstance(payload, Mapping):
        raise _unknown(payload)
    records = payload.get("Records")
    if payload.get("Event") == "s3:TestEvent":
        yield Skip("s3:TestEvent", payload.get("Bucket"), None, "S3 only tests whether it may send notifications.")
    elif isinstance(records, list) and records:
        for record in records:
            yield from _read_record(record, layers)
    elif payload.get("Type") == "Notification" and "Message" in payload:  # SNS in SQS
        yield from _read(payload["Message"], layers + 1)
    elif _is_eventbridge(payload):
        yield _from_eventbridge(payload)
    elif payload.get("source") == schedule_events.SOURCE:
        yield schedule_events.parse(payload)
    else:
        raise _unknown(payload)


def _read_record(record: object, layers: int) -> Iterator[S3Object | Skip | Scheduled]:
    if not isinstance(record, Mapping):
        raise _unknown(record)
    match record:
        case {"eventSource": "aws:s3"}:
            yield _from_notification(record)
        case {"eventSource": "aws:sqs", "body": body}:
            yield from _read(body, layers + 1)
        case {"EventSource": "aws:sns", "Sns": {"Message": message}}:
            yield from _read(message, layers + 1)
        case _:
            raise _unknown(record)


def _from_notification(record: Mapping[str, Any]) -> S3Object | Skip:
    version = record.get("eventVersion")
    # Minor versions only add fields. AWS recommends comparing the major version only.
    if not re.fullmatch(r"2\.\d+", str(version)):
        found = "without an eventVersion" if version is None else f"with eventVersion {version!r}"
        raise EventError(f"An S3 event notification {found}; only 2.x is supported: {_excerpt(record)}")
    name = str(record.get("eventName")).removeprefix("s3:")
    bucket, described = _parts(record.get("s3"), record)
    key = _url_decoded(described["key"])
    return _item(name, name.startswith("ObjectCreated:"), record.get("eventTime"), bucket, key, described)


def _is_eventbridge(payload: Mapping[str, Any]) -> bool:
    # CloudTrail's events have the same source but another form. Skipping them would lose new objects.
    name = payload.get("detail-type")
    return payload.get("source") == "aws.s3" and isinstance(name, str) and not name.endswith("via CloudTrail")


def _from_eventbridge(event: Mapping[str, Any]) -> S3Object | Skip:
    name = event["detail-type"]
    bucket, described = _parts(event.get("detail"), event)
    return _item(name, name == "Object Created", event.get("time"), bucket, described["key"], described)


def _parts(holder: object, event: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the bucket's name and the description of the object, which has a key."""
    match holder:
        case {"bucket": {"name": str(bucket)}, "object": {"key": str(key)} as described} if bucket and key:
            return bucket, described
    raise EventError(f"An S3 event without a bucket name or an object key: {_excerpt(event)}")


def _item(
    name: str, is_new: bool, time: str | None, bucket: str, key: str, described: Mapping[str, Any]
) -> S3Object | Skip:
    size = described.get("size")
    if not is_new:
        return Skip(name, bucket, key, "Only new objects are processed.")
    if key.endswith("/") and size == 0:
        return Skip(name, bucket, key, "This empty object represents a folder, not a file.", _etag(described))
    return S3Object(
        bucket=bucket,
        key=key,
        size=size if isinstance(size, int) else None,
        etag=_etag(described),
        version_id=described.get("versionId") or described.get("version-id"),
        sequencer=described.get("sequencer"),
        event_name=name,
        event_time=time,
    )


def _etag(described: Mapping[str, Any]) -> str | None:
    return described.get("eTag") or described.get("etag")  # the spelling of a notification, and of EventBridge


def _url_decoded(key: str) -> str:
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeDecodeError:
        raise EventError(f"The object key {key[:_MAX_EXCERPT_CHARACTERS]!r} is not UTF-8 after URL decoding.") from None


def _from_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EventError(f"The message is not JSON ({error}): {_excerpt(text)}\n{_KNOWN_FORMS}") from None


def _unknown(payload: object) -> EventError:
    return EventError(f"Unknown form of event: {_excerpt(payload)}\n{_KNOWN_FORMS}")


def _excerpt(payload: object) -> str:
    try:
        text = payload if isinstance(payload, str) else json.dumps(payload, default=str, ensure_ascii=False)
    except RecursionError:
        text = "(nested too deeply to show)"
    return text if len(text) <= _MAX_EXCERPT_CHARACTERS else f"{text[:_MAX_EXCERPT_CHARACTERS]}…"


def object_created(
    bucket: str, key: str, etag: str, size: int | None = None, modified: datetime | None = None
) -> dict[str, Any]:
    """Return the notification that S3 sends for a new object, with the fields that can be read from its bucket.

    Args:
        key: decoded, as GetObject takes it; the event holds it URL-encoded.
        size: in bytes.
    """
    described = {"key": quote_plus(key, safe="/"), "eTag": etag, **({} if size is None else {"size": size})}
    record: dict[str, Any] = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        **({"eventTime": iso(modified)} if modified else {}),
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": described,
        },
    }
    return {"Records": [record]}
