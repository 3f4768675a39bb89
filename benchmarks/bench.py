"""Measure the overhead of the path compared with the pipeline alone, with real processes and the sample files.

scripts/bench                 run all measurements, about four minutes
scripts/bench --docker        measure the Docker stack as well as the embedded one
scripts/bench --scale 100000  measure only what many files and as many runs cost; builds them in a temporary folder
scripts/bench --json FILE     also write the results as JSON
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import scale
from benchmarks.measured_stack import MeasuredStack
from runner.aws import clients
from runner.function import pipeline, routing
from runner.template import stack_template

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "data/samples/a2e_buoy_ingest/humboldt/buoy.z05.00.20201201.000000.zip"


def log_progress(text: str) -> None:
    """Print progress to stderr, so that stdout has only the table."""
    print(text, file=sys.stderr, flush=True)


def warm_pipeline(folder: Path) -> Callable[[Path], None]:
    """Return a function that runs the buoy pipeline in this process, warmed up with two runs, storing in a folder."""
    os.environ |= {"MPLBACKEND": "Agg", "TSDAT_STORAGE_ROOT": str(folder)}
    os.chdir(ROOT)
    pipeline.use_project(ROOT)
    from tsdat import PipelineConfig

    config = routing.load(ROOT).match(SAMPLE.name).config
    built = PipelineConfig.from_yaml(Path(config)).instantiate_pipeline()

    def run(path: Path) -> None:
        built.run([str(path)])

    run(SAMPLE)
    run(SAMPLE)
    return run


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def overhead(run: Callable[[Path], None], work: Path, backend: str, pairs: int) -> dict[str, float]:
    """Measure the time from a drop to its outputs in data/outputs, minus the time of a warm run right after it."""
    log_progress(f"(a) overhead: {pairs} pairs of a drop and a warm run …")
    with MeasuredStack(work / "a", 1, backend) as stack:
        for number in range(3):
            stack.seconds_from_drop_to_output(SAMPLE, f"warm{number}")
        drops, runs = [], []
        for number in range(pairs):
            drops.append(stack.seconds_from_drop_to_output(SAMPLE, f"n{number}"))
            runs.append(seconds(lambda: run(SAMPLE)))
        memory = stack.peak_rss_mb()
    extra = sorted((drop - alone) * 1e3 for drop, alone in zip(drops, runs, strict=True))
    return {
        "overhead_ms_median": round(statistics.median(extra), 1),
        "overhead_ms_p95": round(extra[int(0.95 * (len(extra) - 1))], 1),
        "drop_to_output_s_median": round(statistics.median(drops), 3),
        "warm_run_s_median": round(statistics.median(runs), 3),
        "peak_rss_mb": memory,
    }


def throughput(run: Callable[[Path], None], work: Path, backend: str, count: int) -> dict[str, float]:
    """Measure the time for many files with one and with two Lambdas, against as many runs in one warm process."""
    log_progress(f"(b) throughput: {count} files through 1 and 2 Lambdas, compared with {count} runs in one process …")

    def alone() -> float:
        return seconds(lambda: [run(SAMPLE) for _ in range(count // 2)])

    figures = {}
    for lambdas in (1, 2):
        with MeasuredStack(work / f"b{lambdas}", lambdas, backend) as stack:
            stack.seconds_for_many(SAMPLE, 3 * lambdas, "warm")
            before = alone()
            through = stack.seconds_for_many(SAMPLE, count, "n")
            figures[f"speedup_{lambdas}"] = round((before + alone()) / through, 2)
            figures[f"s_per_file_{lambdas}"] = round(through / count, 3)
    return figures


def process_per_file(work: Path, count: int) -> float:
    """Return the seconds per file with a new process for each file, as tsdat's own runner does; bytecode is cached."""
    log_progress(f"(c) {count} new processes …")
    command = [sys.executable, "-m", "runner", "ingest", str(SAMPLE), "--data", str(work / "c")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def once() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment, cwd=ROOT)

    once()
    return statistics.median(seconds(once) for _ in range(count))


