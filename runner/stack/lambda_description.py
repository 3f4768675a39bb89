"""Variables and context that Lambda gives a function, where AWS's emulator gives other values.

It imports only the standard library, because with Docker it runs in the image that ships.
"""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime
from typing import Any

_ACCOUNT = "000000000000"


def set_variables() -> None:
    """Set the variables that name the function's log, as Lambda does for each execution environment."""
    os.environ["AWS_LAMBDA_LOG_GROUP_NAME"] = f"/aws/lambda/{os.environ['AWS_LAMBDA_FUNCTION_NAME']}"
    stream = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
    os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] = stream


def correct(context: Any) -> None:
    """Give the context the function's own ARN, with the region."""
    name, region = os.environ["AWS_LAMBDA_FUNCTION_NAME"], os.environ["AWS_REGION"]
    context.invoked_function_arn = f"arn:aws:lambda:{region}:{_ACCOUNT}:function:{name}"
