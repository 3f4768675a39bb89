from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from runner.cli import retry
from runner.cli.app import app
from runner.errors import RunnerError, SettingsError, StackError
from runner.messages.s3_events import parse
from runner.services.reconciler import decisions
from runner.services.reconciler.classify import classify
from runner.services.reconciler.failures import _unaccounted, dead_lettered, selected
from runner.services.reconciler.loop import ReconcileLoop
from runner.services.reconciler.repair import Reconciler
from tests.support.memory_aws import Killed, MemoryAws
from tests.support.states import ETAG, put, run_of, twin_runs


def fail(reconciler: Reconciler, aws: MemoryAws, key: str, *, has_message: bool = True) -> str:
    """Dead-letter a file that is in inbox and bucket; return its ID."""
    put(reconciler, key)
    aws.put_object(aws.template.source_bucket, key, b"x")
    message = aws.queue.pop()
    if has_message:
        aws.queues[aws.template.dead_letter_queue_name].append(message)
    reconciler.state.runs.add(run_of(key, ETAG, "failed"), "dead-lettered", 3)
    return next(dead_lettered(reconciler.state)).id


def retry_again(
    reconciler: Reconciler, ids: list[str] | None = None, pipeline: str | None = None, *, as_json: bool = False
) -> int:
    """Retry as the command does; return how many failures cannot be retried."""
    assert reconciler.backend
    decided = decisions.retry(reconciler, reconciler.backend.queues, selected(reconciler, ids, pipeline), print)
    retry._print(decided, as_json=as_json)
    return sum(outcome != "retried" for _, outcome, _ in decided)


def outcome(reconciler: Reconciler, key: str) -> tuple[str, str]:
    known = reconciler.state.versions.current(key)
    assert known
    return known.outcome, known.reason


def dead(aws: MemoryAws) -> int:
    return len(aws.queues[aws.template.dead_letter_queue_name])


def test_a_dead_letter_moves_to_the_queue(reconciler: Reconciler, aws: MemoryAws, capsys: pytest.CaptureFixture[str]):
    first, second = fail(reconciler, aws, "a.csv"), fail(reconciler, aws, "b.csv")
    assert retry_again(reconciler, [first]) == 0
    assert capsys.readouterr().out == f"↻ {first} a.csv in the queue again\n"
    assert [failure.id for failure in dead_lettered(reconciler.state)] == [second]
    assert outcome(reconciler, "a.csv") == ("retried", "retried by a person")
    assert (len(aws.queue), dead(aws)) == (1, 1)
    assert aws.queue[0].receipts == 0  # it has all attempts again


@pytest.mark.parametrize(("killed_before", "in_queue"), [("send_message", 0), ("delete_message", 2)])
def test_a_killed_retry_loses_no_message(reconciler: Reconciler, aws: MemoryAws, killed_before: str, in_queue: int):
    fail(reconciler, aws, "a.csv")
    fail(reconciler, aws, "b.csv")
    aws.kill_before = killed_before
    with pytest.raises(Killed):
        retry_again(reconciler)
    assert (len(aws.queue), dead(aws)) == (in_queue, 2)
    # The reconciler records again what was not sent.
    expected = ["retried", "retried" if in_queue else "dead-lettered"]
    assert [outcome(reconciler, key)[0] for key in ("a.csv", "b.csv")] == expected


