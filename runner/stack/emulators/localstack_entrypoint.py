"""Starts LocalStack on 127.0.0.1 only. Runs in LocalStack's own environment, so it imports nothing of ours.

LocalStack 4.13 takes the port from GATEWAY_LISTEN and, for IPv4, forgets the host: it would listen to the whole
network. Everything in it that listens does so through this class of Twisted's.
"""

from functools import partial

from twisted.internet import endpoints

endpoints.TCP4ServerEndpoint = partial(endpoints.TCP4ServerEndpoint, interface="127.0.0.1")

from localstack.runtime.main import main  # noqa: E402

main()
