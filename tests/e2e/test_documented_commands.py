"""README and docs: the commands run in a copy of the checkout, the Python examples too, and the options exist.

A `bash` block runs on any machine, a `console` block needs an AWS account or answers. The blocks share one stack, which
has run files before, so that each can also run alone.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import xarray as xr
import yaml

from runner.function import routing
from runner.stack.ports import free_port
from runner.testing import assert_datasets_match
from runner.testing.plugin import require_docker
from runner.testing.stacks import environment, eventually
from tests.support.documentation import Block, block_after, blocks
from tests.support.stacks import BUOY, ROOT, SAMPLES, TIDE
from tests.support.tools import require_sam

BASH = blocks("bash")
# Runs until Ctrl-C.
UP = re.compile(r"^(scripts/up|runner up)\b", re.MULTILINE)
DOCKER = re.compile(r"\bdocker\b|^scripts/(sam|offline-images)\b", re.MULTILINE)
# The suite runs the same test files itself.
NOT_REPEATED = ("scripts/test ",)
STARTING = [block for block in BASH if UP.search(block.text)]
WITH_DOCKER = [block for block in BASH if DOCKER.search(block.text) and block not in STARTING]
LOCAL = [block for block in BASH if block not in STARTING + WITH_DOCKER]


class Checkout:
    """A copy of the checkout, in which the blocks run as a user would run them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in [*filter(None, listed.split("\0")), ".env"]:
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        for name in (".venv", ".venv-lambda", ".venv-localstack", ".venv-ministack"):
            (folder / name).symlink_to(ROOT / name)

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables of a shell in which Docker cannot be used."""
        own = {"COLUMNS": "120", "DOCKER_HOST": "unix:///nowhere/docker.sock"}
        return environment(**own | more) | {"PYTHONPATH": ""}

    def run(self, *lines: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run lines in one shell, in the environment that README.md activates."""
        script = "\n".join(("set -e", ". .venv/bin/activate", *lines))
        command = ["bash", "-c", script]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment(**more), capture_output=True, text=True, timeout=200
        )

    def reconcile(self) -> None:
        """Wait until every file is accounted for."""
        done = self.run("runner reconcile --wait 90")
        assert done.returncode == 0, done.stdout + done.stderr

    @contextmanager
    def up(self, block: Block, **more: str) -> Iterator[str]:
        """Run a block that starts a stack, yield what it printed until it was ready, and press Ctrl-C."""
        log = self.folder / f"up-{block.line}.log"
        command = block.commands[-1]
        command += "" if "--port" in command else f" --port {free_port()}"  # another stack may use the default
        script = f". .venv/bin/activate\nexec {command}"
        with log.open("w") as file:
            process = subprocess.Popen(
                ["bash", "-c", script], cwd=self.folder, env=self.environment(**more), stdout=file, stderr=file
            )
        try:
            eventually(lambda: "\nready in" in log.read_text() or process.poll() is not None, f"stack of {block}", 60)
            assert process.poll() is None, log.read_text()
            yield log.read_text()
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(timeout=20)
        assert code == 0


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Start README's stack, and drop files that succeed, are skipped and fail."""
    made = Checkout(tmp_path_factory.mktemp("documented") / "tsdat-local")
    with made.up(STARTING[0]):
        inbox = made.folder / "data" / "inbox"
        for source in (BUOY, TIDE):
            target = inbox / source.relative_to(SAMPLES)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        made.reconcile()  # so that the events that docs/replay-backfill.md replays are theirs
        (inbox / "tide_gauge" / "mcrl" / "tide_20200212000000.log").write_text("torn")
        (inbox / "unknown.bin").write_text("?")
        made.reconcile()
        yield made


@pytest.mark.parametrize("block", LOCAL, ids=str)
def test_a_local_block_runs(checkout: Checkout, block: Block):
    lines = [line for line in block.commands if not line.startswith(NOT_REPEATED)]
    if not shutil.which("aws") or len(lines) < len(block.commands):
        lines = [line for line in lines if not line.startswith("aws ")]
    done = checkout.run(*lines)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", STARTING[1:], ids=str)
