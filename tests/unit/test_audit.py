"""What scripts/audit tells by its exit status; a stand-in answers for pip-audit, which needs a network."""

import shutil
import subprocess
from pathlib import Path

import pytest

# Finds a vulnerability in the list of that name only, and keeps what it was asked.
PIP_AUDIT = """#!/bin/sh
echo "$@" >> asked
case "$*" in *"-r requirements/$VULNERABLE "*) exit 1 ;; esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The script with two lists of packages, and with stand-ins for all that it starts."""
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


def test_every_list_is_asked_about_and_what_is_accepted_is_named(project: Path):
    done = audit(project, "none")
    assert done.returncode == 0, done.stderr
    asked = (project / "asked").read_text().splitlines()
    assert [line.partition(" -r ")[2] for line in asked] == [
        f"requirements/{name}.txt --quiet --ignore-vuln CVE-2020-1" for name in ("audit", "lambda")
    ]


def test_one_vulnerability_is_a_failure_and_the_other_lists_are_asked_about_too(project: Path):
    done = audit(project, "audit.txt")
    assert done.returncode == 1
    assert "audit: failed: requirements/audit.txt\n" in done.stderr
    assert len((project / "asked").read_text().splitlines()) == 2
