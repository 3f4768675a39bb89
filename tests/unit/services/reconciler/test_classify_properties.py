"""Whatever happens in whatever order, no file is ever unaccounted for without a remedy, and none is counted twice.

Inbox, ledger, history and outputs are the real ones on disk; the bucket and the queues, which LocalStack keeps, are the
model's own, because they are what is lost here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.cli.failures import Failure, dead_lettered
from runner.messages.run_record import FINAL, Input, Outcome, RunRecord, new_record
from runner.services.reconciler.classify import Finding, World, balance, draw, unaccounted
from runner.services.reconciler.snapshot import take
from runner.services.watcher.inbox import Inbox
from runner.settings import Settings
from runner.state.runs import History
from runner.state.uploads import Ledger, Stamp, Upload
from runner.template.stack_template import load

KEYS = st.sampled_from(["a.csv", "b/é.csv", "c d.csv"])
TEMPLATE = load(Path("template.yaml"))
MOSTLY = st.sampled_from([True, True, True, False])
MOST_ATTEMPTS = 2  # fewer than the template's: dead letters come sooner


@dataclass
class Message:
    """In the queue or the dead-letter queue."""

    key: str
    etag: str
    attempts: int = 0


@dataclass
class Stored:
    """In the destination bucket; `restored` from the outputs folder after the bucket was lost."""

    content: str
    restored: bool = False


class Life:
    """Files come, change, run, fail and get lost."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.settings = replace(Settings.from_env({}), data=Path(self.folder.name))
        self.settings.inbox.mkdir()
        self.ledger, self.history = Ledger(self.settings.state), History(self.settings.state)
        self.bucket: dict[str, str] = {}
        self.queue: list[Message] = []
        self.dead: list[Message] = []
        self.stored: dict[str, Stored] = {}
        self.done: dict[str, tuple[Stamp, str]] = {}
        self.epoch, self.clock = 0, 0
        self.files = Inbox(self.settings.inbox, ())

    # What people and programs do.

    def arrive(self, key: str, content: int, event: bool = True, entered: bool = True) -> None:
        self.drop(key, content)
        self.watch(event, entered)

    def drop(self, key: str, content: int) -> None:
        path = self.settings.inbox / key
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"e{content}")
        self.clock += 1
        os.utime(path, (self.clock, self.clock))

    def watch(self, event: bool = True, entered: bool = True) -> None:
        """Upload as the watcher does; an event can be lost, and the watcher be killed before it enters the upload."""
        for key in self.files.scan():
            stamp, etag, known = self.files.stamp(key), self.files.path(key).read_text(), self.ledger.get(key)
            assert stamp
            if self.done.get(key) == (stamp, self.epoch):
                continue
            if known and known.stamp == stamp:
                ended = self.history.outcome(key, known.etag) in FINAL
                if known.epoch == str(self.epoch) or ended:
                    self.done[key] = stamp, self.epoch
                    continue
            self._upload(key, stamp, etag, known, event, entered)

    def _upload(self, key: str, stamp: Stamp, etag: str, known: Upload | None, event: bool, entered: bool) -> None:
        epoch = str(self.epoch)
        touched = known if known and known.etag == etag else None
        if touched and touched.epoch != epoch and self.history.ended_last(key, etag):
            epoch = touched.epoch
        elif not (touched and self.bucket.get(key) == etag):
            self.bucket[key] = etag
            self.queue += [Message(key, etag)] * event
            run = self.history.of(key, etag)
            if entered and run and run.outcome in FINAL:
                self.history.enter({**run.record, "reason": "came again"}, [(key, etag)], "retried")
        if entered:
            self.clock += 1
            self.ledger.put(Upload(key, *stamp, etag, etag, epoch, self.clock))

    def touch(self) -> None:
        """Give the files another stamp and leave their content."""
        self.clock += 1
        for key in self.files.scan():
            os.utime(self.files.path(key), (self.clock, self.clock))

    def run_one(self, outcome: Outcome = "succeeded", killed: str = "", mirrored: bool = True) -> None:
        """Receive a message and run what is there, as poller and handler do; the poller can be killed meanwhile."""
        if not self.queue:
            return
        message = self.queue.pop(0)
        if message.attempts == MOST_ATTEMPTS:
            self.dead.append(message)
            return
        message.attempts += 1
        record = self._ran(message, outcome)
        if killed == "before history":
            self.queue.append(message)
            return
        last = message.attempts == MOST_ATTEMPTS
        ended: Outcome = "dead-lettered" if record["status"] == "failed" and last else record["status"]
        self.history.add(record, ended, message.attempts)
        if mirrored:
            self.mirror()
        if killed or record["status"] == "failed":
            self.queue.append(message)

    def _ran(self, message: Message, outcome: Outcome) -> RunRecord:
        read = self.bucket.get(message.key)
        taken = item(message.key, read or message.etag)
        if read and read != message.etag:
            taken["named_etag"] = message.etag
        error = {"type": "E", "message": "wrong", "phase": "process", "traceback": ""}
        if read is None or outcome == "failed":
            return new_record("failed", "r", inputs=[taken], error=error)
        if outcome == "skipped":
            return new_record("skipped", "r", inputs=[taken], reason="no route")
        output = f"{message.key}.nc"
        self.stored[output] = Stored(read)
        for path in self._mirrored():  # before the run, and so some time ago
            os.utime(path, (path.stat().st_mtime - 1,) * 2)
        return new_record("succeeded", "r", inputs=[taken], outputs=[{"bucket": "out", "key": output, "size": 2}])

    def _mirrored(self) -> list[Path]:
        return [path for path in self.settings.outputs.rglob("*") if path.is_file()]

    def mirror(self) -> None:
        """Bring what is stored into the outputs folder."""
        for key, stored in self.stored.items():
            path = self.settings.outputs / key
            before = path.stat().st_mtime if path.is_file() else 0.0
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(stored.content)
            if stored.restored:
                os.utime(path, (before, before))

    def lose_everything(self) -> None:
        """LocalStack ends and comes up empty."""
        self.bucket, self.queue, self.dead, self.stored = {}, [], [], {}
        self.epoch += 1

    def restore(self) -> None:
        """Put the outputs folder back into the bucket."""
        for path in self._mirrored():
            key = path.relative_to(self.settings.outputs).as_posix()
            self.stored.setdefault(key, Stored(path.read_text(), restored=True))

    def lose_a_message(self) -> None:
        del self.queue[-1:]

    def double_and_reorder(self) -> None:
        self.queue = [Message(m.key, m.etag) for m in reversed(self.queue[:3])] + self.queue

    def retry_all(self) -> None:
        for failure in dead_lettered(self.history):
            self.enter(failure, "again", "retried")
            moved = [m for m in self.dead if (m.key, m.etag) in failure.versions]
            self.dead = [m for m in self.dead if m not in moved]
            self.queue += [Message(m.key, m.etag) for m in moved]
            given = [self._give_again(*version) for version in failure.versions if not moved]
            if not moved and not any(given):
                self.enter(failure, "gone", "dead-lettered")

    def begin_to_retry_all(self) -> None:
        """As above, and be killed before anything has moved."""
        for failure in dead_lettered(self.history):
            self.enter(failure, "again", "retried")

    def forget_all(self) -> None:
        for failure in dead_lettered(self.history):
            self.dead = [m for m in self.dead if (m.key, m.etag) not in failure.versions]
            self.enter(failure, "forgotten: no need", "forgotten")

    def enter(self, failure: Failure, reason: str, outcome: Outcome) -> None:
        before = {version: run.outcome for version, run, _ in self.history.last_runs()}
        self.history.enter({**failure.run.record, "reason": reason}, failure.versions, outcome)
        after = {version: run.outcome for version, run, _ in self.history.last_runs()}
        assert after == before | dict.fromkeys(failure.versions, outcome)

    # What the books do.

    def look(self) -> list[Finding]:
        (world,) = [*self.take(1000)] or [World()]
        self.world = replace(
            world,
            lost=frozenset(u.key for u in self.ledger.uploads() if u.epoch != str(self.epoch)),
            objects=self.bucket,
            queued=frozenset((m.key, m.etag) for m in self.queue),
            dead=frozenset((m.key, m.etag) for m in self.dead),
            runs={
                version: replace(run, missing=tuple(key for key in run.missing if not self._is_stored(key)))
                for version, run in world.runs.items()
            },
        )
        return balance(self.world)

    def _is_stored(self, key: str) -> bool:
        return key in self.stored and not self.stored[key].restored

    def take(self, keys_at_once: int) -> Iterator[World]:
        return take(self.settings, TEMPLATE, self.ledger, self.history, None, keys_at_once)

    def mend(self) -> None:
        for finding in unaccounted(self.look()):
            version = finding.key, finding.etag
            run = self.history.of(*version)
            if finding.remedy == "enter":
                error = {"type": "NoAnswer", "message": "none", "phase": "invoke", "traceback": ""}
                record = new_record("failed", "", inputs=[item(*version)], error=error)
                self.history.add(record, "dead-lettered", MOST_ATTEMPTS)
            elif finding.remedy == "again":
                if run and run.outcome in FINAL:
                    self.history.enter({**run.record, "reason": "taken up"}, [version], "retried")
                assert self._give_again(*version), finding

    def _give_again(self, key: str, etag: str) -> bool:
        known = self.ledger.get(key)
        if self.bucket.get(key) == etag:
            self.queue.append(Message(key, etag))
            return True
        if known and known.etag == etag and self.files.stamp(key) == known.stamp:
            self.bucket[key] = etag
            self.queue.append(Message(key, etag))
            return True
        return False

    # What has to be so, always and in the end.

    def every_version_is_in_one_place(self) -> None:
        findings, world = self.look(), self.world
        sheet = draw([world])
        versions = [(finding.key, finding.etag) for finding in findings]
        assert len(versions) == len(set(versions)) == sum(sheet.counts().values()) + len(sheet.unaccounted())
        assert {(key, etag or "") for key, etag in world.inbox.items()} <= set(versions)
        assert {*self.bucket.items(), *((m.key, m.etag) for m in self.queue + self.dead)} <= set(versions)
        assert draw(self.take(1)) == draw(self.take(1000))
        for finding in unaccounted(findings):
            there = finding.etag in (self.bucket.get(finding.key), world.inbox.get(finding.key))
            assert finding.problem
            assert finding.remedy or not there or "output" in finding.problem, finding

    def everything_comes_to_an_end(self) -> None:
        """Left alone, every file of the inbox ends with its outputs or a reason."""
        for _ in range(5):
            self.restore()
            self.mend()
            self.watch()
            while self.queue:
                self.run_one()
        self.mirror()
        findings = self.look()
        assert "in progress" not in [finding.place for finding in findings]
        for key in self.files.scan():
            etag = self.files.path(key).read_text()
            (finding,) = [f for f in findings if (f.key, f.etag) == (key, etag)]
            assert finding.place in ("succeeded", "skipped", "dead-lettered", "forgotten"), finding
            assert self.history.outcome(key, etag) in FINAL
            if finding.place == "succeeded":
                assert (self.settings.outputs / f"{key}.nc").read_text() == etag

    def close(self) -> None:
        self.ledger.close()
        self.history.close()
        self.folder.cleanup()


