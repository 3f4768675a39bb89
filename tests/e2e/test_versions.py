"""Events that are late, doubled or out of order, and objects that change while a run is at work: the newest wins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from runner.aws import clients, emulator_api
from runner.services import provisioner
from runner.services.event_source_mapping.rie_client import Emulator
from runner.stack import lambda_process, ports
from runner.stack.emulators.localstack import LocalStack
from runner.stack.supervisor import Supervisor
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import eventually
from tests.support import noop
from tests.support.stacks import SHIPPED

# Stores what it reads, and does what else the file's name says; "replaced" is the newer version.
PIPELINE = """
import boto3, os
from pathlib import Path
from tsdat import IngestPipeline

class NoOp(IngestPipeline):
    def run(self, inputs, **kwargs):
        source = Path(inputs[0])
        old = source.read_bytes() != b"replaced"
        def replace():
            if old: boto3.client("s3").put_object(Bucket="SOURCE", Key=source.name, Body=b"replaced")
        def store(name):
            self.storage._bucket.upload_file(Filename=str(source), Key=f"{source.name}/{name}")
        if "first" in source.name: replace()
        if "swallow" in source.name:
            replace()
            try: store("a")
            except Exception: pass
            return
        store("a")
        if "between" in source.name: replace()
        if "deleted" in source.name:
            boto3.client("s3").delete_object(Bucket="SOURCE", Key=source.name)
        store("b")
""".replace("SOURCE", SHIPPED.source_bucket)


class Bench:
    """A Lambda, its buckets, and events made by hand."""

    def __init__(self, emulator: Emulator, described: StackTemplate, endpoint_url: str) -> None:
        self.emulator, self.described, self.s3 = emulator, described, clients.local_s3(endpoint_url)

    def put(self, key: str, content: bytes) -> dict[str, Any]:
        """Store an object; gives its record in an S3 event."""
        made = self.s3.put_object(Bucket=self.described.source_bucket, Key=key, Body=content)
        about = {"key": key, "size": len(content), "eTag": made["ETag"].strip('"')}
        if "VersionId" in made:
            about["versionId"] = made["VersionId"]
        entity = {"bucket": {"name": self.described.source_bucket}, "object": about}
        return {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": entity}

    def run(self, *records: dict[str, Any]) -> dict[str, Any]:
        """Deliver an event through SQS's envelope; gives the record of its only run."""
        message = {"messageId": "m", "receiptHandle": "h", "body": noop.body(*records), "eventSource": "aws:sqs",
                   "attributes": {}, "messageAttributes": {}, "md5OfBody": "", "awsRegion": clients.REGION,
                   "eventSourceARN": "arn:aws:sqs:us-west-2:000000000000:q"}  # fmt: skip
        answer = self.emulator.invoke({"Records": [message]}, 60)
        assert answer.payload is not None, answer
        (run,) = answer.payload["runs"]
        assert bool(answer.payload["batchItemFailures"]) == (run["status"] == "failed")
        return run

    def outputs(self, key: str) -> dict[str, bytes]:
        """What is stored for a key."""
        bucket = self.described.destination_bucket
        found = self.s3.list_objects_v2(Bucket=bucket, Prefix=f"{key}/").get("Contents", [])
        return {item["Key"]: self.s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in found}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, described: StackTemplate) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("versions")
    project, state = noop.project(folder / "project", PIPELINE), folder / "state"
    (state / "logs").mkdir(parents=True)
    endpoint_url, port = f"http://127.0.0.1:{ports.free_port()}", ports.free_port()
    supervisor = Supervisor(print)
    supervisor.start(LocalStack().child(state, endpoint_url, state / "logs" / "localstack.log"))
    supervisor.start(
        lambda_process.child(
            1, f"127.0.0.1:{port}", project, state, replace(described, function_timeout_s=60), endpoint_url
        )
    )
    try:
        eventually(lambda: emulator_api.is_healthy(endpoint_url), "LocalStack")
        made = Bench(Emulator(f"http://127.0.0.1:{port}"), described, endpoint_url)
        provisioner.provision(made.s3, clients.local_sqs(endpoint_url), described)
        yield made
    finally:
        supervisor.stop(kill=["LocalStack"])


def etag(record: dict[str, Any]) -> str:
    """The ETag that an event names."""
    return str(record["s3"]["object"]["eTag"])


