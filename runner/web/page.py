"""What all views share: settings, template, token, and how a page or its JSON twin is answered."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from runner.settings import Settings
from runner.state.database import State
from runner.template import stack_template
from runner.template.stack_template import StackTemplate
from runner.web import formats
from runner.web.strip import place, segments

FOLDER = Path(__file__).parent
SECTIONS = (
    ("files", "/", "Files"),
    ("data", "/data", "Data"),
    ("pipelines", "/pipelines", "Pipelines"),
    ("failures", "/failures", "Failures"),
    ("health", "/health", "Health"),
)
_SECTION_OF = {"run": "files", "data_files": "data"}


@dataclass
class Page:
    """The page of one data folder."""

    settings: Settings
    shown_root: Path
    """The project, where the user knows it."""
    shown_data: Path
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    notices: dict[str, str] = field(default_factory=dict)
    """Results of actions, shown once."""

    @cached_property
    def template(self) -> StackTemplate:
        """What template.yaml says."""
        return stack_template.load_for(self.settings)

    @cached_property
    def bokeh_version(self) -> str:
        """The version of Bokeh, whose JavaScript draws the plots."""
        return metadata.version("bokeh")

    @cached_property
    def environment(self) -> jinja2.Environment:
        """The templates. They escape everything that they are given."""
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER / "templates"), autoescape=True, trim_blocks=True,
            lstrip_blocks=True, undefined=jinja2.StrictUndefined,
        )  # fmt: skip
        environment.filters |= formats.FILTERS
        environment.globals |= {"sections": SECTIONS, "segments": segments, "place": place, "page": self}
        return environment

    @contextmanager
    def state(self) -> Iterator[State]:
        """Open the state of the data folder."""
        with closing(State(self.settings.state)) as state:
            yield state

    def render(self, name: str, /, **values: Any) -> str:
        """Return a template's text."""
        return self.environment.get_template(name).render(**values)

    def answer(
        self, request: Request, section: str, values: dict[str, Any], status: int = 200, **more: Any
    ) -> Response:
        """Answer with a page, or with its values as JSON if the path ends with .json.

        Args:
            section: name of the template and of the section.
            values: what the page shows, as JSON.
            more: what only the template needs.
        """
        if request.url.path.endswith(".json"):
            return JSONResponse(values, status)
        notice = self.notices.pop(request.query_params.get("notice", ""), None)
        text = self.render(
            f"{section}.html", section=_SECTION_OF.get(section, section), notice=notice, **{**values, **more}
        )
        return HTMLResponse(text, status)

    def add_notice(self, text: str) -> str:
        """Keep the result of an action for the page that is shown next; return its name."""
        while len(self.notices) >= 100:
            self.notices.pop(next(iter(self.notices)))
        name = secrets.token_urlsafe(8)
        self.notices[name] = text
        return name
