"""Bad archives on the whole path: each fails for good with its reason, and nothing is written elsewhere."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from runner.aws import clients, emulator_api
from runner.services import provisioner
from runner.services.event_source_mapping.rie_client import Emulator
from runner.stack import lambda_process, ports
from runner.stack.emulators.localstack import LocalStack
from runner.stack.supervisor import Supervisor
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually
from tests.support import noop
from tests.support.bad_archives import MIB, PACKERS, encrypted, many, tarred, zipped
from tests.support.noop import Function

NAME = "buoy.z05.00.20201201.000000"
UNSAFE = "It is not read; make it again"


@cache
def bad() -> dict[str, tuple[bytes, str]]:
    """Archives and what has to be said of them; to make them takes seconds."""
    gz = PACKERS["gz"]
    return {
        "entries.zip": (zipped(*many(100_000)), "has more than 10000 entries (ARCHIVE_MAX_ENTRIES in template.yaml)"),
        "bomb.zip": (
            zipped(("x.rh.csv", bytes(80 * MIB))),
            "unpacks to more than 200 times its size, as a zip bomb does",
        ),
        "bomb.tar.gz": (gz(tarred(("x.rh.csv", bytes(80 * MIB)))), "unpacks to more than 200 times its size"),
        "up.zip": (
            zipped(("../../escaped.rh.csv", b"x")),
            f"leads out of its folder, '../../escaped.rh.csv'. {UNSAFE}",
        ),
        "absolute.tar": (tarred(("/tmp/escaped.rh.csv", b"x")), f"an absolute path, '/tmp/escaped.rh.csv'. {UNSAFE}"),
        "link.tar": (tarred(("a.rh.csv", b""), kind=tarfile.SYMTYPE, target="/etc"), f"a link, 'a.rh.csv'. {UNSAFE}"),
        "secret.zip": (encrypted(zipped(("a.rh.csv", b"x"))), f"an encrypted file, 'a.rh.csv'. {UNSAFE}"),
        "torn.tar.gz": (gz(tarred(("a.rh.csv", b"x")))[:-20], "cannot be read as a gz archive"),
    }


def escaped(folder: Path) -> list[Path]:
    """What an archive would have written, in a folder or the system's own for temporary files."""
    return [*folder.rglob("escaped*"), *Path("/tmp").glob("escaped*"), *Path.cwd().glob("**/escaped*")]


def test_each_bad_archive_fails_for_good_with_its_reason(stack: Stack):
    for name, (content, _) in bad().items():
        stack.put(content, f"a2e_buoy_ingest/archives/{NAME}.{name}")
    for name, (_, reason) in bad().items():
        run = stack.final(f"a2e_buoy_ingest/archives/{NAME}.{name}", patience_s=90)
        assert (run.outcome, run.attempt) == ("dead-lettered", 3)
        error = run.record["error"]
        assert error is not None
        assert (error["type"], error["phase"]) == ("ArchiveError", "inspect")
        assert error["message"].startswith(f"{NAME}.{name} ")
        assert reason in error["message"]
    assert not escaped(stack.data)


# What no pipeline should do, and some do.
TRUSTING = """
import tarfile, tempfile
from tsdat import IngestPipeline

class NoOp(IngestPipeline):
    def run(self, inputs, **kwargs):
        with tarfile.open(inputs[0]) as archive:
            archive.extraction_filter = lambda member, _: member  # Python 3.11.2 takes no `filter` yet, and trusts all
            archive.extractall(tempfile.mkdtemp())
"""


@pytest.fixture
def function(tmp_path: Path, described: StackTemplate) -> Iterator[Function]:
    project, state = noop.project(tmp_path / "project", TRUSTING), tmp_path / "state"
    (state / "logs").mkdir(parents=True)
    endpoint_url, port = f"http://127.0.0.1:{ports.free_port()}", ports.free_port()
    limited = replace(described, environment={**described.environment, "ARCHIVE_MAX_ENTRIES": "3"})
    supervisor = Supervisor(print)
    supervisor.start(LocalStack().child(state, endpoint_url, state / "logs" / "localstack.log"))
    supervisor.start(lambda_process.child(1, port, project, state, limited, endpoint_url))
    try:
        eventually(lambda: emulator_api.is_healthy(endpoint_url), "LocalStack")
        provisioner.provision(clients.local_s3(endpoint_url), clients.local_sqs(endpoint_url), described)
        yield Function(Emulator(f"http://127.0.0.1:{port}"), described.source_bucket, endpoint_url, 60)
    finally:
        supervisor.stop(kill=["LocalStack"])


def test_a_pipeline_that_trusts_its_input_is_protected_too(function: Function, tmp_path: Path):
    """Also by limits that are set in the function's environment."""
    assert function.run("fine", tarred(("a", b"x"))).kind == "answered"
    for name, content, reason in (
        ("up", tarred(("../../../escaped", b"x")), "leads out of its folder, '../../../escaped'"),
        ("link", tarred(("link", b""), kind=tarfile.SYMTYPE, target=str(tmp_path)), "holds a link, 'link'"),
        ("four", tarred(*many(4)), "has more than 3 entries (ARCHIVE_MAX_ENTRIES in template.yaml)"),
    ):
        answer = function.run(name, content)
        assert answer.kind == "raised"
        assert reason in answer.error
    assert not escaped(tmp_path)
    leftovers = [path.name for path in (tmp_path / "state" / "lambda-1").iterdir()]
    assert set(leftovers) <= {"mpl", ".cache"}
