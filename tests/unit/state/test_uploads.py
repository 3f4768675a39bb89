from runner.messages.run_record import FINAL
from runner.state.database import State
from runner.state.uploads import Stamp, Upload

FIRST = Upload("k", 1, 2, 3, "sha", "etag", "epoch", 3.0)


def test_only_the_last_upload_of_a_key_is_kept(state: State):
    assert state.uploads.get("k") is None
    state.uploads.put(FIRST)
    assert state.uploads.get("k") == FIRST
    second = FIRST._replace(size=9, etag="etag2")
    state.uploads.put(second)
    assert list(state.uploads.each()) == [second]
    assert second.stamp == Stamp(9, 2, 3)


def test_uploads_are_listed_in_the_order_in_which_s3_lists_keys(state: State):
    keys = ["b0", "é", "b/c", "b!", "B", "😀"]
    for key in keys:
        state.uploads.put(FIRST._replace(key=key))
    assert [upload.key for upload in state.uploads.each()] == sorted(keys, key=str.encode)


def test_uploads_to_the_present_bucket_or_with_a_final_outcome_are_settled(state: State):
    for key, epoch in (("new", "2"), ("final", "1"), ("failed", "1"), ("unknown", "1")):
        state.uploads.put(FIRST._replace(key=key, epoch=epoch))
    state.versions.set_outcome(("final", "etag"), "skipped", "no route")
    state.versions.set_outcome(("failed", "etag"), "failed", "ValueError")
    state.versions.set_outcome(("unknown", "other version"), "succeeded", "")
    state.uploads.put(FIRST._replace(key="half", epoch="1"))
    for config, outcome in (("a.yaml", "succeeded"), ("b.yaml", "failed")):
        state.versions.set_outcome(("half", "etag"), outcome, "", config)  # type: ignore[arg-type]
    assert dict(state.uploads.settled("2", FINAL)) == {"new": FIRST.stamp, "final": FIRST.stamp}
