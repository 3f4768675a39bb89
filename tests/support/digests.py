"""A project whose pipeline stores a digest of each input, after the fault that the file's name asks for."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent.parent
_PIPELINE = '''
"""Stores a digest of each input; the file's name can ask for a fault."""

import hashlib
import os
import re
import signal
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

from tsdat import IngestPipeline

GATES = Path(__file__).parent / "gates"


def latest(path):
    """Return an output name that all versions of a file share, unless it is too long for a key."""
    key = re.split("/inputs-[^/]+/[0-9]+/", str(path))[-1]
    return [Path("latest", key)] if len(key.encode()) < 1000 else []


def unpack(path, folder):
    """Unpack without any check of the names, as no pipeline should."""
    folder.mkdir(exist_ok=True)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                Path(folder, name).write_bytes(archive.read(name))
    else:
        with tarfile.open(path) as archive:
            archive.extraction_filter = lambda member, _: member  # disables Python's own checks
            archive.extractall(folder)


class NoOp(IngestPipeline):
    def run(self, inputs, **kwargs):
        for path in map(Path, inputs):
            self.misbehave(path.name)
            if "unpack" in path.name:
                unpack(path, Path("/tmp", f"unpacked-{path.name}"))
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            made = Path(tempfile.gettempdir(), "made.txt")
            made.write_text(f"{digest} {len(content)}\\n")
            for target in [Path("digests", digest), *latest(path)]:
                self.storage.save_ancillary_file(made, target)

    def misbehave(self, name):
        if "hold" in name:  # until the test calls open_gate
            print(f"holding {name}", flush=True)
            while not (GATES / name).exists():
                time.sleep(0.02)
        if "raise" in name:
            raise ValueError(f"{name}: nothing in it can be read")
        if "sleep" in name:
            time.sleep(600)
        if "exit" in name and not (GATES / name).exists():
            os._exit(3)
        if "quit" in name and not (GATES / name).exists():
            sys.exit("enough")
        if "killed" in name:  # as the system does when memory runs out
            os.kill(os.getpid(), signal.SIGKILL)
        if "memory" in name:
            held = [os.urandom(16 << 20) for _ in range(100)]
        if "devfull" in name:  # a device that is always full
            Path("/dev/full").write_bytes(b"x")
        if "fill60mb" in name:
            filled = Path(tempfile.gettempdir(), "x")
            try:
                filled.write_bytes(bytes(60 << 20))
            finally:
                filled.unlink()
        if "tmpfull" in name:
            with Path(tempfile.gettempdir(), "x").open("wb") as file:
                while True:
                    file.write(bytes(1 << 20))
'''


def project(folder: Path, **replacements: str) -> Path:
    """Make the project, with lines of the shipped template.yaml replaced, such as `Timeout="Timeout: 9"`.

    Three attempts instead of five, so that a file that fails costs the tests less time.
    """
    shutil.copytree(_ROOT / "benchmarks" / "noop_project", folder)
    (folder / "pipelines" / "noop" / "pipeline.py").write_text(_PIPELINE)
    (folder / "pipelines" / "noop" / "gates").mkdir()
    rival = folder / "pipelines" / "rival" / "config" / "pipeline.yaml"
    rival.parent.mkdir(parents=True)
    config = (folder / "pipelines" / "noop" / "config" / "pipeline.yaml").read_text()
    rival.write_text(config.replace(".*noop.*txt", ".*rival.*"))
    for name in ("shared", "utils"):
        (folder / name).mkdir()
    template = (_ROOT / "template.yaml").read_text()
    for key, line in {"maxReceiveCount": "maxReceiveCount: 3", **replacements}.items():
        before, found, after = template.partition(f" {key}: ")
        assert found, f"template.yaml has no {key}"
        template = f"{before} {line}\n{after.partition(chr(10))[2]}"
    (folder / "template.yaml").write_text(template)
    return folder


def open_gate(project: Path, key: str) -> None:
    """Let the run of a file named *hold* continue."""
    (project / "pipelines" / "noop" / "gates" / Path(key).name).touch()


def unpacked(key: str) -> Path:
    """Return the folder that the pipeline unpacks a file named *unpack* into."""
    return Path("/tmp", f"unpacked-{Path(key).name}")


def expected(key: str, content: bytes) -> dict[str, bytes]:
    """Return the outputs of a file: one for its content, one for its name."""
    digest = hashlib.sha256(content).hexdigest()
    names = [f"digests/{digest}", *([f"latest/{key}"] if len(key.encode()) < 1000 else [])]
    return dict.fromkeys(names, f"{digest} {len(content)}\n".encode())
