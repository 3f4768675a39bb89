"""Starts LocalStack on 127.0.0.1 only, behind the guard. Runs in LocalStack's environment.

LocalStack 4.13 takes the port from GATEWAY_LISTEN but ignores the host for IPv4, and would listen on all interfaces.
Everything in it that listens uses this Twisted class.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from request_guard import refusal
from twisted.internet import endpoints

if os.environ.get("OVERRIDE_IN_DOCKER") == "0":  # a container's port is published on 127.0.0.1
    endpoints.TCP4ServerEndpoint = partial(endpoints.TCP4ServerEndpoint, interface="127.0.0.1")

from localstack.aws.app import LocalstackAwsGateway  # noqa: E402
from localstack.runtime.main import main  # noqa: E402

_HOSTS = os.environ.get("GUARD_HOSTS", "").split()
_init = LocalstackAwsGateway.__init__


def guard(chain: Any, context: Any, response: Any) -> None:
    """Answer a request that is refused, and end its handler chain."""
    request = context.request
    if reason := refusal(request.method, request.path, request.headers.get, _HOSTS):
        response.status_code, response.data, response.mimetype = 403, reason, "text/plain"
        chain.terminate()  # without the handlers of responses, which would add CORS headers


def _guarded_init(gateway: Any, *arguments: Any, **more: Any) -> None:
    _init(gateway, *arguments, **more)
    gateway.request_handlers.insert(0, guard)


LocalstackAwsGateway.__init__ = _guarded_init

if __name__ == "__main__":
    main()
