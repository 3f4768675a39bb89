from pathlib import Path

from runner.settings import Settings
from runner.stack import debugger
from runner.template import stack_template

DESCRIBED = stack_template.load(Path("template.yaml"))
PLAIN = Settings.from_env({"LAMBDA_CONCURRENCY": "3"})
DEBUG = Settings.from_env({"LAMBDA_CONCURRENCY": "3", "RUNNER_DEBUG": "true", "RUNNER_DEBUG_PORT": "5679"})


def test_without_a_debugger_nothing_changes():
    assert debugger.prepared(PLAIN) == PLAIN
    assert stack_template.patient(DESCRIBED, PLAIN) == DESCRIBED
    assert debugger.interpreter(PLAIN) == ["-m"]
    assert debugger.hint(PLAIN) == ""


def test_with_one_there_is_one_lambda_and_time_for_it():
    assert debugger.prepared(DEBUG).concurrency == 1
    assert stack_template.patient(DESCRIBED, DEBUG).function_timeout_s == 3600
    assert stack_template.patient(DESCRIBED, DEBUG).visibility_timeout_s == DESCRIBED.visibility_timeout_s


def test_the_debugger_listens_on_this_machine_only_and_the_user_is_told_where():
    assert debugger.interpreter(DEBUG)[-3:] == ["--listen", "127.0.0.1:5679", "-m"]
    assert "127.0.0.1:5679" in debugger.hint(DEBUG)
