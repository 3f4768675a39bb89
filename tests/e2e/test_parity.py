"""The local stacks create what the expanded template describes, and follow its edits.

With Docker also: who owns the outputs, and that a stop is quick and leaves nothing.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from runner.aws import clients
from runner.aws.s3 import EPOCH_TAG
from runner.errors import StackError
from runner.state.runs import Run
from runner.template.intrinsics import Template
from runner.testing.docker_stack import DockerStack
from runner.testing.stacks import Stack, eventually
from tests.support import digests
from tests.support.containers import all_containers, containers, docker, owners, processes
from tests.support.expansion import REGION, TEMPLATE, expanded
from tests.support.stacks import ROOT, TIDE, Supervised, UpWithDocker, running, running_in_docker

KEY = f"tide_gauge/mcrl/{TIDE.name}"
EMPTY = "    Type: String\n    Default: "
EDITS = {
    "VisibilityTimeout: 720": "VisibilityTimeout: 630",
    "maxReceiveCount: 5": "maxReceiveCount: 2",
    "Timeout: 120": "Timeout: 105",
    "Default: 1769": "Default: 1024",
    "EphemeralStorage: {Size: 1024}": "EphemeralStorage: {Size: 512}",
    f'SourceBucketName:\n{EMPTY}""': f"SourceBucketName:\n{EMPTY}buoys-raw",
    f'DestinationBucketName:\n{EMPTY}""': f"DestinationBucketName:\n{EMPTY}buoys-standardized",
    "      VersioningConfiguration:": "      Tags: [{Key: project, Value: buoys}]\n      VersioningConfiguration:",
    "ScalingConfig: {MaximumConcurrency: !Ref MaximumConcurrency}": "ScalingConfig: {MaximumConcurrency: 2}",
    f'SourcePrefix:\n{EMPTY}""': f"SourcePrefix:\n{EMPTY}tide_gauge/",
}
NO_FILTER: dict[str, Any] = {"S3Key": {"Rules": []}}
ONLY_ON_AWS = {"Role", "LoggingConfig"}
# Properties that have other names in S3 than in CloudFormation.
S3_NAMES = {"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault", "Id": "ID"}


class Expected:
    """The resources of an expanded template, as plain values."""

    def __init__(self, path: Path, folder: Path) -> None:
        template = folder / "expanded.json"
        template.write_text(json.dumps(expanded({}, path)))
        self._template = Template(template, {}, REGION)

    def properties(self, name: str) -> dict[str, Any]:
        """Return a resource's properties, except those whose values exist only on AWS."""
        properties = self._template.resources[name]["Properties"]
        return {key: self._template.value(value, name) for key, value in properties.items() if key not in ONLY_ON_AWS}

    def policy(self, name: str) -> dict[str, Any]:
        return dict(self.properties(name)["PolicyDocument"])

    @property
    def bucket_names(self) -> list[str]:
        return [self.properties(name)["BucketName"] for name in ("SourceBucket", "DestinationBucket")]

    @property
    def queue_names(self) -> list[str]:
        return [self.properties(name)["QueueName"] for name in ("IngestQueue", "DeadLetterQueue")]


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    return Expected(TEMPLATE, tmp_path_factory.mktemp("expected"))


def require_queues(endpoint_url: str, expected: Expected) -> None:
    """Check that each attribute of the queues is the template's, or SQS's default."""
    sqs = clients.local_sqs(endpoint_url)
    for name, policy in (("IngestQueue", "QueuePolicy"), ("DeadLetterQueue", "DeadLetterQueuePolicy")):
        properties = expected.properties(name)
        url = sqs.get_queue_url(QueueName=properties.pop("QueueName"))["QueueUrl"]
        made: dict[str, str] = dict(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])
        assert json.loads(made.pop("Policy")) == expected.policy(policy)
        assert json.loads(made.pop("RedrivePolicy", "null")) == properties.pop("RedrivePolicy", None)
        defaults = {"VisibilityTimeout": 30, "DelaySeconds": 0, "ReceiveMessageWaitTimeSeconds": 0}
        wanted = {key: str(value).lower() for key, value in (defaults | properties).items()}
        assert {key: made[key] for key in wanted} == wanted
        reported = {key for key in made if not key.startswith(("Approximate", "Created", "LastModified"))}
        assert reported - wanted.keys() == {"QueueArn", "MaximumMessageSize"}


def in_s3_names(node: Any) -> Any:
    if isinstance(node, dict):
        return {S3_NAMES.get(key, key): in_s3_names(value) for key, value in node.items()}
    return [in_s3_names(item) for item in node] if isinstance(node, list) else node


