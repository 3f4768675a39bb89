"""LocalStack from its Python package: how to start it, and how to tell that it is there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runner.errors import StackError
from runner.settings import CHECKOUT
from runner.stack.supervisor import Child

if TYPE_CHECKING:
    pass

_ENTRYPOINT = Path(__file__).with_name("localstack_entrypoint.py")


def child(state: Path, endpoint_url: str, log: Path) -> Child:
    """LocalStack as a child process, listening on the endpoint and nowhere else, with an empty home of its own.

    Raises:
        StackError: it is not installed.
    """
    interpreter = CHECKOUT / ".venv-localstack/bin/python"
    if not interpreter.exists():
        raise StackError(f"LocalStack is not installed: there is no {interpreter}. scripts/setup makes it.")
    home = state / "localstack"
    tmp = home / "tmp"  # the home keeps a cache that saves 0.2 s; the rest is waste, it can take nothing up again
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(parents=True)
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(tmp),
        "SERVICES": "s3,sqs,sts",
        "GATEWAY_LISTEN": urlsplit(endpoint_url).netloc,
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "OVERRIDE_IN_DOCKER": "0",  # in a container it else believes to be in its own image
        "DNS_ADDRESS": "0",  # no name server of its own
        "LS_LOG": "warn",
    }
    argv: list[str | Path] = [
        interpreter,
        "-P",  # else this folder would be searched for modules, and has a localstack.py
        _ENTRYPOINT,
    ]
    return Child("LocalStack", argv, env, log=log, cwd=home)
