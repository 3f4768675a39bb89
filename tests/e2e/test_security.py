"""Nothing from a developer's shell leads to real AWS, and no secret reaches a Lambda, a run record or a log.

That only this machine can connect is in test_lifecycle.py and test_docker.py.
"""

from __future__ import annotations

import json
import re
import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from runner.stack import lambda_python
from runner.template import runtime
from runner.testing.docker_stack import DockerStack
from runner.testing.stacks import Stack, environment
from tests.support import noop
from tests.support.commands import command
from tests.support.stacks import ROOT, SHIPPED, TIDE, Supervised, UpWithDocker, runner, running

KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAQ7EXAMPLE4REAL2X",
    "AWS_SECRET_ACCESS_KEY": "wJr7UtnFEMI/K7MDENG/bPxRfiCYREALLIKEKEY",
    "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEBYaDExampleOfASessionToken",
}
SECRETS = {
    **KEYS,
    "GITHUB_TOKEN": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "PIP_INDEX_PASSWORD": "correct-horse-battery-7",
}


# Reports its environment in hexadecimal, so that redaction does not recognize a secret.
TELLTALE = """
import datetime, importlib, json, logging, multiprocessing, os, resource, sys
from pathlib import Path
from tsdat import IngestPipeline

def found():
    for name in ("pytest", "hypothesis", "cgi", "beside", "runner.cli", "tsdat", "shared", "runner.function"):
        try:
            importlib.import_module(name)
            yield name
        except ImportError:
            pass
    yield from sorted(path.name for path in Path.cwd().iterdir())
    yield f"python{sys.version_info.major}.{sys.version_info.minor}"

def limits():
    names = ("AWS_EXECUTION_ENV", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
             "AWS_LAMBDA_LOG_STREAM_NAME", "LAMBDA_RUNTIME_DIR", "LANG", "TZ")
    try:
        has_lock = bool(multiprocessing.Lock())
    except OSError:
        has_lock = False
    return {
        "variables": {name: os.environ.get(name) for name in names},
        "epoch": datetime.datetime.fromtimestamp(0).isoformat(),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "lock": has_lock, "encoding": sys.getfilesystemencoding(),
    }

class NoOp(IngestPipeline):
    def run(self, inputs, **kwargs):
        if "dump" in inputs[0]:
            raise ValueError("hex:" + json.dumps(dict(os.environ)).encode().hex())
        if "limits" in inputs[0]:
            raise ValueError("limits: " + json.dumps(limits()))
        if "found" in inputs[0]:
            raise ValueError("found: " + " ".join(found()))
        logging.getLogger("pipeline").warning("logged password=hunter2-in-a-log")
        text = "cannot open ftp://me:hunter2-in-a-url@example.org and api_key='hunter2-in-quotes'"
        raise ValueError(f"{text} with {os.environ.get('LAB_API_KEY')}")
"""
# A variable of the function whose name marks it as a secret.
LAB_KEY = "LAB_API_KEY: hunter2-as-it-is-alone"


