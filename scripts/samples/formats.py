"""Generate ten small files as instruments, loggers and offices write them, for `runner new`."""

import json
import math
import random
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

START, ROWS = datetime(2024, 5, 1, tzinfo=UTC), 72
TEN_MINUTES = timedelta(minutes=10)
_WORKBOOK = "http://schemas.openxmlformats.org"


def weather() -> Iterator[tuple[datetime, float, float, float, float, float]]:
    """Yield time, temperature (degC), humidity (%), pressure (hPa), wind speed (m/s) and direction (degrees)."""
    noise = random.Random(11)  # noqa: S311  weather, not secrets
    for i in range(ROWS):
        angle = 2 * math.pi * i / 144
        yield (
            START + i * TEN_MINUTES,
            11.5 - 4 * math.cos(angle) + noise.gauss(0, 0.1),
            71 + 12 * math.cos(angle) + noise.gauss(0, 0.5),
            1014 + 1.5 * math.sin(angle) + noise.gauss(0, 0.05),
            5.2 + 2 * math.sin(angle) + abs(noise.gauss(0, 0.5)),
            (230 + 40 * math.sin(angle) + noise.gauss(0, 4)) % 360,
        )


def roof_csv() -> bytes:
    """Return a CSV with US units in its header and -9999 for missing values."""
    lines = ["time,temp (degF),rh_pct,pressure (inHg),wind_kts,wind_dir (deg)"]
    for i, (time, t, rh, p, ws, wd) in enumerate(weather()):
        wind = "-9999" if i == 9 else f"{ws * 3600 / 1852:.1f}"
        lines.append(f"{time:%Y-%m-%d %H:%M:%S},{t * 1.8 + 32:.1f},{rh:.0f},{p / 33.8639:.2f},{wind},{wd:.0f}")
    return _text(lines)


def logger_dat() -> bytes:
    """Return a table of a Campbell logger: four header lines, quoted texts, "NAN"."""
    lines = [
        '"TOA5","Mast","CR1000X","1234","CR1000X.Std.05.02","CPU:mast.CR1X","4711","TenMin"',
        '"TIMESTAMP","RECORD","BattV_Min","AirTC_Avg","RH","WS_ms_Avg","WindDir","Rain_mm_Tot","SlrW_Avg"',
        '"TS","RN","Volts","Deg C","%","meters/second","degrees","mm","W/m^2"',
        '"","","Min","Avg","Smp","Avg","Smp","Tot","Avg"',
    ]
    for i, (time, t, rh, _, ws, wd) in enumerate(weather()):
        air = '"NAN"' if i in (20, 21) else f"{t:.2f}"
        lines.append(
            f'"{time:%Y-%m-%d %H:%M:%S}",{8100 + i},{12.6 + 0.01 * (i % 7):.2f},{air},{rh:.1f},{ws:.3f},{wd:.1f},'
            f"{0.2 * (i % 30 == 3):.1f},{max(0.0, 400 * math.sin(i / 23 - 0.8)):.1f}"
        )
    return _text(lines, "\r\n")


def station_csv() -> bytes:
    """Return a German export: latin-1, semicolons, decimal commas, date and time apart, key: value lines."""
    lines = [
        "Station: Höhe 12 m",
        "Breite: 54,18",
        "",
        "Datum;Uhrzeit;Lufttemperatur (°C);Luftfeuchte (%);Windgeschwindigkeit (km/h)",
    ]
    for time, t, rh, _, ws, _ in weather():
        local = time + timedelta(hours=14)
        lines.append(f"{local:%d.%m.%Y;%H:%M};{t:.1f};{rh:.0f};{ws * 3.6:.1f}".replace(".", ",").replace(
            f"{local:%d,%m,%Y}", f"{local:%d.%m.%Y}"))  # fmt: skip
    return "\r\n".join([*lines, ""]).encode("latin-1")


def buoy_txt() -> bytes:
    """Return a weather buoy's standard text: columns in spaces, a row of units, 99.0 and 999 for missing values."""
    lines = [
        "#YY  MM DD hh mm WDIR WSPD GST  WVHT   DPD   APD MWD   PRES  ATMP  WTMP  DEWP  VIS  TIDE",
        "#yr  mo dy hr mn degT m/s  m/s     m   sec   sec deg    hPa  degC  degC  degC   mi    ft",
    ]
    for i, (time, t, _, p, ws, wd) in enumerate(weather()):
        waves = f"{1.8 + 0.01 * i:5.2f} {9.1:5.2f} {6.4:5.2f} 287" if i % 6 == 4 else "99.00 99.00 99.00 999"
        lines.append(
            f"{time:%Y %m %d %H %M} "
            f"{wd:4.0f} {ws:4.1f} {ws + 1.6:4.1f} {waves} {p:6.1f} {t:5.1f} {12.3:5.1f} 999.0 99.0 99.00"
        )
    return _text(lines)


def probe_tsv() -> bytes:
    """Return tab-separated values with comment lines and seconds since 1970."""
    lines = [
        "# Probe 12, pier",
        "# latitude: 48.0780  longitude: -123.0450",
        "epoch\tWater Temp [°C]\tSalinity [PSU]\tDO [mg/L]\tTurbidity [NTU]",
    ]
    for time, t, rh, *_ in weather():
        lines.append(
            f"{time.timestamp():.0f}\t{8 + t / 10:.3f}\t{30 + rh / 100:.3f}\t{9.1 - t / 50:.2f}\t{rh / 20:.2f}"
        )
    return _text(lines)


