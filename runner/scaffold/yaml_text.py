"""YAML for people: short lists in one line, an empty line between variables, no anchors."""

from __future__ import annotations

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write everything in full."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists below their key."""
        super().increase_indent(flow, False)


def _list(dumper: _Dumper, value: list[Any]) -> yaml.Node:
    is_short = not any(isinstance(item, dict) for item in value) and len(repr(value)) < 90
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=is_short)


_Dumper.add_representer(list, _list)


def dump(value: Any, indent: int = 0) -> str:
    """Return a value as YAML, indented."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False)
    return "".join(f"{' ' * indent}{line}" if line.strip() else line for line in text.splitlines(keepends=True))


def dump_entries(entries: dict[str, Any]) -> str:
    """Return the entries of a section, an empty line between those that are long."""
    texts = [dump({name: value}, 2) for name, value in entries.items()]
    return ("\n" if any(text.count("\n") > 5 for text in texts) else "").join(texts)
