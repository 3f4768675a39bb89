"""Chooses free ports on 127.0.0.1, and checks that a given port is free."""

from __future__ import annotations

import atexit
import ipaddress
import random
import secrets
import socket
from urllib.parse import urlsplit

from runner.errors import StackError

# Below the ephemeral ports, which the system uses for outgoing connections. An outgoing connection could take such a
# port before its owner listens on it, and a client that tries the port could even connect to itself.
_PORTS = range(20_000, 32_768)


def free_port() -> int:
    """Return a port on which nothing listens, and reserve it against other stacks for the life of this process."""
    for port in random.sample(_PORTS, len(_PORTS)):
        # The reservation is a UDP socket, so that the owner can still listen with TCP.
        reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            reservation.bind(("127.0.0.1", port))
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", port))
        except OSError:
            reservation.close()
            continue
        atexit.register(reservation.close)
        return port
    raise StackError(f"No port from {_PORTS.start} to {_PORTS.stop - 1} is free on 127.0.0.1. Stop what uses them.")


def private_address() -> str:
    """Return HOST:PORT on the loopback interface that no web page can find: one of 16 million addresses and any port.

    What listens there cannot check who sends a request, as AWS's Lambda emulator cannot.
    """
    host = ipaddress.ip_address("127.0.0.0") + 2 + secrets.randbelow(2**24 - 3)
    return f"{host}:{free_port()}"


def require_free(endpoint_url: str, alternative: str) -> None:
    """Check that nothing listens on an endpoint's port.

    Args:
        endpoint_url: http://127.0.0.1:PORT.
        alternative: how to choose another port, for the error.

    Raises:
        StackError: the port is in use.
    """
    parts = urlsplit(endpoint_url)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((parts.hostname or "127.0.0.1", parts.port or 80))
        except OSError as error:
            raise StackError(
                f"Port {parts.port} is in use, perhaps by another stack. "
                f"Stop that, or choose another port: {alternative}."
            ) from error
