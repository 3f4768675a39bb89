"""Reads IAM policy documents: whether they allow a call, and the statement that would. Pure.

Follows "IAM JSON policy elements" in the IAM user guide, without conditions: a statement with one counts as if it were
met.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple


class Call(NamedTuple):
    """One action on one resource."""

    action: str
    arn: str


def allows(policies: Iterable[Mapping[str, Any]], action: str, arn: str) -> bool:
    """Return whether a statement allows a call, and none denies it."""
    effects = {
        statement.get("Effect")
        for policy in policies
        for statement in statements(policy)
        if _names(statement, "Action", action.lower()) and _names(statement, "Resource", arn)
    }
    return "Allow" in effects and "Deny" not in effects


def _names(statement: Mapping[str, Any], element: str, value: str) -> bool:
    if f"Not{element}" in statement:
        return not _names({element: statement[f"Not{element}"]}, element, value)
    patterns = [str(pattern) for pattern in listed(statement.get(element))]
    return matches([pattern.lower() for pattern in patterns] if element == "Action" else patterns, value)


def matches(patterns: Any, value: str) -> bool:
    """Match one of the patterns as IAM does: `*` stands for any characters, `?` for one; brackets are plain."""
    return any(
        re.fullmatch(
            "".join({"*": ".*", "?": "."}.get(letter) or re.escape(letter) for letter in str(pattern)), value, re.DOTALL
        )
        for pattern in listed(patterns)
    )


def statements(policy: Mapping[str, Any]) -> list[Any]:
    """Return the statements of a policy, which may be one alone."""
    return listed(policy.get("Statement"))


def listed(value: Any) -> list[Any]:
    """Return a value of a policy as the list for which it may stand."""
    return value if isinstance(value, list) else [] if value is None else [value]


# From "Actions, resources, and condition keys" of the Service Authorization Reference.
_S3_ACTIONS = {
    "HeadObject": "GetObject", "CreateMultipartUpload": "PutObject", "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject", "CopyObject": "PutObject", "UploadPartCopy": "PutObject",
    "ListObjects": "ListBucket", "ListObjectsV2": "ListBucket", "HeadBucket": "ListBucket",
    "ListObjectVersions": "ListBucketVersions", "ListBuckets": "ListAllMyBuckets", "DeleteObjects": "DeleteObject",
    "ListMultipartUploads": "ListBucketMultipartUploads", "ListParts": "ListMultipartUploadParts",
}  # fmt: skip
# AWS allows it to everyone.
_ALWAYS_ALLOWED = {"sts:GetCallerIdentity"}


def calls_of(service: str, operation: str, request: Mapping[str, Any], region: str, account: str) -> Iterator[Call]:
    """Yield what a request needs to be allowed.

    Args:
        service: the service as a policy names it, such as s3.
        operation: the operation of the API, such as ListObjectsV2.
        request: its parameters.
    """
    if service == "s3":
        yield from _s3_calls(operation, request)
        return
    name = operation.removesuffix("Batch") if service == "sqs" else operation
    if f"{service}:{name}" in _ALWAYS_ALLOWED:
        return
    queue = str(request.get("QueueUrl") or request.get("QueueName") or "").rsplit("/", 1)[-1]
    arn = f"arn:aws:sqs:{region}:{account}:{queue}" if service == "sqs" and queue else "*"
    yield Call(f"{service}:{name}", arn)


def _s3_calls(operation: str, request: Mapping[str, Any]) -> Iterator[Call]:
    bucket, key = request.get("Bucket"), request.get("Key")
    bucket_arn = f"arn:aws:s3:::{bucket}" if bucket else "*"
    action = _S3_ACTIONS.get(operation, operation)
    if request.get("VersionId") and action in ("GetObject", "DeleteObject"):
        action += "Version"
    if operation == "DeleteObjects":
        for one in request.get("Delete", {}).get("Objects", []):
            yield Call(f"s3:{action}", f"{bucket_arn}/{one.get('Key')}")
        return
    yield Call(f"s3:{action}", f"{bucket_arn}/{key}" if key is not None else bucket_arn)
    source = request.get("CopySource")
    if isinstance(source, Mapping):
        yield Call("s3:GetObject", f"arn:aws:s3:::{source.get('Bucket')}/{source.get('Key')}")
    elif source:
        yield Call("s3:GetObject", f"arn:aws:s3:::{str(source).lstrip('/').partition('?')[0]}")


def hint(call: Call, role: str) -> str:
    """Return what to add to template.yaml so that a call is allowed."""
    resource = re.sub(r"/.*", "/*", call.arn) if call.action.startswith("s3:") else call.arn
    statement = f'{{Effect: Allow, Action: {call.action}, Resource: "{resource}"}}'
    return f"To allow it, add this to the statements of {role} in template.yaml: {statement}"
