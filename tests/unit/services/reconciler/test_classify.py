from dataclasses import replace

import pytest

from runner.services.reconciler.classify import LastRun, World, balance, draw, unaccounted

V = ("k.csv", "e1")
DONE = LastRun("succeeded")
WAITS = World(inbox={"k.csv": "e1"}, uploads={"k.csv": "e1"}, objects={"k.csv": "e1"})


def place(world: World) -> object:
    """Where the only version is."""
    (finding,) = balance(world)
    return finding.place or finding.problem


@pytest.mark.parametrize(
    ("run", "where"),
    [
        (DONE, "succeeded"),
        (LastRun("skipped", "no route"), "skipped"),
        (LastRun("dead-lettered", "ValueError"), "dead-lettered"),
        (LastRun("forgotten", "a test file"), "forgotten"),
        (LastRun("succeeded", was_read=False), "skipped"),
        (LastRun("skipped"), "was skipped without a reason"),
        (LastRun("dead-lettered"), "was dead-lettered without a reason"),
        (
            LastRun("failed", "ValueError"),
            "is in the source bucket without a message in the queue; its last run failed: ValueError",
        ),
    ],
)
def test_a_version_is_where_its_last_run_left_it(run: LastRun, where: str):
    assert place(replace(WAITS, runs={V: run})) == where


def test_what_has_a_message_or_has_just_come_is_in_progress():
    assert place(replace(WAITS, queued=frozenset([V]))) == "in progress"
    assert place(replace(WAITS, queued=frozenset([V]), runs={V: LastRun("dead-lettered", "E")})) == "in progress"
    assert place(replace(WAITS, fresh=frozenset([V]))) == "in progress"
    assert place(replace(WAITS, fresh=frozenset([V]), runs={V: DONE})) == "succeeded"
    assert place(World(inbox={"k.csv": None})) == "in progress"


def test_a_lost_event_and_a_lost_object_are_found_and_can_come_again():
    for world, problem in (
        (WAITS, "is in the source bucket without a message in the queue"),
        (replace(WAITS, objects={}), "was uploaded and is not in the source bucket any more"),
    ):
        (finding,) = unaccounted(balance(world))
        assert (finding.problem, finding.remedy) == (problem, "again")


def test_what_was_lost_with_its_bucket_waits_for_the_watcher():
    lost = replace(WAITS, objects={}, lost=frozenset(["k.csv"]))
    assert place(lost) == "in progress"
    assert place(replace(lost, runs={V: LastRun("failed", "E")})) == "in progress"
    # The watcher may know of the end before.
    (finding,) = unaccounted(balance(replace(lost, runs={V: LastRun("retried", "again")})))
    assert finding.remedy == "again"


def test_what_is_nowhere_any_more_is_told_and_cannot_come_again():
    (finding,) = balance(World(uploads={"k.csv": "e1"}, runs={V: LastRun("failed", "E")}, lost=frozenset(["k.csv"])))
    assert finding.problem == "is neither in the source bucket nor in the inbox any more; its last run failed: E"
    assert finding.remedy is None
    (finding,) = balance(World(runs={("", "md5"): LastRun("failed", "E")}))
    assert finding.problem == "its message named no file and is gone; its last run failed: E"


def test_a_dead_letter_without_a_verdict_is_to_be_entered():
    for run in (None, LastRun("failed", "E"), LastRun("retried", "again")):
        world = replace(WAITS, dead=frozenset([V]), runs={V: run} if run else {})
        (finding,) = unaccounted(balance(world))
        assert finding.remedy == "enter"
        assert finding.problem == "is in the dead-letter queue, and the history does not say why"
    assert place(replace(WAITS, dead=frozenset([V]), runs={V: LastRun("dead-lettered", "E")})) == "dead-lettered"


def test_an_older_version_that_never_ended_was_replaced():
    new = World(inbox={"k.csv": "e2"}, uploads={"k.csv": "e2"}, objects={"k.csv": "e2"}, runs={("k.csv", "e2"): DONE})
    for world in (
        replace(new, runs={**new.runs, V: LastRun("failed", "E")}),
        World(inbox={"k.csv": None}, uploads={"k.csv": "e1"}),  # not yet uploaded
    ):
        found = {finding.etag: finding.place for finding in balance(world)}
        assert found["e1"] == "skipped"


def test_missing_outputs_are_told_and_made_again_only_if_nobody_took_them():
    problem = "has succeeded, but this output is neither in the bucket nor in the outputs folder: a.nc"
    for kept, remedy in ((False, "again"), (True, None)):
        (finding,) = unaccounted(
            balance(replace(WAITS, runs={V: LastRun("succeeded", missing=("a.nc", "b.nc"), kept=kept)}))
        )
        assert (finding.problem, finding.remedy) == (problem, remedy)


def test_files_that_nobody_is_told_of_are_named():
    world = World(
        inbox={"other.txt": None}, refused={"caf?": "not UTF-8"}, unnoticed={"other.txt": "filter", "x.txt": "filter"},
        objects={"x.txt": "e"},
    )  # fmt: skip
    assert {finding.key: finding.place for finding in balance(world)} == {
        "other.txt": "skipped", "x.txt": "skipped", "caf?": "refused",
    }  # fmt: skip
    assert draw([world]).counts()["skipped"] == 2


def test_a_sheet_counts_what_has_ended_and_keeps_what_has_not():
    sheet = draw([replace(WAITS, runs={V: DONE}), World(inbox={"n.csv": None}), World(objects={"o.csv": "e"})])
    assert [(finding.key, finding.place) for finding in sheet.open] == [("n.csv", "in progress"), ("o.csv", None)]
    assert [finding.key for finding in sheet.unaccounted()] == ["o.csv"]
    assert {place: count for place, count in sheet.counts().items() if count} == {"succeeded": 1, "in progress": 1}
