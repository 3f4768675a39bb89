"""Which requests reach an emulator."""

from __future__ import annotations

import pytest

from runner.stack.emulators.guarded.request_guard import refusal


def decide(path: str = "/bucket/key", method: str = "GET", **headers: str) -> str | None:
    given = {"host": "127.0.0.1:4566"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return refusal(method, path, given.get, more_hosts=("emulator",))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "localhost:4566"},
        {"host": "[::1]:4566"},
        {"host": "127.9.9.9"},
        {"host": "bucket.localhost:4566"},
        {"host": "sqs.us-west-2.localhost.localstack.cloud:4566"},
        {"host": "emulator:4566"},
        {"origin": "http://127.0.0.1:4566", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
    ],
)
def test_programs_on_this_machine_are_served(headers: dict[str, str]):
    assert decide(**headers) is None


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"origin": "https://evil.example"}, "a web page sent it (Origin: https://evil.example)"),
        ({"origin": "null"}, "a web page sent it (Origin: null)"),
        ({"origin": "http://127.0.0.1:8000"}, "a web page sent it (Origin: http://127.0.0.1:8000)"),
        ({"sec_fetch_site": "cross-site"}, "a web page sent it (Sec-Fetch-Site: cross-site)"),
        ({"sec_fetch_site": "same-site"}, "a web page sent it (Sec-Fetch-Site: same-site)"),
        ({"host": "evil.example:4566"}, "Host is 'evil.example:4566', not this machine"),
        ({"host": "localhost.evil.example"}, "Host is 'localhost.evil.example', not this machine"),
        ({"host": "evillocalhost"}, "Host is 'evillocalhost', not this machine"),
        ({"host": "172.18.0.2:4566"}, "Host is '172.18.0.2:4566', not this machine"),
        ({"host": "[::1"}, "Host is '[::1', not this machine"),
        ({"host": ""}, "Host is '', not this machine"),
    ],
)
def test_web_pages_are_refused_with_the_reason(headers: dict[str, str], reason: str):
    assert decide(**headers) == (
        f"The local stack refuses this request: {reason}. Only programs on this machine may use it; see "
        "docs/security.md.\n"
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/_ministack/reset"),
        ("GET", "/_ministack/reset"),
        ("POST", "/_ministack/config"),
        ("POST", "//_ministack/reset"),
        ("POST", "/_localstack/health"),
        ("POST", "/_localstack/state/reset"),
        ("GET", "/_localstack/healthy"),
        ("DELETE", "/_aws/sqs/messages"),
        ("GET", "/_aws/lambda/x"),
    ],
)
def test_no_one_controls_an_emulator(method: str, path: str):
    assert f"{method} {path} controls the emulator" in (decide(path, method) or "")


@pytest.mark.parametrize("path", ["/_localstack/health", "/_ministack/sqs/messages", "/_aws/sqs/messages/a/b"])
def test_the_stack_may_read_health_and_queues(path: str):
    assert decide(path) is None
