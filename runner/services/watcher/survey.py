"""The inbox as the commands show it: as they find it, corrected by what the watcher cannot take.

The watcher may see another inbox: in a container it has other rights, and links lead elsewhere.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter

from runner.services.watcher.entries import Found
from runner.services.watcher.inbox import Inbox
from runner.state.inbox_problems import Problem


def survey(inbox: Inbox, problems: Mapping[str, Problem]) -> Iterator[tuple[str, Found]]:
    """Return key and state of each file, or its problem, in the order in which S3 lists keys.

    Args:
        inbox: as this process sees it.
        problems: what the watcher cannot take; a problem of a folder holds for all that is in it.
    """
    present = [(key, problem) for key, problem in problems.items() if inbox.has(key)]
    by_path = {key.removesuffix("/"): problem for key, problem in present}
    merged = heapq.merge(present, inbox.scan(), key=itemgetter(0))  # equal keys: the watcher's first
    for key, entries in groupby(merged, key=itemgetter(0)):
        _, found = next(entries)
        yield key, found if isinstance(found, Problem) else _problem_above(key, by_path) or found


def _problem_above(key: str, by_path: Mapping[str, Problem]) -> Problem | None:
    while by_path and "/" in key:
        key = key.rpartition("/")[0]
        if key in by_path:
            return by_path[key]
    return None
