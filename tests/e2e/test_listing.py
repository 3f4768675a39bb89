"""Long lists of odd names are complete and in the order of their keys, as reconciling and schedules require."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from runner.aws import clients
from runner.aws.s3 import list_objects
from runner.testing.stacks import Stack

BUCKET = "long-lists"
# More than a page of 1,000. URL-encoded, these keys sort differently.
KEYS = sorted(
    [f"A{n:03}" for n in range(400)] + [f"{name}{n:03}" for name in ("a b", "é=", "y(😀") for n in range(250)]
)


def test_a_long_list_of_odd_names_is_complete_and_in_order(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    s3 = clients.local_s3(stack.endpoint_url)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=BUCKET, Key=key, Body=b""), KEYS))
    for name, value in clients.local_environment(stack.endpoint_url).items():
        monkeypatch.setenv(name, value)
    clients.s3.cache_clear()
    try:
        for client in (s3, clients.s3()):  # the local services' and the Lambda's
            assert [found.key for found in list_objects(client, BUCKET, "")] == KEYS
            assert [found.key for found in list_objects(client, BUCKET, "é")] == KEYS[-250:]
    finally:
        clients.s3.cache_clear()
