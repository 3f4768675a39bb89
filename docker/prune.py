"""prune.py FOLDER: takes out of installed packages what a Lambda never uses, and compiles the rest.

Only the builder stage runs it. Each rule gives its reason; docs/docker-images.md has what each one saves.
"""

import compileall
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

# The packages' own test suites. By name and not everywhere: act and openpyxl import from their own `tests`.
TESTED = (
    "dask distributed fsspec matplotlib mpl_toolkits numpy pandas pooch scipy simplejson skyfield toolz tornado xarray"
)
# Services whose clients a pipeline may want; botocore describes 400 more. To use another, add it here.
SERVICES = {
    "cloudwatch", "dynamodb", "events", "firehose", "kinesis", "kms", "lambda", "logs", "s3", "secretsmanager", "ses",
    "sns", "sqs", "ssm", "stepfunctions", "sts", "timestream-query", "timestream-write",
}  # fmt: skip
# For compilers and type checkers. (.h and .a under numpy are for building against it.)
SOURCES = {".a", ".c", ".cc", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyi", ".pyx"}


def surplus(packages: Path) -> Iterator[Path]:
    """Every file and folder that goes."""
    yield packages / "bin"  # command-line tools: a Lambda calls none
    yield packages / "share"  # their manual pages
    # AWS's base image brings its own runtime client, and mixing two of them is a way to break it.
    yield from packages.glob("awslambdaric*")
    yield from packages.glob("runtime_client.*.so")  # its C part
    for package in TESTED.split():
        yield from (packages / package).rglob("tests")
    yield packages / "tornado/test"
    yield packages / "matplotlib/mpl-data/sample_data"  # its gallery's
    yield packages / "boto3/examples"  # text for its documentation
    yield packages / "distributed/http/static"  # the web page of a Dask cluster; so is the next
    yield packages / "distributed/http/templates"
    for data in (packages / "botocore/data", packages / "boto3/data"):
        yield from (path for path in data.iterdir() if path.is_dir() and path.name not in SERVICES)
    yield packages / "aws_lambda_powertools/event_handler/openapi/swagger_ui"  # the web page of an API
    # Pillow takes it for an optional image format, and nothing here writes or reads it.
    yield from packages.glob("PIL/_avif.*.so")
    yield from packages.glob("pillow.libs/libavif-*")
    yield from (path for path in packages.rglob("*") if path.suffix in SOURCES)
    # What an installer needs in order to uninstall; `importlib.metadata` reads versions and entry points without it.
    yield from packages.glob("*.dist-info/RECORD")
    yield from packages.glob("*.dist-info/sboms")


def main() -> None:
    """Prune, then compile with hashes that nobody checks: what is here never changes, but its file times may."""
    packages = Path(sys.argv[1])
    for path in list(surplus(packages)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    compileall.compile_dir(packages, quiet=2, workers=0, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)


if __name__ == "__main__":
    main()
