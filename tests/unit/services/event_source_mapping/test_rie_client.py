import socket

import pytest

from runner.services.event_source_mapping.rie_client import Emulator, classify, replicas


@pytest.mark.parametrize(
    ("status", "body", "kind", "error"),
    [
        (200, b'{"batchItemFailures": []}', "answered", ""),
        (200, b"null", "answered", ""),
        (
            200,
            b'{"errorMessage": "no such column", "errorType": "KeyError", "stackTrace": ["  File x\\n"]}',
            "raised",
            "KeyError: no such column",
        ),
        (
            200,
            b"Task timed out after 3.00 seconds",
            "timed out",
            "Task timed out after 3.00 seconds: Timeout in template.yaml is 3. Raise it",
        ),
        (502, b"", "died", "The Lambda's runtime died during the run (status 502: no text)."),
        (200, b"what is this", "died", "(status 200: what is this)"),
        (502, b'{"errorType": "Runtime.ExitError", "errorMessage": "exit status 1"}', "raised", "Runtime.ExitError"),
        # Its answer when the kernel kills the runtime that used too much memory.
        (
            502,
            b'{"errorType":"Runtime.ExitError","errorMessage":"Error: Runtime exited with error: signal: killed"}',
            "died",
            "most likely because it used more than MemorySize (2048 MB) in template.yaml. Raise it",
        ),
    ],
)
def test_each_kind_of_answer_is_recognized(status: int, body: bytes, kind: str, error: str):
    answer = classify(status, body, 3, 2048)
    assert answer.kind == kind
    assert error in answer.error


def test_an_emulator_that_does_not_answer_is_unreachable():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        emulator = Emulator(f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert not emulator.is_up()
    answer = emulator.invoke({}, timeout_s=1)
    assert answer.kind == "unreachable"
    assert answer.error.startswith(f"No Lambda answers at {emulator.url}")


def test_an_emulator_that_closes_the_connection_has_died():
    with socket.create_server(("127.0.0.1", 0)) as server:
        import threading

        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        answer = Emulator(f"http://127.0.0.1:{server.getsockname()[1]}").invoke({}, timeout_s=1)
        thread.join()
    assert answer.kind == "died"
    assert answer.error.startswith("The Lambda emulator died during the run (")


def test_a_url_has_one_replica_for_each_address_of_its_host():
    assert replicas("http://127.0.0.1:9001") == [Emulator("http://127.0.0.1:9001")]
    assert replicas("http://no-such-service.invalid:8080") == []
