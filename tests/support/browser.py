"""Debian's chromium, headless, for tests of the live page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.tools import require_program

FOREIGN = "evil.example"
"""A name that resolves to this machine, as with DNS rebinding."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser for the body."""
    require_program("chromium", "apt-get install chromium")
    arguments = ["--no-sandbox", "--no-proxy-server", f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield browser
        browser.close()


def drop(page: Page, file: Path) -> None:
    """Drag a file from a file manager onto the page."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})
    session.detach()
