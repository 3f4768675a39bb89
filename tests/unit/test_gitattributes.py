"""A clone on Windows has files that Linux can run."""

import subprocess
from pathlib import Path


def test_a_clone_with_autocrlf_has_lf_and_raw_files_as_they_are(tmp_path: Path):
    clone = ["git", "clone", "--quiet", "--depth", "1", "--config", "core.autocrlf=true", f"file://{Path.cwd()}", "."]
    subprocess.run(clone, cwd=tmp_path, check=True)
    listed = subprocess.run(["git", "ls-files"], cwd=tmp_path, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        content = (tmp_path / name).read_bytes()
        if name.startswith("data/"):
            same = subprocess.run(["git", "show", f"HEAD:{name}"], cwd=tmp_path, capture_output=True, check=True)
            assert content == same.stdout, name
        elif b"\0" not in content:
            assert b"\r\n" not in content, name
