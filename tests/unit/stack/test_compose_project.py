from dataclasses import replace
from pathlib import Path

import pytest

from runner.settings import CHECKOUT, Settings
from runner.stack import compose_project

OWN = replace(Settings.from_env({}), root=CHECKOUT, data=CHECKOUT / "data")


@pytest.fixture(autouse=True)
def no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPOSE_PROJECT_NAME", raising=False)
    monkeypatch.setattr(compose_project.build_variables, "of", lambda _: {})


def test_in_the_checkout_it_is_the_one_that_compose_chooses(monkeypatch: pytest.MonkeyPatch):
    for folder, name in (("tsdat-local", "tsdat-local"), ("_My Köln #2.x", "mykln2x"), ("日本", "tsdat-local")):
        monkeypatch.setattr(compose_project, "CHECKOUT", Path("/home/me", folder))
        assert compose_project.name(OWN) == name


def test_each_project_and_each_data_folder_has_its_own(tmp_path: Path):
    foreign = [replace(OWN, root=tmp_path / name, data=tmp_path / name / "data") for name in ("a/buoys", "b/buoys")]
    others = [replace(OWN, data=tmp_path / name) for name in ("one", "two")]
    names = [compose_project.name(settings) for settings in (OWN, *foreign, *others)]
    assert len(set(names)) == 5
    assert names == [compose_project.name(settings) for settings in (OWN, *foreign, *others)]
    assert all(name.startswith("tsdat-local-buoys-") for name in names[1:3])


def test_the_shells_name_is_taken_as_it_is_and_that_of_env_for_each_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(compose_project.build_variables, "of", lambda _: {"COMPOSE_PROJECT_NAME": "lab"})
    assert compose_project.name(OWN) == "lab"
    assert compose_project.name(replace(OWN, data=tmp_path)).startswith("lab-")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "mine")
    assert compose_project.name(replace(OWN, data=tmp_path)) == "mine"
