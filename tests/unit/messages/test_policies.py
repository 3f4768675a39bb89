"""What IAM policies allow, and which actions a call needs."""

from __future__ import annotations

from typing import Any

import pytest

from runner.messages.policies import Call, allows, calls_of, hint

BUCKET = "arn:aws:s3:::raw"


def statement(action: Any, resource: Any, effect: str = "Allow") -> dict[str, Any]:
    return {"Statement": {"Effect": effect, "Action": action, "Resource": resource}}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (statement("s3:GetObject", f"{BUCKET}/*"), True),
        (statement("s3:getobject", f"{BUCKET}/*"), True),
        (statement(["s3:Get*"], "*"), True),
        (statement("s3:GetObject", f"{BUCKET}/a/?.csv"), True),
        (statement("s3:GetObject", BUCKET), False),
        (statement("s3:GetObject", f"{BUCKET}/A/*"), False),
        (statement("s3:GetObject", f"{BUCKET}/[a]/*"), False),
        (statement("s3:GetObjectVersion", f"{BUCKET}/*"), False),
        ({"Statement": [{"Effect": "Allow", "NotAction": "sqs:*", "Resource": "*"}]}, True),
        ({"Statement": [{"Effect": "Allow", "Action": "*", "NotResource": f"{BUCKET}/*"}]}, False),
        ({}, False),
    ],
)
def test_a_statement_allows_what_it_names(policy: dict[str, Any], expected: bool):
    assert allows([policy], "s3:GetObject", f"{BUCKET}/a/b.csv") is expected


def test_a_denial_has_priority_over_every_other_policy():
    policies = [statement("s3:*", "*"), statement("s3:GetObject", f"{BUCKET}/secret/*", "Deny")]
    assert allows(policies, "s3:GetObject", f"{BUCKET}/open/x")
    assert not allows(policies, "s3:GetObject", f"{BUCKET}/secret/x")


@pytest.mark.parametrize(
    ("service", "operation", "request_", "expected"),
    [
        ("s3", "HeadObject", {"Bucket": "raw", "Key": "k"}, [("s3:GetObject", f"{BUCKET}/k")]),
        ("s3", "GetObject", {"Bucket": "raw", "Key": "k", "VersionId": "1"}, [("s3:GetObjectVersion", f"{BUCKET}/k")]),
        ("s3", "UploadPart", {"Bucket": "raw", "Key": "k"}, [("s3:PutObject", f"{BUCKET}/k")]),
        ("s3", "ListObjectsV2", {"Bucket": "raw", "Prefix": "k"}, [("s3:ListBucket", BUCKET)]),
        ("s3", "ListBuckets", {}, [("s3:ListAllMyBuckets", "*")]),
        ("s3", "DeleteObjects", {"Bucket": "raw", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b"}]}},
         [("s3:DeleteObject", f"{BUCKET}/a"), ("s3:DeleteObject", f"{BUCKET}/b")]),
        ("s3", "CopyObject", {"Bucket": "raw", "Key": "k", "CopySource": {"Bucket": "other", "Key": "o"}},
         [("s3:PutObject", f"{BUCKET}/k"), ("s3:GetObject", "arn:aws:s3:::other/o")]),
        ("sqs", "SendMessageBatch", {"QueueUrl": "https://sqs/0/q"}, [("sqs:SendMessage", "arn:aws:sqs:R:A:q")]),
        ("sqs", "ListQueues", {}, [("sqs:ListQueues", "*")]),
        ("sts", "GetCallerIdentity", {}, []),
        ("dynamodb", "PutItem", {"TableName": "t"}, [("dynamodb:PutItem", "*")]),
    ],
)  # fmt: skip
def test_a_call_needs_the_actions_of_the_service_reference(
    service: str, operation: str, request_: dict[str, Any], expected: list[tuple[str, str]]
):
    assert list(calls_of(service, operation, request_, "R", "A")) == expected


def test_the_hint_is_a_statement_for_all_keys():
    assert hint(Call("s3:DeleteObject", f"{BUCKET}/a/b.nc"), "TheRole") == (
        "To allow it, add this to the statements of TheRole in template.yaml: "
        '{Effect: Allow, Action: s3:DeleteObject, Resource: "arn:aws:s3:::raw/*"}'
    )
