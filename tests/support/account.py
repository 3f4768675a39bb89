"""A stand-in for an AWS account: LocalStack, a real image registry, and a stub of two ECR calls.

LocalStack's free edition has no ECR and does not run images. The rehearsal checks which resources template.yaml creates
and how they are connected, but neither permissions nor runs. LocalStack also ignores DeletionPolicy.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from runner.aws import clients
from runner.services.event_source_mapping.rie_client import Emulator
from runner.stack.ports import free_port
from runner.testing.plugin import require_docker
from runner.testing.stacks import environment, eventually
from tests.support.tools import require_program, require_sam

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "tests/rehearsal/compose.yaml"


class Account:
    """The account's endpoints, and SAM CLI with its credentials."""

    def __init__(self, folder: Path, endpoint_url: str, registry: str, ecr: Ecr) -> None:
        self.folder, self.endpoint_url, self.registry, self.ecr = folder, endpoint_url, registry, ecr
        self.repository = f"{registry}/tsdat"
        # The project's own file, except for the line that needs ECR.
        text = (ROOT / "samconfig.toml").read_text()
        assert "resolve_image_repos = true" in text
        self.samconfig = folder / "samconfig.toml"
        self.samconfig.write_text(text.replace("resolve_image_repos = true", f'image_repository = "{self.repository}"'))

    def client(self, service: str) -> Any:
        """Return a client of one of its services."""
        return clients.local_client(service, self.endpoint_url)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of a shell with its credentials."""
        local = clients.local_environment(self.endpoint_url)
        return environment(**local, AWS_ENDPOINT_URL_ECR=self.ecr.url, SAM_CLI_POLL_DELAY="0.5")

    def run(self, *command: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a command of the project."""
        return subprocess.run(
            list(map(str, command)), cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, **more
        )

    def sam(self, verb: str, *options: str | Path) -> str:
        """Run scripts/sam, which must succeed, and return its output."""
        done = self.run("scripts/sam", verb, "--config-file", self.samconfig, *options)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    def deploy(self, stack: str, *options: str, **parameters: str) -> str:
        """Deploy the last build as a stack, without prompts, and return the output."""
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        return self.sam("deploy", "--stack-name", stack, "--no-confirm-changeset", "--no-progressbar", *options,
                        *(["--parameter-overrides", *overrides] if overrides else []))  # fmt: skip

    def deployed(self, environment: str) -> str:
        """Return the name of an environment's stack, and deploy it if it does not exist."""
        stack: str = tomllib.loads(self.samconfig.read_text())[environment]["global"]["parameters"]["stack_name"]
        there = self.client("cloudformation").describe_stacks()["Stacks"]
        if stack not in [one["StackName"] for one in there if one["StackStatus"] != "DELETE_COMPLETE"]:
            self.deploy(stack, "--config-env", environment)
        return stack

    def made(self, stack: str) -> dict[str, str]:
        """Return the physical IDs of a stack's resources by logical ID, without those that a condition excludes."""
        found = self.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found if one.get("PhysicalResourceId")}

    def outputs(self, stack: str) -> dict[str, str]:
        """Return a stack's outputs."""
        (found,) = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


class Ecr:
    """Answers SAM's calls to ECR for a registry without a password, and records them."""

    def __init__(self, registry: str) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        token = base64.b64encode(b"AWS:none").decode()
        login = {"authorizationToken": token, "expiresAt": 4e9, "proxyEndpoint": f"http://{registry}"}
        answers = {"GetAuthorizationToken": {"authorizationData": [login]}, "BatchDeleteImage": {"failures": []}}
        calls = self.calls

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # noqa: N802  its name in the standard library
                call = self.headers["X-Amz-Target"].rpartition(".")[2]
                calls.append((call, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                body = json.dumps(answers[call]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextlib.contextmanager
def account(folder: Path) -> Iterator[Account]:
    """Provide an account during the body."""
    require_docker()
    require_program("docker-registry", "apt-get install docker-registry")
    require_sam()
    with _registry(folder) as registry, _ecr(registry) as ecr, _localstack() as endpoint_url:
        yield Account(folder, endpoint_url, registry, ecr)


@contextlib.contextmanager
def _registry(folder: Path) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    described = {"version": 0.1, "http": {"addr": address}, "log": {"level": "warn"},
                 "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}}}  # fmt: skip
    config = folder / "registry.yml"
    config.write_text(json.dumps(described))
    with (folder / "registry.log").open("w") as log:
        process = subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log)
    try:
        eventually(lambda: Emulator(f"http://{address}").is_up(), "registry")
        yield address
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder / "registry", ignore_errors=True)


@contextlib.contextmanager
def _ecr(registry: str) -> Iterator[Ecr]:
    ecr = Ecr(registry)
    thread = threading.Thread(target=ecr.server.serve_forever)
    thread.start()
    try:
        yield ecr
    finally:
        ecr.server.shutdown()
        thread.join()
        ecr.server.server_close()


@contextlib.contextmanager
def _localstack() -> Iterator[str]:
    env_file = ROOT / ".env"
    more = ["--env-file", str(env_file)] if env_file.exists() else []
    compose = ["docker", "compose", "--project-name", f"tsdat-rehearsal-{os.getpid()}", *more, "--file", str(COMPOSE)]

    def run(*command: str) -> str:
        done = subprocess.run([*compose, *command], env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()

    try:
        run("up", "--detach", "--wait", "--build")
        yield f"http://{run('port', 'localstack', '4566')}"
    finally:
        run("down", "--volumes", "--timeout", "0")
