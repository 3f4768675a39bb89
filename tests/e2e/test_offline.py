"""After setup, nothing but deployment needs a network: commands run in a network namespace that has only loopback."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.testing.stacks import environment
from tests.support.stacks import TIDE

# Turns the loopback interface on (netdevice(7)), then becomes the command.
LOOPBACK = (
    "import fcntl, os, socket, struct, sys\n"
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 1))\n"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
NAMESPACE = ("unshare", "--map-root-user", "--net", sys.executable, "-c", LOOPBACK)


def offline(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command without a network."""
    argv = [*NAMESPACE, *map(str, command)]
    return subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=150, check=False)


@pytest.fixture(scope="module", autouse=True)
def namespace() -> None:
    if not shutil.which("unshare") or offline("true").returncode:
        pytest.skip("this machine does not allow a network namespace")


def test_the_namespace_has_no_route():
    program = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
    assert "Network is unreachable" in offline(sys.executable, "-c", program).stderr


def test_the_demo_and_a_file_through_the_path(tmp_path: Path):
    done = offline("scripts/demo")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("✔ succeeded") == 2
    done = offline(sys.executable, "-m", "runner", "run", TIDE, "--data", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "✔ succeeded" in done.stdout


def test_the_tests_of_a_pipeline():
    done = offline(
        sys.executable,
        "-m",
        "pytest",
        "tests/test_stack.py",
        "-k",
        "tide_gauge and not docker",
        "-p",
        "no:cacheprovider",
    )
    assert done.returncode == 0, done.stdout
