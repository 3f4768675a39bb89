"""A project outside this checkout, with no template.yaml: it runs as with tsdat alone, and as on AWS.

One stack runs all files. The pipeline does what the name of a file asks it to do.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import netCDF4
import pytest

from runner.state.runs import Run
from runner.testing.stacks import environment, eventually
from tests.support import roof_project
from tests.support.commands import command, failures_of, reconcile
from tests.support.stacks import Supervised, running

PIPELINE = """import logging.config
import os
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from pydantic import PrivateAttr
from tsdat import IngestPipeline

os.environ["ROOF_MODE"] = "as loaded"
mpl.rcParams["lines.linewidth"] = 7
logging.config.dictConfig({"version": 1, "disable_existing_loggers": True})


class Roof(IngestPipeline):
    _lock: Any = PrivateAttr(default_factory=threading.Lock)  # cannot be copied

    def hook_customize_dataset(self, dataset):
        name = Path(str(dataset.attrs["inputs"])).name
        dataset.attrs["seen"] = f"{os.environ['ROOF_MODE']} {mpl.rcParams['lines.linewidth']:.0f} {os.getcwd()}"
        os.environ["ROOF_MODE"] = "changed by a run"
        mpl.rcParams["lines.linewidth"] = 9
        if ".exits." in name:
            sys.exit("no sensor")
        if ".writes." in name:
            Path("products.txt").write_text("x")
        if ".warns." in name:
            for number in range(30):
                warnings.warn(f"odd value {number}", stacklevel=1)
        return dataset

    def hook_finalize_dataset(self, dataset):
        dataset["qc_wind_speed"].attrs["flag_masks"] = 1  # NetCDF stores a list of one as a number
        return dataset

    def hook_plot_dataset(self, dataset):
        if ".fails." in str(dataset.attrs["inputs"]):
            raise ValueError("no plot today")
        if ".again." in str(dataset.attrs["inputs"]):
            second = dataset.assign_attrs(title="second")
            self.storage.save_data(second)
            times = pd.to_datetime(dataset["time"].values)
            stored = self.storage.fetch_data(times[0], times[-1], datastream=dataset.attrs["datastream"])
            assert (stored.attrs["title"], stored.sizes["time"]) == ("second", 2)
"""
TWIN = """from tsdat import IngestPipeline


class Twin(IngestPipeline):
    def hook_customize_dataset(self, dataset):
        if "broken" in str(dataset.attrs["inputs"]):
            raise ValueError("the twin is broken")
        return dataset
"""
# A file with a header beside it; the reader joins them.
PAIRED = """import pandas as pd
from tsdat import DataReader


class PairedReader(DataReader):
    def read(self, input_key):
        with open(input_key.replace(".csv", ".hdr")) as header:
            names = header.read().split()
        return pd.read_csv(input_key, names=names).to_xarray()
"""
ROUTES = r"""multidispatch: true
companions:
  '(.*\.paired)\.csv': ['\1.hdr']