def test_a_late_event_takes_the_version_that_is_there(bench: Bench):
    old, new = bench.put("noop.late.txt", b"old"), bench.put("noop.late.txt", b"new")
    for event in (new, old, new, old):  # out of order, and twice
        run = bench.run(event)
        assert run["status"] == "succeeded", run["error"]
        assert run["inputs"][0]["etag"] == etag(new)
        assert run["inputs"][0].get("named_etag") == (etag(old) if event is old else None)
        assert run["inputs"][0]["modified"]
        assert set(bench.outputs("noop.late.txt").values()) == {b"new"}


def test_nothing_is_stored_of_a_version_that_was_replaced_while_it_ran(bench: Bench):
    run = bench.run(bench.put("noop.first.txt", b"old"))
    assert run["status"] == "skipped"
    assert run["reason"] == "Replaced by a newer version while it ran; that version has an event of its own."
    assert (run["outputs"], bench.outputs("noop.first.txt")) == ([], {})


def test_a_run_of_several_files_is_repeated_if_one_is_replaced(bench: Bench):
    events = bench.put("noop.first.of-two.txt", b"old"), bench.put("noop.second.txt", b"other")
    first = bench.run(*events)
    assert (first["status"], first["outputs"], bench.outputs("noop.first.of-two.txt")) == ("failed", [], {})
    assert first["error"]["message"] == (
        "noop.first.of-two.txt was replaced by a newer version during a run of several files. "
        "The next attempt takes the newer version."
    )
    second = bench.run(*events)  # the queue gives the same message again
    assert second["status"] == "succeeded", second["error"]
    assert [item["key"] for item in second["inputs"]] == ["noop.first.of-two.txt", "noop.second.txt"]
    assert set(bench.outputs("noop.first.of-two.txt").values()) == {b"replaced"}


def test_a_pipeline_cannot_swallow_that(bench: Bench):
    run = bench.run(bench.put("noop.swallow.txt", b"old"))
    assert (run["status"], run["outputs"]) == ("skipped", [])


def test_a_version_replaced_while_its_outputs_were_stored_is_followed_by_the_newer(bench: Bench):
    event = bench.put("noop.between.txt", b"old")
    first = bench.run(event)
    assert first["status"] == "failed"
    assert first["error"]["message"] == (
        "Replaced by a newer version while its outputs were stored. The next attempt takes the newer version."
    )
    assert set(bench.outputs("noop.between.txt").values()) == {b"old"}
    assert bench.run(event)["status"] == "succeeded"  # the queue gives the same message again
    assert set(bench.outputs("noop.between.txt").values()) == {b"replaced"}


def test_what_is_deleted_while_it_runs_has_no_newer_version_to_protect(bench: Bench):
    assert bench.run(bench.put("noop.deleted.txt", b"x"))["status"] == "succeeded"


def test_a_deleted_object_fails_with_a_clear_reason(bench: Bench):
    event = bench.put("noop.gone.txt", b"x")
    bench.s3.delete_object(Bucket=bench.described.source_bucket, Key="noop.gone.txt")
    run = bench.run(event)
    assert (run["status"], run["error"]["type"], run["error"]["phase"]) == ("failed", "GoneError", "download")
    assert run["error"]["message"] == (
        f"s3://{bench.described.source_bucket}/noop.gone.txt does not exist: it was deleted after its event was sent. "
        "Upload it again, or ignore this failure."
    )
    assert run["inputs"][0]["etag"] == etag(event)


def test_a_bucket_that_keeps_versions_works_the_same(bench: Bench):
    bucket = bench.described.source_bucket
    bench.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old, new = bench.put("noop.versions.txt", b"old"), bench.put("noop.versions.txt", b"new")
    version_id = new["s3"]["object"]["versionId"]
    assert version_id != old["s3"]["object"]["versionId"]
    run = bench.run(old)
    assert (run["inputs"][0]["version_id"], run["inputs"][0]["etag"]) == (version_id, etag(new))
    # The newest version is taken back: the event that is still under way brings the outputs to what is there now.
    bench.s3.delete_object(Bucket=bucket, Key="noop.versions.txt", VersionId=version_id)
    assert bench.run(new)["inputs"][0]["etag"] == etag(old)
    assert set(bench.outputs("noop.versions.txt").values()) == {b"old"}
