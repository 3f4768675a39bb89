"""Clients of the user's AWS account, without the guard: only for commands that the user directs to AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.aws import clients

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient


def services() -> tuple[str, S3Client, SQSClient]:
    """Return the account number, and clients of S3 and SQS with the user's own credentials.

    Raises:
        botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: there are no credentials, or AWS refuses
            them.
    """
    import boto3

    make: Any = boto3.client  # it has no type for STS
    return str(make("sts").get_caller_identity()["Account"]), make("s3"), make("sqs")


def client(service: str, region: str) -> Any:
    """Return a client of a service in the AWS account that the environment names."""
    import boto3

    made: Any = boto3.client(service, region_name=region, config=clients.config())  # type: ignore[call-overload]
    return made
