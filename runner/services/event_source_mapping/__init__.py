"""What Lambda's SQS event source mapping does: receive batches, invoke, delete or return messages."""