def test_what_a_killed_retry_sent_but_did_not_delete_is_neither_lost_nor_sent_twice(
    reconciler: Reconciler, aws: MemoryAws
):
    for key in ("fails.csv", "works.csv", "lost.csv"):
        fail(reconciler, aws, key)
    aws.kill_before = "delete_message"
    with pytest.raises(Killed):
        retry_again(reconciler)
    aws.release_leases()
    again, _, lost = aws.queue
    aws.queue[:] = [lost]
    aws.queues[aws.template.dead_letter_queue_name].append(again)
    reconciler.state.runs.add(run_of("fails.csv", ETAG, "failed"), "dead-lettered", 3)
    reconciler.state.runs.add(run_of("works.csv", ETAG), "succeeded")
    assert retry_again(reconciler) == 0
    assert [message.body for message in aws.queue] == [lost.body, again.body]
    assert {facts.key: classify(facts).state for facts in reconciler.snapshot().all()} == {
        "fails.csv": "in progress", "works.csv": "succeeded", "lost.csv": "in progress",
    }  # fmt: skip
    assert dead(aws) == 1  # of lost.csv, which is still in progress
    aws.restart()
    loop = ReconcileLoop(reconciler.settings, reconciler.template)
    for _ in range(3):
        loop._look(reconciler)
    assert sorted(json.loads(message.body)["Records"][0]["s3"]["object"]["key"] for message in aws.queue) == [
        "fails.csv",
        "lost.csv",
    ]


def test_a_failure_without_a_message_is_queued_or_uploaded_again(
    reconciler: Reconciler, aws: MemoryAws, capsys: pytest.CaptureFixture[str]
):
    in_bucket, in_inbox = (fail(reconciler, aws, key, has_message=False) for key in ("a.csv", "b.csv"))
    del aws.buckets[aws.template.source_bucket]["b.csv"]
    assert retry_again(reconciler) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"↻ {in_bucket} a.csv uploaded or queued again", f"↻ {in_inbox} b.csv uploaded or queued again",
    ]  # fmt: skip
    assert len(aws.queue) == 2


def test_what_cannot_be_retried_stays_a_failure_with_its_reason(
    reconciler: Reconciler, aws: MemoryAws, capsys: pytest.CaptureFixture[str]
):
    for key in ("gone.csv", "changed.csv"):
        fail(reconciler, aws, key, has_message=False)
    reconciler.state.runs.add(run_of("", "", "failed", inputs=[], message_id="m"), "dead-lettered", 3, "md5")
    before = reconciler.state.versions.with_outcome("dead-lettered")
    (reconciler.settings.inbox / "gone.csv").unlink()
    (reconciler.settings.inbox / "changed.csv").write_bytes(b"changed")
    aws.restart()
    assert retry_again(reconciler) == 3
    after = reconciler.state.versions.with_outcome("dead-lettered")
    assert [(known.version, known.reason) for known in after] == [(known.version, known.reason) for known in before]
    lines = [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()]
    lost = "the emulator was restarted and lost"
    assert lines == [
        f"{lost} it, and it is not in {reconciler.settings.inbox}. Put it there again.",
        f"{lost} it, and the file in the inbox has changed: the new content runs.",
        f"{lost} this message, which names no file. Drop it with `runner forget`.",
    ]


def test_a_retry_waits_until_a_last_attempt_has_moved(
    reconciler: Reconciler, aws: MemoryAws, monkeypatch: pytest.MonkeyPatch
):
    """SQS moves a message only when it would be received again; until then it is in the queue."""
    fail(reconciler, aws, "a.csv")
    aws.queue.append(aws.queues[aws.template.dead_letter_queue_name].pop())

    def move(_seconds: float) -> None:
        aws.queues[aws.template.dead_letter_queue_name].append(aws.queue.pop())

    monkeypatch.setattr("runner.services.reconciler.decisions.time.sleep", move)
    retry_again(reconciler)
    assert (len(aws.queue), dead(aws)) == (1, 0)


def test_a_forgotten_failure_leaves_the_dead_letter_queue_with_a_reason(
    reconciler: Reconciler, aws: MemoryAws, capsys: pytest.CaptureFixture[str]
):
    first, second = fail(reconciler, aws, "a.csv"), fail(reconciler, aws, "b.csv")
    retry._print(decisions.forget(reconciler, selected(reconciler, [first]), "instrument test"), as_json=False)
    assert capsys.readouterr().out == f"– {first} a.csv is forgotten\n"
    assert outcome(reconciler, "a.csv") == ("forgotten", "forgotten: instrument test")
    assert [failure.id for failure in dead_lettered(reconciler.state)] == [second]
    assert dead(aws) == 1


