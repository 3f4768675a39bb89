"""The programs that emulate S3, SQS and STS, one module each, behind the contract in `contract`."""

from __future__ import annotations

from runner.settings import EmulatorName
from runner.stack.emulators.contract import AwsEmulator
from runner.stack.emulators.localstack import LocalStack
from runner.stack.emulators.ministack import MiniStack

DEFAULT = EmulatorName.MINISTACK
"""Of the embedded backend; compose.yaml has its own."""


def by_name(name: EmulatorName) -> AwsEmulator:
    """Return the emulator with a name."""
    return MiniStack() if name is EmulatorName.MINISTACK else LocalStack()
