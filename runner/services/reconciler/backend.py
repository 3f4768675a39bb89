"""What a snapshot asks and a repair changes: the S3 and SQS of a running stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.aws import clients
from runner.aws.s3 import bucket_epoch
from runner.aws.sqs import Queues
from runner.template.stack_template import StackTemplate

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True)
class Backend:
    """The S3 and SQS of a running stack."""

    s3: S3Client
    queues: Queues
    template: StackTemplate

    @classmethod
    def at(cls, endpoint_url: str, template: StackTemplate) -> Backend:
        """Return those that answer at an endpoint."""
        queues = Queues(endpoint_url, template.queue_name, template.dead_letter_queue_name)
        return cls(clients.local_s3(endpoint_url), queues, template)

    def epoch(self) -> str | None:
        """Return the life of the source bucket; None while it is not complete."""
        return bucket_epoch(self.s3, self.template.source_bucket)
