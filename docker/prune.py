"""prune.py FOLDER: remove files that a Lambda never uses from installed packages, and compile the rest.

Only the builder stage runs it. A comment states the reason for each rule; docs/docker-images.md lists what each saves.
"""

import compileall
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

# Packages whose test suites are removed. They are listed by name because act and openpyxl import from their `tests`.
TESTED = (
    "dask distributed fsspec matplotlib mpl_toolkits numpy pandas pooch scipy simplejson skyfield toolz tornado xarray"
)
# Services that a pipeline may use; botocore describes 400 more. To use another service, add it here.
SERVICES = {
    "cloudwatch", "dynamodb", "events", "firehose", "kinesis", "kms", "lambda", "logs", "s3", "secretsmanager", "ses",
    "sns", "sqs", "ssm", "stepfunctions", "sts", "timestream-query", "timestream-write",
}  # fmt: skip
# Used only by compilers and type checkers.
SOURCES = {".a", ".c", ".cc", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyi", ".pyx"}


def surplus(packages: Path) -> Iterator[Path]:
    """Yield every file and folder to remove."""
    yield packages / "bin"  # command-line tools, which a Lambda does not call
    yield packages / "share"  # their manual pages
    # AWS's base image has its own runtime interface client, and a second version of it could break it.
    yield from packages.glob("awslambdaric*")
    yield from packages.glob("runtime_client.*.so")  # its C extension
    for package in TESTED.split():
        yield from (packages / package).rglob("tests")
    yield packages / "tornado/test"
    yield packages / "matplotlib/mpl-data/sample_data"  # used by matplotlib's gallery
    yield packages / "boto3/examples"  # text for boto3's documentation
    yield packages / "distributed/http/static"  # the dashboard of a Dask cluster, as is the next
    yield packages / "distributed/http/templates"
    for data in (packages / "botocore/data", packages / "boto3/data"):
        yield from (path for path in data.iterdir() if path.is_dir() and path.name not in SERVICES)
    yield packages / "aws_lambda_powertools/event_handler/openapi/swagger_ui"  # the web page of an API
    # Pillow treats AVIF as an optional format, and no pipeline needs it.
    yield from packages.glob("PIL/_avif.*.so")
    yield from packages.glob("pillow.libs/libavif-*")
    yield from (path for path in packages.rglob("*") if path.suffix in SOURCES)
    # Only installers need these files, to uninstall. importlib.metadata reads versions and entry points without them.
    yield from packages.glob("*.dist-info/RECORD")
    yield from packages.glob("*.dist-info/sboms")


def main() -> None:
    """Prune, then compile with unchecked hashes: the files never change, but image layers may change their times."""
    packages = Path(sys.argv[1])
    for path in list(surplus(packages)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    compileall.compile_dir(packages, quiet=2, workers=0, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)


if __name__ == "__main__":
    main()
