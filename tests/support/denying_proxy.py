"""A proxy in front of S3 that answers as AWS does when a policy denies a request."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>User: '
    b"arn:aws:sts::000000000000:assumed-role/pipeline is not authorized to perform: s3:PutObject</Message></Error>"
)
_PER_CONNECTION = {"connection", "transfer-encoding", "keep-alive"}


class DenyingProxy:
    """Forwards requests to an endpoint; while `denied` is set, rejects and counts PUTs to a bucket."""

    def __init__(self, bucket: str) -> None:
        self.bucket, self.endpoint_url, self.denied, self.refused = bucket, "", False, 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Return the address that it listens on."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _handler(proxy: DenyingProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if proxy.denied and self.command == "PUT" and self.path.startswith(f"/{proxy.bucket}/"):
                proxy.refused += 1
                self.answer(403, [("Content-Type", "application/xml")], _DENIED)
                return
            there = http.client.HTTPConnection(urlsplit(proxy.endpoint_url).netloc, timeout=20)
            there.request(self.command, self.path, body, dict(self.headers.items()))
            response = there.getresponse()
            content = response.read()
            there.close()
            self.answer(response.status, response.getheaders(), content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one  # noqa: N815  as http.server calls them

        def answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            length = [value for name, value in headers if name.lower() == "content-length"]
            for name, value in headers:
                if name.lower() not in _PER_CONNECTION | {"content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", length[0] if self.command == "HEAD" and length else str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Log nothing."""

    return Handler
