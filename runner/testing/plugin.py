"""A pytest plugin for pipelines: send files through the complete path and compare the outputs.

    pytest_plugins = ["runner.testing"]          # in conftest.py, or pytest -p runner.testing

    def test_my_pipeline(drop, outputs):
        run = drop("data/samples/my_pipeline/my_site/file.csv")
        assert run["status"] == "succeeded", run["error"]
        assert_datasets_match(outputs(run, ".nc")[0], "tests/expected/my_site.nc")

`pytest --stack docker` runs the same tests in the image that is deployed, `pytest --emulator ministack` with another
emulator of S3 and SQS.
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
from runner.settings import EmulatorName, Settings
from runner.stack import docker_engine
from runner.template import stack_template
from runner.testing.docker_stack import DockerStack
from runner.testing.embedded_stack import EmbeddedStack
from runner.testing.stacks import Stack

Drop = Callable[..., RunRecord]
Outputs = Callable[..., list[Path]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose the backend and the emulator."""
    parser.addoption(
        "--stack",
        choices=["embedded", "docker"],
        default="embedded",
        help="backend on which `stack` and `drop` run pipelines",
    )
    parser.addoption("--emulator", choices=list(EmulatorName), help="what plays S3 and SQS in stacks of tests")


def pytest_configure(config: pytest.Config) -> None:
    """Let the option --emulator choose for every stack that a test starts."""
    if emulator := config.getoption("--emulator"):
        os.environ["EMULATOR"] = emulator


def require_docker() -> None:
    """Skip the test if Docker cannot be used; on CI, fail it."""
    reason = docker_engine.unavailable_reason()
    if reason and os.environ.get("CI"):
        pytest.fail(f"CI must run the Docker tests, but {reason}")
    if reason:
        pytest.skip(f"needs Docker: {reason}")


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a stack for the session, independent of any other stack on this machine."""
    data = tmp_path_factory.mktemp("stack")
    if request.config.getoption("--stack") == "docker":
        require_docker()
        running: Stack = DockerStack(data)
    else:
        running = EmbeddedStack(data)
    yield running
    running.stop()


@pytest.fixture
def ingest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Path]]:
    """`ingest(*files)`: run the pipeline on the file system only, like `runner ingest`; return the files it wrote."""
    from runner.cli.local_runs import run_pipelines

    settings = replace(Settings.from_env({}), data=tmp_path)
    monkeypatch.setenv("TSDAT_STORAGE_ROOT", str(settings.outputs))
    monkeypatch.chdir(settings.root)

    def run(*files: str | Path) -> list[Path]:
        if run_pipelines(settings, [Path(file) for file in files], clump=False, multidispatch=False):
            pytest.fail(f"a pipeline failed on {', '.join(map(str, files))}; the output above has its traceback")
        return sorted(path for path in settings.outputs.rglob("*") if path.is_file())

    return run


@pytest.fixture
def invoke(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """`invoke(event, files)`: upload files to the source bucket and call the handler with an event, in this process.

    The event is a dict or a JSON file; `files` maps keys to files. Breakpoints in pipelines work as in any test.
    """
    template = stack_template.load_for(Settings.from_env({}))
    variables = {**template.environment, **clients.local_environment(stack.endpoint_url), "HOME": os.environ["HOME"]}
    for name in filter(clients.leads_away, list(os.environ)):
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(Settings.from_env({}).root)

    def call(event: Mapping[str, Any] | str | Path, files: Mapping[str, str | Path]) -> dict[str, Any]:
        from runner.function.handler import handler

        s3 = clients.local_s3(stack.endpoint_url)
        for key, file in files.items():
            upload(s3, template.source_bucket, key, Path(file), sha256_of(Path(file)))
        payload = json.loads(Path(event).read_text()) if isinstance(event, str | Path) else dict(event)
        return handler(payload, SimpleNamespace(aws_request_id="invoked-by-a-test"))

    return call


@pytest.fixture
def drop(stack: Stack) -> Drop:
    """`drop(file, key=None)`: copy a file into the inbox and wait for its run record.

    The default key is the path below data/samples, or the part of the path that starts with a pipeline's name. For an
    unchanged file that was dropped before, return the earlier record: the stack does not run it again.
    """
    settings = Settings.from_env({})
    pipelines = sorted({route.pipeline for route in routing.load(settings.root).routes})

    def drop_file(file: str | Path, key: str | None = None, patience_s: float = 120.0) -> RunRecord:
        path = Path(file)
        key = key or default_key(path, [settings.root / "data" / "samples"], pipelines)
        target = stack.inbox / key
        before = stack.finished(key)
        if before and target.exists() and filecmp.cmp(path, target, shallow=False):
            # An older version of the file may have been closed as replaced since.
            return next((run for run in reversed(before) if run.outcome != "skipped"), before[-1]).record
        stack.put(path, key)
        return stack.final(key, len(before) + 1, patience_s).record

    return drop_file


@pytest.fixture
def outputs(stack: Stack) -> Outputs:
    """`outputs(run, suffix="")`: return a run's output files, of one type or all."""

    def files(record: RunRecord, suffix: str = "") -> list[Path]:
        paths = [stack.outputs / output["key"] for output in record["outputs"]]
        return [path for path in paths if path.name.endswith(suffix)]

    return files
