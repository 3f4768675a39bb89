"""LocalStack from its Python package, which has its own virtual environment."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit

from runner.errors import StackError
from runner.settings import CHECKOUT
from runner.stack.child import Child
from runner.stack.emulators.contract import AwsEmulator

_INTERPRETER = CHECKOUT / ".venv-localstack/bin/python"
_ENTRYPOINT = Path(__file__).with_name("guarded") / "localstack_entrypoint.py"


class LocalStack(AwsEmulator):
    """LocalStack with S3, SQS and STS, and with an empty home directory."""

    name = "LocalStack"
    enforces_rights = False
    has_triggers = False

    def child(self, state: Path, endpoint_url: str, log: Path) -> Child:
        """Describe its process; clear the files of an earlier one."""
        if not _INTERPRETER.exists():
            raise StackError(f"LocalStack is not installed: {_INTERPRETER} does not exist. Run scripts/setup.")
        home = state / "localstack"
        tmp = home / "tmp"  # the home holds a cache that saves 0.2 s; LocalStack cannot resume from the rest
        shutil.rmtree(tmp, ignore_errors=True)
        tmp.mkdir(parents=True)
        return Child(self.name, [_INTERPRETER, _ENTRYPOINT], _environment(home, tmp, endpoint_url), log=log, cwd=home)


def _environment(home: Path, tmp: Path, endpoint_url: str) -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(tmp),
        "SERVICES": "s3,sqs,sts",
        "GATEWAY_LISTEN": urlsplit(endpoint_url).netloc,
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "OVERRIDE_IN_DOCKER": "0",  # otherwise it assumes its own image when it runs in a container
        "DNS_ADDRESS": "0",  # no DNS server
        "LS_LOG": "warn",
    }
