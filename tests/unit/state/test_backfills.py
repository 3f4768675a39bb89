from runner.state.database import State


def test_a_request_continues_after_its_last_key_until_it_is_finished(state: State):
    assert state.backfills.last_key("request") is None
    state.backfills.record("request", "a/1")
    state.backfills.record("request", "a/2")
    state.backfills.record("other", "b/9")
    assert state.backfills.last_key("request") == "a/2"
    state.backfills.finish("request")
    assert state.backfills.last_key("request") is None
    assert state.backfills.last_key("other") == "b/9"
