"""Events for existing objects."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from runner.messages import s3_events
from runner.messages.s3_events import object_created

CAME = datetime(2020, 12, 1, 0, 10, tzinfo=UTC)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda key: not key.endswith("/")))
def test_the_handler_reads_the_event_as_the_object_that_it_is(key: str):
    (found,) = s3_events.parse(object_created("inputs", key, "abc", 5, CAME)).objects
    assert (found.bucket, found.key, found.size, found.etag) == ("inputs", key, 5, "abc")
    assert (found.event_name, found.event_time) == ("ObjectCreated:Put", "2020-12-01T00:10:00Z")
