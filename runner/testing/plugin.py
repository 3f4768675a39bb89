"""A pytest plugin for pipelines: send files through the whole path and compare what comes out.

    pytest_plugins = ["runner.testing"]          # in conftest.py, or pytest -p runner.testing

    def test_my_pipeline(drop, outputs):
        run = drop("data/samples/my_pipeline/my_site/file.csv")
        assert run["status"] == "succeeded", run["error"]
        assert_datasets_match(outputs(run, ".nc")[0], "tests/expected/my_site.nc")

`pytest --stack docker` runs the same tests in the image that is deployed.
"""

from __future__ import annotations

import filecmp
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.aws import clients
from runner.aws.s3 import sha256_of, upload
from runner.cli.submit import default_key
from runner.function import routing
from runner.messages.run_record import RunRecord
from runner.settings import Settings
from runner.stack import docker_compose
from runner.template import stack_template
from runner.testing.stacks import DockerStack, EmbeddedStack, Stack

Drop = Callable[..., RunRecord]
Outputs = Callable[..., list[Path]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line choose the backend."""
    parser.addoption(
        "--stack", choices=["embedded", "docker"], default="embedded", help="where `stack` and `drop` run pipelines"
    )


def require_docker() -> None:
    """Skip the test where Docker cannot be used; on CI that is a failure."""
    reason = docker_compose.why_not()
    if reason and os.environ.get("CI"):
        pytest.fail(f"CI has to run the Docker tests, but {reason}")
    if reason:
        pytest.skip(f"needs Docker: {reason}")


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own for the whole session; it disturbs no other one and needs none."""
    data = tmp_path_factory.mktemp("stack")
    if request.config.getoption("--stack") == "docker":
        require_docker()
        made: Stack = DockerStack(data)
    else:
        made = EmbeddedStack(data)
    yield made
    made.stop()


@pytest.fixture
def ingest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Path]]:
    """`ingest(*files)`: run the pipeline on the file system alone, as `runner ingest` does; gives the files it made."""
    from runner.cli.local_runs import run_pipelines

    settings = replace(Settings.from_env({}), data=tmp_path)
    monkeypatch.setenv("TSDAT_STORAGE_ROOT", str(settings.outputs))
    monkeypatch.chdir(settings.root)

    def run(*files: str | Path) -> list[Path]:
        if run_pipelines(settings, [Path(file) for file in files], clump=False, multidispatch=False):
            pytest.fail(f"a pipeline failed on {', '.join(map(str, files))}; its traceback is in the output above")
        return sorted(path for path in settings.outputs.rglob("*") if path.is_file())

    return run


@pytest.fixture
def invoke(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """`invoke(event, files)`: put files into the source bucket and call the handler with an event, in this process.

    The event is a dict or a JSON file; `files` maps keys to files. Breakpoints in pipelines work as in any test.
    """
    described = stack_template.load(Settings.from_env({}).root / "template.yaml")
    variables = {**described.environment, **clients.local_environment(stack.endpoint_url), "HOME": os.environ["HOME"]}
    for name in filter(clients.leads_away, list(os.environ)):
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(Settings.from_env({}).root)

    def call(event: Mapping[str, Any] | str | Path, files: Mapping[str, str | Path]) -> dict[str, Any]:
        from runner.function.handler import handler

        s3 = clients.local_s3(stack.endpoint_url)
        for key, file in files.items():
            upload(s3, described.source_bucket, key, Path(file), sha256_of(Path(file)))
        payload = json.loads(Path(event).read_text()) if isinstance(event, str | Path) else dict(event)
        return handler(payload, SimpleNamespace(aws_request_id="invoked-by-a-test"))

    return call


@pytest.fixture
def drop(stack: Stack) -> Drop:
    """`drop(file, key=None)`: copy a file into the inbox and wait for its run record.

    The key is the path below data/samples, or from the pipeline's name on. A file that was dropped before and is the
    same gives its earlier record: the stack does not run it again.
    """
    settings = Settings.from_env({})
    pipelines = sorted({route.pipeline for route in routing.load(settings.root).routes})

    def drop_file(file: str | Path, key: str | None = None, patience_s: float = 120.0) -> RunRecord:
        path = Path(file)
        key = key or default_key(path, [settings.root / "data" / "samples"], pipelines)
        target = stack.inbox / key
        before = stack.ended(key)
        if before and target.exists() and filecmp.cmp(path, target, shallow=False):
            return before[-1].record
        stack.put(path, key)
        return stack.final(key, len(before) + 1, patience_s).record

    return drop_file


@pytest.fixture
def outputs(stack: Stack) -> Outputs:
    """`outputs(run, suffix="")`: the files that a run made, in the outputs folder, of one type or all."""

    def files(record: RunRecord, suffix: str = "") -> list[Path]:
        run = next(run for run in stack.history.runs() if run.record == record)
        return [path for path in stack.mirrored(run) if path.name.endswith(suffix)]

    return files
