"""Serve the handler in $_HANDLER with AWS's runtime interface client, which is installed next to this file."""

import os
import sys

version = f"python{sys.version_info.major}.{sys.version_info.minor}"
# The same order as on AWS: the function's code first, then layers. PYTHONPATH replaces the layers.
layers = [] if "PYTHONPATH" in os.environ else [f"/opt/python/lib/{version}/site-packages", "/opt/python"]
sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], *layers]

from awslambdaric.__main__ import main  # noqa: E402

main(["bootstrap", os.environ["_HANDLER"]])