def test_a_block_that_starts_a_stack_runs(checkout: Checkout, block: Block, tmp_path: Path):
    with checkout.up(block, RUNNER_DATA=str(tmp_path), RUNNER_DEBUG_PORT=str(free_port())) as text:
        assert "ready in" in text


@pytest.mark.sam
@pytest.mark.parametrize("block", WITH_DOCKER, ids=str)
def test_a_block_for_docker_runs(block: Block, tmp_path: Path):
    require_docker()
    project = f"tsdat-test-docs-{os.getpid()}"
    own = environment(
        COMPOSE_PROJECT_NAME=project, RUNNER_DATA=str(tmp_path), LOCALSTACK_PORT=str(free_port()),
        RUNNER_DEBUG_PORT=str(free_port()), LAMBDA_CONCURRENCY="1",
    )  # fmt: skip
    # tests/e2e/test_sam_local.py has the stack that the former needs; the latter needs AWS's image from its registry.
    left_out = ("sam local", "buildx", *NOT_REPEATED)
    lines = [line for line in block.commands if not any(text in line for text in left_out)]
    script = "\n".join(("set -e", *lines))
    try:
        done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=own, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    finally:
        down = ["docker", "compose", "down", "--volumes", "--timeout", "0"]
        subprocess.run(down, cwd=ROOT, env=own, capture_output=True, check=True)


def stable(text: str) -> list[str]:
    """Return the lines of an output without numbers, borders and padding."""
    lines = (re.sub(r"\d+(\.\d+)?", "0", re.sub(r"[━╇┃│]+", " ", line)) for line in text.splitlines())
    return [" ".join(line.split()) for line in lines if line.strip() and line.strip(" ━╇")]


def test_outputs_are_as_shown(checkout: Checkout):
    demo = block_after("README.md", "scripts/demo\n```").text
    shown = stable(demo.replace("  …\n", ""))
    done = checkout.run("scripts/demo")
    printed = stable(done.stdout + done.stderr)
    assert [line for line in shown if line not in printed] == [], done.stdout + done.stderr
    reconciled = stable(checkout.run("runner reconcile").stdout)
    assert stable(block_after("docs/reliability.md", "runner reconcile\n```").text) == reconciled
    table = stable(block_after("docs/failed-files.md", "the dead-letter queue, and `runner failures`").text)
    assert stable(checkout.run("runner failures").stdout)[0] == table[0]


def test_the_example_of_a_test_runs(drop: Callable[..., dict], outputs: Callable[..., list[Path]], tmp_path: Path):
    sample, expected = "data/samples/my_pipeline/my_site/file.csv", "tests/expected/my_site.nc"
    (example, comparison) = blocks("python")
    text = example.text.replace(sample, str(TIDE.relative_to(ROOT))).replace(expected, str(tmp_path / "expected.nc"))
    shutil.copy(outputs(drop(TIDE.relative_to(ROOT)), ".nc")[0], tmp_path / "expected.nc")
    names: dict[str, Callable[..., None]] = {}
    exec(compile(text, str(example), "exec"), names)  # noqa: S102  a page of this repository
    names["test_my_pipeline"](drop, outputs)
    files = {"actual": tmp_path / "expected.nc", "expected": tmp_path / "expected.nc"}
    exec(compile(comparison.text, str(comparison), "exec"), names | files)  # noqa: S102


def test_differences_are_reported_as_shown():
    actual = xr.Dataset({"speed": ("time", [1.0, 1.5], {"units": "m/s"})})
    expected = xr.Dataset({"speed": ("time", [1.0, 1.5], {"units": "m/s"})})
    actual["speed"] = ("time", [2.5, 1.5], {"units": "cm/s"})
    expected["speed"] = ("time", [1.5, 1.5], {"units": "m/s"})
    with pytest.raises(AssertionError) as raised:
        assert_datasets_match(actual, expected)
    assert str(raised.value) == block_after("docs/testing.md", "one line per difference:").text.rstrip()