def require_buckets(endpoint_url: str, expected: Expected) -> None:
    """Check every property of both buckets."""
    s3: Any = clients.local_s3(endpoint_url)
    for name in ("SourceBucket", "DestinationBucket"):
        properties = expected.properties(name)
        bucket = properties.pop("BucketName")
        notifications = properties.pop("NotificationConfiguration", {}).get("QueueConfigurations", [])
        made = s3.get_bucket_notification_configuration(Bucket=bucket).get("QueueConfigurations", [])
        assert [notification(one) for one in made] == [
            {
                "QueueArn": one["Queue"],
                "Events": [one["Event"]],
                "Rules": one.get("Filter", NO_FILTER)["S3Key"]["Rules"],
            }
            for one in notifications
        ]
        tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"] if name == "SourceBucket" or "Tags" in properties else []
        assert [tag for tag in tags if tag["Key"] != EPOCH_TAG] == properties.pop("Tags", [])
        versioning = properties.pop("VersioningConfiguration", {"Status": None})["Status"]
        assert s3.get_bucket_versioning(Bucket=bucket).get("Status") == versioning
        encryption = in_s3_names(properties.pop("BucketEncryption"))["ServerSideEncryptionConfiguration"]
        rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        assert [{key: value for key, value in rule.items() if key in encryption[0]} for rule in rules] == encryption
        private = properties.pop("PublicAccessBlockConfiguration")
        assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == private
        ownership = properties.pop("OwnershipControls")
        assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == ownership
        lifecycle = in_s3_names(properties.pop("LifecycleConfiguration"))["Rules"]
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        assert [{key: value for key, value in rule.items() if key != "Filter"} for rule in rules] == lifecycle
        assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == expected.policy(f"{name}Policy")
        assert not properties, "not checked"


def notification(made: dict[str, Any]) -> dict[str, Any]:
    rules = made.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    return {
        "QueueArn": made["QueueArn"], "Events": made["Events"],
        "Rules": [{"Name": rule["Name"].lower(), "Value": rule["Value"]} for rule in rules],
    }  # fmt: skip


def lambda_settings(expected: Expected) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the function's properties and the variables that they lead to."""
    properties = expected.properties("PipelineFunction")
    return properties, {
        **properties["Environment"]["Variables"],
        "AWS_LAMBDA_FUNCTION_NAME": properties["FunctionName"],
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(properties["Timeout"]),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(properties["MemorySize"]),
    }


def require_processes(stack: Supervised, expected: Expected) -> None:
    """Check the environment of an embedded Lambda, which has no other limit than the timeout."""
    _, wanted = lambda_settings(expected)
    given = environment_of(stack.children()["aws-lambda-rie"])
    tmp = given["TMPDIR"]
    assert Path(tmp).resolve().parent == stack.data / "state"
    shown = {name: value.replace(tmp, "/tmp") if value.startswith(tmp) else value for name, value in given.items()}
    assert {name: shown.get(name) for name in wanted} == wanted


