"""The programs that emulate S3, SQS and STS, one module each, behind the contract in `contract`."""