def noop(work: Path, backend: str, count: int) -> dict[str, float]:
    """Measure files/s for a pipeline that does nothing, against what the emulator alone can put, receive and delete."""
    log_progress(f"(d) {count} files through a pipeline that does nothing …")
    project = work / "noop"
    shutil.copytree(Path(__file__).parent / "noop_project", project)
    shutil.copy(ROOT / "template.yaml", project)
    content = work / "noop.txt"
    content.write_text("x")
    with MeasuredStack(work / "d", 2, backend, project) as stack:
        stack.seconds_for_many(content, 20, "warm")
        through = count / stack.seconds_for_many(content, count, "n")
        alone = count / seconds(lambda: put_receive_delete(stack, count))
    return {
        "noop_files_per_s": round(through, 1),
        "emulator_files_per_s": round(alone, 1),
        "noop_share": round(through / alone, 2),
    }


def put_receive_delete(stack: MeasuredStack, count: int) -> None:
    """Do the emulator's part of the path with one client: put each object, then receive and delete its message."""
    described = stack_template.load(ROOT / "template.yaml")
    s3, sqs = clients.local_s3(stack.endpoint_url), clients.local_sqs(stack.endpoint_url)
    bucket, name = "bare", "bare"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": clients.REGION})
    arn = f"arn:aws:sqs:{clients.REGION}:{clients.ACCOUNT}:{name}"
    anyone = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [anyone]})
    url = sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]},
    )
    left = count
    for number in range(count):
        s3.put_object(Bucket=bucket, Key=f"{number}.txt", Body=b"x")
    while left:
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=described.batch_size, WaitTimeSeconds=1)
        for message in got.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            left -= "Records" in json.loads(message["Body"])


def main() -> None:
    """Run all measurements, print a table with a column for each backend, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to this file")
    parser.add_argument("--quick", action="store_true", help="run a quarter of the repetitions")
    parser.add_argument("--docker", action="store_true", help="measure the Docker stack as well as the embedded one")
    parser.add_argument("--scale", type=int, metavar="N", help="measure only a data folder with N files and N runs")
    arguments = parser.parse_args()
    if arguments.scale:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            figures = scale.measure(Path(folder), arguments.scale, log_progress)
        print_table({"embedded": figures}, arguments.json)
        return
    share = 4 if arguments.quick else 1
    backends = ["embedded", "docker"] if arguments.docker else ["embedded"]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        work = Path(folder)
        run = warm_pipeline(work / "warm")
        fresh_s = process_per_file(work, count=4)
        table = {backend: measure(run, work / backend, backend, fresh_s, share) for backend in backends}
    print_table(table, arguments.json)


def print_table(table: Mapping[str, Mapping[str, object]], json_file: Path | None) -> None:
    """Print a column for each backend, and write JSON if a file is given."""
    print(" " * 24, *(f"{backend:10}" for backend in table))
    for name in table["embedded"]:
        print(f"{name:24}", *(f"{figures[name]!s:10}" for figures in table.values()))
    if json_file:
        json_file.write_text(json.dumps(table, indent=2) + "\n")


def measure(run: Callable[[Path], None], work: Path, backend: str, fresh_s: float, share: int) -> dict[str, object]:
    """Return all results for one backend."""
    log_progress(f"{backend}:")
    work.mkdir()
    figures: dict[str, object] = dict(overhead(run, work, backend, pairs=24 // share))
    figures |= throughput(run, work, backend, count=40 // share)
    figures |= {"process_per_file_s": round(fresh_s, 2)}
    figures |= {"vs_process_per_file": round(fresh_s / float(str(figures["s_per_file_2"])), 1)}
    figures |= noop(work, backend, count=200 // share)
    figures |= {"ready_s": ready_s(work, backend)}
    return figures


def ready_s(work: Path, backend: str) -> float:
    """Return the median time from a start of `runner up` to the upload of a waiting file, without the first start."""
    log_progress("(e) start to first upload …")
    times = []
    for number in range(4):
        stack = MeasuredStack(work / "e", 2, backend)
        times.append(stack.seconds_from_start_to_accepted(SAMPLE, f"n{number}"))
    return round(statistics.median(times[1:]), 2)


if __name__ == "__main__":
    main()
