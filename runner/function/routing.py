"""Finds the pipeline config for a key, by pipelines/routes.yaml or by the triggers in the pipelines' configs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from runner.errors import AmbiguousRouteError, RoutingError, UnroutableError
from runner.function import companions
from runner.function.companions import Companions

ROUTES_FILE = "pipelines/routes.yaml"


@dataclass(frozen=True)
class Route:
    """A pipeline config and its patterns, each of which is tried on the key and on the file name.

    A key matches if at least one pattern in every group of `patterns` matches. A route from routes.yaml has two groups,
    the pattern of its pipeline and that of its location. A route from triggers has one.
    """

    pipeline: str
    location: str | None
    config: str
    """Path relative to the project, in the form that tsdat's configs use."""
    patterns: tuple[tuple[re.Pattern[str], ...], ...]
    companions: Companions = Companions()
    """Those in the pipeline's own config."""
    multidispatch: bool = False
    """Whether its config lets it run beside other pipelines that match a file."""

    def matches(self, key: str) -> bool:
        """Return whether the key or its file name matches, by `re.match` as in tsdat's template."""
        names = (key, PurePosixPath(key).name)
        return all(any(p.match(n) for p in group for n in names) for group in self.patterns)

    @property
    def takes_files(self) -> bool:
        """Whether any key can match. A VAP has an empty list of triggers and is only started by schedules."""
        return all(self.patterns)

    def __str__(self) -> str:
        """Format the config and its patterns for error texts."""
        texts = " and ".join(" or ".join(repr(p.pattern) for p in group) for group in self.patterns)
        return f"{self.config} ← {texts}"


@dataclass(frozen=True)
class Routes:
    """All routes of a project."""

    routes: tuple[Route, ...]
    multidispatch: bool = False
    """Whether each of several routes that match a file runs."""
    companions: Companions = Companions()

    def for_key(self, key: str, config: str | None = None) -> list[Route]:
        """Return the routes that run on a key: one, or with multidispatch all that match.

        Args:
            config: only the route with this one, because only that is retried.

        Raises:
            UnroutableError, AmbiguousRouteError: as `match`.
        """
        found = self.matches(key)
        if config:
            if only := [route for route in found if route.config == config]:
                return only
            raise UnroutableError(f"{key!r} was to run in {config} alone, which does not take it any more.")
        each_runs = self.multidispatch or any(route.multidispatch for route in found)
        return found if each_runs and len(found) > 1 and not self._is_companion(key) else [self.match(key)]

    def companions_of(self, key: str, route: Route) -> list[str]:
        """Return the keys of the companions of a key that runs on a route."""
        return [*self.companions.keys_for(key), *route.companions.keys_for(key)]

    def _is_companion(self, key: str) -> bool:
        return self.companions.include(key) or any(route.companions.include(key) for route in self.routes)

    def match(self, key: str) -> Route:
        """Return the route for a key.

        Raises:
            UnroutableError: no route matches; the text lists the known routes.
            AmbiguousRouteError: two or more match; the text lists them.
        """
        if self._is_companion(key):
            raise UnroutableError(f"{key!r} is a companion of other files, and is read with them.")
        found = self.matches(key)
        if len(found) == 1:
            return found[0]
        if found:
            raise AmbiguousRouteError(
                f"{key!r} matches {len(found)} routes:{_listed(found)}\n"
                f"Make the patterns in {ROUTES_FILE} or the triggers in these configs more specific, or write "
                f"`multidispatch: true` in {ROUTES_FILE} to run each of them."
            )
        raise UnroutableError(
            f"No pipeline matches {key!r}. Known routes:{_listed(r for r in self.routes if r.takes_files) or ' none'}\n"
            f"Add one in {ROUTES_FILE}, or to the triggers of a pipeline's config."
        )

    def named(self, config: str) -> Route:
        """Return the route for a config, which a schedule names.

        Raises:
            UnroutableError: there is no such config; the text lists the existing ones.
        """
        for route in self.routes:
            if route.config == config:
                return route
        known = "".join(f"\n  {route.config}" for route in self.routes)
        raise UnroutableError(
            f"There is no pipeline config {config!r}. Known configs:{known or ' none'}\n"
            "Correct the name in the schedule's Input in template.yaml."
        )

    def matches(self, key: str) -> list[Route]:
        """Return all routes that match a key."""
        return [route for route in self.routes if route.matches(key)]


def _listed(routes: Iterable[Route]) -> str:
    return "".join(f"\n  {route}" for route in routes)


