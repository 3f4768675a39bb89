"""The handler as AWS calls it: events sent to the Lambda emulator, with S3 and without a queue."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from runner.aws import clients, emulator_api
from runner.services import provisioner
from runner.services.event_source_mapping.rie_client import Answer, Emulator
from runner.stack import lambda_process, ports
from runner.stack.emulators.localstack import LocalStack
from runner.stack.supervisor import Supervisor
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import eventually
from tests.support.stacks import ROOT, SAMPLES

EVENTS = ROOT / "tests" / "events"
TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))
# Every form in which AWS can deliver the event of a new object.
FORMS = [
    "s3-put", "s3-multipart", "eventbridge-created", "sns-s3", "sqs-s3", "sqs-eventbridge-created", "sqs-sns-s3",
    "sqs-sns-raw-s3", "a2e_buoy_ingest/humboldt/s3-event", "a2e_buoy_ingest/morro/s3-event",
]  # fmt: skip


class Lambda:
    """A Lambda emulator with the handler, and its buckets."""

    def __init__(self, emulator: Emulator, described: StackTemplate, endpoint_url: str) -> None:
        self._emulator, self._described = emulator, described
        self.s3 = clients.local_s3(endpoint_url)

    def put(self, key: str, content: bytes) -> dict[str, object]:
        """Store an object and return its record in an S3 event."""
        etag = self.s3.put_object(Bucket=self._described.source_bucket, Key=key, Body=content)["ETag"].strip('"')
        entity = {"bucket": {"name": self._described.source_bucket}, "object": {"key": key, "size": 1, "eTag": etag}}
        return {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": entity}

    def invoke(self, event: object) -> Answer:
        """Send an event and return the answer."""
        return self._emulator.invoke(event, self._described.function_timeout_s)


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory, described: StackTemplate) -> Iterator[Lambda]:
    """A Lambda with both buoy samples in its source bucket."""
    state = tmp_path_factory.mktemp("lambda")
    (state / "logs").mkdir()
    endpoint_url, port = f"http://127.0.0.1:{ports.free_port()}", ports.free_port()
    supervisor = Supervisor(print)
    supervisor.start(LocalStack().child(state, endpoint_url, state / "logs" / "localstack.log"))
    supervisor.start(lambda_process.child(1, f"127.0.0.1:{port}", ROOT, state, described, endpoint_url))
    try:
        eventually(lambda: emulator_api.is_healthy(endpoint_url), "LocalStack")
        made = Lambda(Emulator(f"http://127.0.0.1:{port}"), described, endpoint_url)
        provisioner.provision(made.s3, clients.local_sqs(endpoint_url), described)
        for sample in (SAMPLES / "a2e_buoy_ingest").glob("*/*.zip"):
            made.put(sample.relative_to(SAMPLES).as_posix(), sample.read_bytes())
        yield made
    finally:
        supervisor.stop(kill=["LocalStack"])


def in_queue(*bodies: object) -> dict[str, object]:
    """Return an SQS event with these message bodies."""
    return {
        "Records": [
            {
                "messageId": f"m{number}", "receiptHandle": "h", "body": json.dumps(body), "messageAttributes": {},
                "attributes": {"ApproximateReceiveCount": "1"}, "md5OfBody": "", "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-west-2:000000000000:q", "awsRegion": "us-west-2",
            }
            for number, body in enumerate(bodies)
        ]
    }  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_event_leads_to_the_same_run(function: Lambda, form: str):
    answer = function.invoke(json.loads((EVENTS / f"{form}.json").read_text()))
    assert answer.kind == "answered", answer
    assert answer.payload is not None
    (run,) = answer.payload["runs"]
    assert run["status"] == "succeeded", run["error"]
    assert run["location"] == ("morro" if "morro" in form else "humboldt")
    assert len(run["outputs"]) == 4
    assert ("batchItemFailures" in answer.payload) == form.startswith("sqs-")


def test_a_direct_event_that_fails_raises_so_that_aws_retries(function: Lambda):
    answer = function.invoke({"Records": [function.put("buoy.z05.00.20201202.000000.zip", b"torn")]})
    assert answer.kind == "raised"
    assert answer.error.startswith("PipelineFailedError: buoy.z05.00.20201202.000000.zip: ArchiveError: ")


def test_only_the_failed_messages_of_a_batch_are_reported(function: Lambda):
    good, bad = function.put(f"x/{TIDE.name}", TIDE.read_bytes()), function.put("x/buoy.z06.zip", b"torn")
    answer = function.invoke(
        in_queue({"Records": [good]}, {"Records": [bad]}, {"Event": "s3:TestEvent", "Bucket": "b"}, {"what": "is this"})
    )
    assert answer.payload is not None
    failed = [item["itemIdentifier"] for item in answer.payload["batchItemFailures"]]
    assert failed == ["m1", "m3"]
    assert {run["message_id"]: run["status"] for run in answer.payload["runs"]} == {
        "m0": "succeeded", "m1": "failed", "m2": "skipped", "m3": "failed",
    }  # fmt: skip
    assert "EventError" in answer.payload["runs"][3]["error"]["type"]


def test_objects_of_one_event_for_one_pipeline_share_a_run(function: Lambda):
    next_day = TIDE.name.replace("20200112", "20200212")
    records = [function.put(f"together/{name}", TIDE.read_bytes()) for name in (TIDE.name, next_day)]
    records.append(function.put("together/unknown.bin", b"?"))
    answer = function.invoke({"Records": records})
    assert answer.payload is not None
    skipped, together = answer.payload["runs"]
    assert skipped["reason"].startswith("No pipeline matches 'together/unknown.bin'.")
    assert together["status"] == "succeeded", together["error"]
    assert [item["key"] for item in together["inputs"]] == [f"together/{TIDE.name}", f"together/{next_day}"]
    assert sum(output["key"].endswith(".nc") for output in together["outputs"]) == 1


def test_a_deleted_object_fails_with_its_reason(function: Lambda, described: StackTemplate):
    record = function.put(f"gone/{TIDE.name}", TIDE.read_bytes())
    function.s3.delete_object(Bucket=described.source_bucket, Key=f"gone/{TIDE.name}")
    answer = function.invoke(in_queue({"Records": [record]}))
    assert answer.payload is not None
    (run,) = answer.payload["runs"]
    assert (run["error"]["type"], run["error"]["phase"]) == ("GoneError", "download")


def test_a_missing_destination_bucket_is_an_error_and_is_not_created(function: Lambda, described: StackTemplate):
    bucket = described.destination_bucket
    for item in function.s3.list_object_versions(Bucket=bucket).get("Versions", []):
        function.s3.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])
    function.s3.delete_bucket(Bucket=bucket)
    try:
        answer = function.invoke(in_queue({"Records": [function.put(f"no/{TIDE.name}", TIDE.read_bytes())]}))
        assert answer.payload is not None
        (run,) = answer.payload["runs"]
        assert run["status"] == "failed"
        assert run["error"]["type"] == "NoSuchBucket"
        assert run["outputs"] == []
        assert bucket not in [made["Name"] for made in function.s3.list_buckets()["Buckets"]]
    finally:
        function.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": clients.REGION})


def test_an_unknown_event_raises_with_the_known_forms(function: Lambda):
    answer = function.invoke({"hello": "world"})
    assert answer.kind == "raised"
    assert 'EventError: Unknown form of event: {"hello": "world"}' in answer.error
    assert "EventBridge" in answer.error
