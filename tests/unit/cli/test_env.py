"""The lines that `runner env` prints, evaluated by a shell."""

import json
import os
import subprocess
import sys

import pytest

from runner.aws import clients
from runner.cli.env import shell_lines

VARIABLES = {**clients.local_environment("http://127.0.0.1:4566"), "QUEUE_URL": "http://h/it's $HOME; x"}
PRINT = f"""{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"""


def evaluated(shell: dict[str, str]) -> dict[str, str]:
    """Return the environment of a program that a shell starts after it has evaluated the lines."""
    script = "\n".join([*shell_lines(VARIABLES, shell), PRINT])
    done = subprocess.run(["sh", "-euc", script], env=shell, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_a_shell_gets_the_values_as_they_are_and_keeps_its_own():
    found = evaluated({"PATH": os.environ["PATH"], "EDITOR": "vi"})
    assert found.items() >= {**VARIABLES, "EDITOR": "vi"}.items()
    assert "NO_PROXY" not in found


def test_a_profile_and_endpoints_of_single_services_are_removed():
    shell = {
        "AWS_PROFILE": "prod",
        "AWS_ENDPOINT_URL_S3": "https://s3.us-west-2.amazonaws.com",
        "AWS_REGION": "eu-west-1",
    }
    found = evaluated(shell)
    assert {name: found[name] for name in found if name.startswith("AWS_")} == clients.local_environment(
        "http://127.0.0.1:4566"
    )


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_does_not_get_what_is_for_this_machine(name: str):
    shell = {name: "http://proxy.example.org:3128", "no_proxy": ".example.org"}
    found = evaluated(shell)
    assert found["no_proxy"] == found["NO_PROXY"] == ".example.org,127.0.0.1,localhost"
    assert evaluated(found)["no_proxy"] == found["no_proxy"]


def test_a_name_that_is_no_identifier_is_left_alone():
    assert not [line for line in shell_lines({}, {"AWS_X;touch /tmp/x": "1"}) if "touch" in line]
