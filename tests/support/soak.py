"""Send many small files through a stack whose processes are killed at random, and report the outcomes.

    scripts/soak --files 10000 --seed 1

No file may be lost, no output may be wrong, and the memory of the supervisor, which is never killed, must not grow.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from runner.errors import StackError
from runner.messages.run_record import FINAL
from runner.settings import Settings
from runner.template import stack_template
from runner.testing.embedded_stack import EmbeddedStack
from runner.testing.stacks import eventually
from tests.support import digests, killing
from tests.support.outcomes import Report, verify_outcomes

KINDS = ("watcher", "poller", "emulator", "runtime", "aws")
# Unfinished files at a time: if all were dropped at once, kills would meet only files at the same stage.
_MOST_IN_PROGRESS = 150
_FILES_PER_FOLDER = 250
_SAMPLE_EVERY_S = 2.0
# Finished files between two kills, so that the stack has recovered from the first one on any machine.
_FILES_BETWEEN_KILLS = 20
# From the first quarter of the duration to the last.
_MOST_GROWTH_MB = 10.0


@dataclass
class Soak:
    """One soak; the seed determines which files are dropped and which processes are killed."""

    files: int
    seed: int
    pause_s: tuple[float, float]
    """Least and most seconds between two kills."""
    folder: Path
    kills: Counter[str] = field(default_factory=Counter)
    memory_mb: dict[str, list[float]] = field(default_factory=dict)
    dropped: int = 0
    seconds: float = 0.0
    runs: int = 0
    report: Report = field(default_factory=Report)

    def run(self) -> None:
        """Drop files, kill processes, wait, and verify the outcomes."""
        self._random = random.Random(self.seed)
        root, began = digests.project(self.folder / "project"), time.monotonic()
        stack = EmbeddedStack(self.folder / "data", "--concurrency", "2", RUNNER_ROOT=str(root))
        try:
            self._stress(stack)
            described = stack_template.load(Settings.from_env({}).root / "template.yaml")
            self.report = verify_outcomes(stack, described, digests.expected, reset=True, patience_s=120)
            self.runs = len(stack.state.runs.after(0))
        finally:
            stack.stop()
        self.seconds = time.monotonic() - began

    def _stress(self, stack: EmbeddedStack) -> None:
        deck: list[str] = []
        kill_at = time.monotonic() + self.pause_s[0]
        sample_at, kill_from = 0.0, 1
        while (finished := final_files(stack.data)) < self.files:
            now = time.monotonic()
            if now >= kill_at and finished >= min(kill_from, self.dropped):
                deck = deck or self._random.sample(KINDS, len(KINDS))
                self._kill(stack, deck.pop())
                kill_at, kill_from = now + self._random.uniform(*self.pause_s), finished + _FILES_BETWEEN_KILLS
            if now >= sample_at:
                self._sample(stack)
                sample_at = now + _SAMPLE_EVERY_S
            # The last file is dropped after each kind was killed.
            until = self.files if self.kills.total() >= len(KINDS) else self.files - 1
            while self.dropped < until and self.dropped - finished < _MOST_IN_PROGRESS:
                self._drop(stack)
            time.sleep(0.2)

    def _drop(self, stack: EmbeddedStack) -> None:
        """Drop a file that succeeds, or sometimes one that is skipped or fails."""
        kind = self._random.choices(("noop", "unknown", "noop.raise"), (98, 1, 1))[0]
        key = f"soak/{self.dropped // _FILES_PER_FOLDER}/{kind}.{self.dropped}.txt"
        stack.put(f"{self.dropped} ".encode() + self._random.randbytes(self._random.randrange(2000)), key)
        self.dropped += 1

    def _kill(self, stack: EmbeddedStack, kind: str) -> None:
        found = eventually(lambda: killing.pids(stack, kind), kind)
        killing.kill(stack, self._random.choice(sorted(found)))
        self.kills[kind] += 1

    def _sample(self, stack: EmbeddedStack) -> None:
        processes = {"supervisor": {stack.process.pid}, **{kind: killing.pids(stack, kind) for kind in KINDS}}
        for kind, pids in processes.items():
            sizes = [size for pid in pids if (size := resident_mb(pid))]
            if sizes:
                self.memory_mb.setdefault(kind, []).append(max(sizes))

    @property
    def lost(self) -> list[str]:
        """Return the files whose outcome is not final."""
        return [key for key, outcome in self.report.outcomes.items() if outcome not in FINAL]

    def quarters(self, kind: str) -> list[float]:
        """Return the maximum memory of a kind in each quarter of the duration."""
        sizes = self.memory_mb.get(kind, [])
        step = max(1, len(sizes) // 4)
        return [max(sizes[at : at + step], default=0.0) for at in range(0, 4 * step, step)]

    @property
    def growth_mb(self) -> float:
        """Return the growth of the supervisor's memory from the first quarter to the last."""
        first, *_, last = self.quarters("supervisor")
        return last - first

    @property
    def leaks(self) -> bool:
        """Return whether that is too much."""
        return self.growth_mb > _MOST_GROWTH_MB

    def __str__(self) -> str:
        """Return the summary that scripts/soak prints."""
        rating = f"{'too much' if self.leaks else 'fine'}, {_MOST_GROWTH_MB:.0f} MB are allowed"
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.report.counts().items()))
        kills = ", ".join(f"{self.kills[kind]} {kind}" for kind in KINDS)
        memory = [
            f"  {kind:<11}" + "".join(f"{size:7.0f}" for size in self.quarters(kind)) for kind in ("supervisor", *KINDS)
        ]
        return "\n".join(
            [
                f"seed      {self.seed}",
                f"files     {self.dropped} dropped, {self.runs} runs",
                f"outcomes  {outcomes}",
                f"lost      {len(self.lost)}",
                f"wrong     {len(self.report.problems)} (the content of every output was compared)",
                f"kills     {self.kills.total()}: {kills}",
                f"duration  {self.seconds:.0f} s",
                "memory    maximum MB in each quarter of the duration",
                *memory,
                f"growth    {self.growth_mb:.1f} MB of the supervisor, which is never killed: {rating}",
                *self.report.problems[:20],
            ]
        )


def final_files(data: Path) -> int:
    """Return the number of files with a final outcome."""
    marks = ", ".join("?" * len(FINAL))
    query = f"SELECT count(DISTINCT key) FROM versions WHERE outcome IN ({marks})"
    with contextlib.closing(sqlite3.connect(data / "state" / "state.sqlite", timeout=10)) as db:
        return int(db.execute(query, FINAL).fetchone()[0])


def resident_mb(pid: int) -> float | None:
    """Return the memory of a process in MB, or None if it has exited."""
    try:
        return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024
    except (OSError, IndexError):  # it has just exited
        return None


def main() -> int:
    """Run a soak and print its summary; return 0 if nothing is lost or wrong and the memory did not grow."""
    parser = argparse.ArgumentParser(description="Send many small files while processes are killed.")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--pause", type=float, nargs=2, default=(5.0, 15.0), metavar="S", help="between two kills")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="tsdat-soak-"))
    soak = Soak(options.files, options.seed, tuple(options.pause), folder)
    try:
        soak.run()
    except StackError as error:
        print(
            f"not all files accounted for, {soak.dropped} files and {soak.kills.total()} kills, see {folder}: {error}",
            file=sys.stderr,
        )
        return 1
    print(soak)
    bad = soak.lost or soak.report.problems or soak.dropped < soak.files or soak.leaks
    if bad:
        print(f"see {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
