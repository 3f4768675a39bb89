"""What the stack requires of a program that emulates AWS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from runner.aws import emulator_api
from runner.stack.child import Child


class AwsEmulator(ABC):
    """S3, SQS and STS on one endpoint of this machine, as a child process.

    It starts empty. Services and commands know only its endpoint, so they read its queues with
    `runner.aws.emulator_api.messages`, which every emulator must support.
    """

    name: ClassVar[str]
    """Its name in log lines and error messages."""
    enforces_rights: ClassVar[bool]
    """Whether it refuses what a policy does not allow."""
    has_triggers: ClassVar[bool]
    """Whether it has EventBridge and SNS."""

    @abstractmethod
    def child(self, state: Path, endpoint_url: str, log: Path) -> Child:
        """Describe the process that listens on the endpoint and on no other address.

        Args:
            state: the stack's state folder; the process may keep files in a folder below it.
            endpoint_url: http://127.0.0.1:PORT.
            log: file for its output.

        Raises:
            StackError: the emulator is not installed.
        """

    def is_healthy(self, endpoint_url: str) -> bool:
        """Return whether it is ready to serve; never raise."""
        return emulator_api.is_healthy(endpoint_url)
