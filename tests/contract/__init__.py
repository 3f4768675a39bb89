"""What the stack relies on in S3, SQS, SNS, EventBridge and IAM, against each emulator, and against AWS."""
