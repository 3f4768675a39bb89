"""boto3 clients of the local endpoint or of AWS, and what is done with S3 and SQS."""
