import json

import pytest

from runner.messages.event_patterns import matches, parse
from runner.messages.s3_events import object_created

BODY = {
    "kind": "buoy", "depth_m": 20, "quality": None, "station": {"id": "z05", "tags": ["wind", "wave"]}, "empty": [],
    "reads": [{"name": "a"}, {"name": "b"}], "is_test": False,
}  # fmt: skip


@pytest.mark.parametrize(
    "pattern",
    [
        {"kind": ["tide", "buoy"]},
        {"depth_m": [20]},
        {"depth_m": [20.0]},
        {"quality": [None]},
        {"is_test": [False]},
        {"kind": [{"prefix": "bu"}]},
        {"kind": [{"suffix": "oy"}]},
        {"kind": [{"equals-ignore-case": "BUOY"}]},
        {"kind": [{"anything-but": "tide"}]},
        {"kind": [{"anything-but": ["tide", "adcp"]}]},
        {"kind": [{"anything-but": {"prefix": "ti"}}]},
        {"depth_m": [{"numeric": [">", 10, "<=", 20]}]},
        {"depth_m": [{"numeric": ["=", 20]}]},
        {"kind": [{"exists": True}], "location": [{"exists": False}]},
        {"empty": [{"exists": False}]},
        {"station": {"id": ["z05"]}},
        {"station": {"tags": ["wave"]}},
        {"reads": {"name": ["b"]}},
        {"$or": [{"kind": ["tide"]}, {"depth_m": [20]}]},
        {"kind": ["buoy"], "$or": [{"kind": ["tide"]}, {"station": {"id": ["z05"]}}]},
    ],
)
def test_pattern_matches(pattern: dict[str, object]) -> None:
    assert matches(parse(json.dumps({"body": pattern})), json.dumps(BODY))


@pytest.mark.parametrize(
    "pattern",
    [
        {"kind": ["tide"]},
        {"depth_m": ["20"]},
        {"is_test": [0]},
        {"kind": [{"prefix": "x"}]},
        {"kind": [{"anything-but": ["buoy", "adcp"]}]},
        {"kind": [{"anything-but": {"suffix": "oy"}}]},
        {"kind": [{"numeric": ["=", 20]}]},
        {"is_test": [{"numeric": ["=", 0]}]},
        {"depth_m": [{"numeric": [">", 20]}]},
        {"depth_m": [{"prefix": "2"}]},
        {"location": [{"anything-but": "x"}]},
        {"location": {"id": ["x"]}},
        {"kind": ["buoy"], "depth_m": [21]},
        {"kind": {"name": ["buoy"]}},
        {"$or": [{"kind": ["tide"]}, {"depth_m": [21]}]},
    ],
)
def test_pattern_does_not_match(pattern: dict[str, object]) -> None:
    assert not matches(parse(json.dumps({"body": pattern})), json.dumps(BODY))


def test_a_notification_is_selected_by_its_key():
    pattern = parse('{"body": {"Records": {"s3": {"object": {"key": [{"suffix": ".zip"}]}}}}}')
    assert [matches(pattern, json.dumps(object_created("b", key, "e"))) for key in ("a.zip", "a.csv")] == [True, False]


def test_a_body_that_is_not_json_matches_only_rules_for_plain_text():
    assert matches(parse('{"body": ["start"]}'), "start")
    assert not matches(parse('{"body": {"kind": ["buoy"]}}'), "start")
    assert not matches(parse('{"body": ["start"]}'), "{}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[", "is not JSON"),
        ("[]", "must be an object with the one key body"),
        ('{"data": {}}', "must be an object with the one key body"),
        ('{"body": {}}', "body: {} must be a list of rules, or an object."),
        ('{"body": {"a": []}}', "body.a: [] must be a list of rules, or an object."),
        ('{"body": {"a": "x"}}', 'body.a: "x" must be a list of rules, or an object.'),
        ('{"body": {"a": [{"numeric": [">"]}]}}', 'body.a: {"numeric": [">"]} is not a rule that Lambda knows.'),
        ('{"body": {"a": [{"wildcard": "*"}]}}', 'body.a: {"wildcard": "*"} is not a rule that Lambda knows.'),
        ('{"body": {"$or": [{"a": 5}]}}', "body.$or.a: 5 must be a list of rules, or an object."),
    ],
)
def test_an_invalid_pattern_is_named(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match="^") as caught:
        parse(text)
    assert problem in str(caught.value)
