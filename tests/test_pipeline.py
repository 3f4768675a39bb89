"""Each pipeline on the file system alone: no S3, no queue, no Lambda. Copy a test for your pipeline."""

from collections import Counter


def test_a2e_buoy_ingest(ingest):
    made = ingest(
        "data/samples/a2e_buoy_ingest/humboldt/buoy.z05.00.20201201.000000.zip",
        "data/samples/a2e_buoy_ingest/morro/buoy.z06.00.20201201.000000.zip",
    )
    assert Counter(path.suffix for path in made) == {".nc": 2, ".png": 6}


def test_tide_gauge(ingest):
    made = ingest("data/samples/tide_gauge/mcrl/tide_20200112000000.log")
    assert Counter(path.suffix for path in made) == {".nc": 1, ".png": 1}
