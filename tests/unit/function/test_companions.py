import pytest

from runner.function.companions import Companions, parse


def rules(content: object) -> tuple[Companions, list[str]]:
    problems: list[str] = []
    return Companions(tuple(parse(content, "routes.yaml", problems))), problems


def test_companions_are_named_after_their_file():
    found, problems = rules({r"(.*)\.csv": [r"\1.hdr", r"\1.cal"], r"(?P<stem>.*)/data\.bin": r"\g<stem>/info.txt"})
    assert problems == []
    assert found.keys_for("a/x.csv") == ["a/x.hdr", "a/x.cal"]
    assert found.keys_for("a/data.bin") == ["a/info.txt"]
    assert found.keys_for("a/x.txt") == []
    by_name, _ = rules({r"roof\.(.*)\.csv": r"roof.\1.hdr"})
    assert by_name.keys_for("site/roof.1.csv") == ["site/roof.1.hdr"]
    assert by_name.include("site/roof.1.hdr")
    assert [found.include(key) for key in ("a/x.hdr", "b/info.txt", "a/x.csv")] == [True, True, False]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (["x"], "routes.yaml: companions takes 'pattern: [names]' lines, not ['x']."),
        ({"(": ["x"]}, "routes.yaml: companions.(: missing ), unterminated subpattern at position 0."),
        ({"a": 5}, "routes.yaml: companions.a: 5 must be a list of names."),
        (
            {"a": [r"\1.hdr"]},
            r"routes.yaml: companions.a: '\\1.hdr' refers to group 1, which the pattern",
        ),
        (
            {"a": [r"\g<stem>.hdr"]},
            r"routes.yaml: companions.a: '\\g<stem>.hdr' refers to group stem",
        ),
    ],
)
def test_a_mistake_is_named(content: object, problem: str):
    assert rules(content)[1][0].startswith(problem)
