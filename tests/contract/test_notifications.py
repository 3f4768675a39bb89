"""What S3 reports to a queue: "Event message structure" in the Amazon S3 user guide."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, unquote_plus

import pytest

from runner.messages import s3_events
from tests.contract import queues
from tests.contract.conftest import Cloud

ODD_KEYS = (
    "a b.csv", "a+b.csv", "a%20b.csv", "é/ü 日本.csv", "emoji 😀.nc", "!*'();:@,$[]#?=&.txt", "a//b.csv", "folder/",
    '<&>".xml', "back\\slash", "tilde~_-.csv", "UPPER lower", "{}|^`", "tab\tnew\nline",
)  # fmt: skip
MIB = 1024 * 1024


@pytest.fixture
def notified(cloud: Cloud, bucket: str, make_queue: Callable[..., str]) -> Callable[..., str]:
    """`notified(events, **filters)`: let the bucket notify a new queue; return its URL, after the test event."""

    def notify(*events: str, **filters: str) -> str:
        url = make_queue()
        arn = queues.allow(cloud, url, "s3.amazonaws.com", f"arn:aws:s3:::{bucket}")
        configuration: dict[str, Any] = {"QueueArn": arn, "Events": events or ("s3:ObjectCreated:*",)}
        if filters:
            rules = [{"Name": name, "Value": value} for name, value in filters.items()]
            configuration["Filter"] = {"Key": {"FilterRules": rules}}
        cloud.client("s3").put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [configuration]}
        )
        (message,) = queues.receive(cloud, url)
        assert json.loads(message["Body"])["Event"] == "s3:TestEvent"
        cloud.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return url

    return notify


def test_every_key_can_be_read_back(cloud: Cloud, bucket: str, notified: Callable[..., str]):
    url = notified()
    for key in ODD_KEYS:
        cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=key.encode())
    found = queues.records(cloud, url, len(ODD_KEYS), 20)
    assert sorted(unquote_plus(record["s3"]["object"]["key"]) for record in found) == sorted(ODD_KEYS)
    parsed = [s3_events.parse(json.dumps({"Records": [record]})) for record in found]
    keys = [item.key for one in parsed for item in (*one.objects, *one.skips)]
    assert sorted(key or "" for key in keys) == sorted(ODD_KEYS)


@pytest.mark.parametrize("key", ["a b.csv", "a+b/c.csv", "é=&%.csv"])
def test_a_key_is_encoded_as_in_a_form(
    cloud: Cloud, bucket: str, notified: Callable[..., str], differs: Callable[[str, str], None], key: str
):
    if " " in key:
        differs("localstack", "Spaces in keys")
    url = notified()
    cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    (record,) = queues.records(cloud, url)
    assert record["s3"]["object"]["key"] == quote_plus(key, safe="/")


def test_a_record_describes_the_object(cloud: Cloud, bucket: str, notified: Callable[..., str]):
    url = notified()
    tag = cloud.client("s3").put_object(Bucket=bucket, Key="k", Body=b"12345")["ETag"].strip('"')
    (record,) = queues.records(cloud, url)
    assert record["eventSource"] == "aws:s3"
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["awsRegion"] == cloud.region
    assert record["s3"]["bucket"]["name"] == bucket
    found = record["s3"]["object"]
    assert (found["size"], found["eTag"]) == (5, tag) == (5, hashlib.md5(b"12345").hexdigest())
    assert re.fullmatch(r"2\.\d+", record["eventVersion"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["eventTime"])


def test_sequencers_of_one_key_increase(
    cloud: Cloud, bucket: str, notified: Callable[..., str], differs: Callable[[str, str], None]
):
    differs("localstack", "Sequencer")
    url, sequencers = notified(), []
    for content in (b"1", b"2", b"3"):
        cloud.client("s3").put_object(Bucket=bucket, Key="k", Body=content)
        (record,) = queues.records(cloud, url)
        sequencers.append(int(record["s3"]["object"]["sequencer"], 16))
    assert sequencers == sorted(set(sequencers))


def test_a_multipart_upload_is_one_event(cloud: Cloud, bucket: str, notified: Callable[..., str]):
    url, s3 = notified(), cloud.client("s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="large")["UploadId"]
    where = {"Bucket": bucket, "Key": "large", "UploadId": upload}
    contents = [b"a" * 5 * MIB, b"b"]
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**where, PartNumber=number, Body=content)["ETag"]}
        for number, content in enumerate(contents, start=1)
    ]
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    (record,) = queues.records(cloud, url)
    sums = b"".join(hashlib.md5(content).digest() for content in contents)
    assert record["eventName"] == "ObjectCreated:CompleteMultipartUpload"
    assert record["s3"]["object"]["eTag"] == f"{hashlib.md5(sums).hexdigest()}-2"
    assert record["s3"]["object"]["size"] == 5 * MIB + 1
    assert queues.is_empty(cloud, url)


def test_a_copy_is_an_event(cloud: Cloud, bucket: str, notified: Callable[..., str]):
    cloud.client("s3").put_object(Bucket=bucket, Key="one of many", Body=b"x")
    url = notified()
    cloud.client("s3").copy_object(Bucket=bucket, Key="other", CopySource={"Bucket": bucket, "Key": "one of many"})
    (record,) = queues.records(cloud, url)
    assert (record["eventName"], record["s3"]["object"]["key"]) == ("ObjectCreated:Copy", "other")


def test_filters_select_by_prefix_and_suffix(cloud: Cloud, bucket: str, notified: Callable[..., str]):
    url = notified(prefix="in/", suffix=".csv")
    for key in ("in/1.txt", "out/2.csv", "in/3.csv", "in/deep/4.csv", "IN/5.csv", "in/6.csv.gz"):
        cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    found = queues.records(cloud, url, 2)
    assert queues.is_empty(cloud, url)
    assert [record["s3"]["object"]["key"] for record in found] == ["in/3.csv", "in/deep/4.csv"]


def test_an_event_of_a_versioned_bucket_names_the_version(cloud: Cloud, bucket: str, notified: Callable[..., str]):
    s3 = cloud.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    url = notified("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    (record,) = queues.records(cloud, url)
    assert record["s3"]["object"]["versionId"] == version
    s3.delete_object(Bucket=bucket, Key="k")
    (record,) = queues.records(cloud, url)
    assert record["eventName"] == "ObjectRemoved:DeleteMarkerCreated"


def test_a_queue_that_does_not_allow_it_cannot_be_notified(
    cloud: Cloud, bucket: str, make_queue: Callable[..., str], differs: Callable[[str, str], None]
):
    differs("localstack", "Policies")
    arn = queues.arn_of(cloud, make_queue())
    configuration = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    with pytest.raises(cloud.client("s3").exceptions.ClientError) as caught:
        cloud.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    assert "Unable to validate the following destination configurations" in str(caught.value)
