"""What is installed is pinned, and its content is known."""

import re
from pathlib import Path

import pytest

FILES = sorted(Path("requirements").glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_every_package_is_pinned_by_version_and_hash(file: Path):
    blocks = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", file.read_text(), flags=re.MULTILINE).strip())
    assert blocks[0]
    for block in blocks:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==[\w.+!-]+( ;[^\n]*)? \\\n", block), block.splitlines()[0]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block.splitlines()[0]


def test_every_list_has_its_source_and_every_installer_asks_for_the_hashes():
    assert {path.stem for path in FILES} == {path.stem for path in Path("requirements").glob("*.in")}
    installs = [
        line
        for path in [
            *(Path("scripts", name) for name in ("setup", "fetch-rie", "audit", "environment")),
            Path("docker/install"),
        ]
        for line in path.read_text().splitlines()
        if re.search(r"pip (install|download) ", line)
    ]
    assert len(installs) == 8
    assert all("--require-hashes" in line for line in installs)


def test_a_vulnerability_is_accepted_only_with_a_reason():
    for line in Path("requirements/audit-accepted").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Z]+-[\w-]+  # [\w.-]+: .{10,}", line), line
