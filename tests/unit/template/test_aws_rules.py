"""What AWS would refuse, and what is honoured or named: each edit of the shipped template, and its text."""

from pathlib import Path

import pytest

from runner.errors import TemplateError
from runner.template.aws_rules import bucket_name_problem
from runner.template.stack_template import StackTemplate, load

TEXT = Path("template.yaml").read_text(encoding="utf-8")
FUNCTION = "Resources.PipelineFunction.Properties"
EVENT = f"{FUNCTION}.Events.NewFile.Properties"
QUEUE = "Resources.IngestQueue.Properties"
DEAD = "Resources.DeadLetterQueue.Properties"
SOURCE = "Resources.SourceBucket.Properties"

# Lines before which a property can be added.
IN_FUNCTION, IN_EVENT, IN_VARIABLES = "      Timeout: 120\n", "            BatchSize: 1\n", "          HOME: /tmp\n"
IN_QUEUE = "      VisibilityTimeout: 720\n"
IN_BUCKET = TEXT[TEXT.index("      BucketName: !If\n") : TEXT.index("      BucketEncryption")]


def changed(folder: Path, old: str, new: str) -> StackTemplate:
    assert old in TEXT
    path = folder / "template.yaml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    return load(path)


def added(folder: Path, line: str, prop: str) -> StackTemplate:
    indent = line[: len(line) - len(line.lstrip())]
    return changed(folder, line, f"{indent}{prop}\n{line}")


@pytest.mark.parametrize(
    ("line", "prop", "message"),
    [
        (IN_FUNCTION, "Handler: app.main",
         f"{FUNCTION}.Handler: is not allowed for PackageType Image, which AWS would reject. Remove it."),
        (IN_FUNCTION, "SnapStart: {ApplyOn: PublishedVersions}",
         f"{FUNCTION}.SnapStart: is not available for functions that are images. Remove it."),
        (IN_FUNCTION, "ImageConfig: {Command: [app.main]}",
         f"{FUNCTION}.ImageConfig.Command: ['app.main'] must be [runner.function.handler.handler]: another handler "
         "would not be the one tested here."),
        (IN_FUNCTION, "ReservedConcurrentExecutions: -1",
         f"{FUNCTION}.ReservedConcurrentExecutions: -1 must be an integer from 0 to 1000000."),
        (IN_EVENT, "FilterCriteria: {Filters: [{Pattern: '{'}]}",
         f"{EVENT}.FilterCriteria.Filters[0].Pattern: '{{' is not JSON: Expecting property name enclosed in double "
         "quotes: line 1 column 2 (char 1)."),
        (IN_EVENT, "FilterCriteria: {Filters: [{Pattern: '{\"eventName\": [\"x\"]}'}]}",
         f"{EVENT}.FilterCriteria.Filters[0].Pattern: '{{\"eventName\": [\"x\"]}}' must be an object with the one key "
         "body: SQS messages are filtered by nothing else."),
        (IN_EVENT, "FilterCriteria: {Filters: [{Pattern: '{\"body\": {\"a\": [{\"suffixx\": \"x\"}]}}'}]}",
         f"{EVENT}.FilterCriteria.Filters[0].Pattern: body.a: {{\"suffixx\": \"x\"}} is not a rule that Lambda knows."),
        (IN_EVENT, f"FilterCriteria: {{Filters: [{', '.join(['{Pattern: x}'] * 6)}]}}",
         f"{EVENT}.FilterCriteria.Filters: has 6 filters. Lambda accepts 5."),
        (IN_QUEUE, "FifoQueue: true",
         f"{QUEUE}.FifoQueue: S3 cannot send to a FIFO queue. Use a standard queue: remove FifoQueue, and .fifo from "
         "the name."),
        (IN_QUEUE, "KmsMasterKeyId: alias/aws/sqs",
         f"{QUEUE}.KmsMasterKeyId: S3 cannot use AWS's own key, alias/aws/sqs. Use SqsManagedSseEnabled: true, or a "
         "key of your own."),
        (IN_QUEUE, "MaximumMessageSize: 512",
         f"{QUEUE}.MaximumMessageSize: 512 must be an integer from 1024 to 1048576."),
        (IN_QUEUE, "DelaySeconds: 901", f"{QUEUE}.DelaySeconds: 901 must be an integer from 0 to 900."),
        (IN_VARIABLES, "AWS_REGION: us-east-1",
         f"{FUNCTION}.Environment.Variables.AWS_REGION: is a name that Lambda reserves for itself. Rename the "
         "variable."),
        (IN_VARIABLES, "MY-NAME: x",
         f"{FUNCTION}.Environment.Variables.MY-NAME: is not a valid name. Lambda requires a letter, followed by "
         "letters, digits and underscores."),
        (IN_VARIABLES, f"LONG: {'x' * 4000}",
         f"{FUNCTION}.Environment.Variables: the variables take 4245 bytes. Lambda accepts 4096. Move long values into "
         "a file."),
    ],
)  # fmt: skip
def test_aws_would_refuse_it(tmp_path: Path, line: str, prop: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        added(tmp_path, line, prop)
    assert str(caught.value) == f"template.yaml: {message}"


def test_a_zip_is_refused(tmp_path: Path) -> None:
    for line in ("", "PackageType: Zip"):
        with pytest.raises(TemplateError, match="PackageType: is Zip. Set Image: the local stack runs the image"):
            changed(tmp_path, "PackageType: Image", line or "Description: x")


def test_retention_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="MessageRetentionPeriod: 59 must be an integer from 60 to 1209600"):
        changed(tmp_path, "MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 59")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ab", "must be 3 to 63"), ("a" * 64, "must be 3 to 63"), ("My-Bucket", "must be 3 to 63"),
        ("a_b_c", "must be 3 to 63"), ("-abc", "must be 3 to 63"), ("a..b", "two dots"), ("xn--a", "begin with xn--"),
        ("sthree-a", "begin with sthree-"), ("amzn-s3-demo-a", "begin with amzn-s3-demo-"),
        ("a-s3alias", "end with -s3alias"), ("a--ol-s3", "end with --ol-s3"), ("a.mrap", "end with .mrap"),
        ("a--x-s3", "end with --x-s3"), ("a--table-s3", "end with --table-s3"),
        ("192.168.5.4", "form of an IP address"),
    ],
)  # fmt: skip
def test_a_bucket_name_that_s3_refuses(name: str, problem: str) -> None:
    assert problem in (bucket_name_problem(name) or "")