def test_json_has_the_outcome_of_each_failure(
    reconciler: Reconciler, aws: MemoryAws, capsys: pytest.CaptureFixture[str]
):
    queued, lost = fail(reconciler, aws, "a.csv"), fail(reconciler, aws, "b.csv", has_message=False)
    aws.buckets[aws.template.source_bucket].clear()
    (reconciler.settings.inbox / "b.csv").unlink()
    assert retry_again(reconciler, as_json=True) == 1
    sent, kept = json.loads(capsys.readouterr().out)
    assert sent == {"id": queued, "file": "a.csv", "outcome": "retried", "text": "in the queue again"}
    assert (kept["id"], kept["outcome"]) == (lost, "dead-lettered")
    assert kept["text"].startswith("the emulator was restarted")
    arguments = ["forget", lost, "--why", "a test", "--json", "--data", str(reconciler.settings.data)]
    done = CliRunner().invoke(app, arguments)
    assert json.loads(done.stdout) == [{"id": lost, "file": "b.csv", "outcome": "forgotten", "text": "is forgotten"}]


def test_other_dead_letters_stay_visible_and_hidden_ones_are_waited_for(
    reconciler: Reconciler, aws: MemoryAws, monkeypatch: pytest.MonkeyPatch
):
    first = fail(reconciler, aws, "a.csv")
    for number in range(20):
        fail(reconciler, aws, f"{number}.csv")
    letters = aws.queues[aws.template.dead_letter_queue_name]
    letters[0].is_in_flight = True  # another process looks at it
    waits: list[float] = []

    def look_again(seconds: float) -> None:
        visible = [letter for letter in letters if not letter.is_in_flight]
        waits.append(seconds)
        assert visible == letters[1:]
        aws.release_leases()

    monkeypatch.setattr("runner.aws.sqs.time.sleep", look_again)
    assert retry_again(reconciler, [first]) == 0
    assert len(waits) == 1
    left = aws.queues[aws.template.dead_letter_queue_name]
    assert (len(left), [letter for letter in left if letter.is_in_flight]) == (20, [])


def test_an_unaccounted_version_can_be_forgotten(reconciler: Reconciler):
    reconciler.state.versions.add_uploaded(("gone.csv", "1"))
    (failure,) = _unaccounted(reconciler)
    decisions.forget(reconciler, selected(reconciler, [failure.id]), "not needed")
    assert outcome(reconciler, "gone.csv") == ("forgotten", "forgotten: not needed")


def fail_twice(reconciler: Reconciler, aws: MemoryAws, *, died: bool = False) -> str:
    """Dead-letter a file in two of three pipelines; return its ID."""
    put(reconciler, "k.csv")
    aws.put_object(aws.template.source_bucket, "k.csv", b"x")
    aws.queues[aws.template.dead_letter_queue_name].append(aws.queue.pop())
    for run in twin_runs("k.csv", ETAG, {"a": "succeeded", "b": "failed", "c": "failed"}):
        reconciler.state.runs.add(run, run["status"] if died or run["status"] != "failed" else "dead-lettered", 3)
    if died:
        reconciler.state.runs.add(run_of("k.csv", ETAG, "failed", pipeline=None), "dead-lettered", 3)
    return next(dead_lettered(reconciler.state)).id


def by_config(reconciler: Reconciler) -> dict[str, str]:
    return {known.config: known.outcome for known in reconciler.state.versions.of(("k.csv", ETAG))}


def configs(aws: MemoryAws) -> list[str | None]:
    return [parse(message.body).config for message in aws.queue]


