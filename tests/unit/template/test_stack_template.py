import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.errors import TemplateError
from runner.template.event_sources import EventSource
from runner.template.intrinsics import Template
from runner.template.schedules import Schedule
from runner.template.stack_template import StackTemplate, load

TEMPLATE = Path("template.yaml").resolve()
TEXT = TEMPLATE.read_text(encoding="utf-8")
PIPELINE_FUNCTION = TEXT[TEXT.index("  PipelineFunction:") : TEXT.index("  # A role of")]
FUNCTION = "Resources.PipelineFunction.Properties"
ENVIRONMENT = f"{FUNCTION}.Environment.Variables"
EVENT = f"{FUNCTION}.Events.NewFile.Properties"
ONE_SOURCE = (
    "exactly one AWS::S3::Bucket with one filter must send QueueConfigurations to this queue, or one "
    "AWS::Events::Rule or AWS::SNS::Subscription, but"
)

BUOY_WIND = Schedule(
    name="buoy-wind-hourly", expression="cron(30 2 * * ? *)", timezone="UTC", enabled=False, start=None, end=None,
    input='{"source": "tsdat.schedule", "schedule": "buoy-wind-hourly", "time": "<aws.scheduler.scheduled-time>", '
    '"config": "pipelines/buoy_wind_hourly/config/pipeline.yaml", "window": {"length_h": 24, "round_h": 24}}',
)  # fmt: skip


def write(folder: Path, text: str) -> Path:
    path = folder / "template.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def changed(folder: Path, old: str, new: str) -> Path:
    assert old in TEXT
    return write(folder, TEXT.replace(old, new))


def failure(path: Path, parameters: dict[str, str] | None = None) -> str:
    with pytest.raises(TemplateError) as caught:
        load(path, parameters)
    return str(caught.value)


NAME = "tsdat-pipeline-lambda-{}-000000000000-us-west-2"
INPUTS, OUTPUTS = NAME.format("inputs"), NAME.format("outputs")
NO_NAME = '  SourceBucketName:\n    Type: String\n    Default: ""\n'
BUCKET_NAME = TEXT[TEXT.index("      BucketName: !If\n") : TEXT.index("\n      BucketEncryption")]
NO_SOURCE = EventSource("", (), None, None)


def without_settings(described: StackTemplate) -> StackTemplate:
    """Return it without the settings that are only passed on to the emulator, and the role."""
    return replace(described, queue_attributes={}, bucket_settings={}, role=None, event_source=NO_SOURCE)


def test_shipped_template() -> None:
    assert without_settings(load(TEMPLATE)) == StackTemplate(
        source_bucket=INPUTS,
        destination_bucket=OUTPUTS,
        function_name="tsdat-pipeline-lambda",
        queue_name="tsdat-pipeline-lambda-queue",
        dead_letter_queue_name="tsdat-pipeline-lambda-dlq",
        visibility_timeout_s=720,
        max_receive_count=5,
        batch_size=1,
        maximum_batching_window_s=0,
        maximum_concurrency=10,
        mapping_enabled=True,
        filter_patterns=(),
        function_timeout_s=120,
        memory_mb=1769,
        ephemeral_storage_mb=1024,
        environment={
            "LOG_LEVEL": "INFO",
            "POWERTOOLS_SERVICE_NAME": "tsdat",
            "TSDAT_S3_BUCKET_NAME": OUTPUTS,
            "ARCHIVE_MAX_ENTRIES": "10000",
            "ARCHIVE_MAX_MB": "4096",
            "ARCHIVE_MAX_RATIO": "200",
            "MPLBACKEND": "Agg",
            "MPLCONFIGDIR": "/tmp/mpl",
            "XDG_CACHE_HOME": "/tmp/.cache",
            "HOME": "/tmp",
        },
        architecture="x86_64",
        notification_events=("s3:ObjectCreated:*",),
        event_source=NO_SOURCE,
        filter_prefix=None,
        filter_suffix=None,
        role=None,
        schedules=(BUOY_WIND,),
        queue_attributes={},
        bucket_settings={},
        warnings=(),
    )


def test_cfn_lint_reports_nothing() -> None:
    done = subprocess.run([Path(sys.executable).parent / "cfn-lint", TEMPLATE], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)