"""
STORAGE = "classname: tsdat.io.storage.FileSystemS3\nparameters: {bucket: a-real-bucket, region: us-east-1}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("station data.csv") / "my roof #1"
    files = {"pipelines/routes.yaml": ROUTES, "pipelines/twin/pipeline.py": TWIN, "shared/paired.py": PAIRED}
    for name in ("pipeline", "retriever", "dataset", "quality"):
        text = roof_project.FILES[f"{roof_project.CONFIG}/{name}.yaml"].replace("roof", "twin").replace("Roof", "Twin")
        files[f"pipelines/twin/config/{name}.yaml"] = text.replace(r".*twin\.\d{8}.*\.csv", r".*\.both.*\.csv")
    retriever = f"{roof_project.CONFIG}/retriever.yaml"
    files[retriever] = roof_project.FILES[retriever].replace(
        "readers:\n", "readers:\n  .*\\.paired\\.csv:\n    classname: shared.paired.PairedReader\n"
    )
    return roof_project.make(root, PIPELINE, **files)


@pytest.fixture(scope="module")
def stack(project: Path) -> Iterator[Supervised]:
    with running(project / "data", RUNNER_ROOT=str(project)) as stack:
        yield stack


def run(stack: Supervised, day: str, what: str = "plain") -> Run:
    key = f"roof.{day}.{what}.csv"
    stack.put(roof_project.csv(day), key)
    return stack.final(key)


def error(found: Run) -> dict[str, Any]:
    assert found.record["error"] is not None, found.record
    return dict(found.record["error"])


def dataset(stack: Supervised, found: Run) -> netCDF4.Dataset:
    (path,) = [path for path in stack.mirrored(found) if path.suffix == ".nc"]
    return netCDF4.Dataset(path)


def test_what_loading_sets_stays_and_what_a_run_sets_goes(stack: Supervised):
    for day in ("20240501", "20240502", "20240503"):
        found = run(stack, day)
        assert found.outcome == "succeeded", found.record["error"]
        assert found.record["location"] == "lab"
        assert found.record["qc"]["wind_speed"]["samples"] == 2
        with dataset(stack, found) as stored:
            assert stored.seen == f"as loaded 7 {stack.data}/state/task-root"


def test_data_are_not_in_the_projects_git_repository(stack: Supervised, project: Path):
    run(stack, "20240504")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    done = subprocess.run(
        ["git", "status", "--short", "--untracked-files=all"], cwd=project, capture_output=True, text=True, check=True
    )
    names = [line.split("data/")[1] for line in done.stdout.splitlines() if "data/" in line]
    assert names == ["up.log"]  # the test's own


def test_a_reader_is_not_chosen_by_the_name_of_the_projects_folder(stack: Supervised):
    assert "station" not in json.dumps(run(stack, "20240505").record["inputs"])
    assert run(stack, "20240505").record["error"] is None


def test_a_pipeline_that_calls_exit_fails_with_its_text_and_line(stack: Supervised):
    found = run(stack, "20240506", "exits")
    assert found.outcome == "dead-lettered"
    assert error(found)["message"] == "The pipeline stopped Python by SystemExit: no sensor"
    assert 'sys.exit("no sensor")' in error(found)["traceback"]
    assert run(stack, "20240507").outcome == "succeeded"


def test_a_write_into_the_working_directory_fails_as_on_aws(stack: Supervised, project: Path):
    found = run(stack, "20240508", "writes")
    assert "Lambda's file system is read-only but for /tmp; products.txt cannot be written." in error(found)["message"]
    assert not (project / "products.txt").exists()


def test_the_second_output_of_a_name_stays_and_is_read_back(stack: Supervised):
    for day in range(20240510, 20240516):
        found = run(stack, str(day), "again")
        assert found.outcome == "succeeded", found.record["error"]
        with dataset(stack, found) as stored:
            assert stored.title == "second"


def test_outputs_of_a_run_that_failed_later_are_listed_and_mirrored(stack: Supervised):
    found = run(stack, "20240520", "fails")
    assert error(found)["message"].startswith("no plot today")
    assert [path.suffix for path in stack.mirrored(found) if path.exists()] == [".nc"]


def test_warnings_are_bounded_and_the_rest_is_counted(stack: Supervised):
    texts = run(stack, "20240521", "warns").record["warnings"]
    assert (texts[0], len(texts), texts[-1]) == ("odd value 0", 21, "10 more warnings are left out.")


def test_each_pipeline_that_wants_a_file_runs(stack: Supervised):
    found = run(stack, "20240601", "both")
    runs = [one for one in stack.runs_of("roof.20240601.both.csv") if one.record["status"] == "succeeded"]
    assert sorted(str(one.record["pipeline"]) for one in runs) == ["roof", "twin"]
    assert found.outcome == "succeeded"


def test_each_pipeline_of_a_file_has_its_own_outcome_and_retry(stack: Supervised, project: Path):
    key = "roof.20240602.both.broken.csv"

    def outcomes() -> dict[str | None, str]:
        return {known.pipeline: known.outcome for known in stack.state.versions.of_key(key)}

    stack.put(roof_project.csv("20240602"), key)
    eventually(lambda: outcomes() == {"roof": "succeeded", "twin": "dead-lettered"}, "end", 60)
    (failure,) = failures_of(stack, key)
    assert (failure["pipeline"], failure["in_dead_letter_queue"]) == ("twin", True)
    assert failure["error"]["message"].startswith("the twin is broken")
    rows = json.loads(command("status", key, "--json", "--data", stack.data).stdout)
    assert {row["file"]: row["outcome"] for row in rows} == {
        f"{key} → roof": "succeeded", f"{key} → twin": "dead-lettered",
    }  # fmt: skip
    code = project / "pipelines" / "twin" / "pipeline.py"
    code.write_text(code.read_text().replace('if "broken" in', 'if "nothing" in'))
    runs_before = len(stack.runs_of(key))
    done = command("retry", key, "--pipeline", "twin", "--data", stack.data)
    assert (done.returncode, f"{key} → twin in the queue again" in done.stdout) == (0, True)
    eventually(lambda: outcomes() == {"roof": "succeeded", "twin": "succeeded"}, "success of the twin", 60)
    assert [run.record["pipeline"] for run in stack.runs_of(key)[runs_before:]] == ["twin"]  # and not roof
    assert failures_of(stack, key) == []
    assert reconcile(stack, "--wait", "30")[1]["unaccounted"] == []


def test_an_output_that_replaces_that_of_another_input_names_it(stack: Supervised):
    for what in ("morning", "evening"):  # both begin at the same time
        found = run(stack, "20240604", what)
        assert found.outcome == "succeeded"
    (output,) = [one for one in found.record["outputs"] if one["key"].endswith(".nc")]
    assert output["replaced_input"] == "roof.20240604.morning.csv"
    assert (
        f"{output['key']} replaced the output of roof.20240604.morning.csv, which has the same name."
        in (found.record["warnings"])
    )
    replaced = {row["key"]: row["reason"] for row in reconcile(stack, "--wait", "30")[1]["replaced"]}
    assert replaced["roof.20240604.morning.csv"] == (
        f"Its output {output['key']} was replaced by that of roof.20240604.evening.csv."
    )
    again = roof_project.csv("20240604") + b"2024-06-04 00:20,52,2\n"
    stack.put(again, "roof.20240604.evening.csv")
    newer = stack.final("roof.20240604.evening.csv", 2)
    assert all("replaced_input" not in one for one in newer.record["outputs"])


def test_a_file_waits_for_its_companion_without_an_attempt(stack: Supervised):
    key, content = "roof.20240603.paired.csv", b"2024-06-03 00:00,50.0,3.1\n2024-06-03 00:10,51.8,1.0\n"
    stack.put(content, key)
    time.sleep(6)  # five attempts would be over by now
    assert stack.finished(key) == []
    stack.put(b"time temp_f wind", key.replace(".csv", ".hdr"))
    found = stack.final(key)
    assert (found.outcome, found.attempt) == ("succeeded", 1), found.record["error"]
    skipped = stack.final(key.replace(".csv", ".hdr"))
    assert skipped.record["reason"] == (
        "'roof.20240603.paired.hdr' is a companion of other files, and is read with them."
    )


def test_an_import_that_failed_heals_when_the_module_is_fixed(stack: Supervised, project: Path):
    path = project / roof_project.PIPELINE_FILE
    good = path.read_text()
    path.write_text(f"import shared.station\n{good}")
    (project / "shared/__init__.py").touch()
    (project / "shared/station.py").write_text("HEIGHT_M = 12\nraise RuntimeError('half imported')\n")
    found = run(stack, "20240522")
    assert "Because of RuntimeError: half imported" in error(found)["message"] or error(found)["type"] == "RuntimeError"
    path.write_text(good)
    assert run(stack, "20240523").outcome == "succeeded"


def runner(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's folder, as a user does."""
    command = [sys.executable, "-P", "-m", "runner", *arguments]
    variables = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, timeout=60, check=False)


