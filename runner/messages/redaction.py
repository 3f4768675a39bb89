"""Takes secrets out of texts that are kept or shown: run records, history, logs. Pure.

It knows secrets by what they are called, by what they look like, and by their value where the environment holds them.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from runner.messages.run_record import Failure, RunRecord

MARK = "[redacted]"
# A shorter value of a variable is a word like "test", and taking it out would garble texts.
_SHORTEST_SECRET = 16
_SECRET_VARIABLE = re.compile(
    r"SECRET|TOKEN|PASSW|PASSPHRASE|ACCESS_?KEY|API_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE
)
_NAMES = (
    r"(?:secret|token|passw(?:or)?d|passphrase|pwd|api[_-]?key|access[_-]?key|private[_-]?key|credential|signature)"
)
_NO_SECRETS = r"(?!(?:None|True|False|null|true|false)\b)"
# A value without quotation marks: no call, no index, which are code in a traceback; after a colon no plain word.
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


def secrets_of(env: Mapping[str, str]) -> frozenset[str]:
    """The values of variables whose names speak of secrets, also as they look in a URL."""
    values = {value for name, value in env.items() if _SECRET_VARIABLE.search(name) and len(value) >= _SHORTEST_SECRET}
    return frozenset(values | {quote(value, safe="") for value in values})


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without secrets; what is left still says where they stood.

    Args:
        secrets: values to take out wherever they stand.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MARK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def clean(run: RunRecord, secrets: Iterable[str]) -> RunRecord:
    """A run record whose texts hold no secrets; keys and names stay as they are."""
    error, reason = run["error"], run["reason"]
    record = run.copy()
    record["warnings"] = [redacted(warning, secrets) for warning in run["warnings"]]
    record["reason"] = reason and redacted(reason, secrets)
    record["error"] = error and cleaned(error, secrets)
    return record


def cleaned(failure: Failure, secrets: Iterable[str]) -> Failure:
    """A failure whose texts hold no secrets. Whole, because a secret may have several lines."""
    message, traceback_text = redacted(failure["message"], secrets), redacted(failure["traceback"], secrets)
    return {**failure, "message": message, "traceback": traceback_text}


class RedactingFilter(logging.Filter):
    """For a handler of the logging module: nothing that passes it holds a secret."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._secrets = frozenset(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the message and the traceback, and let them pass."""
        record.msg, record.args = redacted(record.getMessage(), self._secrets), ()
        if record.exc_info:
            record.exc_text = redacted("".join(traceback.format_exception(*record.exc_info)).rstrip(), self._secrets)
        return True