def test_visibility_timeout_is_at_least_six_times_the_function_timeout() -> None:
    described = load(TEMPLATE)
    assert described.visibility_timeout_s >= 6 * described.function_timeout_s


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("VisibilityTimeout: 720", "VisibilityTimeout: 800", {"visibility_timeout_s": 800}),
        ("maxReceiveCount: 5", "maxReceiveCount: 3", {"max_receive_count": 3}),
        ("Timeout: 120", "Timeout: 60", {"function_timeout_s": 60}),
        ("Default: 1769", "Default: 512", {"memory_mb": 512}),
        ("MemorySize: !Ref MemorySizeMB", "MemorySize: 512", {"memory_mb": 512}),
        ("{Size: 1024}", "{Size: 4096}", {"ephemeral_storage_mb": 4096}),
        ("BatchSize: 1", "BatchSize: 10", {"batch_size": 10}),
        ("{MaximumConcurrency: !Ref MaximumConcurrency}", "{MaximumConcurrency: 2}", {"maximum_concurrency": 2}),
        ("            ScalingConfig: {MaximumConcurrency: !Ref MaximumConcurrency}\n", "",
         {"maximum_concurrency": None}),
        ("BatchSize: 1", "MaximumBatchingWindowInSeconds: 5\n            BatchSize: 11",
         {"batch_size": 11, "maximum_batching_window_s": 5}),
        ("            BatchSize: 1\n", "", {"batch_size": 10}),
        ("Architectures: [!Ref Architecture]", "Architectures: [arm64]", {"architecture": "arm64"}),
        (NO_NAME, NO_NAME.replace('""', "my-inputs"), {"source_bucket": "my-inputs"}),
        ("QueueName: !Sub ${LambdaFunctionName}-queue", "QueueName: files", {"queue_name": "files"}),
        ("QueueName: !Sub ${LambdaFunctionName}-dlq", "QueueName: dead", {"dead_letter_queue_name": "dead"}),
        ("s3:ObjectCreated:*", "s3:ObjectCreated:Put", {"notification_events": ("s3:ObjectCreated:Put",)}),
        ("      VersioningConfiguration: {Status: Enabled}\n", "", {}),
        ("Timeout: 120", 'Timeout: "120"', {}),
    ],
)  # fmt: skip
def test_change_in_the_template_changes_the_result(tmp_path: Path, old: str, new: str, what: dict[str, Any]) -> None:
    assert without_settings(load(changed(tmp_path, old, new))) == replace(without_settings(load(TEMPLATE)), **what)


def test_parameters_replace_defaults_everywhere() -> None:
    described = load(TEMPLATE, {"DestinationBucketName": "lab", "LambdaFunctionName": "tide", "LoggingLevel": "DEBUG"})
    assert described.destination_bucket == described.environment["TSDAT_S3_BUCKET_NAME"] == "lab"
    names = (described.function_name, described.queue_name, described.dead_letter_queue_name)
    assert names == ("tide", "tide-queue", "tide-dlq")
    assert described.environment["LOG_LEVEL"] == "DEBUG"


def test_filters_and_several_events(tmp_path: Path) -> None:
    rules = "{S3Key: {Rules: [{Name: prefix, Value: a2e/}, {Name: suffix, Value: .zip}]}}"
    both = "".join(
        f"- Event: s3:ObjectCreated:{kind}\n            Filter: {rules}\n            Queue: !GetAtt IngestQueue.Arn\n"
        f"          "
        for kind in ("Put", "Copy")
    )
    old = TEXT[TEXT.index("- Event: s3:") : TEXT.index("\n  SourceBucketPolicy:")]
    described = load(changed(tmp_path, old, both))
    assert described.notification_events == ("s3:ObjectCreated:Put", "s3:ObjectCreated:Copy")
    assert (described.filter_prefix, described.filter_suffix) == ("a2e/", ".zip")
    assert failure(changed(tmp_path, old, both.replace(".zip", ".csv", 1))) == (
        f"template.yaml: {EVENT}: {ONE_SOURCE} 2 do."
    )


def test_globals_are_merged_as_in_sam(tmp_path: Path) -> None:
    shared = "Globals: {Function: {Timeout: 30, MemorySize: 999, Environment: {Variables: {HOME: /no, TZ: UTC}}}}\n"
    described = load(write(tmp_path, shared + TEXT.replace("      Timeout: 120\n", "")))
    assert (described.function_timeout_s, described.memory_mb) == (30, 1769)
    assert (described.environment["TZ"], described.environment["HOME"]) == ("UTC", "/tmp")


