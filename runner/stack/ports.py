"""Choose ports that nobody else takes."""

from __future__ import annotations

import atexit
import random
import socket

from runner.errors import StackError

# Below the ports that the system gives to outgoing connections: one of these could take the port before its owner does,
# and a client that tries a port nobody listens on yet can even be connected to itself.
_PORTS = range(20_000, 32_768)


def free_port() -> int:
    """A port that nobody listens on now, and that no other stack is given while this process lives."""
    for port in random.sample(_PORTS, len(_PORTS)):
        mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # UDP, so that whom it is for can still listen
        try:
            mark.bind(("127.0.0.1", port))
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", port))
        except OSError:
            mark.close()
            continue
        atexit.register(mark.close)  # held until this process ends
        return port
    raise StackError(f"No port of {_PORTS.start} to {_PORTS.stop - 1} is free on 127.0.0.1.")