class Trap(socketserver.ThreadingTCPServer):
    """Poses as AWS, a credentials endpoint, instance metadata and a proxy, and counts connections."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.visits = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def process_request(self, request: object, client_address: object) -> None:
        self.visits += 1
        super().process_request(request, client_address)  # type: ignore[arg-type]


@contextmanager
def hostile(home: Path) -> Iterator[tuple[Trap, dict[str, str], Path]]:
    """Yield a shell in which everything leads to the trap, and the file that its credential program would create."""
    with Trap() as trap:
        ran = home / "credential-program-ran"
        (home / ".aws").mkdir(parents=True)
        lines = f"region = us-east-1\nendpoint_url = {trap.url}\ncredential_process = /usr/bin/touch {ran}\n"
        (home / ".aws" / "config").write_text(f"[default]\n{lines}\n[profile lab]\n{lines}")
        variables = {
            **SECRETS,
            "HOME": str(home),
            "AWS_PROFILE": "lab",
            "AWS_ENDPOINT_URL_S3": trap.url,
            "AWS_ENDPOINT_URL_SQS": trap.url,
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{trap.url}/credentials",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": trap.url,
            "HTTP_PROXY": trap.url,
            "http_proxy": trap.url,
        }
        yield trap, variables, ran
        trap.shutdown()


def ask_s3(variables: dict[str, str]) -> None:
    """Call S3 as a program without precautions does; it fails, because everything leads to the trap."""
    program = (
        "import boto3, botocore.config as c\n"
        "boto3.client('s3', config=c.Config(read_timeout=1, retries={'total_max_attempts': 1})).list_buckets()"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, env=environment(**variables), capture_output=True, check=False).returncode != 0


def spring_all(trap: Trap, variables: dict[str, str], ran: Path) -> None:
    """Prove that a program without precautions reaches each trap, and reset them.

    The SDK uses the first credentials that it finds, so the later sources are tested without the earlier ones.
    """
    ask_s3(variables)
    assert ran.exists() == ("AWS_ACCESS_KEY_ID" not in variables)
    ran.unlink(missing_ok=True)
    if "AWS_ACCESS_KEY_ID" in variables:
        assert trap.visits > 0
        return
    left = {name: value for name, value in variables.items() if name != "AWS_PROFILE"}
    left["AWS_CONFIG_FILE"] = "/dev/null"
    for source in ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_SERVICE_ENDPOINT"):
        visits = trap.visits
        ask_s3(left)
        assert trap.visits > visits, source
        del left[source]


class InHostileShell(NamedTuple):
    """A stack that was started from such a shell."""

    stack: Supervised
    variables: dict[str, str]
    trap: Trap
    visits: int
    ran: Path

    def require_no_visit(self) -> None:
        assert self.trap.visits == self.visits
        assert not self.ran.exists()


@contextmanager
def in_hostile_shell(folder: Path, *, keys: bool) -> Iterator[InHostileShell]:
    """Start a stack from such a shell, in a project with the telltale pipeline and the shipped ones."""
    with hostile(folder / "home") as (trap, variables, ran):
        if not keys:
            variables = {name: value for name, value in variables.items() if name not in KEYS}
        spring_all(trap, variables, ran)
        visits = trap.visits
        with running(folder / "data", RUNNER_ROOT=str(telltale_project(folder)), **variables) as stack:
            made = InHostileShell(stack, variables, trap, visits, ran)
            yield made
        made.require_no_visit()


def telltale_project(folder: Path) -> Path:
    project = noop.project(folder / "project", TELLTALE)
    for name in ("pipelines", "shared", "utils"):
        shutil.copytree(ROOT / name, project / name, dirs_exist_ok=True)
    (project / "beside.py").touch()  # does not ship
    text = (ROOT / "template.yaml").read_text()
    (project / "template.yaml").write_text(re.sub(r"(?m)^( +)(?=POWERTOOLS_SERVICE_NAME:)", rf"\1{LAB_KEY}\n\1", text))
    return project


@pytest.fixture(scope="module")
def with_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InHostileShell]:
    with in_hostile_shell(tmp_path_factory.mktemp("hostile"), keys=True) as made:
        yield made


@pytest.fixture
def without_keys(tmp_path: Path) -> Iterator[InHostileShell]:
    with in_hostile_shell(tmp_path, keys=False) as made:
        yield made


@pytest.mark.parametrize("shell", ["with_keys", "without_keys"])
def test_no_setting_of_the_shell_leads_to_real_aws(shell: str, request: pytest.FixtureRequest):
    hostile: InHostileShell = request.getfixturevalue(shell)
    key = f"tide_gauge/mcrl/{TIDE.name}"
    hostile.stack.put(TIDE, key)
    assert hostile.stack.final(key).outcome == "succeeded"
    sent = runner("run", TIDE, "--data", hostile.stack.data, **hostile.variables)
    assert sent.returncode == 0, sent.stderr
    hostile.require_no_visit()  # checked again after the stop


@pytest.mark.parametrize("backend", ["--embedded", "--docker"])
def test_a_remote_endpoint_is_refused(backend: str, tmp_path: Path):
    for url in ("https://s3.us-west-2.amazonaws.com", "http://localhost.evil.com:4566", "http://2130706433:4566"):
        done = runner("up", backend, "--data", tmp_path, AWS_ENDPOINT_URL=url)
        assert done.returncode == 2
        assert (
            f"error: AWS_ENDPOINT_URL='{url}' is not on this machine, and the local stack never contacts" in done.stderr
        )


@pytest.fixture(scope="module", params=["embedded", "docker"])
def telltale(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if request.param == "embedded":
        yield request.getfixturevalue("with_keys").stack
        return
    folder = tmp_path_factory.mktemp("telltale")
    made = UpWithDocker(folder / "data", RUNNER_ROOT=str(telltale_project(folder)), **SECRETS)
    try:
        yield made
    finally:
        made.stop()


# Set by template.yaml, the local stack, the emulator, and netCDF4 on import.
EVERY_LAMBDA = {
    "ARCHIVE_MAX_ENTRIES", "ARCHIVE_MAX_MB", "ARCHIVE_MAX_RATIO", "HOME", "LAB_API_KEY", "LOG_LEVEL", "MPLBACKEND",
    "MPLCONFIGDIR", "POWERTOOLS_SERVICE_NAME", "TSDAT_S3_BUCKET_NAME", "XDG_CACHE_HOME",
    "AWS_ACCESS_KEY_ID", "AWS_CONFIG_FILE", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED", "AWS_ENDPOINT_URL",
    "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SHARED_CREDENTIALS_FILE", "LANG", "PATH",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_TIMEOUT",
    "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API",
    "AWS_EXECUTION_ENV", "AWS_LAMBDA_INITIALIZATION_TYPE", "CODE_VERSION", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
    "TZ", "_HANDLER", "HDF5_PLUGIN_PATH",
}  # fmt: skip
ONLY_ON = {
    "embedded": {"PYTHONPATH", "TMPDIR"},
    # Set by the image and by Docker.
    "docker": {"HOSTNAME", "LD_LIBRARY_PATH", "USER"},
}
# Depend on the locales of the machine, the base image's shell and the release of the emulator.
OPTIONAL = {"LC_CTYPE", "PWD", "OLDPWD", "SHLVL", "_", "AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN"}


def test_the_lambda_sees_nothing_of_the_developers_shell(telltale: Stack):
    telltale.put(b"x", "noop.dump.txt")
    error = telltale.final("noop.dump.txt").record["error"]
    assert error is not None
    seen = json.loads(bytes.fromhex(error["message"].partition("hex:")[2].split()[0]))
    assert seen["TSDAT_S3_BUCKET_NAME"] == SHIPPED.destination_bucket
    assert not [name for name, value in seen.items() if value in SECRETS.values()]
    backend = "docker" if isinstance(telltale, UpWithDocker) else "embedded"
    # MiniStack, the default without Docker, enforces the role, so the function has credentials of it.
    assert (seen["AWS_SECRET_ACCESS_KEY"] == "test") == (backend == "docker")
    assert seen.keys() - OPTIONAL == EVERY_LAMBDA | ONLY_ON[backend]


def test_the_lambda_has_the_variables_and_limits_of_aws(telltale: Stack):
    telltale.put(b"x", "noop.limits.txt")
    error = telltale.final("noop.limits.txt").record["error"]
    assert error is not None
    seen = json.loads(error["message"].partition("limits: ")[2].splitlines()[0])
    stream = seen["variables"].pop("AWS_LAMBDA_LOG_STREAM_NAME")
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    assert seen == {
        "variables": {
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/tsdat-pipeline-lambda", "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "LANG": "en_US.UTF-8", "TZ": ":UTC",
        },
        "epoch": "1970-01-01T00:00:00", "files": 1024, "lock": False, "encoding": "utf-8",
    }  # fmt: skip


def test_the_lambda_finds_only_what_ships(telltale: Stack):
    telltale.put(b"x", "noop.found.txt")
    error = telltale.final("noop.found.txt").record["error"]
    assert error is not None
    found = error["message"].partition("found: ")[2].split()
    assert found[:-1] == ["tsdat", "shared", "runner.function", "pipelines", "runner", "shared", "utils"]
    if isinstance(telltale, UpWithDocker) or not lambda_python.notice():
        assert found[-1] == runtime.PYTHON


def test_no_secret_is_stored_or_printed(telltale: Stack):
    telltale.put(b"x", "noop.raise.txt")
    run = telltale.final("noop.raise.txt")
    assert run.record["error"] is not None
    assert run.record["error"]["message"] == (
        "cannot open ftp://[redacted]@example.org and api_key='[redacted]' with [redacted]"
    )
    assert run.record["warnings"] == ["logged password=[redacted]"]
    shown = command("logs", "noop.raise", "--data", telltale.data).stdout
    assert "ftp://[redacted]@example.org" in shown
    kept = [path for path in telltale.data.rglob("*") if path.is_file()]
    assert {"state.sqlite", "up.log"} <= {path.name for path in kept}
    leaking = [path for path in kept if b"hunter2" in path.read_bytes()]
    assert not leaking
    logged = lambda_log(telltale)
    assert "logged password=[redacted]" in logged
    assert "hunter2" not in shown + telltale.text + logged


def test_ingest_prints_no_secret(tmp_path: Path):
    lines = "-----BEGIN RSA PRIVATE KEY-----\\nhunter2-in-the-middle\\n-----END RSA PRIVATE KEY-----"
    source = f"""
