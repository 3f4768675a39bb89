"""Events for objects that are there already: their form, and how far a request has come."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runner.aws.s3 import ListedObject
from runner.cli.backfill import Progress, Request
from runner.messages import s3_events
from runner.messages.s3_events import object_created

CAME = datetime(2020, 12, 1, 0, 10, tzinfo=UTC)


def listed(*keys: str) -> list[ListedObject]:
    return [ListedObject(key, 5, "abc", CAME) for key in keys]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda key: not key.endswith("/")))
def test_the_handler_reads_the_event_as_the_object_that_it_is(key: str):
    (found,) = s3_events.parse(object_created("inputs", key, "abc", 5, CAME)).objects
    assert (found.bucket, found.key, found.size, found.etag) == ("inputs", key, 5, "abc")
    assert (found.event_name, found.event_time) == ("ObjectCreated:Put", "2020-12-01T00:10:00Z")


def test_a_request_goes_on_after_the_last_key_and_begins_anew_when_it_is_done(tmp_path: Path):
    request = Request("inputs", ("a/",), (), None, None)
    found = listed("a/1", "a/2", "a/3")
    Progress(tmp_path, "here", request).reached("a/2")
    again = Progress(tmp_path, "here", request)
    assert [item.key for item in again.left(found)] == ["a/3"]
    assert Progress(tmp_path, "elsewhere", request).left(found) == found
    assert Progress(tmp_path, "here", Request("inputs", ("a/",), (), CAME, None)).left(found) == found
    again.finish()
    assert again.left(found) == found
    assert list(tmp_path.iterdir()) == []
