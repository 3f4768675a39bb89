import subprocess
from pathlib import Path

from runner.stack import stray_processes


def started(task_root: Path) -> subprocess.Popen[bytes]:
    environment = {"LAMBDA_TASK_ROOT": str(task_root)}
    return subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True)


def test_only_processes_of_this_stack_end(tmp_path: Path):
    own, other = started(tmp_path / "one"), started(tmp_path / "one-more")
    try:
        stray_processes.end(tmp_path / "one")
        assert own.wait(5) == -9
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
