"""Keys survive the encodings of S3 and LocalStack, and their paths stay in a folder."""

import unicodedata
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.messages import s3_events
from runner.messages.object_keys import local_path, printable, refused

# Characters that mean something to URLs, shells, or file systems, and text of any language.
TEXT = st.text(
    st.sampled_from(" +%&=@#?;:'\"\\|*<>$`!~.,-_\t\n") | st.characters(exclude_categories=["Cs"]), min_size=1
)
KEYS = TEXT.map(lambda key: key.encode()[:1024].decode(errors="ignore")).filter(bool)
# AWS sends spaces as +, LocalStack as %20.
ENCODINGS = {"S3": quote_plus, "LocalStack": quote}


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(key=KEYS)
@example(key="a b+c%20d&e=f@g#h.csv")
@example(key="été.csv")
@example(key=unicodedata.normalize("NFD", "été.csv"))
@example(key="🌊/.hidden/..csv")
@example(key="é" * 512)
def test_a_key_survives_encoding(encoding: str, key: str):
    entity = {"bucket": {"name": "b"}, "object": {"key": ENCODINGS[encoding](key, safe="/"), "size": 1}}
    record = {"eventSource": "aws:s3", "eventVersion": "2.1", "eventName": "ObjectCreated:Put", "s3": entity}
    assert [item.key for item in s3_events.parse({"Records": [record]}).objects] == [key]


@given(key=KEYS | st.lists(st.sampled_from(["..", ".", "", "a", "é" * 500, "\\.."])).map("/".join))
@example(key="../../etc/passwd")
@example(key="/etc/passwd")
@example(key="a/../../b")
@example(key="..")
@example(key="/")
def test_a_local_path_stays_in_its_folder(key: str):
    folder = Path("/tmp/inputs-x/0")
    path = local_path(key, folder)
    assert folder in path.parents
    assert ".." not in path.parts
    assert all(len(part.encode()) <= 255 for part in path.parts)
    assert len(str(path).encode()) < 4096


@given(key=KEYS.filter(lambda key: "\0" not in key))
@example(key="🌊" * 256)
@example(key="/".join(["ab"] * 341))
@example(key="é" * 512)
def test_a_local_path_can_be_written(key: str, tmp_path_factory: pytest.TempPathFactory):
    path = local_path(key, tmp_path_factory.mktemp("keys"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    assert path.read_bytes() == b"x"


@pytest.mark.parametrize(
    ("key", "relative"),
    [
        ("a2e/humboldt/buoy.z05.csv", "a2e/humboldt/buoy.z05.csv"),
        ("a//./b/../c.csv", "a/b/c.csv"),
        (f"{'x' * 300}.z05.csv", f"{'x' * 192}.z05.csv"),
        (".hidden", ".hidden"),
        ("été.csv", "été.csv"),
    ],
)
def test_a_path_ends_as_its_key_does(key: str, relative: str):
    assert local_path(key, Path("f")) == Path("f", relative)


def test_names_that_s3_cannot_store_are_refused_with_a_reason():
    assert refused("a/é😀.csv") is None
    assert refused("k" * 1024) is None
    assert refused("é" * 513) == "its path below the inbox has 1026 bytes, and S3 allows 1024. Shorten it."
    assert refused("caf\udce9.csv") == "its name is not valid UTF-8, which S3 requires. Rename it."
    assert refused("Icon\r") == "its name contains the character '\\r', which S3 cannot list. Rename it."
    assert refused("a\ufffe") == "its name contains the character '\\ufffe', which S3 cannot list. Rename it."
    assert printable("caf\udce9.csv") == "caf�.csv"
    assert printable("\x1b[2J.csv") == r"\x1b[2J.csv"
