"""Keeps the embedded stack's buckets and queues there, whatever happens to LocalStack."""

from __future__ import annotations

from contextlib import suppress

from botocore.exceptions import BotoCoreError, ClientError

from runner.aws import clients, emulator_api
from runner.services import provisioner
from runner.supervisor import Child
from runner.template.stack_template import StackTemplate


class Buckets:
    """The buckets and queues of a LocalStack, which comes up empty whenever it starts."""

    def __init__(self, local: Child, endpoint_url: str, described: StackTemplate) -> None:
        self._local, self._endpoint_url, self._template = local, endpoint_url, described
        self._s3, self._sqs = clients.local_s3(endpoint_url), clients.local_sqs(endpoint_url)
        self._made_in: object = None

    def tend(self) -> bool:
        """Make them if LocalStack answers and has none, else look again next time; gives whether they are there.

        Waits for nothing: other children may have died too, and LocalStack itself may die again meanwhile.
        """
        process = self._local.process
        if process is not self._made_in and emulator_api.is_healthy(self._endpoint_url):
            with suppress(BotoCoreError, ClientError):  # it went away again
                provisioner.provision(self._s3, self._sqs, self._template)
                self._made_in = process
        return process is not None and process is self._made_in
