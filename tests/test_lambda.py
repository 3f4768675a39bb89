"""The handler with AWS's events, in this process, where breakpoints work. Copy a test for your pipeline."""


def test_a2e_buoy_ingest_humboldt(invoke):
    key = "a2e_buoy_ingest/humboldt/buoy.z05.00.20201201.000000.zip"
    (run,) = invoke("tests/events/a2e_buoy_ingest/humboldt/s3-event.json", {key: f"data/samples/{key}"})["runs"]
    assert (run["status"], run["location"], len(run["outputs"])) == ("succeeded", "humboldt", 4), run["error"]


def test_a2e_buoy_ingest_morro(invoke):
    key = "a2e_buoy_ingest/morro/buoy.z06.00.20201201.000000.zip"
    (run,) = invoke("tests/events/a2e_buoy_ingest/morro/s3-event.json", {key: f"data/samples/{key}"})["runs"]
    assert (run["status"], run["location"], len(run["outputs"])) == ("succeeded", "morro", 4), run["error"]
