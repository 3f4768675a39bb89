from pathlib import Path

import pytest

from runner.cli.submit import default_key


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/p/data/inbox/x/y.csv", "x/y.csv"),
        ("/p/data/samples/a2e/morro/b.zip", "a2e/morro/b.zip"),
        ("/elsewhere/shared/a2e/morro/b.zip", "a2e/morro/b.zip"),
        ("/elsewhere/b.zip", "b.zip"),
    ],
)
def test_a_file_gets_the_key_it_would_have_in_the_inbox(path: str, key: str):
    assert default_key(Path(path), [Path("/p/data/inbox"), Path("/p/data/samples")], ["a2e"]) == key
