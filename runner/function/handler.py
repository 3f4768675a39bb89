"""The Lambda handler: an event in, tsdat runs, run records out. What is here ships to AWS.

For SQS events it answers as AWS asks when ReportBatchItemFailures is on, with the run records beside it:

    {"batchItemFailures": [{"itemIdentifier": "19dd0b57-…"}], "runs": [{"status": "failed", …}]}

See "Using Lambda with Amazon SQS", AWS Lambda Developer Guide. For events that AWS delivers directly (S3, SNS,
EventBridge) it answers {"runs": […]}, and raises when a run failed, so that AWS tries again.
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
from runner.function.inputs import Sources, named
from runner.function.lambda_limits import failure_of
from runner.function.phase_timer import Phases
from runner.messages import object_keys, redaction, s3_events
from runner.messages.run_record import Input, RunRecord, new_record
from runner.messages.schedule_events import Scheduled, Window

PROJECT = Path(os.environ.get("LAMBDA_TASK_ROOT") or Path.cwd())
MEMORY_MB = float(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") or "inf")
ARCHIVE_LIMITS = ArchiveLimits.from_env(os.environ)

logger = Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME", "tsdat"), level=os.environ.get("LOG_LEVEL") or "INFO")

# Lambda's own credentials among them: what a pipeline logs or raises must not carry them away.
SECRETS = redaction.secrets_in(os.environ)
for log_handler in logging.getLogger().handlers:
    log_handler.addFilter(redaction.RedactingFilter(SECRETS))

# The init phase: what is wrong with the routes shows here and not at the first file, and no file waits for imports.
os.chdir(PROJECT)
pipeline.use_project(PROJECT)
routes = routing.CurrentRoutes(PROJECT)
routes.get()
pipeline.warm_up()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What AWS Lambda calls.

    Raises:
        PipelineFailedError: a run failed, or the event is of no known form, and it did not come through a queue.
    """
    logger.append_keys(request_id=context.aws_request_id)
    if s3_events.is_sqs(event):
        return _handle_batch(event, context)
    runs = _process(event, context.aws_request_id)
    failures = [run for run in runs if run["status"] == "failed"]
    if failures:
        raise PipelineFailedError("\n".join(f"{_keys(run)}: {_message(run)}" for run in failures))
    return {"runs": runs}


def _handle_batch(event: dict[str, Any], context: Any) -> dict[str, Any]:
    runs: list[RunRecord] = []

    def handle_message(record: SQSRecord) -> None:
        made = _process(record.body, context.aws_request_id, record.message_id)
        runs.extend(made)
        failures = [run for run in made if run["status"] == "failed"]
        if failures:
            raise PipelineFailedError("; ".join(_message(run) for run in failures))

    # Every message's own verdict travels in batchItemFailures: also when all failed, the records must arrive.
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    response = process_partial_response(event, handle_message, processor, context)
    return {**response, "runs": runs}


def _process(payload: Mapping[str, Any] | str, request_id: str, message_id: str | None = None) -> list[RunRecord]:
    """Run every pipeline that a payload asks for; objects of one payload that share a route are run together."""
    about: dict[str, Any] = {"request_id": request_id, "message_id": message_id}
    try:
        parsed = s3_events.parse(payload)
    except EventError as error:
        return [_logged(new_record("failed", **about, error=failure_of(error, "event")))]
    runs = [
        new_record("skipped", **about, reason=f"{skip.event_name}: {skip.reason}", inputs=_skipped_input(skip))
        for skip in parsed.skips
    ]
    together: dict[routing.Route, list[s3_events.S3Object]] = {}
    for item in parsed.objects:
        try:
            together.setdefault(routes.get().match(item.key), []).append(item)
        except UnroutableError as error:
            runs.append(new_record("skipped", **about, reason=str(error), inputs=[named(item)]))
        except RoutingError as error:  # two routes match, or an edit of the routes is not valid
            runs.append(new_record("failed", **about, error=failure_of(error, "route"), inputs=[named(item)]))
    runs += [_run(route, objects, about) for route, objects in together.items()]
    runs += [_scheduled(item, {**about, **_scheduling(item)}) for item in parsed.scheduled]
    return [_logged(run) for run in runs]


def _scheduled(item: Scheduled, about: dict[str, Any]) -> RunRecord:
    """Run a VAP on its window, or an ingest on all objects that came in it."""
    try:
        route = routes.get().named(item.config)
        if item.bucket is None:
            return _run(route, [], about, item.window)
        objects = _came(item.bucket, item.prefix, item.window, route)
    except Exception as error:  # no such config, or the bucket may not be listed
        return new_record("failed", **about, config=item.config, error=failure_of(error, "route"))
    if objects:
        return _run(route, objects, about)
    place = f"s3://{item.bucket}/{item.prefix}"
    reason = f"No object for {route.config} came below {place} from {item.window}."
    return new_record("skipped", **about, pipeline=route.pipeline, config=route.config, reason=reason)


def _came(bucket: str, prefix: str, window: Window, route: routing.Route) -> list[s3_events.S3Object]:
    """The objects that came in a window and are a route's own."""
    return [
        s3_events.S3Object(
            bucket, found.key, found.size, found.etag, None, None, "Scheduled", found.modified.isoformat()
        )
        for found in list_objects(clients.s3(), bucket, prefix, window.begin, window.end)
        if route.matches(found.key)
    ]


def _scheduling(item: Scheduled) -> dict[str, Any]:
    return {"schedule": item.schedule, "window": item.window.as_json()}


def _run(
    route: routing.Route, objects: list[s3_events.S3Object], about: dict[str, Any], window: Window | None = None
) -> RunRecord:
    run = new_record(
        "failed", **about, pipeline=route.pipeline, location=route.location, config=route.config,
        inputs=[named(item) for item in objects],
    )  # fmt: skip
    phases, result, before_mb = Phases(), pipeline.Result(location=route.location), _peak_mb()
    sources = Sources()
    try:
        with isolation.Folder(prefix="inputs-") as folder:
            phases.enter("download")
            files = {
                sources.fetch(item, object_keys.local_path(item.key, Path(folder, str(number)))):
                f"s3://{item.bucket}/{item.key}"
                for number, item in enumerate(objects)
            }  # fmt: skip
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
    except Exception as error:  # every failure becomes this message's verdict, told in the record
        run["error"] = failure_of(error, phases.current)
    run["location"] = result.location or route.location
    run["outputs"], run["qc"], run["warnings"] = result.outputs, result.qc, result.warnings
    if warning := lambda_limits.memory_warning(before_mb, _peak_mb(), MEMORY_MB):
        run["warnings"].append(warning)
    run["durations_s"] = phases.finish()
    return run


def _peak_mb() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _skipped_input(skip: s3_events.Skip) -> list[Input]:
    return [{"bucket": skip.bucket or "", "key": skip.key, "size": None, "etag": skip.etag}] if skip.key else []


def _keys(run: RunRecord) -> str:
    return ", ".join(item["key"] for item in run["inputs"]) or run["schedule"] or "event"


def _message(run: RunRecord) -> str:
    error = run["error"]
    return f"{error['type']}: {error['message']}" if error else ""


def _logged(run: RunRecord) -> RunRecord:
    run = redaction.redact_run(run, SECRETS)
    log = logger.error if run["status"] == "failed" else logger.info
    log(f"{run['status']}: {_keys(run)}", extra={"run": run})
    return run
