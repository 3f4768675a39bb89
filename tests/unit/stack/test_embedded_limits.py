import os
import subprocess
import textwrap

import pytest

from runner.stack import lambda_python


def in_a_process(program: str) -> list[str]:
    """Run a program whose process has the limits, and return the lines that it prints."""
    text = "from runner.stack import embedded_limits\nembedded_limits.apply()\n" + textwrap.dedent(program)
    command = [lambda_python.INTERPRETER, "-c", text]
    environment = {**os.environ, "PYTHONPATH": str(lambda_python.CHECKOUT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_locks_queues_and_pools_of_multiprocessing_fail_as_without_shared_memory():
    assert in_a_process("""
        import multiprocessing
        for make in (multiprocessing.Lock, multiprocessing.Queue, multiprocessing.Pool):
            try: make()
            except OSError as error: print(error)
        print(multiprocessing.Pipe()[0].closed)
    """) == ["[Errno 38] Function not implemented"] * 3 + ["False"]


def test_descriptors_end_at_1024():
    assert in_a_process("""
        files = []
        try:
            while True: files.append(open("/dev/null"))
        except OSError as error: print(error.strerror, 1000 < len(files) < 1024)
    """) == ["Too many open files True"]


@pytest.mark.skipif(bool(lambda_python.notice()), reason="Python before 3.13 does not report the start of a thread")
def test_threads_and_processes_end_at_1024():
    assert in_a_process("""
        import subprocess, threading
        threading.stack_size(65536)
        end = threading.Event()
        child = subprocess.Popen(["sleep", "9"])
        threads = []
        try:
            while True:
                threads.append(threading.Thread(target=end.wait))
                threads[-1].start()
        except RuntimeError as error: print(error, len(threads))
        try: subprocess.Popen(["true"])
        except BlockingIOError as error: print(error.strerror)
        end.set()
        for thread in threads[:-1]: thread.join()
        print(subprocess.run(["echo", "again"], capture_output=True, text=True).stdout.strip())
        child.kill()
    """) == ["can't start new thread 1024", "Resource temporarily unavailable", "again"]
