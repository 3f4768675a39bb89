"""The Lambda handler: takes an event, runs tsdat pipelines, returns run records.

For SQS events the response is the one for ReportBatchItemFailures, with the run records added:

    {"batchItemFailures": [{"itemIdentifier": "19dd0b57-…"}], "runs": [{"status": "failed", …}]}

See "Using Lambda with Amazon SQS", AWS Lambda Developer Guide. For events that AWS delivers directly (S3, SNS,
EventBridge) the response is {"runs": […]}. If a run failed the handler raises, so that AWS retries.
"""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from runner.aws import clients
from runner.aws.s3 import list_objects
from runner.errors import (
    EventError,
    NothingStoredError,
    PipelineFailedError,
    ReplacedError,
    RoutingError,
    UnroutableError,
)
from runner.function import archives, isolation, lambda_limits, pipeline, routing
from runner.function.archive_limits import ArchiveLimits
from runner.function.inputs import Sources, input_of
from runner.function.lambda_limits import failure_of
from runner.function.phase_timer import PhaseTimer
from runner.messages import object_keys, redaction, run_bounds, s3_events
from runner.messages.run_record import Input, RunRecord, new_record
from runner.messages.schedule_events import Scheduled, Window

PROJECT = Path(os.environ.get("LAMBDA_TASK_ROOT") or Path.cwd())
MEMORY_MB = float(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") or "inf")
ARCHIVE_LIMITS = ArchiveLimits.from_env(os.environ)

_MOST_OF_KEYS = 2_000  # characters in the text of a log line

logger = Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME", "tsdat"), level=os.environ.get("LOG_LEVEL") or "INFO")

# Includes the credentials of the function's role, which no log and no run record may contain.
SECRETS = set(redaction.secrets_in(os.environ))
for log_handler in logging.getLogger().handlers:
    log_handler.addFilter(redaction.RedactingFilter(SECRETS))

# The init phase: invalid routes fail here instead of at the first file, and no file waits for imports.
os.chdir(PROJECT)
pipeline.use_project(PROJECT)
routes = routing.load(PROJECT)
pipeline.warm_up()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Process an event; AWS Lambda calls this.

    Raises:
        PipelineFailedError: the event did not come through a queue, and a run failed or the event's form is unknown.
    """
    logger.append_keys(request_id=context.aws_request_id)
    if s3_events.is_sqs(event):
        return _handle_batch(event, context)
    runs = _process(event, context.aws_request_id)
    failures = [run for run in runs if run["status"] == "failed"]
    if failures:
        raise PipelineFailedError("\n".join(f"{_keys(run)}: {_message(run)}" for run in failures))
    return {"runs": run_bounds.response(runs)}


def _handle_batch(event: dict[str, Any], context: Any) -> dict[str, Any]:
    runs: list[RunRecord] = []

    def handle_message(record: SQSRecord) -> None:
        message_runs = _process(record.body, context.aws_request_id, record.message_id)
        runs.extend(message_runs)
        failures = [run for run in message_runs if run["status"] == "failed"]
        if failures:
            raise PipelineFailedError("; ".join(_message(run) for run in failures))

    # Failures are reported in batchItemFailures. Raising, even if all messages failed, would lose the run records.
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    response = process_partial_response(event, handle_message, processor, context)
    return {**response, "runs": run_bounds.response(runs)}


def _process(payload: Mapping[str, Any] | str, request_id: str, message_id: str | None = None) -> list[RunRecord]:
    """Run each pipeline that a payload requests. Objects of one payload with the same route share one run."""
    ids: dict[str, Any] = {"request_id": request_id, "message_id": message_id}
    try:
        parsed = s3_events.parse(payload)
    except EventError as error:
        return [_logged(new_record("failed", **ids, error=failure_of(error, "event")))]
    runs = [
        new_record("skipped", **ids, reason=f"{skip.event_name}: {skip.reason}", inputs=_skipped_input(skip))
        for skip in parsed.skips
    ]
    by_route: dict[routing.Route, list[s3_events.S3Object]] = {}
    for item in parsed.objects:
        try:
            for route in routes.for_key(item.key, parsed.config):
                by_route.setdefault(route, []).append(item)
        except UnroutableError as error:
            more: dict[str, Any] = {"config": parsed.config, "inputs": [input_of(item)]}
            runs.append(new_record("skipped", **ids, **more, reason=str(error)))
        except RoutingError as error:  # two routes match
            runs.append(new_record("failed", **ids, error=failure_of(error, "route"), inputs=[input_of(item)]))
    runs += [_run(route, objects, ids) for route, objects in by_route.items()]
    runs += [_run_scheduled(item, ids) for item in parsed.scheduled]
    return [_logged(run) for run in runs]


def _run_scheduled(item: Scheduled, ids: dict[str, Any]) -> RunRecord:
    """Run a VAP on its window, or an ingest on all objects last modified in its window."""
    ids = {**ids, "schedule": item.schedule, "window": item.window.as_json()}
    try:
        route = routes.named(item.config)
        if item.bucket is None:
            return _run(route, [], ids, item.window)
        objects = _objects_in(item.bucket, item.prefix, item.window, route)
    except Exception as error:  # no such config, or the role may not list the bucket
        return new_record("failed", **ids, config=item.config, error=failure_of(error, "route"))
    if objects:
        return _run(route, objects, ids)
    prefix = f"s3://{item.bucket}/{item.prefix}"
    reason = f"No object for {route.config} arrived below {prefix} from {item.window}."
    return new_record("skipped", **ids, pipeline=route.pipeline, config=route.config, reason=reason)


def _objects_in(bucket: str, prefix: str, window: Window, route: routing.Route) -> list[s3_events.S3Object]:
    return [
        s3_events.S3Object(
            bucket, found.key, found.size, found.etag, None, None, "Scheduled", found.modified.isoformat()
        )
        for found in list_objects(clients.s3(), bucket, prefix, window.begin, window.end)
        if route.matches(found.key)
    ]


def _run(
    route: routing.Route, objects: list[s3_events.S3Object], ids: dict[str, Any], window: Window | None = None
) -> RunRecord:
    run = new_record(
        "failed", **ids, pipeline=route.pipeline, location=route.location, config=route.config,
        inputs=[input_of(item) for item in objects],
    )  # fmt: skip
    phases, result, before_mb = PhaseTimer(), pipeline.Result(location=route.location), _peak_mb()
    sources = Sources()
    try:
        with isolation.TemporaryFolder(prefix="inputs-") as folder:
            phases.enter("download")
            files = {
                sources.fetch(item, object_keys.local_path(item.key, Path(folder, str(number)))):
                f"s3://{item.bucket}/{item.key}"
                for number, item in enumerate(objects)
            }  # fmt: skip
            for number, item in enumerate(objects):
                for key in routes.companions_of(item.key, route):
                    sources.fetch_companion(item, key, object_keys.local_path(key, Path(folder, str(number))))
            run["inputs"] = sources.inputs
            phases.enter("inspect")
            for path in files:
                archives.check(path, ARCHIVE_LIMITS)
            pipeline.run(Path(route.config), files, phases, result, sources.require_current, window)
        run["status"] = "succeeded"
    except NothingStoredError as error:
        run["status"], run["reason"] = "skipped", str(error)
    except ReplacedError as error:
        if error.again:
            run["error"] = failure_of(error, phases.current)
        else:
            run["status"], run["reason"] = "skipped", str(error)
    except Exception as error:  # any failure is reported in the record, and fails only this message
        run["error"] = failure_of(error, phases.current)
    run["location"] = result.location or route.location
    run["outputs"], run["qc"], run["warnings"] = result.outputs, result.qc, result.warnings
    if warning := lambda_limits.memory_warning(before_mb, _peak_mb(), MEMORY_MB):
        run["warnings"].append(warning)
    run["durations_s"] = phases.finish()
    return run


def _peak_mb() -> float:
    """Return the peak memory of this process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _skipped_input(skip: s3_events.Skip) -> list[Input]:
    return [{"bucket": skip.bucket or "", "key": skip.key, "size": None, "etag": skip.etag}] if skip.key else []


def _keys(run: RunRecord) -> str:
    return ", ".join(item["key"] for item in run["inputs"]) or run["schedule"] or "event"


def _message(run: RunRecord) -> str:
    error = run["error"]
    return f"{error['type']}: {error['message']}" if error else ""


def _logged(run: RunRecord) -> RunRecord:
    run = run_bounds.bounded(redaction.redact_run(run, SECRETS))
    log = logger.error if run["status"] == "failed" else logger.info
    for_log = run_bounds.within(run, run_bounds.LOG_BYTES)
    log(f"{run['status']}: {_keys(for_log)[:_MOST_OF_KEYS]}", extra={"run": for_log})
    return run
