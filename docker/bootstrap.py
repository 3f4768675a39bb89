"""Serves the handler named by $_HANDLER with AWS's runtime interface client, which lies beside this file."""

import os
import sys

version = f"python{sys.version_info.major}.{sys.version_info.minor}"
# As on AWS: the function's own code first, then layers, which a PYTHONPATH takes the place of.
layers = [] if "PYTHONPATH" in os.environ else [f"/opt/python/lib/{version}/site-packages", "/opt/python"]
sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], *layers]

from awslambdaric.__main__ import main  # noqa: E402

main(["bootstrap", os.environ["_HANDLER"]])
