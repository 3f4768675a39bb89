"""The run record: the handler's report about one run of one pipeline, as plain JSON.

    {"status": "succeeded", "request_id": "8f5e…", "message_id": "19dd0b57-…", "pipeline": "a2e_buoy_ingest",
     "location": "humboldt", "config": "pipelines/a2e_buoy_ingest/config/pipeline_humboldt.yaml",
     "inputs": [{"bucket": "raw-files", "key": "a2e_buoy_ingest/humboldt/buoy….zip", "size": 135969,
                 "etag": "…"}],
     "outputs": [{"bucket": "standardized", "key": "data/humboldt/…nc", "size": 151234}],
     "durations_s": {"download": 0.01, "read": 0.2, "save": 0.1, "plot": 0.6, "upload": 0.02, "total": 0.93},
     "qc": {"rh": {"samples": 144, "flagged": {"Value is missing": 1}}},
     "warnings": ["…"], "reason": null, "error": null}

A scheduled run has the name of its `schedule` and its `window`: {"begin": "2020-12-01T00:00:00Z", "end": "…"}.
A skipped run has a `reason`. A failed run has an `error` with type, message, phase and traceback.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

Status = Literal["succeeded", "skipped", "failed"]


class Input(TypedDict):
    """An input object: the version that was read, or the one in the event if none was read. `size` is in bytes.

    `named_etag` is present if the event named another version than the one that was read.
    """

    bucket: str
    key: str
    size: int | None
    etag: str | None
    modified: NotRequired[str]
    version_id: NotRequired[str]
    named_etag: NotRequired[str]


class Output(TypedDict):
    """A stored output object; `size` is in bytes.

    `replaced_input` is present if it replaced an object of the same key that was made from that other input.
    """

    bucket: str
    key: str
    size: int
    replaced_input: NotRequired[str]


class Failure(TypedDict):
    """Why a run failed. `phase` is a name in `durations_s`, or event, route or invoke."""

    type: str
    message: str
    phase: str
    traceback: str


class VariableQC(TypedDict):
    """The number of samples of a variable, and how many each check flagged, by the check's meaning."""

    samples: int
    flagged: dict[str, int]


class RunRecord(TypedDict):
    """One run of one pipeline, over one or more inputs or over a window."""

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
    """Return a record with these fields; all others are empty."""
    record: RunRecord = {
        "status": status, "request_id": request_id, "message_id": None, "pipeline": None, "location": None,
        "config": None, "schedule": None, "window": None, "inputs": [], "outputs": [], "durations_s": {}, "qc": {},
        "warnings": [], "reason": None, "error": None,
    }  # fmt: skip
    record.update(fields)  # type: ignore[typeddict-item]
    return record


# An uploaded, failed or retried version is in progress: it runs, or runs again. The others are final. That of a run is
# never uploaded, retried, forgotten or replaced: another input's run has replaced its output.
Outcome = Literal["uploaded", "failed", "retried", "dead-lettered", "forgotten", "skipped", "replaced", "succeeded"]
OPEN: tuple[Outcome, ...] = ("uploaded", "failed", "retried")
FINAL: tuple[Outcome, ...] = ("dead-lettered", "forgotten", "skipped", "replaced", "succeeded")

# The error type of a run whose outputs could not be copied to data/outputs.
OUTPUT_MISSING = "OutputMissing"

Version = tuple[str, str]
"""Key and ETag of an object version. For a message that names no object: an empty key and the MD5 of its body."""

Job = tuple[str, str, str]
"""Key, ETag, and the config of the pipeline that processes the version; no config as long as it is unknown."""


@dataclass(frozen=True)
class AboutJob:
    """What is known about an object version in one pipeline."""

    key: str
    etag: str = ""
    config: str = ""
    """Of the pipeline; empty as long as it is unknown."""

    @property
    def version(self) -> Version:
        """Key and ETag."""
        return self.key, self.etag

    @property
    def job(self) -> Job:
        """Key, ETag and config."""
        return self.key, self.etag, self.config


def versions(run: RunRecord) -> list[Version]:
    """Return the versions that a run has read, and those that its event named if they differ."""
    found = [(item["key"], item["etag"] or "") for item in run["inputs"]]
    return found + [(item["key"], item["named_etag"]) for item in run["inputs"] if "named_etag" in item]


# A plot that each run replaces is no loss.
_PICTURES = (".png", ".jpg", ".jpeg", ".svg", ".gif", ".pdf")


def replaced(run: RunRecord) -> list[tuple[str, str]]:
    """Return each output, other than plots, that replaced the output of another input, with that input's key."""
    outputs = [output for output in run["outputs"] if not output["key"].endswith(_PICTURES)]
    return [(output["key"], output["replaced_input"]) for output in outputs if "replaced_input" in output]
