import re
from types import SimpleNamespace

import pytest

from runner.stack import lambda_description


def test_log_and_arn_are_those_of_the_function(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "buoys")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    for name in ("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"):
        monkeypatch.setenv(name, "of the emulator")
    lambda_description.set_variables()
    context = SimpleNamespace(invoked_function_arn="arn:aws:lambda:us-east-1:012345678912:function:buoys")
    lambda_description.correct(context)
    assert context.invoked_function_arn == "arn:aws:lambda:us-west-2:000000000000:function:buoys"
    assert lambda_description.os.environ["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/buoys"
    stream = lambda_description.os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
