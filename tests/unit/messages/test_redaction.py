"""Secrets are redacted in every text, and nothing else is."""

import io
import logging
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.messages.redaction import MARK, RedactingFilter, redact, redact_run, secrets_in
from runner.messages.run_record import new_record
from runner.services.event_source_mapping.rie_client import classify

SECRET = st.text(string.ascii_letters + string.digits + "/+=_-", min_size=16, max_size=60).filter(
    lambda text: any(character.isdigit() for character in text)
)
AROUND = st.text(st.sampled_from("abc XYZ\n.:,;(){}\\'\"/-"), max_size=30)
# How secrets are met in errors: settings, code, JSON, URLs, HTTP.
FORMS = [
    "aws_secret_access_key = {}",
    "AWS_SECRET_ACCESS_KEY={}",
    "AWS_SESSION_TOKEN: {}",
    "{{'password': '{}'}}",
    '{{"api_key": "{}", "region": "us-west-2"}}',
    '"{{\\"client_secret\\": \\"{}\\"}}"',
    "login(user='me', password='{}')",
    "token: {}",
    "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature={}&X-Amz-Date=1",
    "https://b.s3.amazonaws.com/k?X-Amz-Security-Token={}",
    "https://b.s3.amazonaws.com/k?AWSAccessKeyId=x&Signature={}&Expires=1",
    "https://account.blob.core.windows.net/c/k?sv=2024&sig={}",
    "Authorization: Bearer {}",
    "'Authorization': 'Basic {}'",
    "Authorization: AWS4-HMAC-SHA256 Credential=x/us-west-2/s3, SignedHeaders=host, Signature={}",
    "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n{}",
]


@pytest.mark.parametrize("form", FORMS)
@given(secret=SECRET, before=AROUND, after=AROUND)
def test_a_secret_is_redacted_in_every_form(form: str, secret: str, before: str, after: str):
    text = redact(f"{before} {form.format(secret)} {after}")
    assert secret not in text
    assert MARK in text


@given(user=st.text(string.ascii_letters, min_size=1), secret=st.text(string.ascii_letters + "!@:%$", min_size=1))
def test_a_password_in_a_url_is_redacted(user: str, secret: str):
    text = redact(f"cannot open ftp://{user}:{secret}@example.org/data: refused")
    assert text == f"cannot open ftp://{MARK}@example.org/data: refused"


@given(secret=SECRET, before=AROUND, after=AROUND)
def test_a_value_of_the_environment_is_redacted_everywhere(secret: str, before: str, after: str):
    secrets = secrets_in({"MY_TOKEN": secret, "AWS_ACCESS_KEY_ID": "test", "PATH": "/usr/bin:/bin:/usr/local"})
    assert secret in secrets
    assert "test" not in secrets
    assert not [value for value in secrets if "/usr/bin" in value]
    assert secret not in redact(f"{before}{secret}{after}", secrets)


@given(text=st.text() | AROUND, form=st.sampled_from(FORMS), secret=SECRET)
def test_redacting_twice_changes_nothing(text: str, form: str, secret: str):
    once = redact(text + form.format(secret))
    assert redact(once) == once


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("key AKIAIOSFODNN7EXAMPLE is unknown", f"key {MARK} is unknown"),
        (f"git clone with ghp_{'a1' * 18}", f"git clone with {MARK}"),
        (f"jwt eyJhbGciOiJI.eyJzdWIiOiIx.{'x' * 20}!", f"jwt {MARK}!"),
        ("password=hunter2, host=x", f"password={MARK}, host=x"),
        ("Password: hunter2", f"Password: {MARK}"),
    ],
)
def test_the_text_around_a_secret_stays(text: str, wanted: str):
    assert redact(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "b.rh.csv is not a CSV file: Error tokenizing data. C error: Expected 3 fields in line 3, saw 4",
        "while scanning for the next token found character '@' that cannot start any token",
        "    token = tokens[0]",
        "    password = read_password(path)",
        "    secret=None, token=True)",
        "TypeError: bind() got an unexpected signature: (a, b)",
        "expected two tokens: found one",
        "s3://raw-files/a2e/buoy@z05.zip",
        "No pipeline matches 'lidar/x@y.7z'. Known routes:\n  pipelines/tide_gauge/config/pipeline.yaml",
        "The key 'Relative Humidity (%)' is missing. primary_key: 7",
        "The request signature we calculated does not match the signature you provided.",
        "mail a.b@example.org for the password",
    ],
)
def test_other_text_stays(text: str):
    assert redact(text) == text


def test_a_long_text_takes_little_time():
    began = time.process_time()
    redact("a" * 20_000 + "token" * 4_000 + "://" * 7_000 + "password=" * 2_000)
    assert time.process_time() - began < 2


def test_all_texts_of_a_record_are_redacted_and_the_rest_stays():
    item = {"bucket": "b", "key": "token=abcdef123456.csv", "size": 1, "etag": "e"}
    error = {"type": "ValueError", "message": "password=hunter2x", "phase": "load", "traceback": "token='abc123'"}
    run = new_record("failed", "r", inputs=[item], error=error, warnings=["ftp://u:p@h"], reason="pwd=abcdefg")
    assert redact_run(run, ()) == {
        **run, "reason": f"pwd={MARK}", "warnings": [f"ftp://{MARK}@h"],
        "error": {**error, "message": f"password={MARK}", "traceback": f"token='{MARK}'"},
    }  # fmt: skip


def test_logs_contain_no_secret():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter(["only-the-environment-knows"]))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        raise ValueError("cannot open ftp://me:hunter2@example.org")
    except ValueError:
        logger.exception("with %s and %s", "password=hunter2", "only-the-environment-knows")
    assert stream.getvalue().startswith(f"with password={MARK} and {MARK}\nTraceback")
    assert stream.getvalue().endswith(f"ValueError: cannot open ftp://{MARK}@example.org\n")


def test_errors_of_the_emulator_contain_no_secret():
    body = b'{"errorType": "ValueError", "errorMessage": "password=hunter2x", "stackTrace": ["token=\'abc123\'"]}'
    answer = classify(200, body)
    assert (answer.error, answer.traceback) == (f"ValueError: password={MARK}", f"token='{MARK}'")
    assert classify(502, b"password=hunter2x").error == (
        f"The Lambda's runtime died during the run (status 502: password={MARK})."
    )
