"""Every package is pinned by version and hash, and installed with its hash."""

import re
from pathlib import Path

FILES = sorted(Path("requirements").glob("*.txt"))


def test_every_package_is_pinned_by_version_and_hash():
    for file in FILES:
        blocks = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", file.read_text(), flags=re.MULTILINE).strip())
        assert blocks[0], file
        for block in blocks:
            text = f"{file}: {block.splitlines()[0]}"
            assert re.match(r"[\w.-]+(\[[\w,-]+\])?==[\w.+!-]+( ;[^\n]*)? \\\n", block), text
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), text


def test_every_list_has_a_source_and_every_installer_requires_hashes():
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
    assert installs
    assert all("--require-hashes" in line for line in installs)


def test_a_vulnerability_is_accepted_only_with_a_reason():
    for line in Path("requirements/audit-accepted").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Z]+-[\w-]+  # [\w.-]+: .{10,}", line), line
