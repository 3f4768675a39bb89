"""Commands against real stacks."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

from runner.template import stack_template
from runner.testing.stacks import Stack, environment, eventually
from tests.support.commands import command
from tests.support.stacks import SAMPLES, SHIPPED, Supervised, runner, running

BUOY = next((SAMPLES / "a2e_buoy_ingest" / "humboldt").glob("*.zip"))
TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))
ATTEMPTS = SHIPPED.max_receive_count


@pytest.fixture
def stack(embedded_stack: Stack) -> Stack:
    """One backend is enough: the commands do not know which one runs."""
    return embedded_stack


@pytest.fixture(scope="module")
def with_files(embedded_stack: Stack) -> Stack:
    """A stack that has processed good and bad files; the failures took their attempts in parallel."""
    files: dict[str, Path | bytes] = {
        "status/buoy.z06.00.20201201.000000.zip": b"not a zip",
        "status/unknown.bin": b"?",
        "logs/tide_20202112000000.log": b"half a li",
        f"logs/{TIDE.name}": TIDE,
        "logs/buoy.z06.00.20201202.000000.zip": b"not a zip",
    }
    for key, source in files.items():
        embedded_stack.put(source, key)
    for key in files:
        embedded_stack.final(key)
    return embedded_stack


def test_run_starts_a_stack_and_prints_the_run_records(tmp_path: Path):
    bad = tmp_path / "x.7z"
    bad.write_bytes(b"7z")
    done = runner("run", "--json", TIDE, bad, "--data", tmp_path / "data")
    assert done.returncode == 1, done.stderr
    good, skipped = json.loads(done.stdout)
    assert (good["status"], skipped["status"]) == ("succeeded", "skipped")
    assert good["inputs"][0]["key"] == f"tide_gauge/mcrl/{TIDE.name}"
    assert all((tmp_path / "data" / "outputs" / output["key"]).is_file() for output in good["outputs"])


def test_run_uses_the_stack_that_runs(stack: Stack):
    began = time.monotonic()
    done = runner("run", TIDE, "--data", stack.data)
    assert done.returncode == 0, done.stderr
    assert "starting a stack" not in done.stderr
    assert time.monotonic() - began < 10
    assert "✔ succeeded" in done.stdout
    assert str(stack.outputs) in done.stdout


@pytest.mark.parametrize(
    ("name", "shown", "why"),
    [
        ("a b\x01.log", r"a b\x01.log", r"contains the character '\x01', which S3 cannot list"),
        ("caf\udce9.log", "caf�.log", "is not valid UTF-8, which S3 requires"),
    ],
)
def test_run_sends_no_file_whose_name_s3_cannot_take(name: str, shown: str, why: str, tmp_path: Path):
    (tmp_path / name).write_bytes(TIDE.read_bytes())
    done = runner("run", tmp_path / name, "--data", tmp_path / "data")
    assert done.returncode == 2
    assert done.stderr == f"error: {shown} cannot be sent: its name {why}. Rename it.\n"


def test_status_and_logs_show_every_file(with_files: Stack):
    states = {
        state["file"]: state for state in json.loads(command("status", "--json", "--data", with_files.data).stdout)
    }
    assert states["status/buoy.z06.00.20201201.000000.zip"]["outcome"] == "dead-lettered"
    assert f"(tried {ATTEMPTS} times)" in states["status/buoy.z06.00.20201201.000000.zip"]["text"]
    assert states["status/unknown.bin"]["outcome"] == "skipped"
    reason = "No pipeline matches 'status/unknown.bin'. `runner logs` lists the known routes."
    assert states["status/unknown.bin"]["text"] == reason
    assert "skipped" in command("status", "--data", with_files.data).stdout
    shown = command("logs", "status/", "--failed", "--data", with_files.data).stdout
    assert shown.count("ArchiveError in phase inspect: buoy.z06.00.20201201.000000.zip cannot be read as a zip") == 1
    assert shown.count("the same error as before") == ATTEMPTS - 1
    assert shown.count("next: drop a corrected archive") == 1
    assert "Traceback" not in shown
    assert "unknown.bin" not in shown


def test_logs_are_filtered_by_pipeline_and_failure_and_printed_as_json(with_files: Stack):
    asked = ("logs", "logs/", "--json", "--pipeline", "tide_gauge", "--data", with_files.data)
    runs = [json.loads(line) for line in command(*asked).stdout.splitlines()]
    assert [run["outcome"] for run in runs].count("succeeded") == 1
    failed = [json.loads(line) for line in command(*asked, "--failed").stdout.splitlines()]
    assert failed == [run for run in runs if run["status"] == "failed"]
    assert [run["attempt"] for run in failed] == list(range(1, ATTEMPTS + 1))
    assert {run["inputs"][0]["key"] for run in failed} == {"logs/tide_20202112000000.log"}
    assert "Traceback" in failed[0]["error"]["traceback"]
    shown = command("logs", "logs/tide_20202112", "--data", with_files.data).stdout
    assert shown.count("pipelines/tide_gauge/readers.py:") >= 1
    assert shown.count("ValueError in phase process: tide_20202112000000.log does not begin with") == 1
    assert "frames in tsdat" in shown
    assert (
        shown.count("next: fix it, then run `runner retry`; `runner ingest FILE` runs the pipeline alone, in seconds")
        == 1
    )


def test_logs_in_json_follow(stack: Stack):
    command = [sys.executable, "-m", "runner", "logs", "follow/", "-f", "--json", "--failed", "--data", str(stack.data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout
        stack.put(b"torn", "follow/first/buoy.z06.00.20201202.000000.zip")
        try:
            assert json.loads(process.stdout.readline())["inputs"][0]["key"].startswith("follow/first/")
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_logs_follow_the_failures_of_one_pipeline(stack: Stack):
    bad = "tide_20202112000000.log"
    first, good, other, last = (
        f"chosen/{name}" for name in (f"first/{bad}", TIDE.name, "buoy.z06.00.20201202.000000.zip", f"last/{bad}")
    )
    asked = ["logs", "chosen/", "--follow", "--failed", "--pipeline", "tide_gauge", "--data", str(stack.data)]
    command = [sys.executable, "-m", "runner", *asked]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout
        try:
            stack.put(b"half a li", first)
            shown = [process.stdout.readline()]  # so it follows before the others come
            stack.put(TIDE, good)
            stack.put(b"torn", other)
            for key in (first, good, other):
                stack.final(key)
            stack.put(b"half a li", last)
            stack.final(last)
            while f"{last}: dead-lettered" not in shown[-1]:
                shown.append(process.stdout.readline())
                assert shown[-1], "the command exited by itself"
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
        finally:
            process.kill()
    # Every run that is shown has a line with its key and outcome.
    heads = [line.split("✗ ")[1].strip() for line in shown if "✗ " in line]
    outcomes = [f"failed, attempt {attempt}" for attempt in range(1, ATTEMPTS)]
    outcomes.append(f"dead-lettered, attempt {ATTEMPTS}")
    assert heads[-ATTEMPTS:] == [f"{last}: {outcome}" for outcome in outcomes]
    assert heads[:-ATTEMPTS] == [f"{first}: {outcome}" for outcome in outcomes]
    assert not [line for line in shown if good in line or other in line]


def test_status_of_an_empty_folder_says_what_to_do(tmp_path: Path):
    done = command("status", "--data", tmp_path)
    assert done.returncode == 0
    assert f"No file in {tmp_path / 'inbox'} yet." in done.stdout


def test_ingest_needs_no_stack(tmp_path: Path):
    done = runner("ingest", TIDE, BUOY, "--data", tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "2 successes, 0 failures, 0 skipped"
    made = sorted(path.suffix for path in (tmp_path / "outputs").rglob("*.*") if path.is_file())
    assert made.count(".nc") == 2
    assert made.count(".png") == 4


def test_ingest_counts_failures_and_skips_and_looks_into_archives_as_the_lambda_does(tmp_path: Path):
    bad, odd = tmp_path / "buoy.z05.zip", tmp_path / "x.7z"
    bad.write_bytes(b"torn")
    odd.write_bytes(b"7z")
    leading_out = tmp_path / "buoy.z05.00.20201201.000000.zip"
    with zipfile.ZipFile(leading_out, "w") as archive:
        archive.writestr("../outside.csv", "x")
    done = runner("ingest", bad, odd, leading_out, "--data", tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "0 successes, 2 failures, 1 skipped"
    assert "Known routes:" in done.stdout
    assert "holds a path that leads out of its folder, '../outside.csv'. It was refused;" in done.stdout


def test_ingest_clumps_the_files_into_one_run(tmp_path: Path):
    done = runner("ingest", "--clump", TIDE, TIDE, "--data", tmp_path)
    assert done.stdout.splitlines()[-1] == "1 successes, 0 failures, 0 skipped"


def test_check_finds_nothing_in_the_shipped_project_and_everything_in_a_broken_one(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = runner("check", "--data", tmp_path / "data", AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}")
    warning, result = done.stdout.splitlines()
    assert done.returncode == 0
    assert warning.startswith(f"! port {port} is in use")
    assert result == "✔ no problems in template, routes and pipeline configs"
    project = tmp_path / "project"
    for name in ("pipelines", "shared"):
        shutil.copytree(name, project / name)
    shutil.copy("template.yaml", project)
    config = project / "pipelines" / "tide_gauge" / "config" / "pipeline.yaml"
    config.write_text(config.read_text().replace("classname: pipelines.", "classname: pipelines.nowhere."))
    retriever = project / "pipelines" / "a2e_buoy_ingest" / "config" / "retriever.yaml"
    retriever.write_text("classname: [")
    done = runner("check", "--json", "--data", tmp_path / "data", RUNNER_ROOT=str(project))
    assert done.returncode == 1
    problems = {problem["file"]: problem["message"] for problem in json.loads(done.stdout)["problems"]}
    assert problems.keys() == {
        "pipelines/a2e_buoy_ingest/config/retriever.yaml", "pipelines/tide_gauge/config/pipeline.yaml",
    }  # fmt: skip
    assert problems["pipelines/a2e_buoy_ingest/config/retriever.yaml"].startswith("is not valid YAML")
    assert "there is no module 'pipelines.nowhere'" in problems["pipelines/tide_gauge/config/pipeline.yaml"]


def test_a_missing_file_is_named():
    done = runner("run", "no/such/file.zip")
    assert done.returncode == 2
    assert "no/such/file.zip" in done.stderr


def test_the_demo_shows_what_it_promises(tmp_path: Path):
    with (tmp_path / "errors").open("w+") as errors:
        demo = subprocess.Popen(["scripts/demo", "--page"], stdout=subprocess.PIPE, stderr=errors, text=True)
        told = eventually(
            lambda: re.search(r"The live page shows them: (\S+)", (tmp_path / "errors").read_text()), "live page", 110
        )
        with urllib.request.urlopen(f"{told[1]}/files.json") as answer:
            shown = json.load(answer)["counts"]
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=20)
    assert demo.returncode == 0
    assert shown["succeeded"] == 2
    lines = [line.strip() for line in output.splitlines()]
    made = [Path(line) for line in lines if line.startswith("data/demo/outputs/")]
    assert sorted(path.suffix for path in made) == [".nc"] * 2 + [".png"] * 6
    assert all(path.is_file() for path in made)


# What the user's own program does after `eval "$(runner env)"`: it knows nothing of tsdat-local.
PROGRAM = """
import json, os, boto3
s3, sqs = boto3.client("s3"), boto3.client("sqs")
s3.put_object(Bucket=os.environ["SOURCE_BUCKET"], Key="env/by-hand.7z", Body=b"7z")
urls = [os.environ["QUEUE_URL"], os.environ["DEAD_LETTER_QUEUE_URL"]]
arns = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"] for url in urls]
print(json.dumps([arns, s3.list_buckets()["Buckets"][0]["Name"], boto3.client("sts").get_caller_identity()["Account"]]))
"""


def test_after_env_boto3_works_with_the_stack_and_with_nothing_else(stack: Stack):
    template = stack_template.load(Path("template.yaml"))
    printed = f"{sys.executable} -m runner env --data {shlex.quote(str(stack.data))}"
    script = f'set -e; variables="$({printed})"; eval "$variables"; exec {sys.executable} -c "$PROGRAM"'
    elsewhere = {
        "AWS_PROFILE": "prod", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9",
    }  # fmt: skip
    done = subprocess.run(
        ["sh", "-c", script], env=environment(PROGRAM=PROGRAM, **elsewhere), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    arns, bucket, account = json.loads(done.stdout)
    assert [arn.rpartition(":")[2] for arn in arns] == [template.queue_name, template.dead_letter_queue_name]
    assert bucket in (template.source_bucket, template.destination_bucket)
    assert account == "000000000000"
    assert stack.final("env/by-hand.7z").outcome == "skipped"


def test_env_in_json_names_the_buckets_of_the_template(stack: Stack):
    variables = json.loads(command("env", "--json", "--data", stack.data).stdout)
    template = stack_template.load(Path("template.yaml"))
    assert variables["AWS_ENDPOINT_URL"] == stack.endpoint_url
    assert variables["SOURCE_BUCKET"] == template.source_bucket
    assert variables["DESTINATION_BUCKET"] == template.destination_bucket
    # No name that only a network could resolve.
    assert variables["QUEUE_URL"] == f"{stack.endpoint_url}/000000000000/{template.queue_name}"


def test_the_environment_counts_for_up_unless_an_option_is_given(tmp_path: Path):
    variables = {"RUNNER_SETTLE_S": "0.25", "RUNNER_POLLING": "true", "RETAIN_INPUT_FILES": "false",
                 "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}  # fmt: skip
    with running(tmp_path, "--retain", **variables) as stack:  # with --port 0
        assert stack.endpoint_url != variables["AWS_ENDPOINT_URL"]
        watcher = environment_of(stack, "runner watch")
    assert {name: watcher[name] for name in ("RUNNER_SETTLE_S", "RUNNER_POLLING", "RETAIN_INPUT_FILES")} == {
        "RUNNER_SETTLE_S": "0.25", "RUNNER_POLLING": "True", "RETAIN_INPUT_FILES": "True"
    }  # fmt: skip


def environment_of(stack: Supervised, name: str) -> dict[str, str]:
    content = Path(f"/proc/{stack.children()[name]}/environ").read_text()
    return dict(line.split("=", 1) for line in content.split("\0") if line)


def test_ingest_prints_only_json_whatever_a_pipeline_prints(tmp_path: Path):
    project = tmp_path / "project"
    shutil.copytree("pipelines", project / "pipelines")
    shutil.copytree("shared", project / "shared")
    readers = project / "pipelines" / "tide_gauge" / "readers.py"
    readers.write_text(readers.read_text() + "\nprint('a line of the user')\n")
    bad = tmp_path / "x.7z"
    bad.write_bytes(b"7z")
    torn = tmp_path / "tide_20202112000000.log"
    torn.write_bytes(b"half a li")
    done = runner("ingest", "--json", TIDE, bad, torn, "--data", tmp_path / "data", RUNNER_ROOT=str(project))
    assert done.returncode == 1, done.stderr
    good, skipped, failed = json.loads(done.stdout)
    assert [result["status"] for result in (good, skipped, failed)] == ["succeeded", "skipped", "failed"]
    assert good["config"].endswith("tide_gauge/config/pipeline.yaml")
    assert skipped["reason"].startswith("No pipeline matches")
    assert failed["error"]["type"] == "ValueError"
    assert "a line of the user" in done.stderr


@pytest.mark.parametrize("command", [("check",), ("ingest", str(TIDE))])
def test_ctrl_c_exits_with_130_and_no_traceback(command: tuple[str, ...], tmp_path: Path):
    project, reached = tmp_path / "project", tmp_path / "reached"
    for name in ("pipelines", "shared"):
        shutil.copytree(name, project / name)
    shutil.copy("template.yaml", project)
    waiting = f"import pathlib, time\npathlib.Path({str(reached)!r}).touch()\ntime.sleep(60)\n"
    readers = project / "pipelines" / "tide_gauge" / "readers.py"
    readers.write_text(waiting)
    own = environment(RUNNER_DATA=str(tmp_path / "data"), RUNNER_ROOT=str(project))
    line = [sys.executable, "-m", "runner", *command]
    with subprocess.Popen(line, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        eventually(reached.exists, "import of the pipeline's module")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
