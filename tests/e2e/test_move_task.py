"""Why `runner retry` does without SQS's own way back from a dead-letter queue."""

from __future__ import annotations

import json
import uuid

from runner.aws import clients
from runner.testing.stacks import Stack, eventually

MOST = 2


def test_a_message_that_localstack_moved_goes_on_counting_its_receives(embedded_stack: Stack):
    """When this fails, runner/cli/retry.py can use StartMessageMoveTask: on AWS a moved message counts anew."""
    sqs, name = clients.local_sqs(embedded_stack.endpoint_url), f"move-{uuid.uuid4().hex[:8]}"

    def arn(url: str) -> str:
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": MOST})
    queue = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]

    def receive_count(url: str) -> int:
        found = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0, MessageSystemAttributeNames=["All"])
        return sum(int(message["Attributes"]["ApproximateReceiveCount"]) for message in found.get("Messages", []))

    def depth(url: str) -> int:
        known = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        return int(known["ApproximateNumberOfMessages"])

    try:
        sqs.send_message(QueueUrl=queue, MessageBody="x")
        assert [receive_count(queue) for _ in range(MOST + 1)] == [1, 2, 0]
        eventually(lambda: depth(dead), "dead letter")
        sqs.start_message_move_task(SourceArn=arn(dead))
        eventually(lambda: depth(queue), "moved message")
        # The receive that found its attempts used up counted too; on AWS this would be the first again.
        assert receive_count(queue) == MOST + 2
        assert depth(dead) == 0
    finally:
        for url in (queue, dead):
            sqs.delete_queue(QueueUrl=url)
