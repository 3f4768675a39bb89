"""The first process of a Lambda container, run outside of one; tests/e2e/test_parity.py has the containers."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.stack import lambda_container_init

MB = 1024 * 1024


def emulator(held_mb: int) -> subprocess.Popen[bytes]:
    """Return a process like the emulator: its child holds memory until its input is closed."""
    hold = f"import sys; x = b'x' * {held_mb * MB}; print('held', flush=True); sys.stdin.read()"
    parent = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {hold!r}]).returncode)"
    process = subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"held\n"
    return process


def test_descendants_are_counted_and_the_process_itself_is_not():
    with emulator(60) as process:
        (held,) = lambda_container_init.resident_bytes(process.pid).values()
        process.communicate()
    assert 60 * MB < held < 90 * MB
    assert not lambda_container_init.resident_bytes(process.pid)


def test_a_runtime_that_uses_too_much_is_killed_and_the_emulator_reports_it():
    with emulator(60) as process:
        assert lambda_container_init.enforce_memory(process, 40 * MB) == 256 - signal.SIGKILL


def test_a_runtime_below_the_limit_keeps_running():
    with emulator(20) as process:
        process.stdin.close()
        process.stdin = None
        assert lambda_container_init.enforce_memory(process, 80 * MB) == 0


@pytest.mark.parametrize(
    ("file", "text", "most"),
    [
        ("memory.max", "1048576\n", 1048576),
        ("memory.max", "max\n", sys.maxsize),
        ("memory/memory.limit_in_bytes", "2097152\n", 2097152),
        ("other", "", sys.maxsize),
    ],
)
def test_the_limit_is_read_from_cgroup_1_and_2(tmp_path: Path, file: str, text: str, most: int):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    assert lambda_container_init.container_limit_bytes(tmp_path) == most


def test_the_template_sets_variables_unless_the_container_overrides_them(tmp_path: Path):
    shutil.copyfile(lambda_container_init.__file__, tmp_path / "lambda_container_init.py")
    described = {"HOME": "/tmp", "LOG_LEVEL": "INFO", "AWS_LAMBDA_FUNCTION_TIMEOUT": "120", "UNITS": "SI"}
    (tmp_path / "environment.json").write_text(
        json.dumps({**described, "AWS_ENDPOINT_URL": "elsewhere", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "999999999"})
    )
    entrypoint = tmp_path / "entrypoint"
    show = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
    entrypoint.write_text(f"#!{sys.executable}\n{show}")
    entrypoint.chmod(0o755)
    start = f"import lambda_container_init as i; i._ENTRYPOINT = {str(entrypoint)!r}; i.main('a.b')"
    own = {"HOME": "/", "LOG_LEVEL": "", "AWS_LAMBDA_FUNCTION_TIMEOUT": "3600", "AWS_ENDPOINT_URL": "here"}
    command = [sys.executable, "-c", start]
    done = subprocess.run(command, env=own, cwd=tmp_path, capture_output=True, text=True, check=True)
    arguments, variables = json.loads(done.stdout)
    assert arguments == ["a.b"]
    assert {name: variables[name] for name in [*described, "AWS_ENDPOINT_URL"]} == {
        "HOME": "/tmp", "LOG_LEVEL": "INFO", "AWS_LAMBDA_FUNCTION_TIMEOUT": "3600", "UNITS": "SI",
        "AWS_ENDPOINT_URL": "here",
    }  # fmt: skip
