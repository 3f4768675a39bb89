"""Removes secrets from texts that are stored or shown: run records and logs. Pure.

Secrets are recognized by the name before them, by their form, and by their value if an environment variable has it.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import quote

from runner.messages.run_record import Failure, RunRecord

MARK = "[redacted]"
# Shorter values of variables are words such as "test". Removing them would garble texts.
_MIN_SECRET_CHARACTERS = 16
_SECRET_VARIABLE = re.compile(
    r"SECRET|TOKEN|PASSW|PASSPHRASE|ACCESS_?KEY|API_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE
)
_NAMES = (
    r"(?:secret|token|passw(?:or)?d|passphrase|pwd|api[_-]?key|access[_-]?key|private[_-]?key|credential|signature)"
)
_NO_SECRETS = r"(?!(?:None|True|False|null|true|false)\b)"
# A value without quotation marks. Calls and indexes are code in a traceback; a plain word after a colon is text.
_BARE = r"[^\s\"'\\&,;()\[\]{}<>]"
_PATTERNS = [
    (re.compile(pattern, flags), replacement)
    for pattern, flags, replacement in (
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL, MARK),
        (r"([a-z][a-z0-9+.-]{0,20}://)[^\s/'\"<>]*@", re.IGNORECASE, rf"\1{MARK}@"),
        (r"\b(authorization\\?[\"']?\s*[:=]\s*\\?[\"']?\w+ )[\w.~+/=-]+", re.IGNORECASE, rf"\1{MARK}"),
        (r"\b(bearer )[\w.~+/=-]{16,}", re.IGNORECASE, rf"\1{MARK}"),
        (rf"({_NAMES}[\w.-]{{0,40}}\\?[\"']?\s*(?:=>?|:)\s*(\\?[\"']))(?:(?!\2).)+(\2|$)", re.I | re.M, rf"\1{MARK}\3"),
        (rf"({_NAMES}[\w.-]{{0,40}}\s*=\s*){_NO_SECRETS}{_BARE}{{4,}}+(?![(\[])", re.IGNORECASE, rf"\1{MARK}"),
        (
            rf"({_NAMES}[\w.-]{{0,40}}\\?[\"']?\s*:\s*){_NO_SECRETS}(?=\S*[\d/+=]|\S{{16}}){_BARE}{{4,}}+(?![(\[])",
            re.IGNORECASE,
            rf"\1{MARK}",
        ),
        (r"([?&](?:sig|key|code)=)[^\s&\"'<>]+", re.IGNORECASE, rf"\1{MARK}"),
        (r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b", 0, MARK),
        (r"\b(?:gh[oprsu]_|github_pat_|glpat-|xox[a-z]-|sk-)[\w-]{16,}", 0, MARK),
        (r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+", 0, MARK),
    )
]


def secrets_in(env: Mapping[str, str]) -> frozenset[str]:
    """Return the values of variables whose names suggest a secret, as they are and URL-encoded."""
    values = {
        value for name, value in env.items() if _SECRET_VARIABLE.search(name) and len(value) >= _MIN_SECRET_CHARACTERS
    }
    return frozenset(values | {quote(value, safe="") for value in values})


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text with each secret replaced by a mark.

    Args:
        text: any text.
        secrets: values to replace wherever they occur.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MARK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_run(run: RunRecord, secrets: Iterable[str]) -> RunRecord:
    """Return a run record with redacted texts; object keys and names are unchanged."""
    error, reason = run["error"], run["reason"]
    record = run.copy()
    record["warnings"] = [redact(warning, secrets) for warning in run["warnings"]]
    record["reason"] = reason and redact(reason, secrets)
    record["error"] = error and redact_failure(error, secrets)
    return record


def redact_failure(failure: Failure, secrets: Iterable[str]) -> Failure:
    """Return a failure with redacted texts. They must be complete, because a secret may have several lines."""
    message, traceback_text = redact(failure["message"], secrets), redact(failure["traceback"], secrets)
    return {**failure, "message": message, "traceback": traceback_text}


class RedactingFilter(logging.Filter):
    """A filter for logging handlers that redacts each record. The caller may add secrets later."""

    def __init__(self, secrets: Collection[str]) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the message and the traceback. Every record passes."""
        record.msg, record.args = redact(record.getMessage(), self._secrets), ()
        if record.exc_info:
            record.exc_text = redact("".join(traceback.format_exception(*record.exc_info)).rstrip(), self._secrets)
        return True
