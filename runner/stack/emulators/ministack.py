"""MiniStack from its Python package, which has its own virtual environment."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit

from runner.aws import clients
from runner.errors import StackError
from runner.settings import CHECKOUT
from runner.stack.child import Child
from runner.stack.emulators.contract import AwsEmulator

_INTERPRETER = CHECKOUT / ".venv-ministack/bin/python"
_ENTRYPOINT = Path(__file__).with_name("guarded") / "ministack_entrypoint.py"


class MiniStack(AwsEmulator):
    """MiniStack with the services that template.yaml can use, and with IAM enforced."""

    name = "MiniStack"
    enforces_rights = True
    has_triggers = True

    def child(self, state: Path, endpoint_url: str, log: Path) -> Child:
        """Describe its process; clear the files of an earlier one."""
        if not _INTERPRETER.exists():
            raise StackError(f"MiniStack is not installed: {_INTERPRETER} does not exist. Run scripts/setup.")
        home = state / "ministack"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        return Child(self.name, [_INTERPRETER, _ENTRYPOINT], _environment(home, endpoint_url), log=log, cwd=home)


def _environment(home: Path, endpoint_url: str) -> dict[str, str]:
    parts = urlsplit(endpoint_url)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(home),
        "BIND_HOST": parts.hostname or "127.0.0.1",
        "GATEWAY_PORT": str(parts.port or 80),
        "SERVICES": "s3,sqs,sns,events,sts,iam",
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": clients.FAKE_IDENTITY["AWS_ACCESS_KEY_ID"],  # of the root user
        "AWS_SECRET_ACCESS_KEY": clients.FAKE_IDENTITY["AWS_SECRET_ACCESS_KEY"],
        "MINISTACK_REGION": clients.REGION,
        "MINISTACK_ACCOUNT_ID": clients.ACCOUNT,
        "PERSIST_STATE": "0",  # it would be saved at a clean stop only: objects could be there, and queues not
        "S3_PERSIST": "0",
        "DOCKER_HOST": "unix:///dev/null/none",  # it would remove containers of other MiniStacks
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }
