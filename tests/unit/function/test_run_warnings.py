import warnings

from runner.function.isolation import isolated
from runner.function.run_warnings import WarningCollector

OWN, LIBRARY = "/project/pipelines/met/pipeline.py", "/opt/python/xarray/core.py"


def test_the_users_own_come_first_and_each_once():
    collector = WarningCollector()
    for text, file in [("library", LIBRARY), ("own", OWN), ("own", LIBRARY), ("library", LIBRARY)]:
        collector.add(text, file)
    assert collector.texts == ["own", "library"]


def test_the_number_left_out_is_named_and_the_users_own_are_kept():
    collector = WarningCollector()
    for number in range(30):
        collector.add(f"library {number}", LIBRARY)
    collector.add("own", OWN)
    assert (collector.texts[0], len(collector.texts), collector.texts[-1]) == (
        "own",
        21,
        "11 more warnings are left out.",
    )


def test_what_is_said_for_every_run_is_left_out():
    collector = WarningCollector()
    collector.add("Could not get code_version from either the 'CODE_VERSION' environment variable nor from …", LIBRARY)
    assert collector.texts == []


def test_libraries_among_themselves_are_not_heard_but_the_user_is():
    texts: list[str] = []
    with isolated(texts):
        warnings.warn_explicit("old call", DeprecationWarning, LIBRARY, 1, module="xarray.core")
        warnings.warn_explicit("my old call", DeprecationWarning, OWN, 1, module="pipelines.met.pipeline")
        warnings.warn_explicit("odd values", RuntimeWarning, LIBRARY, 1, module="numpy")
    assert texts == ["my old call", "odd values"]


def test_a_warning_is_no_error_whatever_the_filters_say():
    with isolated([]):
        warnings.warn("careful", stacklevel=1)
