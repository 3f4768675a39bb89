"""Why `runner retry` does not use SQS's own redrive."""

from __future__ import annotations

import json
import uuid

from runner.aws import clients
from runner.testing.stacks import Stack, eventually

MOST = 2


def test_localstack_does_not_reset_the_receive_count_of_a_moved_message(embedded_stack: Stack):
    """When this fails, runner/cli/retry.py can use StartMessageMoveTask: AWS resets the count of a moved message."""
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
        # Includes the receive that moved it to the dead-letter queue; on AWS the count would be 1.
        assert receive_count(queue) == MOST + 2
        assert depth(dead) == 0
    finally:
        for url in (queue, dead):
            sqs.delete_queue(QueueUrl=url)
