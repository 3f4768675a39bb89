from pathlib import Path

from packaging.requirements import Requirement

from runner.packages.conflicts import Pin, explain
from runner.packages.lock import pinned
from runner.packages.requirements import Line

PINS = {"numpy": Pin(["2.5.5"], ["act-atmos", "xarray"]), "tsdat": Pin(["0.10.0"], [])}


def line(text: str, number: int = 3) -> Line:
    return Line(Path("requirements.txt"), number, Requirement(text))


def test_a_conflict_with_a_pin_names_both_sides_and_what_asks_for_them():
    error = (
        "  × No solution found when resolving dependencies:\n  ╰─▶ Because you require numpy<1 and numpy==2.5.5, we "
        "can conclude that your requirements are\n      unsatisfiable.\n"
    )
    assert explain(error, [line("numpy<1"), line("gsw", 4)], PINS).splitlines()[:2] == [
        "The packages in requirements.txt cannot be installed beside those that tsdat-local pins:",
        "  requirements.txt:3: numpy<1 contradicts numpy==2.5.5, which tsdat-local pins and act-atmos, xarray need",
    ]


def test_a_package_that_does_not_exist_is_named_with_its_line():
    error = "× No solution found: Because no-such was not found in the package registry and you require no-such, we …"
    text = explain(error, [line("gsw"), line("no_such", 7)], PINS)
    assert "  requirements.txt:7: no_such\n" in text
    assert "was not found in the package registry" in text
    assert "gsw" not in text


def test_without_a_network_the_text_says_what_to_do():
    text = explain("error: Failed to fetch: `…/simple/gsw/`\n  Caused by: dns error", [line("gsw")], PINS)
    assert text.startswith("The packages in requirements.txt cannot be resolved without the package index")


def test_the_pins_are_those_of_the_lambda_with_what_needs_them():
    found = pinned()
    assert found["tsdat"].versions == ["0.10.0"]
    assert "tsdat" in found["act-atmos"].askers
    assert "xarray" in found