def pendant_csv() -> bytes:
    """Return a temperature logger's export: UTF-16, a title line, units and UTC offset in the names, 12-hour times."""
    lines = [
        '"Plot Title: dock"',
        '"#","Date Time, GMT-07:00","Temp, °F (LGR S/N: 10, SEN S/N: 10)","Battery, V (LGR S/N: 10)"',
    ]
    for i, (time, t, *_) in enumerate(weather()):
        lines.append(f"{i + 1},{time - timedelta(hours=7):%m/%d/%y %I:%M:%S %p},{t * 1.8 + 32:.3f},{3.6:.2f}")
    return "\r\n".join([*lines, ""]).encode("utf-16-le").join([b"\xff\xfe", b""])


def array_dat() -> bytes:
    """Return columns at fixed positions with year, day of the year and time of day; blanks are missing values."""
    lines = ["YEAR DOY HHMM   TAIR     RH    PAR", "                degC      %  umol/m2/s"]
    for i, (time, t, rh, *_) in enumerate(weather()):
        air = " " * 7 if i == 5 else f"{t:7.2f}"
        lines.append(f"{time:%Y %j %H%M}{air}{rh:7.1f}{max(0.0, 900 * math.sin(i / 23 - 0.8)):7.1f}")
    return _text(lines)


def api_json() -> bytes:
    """Return records of a web service, with milliseconds since 1970 and null."""
    rows = [
        {"timestamp": int(time.timestamp() * 1000), "wind_speed_mps": None if i == 3 else round(ws, 2),
         "wind_direction_deg": round(wd),
         "pressure_mbar": round(p, 1), "status": "ok"}
        for i, (time, _, _, p, ws, wd) in enumerate(weather())
    ]  # fmt: skip
    return (json.dumps({"station": "pier", "data": rows}, indent=1) + "\n").encode()


def office_xlsx() -> dict[str, bytes]:
    """Return the members of a workbook with two title lines and Excel's own times."""
    rows: list[list[float | str]] = [
        ["Weather at the office"],
        ["Source: roof"],
        ["Date/Time", "Temperature [°C]", "Rain [in]", "Gust [mph]"],
    ]
    for i, (time, t, _, _, ws, _) in enumerate(weather()):
        days = (time - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1)
        rows.append([days, round(t, 2), round(0.01 * (i % 12 == 5), 2), round(ws * 3, 1)])
    cells = "".join(
        f'<row r="{r}">'
        + "".join(_cell(f"{'ABCD'[c]}{r}", value, is_time=c == 0) for c, value in enumerate(row))
        + "</row>"
        for r, row in enumerate(rows, 1)
    )
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    main, office = f"{_WORKBOOK}/spreadsheetml/2006/main", f"{_WORKBOOK}/officeDocument/2006/relationships"
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    one = '<{0}s count="1"><{0}{1}/></{0}s>'
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_WORKBOOK}/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{kinds}.styles+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_WORKBOOK}/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="Data" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_WORKBOOK}/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{office}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}">'
        + one.format("font", "")
        + '<fills count="1"><fill><patternFill/></fill></fills>'
        + one.format("border", "")
        + '<cellStyleXfs count="1"><xf/></cellStyleXfs>'
        '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }
    return {name: f"{head}{text}".encode() for name, text in parts.items()}


def _cell(place: str, value: float | str, *, is_time: bool) -> str:
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
    style = ' s="1"' if is_time else ""
    return f'<c r="{place}"{style}><v>{value!r}</v></c>'


def mooring_nc() -> bytes:
    """Return a NetCDF file of the classic format, written byte by byte."""
    values = list(weather())
    columns = {
        "time": ([(row[0] - START).total_seconds() for row in values], {"units": "seconds since 2024-05-01 00:00:00"}),
        "TEMP": ([8 + row[1] / 10 for row in values], {"units": "degC", "long_name": "Water temperature"}),
        "PSAL": ([31 + row[2] / 100 for row in values], {"units": "psu", "long_name": "Salinity"}),
        "PRES": ([12 + row[3] / 1000 for row in values], {"units": "dbar", "long_name": "Water pressure"}),
    }  # fmt: skip
    heads = {name: _name(name) + struct.pack(">2i", 1, 0) + _attributes(attrs) for name, (_, attrs) in columns.items()}
    size = 8 * len(values)
    start = 4 + 4 + 8 + len(_name("time")) + 4 + 8 + 8 + sum(len(head) + 12 for head in heads.values())
    parts = [
        b"CDF\x01",
        struct.pack(">i2i", 0, 10, 1),
        _name("time"),
        struct.pack(">i", len(values)),
        struct.pack(">2i", 0, 0),
    ]
    parts.append(struct.pack(">2i", 11, len(heads)))
    for number, head in enumerate(heads.values()):
        parts += [head, struct.pack(">3i", 6, size, start + number * size)]
    parts += [struct.pack(f">{len(values)}d", *numbers) for numbers, _ in columns.values()]
    return b"".join(parts)


def _name(text: str) -> bytes:
    return struct.pack(">i", len(text)) + text.encode().ljust(-(-len(text) // 4) * 4, b"\0")


def _attributes(attrs: dict[str, str]) -> bytes:
    found = [_name(name) + struct.pack(">i", 2) + _name(text) for name, text in attrs.items()]
    return struct.pack(">2i", 12, len(found)) + b"".join(found)


def _text(lines: list[str], end: str = "\n") -> bytes:
    return end.join([*lines, ""]).encode()


FILES = {
    "roof_20240501.csv": roof_csv,
    "CR1000X_TenMin_2024_05_01.dat": logger_dat,
    "wetter_01.05.2024.csv": station_csv,
    "46087_20240501.txt": buoy_txt,
    "probe12-2024-05-01.tsv": probe_tsv,
    "dock_240501.csv": pendant_csv,
    "array_2024122.dat": array_dat,
    "pier_2024-05-01T00.json": api_json,
    "mooring_20240501.nc": mooring_nc,
}
ARCHIVE = "office_202405.xlsx"
