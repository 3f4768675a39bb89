"""`runner env`: print the variables that point AWS tools in a shell at the running stack."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from runner.aws import clients
from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import print_json
from runner.settings import Settings
from runner.state import stack_lock
from runner.template import stack_template

_LOOPBACK = "127.0.0.1,localhost"


def env(data: Data = None, as_json: AsJson = False) -> None:
    """Print variables that point AWS tools at the stack.

    They hold the local endpoint, fake credentials, and the names of the buckets and queues of the running stack. The
    AWS CLI, boto3, s3fs and xarray then use the local S3 and SQS, in this shell only.

    Example: `eval "$(runner env)"`, then `aws s3 ls s3://$DESTINATION_BUCKET/`
    """
    settings = chosen(data)
    endpoint_url = stack_lock.require_running(settings)
    variables = stack_variables(settings, endpoint_url)
    if as_json:
        print_json(variables)
    else:
        sys.stdout.writelines(f"{line}\n" for line in shell_lines(variables, os.environ))


def stack_variables(settings: Settings, endpoint_url: str) -> dict[str, str]:
    """Return the endpoint, fake credentials, and the buckets and queues of a running stack, by variable.

    Raises:
        StackError: the stack does not answer.
    """
    template = stack_template.load_for(settings)
    sqs = clients.local_sqs(endpoint_url)
    with clients.answering("SQS does"):
        names = (template.queue_name, template.dead_letter_queue_name)
        queue_url, dead_letter_queue_url = (sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in names)
    return {
        **clients.local_environment(endpoint_url),
        "SOURCE_BUCKET": template.source_bucket,
        "DESTINATION_BUCKET": template.destination_bucket,
        "QUEUE_URL": _at(endpoint_url, queue_url),
        "DEAD_LETTER_QUEUE_URL": _at(endpoint_url, dead_letter_queue_url),
    }


def _at(endpoint_url: str, queue_url: str) -> str:
    """Return the URL of a queue at the endpoint. LocalStack returns a host name that needs a network to resolve."""
    return endpoint_url.rstrip("/") + urlsplit(queue_url).path


def shell_lines(variables: Mapping[str, str], shell: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines for a POSIX shell that set the variables, and remove what would override them there.

    Args:
        variables: what to set.
        shell: the variables of the shell, such as a profile, or an endpoint for one service.
    """
    for name in sorted(shell):
        if name.startswith("AWS_") and name.isidentifier() and name not in variables:
            yield f"unset {name}"
    for name, value in variables.items():
        yield f"export {name}={shlex.quote(value)}"
    if any(name.upper() in ("HTTP_PROXY", "ALL_PROXY") for name in shell):
        direct = shell.get("no_proxy") or shell.get("NO_PROXY") or ""
        if _LOOPBACK not in direct:
            direct = f"{direct},{_LOOPBACK}".lstrip(",")
        for name in ("NO_PROXY", "no_proxy"):  # some tools read only one of them
            yield f"export {name}={shlex.quote(direct)}"
