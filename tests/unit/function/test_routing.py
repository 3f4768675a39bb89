from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import AmbiguousRouteError, RoutingError, UnroutableError
from runner.function import routing

SEED = r"""
pipelines:  {a2e_buoy_ingest: 'buoy\..*\.(?:csv|zip|tar|tar\.gz)'}
locations:  {humboldt: '.*\.z05\..*', morro: '.*\.z06\..*'}
"""


def project(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / "pipelines" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


BUOY = {
    "routes.yaml": SEED,
    "a2e_buoy_ingest/config/pipeline_humboldt.yaml": "triggers: []",
    "a2e_buoy_ingest/config/pipeline_morro.yaml": "triggers: []",
}
TIDE = {"tide_gauge/config/pipeline.yaml": r"triggers: ['.*tide_\d{14}\.log']"}


@pytest.mark.parametrize(
    ("key", "config"),
    [
        ("a2e_buoy_ingest/humboldt/buoy.z05.00.20201201.000000.zip", "a2e_buoy_ingest/config/pipeline_humboldt.yaml"),
        ("buoy.z06.00.20201201.000000.tar.gz", "a2e_buoy_ingest/config/pipeline_morro.yaml"),
        ("x/tide_20200112000000.log", "tide_gauge/config/pipeline.yaml"),
    ],
)
def test_a_key_finds_its_config(tmp_path: Path, key: str, config: str):
    routes = routing.load(project(tmp_path, BUOY | TIDE))
    assert routes.match(key).config == f"pipelines/{config}"


def test_patterns_are_tried_on_the_key_and_on_the_file_name(tmp_path: Path):
    files = {"a/config/pipeline.yaml": "triggers: ['folder/']", "b/config/pipeline_x.yaml": "triggers: ['file']"}
    routes = routing.load(project(tmp_path, files))
    assert routes.match("folder/other").pipeline == "a"
    assert routes.match("elsewhere/file.csv").pipeline == "b"
    assert routes.match("elsewhere/file.csv").location == "x"


def test_no_match_lists_the_known_routes(tmp_path: Path):
    with pytest.raises(UnroutableError) as caught:
        routing.load(project(tmp_path, BUOY)).match("lidar/x.7z")
    text = str(caught.value)
    assert text.startswith(
        "No pipeline matches 'lidar/x.7z'. Known routes:\n  pipelines/a2e_buoy_ingest/config/pipeline_humboldt"
    )
    assert r"'.*\\.z06\\..*'" in text
    assert text.endswith("Add one in pipelines/routes.yaml, or to the triggers of a pipeline's config.")


def test_two_matches_name_both(tmp_path: Path):
    files = {"a/config/pipeline.yaml": "triggers: ['.*csv']", "b/config/pipeline.yaml": "triggers: ['.*x.csv']"}
    with pytest.raises(AmbiguousRouteError, match=r"'x.csv' matches 2 routes") as caught:
        routing.load(project(tmp_path, files)).match("x.csv")
    assert "pipelines/a/config/pipeline.yaml" in str(caught.value)
    assert "pipelines/b/config/pipeline.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (
            {"routes.yaml": "pipelines: {p: '('}"},
            r"pipelines.p: '\(' is not a regular expression: missing \), unterminated",
        ),
        ({"routes.yaml": "pipelines: {p: 'x'}"}, "pipeline 'p' has no pipelines/p/config/pipeline_<location>.yaml"),
        (
            BUOY | {"a2e_buoy_ingest/config/pipeline_oregon.yaml": ""},
            r"location 'oregon' is not in pipelines/routes.yaml. Known locations: humboldt, morro",
        ),
        (
            {k: v for k, v in BUOY.items() if "morro" not in k},
            r"location 'morro' has no config: none of the pipelines \(a2e_buoy_ingest\) has config/pipeline_morro.yaml",
        ),
        ({"routes.yaml": "pipelines: ["}, "routes.yaml: not valid YAML"),
        ({"routes.yaml": "- a"}, "routes.yaml: expected a mapping at the top, found list"),
        (
            {"routes.yaml": "pipeline_map: {}"},
            "unknown section 'pipeline_map'. It takes 'pipelines', 'locations', 'companions' and 'multidispatch'",
        ),
        ({"routes.yaml": "pipelines: buoy"}, "pipelines takes 'name: regular expression' lines, not 'buoy'"),
        ({"p/config/pipeline.yaml": "classname: x"}, "pipelines/p/config/pipeline.yaml: 'triggers' is missing"),
        (
            {"p/config/pipeline.yaml": "triggers: ['*']"},
            r"pipeline.yaml: triggers\[0\]: '\*' is not a regular expression",
        ),
        ({"p/config/pipeline.yaml": "triggers: [7]"}, r"triggers\[0\]: 7 is not a regular expression"),
    ],
)
def test_invalid_routes_are_reported_when_they_are_loaded(tmp_path: Path, files: dict[str, str], text: str):
    with pytest.raises(RoutingError, match=text):
        routing.load(project(tmp_path, files))