def test_one_pipeline_of_a_file_is_retried_alone(
    reconciler: Reconciler, aws: MemoryAws, capsys: pytest.CaptureFixture[str]
):
    name = fail_twice(reconciler, aws)
    assert retry_again(reconciler, ["k.csv"], "b") == 0
    assert capsys.readouterr().out == f"↻ {name} k.csv → b in the queue again\n"
    assert by_config(reconciler) == {"a.yaml": "succeeded", "b.yaml": "retried", "c.yaml": "dead-lettered"}
    assert (configs(aws), dead(aws)) == (["b.yaml"], 1)  # the other pipeline still needs its dead letter
    states = {facts.config: classify(facts).state for facts in reconciler.snapshot().all()}
    assert states == {"a.yaml": "succeeded", "b.yaml": "in progress", "c.yaml": "dead-lettered"}
    (run,) = twin_runs("k.csv", ETAG, {"b": "succeeded"})
    reconciler.state.runs.add(run, "succeeded")
    assert retry_again(reconciler) == 0
    assert (configs(aws), dead(aws)) == (["b.yaml", "c.yaml"], 0)


@pytest.mark.parametrize("died", [False, True])
@pytest.mark.parametrize("is_lost", [False, True])
def test_a_file_is_retried_in_each_pipeline_that_failed(
    reconciler: Reconciler, aws: MemoryAws, died: bool, is_lost: bool
):
    name = fail_twice(reconciler, aws, died=died)
    if is_lost:
        aws.queues[aws.template.dead_letter_queue_name].clear()
    assert retry_again(reconciler, [name]) == 0
    assert by_config(reconciler) == {"a.yaml": "succeeded", "b.yaml": "retried", "c.yaml": "retried"}
    assert (sorted(map(str, configs(aws))), dead(aws)) == (["b.yaml", "c.yaml"], 0)


def test_one_pipeline_of_a_file_is_forgotten_alone(reconciler: Reconciler, aws: MemoryAws):
    name = fail_twice(reconciler, aws)
    decisions.forget(reconciler, selected(reconciler, [name], "c"), "not needed")
    assert by_config(reconciler) == {"a.yaml": "succeeded", "b.yaml": "dead-lettered", "c.yaml": "forgotten"}
    assert dead(aws) == 1
    decisions.forget(reconciler, selected(reconciler, [name]), "not needed")
    assert (by_config(reconciler)["b.yaml"], dead(aws)) == ("forgotten", 0)


def test_a_lost_message_of_one_pipeline_is_sent_for_that_alone(reconciler: Reconciler, aws: MemoryAws):
    fail_twice(reconciler, aws)
    aws.queues[aws.template.dead_letter_queue_name].clear()
    reconciler.state.versions.set_outcome(("k.csv", ETAG), "retried", "by a person", "c.yaml")
    loop = ReconcileLoop(reconciler.settings, reconciler.template)
    for _ in range(2):
        loop._look(reconciler)
    assert configs(aws) == ["c.yaml"]


def test_a_pipeline_without_a_failure_is_refused(reconciler: Reconciler, aws: MemoryAws):
    name = fail_twice(reconciler, aws)
    with pytest.raises(StackError) as caught:
        selected(reconciler, [name], "a")
    assert str(caught.value) == (
        f"No failure has the ID {name!r} in the pipeline 'a'. `runner failures` and `runner reconcile` list them."
    )


def error_of(reconciler: Reconciler, *arguments: str) -> tuple[type[BaseException], str]:
    error = CliRunner().invoke(app, [*arguments, "--data", str(reconciler.settings.data)]).exception
    assert isinstance(error, RunnerError)
    return type(error), str(error)


def test_wrong_usage_is_explained(reconciler: Reconciler):
    which = "Name the failures to retry, `runner retry ID …`, or retry all: `runner retry --all`."
    assert error_of(reconciler, "retry") == error_of(reconciler, "retry", "x", "--all") == (SettingsError, which)
    data = reconciler.settings.data
    no_stack = f"No stack runs on {data}. Start one with `runner up`, then retry."
    assert error_of(reconciler, "retry", "--all") == (StackError, no_stack)
    unknown = "No failure has the ID 'x'. `runner failures` and `runner reconcile` list them."
    assert error_of(reconciler, "forget", "x", "--why", "a test") == (StackError, unknown)
    empty = "--why is empty. Give the reason why these files are not needed: `runner status` shows it."
    assert error_of(reconciler, "forget", "x", "--why", " ") == (StackError, empty)
