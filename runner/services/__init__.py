"""What runs all the time. Services meet each other only through S3, SQS, HTTP and state."""
