"""Evaluates the intrinsic functions of a CloudFormation template for the local stack.

Only values that can be known before deployment: parameters, names, and ARNs and URLs built from them. For example,
!GetAtt IngestQueue.Arn returns arn:aws:sqs:us-west-2:000000000000:tsdat-pipeline-lambda-queue. The functions and their
forms follow "Intrinsic function reference", AWS CloudFormation Template Reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.errors import TemplateError
from runner.template import cfn_yaml
from runner.template.parameters import parameter_value
from runner.template.return_values import ACCOUNT, NAME_PROPERTIES, ONLY_ON_AWS, is_known, return_value

_FUNCTIONS = {
    "Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::FindInMap",
    "Fn::If", "Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or", "Condition",
}  # fmt: skip


class Template:
    """A template with the parameter values of one stack.

    `location` arguments are paths in the template, such as Resources.IngestQueue.Properties, for error messages.
    """

    def __init__(self, path: Path, parameters: Mapping[str, str], region: str) -> None:
        self._file, self._parameters, self._region = path.name, parameters, region
        self._content = cfn_yaml.load(path)
        self._pseudo_parameters = {
            "AWS::Region": region, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com", "AWS::StackName": "tsdat-pipeline-stack", "AWS::NoValue": None,
        }  # fmt: skip
        for name in parameters:
            self._find(name, "Parameters", "Parameters")
        self.resources = {
            name: resource
            for name, resource in self.section("Resources").items()
            if "Condition" not in resource or self._condition(resource["Condition"], f"Resources.{name}.Condition")
        }

    def section(self, name: str) -> Mapping[str, Any]:
        """Return a top-level section; empty if the template has none."""
        return self._content.get(name) or {}

    def error(self, location: str, text: str) -> TemplateError:
        """Return an error about one location in the template."""
        return TemplateError(self.warning(location, text))

    def warning(self, location: str, text: str) -> str:
        """Return a warning about one location in the template."""
        return f"{self._file}: {location}: {text}"

    def value(self, node: Any, location: str) -> Any:
        """Return the plain value of a part of the template; None for nothing and for AWS::NoValue."""
        if is_intrinsic(node):
            function, argument = next(iter(node.items()))
            return self._call(function, argument, location)
        if isinstance(node, Mapping):
            pairs = {key: self.value(value, f"{location}.{key}") for key, value in node.items()}
            return {key: value for key, value in pairs.items() if value is not None}
        if isinstance(node, list):
            items = [self.value(item, f"{location}[{index}]") for index, item in enumerate(node)]
            return [item for item in items if item is not None]
        if isinstance(node, str) and "{{resolve:" in node:
            raise self._unknown_value(f"the dynamic reference {node}", location)
        return node

    def _call(self, function: str, argument: Any, location: str) -> Any:
        if function not in _FUNCTIONS:
            raise self._unknown_value(function, location)
        match function, argument:
            case "Ref", str(name):
                return self._ref(name, location)
            case "Condition", str(name):
                return self._condition(name, location)
            case "Fn::If", [str(condition), then, otherwise]:
                return self.value(then if self._condition(condition, location) else otherwise, location)
        match function, self.value(argument, location):
            case "Fn::GetAtt", [str(resource), str(attribute)]:
                return self._attribute(resource, attribute, location)
            case "Fn::Sub", str(text):
                return self._sub(text, {}, location)
            case "Fn::Sub", [str(text), Mapping() as variables]:
                return self._sub(text, variables, location)
            case "Fn::Join", [str(delimiter), [*items]]:
                return delimiter.join(as_text(item) for item in items)
            case "Fn::Split", [str(delimiter), str(text)] if delimiter:
                return text.split(delimiter)
            case "Fn::Select", [index, [*items]] if str(index).isdecimal() and int(index) < len(items):
                return items[int(index)]
            case "Fn::FindInMap", [str(table), first, second]:
                row = self._find(table, "Mappings", location).get(first, {})
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
        raise self.error(
            location, f"{function} does not accept {argument!r}. See its page in AWS's template reference."
        )

    def _sub(self, text: str, variables: Mapping[str, Any], location: str) -> str:
        def replacement(match: re.Match[str]) -> str:
            name = match[1]
            return as_text(variables[name] if name in variables else self._ref(name, location))

        # ${!X} stands for a literal ${X}.
        return re.sub(r"\$\{([^!}][^}]*)\}", replacement, text).replace("${!", "${")

    def _ref(self, name: str, location: str) -> Any:
        if name in self._pseudo_parameters:
            return self._pseudo_parameters[name]
        if name in self.section("Parameters"):
            return self._parameter(name)
        resource, _, attribute = name.partition(".")  # in Fn::Sub, ${X.Arn} stands for Fn::GetAtt
        return self._attribute(resource, attribute or "Ref", location)

    def _parameter(self, name: str) -> Any:
        try:
            return parameter_value(self.section("Parameters")[name], self._parameters.get(name))
        except ValueError as error:
            raise self.error(f"Parameters.{name}", str(error)) from None

    def _attribute(self, resource: str, attribute: str, location: str) -> str:
        definition = self._find(resource, "Resources", location)
        kind, properties = definition.get("Type"), definition.get("Properties") or {}
        if not is_known(kind, attribute):
            raise self._unknown_value(f"{attribute} of {resource} ({kind})", location)
        name_property = NAME_PROPERTIES[kind]
        name_location = f"Resources.{resource}.Properties.{name_property}"
        name = self.value(properties.get(name_property), name_location)
        if not isinstance(name, str):
            raise self.error(name_location, f"is {name!r}. Set a name: the one that AWS generates is not known here.")
        return return_value(kind, attribute, name, self._region)

    def _condition(self, name: str, location: str) -> bool:
        value = self.value(self._find(name, "Conditions", location), f"Conditions.{name}")
        if not isinstance(value, bool):
            raise self.error(
                f"Conditions.{name}",
                f"{value!r} is neither true nor false. Use a condition function such as Fn::Equals.",
            )
        return value

    def _find(self, name: str, section: str, location: str) -> Any:
        if name in (entries := self.section(section)):
            return entries[name]
        raise self.error(location, f"there is no {name!r} in {section}. Known: {', '.join(entries) or 'none'}.")

    def _unknown_value(self, what: str, location: str) -> TemplateError:
        return self.error(location, f"{what} {ONLY_ON_AWS}")


def is_intrinsic(node: Any) -> bool:
    """Return whether a node calls an intrinsic function, as {"Ref": "X"} does."""
    name = str(next(iter(node))) if isinstance(node, Mapping) and len(node) == 1 else ""
    return name in _FUNCTIONS or name.startswith("Fn::")


def as_text(value: Any) -> str:
    """Return a value as CloudFormation writes it into a string."""
    return str(value).lower() if isinstance(value, bool) else str(value)
