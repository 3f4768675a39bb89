"""The Lambda function: what ships to AWS, and only that."""
