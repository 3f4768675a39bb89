"""Starts LocalStack on 127.0.0.1 only. Runs in LocalStack's environment, so it imports nothing from `runner`.

LocalStack 4.13 takes the port from GATEWAY_LISTEN but ignores the host for IPv4, and would listen on all interfaces.
Everything in it that listens uses this Twisted class.
"""

from functools import partial

from twisted.internet import endpoints

endpoints.TCP4ServerEndpoint = partial(endpoints.TCP4ServerEndpoint, interface="127.0.0.1")

from localstack.runtime.main import main  # noqa: E402

main()