def test_tsdat_alone_stores_locally_and_matches_keys_as_the_stack_does(tmp_path: Path):
    trigger = roof_project.FILES[f"{roof_project.CONFIG}/pipeline.yaml"].replace(
        r".*roof\.\d{8}.*\.csv", r"roof/.*\.csv"
    )
    project = roof_project.make(
        tmp_path / "p", **{"shared/storage.yaml": STORAGE, "pipelines/roof/config/pipeline.yaml": trigger}
    )
    (project / "roof").mkdir()
    for day in ("20240501", "20240502"):
        (project / "roof" / f"{day}.csv").write_bytes(roof_project.csv(day))
    done = runner(project, "ingest", "roof/20240501.csv", "roof/20240502.csv")
    assert "2 successes, 0 failures" in done.stdout, done.stdout + done.stderr
    assert len(list((project / "data/outputs").rglob("*.nc"))) == 2


def test_tsdat_alone_refuses_a_storage_class_that_stores_in_s3_by_itself(tmp_path: Path):
    own = "from tsdat import FileSystemS3\n\n\nclass Own(FileSystemS3):\n    pass\n"
    project = roof_project.make(
        tmp_path / "p", **{"shared/own.py": own, "shared/storage.yaml": "classname: shared.own.Own\n"}
    )
    (project / "roof.20240501.csv").write_bytes(roof_project.csv())
    done = runner(project, "ingest", "roof.20240501.csv")
    assert done.returncode == 1
    assert "its storage class shared.own.Own stores in S3. Send the file through the local S3 with `runner run`" in (
        " ".join(done.stdout.split())
    )


def test_exit_in_one_file_does_not_stop_the_next(tmp_path: Path):
    pipeline = roof_project.PLAIN.replace(
        "    pass\n", "    def hook_customize_dataset(self, dataset):\n        raise SystemExit('done')\n"
    )
    project = roof_project.make(tmp_path / "p", pipeline)
    for day in ("20240501", "20240502"):
        (project / f"roof.{day}.csv").write_bytes(roof_project.csv(day))
    done = runner(project, "ingest", "roof.20240501.csv", "roof.20240502.csv")
    assert (done.returncode, "0 successes, 2 failures, 0 skipped" in done.stdout) == (1, True)
    assert "pipelines/roof/pipeline.py:6 in hook_customize_dataset" in done.stdout
