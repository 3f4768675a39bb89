"""Health: what template.yaml says, the logs, and the reconciler's answer."""

import json
from pathlib import Path

from tests.support.live_page import add_run, served
from tests.support.stacks import SHIPPED


def test_the_template_and_the_logs_are_shown(tmp_path: Path):
    logs = tmp_path / "state/logs"
    logs.mkdir(parents=True)
    (logs / "lambda-1.log").write_text("<script>alert(1)</script>")
    (tmp_path / "secret.log").write_text("secret")
    with served(tmp_path) as site:
        found = site.json("/health.json")
        assert "starting, or stopped" in site.text("/health")
        status, headers, body = site.ask("/logs/lambda-1.log")
        outside = [site.ask(f"/logs/{name}")[0] for name in ("..%2f..%2fsecret.log", "secret.log", "../secret.log")]
    assert found["template"]["function timeout"] == f"{SHIPPED.function_timeout_s} s"
    assert found["template"]["attempts"] == str(SHIPPED.max_receive_count)
    assert found["logs"] == ["lambda-1.log"]
    assert found["stack"]["ready"] is False
    assert (status, headers["content-type"], body) == (200, "text/plain; charset=utf-8", b"<script>alert(1)</script>")
    assert outside == [404, 404, 404]


def test_the_reconciler_answers_without_a_stack_but_not_without_the_token(tmp_path: Path):
    add_run(tmp_path, "a/1.csv", "skipped", reason="no rows")
    with served(tmp_path) as site:
        assert site.ask("/health/reconcile.json", "POST")[0] == 403
        assert site.ask("/health/reconcile.json")[0] == 405
        status, _, body = site.post("/health/reconcile.json")
    found = json.loads(body)
    assert (status, found["unaccounted"], found["accounted"]["skipped"]) == (200, [], 1)
