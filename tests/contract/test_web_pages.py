"""No web page reaches an emulator, with a browser's headers; test_browser shows the same with a real browser."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from runner.aws import clients, emulator_api

FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
BUCKET = "a-bucket-of-the-user"


def request(
    endpoint_url: str, method: str, path: str, headers: dict[str, str], body: str = ""
) -> tuple[int, dict[str, str], str]:
    with closing(http.client.HTTPConnection(urlsplit(endpoint_url).netloc, timeout=10)) as connection:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()


@pytest.fixture(scope="module")
def users_bucket(endpoint_url: str) -> str:
    clients.local_s3(endpoint_url).create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": clients.REGION}
    )
    return BUCKET


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("OPTIONS", f"/{BUCKET}/key"),
        ("DELETE", f"/{BUCKET}"),
        ("PUT", f"/{BUCKET}/key"),
        ("POST", "/_ministack/reset"),
        ("POST", "/_localstack/health"),
        ("GET", "/?Action=CreateQueue&QueueName=evil"),
        ("GET", "/_aws/sqs/messages"),
    ],
)
@pytest.mark.parametrize(
    "headers",
    [FOREIGN, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}, {"Host": "evil.example:4566"}],
    ids=["fetch", "image", "sandboxed frame", "DNS rebinding"],
)
def test_a_web_page_is_refused(endpoint_url: str, users_bucket: str, method: str, path: str, headers: dict[str, str]):
    status, answered, text = request(endpoint_url, method, path, headers, json.dumps({"action": "kill"}))
    assert status == 403, text
    assert "The local stack refuses this request" in text or method == "HEAD"
    assert not [name for name in answered if name.lower().startswith("access-control-")]
    assert users_bucket in [found["Name"] for found in clients.local_s3(endpoint_url).list_buckets()["Buckets"]]


@pytest.mark.parametrize(
    "path", ["/_ministack/reset", "/_ministack/config", "/_localstack/health", "/_localstack/init"]
)
def test_no_program_controls_an_emulator(endpoint_url: str, users_bucket: str, path: str):
    status, _, text = request(endpoint_url, "POST", path, {}, json.dumps({"action": "kill"}))
    assert (status, "controls the emulator" in text) == (403, True), text
    assert emulator_api.is_healthy(endpoint_url)
    assert users_bucket in [found["Name"] for found in clients.local_s3(endpoint_url).list_buckets()["Buckets"]]