def require_containers(project: str, expected: Expected, container_mb: int | None = None) -> None:
    """Check limits and environment of all Lambda containers of a compose project.

    Args:
        container_mb: the containers' limit if it is not the template's MemorySize.
    """
    ids = containers(project, "lambda")
    assert ids
    properties, wanted = lambda_settings(expected)
    for container in json.loads(docker("inspect", *ids)):
        limits = container["HostConfig"]
        assert limits["Memory"] == limits["MemorySwap"] == (container_mb or properties["MemorySize"]) * 1024 * 1024
        assert limits["Tmpfs"]["/tmp"] == f"size={properties['EphemeralStorage']['Size']}m,mode=1777"
        assert limits["ReadonlyRootfs"]
        (emulator,) = [pid for pid, command in processes(container["Id"]).items() if "aws-lambda-rie" in command]
        given = environment_of(emulator)
        assert {name: given.get(name) for name in wanted} == wanted


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment of a process."""
    content = Path(f"/proc/{pid}/environ").read_text()
    return dict(line.split("=", 1) for line in content.split("\0") if line)


def test_queues_are_as_in_the_template(stack: Stack, expected: Expected):
    require_queues(stack.endpoint_url, expected)


def test_buckets_are_as_in_the_template(stack: Stack, expected: Expected):
    require_buckets(stack.endpoint_url, expected)


def test_embedded_lambdas_have_the_templates_environment(embedded_stack: Supervised, expected: Expected):
    require_processes(embedded_stack, expected)


def test_lambda_containers_have_the_templates_limits_and_environment(docker_stack: DockerStack, expected: Expected):
    require_containers(docker_stack.project, expected)


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Expected]:
    """Make a project with an edited template.yaml and a pipeline that can be held; return its resources too."""
    project = digests.project(tmp_path_factory.mktemp("edited") / "project")
    for name in ("pipelines", "shared", "utils"):
        shutil.copytree(ROOT / name, project / name, dirs_exist_ok=True)
    text = TEMPLATE.read_text(encoding="utf-8")
    for old, new in EDITS.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (project / "template.yaml").write_text(text)
    for folder in (project, *project.parents[:2]):  # the Lambda runs as another user
        folder.chmod(0o755)
    return project, Expected(project / "template.yaml", project)


def require_edited(stack: Stack, expected: Expected) -> Run:
    """Check that the stack has the edits and none of the old names, and that a file succeeds."""
    function = expected.properties("PipelineFunction")
    assert (function["Timeout"], function["MemorySize"]) == (105, 1024)
    assert expected.properties("DestinationBucket")["Tags"] == [{"Key": "project", "Value": "buoys"}]
    assert expected.bucket_names == ["buoys-raw", "buoys-standardized"]
    require_queues(stack.endpoint_url, expected)
    require_buckets(stack.endpoint_url, expected)
    made = clients.local_s3(stack.endpoint_url).list_buckets()["Buckets"]
    assert sorted(bucket["Name"] for bucket in made) == sorted(expected.bucket_names)
    urls = clients.local_sqs(stack.endpoint_url).list_queues()["QueueUrls"]
    assert sorted(url.rsplit("/", 1)[1] for url in urls) == sorted(expected.queue_names)
    stack.put(TIDE, KEY)
    run = stack.final(KEY)
    assert run.outcome == "succeeded", run.record["error"]
    assert {item["bucket"] for item in run.record["inputs"]} == {"buoys-raw"}
    assert {item["bucket"] for item in run.record["outputs"]} == {"buoys-standardized"}
    return run


def test_an_edit_of_the_template_alone_changes_the_embedded_stack(edited: tuple[Path, Expected], tmp_path: Path):
    project, expected = edited
    with running(tmp_path, "--concurrency", "3", RUNNER_ROOT=str(project)) as stack:
        require_edited(stack, expected)
        require_processes(stack, expected)
        require_two_at_once(stack, project)


def require_two_at_once(stack: Supervised, project: Path) -> None:
    """Check that an invoke has one message, and that MaximumConcurrency limits the Lambdas that work."""
    keys = [f"tide_gauge/noop.hold{number}.txt" for number in range(4)]

    def started() -> set[str]:
        texts = [path.read_text() for path in (stack.data / "state" / "logs").glob("lambda-*.log")]
        return {key for key in keys if any(f"holding {Path(key).name}" in text for text in texts)}

    assert "2 of 3 Lambdas work: the concurrency in template.yaml" in stack.text
    for key in keys:
        stack.put(key.encode(), key)
    first = eventually(lambda: len(started()) >= 2 and started(), "two runs at once")
    done = f"{keys[0]}.done"
    stack.put(b"", done)  # reaches the queue after them
    eventually(lambda: f"↑ {done}" in stack.text, "upload after the others")
    assert started() == first
    for key in keys:
        digests.open_gate(project, key)
    runs = [stack.final(key) for key in keys]
    assert {run.outcome for run in runs} == {"succeeded"}
    assert len({run.record["request_id"] for run in runs}) == len(keys)


def test_up_with_docker_follows_the_template_and_leaves_nothing(edited: tuple[Path, Expected], tmp_path: Path):
    project, expected = edited
    stack = UpWithDocker(tmp_path, RUNNER_ROOT=str(project))
    try:
        assert "with Docker, as requested" in stack.text
        require_edited(stack, expected)
        require_containers(stack.project, expected)
        eventually(lambda: f"✔ {KEY} → tide_gauge/mcrl: 1 nc, 1 png" in stack.text, "line about the run")
        assert stack.endpoint_url.startswith("http://127.0.0.1:")
    finally:
        took = stack.stop()
    assert stack.process.returncode == 0
    assert took < 10  # when Docker kills what does not stop
    assert "Traceback" not in stack.text
    assert "canceled" not in stack.text  # Docker's word for a normal stop
    assert not all_containers(stack.project)


def test_plain_compose_follows_the_template_keeps_the_owner_and_stops_quickly(
    edited: tuple[Path, Expected], tmp_path: Path
):
    project, expected = edited
    owner = 1234 if os.geteuid() == 0 else os.geteuid()
    for folder in (tmp_path / "data", tmp_path / "data" / "inbox"):
        folder.mkdir()
        os.chown(folder, owner, owner if owner == 1234 else -1)
    for parent in [tmp_path, *tmp_path.parents][:3]:
        parent.chmod(0o755)
    plain = {"RUNNER_ROOT": str(project), "LAMBDA_MEMORY_MB": ""}
    with running_in_docker(tmp_path / "data", **plain) as stack:
        run = require_edited(stack, expected)
        require_containers(stack.project, expected, container_mb=10_240)
        made = [*stack.mirrored(run), stack.data / "state" / "state.sqlite"]
        assert {path.stat().st_uid for path in made} == {owner}
        for name in ("provision", "poller", "watcher"):
            assert owners(stack.project, name) == {str(owner)}
        assert stack.stop() < 10
    assert not all_containers(stack.project)


def test_plain_compose_refuses_another_size_of_tmp(edited: tuple[Path, Expected], tmp_path: Path):
    # The size of /tmp is fixed when the container is created.
    plain = {"RUNNER_ROOT": str(edited[0]), "LAMBDA_MEMORY_MB": "", "LAMBDA_TMP_MB": ""}
    with pytest.raises(StackError) as refused, running_in_docker(tmp_path, **plain):
        pass
    assert 'service "template" didn\'t complete successfully: exit 2' in str(refused.value)
    assert "or add this line to .env and start again:\n" in str(refused.value)
    assert "LAMBDA_TMP_MB=512" in str(refused.value)
