"""The function's role in a local Lambda: its temporary credentials, and a check of each call against its policies.

The local part of the stack writes both to files in a folder; the Lambda's process reads them. AWS passes credentials in
the environment, so this module puts them there. It runs in the image too, so it imports only what the image has.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.aws import clients
from runner.messages import policies
from runner.messages.policies import Call

FOLDER = Path(__file__).with_name("role")
"""Where the files are: a volume in a container; the embedded runtime sets another folder."""
RIGHTS, CREDENTIALS = "role.json", "credentials.json"
_VARIABLES = {
    "AccessKeyId": "AWS_ACCESS_KEY_ID", "SecretAccessKey": "AWS_SECRET_ACCESS_KEY", "SessionToken": "AWS_SESSION_TOKEN",
}  # fmt: skip


def await_credentials(folder: Path, patience_s: float = 60.0) -> None:
    """Wait for the first credentials, if the emulator enforces the role: it may still be starting."""
    deadline = time.monotonic() + patience_s
    rights = folder / RIGHTS
    if rights.exists() and json.loads(rights.read_text())["enforced"]:
        while not (folder / CREDENTIALS).exists() and time.monotonic() < deadline:
            time.sleep(0.02)


@dataclass
class RoleSession:
    """What the process of a Lambda knows of its role."""

    folder: Path
    refused: dict[Call, None] = field(default_factory=dict)
    """The calls since the last `begin` that the role does not allow, in their order."""
    _seen: int = 0
    _role: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> bool:
        """Prepare for an invocation; return whether there are new credentials."""
        self.refused.clear()
        file = self.folder / CREDENTIALS
        if not file.exists() or file.stat().st_mtime_ns == self._seen:
            return False
        self._seen = file.stat().st_mtime_ns
        found = json.loads(file.read_text())
        os.environ.update({variable: found[name] for name, variable in _VARIABLES.items()})
        clients.forget()
        return True

    def watch_calls(self) -> None:
        """Check the calls of every session that is created from now on."""
        import botocore

        rights = self.folder / RIGHTS
        if rights.exists():
            self._role = json.loads(rights.read_text())
            botocore.register_initializer(lambda session: session.register("provide-client-params", self._check))

    def _check(self, **event: Any) -> None:
        model = event["model"]
        region = os.environ.get("AWS_REGION", clients.REGION)
        service = model.service_model.signing_name
        for call in policies.calls_of(service, model.name, event["params"], region, clients.ACCOUNT):
            if not policies.allows(self._role["policies"].values(), call.action, call.arn):
                self.refused[call] = None

    def explain(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Add what the role does not allow to the run records of an answer."""
        for run in answer.get("runs", ()):
            run["warnings"] += [self._text(call) for call in self.refused]
        return answer

    def _text(self, call: Call) -> str:
        name = self._role["name"]
        return (
            f"AWS refuses {call.action} on {call.arn}: the function's role, {name} in template.yaml, does not allow "
            f"it. {policies.hint(call, name)}"
        )
