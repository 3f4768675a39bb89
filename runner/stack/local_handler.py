"""The handler of both local backends: the one that ships, with the user's edits applied before each invocation.

The embedded runtime imports it by name. For Docker, `docker_compose.prepare` copies it into the volume that
compose.yaml mounts as runner/stack, a folder that the image does not have.
"""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import RoutingError
from runner.function import pipeline, routing
from runner.messages import redaction
from runner.stack import lambda_description, role_session
from runner.stack.hot_reload import SourceFinder, Watch

ROOT = Path(os.environ["LAMBDA_TASK_ROOT"])

lambda_description.set_variables()

role_session.await_credentials(role_session.FOLDER)
role = role_session.RoleSession(role_session.FOLDER)
role.begin()
role.watch_calls()  # before any client is created
watch = Watch(ROOT)  # first: the function reads the routes when it is imported
modules = SourceFinder(ROOT)
sys.meta_path.insert(0, modules)

from runner.function import handler as function  # noqa: E402


@dataclass(frozen=True)
class InvalidRoutes(routing.Routes):
    """Routes that an edit broke: each file fails with the reason, until the next edit."""

    reason: str = ""

    def match(self, key: str) -> routing.Route:
        """Raise RoutingError."""
        raise RoutingError(self.reason)

    def named(self, config: str) -> routing.Route:
        """Raise RoutingError."""
        raise RoutingError(self.reason)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Apply edits, then call the function's handler with the role's credentials."""
    lambda_description.correct(context)
    if role.begin():
        pipeline.built.clear()  # the storages in it have clients
        function.SECRETS.update(redaction.secrets_in(os.environ))
    if watch.changed():
        reload()
    return role.explain(function.handler(event, context))


def reload() -> None:
    """Drop the project's modules, the pipelines built from them and the routes."""
    pipeline.built.clear()
    modules.forget_modules()
    gc.unfreeze()  # otherwise the old classes are never collected
    try:
        function.routes = routing.load(ROOT)
    except RoutingError as error:
        function.routes = InvalidRoutes((), reason=str(error))
