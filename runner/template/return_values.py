"""The values that Ref and Fn::GetAtt return for a named resource, where they can be known before deployment."""

from __future__ import annotations

ACCOUNT = "000000000000"
ONLY_ON_AWS = "has a value only on AWS. Use a parameter with a Default or a plain value here."
"""The second half of an error about a value that cannot be known before deployment."""
NAME_PROPERTIES = {
    "AWS::S3::Bucket": "BucketName", "AWS::SQS::Queue": "QueueName", "AWS::Serverless::Function": "FunctionName",
}  # fmt: skip
"""The property that names a resource, by resource type."""
_FORMATS = {
    ("AWS::S3::Bucket", "Ref"): "{name}",
    ("AWS::S3::Bucket", "Arn"): "arn:aws:s3:::{name}",
    ("AWS::SQS::Queue", "Ref"): "https://sqs.{region}.amazonaws.com/{account}/{name}",
    ("AWS::SQS::Queue", "Arn"): "arn:aws:sqs:{region}:{account}:{name}",
    ("AWS::SQS::Queue", "QueueName"): "{name}",
    ("AWS::Serverless::Function", "Ref"): "{name}",
    ("AWS::Serverless::Function", "Arn"): "arn:aws:lambda:{region}:{account}:function:{name}",
}


def is_known(kind: str, attribute: str) -> bool:
    """Return whether an attribute of a resource type follows from the resource's name."""
    return (kind, attribute) in _FORMATS


def return_value(kind: str, attribute: str, name: str, region: str) -> str:
    """Return the value of an attribute, such as arn:aws:s3:::raw for the Arn of the bucket raw."""
    return _FORMATS[kind, attribute].format(name=name, region=region, account=ACCOUNT)
