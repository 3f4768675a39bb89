"""Run tsdat pipelines on the path they take on AWS: S3 to queue to Lambda to S3, on your own machine."""
