"""Only a browser on this machine that shows the page itself is answered, and no script runs inline."""

from pathlib import Path

import pytest

from runner.web.request_policy import is_token, refusal
from tests.support.live_page import served

HOST = {"host": "127.0.0.1:8780"}


@pytest.mark.parametrize("host", ["127.0.0.1:8780", "localhost:8780", "[::1]:8780", "127.0.0.1"])
def test_names_of_this_machine_are_answered(host: str):
    assert refusal("GET", {"host": host}) is None
    assert refusal("POST", {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8780", "127.0.0.1.evil.example", "", "[::1", "10.0.0.5"]
)
def test_a_name_that_only_resolves_to_this_machine_is_refused(host: str):
    assert refusal("GET", {"host": host}) == f"Host is {host!r}, not this machine"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:8780", "http://127.0.0.1:80", "http://localhost:8780"]
)
def test_a_page_elsewhere_is_refused(origin: str):
    for method in ("GET", "POST"):
        assert refusal(method, {**HOST, "origin": origin}) == f"a page elsewhere sent it (Origin: {origin})"


def test_a_foreign_page_may_only_link_here():
    foreign = {**HOST, "sec-fetch-site": "cross-site"}
    assert refusal("GET", {**foreign, "sec-fetch-mode": "navigate"}) is None
    assert "Sec-Fetch-Site: cross-site" in str(refusal("GET", {**foreign, "sec-fetch-mode": "no-cors"}))
    assert "Sec-Fetch-Site: cross-site" in str(refusal("POST", {**foreign, "sec-fetch-mode": "navigate"}))


def test_a_token_is_compared_whole():
    assert is_token("abc", "abc")
    assert not is_token("ab", "abc")
    assert not is_token("é", "abc")


def test_every_answer_has_the_security_headers(tmp_path: Path):
    with served(tmp_path) as site:
        for path, status in {"/": 200, "/files.json": 200, "/static/page.css": 200, "/nothing": 404}.items():
            got, headers, _ = site.ask(path)
            assert got == status
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
        assert site.ask("/", Host="evil.example")[0] == 403
        assert site.ask("/files.json", Origin="http://evil.example")[0] == 403
        assert "<script>" not in site.text("/")
