"""Write the sample inputs. The bytes are the same each time: random numbers are seeded and file times are fixed.

The archives are not compressed, because compressed bytes depend on the machine's zlib. The real archives are not
compressed either.
"""

import sys
import zipfile
from pathlib import Path

import buoy
import formats
import tide

ZIP_TIME = (2020, 12, 2, 0, 10, 0)
# An empty AppleDouble file: magic number, version 2, "Mac OS X", no entries.
APPLE_DOUBLE = bytes.fromhex("00051607 00020000") + b"Mac OS X".ljust(16) + bytes(2)


def main(folder: Path) -> None:
    """Write all samples below a folder, as <pipeline>/<location>/<file>."""
    for site in buoy.SITES:
        members: list[tuple[str, bytes]] = []
        for instrument, text in buoy.day_of_csv(site).items():
            name = f"buoy.{site.name}.00.20201201.000000.{instrument}.csv"
            members.append((name, text.encode()))
            if site.zipped_on_macos:
                members.append((f"__MACOSX/._{name}", APPLE_DOUBLE))
        write_zip(folder / "a2e_buoy_ingest" / site.location / f"buoy.{site.name}.00.20201201.000000.zip", members)
    log = folder / "tide_gauge" / "mcrl" / "tide_20200112000000.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(tide.day_of_log(), encoding="ascii", newline="\n")
    for name, make in formats.FILES.items():
        (folder / "new").mkdir(exist_ok=True)
        (folder / "new" / name).write_bytes(make())
    write_zip(folder / "new" / formats.ARCHIVE, list(formats.office_xlsx().items()))


def write_zip(path: Path, members: list[tuple[str, bytes]]) -> None:
    """Write a zip archive whose bytes depend only on its members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, ZIP_TIME)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
