"""scripts/make-samples reproduces the committed samples byte for byte."""

import subprocess
import zipfile
from pathlib import Path

SAMPLES = Path("data/samples")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_samples_are_reproducible(tmp_path: Path) -> None:
    subprocess.run(["scripts/make-samples", str(tmp_path)], check=True)
    made, committed = contents(tmp_path), contents(SAMPLES)
    assert set(made) <= set(committed)
    assert [name for name in made if made[name] != committed[name]] == []
    assert max(map(len, made.values())) < 150_000


def test_the_archives_have_the_structure_of_the_real_ones() -> None:
    for place, buoy in (("humboldt", "z05"), ("morro", "z06")):
        with zipfile.ZipFile(SAMPLES / f"a2e_buoy_ingest/{place}/buoy.{buoy}.00.20201201.000000.zip") as archive:
            names = archive.namelist()
            rows = {name: archive.read(name).count(b"\n") - 1 for name in names if name.startswith("buoy.")}
        assert len(rows) == 10
        assert set(rows.values()) == {142, 143, 144}
        macos = [name for name in names if name.startswith("__MACOSX/._buoy.")]
        assert len(macos) == (10 if buoy == "z06" else 0)
