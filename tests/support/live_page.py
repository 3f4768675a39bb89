"""The live page of a data folder, in a thread, for tests that ask it over HTTP; and runs for it to show."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from runner.messages.run_record import Outcome, new_record
from runner.settings import Settings
from runner.state.database import State
from runner.web.app import create
from runner.web.server import listening
from tests.support.stacks import ROOT


class Site:
    """A page that is served, and how to ask it."""

    def __init__(self, settings: Settings, port: int, token: str) -> None:
        self.settings, self.port, self.token = settings, port, token
        self.url = f"http://127.0.0.1:{port}"

    def ask(
        self, path: str, method: str = "GET", body: bytes = b"", **headers: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body of an answer; the name of a header is written with _ for -."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, given)
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()

    def text(self, path: str) -> str:
        """Return a page."""
        status, _, body = self.ask(path)
        assert status == 200, body
        return body.decode()

    def json(self, path: str) -> Any:
        """Return a page's JSON twin."""
        return json.loads(self.text(path))

    def post(self, path: str, body: bytes = b"", **headers: str) -> tuple[int, Mapping[str, str], bytes]:
        """Post with the token."""
        return self.ask(path, "POST", body, **{"X_Page_Token": self.token, **headers})


@contextmanager
def served(data: Path, **variables: str) -> Iterator[Site]:
    """Serve the page of a data folder for the body."""
    settings = Settings.from_env({"RUNNER_ROOT": str(ROOT), "RUNNER_DATA": str(data), **variables})
    app = create(settings)
    with listening("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.005)
            yield Site(settings, listener.getsockname()[1], app.state.page.token)
        finally:
            server.should_exit = True
            thread.join()


def add_run(data: Path, key: str, outcome: Outcome = "succeeded", **fields: Any) -> int:
    """Record a run on a file, as the event source mapping does; return its number."""
    return add_runs(data, [key], outcome, **fields)


def add_runs(data: Path, keys: Iterable[str], outcome: Outcome = "succeeded", **fields: Any) -> int:
    """Record a run on each of some files; return the last number."""
    status = "failed" if outcome in ("failed", "dead-lettered") else outcome
    number = 0
    with closing(State(data / "state")) as state:
        for key in keys:
            inputs = [{"bucket": "inputs", "key": key, "size": 5, "etag": "0" * 32}]
            record = new_record(status, "request", **{"inputs": inputs, "message_id": f"message of {key}", **fields})  # type: ignore[arg-type]
            number = state.runs.add(record, outcome)
    return number
