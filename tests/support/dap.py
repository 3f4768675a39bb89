"""A minimal client of the Debug Adapter Protocol, which editors use."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any


class Debugger:
    """A session with a debug adapter; requests fail after `patience_s` seconds."""

    def __init__(self, port: int, patience_s: float = 40.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=patience_s)
        self._stream = self._socket.makefile("rb")
        self._sent = 0
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Debugger:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.request("disconnect", terminateDebuggee=False)
        self._stream.close()
        self._socket.close()

    def request(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for the response."""
        return self._answer(self._send(command, arguments))

    def attach(self, breakpoints: Mapping[str, list[int]], mappings: Mapping[str, str]) -> list[dict[str, Any]]:
        """Attach with breakpoints, lines by file, and return the debugger's breakpoints."""
        self.request("initialize", adapterID="test", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
        paths = [{"localRoot": local, "remoteRoot": remote} for local, remote in mappings.items()]
        attached = self._send("attach", {"justMyCode": True, "pathMappings": paths})
        self.event("initialized")
        made = []
        for path, lines in breakpoints.items():
            at = [{"line": line} for line in lines]
            made += self.request("setBreakpoints", source={"path": path}, breakpoints=at)["breakpoints"]
        self.request("configurationDone")
        self._answer(attached)
        return made

    def event(self, name: str) -> dict[str, Any]:
        """Wait for an event and return its body."""
        while True:
            for event in self._events:
                if event["event"] == name:
                    self._events.remove(event)
                    return event.get("body", {})
            self._read()

    def frame(self, thread: int) -> dict[str, Any]:
        """Return the frame in which a thread is stopped."""
        return self.request("stackTrace", threadId=thread)["stackFrames"][0]

    def variables(self, frame: int) -> dict[str, dict[str, Any]]:
        """Return the local variables of a frame, by name."""
        scopes = self.request("scopes", frameId=frame)["scopes"]
        reference = next(scope["variablesReference"] for scope in scopes if scope["name"] == "Locals")
        return {one["name"]: one for one in self.request("variables", variablesReference=reference)["variables"]}

    def _send(self, command: str, arguments: Mapping[str, Any]) -> int:
        self._sent += 1
        message = {"seq": self._sent, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        return self._sent

    def _answer(self, number: int) -> dict[str, Any]:
        while True:
            message = self._read()
            if message["type"] == "response" and message["request_seq"] == number:
                assert message["success"], message
                return message.get("body", {})

    def _read(self) -> dict[str, Any]:
        length = 0
        while (line := self._stream.readline()) != b"\r\n":
            if not line:
                raise ConnectionError("the debugger closed the connection")
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        message: dict[str, Any] = json.loads(self._stream.read(length))
        if message["type"] == "event":
            self._events.append(message)
        return message
