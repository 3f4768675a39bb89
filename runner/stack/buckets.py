"""Keeps buckets, queues and the role in the local emulator in place: it is empty each time it starts."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from runner.aws import clients
from runner.services import provisioner
from runner.services.role_credentials import RoleCredentials
from runner.stack import role_session
from runner.stack.child import Child
from runner.stack.emulators.contract import AwsEmulator
from runner.template.stack_template import StackTemplate


class Buckets:
    """The buckets, queues and role in an emulator that runs as a child process."""

    def __init__(
        self, emulator: AwsEmulator, process: Child, endpoint_url: str, template: StackTemplate, role_folder: Path
    ) -> None:
        self._emulator, self._child = emulator, process
        self._endpoint_url, self._template = endpoint_url, template
        self._s3, self._sqs = clients.local_s3(endpoint_url), clients.local_sqs(endpoint_url)
        is_enforced = emulator.enforces_rights and template.role is not None
        file = role_folder / role_session.CREDENTIALS
        self._credentials = RoleCredentials(endpoint_url, template, file) if is_enforced else None
        self._client = partial(clients.local_client, endpoint_url=endpoint_url) if emulator.has_triggers else None
        self._provisioned: object = None  # the process that has them

    def ensure(self) -> bool:
        """Create them if the emulator has restarted and is healthy; return whether they exist.

        Never wait: other children may have exited too, and the emulator may exit again at any time.
        """
        process = self._child.process
        if process is not self._provisioned and self._emulator.is_healthy(self._endpoint_url):
            with suppress(BotoCoreError, ClientError):  # it has exited again; retry at the next call
                provisioner.provision(self._s3, self._sqs, self._template, self._client, self._credentials)
                self._provisioned = process
        if self._credentials and process is self._provisioned:
            with suppress(BotoCoreError, ClientError):
                self._credentials.renew()
        return process is not None and process is self._provisioned
