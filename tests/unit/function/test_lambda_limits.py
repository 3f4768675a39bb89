import errno
import subprocess
import sys

import pytest

from runner.function import lambda_limits
from runner.function.isolation import TemporaryFolder, isolated


@pytest.mark.parametrize(
    ("error", "free", "text"),
    [
        (OSError(errno.ENOSPC, "No space left"), 10**9, "/tmp is full: EphemeralStorage in template.yaml"),
        (RuntimeError("NetCDF: HDF error"), 0, "/tmp is full: EphemeralStorage in template.yaml sets its size."),
        (RuntimeError("NetCDF: HDF error"), 10**9, None),
        (OSError(errno.EROFS, "Read-only", "/var/task/x"), 10**9, "read-only but for /tmp; /var/task/x cannot"),
        (PermissionError(errno.EACCES, "denied", "/etc/x"), 10**9, "no process runs as root; /etc/x cannot be used"),
        (PermissionError(errno.EACCES, "denied", "/tmp/x"), 10**9, None),
        (MemoryError(), 10**9, "MemorySize in template.yaml is 2048 MB."),
        (OSError(errno.EMFILE, "Too many open files", "/tmp/x"), 10**9, "Lambda allows 1,024 open files. Close each"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), 10**9, "1,024 processes and threads."),
        (RuntimeError("can't start new thread"), 10**9, "Use a pool with fewer workers."),
        (ValueError("torn"), 10**9, None),
    ],
)  # fmt: skip
def test_each_limit_is_reported_with_its_property(error: Exception, free: int, text: str | None):
    outer = KeyError("tsdat's own")
    outer.__cause__ = error
    for shown in (error, outer):
        reached = lambda_limits.reached(shown, "/tmp", free, "2048")
        assert (reached is None) if text is None else (text in (reached or ""))


def test_missing_shared_memory_is_named_with_what_works():
    program = (
        "import multiprocessing\n"
        "from runner.function import lambda_limits\n"
        "from runner.stack import embedded_limits\n"
        "embedded_limits.apply()\n"
        "try: multiprocessing.Pool()\n"
        "except OSError as error: print(lambda_limits.reached(error, '/tmp', 10**9, '2048'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "Lambda has no /dev/shm, so multiprocessing has no locks, queues and pools there. Use "
        "concurrent.futures.ThreadPoolExecutor.\n"
    )


def test_nested_folders_note_a_limit_once():
    with pytest.raises(MemoryError) as raised, TemporaryFolder(), isolated([]), TemporaryFolder():
        raise MemoryError
    assert [text.partition(" ")[0] for text in raised.value.__notes__] == ["Limit:"]
    assert "MemorySize" in lambda_limits.note_of(raised.value)


def test_only_a_run_that_exceeds_its_memory_has_a_warning():
    assert lambda_limits.memory_warning(100, 2100.4, 2048) == (
        "used 2100 MB; MemorySize in template.yaml is 2048 MB: on AWS this run is killed."
    )
    assert lambda_limits.memory_warning(2100, 2100, 2048) is None
    assert lambda_limits.memory_warning(100, 2000, 2048) is None