import warnings
from tsdat import IngestPipeline

class NoOp(IngestPipeline):
    def run(self, inputs, **kwargs):
        warnings.warn("password=hunter2-in-a-warning")
        if "raise" in inputs[0]:
            raise ValueError("no key: {lines}")
"""
    project = noop.project(tmp_path / "project", source)
    (project / "pipelines" / "__init__.py").touch()  # otherwise Python imports the working directory's
    files = [tmp_path / "noop.warn.txt", tmp_path / "noop.raise.txt"]
    for file in files:
        file.write_text("x")
    done = runner("ingest", *files, "--data", tmp_path, RUNNER_ROOT=str(project))
    assert "warning: password=[redacted]" in done.stdout
    assert "ValueError in phase process: no key: [redacted]\n" in done.stdout
    assert "1 successes, 1 failures" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


def lambda_log(telltale: Stack) -> str:
    """Return the Lambda's log, which on AWS is in CloudWatch."""
    if isinstance(telltale, Supervised):
        return (telltale.data / "state" / "logs" / "lambda-1.log").read_text()
    assert isinstance(telltale, UpWithDocker)
    named = (f"label=com.docker.compose.project={telltale.project}", "label=com.docker.compose.service=lambda")
    listing = ["docker", "ps", "--quiet", "--filter", named[0], "--filter", named[1]]
    (container,) = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()
    done = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_no_file_contains_a_secret_of_the_shell(telltale: Stack):
    for path in [path for path in telltale.data.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        assert not [name for name, value in SECRETS.items() if value.encode() in content], path


def test_containers_have_few_privileges(docker_stack: DockerStack):
    named = f"label=com.docker.compose.project={docker_stack.project}"
    listed = subprocess.run(["docker", "ps", "--quiet", "--filter", named], capture_output=True, text=True, check=True)
    command = ["docker", "inspect", *listed.stdout.split()]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    by_service = {container["Config"]["Labels"]["com.docker.compose.service"]: container for container in found}
    assert by_service.keys() == {"emulator", "provision", "lambda", "poller", "watcher"}
    for container in found:
        host = container["HostConfig"]
        assert not host["Privileged"]
        assert (host["PidMode"], host["IpcMode"], host["NetworkMode"]) != ("host", "host", "host")
        assert not [mount for mount in container["Mounts"] if "docker.sock" in mount["Source"]]
        bindings = [binding for ports in host["PortBindings"].values() for binding in ports]
        assert {binding["HostIp"] for binding in bindings} <= {"127.0.0.1"}
    for name, container in by_service.items():
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"] == (name != "emulator")
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
    status = process_status(by_service["lambda"]["State"]["Pid"])
    assert status["Uid"].split()[0] == "1000"
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"


def process_status(pid: int) -> dict[str, str]:
    """Return the kernel's status of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
