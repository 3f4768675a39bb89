"""Clients of the AWS account of the user, without the guard: only for commands that were told to go to AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.aws import clients

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient


def services() -> tuple[str, S3Client, SQSClient]:
    """Account number, S3 and SQS by the user's own credentials: only for a command that was told to go to AWS.

    Raises:
        botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: there are none, or AWS refuses them.
    """
    import boto3

    make: Any = boto3.client  # it has no type for STS
    return str(make("sts").get_caller_identity()["Account"]), make("s3"), make("sqs")


def client(service: str, region: str) -> Any:
    """A service of the AWS account that the environment names, for what a person asks for there."""
    import boto3

    made: Any = boto3.client(service, region_name=region, config=clients.config())  # type: ignore[call-overload]
    return made
