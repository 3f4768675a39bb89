"""The programs that play S3 and SQS."""
