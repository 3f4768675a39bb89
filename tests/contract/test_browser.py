"""A real browser shows a foreign page, whose requests reach neither an emulator nor a Lambda."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from runner.aws import clients
from tests.support.tools import require_program

# Each request that a page can send without asking first, and some that it has to ask for; then it writes the answers.
PAGE = """<html><body>waiting<script>
const target = "TARGET";
const tries = [
  ["GET", "/", {}], ["GET", "/?Action=CreateQueue&QueueName=evil", {}], ["GET", "/", {mode: "no-cors"}],
  ["POST", "/_ministack/reset", {mode: "no-cors"}], ["POST", "/_localstack/health", {mode: "no-cors", body: '{"action": "kill"}'}],
  ["POST", "/", {mode: "no-cors", body: "Action=CreateQueue&QueueName=evil"}], ["PUT", "/evil", {}], ["DELETE", "/kept", {}],
];
Promise.all(tries.map(([method, path, more]) => fetch(target + path, {method, ...more}).then(
  answer => `${method} ${path} ${answer.type}`, error => `${method} ${path} refused`
))).then(lines => { document.body.innerText = lines.join("\\n") + "\\ndone" });
</script></body></html>"""  # noqa: E501


@contextmanager
def site(page: str) -> Iterator[str]:
    """Serve a page under a name of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://evil.example:{server.server_port}/"
        server.shutdown()


def shown(url: str, profile: Path) -> str:
    """Return the text of a page after its scripts have run."""
    require_program("chromium", "apt-get install chromium")
    command = [
        shutil.which("chromium") or "", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        f"--user-data-dir={profile}", "--host-resolver-rules=MAP evil.example 127.0.0.1", "--no-proxy-server",
        "--virtual-time-budget=8000", "--dump-dom", url,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_foreign_page_changes_nothing(endpoint_url: str, tmp_path: Path):
    s3, sqs = clients.local_s3(endpoint_url), clients.local_sqs(endpoint_url)
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": clients.REGION})
    with site(PAGE.replace("TARGET", endpoint_url)) as url:
        text = shown(url, tmp_path / "profile")
    assert "done" in text, text
    assert "basic" not in text
    assert "cors" not in text.replace("no-cors", "")
    for line in ("GET / refused", "PUT /evil refused", "DELETE /kept refused"):
        assert line in text
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert "kept" in names
    assert "evil" not in names
    assert not sqs.list_queues(QueueNamePrefix="evil").get("QueueUrls")
    s3.delete_bucket(Bucket="kept")
