"""What changes while the page is open: a thread looks at state and inbox, and each browser gets the changed rows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

from runner.errors import RunnerError
from runner.services.watcher.inbox import FolderTimes, Inbox
from runner.state.database import State
from runner.web.known_files import FileRow, Summary, keys_in, not_uploaded, rows, summary
from runner.web.page import Page

_LOOK_INTERVAL_S = 0.1
_SCAN_INTERVAL_S = 0.5
_MOST_ROWS = 50
_MOST_EVENTS = 500
_MOST_RUNNING = 2000
# Counting all files takes this share of the time at most.
_COUNTING_SHARE = 0.1


class Feed:
    """Knows what changed last. `start` begins to look; without it `refresh` does so on demand."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._inbox = Inbox(page.settings.inbox, page.settings.ignored_names)
        self._times: FolderTimes = {}
        self._lock = threading.Lock()
        self._state: State | None = None
        self._data_version = -1
        self._change = self._event = 0
        self._scan_at = self._count_at = 0.0
        self._is_scanned = False
        self._running: OrderedDict[str, None] = OrderedDict()
        self._counts = Summary()
        self.pending: list[FileRow] = []
        self._listeners: dict[asyncio.Queue[str], asyncio.AbstractEventLoop] = {}

    @property
    def running(self) -> list[str]:
        """The keys whose messages a Lambda has received."""
        return list(self._running)

    def summary(self) -> dict[str, Any]:
        """Return how many files have each outcome."""
        return {"counts": self._counts.with_pending(self.pending)}

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set."""
        while not stop.wait(_LOOK_INTERVAL_S):
            self.refresh()

    def refresh(self) -> None:
        """Look once, and send what changed."""
        with self._lock, contextlib.suppress(RunnerError, sqlite3.Error, OSError):
            self._look()

    def _look(self) -> None:
        if self._state is None:
            self._state = State(self._page.settings.state)
            self._change = self._state.files.last_change()
        version, is_changed = self._state.files.data_version(), False
        if version != self._data_version:
            self._data_version, is_changed = version, True
        now = time.monotonic()
        pending = self._scanned(self._state) if is_changed or now >= self._scan_at else self.pending
        if is_changed:
            self._note_received(self._state)
        is_counted = self._count(self._state, now)
        changed = self._changed_rows(self._state) if is_changed else []
        is_pending_new, self.pending = pending != self.pending, pending
        if changed or is_pending_new or is_counted:
            self._send(changed, is_pending_new=is_pending_new)

    def _scanned(self, state: State) -> list[FileRow]:
        self._scan_at = time.monotonic() + _SCAN_INTERVAL_S
        found = self._inbox.scan_changed(self._times) if self._is_scanned else self._inbox.scan(None, self._times)
        self._is_scanned = True
        return not_uploaded(state, self._inbox, found, self.pending)

    def _note_received(self, state: State) -> None:
        """Remember which keys a Lambda has received."""
        for event in reversed(state.received_events.after(self._event, _MOST_EVENTS)):
            self._event = event.id
            for key in keys_in(event.body):
                self._running[key] = None
        while len(self._running) > _MOST_RUNNING:
            self._running.popitem(last=False)

    def _count(self, state: State, now: float) -> bool:
        if now < self._count_at or self._counts.data_version == self._data_version:
            return False
        before = self._counts
        self._counts = summary(state, self._data_version)
        self._count_at = now + (time.monotonic() - now) / _COUNTING_SHARE
        return before.outcomes != self._counts.outcomes

    def _changed_rows(self, state: State) -> list[FileRow]:
        """Return the rows that changed; also those that a Lambda has just received."""
        listed = state.files.changed_since(min(self._change, max(0, self._change - _MOST_ROWS)), _MOST_ROWS)
        found = list(rows(self._page.settings, state, listed, self._running))
        fresh = [row for row in found if (row.change or 0) > self._change or row.is_running]
        self._change = max([self._change, *(row.change or 0 for row in found)])
        return fresh

    def _send(self, changed: list[FileRow], *, is_pending_new: bool) -> None:
        if not self._listeners:
            return
        shown = [*(self.pending[:_MOST_ROWS] if is_pending_new else []), *changed]
        html = self._page.render("rows.html", rows=shown) if shown else ""
        text = json.dumps({"rows": html, "pending": [row.file for row in self.pending], **self.summary()})
        for queue, loop in list(self._listeners.items()):
            loop.call_soon_threadsafe(_put_newest, queue, text)

    async def listen(self) -> AsyncIterator[str]:
        """Yield what changes, as JSON."""
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=20)
        self._listeners[queue] = asyncio.get_running_loop()
        try:
            while True:
                yield await queue.get()
        finally:
            del self._listeners[queue]

    def close(self) -> None:
        """Close the state."""
        with self._lock, closing(self._state) if self._state else contextlib.nullcontext():
            self._state = None


def _put_newest(queue: asyncio.Queue[str], text: str) -> None:
    """Add to a queue, and drop the oldest entry if a browser does not read."""
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(text)
