"""Port reservations of stacks that start at the same time."""

from __future__ import annotations

import socket

import pytest

from runner.errors import StackError
from runner.stack import ports


def test_free_port_returns_a_port_once_and_its_owner_can_listen_on_it(monkeypatch: pytest.MonkeyPatch):
    port = ports.free_port()
    monkeypatch.setattr(ports, "_PORTS", range(port, port + 1))
    with socket.create_server(("127.0.0.1", port)):
        pass
    with pytest.raises(StackError, match=f"No port from {port} to {port} is free on 127.0.0.1."):
        ports.free_port()
