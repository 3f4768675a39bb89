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

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.balance import Finding, World, balance, draw, unaccounted
from runner.census import take
from runner.failures import failures
from runner.history import FINAL, History, Ledger, Outcome, Upload
from runner.record import Input, RunRecord, new_record
from runner.settings import Settings
from runner.template import load

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
        self.stored: set[str] = set()
        self.epoch, self.clock = 0, 0

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
        for path in sorted(path for path in self.settings.inbox.rglob("*") if path.is_file()):
            key, etag, status = path.relative_to(self.settings.inbox).as_posix(), path.read_text(), path.stat()
            known = self.ledger.get(key)
            if known and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
                done = self.history.outcome(key, known.etag) in FINAL
                if known.epoch == str(self.epoch) or done:
                    continue
            touched = known and (known.etag, known.epoch) == (etag, str(self.epoch))
            if not (touched and self.bucket.get(key) == etag):
                self.bucket[key] = etag
                self.queue += [Message(key, etag)] * event
            if entered:
                self.clock += 1
                stamp = (status.st_size, status.st_mtime_ns)
                self.ledger.put(Upload(key, *stamp, etag, etag, str(self.epoch), self.clock))

    def run_one(self, outcome: Outcome = "succeeded", killed: str = "", mirrored: bool = True) -> None:
        """Receive a message and run what is there, as poller and handler do; the poller can be killed meanwhile."""
        if not self.queue:
            return
        message = self.queue.pop(0)
        if message.attempts == MOST_ATTEMPTS:
            self.dead.append(message)
            return
        message.attempts += 1
        record = self._ran(message, outcome, mirrored)
        if killed == "before history":
            self.queue.append(message)
            return
        last = message.attempts == MOST_ATTEMPTS
        ended: Outcome = "dead-lettered" if record["status"] == "failed" and last else record["status"]
        self.history.add(record, ended, message.attempts)
        if killed or record["status"] == "failed":
            self.queue.append(message)

    def _ran(self, message: Message, outcome: Outcome, mirrored: bool) -> RunRecord:
        read = self.bucket.get(message.key)
        item: Input = {"bucket": "in", "key": message.key, "size": 2, "etag": read or message.etag}
        if read and read != message.etag:
            item["named_etag"] = message.etag
        error = {"type": "E", "message": "wrong", "phase": "process", "traceback": ""}
        if read is None or outcome == "failed":
            return new_record("failed", "r", inputs=[item], error=error)
        if outcome == "skipped":
            return new_record("skipped", "r", inputs=[item], reason="no route")
        output = f"{message.key}.{read}.nc"
        self.stored.add(output)
        if mirrored:
            path = self.settings.outputs / output
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("nc")
            os.utime(path, (2**31, 2**31))  # after the end of its run
        return new_record("succeeded", "r", inputs=[item], outputs=[{"bucket": "out", "key": output, "size": 2}])

    def lose_everything(self) -> None:
        """LocalStack ends and comes up empty."""
        self.bucket, self.queue, self.dead, self.stored = {}, [], [], set()
        self.epoch += 1

    def lose_a_message(self) -> None:
        del self.queue[-1:]

    def double_and_reorder(self) -> None:
        self.queue = [Message(m.key, m.etag) for m in reversed(self.queue[:3])] + self.queue

    def retry_all(self) -> None:
        for failure in failures(self.history):
            self.history.add({**failure.run.record, "reason": "again"}, "retried")
            moved = [m for m in self.dead if (m.key, m.etag) in failure.versions]
            self.dead = [m for m in self.dead if m not in moved]
            self.queue += [Message(m.key, m.etag) for m in moved]
            given = [self._give_again(*version) for version in failure.versions if not moved]
            if not moved and not any(given):
                self.history.add(failure.run.record, "dead-lettered", failure.run.attempt)

    def forget_all(self) -> None:
        for failure in failures(self.history):
            self.dead = [m for m in self.dead if (m.key, m.etag) not in failure.versions]
            self.history.add({**failure.run.record, "reason": "forgotten: no need"}, "forgotten")

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
                version: replace(run, missing=tuple(key for key in run.missing if key not in self.stored))
                for version, run in world.runs.items()
            },
        )
        return balance(self.world)

    def take(self, keys_at_once: int) -> Iterator[World]:
        return take(self.settings, TEMPLATE, self.ledger, self.history, None, keys_at_once)

    def mend(self) -> None:
        for finding in unaccounted(self.look()):
            version = finding.key, finding.etag
            run = self.history.of(*version)
            if finding.remedy == "enter":
                error = {"type": "NoAnswer", "message": "none", "phase": "invoke", "traceback": ""}
                item = {"bucket": "in", "key": finding.key, "size": None, "etag": finding.etag}
                self.history.add(new_record("failed", "", inputs=[item], error=error), "dead-lettered", MOST_ATTEMPTS)
            elif finding.remedy == "again":
                if run and run.outcome in FINAL:
                    self.history.add({**run.record, "reason": "taken up"}, "retried")
                assert self._give_again(*version), finding

    def _give_again(self, key: str, etag: str) -> bool:
        path, known = self.settings.inbox / key, self.ledger.get(key)
        if self.bucket.get(key) == etag:
            self.queue.append(Message(key, etag))
            return True
        if known and known.etag == etag and path.is_file() and path.stat().st_mtime_ns == known.mtime_ns:
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
            self.mend()
            self.watch()
            while self.queue:
                self.run_one()
        findings = self.look()
        assert "in progress" not in [finding.place for finding in findings]
        for path in (path for path in self.settings.inbox.rglob("*") if path.is_file()):
            key, etag = path.relative_to(self.settings.inbox).as_posix(), path.read_text()
            (finding,) = [f for f in findings if (f.key, f.etag) == (key, etag)]
            assert finding.place in ("succeeded", "skipped", "dead-lettered", "forgotten"), finding
            assert self.history.outcome(key, etag) in FINAL

    def close(self) -> None:
        self.ledger.close()
        self.history.close()
        self.folder.cleanup()


KILLED = st.sampled_from(["", "", "", "before history", "before delete"])
OUTCOMES = st.sampled_from(["succeeded", "succeeded", "failed", "skipped"])
ARRIVAL = st.tuples(st.just("arrive"), KEYS, st.integers(0, 3), MOSTLY, MOSTLY)
RUN = st.tuples(st.just("run_one"), OUTCOMES, KILLED, MOSTLY)
REST = st.sampled_from(
    ["watch", "lose_everything", "lose_a_message", "double_and_reorder", "retry_all", "forget_all", "mend"]
).map(lambda name: (name,))


@settings(max_examples=100, print_blob=True)
@given(st.lists(ARRIVAL | RUN | RUN | REST, min_size=12, max_size=30))
def test_no_file_is_lost_or_counted_twice_whatever_happens(events: list[tuple[Any, ...]]):
    life = Life()
    for name, *arguments in events:
        getattr(life, name)(*arguments)
        life.every_version_is_in_one_place()
    life.everything_comes_to_an_end()
    life.close()