def test_aws_defaults(tmp_path: Path) -> None:
    text = TEXT
    for line in ("Timeout: 120", "MemorySize: !Ref MemorySizeMB", "EphemeralStorage: {Size: 1024}",
                 "VisibilityTimeout: 720", "Architectures: [!Ref Architecture]"):  # fmt: skip
        assert line in text
        text = text.replace(f"      {line}\n", "")
    described = load(write(tmp_path, text))
    assert (described.function_timeout_s, described.memory_mb, described.ephemeral_storage_mb) == (3, 128, 512)
    assert described.visibility_timeout_s == 30
    assert "VisibilityTimeout" not in described.queue_attributes[described.queue_name]
    assert described.architecture == "x86_64"


def test_environment_values_are_converted_to_strings_as_in_cloudformation(tmp_path: Path) -> None:
    described = load(
        changed(
            tmp_path, "LOG_LEVEL: !Ref LoggingLevel", 'AA: true\n          BB: 5\n          CC: ""\n          DD: 1.5'
        )
    )
    values = {name: described.environment[name] for name in ("AA", "BB", "CC", "DD")}
    assert values == {"AA": "true", "BB": "5", "CC": "", "DD": "1.5"}


def test_resource_with_a_false_condition_is_ignored(tmp_path: Path) -> None:
    spare = PIPELINE_FUNCTION.replace("PipelineFunction:", "Spare:")
    spare = spare.replace("    Type: AWS::Serverless", "    Condition: Never\n    Type: AWS::Serverless")
    never = "Conditions:\n  Never: !Equals [!Ref LoggingLevel, nothing]\n"
    text = TEXT.replace("Outputs:", spare + "Outputs:").replace("Conditions:\n", never)
    assert load(write(tmp_path, text)) == load(TEMPLATE)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("BatchSize: 1", "BatchSize: 0", f"{EVENT}.BatchSize: 0 must be an integer from 1 to 10000."),
        ("BatchSize: 1", "BatchSize: few", f"{EVENT}.BatchSize: 'few' must be an integer from 1 to 10000."),
        ("BatchSize: 1", "BatchSize: 20",
         f"{EVENT}.BatchSize: 20 is more than 10. Set MaximumBatchingWindowInSeconds too, as Lambda requires."),
        ("Timeout: 120", "Timeout: 901", f"{FUNCTION}.Timeout: 901 must be an integer from 1 to 900."),
        ("Default: 1769", "Default: 64", f"{FUNCTION}.MemorySize: 64 must be an integer from 128 to 10240."),
        ("{Size: 1024}", "big", f"{FUNCTION}.EphemeralStorage: 'big' must be a mapping of names to values."),
        ("{MaximumConcurrency: !Ref MaximumConcurrency}", "{MaximumConcurrency: 1}",
         f"{EVENT}.ScalingConfig.MaximumConcurrency: 1 must be an integer from 2 to 1000."),
        ("VisibilityTimeout: 720", "VisibilityTimeout: 100",
         "Resources.IngestQueue.Properties.VisibilityTimeout: 100 s is less than the function's Timeout of 120 s, "
         "which Lambda rejects. Use 720, six times as much, as AWS recommends."),
        ("            FunctionResponseTypes: [ReportBatchItemFailures]\n", "",
         f"{EVENT}.FunctionResponseTypes: add ReportBatchItemFailures. Without it AWS counts failed messages as "
         "processed and deletes them."),
        ("        maxReceiveCount: 5\n", "",
         "Resources.IngestQueue.Properties.RedrivePolicy.maxReceiveCount: None must be an integer from 1 to 1000."),
        ("        deadLetterTargetArn: !GetAtt DeadLetterQueue.Arn\n", "",
         "Resources.IngestQueue.Properties.RedrivePolicy.deadLetterTargetArn: is missing. Add a dead-letter queue: it "
         "keeps what cannot be processed."),
        ("!GetAtt DeadLetterQueue.Arn", "arn:aws:sqs:us-west-2:000000000000:other",
         "Resources.IngestQueue.Properties.RedrivePolicy: no AWS::SQS::Queue of this template has the ARN "
         "arn:aws:sqs:us-west-2:000000000000:other. Refer to one with !GetAtt TheQueue.Arn."),
        ("          TSDAT_S3_BUCKET_NAME: !Ref DestinationBucket\n", "",
         f"{ENVIRONMENT}.TSDAT_S3_BUCKET_NAME: is missing. tsdat stores outputs there: !Ref the destination "
         "bucket."),
        ("TSDAT_S3_BUCKET_NAME: !Ref DestinationBucket", "TSDAT_S3_BUCKET_NAME: !Ref SourceBucket",
         f"{ENVIRONMENT}.TSDAT_S3_BUCKET_NAME: '{INPUTS}' is also the source bucket. Use "
         "another: each output would start a run."),
        ("LOG_LEVEL: !Ref LoggingLevel", "LOG_LEVEL: [a]", f"{ENVIRONMENT}.LOG_LEVEL: is ['a']. Set a string."),
        ("Architectures: [!Ref Architecture]", "Architectures: [x86_64, arm64]",
         f"{FUNCTION}.Architectures: ['x86_64', 'arm64'] must be [x86_64] or [arm64]."),
        ("Type: SQS", "Type: S3",
         "Resources: there must be exactly one AWS::Serverless::Function with one event of Type SQS, but there are 0."),
        ("      NotificationConfiguration:\n        Queue", "      NotificationConfiguration:\n        Topic",
         f"{EVENT}: {ONE_SOURCE} 0 do."),
        ("      QueueName: !Sub ${LambdaFunctionName}-queue\n", "",
         "Resources.IngestQueue.Properties.QueueName: is None. Set a name: the one that AWS generates is not known "
         "here."),
        (NO_NAME, "  SourceBucketName:\n    Type: String\n",
         "Parameters.SourceBucketName: it has no Default and no value. Add a Default."),
        ("LOG_LEVEL: !Ref LoggingLevel", "LOG_LEVEL: !ImportValue other-home",
         f"{ENVIRONMENT}.LOG_LEVEL: Fn::ImportValue has a value only on AWS. Use a parameter with a "
         "Default or a plain value here."),
        ("LOG_LEVEL: !Ref LoggingLevel", "LOG_LEVEL: '{{resolve:ssm:home}}'",
         f"{ENVIRONMENT}.LOG_LEVEL: the dynamic reference {{{{resolve:ssm:home}}}} has a value only on "
         "AWS. Use a parameter with a Default or a plain value here."),
        ("LOG_LEVEL: !Ref LoggingLevel", "LOG_LEVEL: !Ref SourceBuckets",
         f"{ENVIRONMENT}.LOG_LEVEL: there is no 'SourceBuckets' in Resources. Known: SourceBucket, "
         "SourceBucketPolicy, DestinationBucket, DestinationBucketPolicy, NewFileRule, TopicSubscription, IngestQueue, "
         "DeadLetterQueue, QueuePolicy, DeadLetterQueuePolicy, PipelineFunction, PipelineRole, FunctionLogs, "
         "FailedFilesAlarm, WaitingFilesAlarm, AlarmTopic, AlarmTopicPolicy, BuoyWindHourlySchedule, "
         "ScheduleDeadLetterQueue, ScheduleDeadLetterQueuePolicy, UndeliveredSchedulesAlarm, ScheduleRole."),
        ("LOG_LEVEL: !Ref LoggingLevel", "LOG_LEVEL: !GetAtt SourceBucket.DomainName",
         f"{ENVIRONMENT}.LOG_LEVEL: DomainName of SourceBucket (AWS::S3::Bucket) has a value only on AWS. "
         "Use a parameter with a Default or a plain value here."),
        ("LOG_LEVEL: !Ref LoggingLevel", "LOG_LEVEL: !Join [x]",
         f"{ENVIRONMENT}.LOG_LEVEL: Fn::Join does not accept ['x']. See its page in AWS's template "
         "reference."),
    ],
)  # fmt: skip
def test_error_names_location_and_value(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert failure(changed(tmp_path, old, new)) == f"template.yaml: {message}"


def test_unknown_parameter_and_invalid_value() -> None:
    known = (
        "SourceBucketName, DestinationBucketName, LambdaFunctionName, LoggingLevel, ScheduleState, Trigger, "
        "SourcePrefix, SourceTopicArn, SourceTopicRawDelivery, AlarmEmail, AlarmTopicArn, MemorySizeMB, "
        "MaximumConcurrency, RolePath, PermissionsBoundaryArn, Architecture"
    )
    assert failure(TEMPLATE, {"Bucket": "x"}) == (
        f"template.yaml: Parameters: there is no 'Bucket' in Parameters. Known: {known}."
    )
    assert failure(TEMPLATE, {"LoggingLevel": "LOUD"}) == (
        "template.yaml: Parameters.LoggingLevel: 'LOUD' is not allowed. "
        "Use one of: DEBUG, INFO, WARNING, ERROR, CRITICAL."
    )
    assert failure(TEMPLATE, {"SourceBucketName": "My_Files"}) == (
        "template.yaml: Parameters.SourceBucketName: 'My_Files' is not allowed. "
        "3 to 63 lowercase letters, digits, dots and hyphens, or empty."
    )


def test_second_function_with_a_queue_is_named(tmp_path: Path) -> None:
    second = PIPELINE_FUNCTION.replace("PipelineFunction:", "Second:")
    assert failure(write(tmp_path, TEXT.replace("Outputs:", second + "Outputs:"))) == (
        "template.yaml: Resources: there must be exactly one AWS::Serverless::Function with one event of Type SQS, but "
        f"there are 2. See {EVENT}. See Resources.Second.Properties.Events.NewFile.Properties."
    )


def test_file_that_is_not_a_template(tmp_path: Path) -> None:
    path, advice = tmp_path / "template.yaml", "\nFix it, or change to a folder that has a template.yaml."
    assert failure(path) == f"{path} cannot be read: [Errno 2] No such file or directory: '{path}'{advice}"
    broken = failure(write(tmp_path, "Resources: ["))
    assert broken.startswith(f"{path} cannot be read: while parsing a flow node")
    assert broken.endswith(advice)
    assert failure(write(tmp_path, "a: b")) == f"{path} is not a CloudFormation template: it has no Resources."


def test_cycle_is_reported(tmp_path: Path) -> None:
    assert failure(changed(tmp_path, BUCKET_NAME, "      BucketName: !Ref SourceBucket")) == (
        "template.yaml: Ref, Fn::GetAtt, Fn::Sub or Conditions form a cycle. Remove one of the references."
    )


def test_queue_attributes_are_in_the_form_of_create_queue() -> None:
    described = load(TEMPLATE)
    queue, dead = (described.queue_attributes[f"tsdat-pipeline-lambda-{name}"] for name in ("queue", "dlq"))
    arn = "arn:aws:sqs:us-west-2:000000000000:tsdat-pipeline-lambda"
    redrive = {"deadLetterTargetArn": f"{arn}-dlq", "maxReceiveCount": 5}
    assert json.loads(queue.pop("RedrivePolicy")) == redrive
    policies = [json.loads(attributes.pop("Policy")) for attributes in (queue, dead)]
    assert [policy["Statement"][-1]["Resource"] for policy in policies] == [f"{arn}-queue", f"{arn}-dlq"]
    assert dead == {"MessageRetentionPeriod": "1209600", "SqsManagedSseEnabled": "true"}
    assert queue == dead | {"VisibilityTimeout": "720"}


def test_bucket_settings_are_those_of_the_template(tmp_path: Path) -> None:
    versioning = "      VersioningConfiguration: {Status: Enabled}\n"
    tags = "      Tags: [{Key: project, Value: !Ref LambdaFunctionName}]\n"
    described = load(changed(tmp_path, versioning, versioning + tags))
    settings = described.bucket_settings[OUTPUTS]
    assert settings.pop("VersioningConfiguration") == {"Status": "Enabled"}
    assert settings.pop("Tags") == [{"Key": "project", "Value": "tsdat-pipeline-lambda"}]
    assert settings.keys() == described.bucket_settings[INPUTS].keys() == {
        "BucketEncryption", "PublicAccessBlockConfiguration", "OwnershipControls", "LifecycleConfiguration", "Policy",
    }  # fmt: skip


# Intrinsic functions, one expression each.

SMALL = """
Parameters:
  Stage: {Type: String, Default: test}
  Zones: {Type: CommaDelimitedList, Default: "a,b"}
  Secret: {Type: AWS::SSM::Parameter::Value<String>, Default: /my/secret}
Mappings: {Sizes: {test: {Memory: 128}, live: {Memory: 2048}}}
Conditions:
  IsLive: !Equals [!Ref Stage, live]
  IsTest: !Not [!Condition IsLive]
  Both: !And [!Condition IsTest, !Condition IsLive]
  One: !Or [!Condition IsTest, !Condition IsLive]
  Odd: !Ref Stage
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: q}}
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub "${Stage}-b"}}
  Function: {Type: AWS::Serverless::Function, Properties: {FunctionName: f}}
Value: %s
"""


def value(folder: Path, expression: str) -> Any:
    template = Template(write(folder, SMALL % expression), {}, "us-west-2")
    return template.value(template.section("Value"), "Value")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("!Ref Stage", "test"),
        ("!Ref Zones", ["a", "b"]),
        ("{Ref: Stage}", "test"),
        ("!Ref AWS::Region", "us-west-2"),
        ("!Sub '${AWS::AccountId} ${AWS::Partition} ${AWS::URLSuffix} ${AWS::StackName}'",
         "000000000000 aws amazonaws.com tsdat-pipeline-stack"),
        ("!Ref Queue", "https://sqs.us-west-2.amazonaws.com/000000000000/q"),
        ("!GetAtt Queue.Arn", "arn:aws:sqs:us-west-2:000000000000:q"),
        ("!GetAtt Queue.QueueName", "q"),
        ("{'Fn::GetAtt': [Queue, Arn]}", "arn:aws:sqs:us-west-2:000000000000:q"),
        ("!Ref Bucket", "test-b"),
        ("!GetAtt Bucket.Arn", "arn:aws:s3:::test-b"),
        ("!Ref Function", "f"),
        ("!GetAtt Function.Arn", "arn:aws:lambda:us-west-2:000000000000:function:f"),
        ("!Sub '${Stage}/${Queue.QueueName}/${!Stage}'", "test/q/${Stage}"),
        ("!Sub ['${A}-${Stage}', {A: !Ref Bucket}]", "test-b-test"),
        ("!Join ['-', [a, !Ref Stage, 5]]", "a-test-5"),
        ("!Join ['-', !Ref Zones]", "a-b"),
        ("!Split [',', 'a,b']", ["a", "b"]),
        ("!Select [1, !Split ['-', !Ref Bucket]]", "b"),
        ("!Select ['0', [a, b]]", "a"),
        ("!FindInMap [Sizes, !Ref Stage, Memory]", 128),
        ("!If [IsTest, yes please, !ImportValue not-evaluated]", "yes please"),
        ("!If [IsLive, a, b]", "b"),
        ("!If [Both, a, b]", "b"),
        ("!If [One, a, b]", "a"),
        ("{A: !If [IsLive, a, !Ref AWS::NoValue], B: [1, !Ref AWS::NoValue]}", {"B": [1]}),
    ],
)  # fmt: skip
def test_intrinsic(tmp_path: Path, expression: str, expected: object) -> None:
    assert value(tmp_path, expression) == expected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("!Ref Missing", "Value: there is no 'Missing' in Resources. Known: Queue, Bucket, Function."),
        (
            "!Ref Secret",
            "Parameters.Secret: a value of type AWS::SSM::Parameter::Value<String> has a value only on AWS.",
        ),
        ("!If [Missing, a, b]", "Value: there is no 'Missing' in Conditions. Known: IsLive, IsTest, Both, One, Odd."),
        (
            "!If [Odd, a, b]",
            "Conditions.Odd: 'test' is neither true nor false. Use a condition function such as Fn::Equals.",
        ),
        ("!FindInMap [Missing, a, b]", "Value: there is no 'Missing' in Mappings. Known: Sizes."),
        ("!FindInMap [Sizes, test, Disk]", "Value: Fn::FindInMap does not accept ['Sizes', 'test', 'Disk']."),
        ("!Select [2, [a, b]]", "Value: Fn::Select does not accept [2, ['a', 'b']]."),
        ("{A: [!Cidr [a, b]]}", "Value.A[0]: Fn::Cidr has a value only on AWS."),
        ("{'Fn::Transform': {Name: X}}", "Value: Fn::Transform has a value only on AWS."),
        (
            "!Sub '{{resolve:secretsmanager:x}}'",
            "Value: the dynamic reference {{resolve:secretsmanager:x}} has a value",
        ),
    ],
)
def test_intrinsic_without_a_local_value(tmp_path: Path, expression: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        value(tmp_path, expression)
    assert str(caught.value).startswith(f"template.yaml: {message}")


def test_content_equals_that_of_cfn_lint() -> None:
    decode = pytest.importorskip("cfnlint.decode.cfn_yaml")
    template = Template(TEMPLATE, {}, "us-west-2")
    reference = decode.load(str(TEMPLATE))
    for name in ("Parameters", "Conditions", "Rules", "Resources", "Outputs"):
        assert template.section(name) == reference[name]


def test_short_forms_are_unknown_to_other_yaml_loaders() -> None:
    with pytest.raises(yaml.constructor.ConstructorError):
        yaml.safe_load("!Ref X")
