"""Events for existing objects: their format, and where a request resumes."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runner.aws.s3 import ListedObject
from runner.cli.backfill_request import Checkpoint, Request
from runner.messages import s3_events
from runner.messages.s3_events import object_created
from runner.state.database import State

CAME = datetime(2020, 12, 1, 0, 10, tzinfo=UTC)


def list_objects(*keys: str) -> list[ListedObject]:
    return [ListedObject(key, 5, "abc", CAME) for key in keys]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda key: not key.endswith("/")))
def test_the_handler_reads_the_event_as_the_object_that_it_is(key: str):
    (found,) = s3_events.parse(object_created("inputs", key, "abc", 5, CAME)).objects
    assert (found.bucket, found.key, found.size, found.etag) == ("inputs", key, 5, "abc")
    assert (found.event_name, found.event_time) == ("ObjectCreated:Put", "2020-12-01T00:10:00Z")


def test_a_request_resumes_after_the_last_key_and_starts_again_when_it_is_complete(tmp_path: Path):
    with closing(State(tmp_path)) as state:
        backfills = state.backfills
        request = Request("inputs", ("a/",), (), None, None)
        found = list_objects("a/1", "a/2", "a/3")
        Checkpoint(backfills, "here", request).reach("a/2")
        again = Checkpoint(backfills, "here", request)
        assert [item.key for item in again.unsent(found)] == ["a/3"]
        assert Checkpoint(backfills, "elsewhere", request).unsent(found) == found
        assert Checkpoint(backfills, "here", Request("inputs", ("a/",), (), CAME, None)).unsent(found) == found
        again.finish()
        assert again.unsent(found) == found