class AnyTag(yaml.SafeLoader):
    """Reads CloudFormation's short forms as plain values."""


AnyTag.add_multi_constructor("!", lambda loader, suffix, node: suffix)


def test_yaml_examples_are_valid(tmp_path: Path):
    for number, block in enumerate(blocks("yaml")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block.text)
        assert yaml.load(path.read_text(), Loader=AnyTag), block
    (routes,) = [block.text for block in blocks("yaml") if "locations:" in block.text]
    for name in ("pipelines", "shared"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "pipelines" / "routes.yaml").write_text(routes)
    route = routing.load(tmp_path).match(f"any/{BUOY.name}")
    assert (route.pipeline, route.location) == ("a2e_buoy_ingest", "humboldt")


# SAM CLI's verbs and options, in one process: each start of SAM CLI takes two seconds.
ASK = """
import json, sys
from click.testing import CliRunner
from samcli.cli.main import cli

asked = [(verb, CliRunner().invoke(cli, [*verb, "--help"])) for verb in json.load(sys.stdin)]
print(json.dumps([(verb, answer.exit_code, answer.output) for verb, answer in asked]))
"""
# scripts/sam checks what is built or running before these, but not before their help.
CHECKED = [("deploy",), ("local", "invoke")]


def verb_of(words: list[str]) -> tuple[str, ...]:
    plain = [word for word in words if not word.startswith("-")]
    return tuple(plain[: 2 if plain[0] in ("local", "list") else 1])


def options_of(words: list[str]) -> set[str]:
    return {word for word in words if word.startswith("-")}


def test_sam_knows_the_documented_verbs_and_options():
    require_sam()
    text = "\n".join(page.read_text(encoding="utf-8") for page in {block.page for block in blocks("bash", "console")})
    sam = [shlex.split(line) for line in re.findall(r"(?<![\w/])scripts/sam ([a-z][^`\n#]*)", text)]
    deploy = [shlex.split(line) for line in re.findall(r"^ *scripts/deploy (\w[^#\n]*)", text, re.MULTILINE)]
    assert len(sam) > 5
    assert deploy
    verbs = sorted({verb_of(words) for words in sam} | {*CHECKED})
    own = environment(COLUMNS="300", SAM_CLI_TELEMETRY="0")
    command = [ROOT / ".venv-sam/bin/python", "-c", ASK]
    done = subprocess.run(command, input=json.dumps(verbs), capture_output=True, text=True, env=own, check=False)
    assert done.returncode == 0, done.stderr
    helps = {}
    for verb, code, output in json.loads(done.stdout):
        assert code == 0, output
        helps[tuple(verb)] = set(re.findall(r"(?<!\w)--?[a-z][a-z-]*", output))
    for words in sam:
        assert options_of(words) <= helps[verb_of(words)], words
    for words in deploy:
        assert options_of(words[1:]) <= helps["deploy",], words
    for verb in CHECKED:
        shown = subprocess.run([ROOT / "scripts/sam", *verb, "--help"], capture_output=True, text=True, env=own)
        assert set(re.findall(r"(?<!\w)--?[a-z][a-z-]*", shown.stdout)) == helps[verb], shown.stderr


def test_console_blocks_use_commands_and_options_that_exist():
    from typer.main import get_command

    from runner.cli.app import app

    commands = get_command(app).commands  # type: ignore[attr-defined]
    for block in blocks("console"):
        for line in block.commands:
            words = shlex.split(line)
            for at, word in enumerate(words):
                if word in ("runner", "scripts/runner") and at + 1 < len(words):
                    command = commands[words[at + 1]]
                    known = {name for parameter in command.params for name in parameter.opts}
                    assert options_of(words[at + 2 :]) <= known | {"--help"}, f"{block}: {line}"
                if word.startswith("scripts/"):
                    assert (ROOT / word).is_file(), f"{block}: {line}"
