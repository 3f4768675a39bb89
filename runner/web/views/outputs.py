"""Downloads of outputs, and nothing outside the outputs folder."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from runner.web.page import Page

# What a browser shows without running anything; all else is saved.
_SHOWN = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}


def download(request: Request) -> Response:
    """Answer with an output."""
    page: Page = request.app.state.page
    file = output_file(page.settings.outputs, request.path_params["key"])
    kind = _SHOWN.get(file.suffix.lower())
    if kind:
        return FileResponse(file, media_type=kind, headers={"Cache-Control": "no-cache"})
    return FileResponse(file, media_type="application/octet-stream", filename=file.name)


def output_file(folder: Path, key: str) -> Path:
    """Return the file of a key below the outputs folder.

    Raises:
        HTTPException: there is none, or it is elsewhere.
    """
    try:
        file = (folder / key).resolve()
        if file.is_relative_to(folder.resolve()) and file.is_file():
            return file
    except (OSError, ValueError):  # a name that no file can have
        pass
    raise HTTPException(404, f"There is no output {key!r}.")
