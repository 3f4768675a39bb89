"""Ports for stacks that start at the same time."""

from __future__ import annotations

import socket

import pytest

from runner.errors import StackError
from runner.stack import ports


def test_a_port_is_given_once_and_can_be_listened_on(monkeypatch: pytest.MonkeyPatch):
    port = ports.free_port()
    monkeypatch.setattr(ports, "_PORTS", range(port, port + 1))
    with socket.create_server(("127.0.0.1", port)):
        pass
    with pytest.raises(StackError, match=f"No port of {port} to {port} is free on 127.0.0.1."):
        ports.free_port()
