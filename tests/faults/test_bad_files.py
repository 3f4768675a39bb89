"""Files that cannot be read: each ends in the dead-letter queue, with a reason that says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import killing
import pytest
from bad_files import BAD, OUTSIDE
from commands import agrees, failures

from runner.backends import Stack
from runner.template import StackTemplate

_CUT = "Its transfer may have stopped early: send it again."
_CUT_ARCHIVE = "Its transfer may have stopped early: test it where it came from, and send it again."
_BOMB = (
    "unpacks to more than 200 times its size, as a zip bomb does (ARCHIVE_MAX_RATIO in template.yaml). "
    "Find out who made it, or raise that value."
)
_LINK = (
    "holds a link, 'buoy.z05.00.20210101.000000.wind.csv'. It is not read; make it again with the file itself in its "
    "place (tar --dereference)."
)
# What is said of each after its name.
REASONS = {
    "empty zip": f"is empty (0 bytes). {_CUT}",
    "empty csv": f"is empty (0 bytes). {_CUT}",
    "empty log": f"is empty. {_CUT}",
    "corrupt zip": "cannot be read as the archive that its name says (Bad CRC-32 for file "
    f"'buoy.z05.00.20201201.000000.currents.csv'). {_CUT_ARCHIVE}",
    "cut zip": f"cannot be read as a zip archive (File is not a zip file). {_CUT_ARCHIVE}",
    "cut tar.gz": "cannot be read as a gz archive (Compressed file ended before the end-of-stream marker was reached). "
    + _CUT_ARCHIVE,
    "torn csv": f"stops in the middle of line 145, after '2020-12-01 23:5'. {_CUT}",
    "torn log": "line 123 has 3 values where the columns are 6: '42120   1.982  0'.",
    "utf-16 csv": "is not UTF-8 text: line 1 holds the byte 0xff. A spreadsheet may have saved it so: save it as "
    "'CSV UTF-8', or send the instrument's own file.",
    "utf-16 log": "does not begin with the line 'TIDE GAUGE LOG 1' but with "
    "'��T\\x00I\\x00D\\x00E\\x00 \\x00G\\x00A\\x00U\\x00G\\x00E\\x00 \\x00L\\x00O\\x00G\\x00 \\x001\\x00'. "
    "Is it another gauge's file, or not plain text?",
    "zip bomb": _BOMB,
    "tar.gz bomb": _BOMB,
    "path out of the folder": "holds a path that leads out of its folder, "
    f"'{'../' * 12}tmp/tsdat-local-outside.wind.csv'. It is not read; make it again without '..' in its names.",
    "absolute path": "holds an absolute path, '/tmp/tsdat-local-outside.wind.csv'. It is not read; make it again with "
    "paths relative to its folder.",
    "link in a tar": _LINK,
    "link in a zip": _LINK,
    "100,000 entries": "has more than 10000 entries (ARCHIVE_MAX_ENTRIES in template.yaml). Split it, or raise that "
    "value.",
}


@pytest.fixture(scope="module", params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest) -> Stack:
    """With all bad files dropped at once."""
    made: Stack = request.getfixturevalue(f"{request.param}_stack")
    assert not is_there(OUTSIDE, made)
    for key, make, is_bad in BAD.values():
        content = make()
        assert is_bad(content), key
        made.put(content, key)
    for key, *_ in BAD.values():
        made.final(key)
    return made


def is_there(path: Path, stack: Stack) -> bool:
    """Whether a file exists, on this machine or in any of the stack's Lambda containers."""
    roots = [Path(f"/proc/{pid}/root") for pid in killing.pids(stack, "runtime")] or [Path("/")]
    return any((root / path.relative_to("/")).exists() for root in roots)


@pytest.fixture(scope="module")
def shown(stack: Stack) -> dict[str, dict[str, Any]]:
    """What `runner failures` shows of them."""
    return failures(stack)


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_kept_with_its_reason(shown: dict[str, dict[str, Any]], what: str):
    key = BAD[what][0]
    assert (shown[key]["tried"], shown[key]["in_dead_letter_queue"]) == (3, True)
    assert shown[key]["error"]["message"] == f"{Path(key).name} {REASONS[what]}"


def test_nothing_was_written_outside(stack: Stack):
    assert not is_there(OUTSIDE, stack)


def test_all_of_them_are_accounted_for(stack: Stack, described: StackTemplate):
    outcomes = agrees(stack, described, None).outcomes
    assert {outcomes[key] for key, *_ in BAD.values()} == {"dead-lettered"}
