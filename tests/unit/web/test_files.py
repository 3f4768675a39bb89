"""The list of files: the classifier's answer for each, filtered and in pages, as a page and as JSON."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.live_page import add_run, add_runs, served

HOSTILE = "tide_gauge/mcrl/<img src=x onerror=alert(1)>.log"


def test_a_row_has_what_status_reports(tmp_path: Path):
    run_id = add_run(
        tmp_path, "tide_gauge/mcrl/a.log", "skipped", pipeline="tide_gauge", location="mcrl", reason="no rows",
        durations_s={"total": 0.5},
    )  # fmt: skip
    with served(tmp_path) as site:
        (row,) = site.json("/files.json")["files"]
        text = site.text("/")
    assert row["file"] == "tide_gauge/mcrl/a.log"
    assert (row["outcome"], row["text"], row["pipeline"], row["location"]) == (
        "skipped",
        "no rows",
        "tide_gauge",
        "mcrl",
    )
    assert row["run_id"] == run_id
    assert row["seconds"] == 0.5
    assert f'href="/runs/{run_id}"' in text


def test_a_file_of_the_inbox_is_listed_before_its_upload(tmp_path: Path):
    file = tmp_path / "inbox/tide_gauge/mcrl/new.log"
    file.parent.mkdir(parents=True)
    file.write_text("x")
    with served(tmp_path) as site:
        found = site.json("/files.json")
    assert [(row["file"], row["outcome"], row["text"]) for row in found["files"]] == [
        ("tide_gauge/mcrl/new.log", "in progress", "not yet uploaded")
    ]
    assert found["counts"]["in progress"] == 1


def test_what_cannot_be_taken_is_listed_with_the_reason(tmp_path: Path):
    (tmp_path / "inbox").mkdir()
    os.mkfifo(tmp_path / "inbox/pipe.csv")
    with served(tmp_path) as site:
        (row,) = site.json("/files.json")["files"]
    assert (row["file"], row["outcome"]) == ("pipe.csv", "refused")
    assert row["text"].startswith("it is a pipe, not a regular file.")


def test_pages_follow_each_other_without_gap_or_repetition(tmp_path: Path):
    names = [f"a/{number:03}.csv" for number in range(120)]
    add_runs(tmp_path, names, "skipped", reason="nothing")
    with served(tmp_path) as site:
        found, address = [], "/files.json"
        while address:
            page = site.json(address)
            found += [row["file"] for row in page["files"]]
            address = page["older"]
    assert found == names[::-1]


def test_a_filter_that_matches_little_reads_on_in_the_next_page(tmp_path: Path):
    outputs = [{"bucket": "out", "key": "data/gone.nc", "size": 5}]
    add_run(tmp_path, "lost.csv", outputs=outputs)  # whose output is not in the folder
    add_runs(tmp_path, (f"a/{number}.csv" for number in range(1010)))
    with served(tmp_path) as site:
        page = site.json("/files.json?outcome=unaccounted")
        assert page["files"] == []
        rest = site.json(page["older"])
    assert [row["file"] for row in rest["files"]] == ["lost.csv"]
    assert rest["older"] is None


def test_filters_combine_and_unknown_ones_do_not_count(tmp_path: Path):
    for key, outcome, pipeline, location in [
        ("a/1.csv", "skipped", "a", "x"), ("a/2.csv", "skipped", "a", "y"), ("b/1.csv", "forgotten", "b", "x"),
    ]:  # fmt: skip
        add_run(tmp_path, key, outcome, pipeline=pipeline, location=location, reason="…")
    with served(tmp_path) as site:

        def names(query: str) -> list[str]:
            return [row["file"] for row in site.json(f"/files.json?{query}")["files"]]

        assert names("name=1.csv") == ["b/1.csv", "a/1.csv"]
        assert names("outcome=skipped") == ["a/2.csv", "a/1.csv"]
        assert names("pipeline=a/x") == ["a/1.csv"]
        assert names("period=hour&name=2") == ["a/2.csv"]
        assert names("outcome=nonsense&before=-1&period=ages") == ["b/1.csv", "a/2.csv", "a/1.csv"]
        assert names("name=%25") == []


def test_names_are_text(tmp_path: Path):
    add_run(tmp_path, HOSTILE, "skipped", reason="</script><b>")
    with served(tmp_path) as site:
        text = site.text("/")
    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;.log" in text
    assert "&lt;/script&gt;&lt;b&gt;" in text


def test_the_page_imports_neither_xarray_nor_boto3():

    program = (
        "import sys; from runner.web.app import create; from runner.settings import Settings\n"
        "create(Settings.from_env())\n"
        "heavy = {'xarray', 'numpy', 'pandas', 'bokeh', 'tsdat', 'boto3', 'botocore', 'typer'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
