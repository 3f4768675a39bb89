"""Reads a CloudFormation template and says what its intrinsic functions come to on the local stack.

Only what can be known here: parameters, names, and the ARNs and URLs made of them, so that !GetAtt IngestQueue.Arn
becomes arn:aws:sqs:us-west-2:000000000000:tsdat-pipeline-lambda-queue. The functions and their forms are those of
"Intrinsic function reference", AWS CloudFormation Template Reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from runner.errors import TemplateError

_ACCOUNT = "000000000000"
_FUNCTIONS = {
    "Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::FindInMap",
    "Fn::If", "Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or", "Condition",
}  # fmt: skip
# The property that names a resource, and what Ref and Fn::GetAtt make of the name.
_NAMED = {"AWS::S3::Bucket": "BucketName", "AWS::SQS::Queue": "QueueName", "AWS::Serverless::Function": "FunctionName"}
_ATTRIBUTES = {
    ("AWS::S3::Bucket", "Ref"): "{name}",
    ("AWS::S3::Bucket", "Arn"): "arn:aws:s3:::{name}",
    ("AWS::SQS::Queue", "Ref"): "https://sqs.{region}.amazonaws.com/{account}/{name}",
    ("AWS::SQS::Queue", "Arn"): "arn:aws:sqs:{region}:{account}:{name}",
    ("AWS::SQS::Queue", "QueueName"): "{name}",
    ("AWS::Serverless::Function", "Ref"): "{name}",
    ("AWS::Serverless::Function", "Arn"): "arn:aws:lambda:{region}:{account}:function:{name}",
}


# PyYAML taught the short forms, as SAM CLI does it: 0.03 s to import, and its loader in C reads four times as fast, in
# every process of the local stack. cfn-lint's decoder gives the same tree, but imports sympy and networkx for 0.9 s.
class _Loader(yaml.CSafeLoader):
    def short_form(self, tag: str, node: yaml.Node) -> dict[str, Any]:
        """What is written as !Ref X becomes {"Ref": "X"}."""
        if isinstance(node, yaml.MappingNode):
            value: Any = self.construct_mapping(node, deep=True)
        elif isinstance(node, yaml.SequenceNode):
            value = self.construct_sequence(node, deep=True)
        else:
            value = node.value.split(".", 1) if tag == "GetAtt" else node.value
        return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _Loader.short_form)


def tree(path: Path) -> dict[str, Any]:
    """A template as plain values, its intrinsic functions in their long forms.

    Raises:
        TemplateError: it cannot be read, or is no template.
    """
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  a safe loader
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise TemplateError(f"{path} cannot be read: {error}\nMend it, or run in a folder that has one.") from error
    if not isinstance(found, dict) or not isinstance(found.get("Resources"), Mapping):
        raise TemplateError(f"{path} is not a CloudFormation template: it has no Resources.")
    return found


class Template:
    """A template with the parameters of one stack."""

    def __init__(self, path: Path, parameters: Mapping[str, str], region: str) -> None:
        self._file, self._given = path.name, parameters
        self._tree = tree(path)
        self._pseudo = {
            "AWS::Region": region, "AWS::AccountId": _ACCOUNT, "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com", "AWS::StackName": "tsdat-pipeline-stack", "AWS::NoValue": None,
        }  # fmt: skip
        for name in parameters:
            self._find(name, "Parameters", "Parameters")
        self.resources = {
            name: resource
            for name, resource in self.section("Resources").items()
            if "Condition" not in resource or self._holds(resource["Condition"], f"Resources.{name}.Condition")
        }

    def section(self, name: str) -> Mapping[str, Any]:
        """A top-level section, empty when there is none."""
        return self._tree.get(name) or {}

    def error(self, at: str, text: str) -> TemplateError:
        """An error about one place in the template."""
        return TemplateError(f"{self._file}: {at}: {text}")

    def value(self, node: Any, at: str) -> Any:
        """What a part of the template comes to, in plain values; None for nothing and AWS::NoValue."""
        if is_intrinsic(node):
            function, argument = next(iter(node.items()))
            return self._call(function, argument, at)
        if isinstance(node, Mapping):
            pairs = {key: self.value(value, f"{at}.{key}") for key, value in node.items()}
            return {key: value for key, value in pairs.items() if value is not None}
        if isinstance(node, list):
            items = [self.value(item, f"{at}[{index}]") for index, item in enumerate(node)]
            return [item for item in items if item is not None]
        if isinstance(node, str) and "{{resolve:" in node:
            raise self._only_on_aws(f"the dynamic reference {node}", at)
        return node

    def _call(self, function: str, argument: Any, at: str) -> Any:
        if function not in _FUNCTIONS:
            raise self._only_on_aws(function, at)
        match function, argument:
            case "Ref", str(name):
                return self._ref(name, at)
            case "Condition", str(name):
                return self._holds(name, at)
            case "Fn::If", [str(condition), then, otherwise]:
                return self.value(then if self._holds(condition, at) else otherwise, at)
        match function, self.value(argument, at):
            case "Fn::GetAtt", [str(resource), str(attribute)]:
                return self._attribute(resource, attribute, at)
            case "Fn::Sub", str(text):
                return self._sub(text, {}, at)
            case "Fn::Sub", [str(text), Mapping() as own]:
                return self._sub(text, own, at)
            case "Fn::Join", [str(delimiter), [*items]]:
                return delimiter.join(as_text(item) for item in items)
            case "Fn::Split", [str(delimiter), str(text)] if delimiter:
                return text.split(delimiter)
            case "Fn::Select", [index, [*items]] if str(index).isdecimal() and int(index) < len(items):
                return items[int(index)]
            case "Fn::FindInMap", [str(table), first, second]:
                row = self._find(table, "Mappings", at).get(first, {})
                if second in row:
                    return row[second]
            case "Fn::Equals", [left, right]:
                return as_text(left) == as_text(right)
            case "Fn::Not", [bool(one)]:
                return not one
            case "Fn::And", [*several]:
                return all(several)
            case "Fn::Or", [*several]:
                return any(several)
        raise self.error(at, f"{function} cannot work with {argument!r}. See its page in AWS's template reference.")

    def _sub(self, text: str, own: Mapping[str, Any], at: str) -> str:
        def put(found: re.Match[str]) -> str:
            return as_text(own[found[1]] if found[1] in own else self._ref(found[1], at))

        # ${!X} is the way to write a literal ${X}.
        return re.sub(r"\$\{([^!}][^}]*)\}", put, text).replace("${!", "${")

    def _ref(self, name: str, at: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self.section("Parameters"):
            return self._parameter(name)
        resource, _, attribute = name.partition(".")  # Fn::Sub's way to write Fn::GetAtt
        return self._attribute(resource, attribute or "Ref", at)

    def _parameter(self, name: str) -> Any:
        described, at = self.section("Parameters")[name], f"Parameters.{name}"
        kind = str(described.get("Type"))
        if kind.startswith("AWS::SSM::"):
            raise self._only_on_aws(f"a value of type {kind}", at)
        value = self._given.get(name, described.get("Default"))
        if value is None:
            raise self.error(at, "it has no Default, and no value was given. Add a Default.")
        allowed = described.get("AllowedValues")
        if allowed and str(value) not in map(str, allowed):
            raise self.error(at, f"{value!r} is not allowed. Use one of: {', '.join(map(str, allowed))}.")
        pattern = described.get("AllowedPattern")
        if pattern and not re.fullmatch(pattern, str(value)):
            raise self.error(at, f"{value!r} is not allowed. {described.get('ConstraintDescription') or pattern}")
        return str(value).split(",") if kind == "CommaDelimitedList" or kind.startswith("List<") else value

    def _attribute(self, resource: str, attribute: str, at: str) -> str:
        described = self._find(resource, "Resources", at)
        kind, properties = described.get("Type"), described.get("Properties") or {}
        if (kind, attribute) not in _ATTRIBUTES:
            raise self._only_on_aws(f"{attribute} of {resource} ({kind})", at)
        named = f"Resources.{resource}.Properties.{_NAMED[kind]}"
        name = self.value(properties.get(_NAMED[kind]), named)
        if not isinstance(name, str):
            raise self.error(named, f"is {name!r}. Write a name: AWS would make one up that is not known here.")
        return _ATTRIBUTES[kind, attribute].format(name=name, region=self._pseudo["AWS::Region"], account=_ACCOUNT)

    def _holds(self, condition: str, at: str) -> bool:
        found = self.value(self._find(condition, "Conditions", at), f"Conditions.{condition}")
        if not isinstance(found, bool):
            raise self.error(f"Conditions.{condition}", f"{found!r} is not true or false. Use Fn::Equals and the like.")
        return found

    def _find(self, name: str, section: str, at: str) -> Any:
        if name in (entries := self.section(section)):
            return entries[name]
        raise self.error(at, f"there is no {name!r} in {section}. Known: {', '.join(entries) or 'none'}.")

    def _only_on_aws(self, what: str, at: str) -> TemplateError:
        return self.error(at, f"{what} has a value only on AWS. Use a parameter with a Default or a plain value here.")


def is_intrinsic(node: Any) -> bool:
    """Whether this calls an intrinsic function, as {"Ref": "X"} does."""
    name = str(next(iter(node))) if isinstance(node, Mapping) and len(node) == 1 else ""
    return name in _FUNCTIONS or name.startswith("Fn::")


def as_text(value: Any) -> str:
    """A value as CloudFormation writes it into a text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