def test_all_problems_are_reported_at_once(tmp_path: Path):
    files = {"p/config/pipeline.yaml": "triggers: ['*']", "q/config/pipeline.yaml": "{}"}
    with pytest.raises(RoutingError) as caught:
        routing.load(project(tmp_path, files))
    assert len(str(caught.value).splitlines()) == 2


def test_the_shipped_routes_are_valid():
    routes = routing.load(Path())
    assert {route.location for route in routes.routes} >= {"humboldt", "morro"}


@given(key=st.text())
def test_any_key_finds_a_route_or_an_error_that_names_it(key: str):
    routes = routing.load(Path.cwd())
    try:
        assert routes.match(key).config.startswith("pipelines/")
    except RoutingError as error:
        assert repr(key) in str(error)


def test_a_vap_is_found_by_its_name_and_by_no_key(tmp_path: Path):
    routes = routing.load(project(tmp_path, {**TIDE, "wind/config/pipeline.yaml": "triggers: []"}))
    route = routes.named("pipelines/wind/config/pipeline.yaml")
    assert (route.pipeline, route.location, route.takes_files) == ("wind", None, False)
    with pytest.raises(UnroutableError) as caught:
        routes.match("wind")
    assert "wind/config" not in str(caught.value)


def test_a_missing_config_is_reported_with_the_existing_ones(tmp_path: Path):
    with pytest.raises(UnroutableError) as caught:
        routing.load(project(tmp_path, TIDE)).named("pipelines/wind.yaml")
    assert str(caught.value) == (
        "There is no pipeline config 'pipelines/wind.yaml'. Known configs:\n"
        "  pipelines/tide_gauge/config/pipeline.yaml\nCorrect the name in the schedule's Input in template.yaml."
    )


def test_companions_of_a_config_are_those_of_its_own_files_and_are_skipped(tmp_path: Path):
    files = {
        "a/config/pipeline.yaml": r"""{triggers: ['.*a\.\d+'], companions: {'(.*)\.csv': ['\1.hdr']}}""",
        "b/config/pipeline.yaml": r"""{triggers: ['.*b\.\d+']}""",
    }
    routes = routing.load(project(tmp_path, files))
    a, b = routes.match("a.1.csv"), routes.match("b.1.csv")
    assert routes.companions_of("a.1.csv", a) == ["a.1.hdr"]
    assert routes.companions_of("b.1.csv", b) == []
    with pytest.raises(UnroutableError, match=r"'a\.1\.hdr' is a companion of other files, and is read with them"):
        routes.for_key("a.1.hdr")  # although a trigger matches it


@pytest.mark.parametrize(
    "files",
    [
        {"routes.yaml": "multidispatch: true"},
        {"a/config/pipeline.yaml": "{triggers: ['.*csv'], multidispatch: true}"},
    ],
)
def test_each_route_runs_with_multidispatch(tmp_path: Path, files: dict[str, str]):
    both = {"a/config/pipeline.yaml": "triggers: ['.*csv']", "b/config/pipeline.yaml": "triggers: ['.*csv']"}
    routes = routing.load(project(tmp_path, both | files))
    assert [route.pipeline for route in routes.for_key("x.csv")] == ["a", "b"]
    with pytest.raises(UnroutableError):
        routes.for_key("x.txt")


def test_a_retry_of_one_pipeline_runs_only_that(tmp_path: Path):
    both = {"a/config/pipeline.yaml": "triggers: ['.*csv']", "b/config/pipeline.yaml": "triggers: ['.*csv']"}
    routes = routing.load(project(tmp_path, {**both, "routes.yaml": "multidispatch: true"}))
    assert [route.pipeline for route in routes.for_key("x.csv", "pipelines/b/config/pipeline.yaml")] == ["b"]
    with pytest.raises(UnroutableError) as caught:
        routes.for_key("x.csv", "pipelines/c/config/pipeline.yaml")
    assert str(caught.value) == (
        "'x.csv' was to run in pipelines/c/config/pipeline.yaml alone, which does not take it any more."
    )


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"routes.yaml": "multidispatch: 'yes'"}, "multidispatch is 'yes'. Write true or false."),
        (
            {"a/config/pipeline.yaml": "{triggers: [], multidispatch: 1}"},
            "pipeline.yaml: multidispatch is 1. Write true",
        ),
        ({"routes.yaml": "companions: [x]"}, "companions takes 'pattern: [names]' lines, not ['x']."),
    ],
)
def test_invalid_options_are_named(tmp_path: Path, files: dict[str, str], problem: str):
    with pytest.raises(RoutingError) as caught:
        routing.load(project(tmp_path, files))
    assert problem in str(caught.value)