def item(key: str, etag: str) -> Input:
    return {"bucket": "in", "key": key, "size": 2, "etag": etag}


KILLED = st.sampled_from(["", "", "", "before history", "before delete"])
OUTCOMES = st.sampled_from(["succeeded", "succeeded", "failed", "skipped"])
ARRIVAL = st.tuples(st.just("arrive"), KEYS, st.integers(0, 3), MOSTLY, MOSTLY)
RUN = st.tuples(st.just("run_one"), OUTCOMES, KILLED, MOSTLY)
REST = st.sampled_from(
    [
        "watch",
        "touch",
        "lose_everything",
        "restore",
        "mirror",
        "lose_a_message",
        "double_and_reorder",
        "retry_all",
        "begin_to_retry_all",
        "forget_all",
        "mend",
    ]
).map(lambda name: (name,))


def arrives(content: int, entered: bool = True) -> tuple[Any, ...]:
    return ("arrive", "a.csv", content, True, entered)


RUNS, UNMIRRORED, FAILS = (("run_one", *how) for how in (["succeeded"], ["succeeded", "", False], ["failed"]))
LOST = ("lose_everything",)


@settings(max_examples=100, print_blob=True)
@example([arrives(1), RUNS, arrives(2), UNMIRRORED, LOST, ("restore",)])
@example([arrives(1), RUNS, arrives(2), UNMIRRORED, LOST, ("restore",), ("mirror",)])
@example([arrives(1), RUNS, arrives(2), RUNS, arrives(1), LOST])
@example([arrives(1), RUNS, arrives(2, entered=False), RUNS, LOST, arrives(1)])
@example([arrives(1), FAILS, FAILS, RUNS, LOST, ("watch",), ("begin_to_retry_all",)])
@given(st.lists(ARRIVAL | RUN | RUN | REST, min_size=12, max_size=30))
def test_no_file_is_lost_or_counted_twice_whatever_happens(events: list[tuple[Any, ...]]):
    life = Life()
    for name, *arguments in events:
        getattr(life, name)(*arguments)
        life.every_version_is_in_one_place()
    life.everything_comes_to_an_end()
    life.close()