def load(root: Path) -> Routes:
    """Read all routes below `root`.

    Raises:
        RoutingError: the text has one line for each problem.
    """
    problems: list[str] = []
    content = _read_yaml(root / ROUTES_FILE, problems) if (root / ROUTES_FILE).is_file() else {}
    maps = _read_maps(root / ROUTES_FILE, content, problems)
    rules = [*companions.parse(content.get("companions") or {}, ROUTES_FILE, problems)]
    routes = _mapped_routes(root, maps, problems)
    for folder in sorted(p for p in (root / "pipelines").glob("*") if p.is_dir() and p.name not in maps["pipelines"]):
        routes += _triggered_routes(root, folder, problems)
    routes = [_with_own_options(root, route, problems) for route in routes]
    multidispatch = content.get("multidispatch", False)
    if not isinstance(multidispatch, bool):
        problems.append(f"{root / ROUTES_FILE}: multidispatch is {multidispatch!r}. Write true or false.")
    if problems:
        raise RoutingError("\n".join(problems))
    return Routes(tuple(routes), bool(multidispatch), Companions(tuple(rules)))


def _read_yaml(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        problems.append(f"{path}: not valid YAML: {' '.join(str(error).split())}")
        return {}
    if isinstance(content, dict):
        return content
    problems.append(f"{path}: expected a mapping at the top, found {type(content).__name__}.")
    return {}


def _read_maps(path: Path, content: Mapping[str, Any], problems: list[str]) -> dict[str, dict[str, re.Pattern[str]]]:
    problems += [
        f"{path}: unknown section {name!r}. It takes 'pipelines', 'locations', 'companions' and 'multidispatch'."
        for name in content
        if name not in ("pipelines", "locations", "companions", "multidispatch")
    ]
    maps: dict[str, dict[str, re.Pattern[str]]] = {}
    for section in ("pipelines", "locations"):
        entries = content.get(section) or {}
        if not isinstance(entries, Mapping):
            problems.append(f"{path}: {section} takes 'name: regular expression' lines, not {entries!r}.")
            entries = {}
        compiled = {str(n): _compile(v, f"{path}: {section}.{n}", problems) for n, v in entries.items()}
        maps[section] = {name: pattern for name, pattern in compiled.items() if pattern}
    return maps


def _compile(text: Any, where: str, problems: list[str]) -> re.Pattern[str] | None:
    try:
        return re.compile(text)
    except (re.error, TypeError) as error:
        problems.append(f"{where}: {text!r} is not a regular expression: {error}.")
        return None


def _mapped_routes(root: Path, maps: dict[str, dict[str, re.Pattern[str]]], problems: list[str]) -> list[Route]:
    routes: list[Route] = []
    pipelines, locations = maps["pipelines"], maps["locations"]
    for pipeline, pattern in pipelines.items():
        configs = {p.stem.removeprefix("pipeline_"): p for p in pipeline_configs(root / "pipelines" / pipeline)}
        if not configs:
            problems.append(
                f"{ROUTES_FILE}: pipeline {pipeline!r} has no pipelines/{pipeline}/config/pipeline_<location>.yaml. "
                "Add one for each of its locations, or remove the line."
            )
        for location, config in configs.items():
            if location in locations:
                name = config.relative_to(root).as_posix()
                routes.append(Route(pipeline, location, name, ((pattern,), (locations[location],))))
            else:
                problems.append(
                    f"{config.relative_to(root)}: location {location!r} is not in {ROUTES_FILE}. "
                    f"Known locations: {', '.join(locations) or 'none'}. Add a line for it there."
                )
    served = {route.location for route in routes}
    problems += [
        f"{ROUTES_FILE}: location {location!r} has no config: none of the pipelines "
        f"({', '.join(pipelines) or 'none'}) has config/pipeline_{location}.yaml. Add it, or remove the line."
        for location in locations
        if location not in served
    ]
    return routes


def _triggered_routes(root: Path, folder: Path, problems: list[str]) -> list[Route]:
    routes: list[Route] = []
    for path in pipeline_configs(folder):
        name = path.relative_to(root).as_posix()
        triggers = _read_yaml(path, problems).get("triggers")
        if not isinstance(triggers, list):
            problems.append(f"{name}: 'triggers' is missing: a list of regular expressions that tsdat requires.")
            continue
        compiled = [_compile(text, f"{name}: triggers[{i}]", problems) for i, text in enumerate(triggers)]
        location = path.stem.removeprefix("pipeline").strip("_-") or None
        routes.append(Route(folder.name, location, name, (tuple(p for p in compiled if p),)))
    return routes


def _with_own_options(root: Path, route: Route, problems: list[str]) -> Route:
    """Return a route with the companions and multidispatch of its config."""
    content = _read_yaml(root / route.config, [])
    rules = tuple(companions.parse(content.get("companions") or {}, route.config, problems))
    multidispatch = content.get("multidispatch", False)
    if not isinstance(multidispatch, bool):
        problems.append(f"{route.config}: multidispatch is {multidispatch!r}. Write true or false.")
    return replace(route, companions=Companions(rules), multidispatch=multidispatch is True)


def pipeline_configs(folder: Path) -> list[Path]:
    """Return the pipeline configs below a folder at any depth, as the runner of tsdat's template finds them."""
    return sorted(path for path in folder.rglob("*pipeline*.yaml") if path.is_file())
