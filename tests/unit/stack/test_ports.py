"""Port reservations of stacks that start at the same time."""

from __future__ import annotations

import ipaddress
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


def test_private_addresses_are_on_the_loopback_interface_and_cannot_be_guessed():
    made = [ports.private_address() for _ in range(20)]
    hosts = {ipaddress.ip_address(address.partition(":")[0]) for address in made}
    assert len(hosts) == 20
    assert all(host.is_loopback for host in hosts)
    with socket.create_server((str(hosts.pop()), 0)):
        pass
