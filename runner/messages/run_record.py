"""The run record: what the handler says about one run of one pipeline, as plain JSON.

    {"status": "succeeded", "request_id": "8f5e…", "message_id": "19dd0b57-…", "pipeline": "a2e_buoy_ingest",
     "location": "humboldt", "config": "pipelines/a2e_buoy_ingest/config/pipeline_humboldt.yaml",
     "inputs": [{"bucket": "tsdat-pipeline-inputs", "key": "a2e_buoy_ingest/humboldt/buoy….zip", "size": 135969,
                 "etag": "…"}],
     "outputs": [{"bucket": "tsdat-pipeline-outputs", "key": "data/humboldt/…nc", "size": 151234}],
     "durations_s": {"download": 0.01, "read": 0.2, "save": 0.1, "plot": 0.6, "upload": 0.02, "total": 0.93},
     "qc": {"rh": {"samples": 144, "flagged": {"Value is missing": 1}}},
     "warnings": ["…"], "reason": null, "error": null}

A run that a schedule asked for names it, and has its window: {"begin": "2020-12-01T00:00:00Z", "end": "…"}.
A skipped run has a `reason`; a failed one an `error` with type, message, phase and traceback.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Status = Literal["succeeded", "skipped", "failed"]


class Input(TypedDict):
    """An object that went in, as it was when it was read; as its event named it if it was not read.

    `named_etag` is there when the event named another version than the one that was read.
    """

    bucket: str
    key: str
    size: int | None
    etag: str | None
    modified: NotRequired[str]
    version_id: NotRequired[str]
    named_etag: NotRequired[str]


class Output(TypedDict):
    """An object that came out; `size` in bytes."""

    bucket: str
    key: str
    size: int


class Failure(TypedDict):
    """Why a run failed; `phase` is one of the names in `durations_s`, or route."""

    type: str
    message: str
    phase: str
    traceback: str


class VariableQC(TypedDict):
    """How many of a variable's samples each check flagged, by the check's meaning."""

    samples: int
    flagged: dict[str, int]


class RunRecord(TypedDict):
    """One run of one pipeline over the inputs that belong together."""

    status: Status
    request_id: str
    message_id: str | None
    pipeline: str | None
    location: str | None
    config: str | None
    schedule: str | None
    window: dict[str, str] | None
    inputs: list[Input]
    outputs: list[Output]
    durations_s: dict[str, float]
    qc: dict[str, VariableQC]
    warnings: list[str]
    reason: str | None
    error: Failure | None


def new_record(status: Status, request_id: str, **fields: Any) -> RunRecord:
    """A record with nothing in it but what is given."""
    record: RunRecord = {
        "status": status, "request_id": request_id, "message_id": None, "pipeline": None, "location": None,
        "config": None, "schedule": None, "window": None, "inputs": [], "outputs": [], "durations_s": {}, "qc": {},
        "warnings": [], "reason": None, "error": None,
    }  # fmt: skip
    record.update(fields)  # type: ignore[typeddict-item]
    return record


# An uploaded, failed or retried version is in progress: it runs, or runs again. The others are final.
Outcome = Literal["uploaded", "failed", "retried", "succeeded", "skipped", "dead-lettered", "forgotten"]
FINAL: tuple[Outcome, ...] = ("succeeded", "skipped", "dead-lettered", "forgotten")

Version = tuple[str, str]
"""Key and ETag of an object; of a message that names none, nothing and the MD5 of its body."""


def versions(run: RunRecord) -> list[Version]:
    """What a run was about: the versions it read, and those that its event named if they are others."""
    found = [(item["key"], item["etag"] or "") for item in run["inputs"]]
    return found + [(item["key"], item["named_etag"]) for item in run["inputs"] if "named_etag" in item]
