"""What a pipeline can set for its whole process: environment, logging, warnings, matplotlib's style, current folder.

What loading a pipeline sets is part of that pipeline, as if it ran alone, and applies to its runs only. What a run sets
ends with the run.
"""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import dataclass, field
from typing import Any

_UNSET = object()


@dataclass(frozen=True)
class ProcessState:
    """A copy of the state."""

    environment: dict[str, str]
    folder: str
    filters: list[Any]
    root_level: int
    root_handlers: list[logging.Handler]
    disabled_below: int
    loggers: dict[str, tuple[bool, int, bool]]
    """Whether it is disabled, its level and whether it propagates, by name."""
    style: dict[str, Any]
    """matplotlib's rcParams."""

    @classmethod
    def now(cls) -> ProcessState:
        """Return the current state."""
        root = logging.getLogger()
        return cls(
            dict(os.environ), os.getcwd(), list(warnings.filters), root.level, root.handlers[:],  # noqa: PTH109
            root.manager.disable, {name: _settings(logger) for name, logger in _loggers()}, _style(),
        )  # fmt: skip

    def restore(self) -> None:
        """Make this the current state; what it does not know stays."""
        if dict(os.environ) != self.environment:
            os.environ.clear()
            os.environ.update(self.environment)
        os.chdir(self.folder)
        _set_filters(self.filters)
        root = logging.getLogger()
        root.handlers[:] = self.root_handlers
        root.setLevel(self.root_level)
        logging.disable(self.disabled_below)
        for name, logger in _loggers():
            _apply(logger, self.loggers.get(name, (False, logger.level, logger.propagate)))
        _set_style(self.style)

    def changes_to(self, later: ProcessState) -> Changes:
        """Return what differs in a later state."""
        names = self.environment.keys() | later.environment.keys()
        return Changes(
            environment={
                name: later.environment.get(name)
                for name in names
                if self.environment.get(name) != later.environment.get(name)
            },
            filters=[item for item in later.filters if item not in self.filters],
            root_level=later.root_level if later.root_level != self.root_level else None,
            root_handlers=[one for one in later.root_handlers if one not in self.root_handlers],
            disabled_below=later.disabled_below if later.disabled_below != self.disabled_below else None,
            loggers={name: value for name, value in later.loggers.items() if self.loggers.get(name) != value},
            style={
                name: value
                for name, value in later.style.items()
                if self.style and self.style.get(name, _UNSET) != value
            },
        )


@dataclass(frozen=True)
class Changes:
    """What loading a pipeline has set. None in `environment` stands for a variable that it removed."""

    environment: dict[str, str | None] = field(default_factory=dict)
    filters: list[Any] = field(default_factory=list)
    root_level: int | None = None
    root_handlers: list[logging.Handler] = field(default_factory=list)
    disabled_below: int | None = None
    loggers: dict[str, tuple[bool, int, bool]] = field(default_factory=dict)
    style: dict[str, Any] = field(default_factory=dict)

    def apply(self) -> None:
        """Set it again."""
        for name, value in self.environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _set_filters([*self.filters, *(item for item in warnings.filters if item not in self.filters)])
        root = logging.getLogger()
        root.handlers += [handler for handler in self.root_handlers if handler not in root.handlers]
        if self.root_level is not None:
            root.setLevel(self.root_level)
        if self.disabled_below is not None:
            logging.disable(self.disabled_below)
        for name, logger in _loggers():
            if name in self.loggers:
                _apply(logger, self.loggers[name])
        _set_style(self.style)


def _loggers() -> list[tuple[str, logging.Logger]]:
    known = logging.getLogger().manager.loggerDict
    return [(name, logger) for name, logger in list(known.items()) if isinstance(logger, logging.Logger)]


def _settings(logger: logging.Logger) -> tuple[bool, int, bool]:
    return logger.disabled, logger.level, logger.propagate


def _apply(logger: logging.Logger, settings: tuple[bool, int, bool]) -> None:
    if _settings(logger) != settings:
        logger.disabled, logger.propagate = settings[0], settings[2]
        logger.setLevel(settings[1])


def _style() -> dict[str, Any]:
    """Return the style without the backend, which matplotlib chooses at its first use."""
    import matplotlib  # tsdat imports it, too

    # dict.items, because reading rcParams["backend"] would choose one.
    return {name: value for name, value in dict.items(matplotlib.rcParams) if name != "backend"}


def _set_style(style: dict[str, Any]) -> None:
    import matplotlib

    params: Any = matplotlib.rcParams
    dict.update(params, style)  # the values are valid, and checking them again takes milliseconds


def _set_filters(filters: list[Any]) -> None:
    if warnings.filters != filters:
        warnings.filters[:] = filters  # type: ignore[index]
        warnings.simplefilter("ignore", _Never)  # the public way to clear Python's record of what it has shown
        del warnings.filters[0]  # type: ignore[attr-defined]


class _Never(Warning):
    """A warning that nobody gives."""
