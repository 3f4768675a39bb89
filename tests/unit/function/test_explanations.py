"""What is added to an exception's text: the place, and what to do."""

import importlib
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from runner.function import pipeline
from runner.function.explanations import explain
from tests.support import roof_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is importable, and forgotten after the test."""
    root = roof_project.make(tmp_path / "p")
    monkeypatch.chdir(root)
    monkeypatch.syspath_prepend(str(root))
    kept = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in pipeline.PACKAGES}
    pipeline.forget(kept)
    yield root
    pipeline.forget(list(sys.modules))
    sys.modules.update(kept)


def failure(module: str) -> BaseException:
    with pytest.raises(Exception) as caught:
        importlib.import_module(module)
    return caught.value


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            "import cmoceanx",
            "imports cmoceanx, which is not installed. Add `cmoceanx` to requirements.txt, or run `runner",
        ),
        ("import skimage.io", "imports skimage, which is not installed. Add `scikit-image` to requirements.txt"),
        ("from my_pkg.sub import x", "imports my_pkg, which is not installed. Add `my-pkg` to requirements.txt"),
        ("import shared.strge", "names shared.strge, which is not in the project. Did you mean shared.storage?"),
        (
            "import pipelines.zzz",
            "names pipelines.zzz, which is not in the project. Correct the name, or add the file.",
        ),
    ],
)
def test_a_missing_module_is_named_with_its_line_and_what_to_do(project: Path, line: str, text: str):
    (project / "shared/__init__.py").touch()
    (project / "shared/storage.py").touch()
    (project / roof_project.PIPELINE_FILE).write_text(f"# a comment\n{line}\n")
    explained = explain(failure("pipelines.roof.pipeline")) or ""
    assert explained.startswith(f"pipelines/roof/pipeline.py:2 {text}")


def test_a_config_error_includes_its_cause():
    from tsdat.config.utils import ConfigError

    try:
        raise ConfigError("Error encountered while instantiating x.yaml") from ValueError("no such key")
    except ConfigError as error:
        assert explain(error) == "Because of ValueError: no such key"


def test_a_missing_bucket_is_named():
    response = {"Error": {"Code": "NoSuchBucket", "BucketName": "outputs"}}
    assert explain(ClientError(response, "PutObject")) == "The bucket is outputs."


def test_any_other_error_says_it_all():
    assert explain(ValueError("x")) is None


def test_a_converter_that_needs_adi_is_refused_with_the_alternative(project: Path):
    config = project / roof_project.CONFIG / "retriever.yaml"
    config.write_text(
        config.read_text() + "    data_converters:\n      - classname: tsdat.transform.Automatic\n", encoding="utf-8"
    )
    with pytest.raises(Exception, match="tsdat.transform.Automatic needs ADI, which only conda has") as caught:
        pipeline._build(project / roof_project.CONFIG / "pipeline.yaml", lambda _: {})
    assert "Use the one of tsdat.transform_v2, which needs only Python: BinAverage, LinearInterpolate" in str(
        caught.value
    )
