"""Each pipeline on the complete path; `--stack docker` uses the deployed image. Copy a test for your pipeline."""

from runner.testing import assert_datasets_match


def test_a2e_buoy_ingest(drop, outputs, ingest):
    sample = "data/samples/a2e_buoy_ingest/humboldt/buoy.z05.00.20201201.000000.zip"
    run = drop(sample)
    assert run["status"] == "succeeded", run["error"]
    (alone,) = [path for path in ingest(sample) if path.suffix == ".nc"]
    assert_datasets_match(outputs(run, ".nc")[0], alone, ignore_attributes=["history", "inputs", "code_version"])


def test_tide_gauge(drop, outputs, ingest):
    sample = "data/samples/tide_gauge/mcrl/tide_20200112000000.log"
    run = drop(sample)
    assert run["status"] == "succeeded", run["error"]
    (alone,) = [path for path in ingest(sample) if path.suffix == ".nc"]
    assert_datasets_match(outputs(run, ".nc")[0], alone, ignore_attributes=["history", "inputs", "code_version"])