def test_a_rule_with_a_function_that_only_aws_evaluates_is_left_to_aws(tmp_path: Path) -> None:
    rule = "Rules:\n  Named:\n    Assertions: [{Assert: !Contains [[a], b]}]\n"
    assert changed(tmp_path, "Rules:\n", rule) == load(Path("template.yaml"))


def test_a_bucket_name_that_s3_accepts() -> None:
    assert [bucket_name_problem(name) for name in ("abc", "my.bucket-1", "a" * 63)] == [None] * 3


def test_an_invalid_bucket_name_in_the_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="bucket name 'my..inputs' must not have two dots in a row"):
        changed(tmp_path, IN_BUCKET, "      BucketName: my..inputs\n")


@pytest.mark.parametrize(
    ("line", "prop", "field", "value"),
    [
        (IN_FUNCTION, "ReservedConcurrentExecutions: 3", "maximum_concurrency", 3),
        (IN_FUNCTION, "ReservedConcurrentExecutions: 50", "maximum_concurrency", 10),
        (IN_FUNCTION, "ImageConfig: {Command: [runner.function.handler.handler]}", "maximum_concurrency", 10),
        (IN_EVENT, "Enabled: true", "mapping_enabled", True),
        (IN_EVENT, "FilterCriteria: {Filters: [{Pattern: '{\"body\": {\"a\": [1]}}'}]}", "filter_patterns",
         ({"body": {"a": [1]}},)),
    ],
)  # fmt: skip
def test_it_is_honoured_without_a_warning(tmp_path: Path, line: str, prop: str, field: str, value: object) -> None:
    template = added(tmp_path, line, prop)
    assert (getattr(template, field), template.notices) == (value, ())


