from pathlib import Path

from runner.settings import Settings
from runner.stack import debugger
from runner.template import stack_template

DESCRIBED = stack_template.load(Path("template.yaml"))
PLAIN = Settings.from_env({"LAMBDA_CONCURRENCY": "3"})
DEBUG = Settings.from_env({"LAMBDA_CONCURRENCY": "3", "RUNNER_DEBUG": "true", "RUNNER_DEBUG_PORT": "5679"})


def test_without_debugging_nothing_changes():
    assert debugger.with_one_lambda(PLAIN) == PLAIN
    assert stack_template.with_debug_timeout(DESCRIBED, PLAIN) == DESCRIBED
    assert debugger.python_arguments(PLAIN) == ["-m"]
    assert debugger.hint(PLAIN) == ""


def test_when_debugging_there_is_one_lambda_with_a_timeout_of_an_hour():
    assert debugger.with_one_lambda(DEBUG).concurrency == 1
    assert stack_template.with_debug_timeout(DESCRIBED, DEBUG).function_timeout_s == 3600
    assert stack_template.with_debug_timeout(DESCRIBED, DEBUG).visibility_timeout_s == DESCRIBED.visibility_timeout_s


def test_debugger_listens_on_loopback_and_the_hint_names_the_port():
    assert debugger.python_arguments(DEBUG)[-3:] == ["--listen", "127.0.0.1:5679", "-m"]
    assert "127.0.0.1:5679" in debugger.hint(DEBUG)
