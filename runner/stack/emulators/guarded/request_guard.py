"""Decides whether a request may reach an emulator: no web page may, and no one may control the emulator over HTTP.

An emulator on 127.0.0.1 is within reach of every page that a browser on this machine shows. Browsers name the page in
`Origin` or `Sec-Fetch-Site`. A page whose own name resolves to 127.0.0.1 (DNS rebinding) shows in `Host`. Programs send
neither of the first two, and a local `Host`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

# Paths that begin with an underscore belong to an emulator, not to AWS: no bucket name does. The stack uses these.
_OPEN = ("/_localstack/health", "/_ministack/health", "/_ministack/sqs/messages", "/_aws/sqs/messages")
# LocalStack returns queue URLs with this name, which resolves to 127.0.0.1.
_NAMES = ("localhost", "localhost.localstack.cloud")


def refusal(
    method: str, path: str, header: Callable[[str], str | None], more_hosts: Collection[str] = ()
) -> str | None:
    """Return why a request is refused; None if it is not.

    Args:
        method: the HTTP method.
        path: the decoded path.
        header: returns a header's value by its name, None if there is none.
        more_hosts: names of this machine in addition to those of the loopback interface.
    """
    host, origin, site = header("host") or "", header("origin"), header("sec-fetch-site")
    if not _is_local(host, more_hosts):
        return _text(f"Host is {host!r}, not this machine")
    if origin is not None and origin.partition("://")[2] != host:
        return _text(f"a web page sent it (Origin: {origin})")
    if site not in (None, "same-origin", "none"):
        return _text(f"a web page sent it (Sec-Fetch-Site: {site})")
    first = "/" + path.lstrip("/")
    if first.startswith("/_") and not (method in ("GET", "HEAD") and _is_open(first)):
        return _text(f"{method} {path} controls the emulator")
    return None


def _is_open(path: str) -> bool:
    return any(path == known or path.startswith(f"{known}/") for known in _OPEN)


def _is_local(host: str, more_hosts: Collection[str]) -> bool:
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if name in more_hosts or any(name == known or name.endswith(f".{known}") for known in _NAMES):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _text(reason: str) -> str:
    who = "Only programs on this machine may use it"
    return f"The local stack refuses this request: {reason}. {who}; see docs/security.md.\n"
