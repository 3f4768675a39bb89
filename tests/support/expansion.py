"""template.yaml as CloudFormation receives it, expanded by SAM's translator, for each combination of conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from runner.template.intrinsics import Template

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
REGION = "us-west-2"
_TOPIC = f"arn:aws:sns:{REGION}:123456789012:"
# Parameters that make each condition true and false.
_CHOICES = (
    [{"Trigger": "new-bucket"}, {"Trigger": "existing-bucket", "SourceBucketName": "raw"},
     {"Trigger": "sns-topic", "SourceBucketName": "raw", "SourceTopicArn": f"{_TOPIC}new-files"}],
    [{}, {"SourcePrefix": "a2e_buoy_ingest/"}],
    [{}, {"AlarmEmail": "you@example.org"}],
    [{}, {"AlarmTopicArn": f"{_TOPIC}alarms"}],
)  # fmt: skip


def _variants() -> Iterator[dict[str, str]]:
    for choices in product(*_CHOICES):
        yield {name: value for choice in choices for name, value in choice.items()}


VARIANTS = list(_variants())


def expanded(parameters: dict[str, str], path: Path = TEMPLATE) -> dict[str, Any]:
    """Return the expanded template with these values as its parameters' defaults."""
    tree = Template(path, parameters, REGION)
    names = ("AWSTemplateFormatVersion", "Transform", "Description", "Parameters", "Conditions", "Rules", "Resources",
             "Outputs")  # fmt: skip
    fragment = deepcopy({name: tree.section(name) for name in names})
    for name, value in parameters.items():
        fragment["Parameters"][name]["Default"] = value
    # As `sam deploy` writes it after pushing the image.
    for resource in fragment["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["ImageUri"] = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/tsdat:1"
    defaults = {name: described["Default"] for name, described in fragment["Parameters"].items()}
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    return dict(translator.translate(fragment, defaults))


def references(node: Any) -> Iterator[str]:
    """Yield the names that a part of a template refers to in Ref, Fn::GetAtt, Fn::Sub and DependsOn."""
    match node:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::Sub": [str(text), *own]}:
            yield from _substituted(text)
            yield from references(own)
        case {"Fn::Sub": str(text)}:
            yield from _substituted(text)
        case dict():
            depends_on = node.get("DependsOn", [])
            yield from [depends_on] if isinstance(depends_on, str) else depends_on
            for value in node.values():
                yield from references(value)
        case list():
            for value in node:
                yield from references(value)


def _substituted(text: str) -> list[str]:
    return re.findall(r"\$\{([^!.}]+)", text)
