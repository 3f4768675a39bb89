"""The drop zone: complete files below the inbox, bounded, and never elsewhere."""

import http.client
from pathlib import Path

import pytest

from tests.support.live_page import served


def test_a_file_arrives_whole_under_its_key(tmp_path: Path):
    content = bytes(range(256)) * 1000
    with served(tmp_path) as site:
        status, _, body = site.post("/inbox?key=tide_gauge/mcrl/a%20b.log", content)
    assert (status, body) == (201, b'{"key":"tide_gauge/mcrl/a b.log","size":256000}')
    assert (tmp_path / "inbox/tide_gauge/mcrl/a b.log").read_bytes() == content
    assert [path.name for path in (tmp_path / "inbox/tide_gauge/mcrl").iterdir()] == ["a b.log"]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("../state/x", "is not a path below the inbox"), ("/etc/x", "is not a path below the inbox"),
        ("a/../../x", "is not a path below the inbox"), ("", "is not a path below the inbox"),
        ("a//b", "is not a path below the inbox"), ("link/x", "is not a file below the inbox"),
        (".hidden", "has a name that the stack ignores"), ("a/x.part", "has a name that the stack ignores"),
        ("a%01b", "which S3 cannot list"), ("folder", "is not a file below the inbox"),
    ],
)  # fmt: skip
def test_a_name_that_is_no_key_is_refused(tmp_path: Path, key: str, text: str):
    (tmp_path / "inbox/folder").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "inbox/link").symlink_to(tmp_path / "elsewhere")
    with served(tmp_path) as site:
        status, _, body = site.post(f"/inbox?key={key}", b"x")
    assert status == 400
    assert text in body.decode()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file() and "state" not in str(path)) == []


def test_a_torn_upload_leaves_nothing(tmp_path: Path):
    with served(tmp_path) as site:
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
        connection.putrequest("POST", "/inbox?key=a/1.csv")
        connection.putheader("X-Page-Token", site.token)
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"only this")
        connection.close()
        status, _, body = site.post("/inbox?key=b", b"x", Content_Length="6000000000")
        assert (status, b"A file may have up to" in body) == (413, True)
        assert site.ask("/inbox?key=b", "POST", b"x")[0] == 403
    assert [path for path in (tmp_path / "inbox").rglob("*") if path.is_file()] == []


def test_the_routes_suggest_a_folder(tmp_path: Path):
    with served(tmp_path) as site:
        found = site.json("/routes/suggest.json?name=buoy.z05.00.20201201.000000.zip")
        inside = site.json("/routes/suggest.json?name=a2e_buoy_ingest/humboldt/buoy.z05.00.20201201.000000.zip")
    assert "a2e_buoy_ingest/humboldt" in found["folders"]
    assert [route["pipeline"] for route in inside["takes"]] == ["a2e_buoy_ingest"]
