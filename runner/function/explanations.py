"""Says in the user's terms what an exception of a pipeline means, and what to do about it."""

from __future__ import annotations

import difflib
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from botocore.exceptions import ClientError, EndpointConnectionError

_PROJECT = re.compile(r"(?:^|/)((?:pipelines|shared|utils)/[^/].*)$")
_OWN = ("pipelines", "shared", "utils")
# Packages whose name on PyPI is not the one that is imported.
_DISTRIBUTIONS = {
    "Bio": "biopython", "cv2": "opencv-python-headless", "dateutil": "python-dateutil", "docx": "python-docx",
    "dotenv": "python-dotenv", "fitz": "pymupdf", "gsw": "gsw", "mpl_toolkits": "matplotlib", "OpenSSL": "pyOpenSSL",
    "osgeo": "gdal", "PIL": "pillow", "pyximport": "cython", "serial": "pyserial", "skimage": "scikit-image",
    "sklearn": "scikit-learn", "yaml": "PyYAML", "windrose": "windrose",
}  # fmt: skip
_MOST_CAUSE_CHARACTERS = 2000


def explain(error: BaseException) -> str | None:
    """Return what to add to an exception's text; None if that says it all."""
    causes = list(chain(error))
    for cause in causes:
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            return _missing_module(cause, cause.name)
        if isinstance(cause, ClientError) and cause.response["Error"].get("Code") == "NoSuchBucket":
            return f"The bucket is {cause.response['Error'].get('BucketName', 'not named')}."
        if isinstance(cause, EndpointConnectionError) and "127.0.0.1:9/" in str(cause):
            return "tsdat alone has no S3 here. Send the file through the local S3 with `runner run`, or add --aws."
        if isinstance(cause, FileNotFoundError) and "/inputs-" in str(cause.filename):
            return (
                "Only the object that the event names is downloaded. To fetch a file beside it, add `companions` to "
                "pipelines/routes.yaml (docs/routes.md)."
            )
    if type(error).__name__ == "ConfigError" and len(causes) > 1:
        return f"Because of {type(causes[-1]).__name__}: {str(causes[-1])[:_MOST_CAUSE_CHARACTERS]}"
    return None


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes, from the last to the first."""
    visited: set[int] = set()
    while error is not None and id(error) not in visited:
        visited.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def place_of(error: BaseException) -> str:
    """Return the user's innermost line in an exception's traceback, as path:line; empty if there is none."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "site-packages" not in frame.filename and (found := _PROJECT.search(frame.filename)):
            return f"{found[1]}:{frame.lineno}"
    return ""


def _missing_module(error: ModuleNotFoundError, name: str) -> str:
    top = name.partition(".")[0]
    place = place_of(error)
    if top in _OWN:
        return f"{place or 'The config'} names {name}, which is not in the project.{_similar(name)}"
    package = _DISTRIBUTIONS.get(top, top.replace("_", "-"))
    return (
        f"{place or 'The config'} imports {name}, which is not installed. Add `{package}` to requirements.txt, or run "
        f"`runner add {package}`."
    )


def _similar(name: str) -> str:
    """Return a suggestion from the names beside a module that does not exist."""
    *folders, last = name.split(".")
    folder = Path(*folders)
    known = {path.stem for path in folder.glob("*") if path.suffix == ".py" or path.is_dir()} if folders else set()
    found = difflib.get_close_matches(last, known, 1)
    return f" Did you mean {'.'.join([*folders, *found])}?" if found else " Correct the name, or add the file."