def test_a_disabled_mapping_and_a_stopped_function_leave_files_in_the_queue(tmp_path: Path) -> None:
    assert added(tmp_path, IN_EVENT, "Enabled: false").notices == (
        "Enabled: false in template.yaml disables the event source mapping. Files wait in the queue.",
    )
    assert added(tmp_path, IN_FUNCTION, "ReservedConcurrentExecutions: 0").notices == (
        "ReservedConcurrentExecutions: 0 in template.yaml stops the function. Files wait in the queue.",
    )


@pytest.mark.parametrize(
    ("line", "prop", "warning"),
    [
        (IN_FUNCTION, "VpcConfig: {SubnetIds: [a]}",
         f"{FUNCTION}.VpcConfig: has no effect here: the local Lambda reaches any network. On AWS it reaches only the "
         "VPC, and S3 only if the VPC has an endpoint for it."),
        (IN_FUNCTION, "ImageConfig: {WorkingDirectory: /x}",
         f"{FUNCTION}.ImageConfig: has no effect here: only its Command is read here."),
        (IN_FUNCTION, "Tracing: Active", f"{FUNCTION}.Tracing: has no effect here: nothing is traced here."),
        (IN_FUNCTION, "Memory: 512", f"{FUNCTION}.Memory: has no effect here: the local stack does not know it."),
        (IN_EVENT, "Batch: 5", f"{EVENT}.Batch: has no effect here: the local stack does not know it."),
        (IN_EVENT, "ProvisionedPollerConfig: {MinimumPollers: 2}",
         f"{EVENT}.ProvisionedPollerConfig: has no effect here: one process polls the queue here."),
        (IN_QUEUE, "KmsMasterKeyId: my-key",
         f"{QUEUE}.KmsMasterKeyId: has no effect here: messages are not encrypted here. On AWS the key's policy must "
         "let S3 use it."),
        (IN_QUEUE, "VisibilityTimeoutS: 5",
         f"{QUEUE}.VisibilityTimeoutS: has no effect here: the local stack does not know it."),
        (IN_QUEUE, "MaximumMessageSize: 2048",
         f"{QUEUE}.MaximumMessageSize: 2048 bytes are too few for a notification about a long key, which would be "
         "lost."),
        (IN_BUCKET, "ReplicationConfiguration: {Role: x}",
         f"{SOURCE}.ReplicationConfiguration: has no effect here: nothing is replicated here."),
        (IN_BUCKET, "Versions: 3", f"{SOURCE}.Versions: has no effect here: the local stack does not know it."),
    ],
)  # fmt: skip
def test_it_is_named_in_a_warning(tmp_path: Path, line: str, prop: str, warning: str) -> None:
    assert added(tmp_path, line, prop).warnings == (f"template.yaml: {warning}",)


def test_a_second_event_and_another_notification_are_named(tmp_path: Path) -> None:
    template = changed(tmp_path, "        NewFile:\n", "        Daily: {Type: Schedule}\n        NewFile:\n")
    assert template.warnings == (
        f"template.yaml: {FUNCTION}.Events.Daily: of Type Schedule: only the event of the queue invokes the function "
        "here.",
    )
    notification = "      NotificationConfiguration:\n"
    template = changed(tmp_path, notification, f"{notification}        TopicConfigurations: []\n")
    assert template.warnings == (
        f"template.yaml: {SOURCE}.NotificationConfiguration.TopicConfigurations: has no effect here: nothing receives "
        "it.",
    )


def test_a_retention_with_which_files_are_lost_is_named(tmp_path: Path) -> None:
    template = changed(tmp_path, "MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 60")
    assert template.warnings == (
        f"template.yaml: {QUEUE}.MessageRetentionPeriod: 60 s is less than 5 attempts take, 3600 s. Files that fail "
        "are lost.",
    )
    dead = TEXT[TEXT.index("  DeadLetterQueue:") : TEXT.index("  # Lets the trigger send")]
    template = changed(tmp_path, dead, dead.replace("1209600", "3600"))
    assert template.warnings == (
        f"template.yaml: {DEAD}.MessageRetentionPeriod: 3600 s is less than the queue's 1209600 s. A failed file keeps "
        "its age, and is lost early.",
    )
