"""scripts/audit checks every list and fails on a vulnerability; pip-audit, which needs a network, is replaced."""

import shutil
import subprocess
from pathlib import Path

import pytest

# Reports a vulnerability in one list only, and records its arguments.
PIP_AUDIT = """#!/bin/sh
echo "$@" >> arguments
case "$*" in *"-r requirements/$VULNERABLE "*) exit 1 ;; esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project with two lists of packages, and stand-ins for all programs that the script starts."""
    for name in ("scripts", "requirements", ".venv/bin", ".venv-audit/bin"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy("scripts/audit", tmp_path / "scripts")
    for name in ("lambda.txt", "audit.txt"):
        (tmp_path / "requirements" / name).touch()
    (tmp_path / "requirements" / "audit-accepted").write_text("# reasons\nCVE-2020-1  # package: not reached\n")
    nothing = "#!/bin/sh\n"
    programs = {"scripts/setup": nothing, ".venv/bin/uv": nothing, ".venv-audit/bin/python": nothing}
    for name, text in {**programs, ".venv-audit/bin/pip-audit": PIP_AUDIT}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def audit(project: Path, vulnerable: str) -> subprocess.CompletedProcess[str]:
    command, variables = [project / "scripts" / "audit", "--quiet"], {"PATH": "/usr/bin:/bin", "VULNERABLE": vulnerable}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_every_list_is_checked_without_the_accepted_vulnerabilities(project: Path):
    done = audit(project, "none")
    assert done.returncode == 0, done.stderr
    arguments = (project / "arguments").read_text().splitlines()
    assert [line.partition(" -r ")[2] for line in arguments] == [
        f"requirements/{name}.txt --quiet --ignore-vuln CVE-2020-1" for name in ("audit", "lambda")
    ]


def test_after_a_vulnerability_the_other_lists_are_checked_too(project: Path):
    done = audit(project, "audit.txt")
    assert done.returncode == 1
    assert "audit: failed: requirements/audit.txt\n" in done.stderr
    assert len((project / "arguments").read_text().splitlines()) == 2
