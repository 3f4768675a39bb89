"""The local stack finds bucket and prefix for every trigger of the template."""

from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import TemplateError
from runner.template.stack_template import load

TEMPLATE = Path("template.yaml")
TEXT = TEMPLATE.read_text(encoding="utf-8")
TOPIC = "arn:aws:sns:us-west-2:123456789012:new-files"
TRIGGERS = [
    {"Trigger": "new-bucket"},
    {"Trigger": "existing-bucket"},
    {"Trigger": "sns-topic", "SourceTopicArn": TOPIC},
]  # fmt: skip


@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("prefix", ["", "a2e_buoy_ingest/"])
def test_every_trigger_results_in_the_same_local_stack(trigger: dict[str, str], prefix: str) -> None:
    described = load(TEMPLATE, {**trigger, "SourcePrefix": prefix, "SourceBucketName": "raw"})
    assert (described.source_bucket, described.filter_prefix) == ("raw", prefix or None)
    assert described.filter_suffix is None
    assert described.notification_events == ("s3:ObjectCreated:*",)
    usual = load(TEMPLATE, {"SourcePrefix": prefix, "SourceBucketName": "raw"})
    own = replace(described, queue_attributes={}, bucket_settings={}, event_source=usual.event_source)
    assert own == replace(usual, queue_attributes={}, bucket_settings={})


@pytest.mark.parametrize("trigger", TRIGGERS[1:])
def test_bucket_outside_the_template_has_no_settings(trigger: dict[str, str]) -> None:
    described, usual = load(TEMPLATE, {**trigger, "SourceBucketName": "raw"}), load(TEMPLATE)
    assert described.bucket_settings["raw"] == {}
    assert described.bucket_settings[described.destination_bucket] == usual.bucket_settings[usual.destination_bucket]


@pytest.mark.parametrize("trigger", TRIGGERS[1:])
def test_an_existing_bucket_has_to_be_named_as_cloudformation_requires(trigger: dict[str, str]) -> None:
    with pytest.raises(TemplateError) as caught:
        load(TEMPLATE, trigger)
    assert str(caught.value) == (
        "template.yaml: Rules.ExistingBucketIsNamed: Triggers existing-bucket and sns-topic need SourceBucketName."
    )


@pytest.mark.parametrize(
    ("parameters", "old", "new", "message"),
    [
        (TRIGGERS[1], "bucket: {name: [!Ref SourceBucketName]}\n          object", "object",
         "NewFileRule.Properties.EventPattern.detail.bucket.name: None"),
        (TRIGGERS[2], "            bucket: {name: [!Ref SourceBucketName]}\n            object",
         "            bucket: {name: [a, b]}\n            object",
         "TopicSubscription.Properties.FilterPolicy.Records.s3.bucket.name: ['a', 'b']"),
    ],
)  # fmt: skip
def test_bucket_name_is_required(tmp_path: Path, parameters: dict[str, str], old: str, new: str, message: str) -> None:
    assert TEXT.count(old) == 1
    path = tmp_path / "template.yaml"
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(TemplateError) as caught:
        load(path, {**parameters, "SourceBucketName": "raw"})
    assert str(caught.value) == (
        f"template.yaml: Resources.{message} must be a list with the name of one bucket: the local stack creates "
        "that bucket."
    )
