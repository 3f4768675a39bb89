"""Outputs are downloaded, pictures shown, and nothing outside the outputs folder is reached."""

from pathlib import Path

import pytest

from tests.support.live_page import served


def test_pictures_are_shown_and_all_else_is_saved(tmp_path: Path):
    folder = tmp_path / "outputs/data"
    folder.mkdir(parents=True)
    for name in ("a.png", "b.html", "c.svg", "d.nc"):
        (folder / name).write_bytes(b"content")
    with served(tmp_path) as site:
        assert site.ask("/outputs/data/a.png")[1]["content-type"] == "image/png"
        for name in ("b.html", "c.svg", "d.nc"):
            status, headers, body = site.ask(f"/outputs/data/{name}")
            assert (status, body) == (200, b"content")
            assert headers["content-type"] == "application/octet-stream"
            assert headers["content-disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize(
    "path",
    ["../state/state.sqlite", "%2e%2e/state/state.sqlite", "..%2fsecret", "/etc/passwd", "link", "a%00b", "data"],
)
def test_nothing_outside_is_reached(tmp_path: Path, path: str):
    (tmp_path / "outputs/data").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "outputs/link").symlink_to(tmp_path / "secret")
    with served(tmp_path) as site:
        status, _, body = site.ask(f"/outputs/{path}")
    assert status == 404
    assert body != b"secret"
