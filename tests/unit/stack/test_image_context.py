from dataclasses import replace
from pathlib import Path

import pytest

from runner.settings import CHECKOUT, Settings
from runner.stack.image_context import discard, name_of, stage


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for file in ("pipelines/met/pipeline.py", "pipelines/met/test/data/big.csv", "utils/x.py", "notes/secret.txt"):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return replace(Settings.from_env({}), root=tmp_path, data=tmp_path / "data")


def test_the_context_has_what_ships_and_the_projects_own_code(settings: Settings):
    context = stage(settings, print)
    found = {path.relative_to(context).as_posix() for path in context.rglob("*") if path.is_file()}
    assert {"Dockerfile", "docker/install", "requirements/lambda.txt", "runner/errors.py",
            "runner/function/handler.py", "pipelines/met/pipeline.py", "utils/x.py", ".dockerignore"
           } <= found  # fmt: skip
    assert not [name for name in found if name.startswith(("pipelines/tide_gauge", "notes", "pipelines/met/test"))]


def test_the_projects_own_dockerfile_replaces_the_shipped_one_and_its_template_does_not_ship(settings: Settings):
    own = "FROM base AS lambda\nCMD own\n"
    (settings.root / "Dockerfile").write_text(own)
    (settings.root / "template.yaml").write_text("with a secret")
    context = stage(settings, print)
    assert (context / "Dockerfile").read_text() == own
    assert not (context / "template.yaml").exists()
    discard(settings)
    assert not context.exists()


def test_a_dockerfile_for_another_purpose_is_not_the_lambdas(settings: Settings):
    (settings.root / "Dockerfile").write_bytes(b"FROM tsdat/tsdat:0.2.10\n# \xff AS lambda\nCOPY requirements.txt .\n")
    assert (stage(settings, print) / "Dockerfile").read_bytes() == (CHECKOUT / "Dockerfile").read_bytes()


def test_what_is_no_longer_in_the_project_leaves_the_context(settings: Settings):
    stage(settings, print)
    (settings.root / "utils/x.py").unlink()
    assert not (stage(settings, print) / "utils/x.py").exists()


def test_the_checkout_is_its_own_context():
    assert stage(Settings.from_env({"RUNNER_ROOT": str(CHECKOUT)}), print) == CHECKOUT


def test_names_are_readable_stable_and_differ_by_folder():
    names = [name_of(Path(path)) for path in ("/a/My Met.é", "/b/My Met.é", "/a/My Met.é", "/é")]
    assert names[0] == names[2] != names[1]
    assert [name.rpartition("-")[0] for name in names] == ["my-met", "my-met", "my-met", "project"]
