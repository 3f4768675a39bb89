"""Units as people write them in headers, and as UDUNITS and pint know them."""

from __future__ import annotations

import re

# The unit that a pipeline writes, and how headers spell it. Lower case, without spaces.
_SPELLINGS = {
    "degC": "degc °c ºc c celsius deg_c degreesc degrees_c degreec degree_celsius degrees_celsius deg.c ℃ ˚c tc centigrade its-90,degc degreescelsius",  # noqa: E501
    "degF": "degf °f ºf f fahrenheit deg_f degreesf degrees_f degree_fahrenheit deg.f ℉ ˚f tf degreesfahrenheit",
    "K": "k kelvin degk",
    "m/s": "m/s ms ms-1 m.s-1 ms^-1 m*s-1 ms⁻¹ m·s⁻¹ mps meters/second metres/second meterspersecond metersec meters/sec m/sec m_s m_per_s ms**-1",  # noqa: E501
    "cm/s": "cm/s cms-1 cm/sec cm_s cms^-1",
    "mm/s": "mm/s mms-1 mm/sec mm_s",
    "km/h": "km/h kmh kmh-1 kph km/hr kmph",
    "knot": "knot knots kt kts kn",
    "mile/hour": "mph mi/h mi/hr miles/hour milesperhour mile/hour",
    "ft/s": "ft/s fps ft/sec",
    "degree": "deg degree degrees ° º degt degm deg_true degreestrue deg.true °t °true degn deg(true) degtrue",
    "radian": "rad radian radians",
    "%": "% percent pct prct % pc %rh rh% percentrh",
    "hPa": "hpa hectopascal",
    "mbar": "mbar mb mbars millibar millibars",
    "Pa": "pa pascal pascals",
    "kPa": "kpa kilopascal",
    "bar": "bar bars",
    "dbar": "dbar db decibar decibars",
    "inHg": 'inhg inchhg inchesofmercury in_hg inches_hg inches-hg in.hg "hg',
    "mmHg": "mmhg torr",
    "psi": "psi psia psig",
    "mm": "mm millimeter millimeters millimetre",
    "cm": "cm centimeter centimeters",
    "m": "m meter meters metre metres",
    "km": "km kilometer kilometers",
    "inch": "in inch inches in.",
    "ft": "ft feet foot",
    "nautical_mile": "nmi nm_i nauticalmiles",
    "mile": "mi mile miles",
    "mm/hour": "mm/h mm/hr mmh-1 mm/hour mmh",
    "inch/hour": "in/h in/hr inch/hour",
    "W m-2": "w/m2 w/m^2 wm-2 wm^-2 w/m² wm⁻² watts/m2 watts/m^2 w_m2 w/m**2 watts/meter^2 w/sqm wm2 watt/m2 watt/m^2",
    "MJ m-2": "mj/m2 mj/m^2 mjm-2 mj/m²",
    "kJ m-2": "kj/m2 kj/m^2 kjm-2",
    "umol m-2 s-1": "umol/m2/s umol/m^2/s umolm-2s-1 µmol/m2/s µmol/m²/s µmolm-2s-1 μmol/m²/s umol/sm2 umol/s/m^2 umol/s/m2 μmolm-2s-1",  # noqa: E501
    "V": "v volt volts vdc",
    "mV": "mv millivolt millivolts",
    "A": "a amp amps ampere",
    "mA": "ma milliamp",
    "W": "w watt watts",
    "kW": "kw kilowatt",
    "s": "s sec secs second seconds",
    "ms": "msec millisecond milliseconds",
    "minute": "min mins minute minutes",
    "hour": "h hr hrs hour hours",
    "day": "d day days",
    "Hz": "hz hertz",
    "S/m": "s/m sm-1 siemens/m siemens/meter",
    "mS/cm": "ms/cm mscm-1 mmho/cm",
    "uS/cm": "us/cm µs/cm μs/cm uscm-1",
    "psu": "psu pss pss-78 psal practicalsalinityunits",
    "g kg-1": "g/kg gkg-1 ‰ ppt",
    "mg L-1": "mg/l mgl-1 g/m3 g/m^3",
    "ml L-1": "ml/l mll-1",
    "umol L-1": "umol/l µmol/l μmol/l um µm_ol mmol/m3 mmol/m^3 mmolm-3",
    "umol kg-1": "umol/kg µmol/kg μmol/kg umolkg-1",
    "ug L-1": "ug/l µg/l μg/l mg/m3 mg/m^3 mg/m³ mgm-3 ugl-1",
    "ug m-3": "ug/m3 ug/m^3 µg/m3 µg/m³ μg/m³ ugm-3",
    "ppm": "ppm ppmv umol/mol µmol/mol",
    "ppb": "ppb ppbv nmol/mol",
    "NTU": "ntu fnu ftu",
    "kg m-3": "kg/m3 kg/m^3 kg/m³ kgm-3",
    "m3 m-3": "m3/m3 m^3/m^3 m³/m³ m3m-3",
    "m3 s-1": "m3/s m^3/s m³/s cms",
    "m2 s-2": "m2/s2 m^2/s^2 m²/s²",
    "degree_north": "degrees_north degree_north degn deg_n °n",
    "degree_east": "degrees_east degree_east dege deg_e °e",
    "1": "1 - unitless none n/a na dimensionless count counts ratio rn ph phunits bool boolean code number",
}
_BY_SPELLING = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings.split()}
# Words in a units row that are no units of a value: a record number, a timestamp.
_OF_TIMES = set(
    "ts rn utc gmt yr yyyy yy mo month mm dd dy hh hr mn mi ss time date local lst yyyy-mm-dd hh:mm:ss".split()  # noqa: SIM905
)
# Too short or common to be units at the end of a name such as "wind_s" or "batt_a".
_NO_SUFFIX = set(
    "a w s h d k m v in min max 1 - none na count n/a code number ms c f mi t ma um cms mm day hour ratio".split()  # noqa: SIM905
)
_SUFFIXES = {"c", "f", "m", "v", "k", "ms", "mm"}
"""Short units that still count as a suffix after an underscore: temp_c, wind_ms, rain_mm."""


def clean(text: str) -> str | None:
    """Return the unit that a text from a header means, as a pipeline writes it; None if it is unknown."""
    if text.strip() == "dB":  # decibels, not decibars
        return None
    key = re.sub(r"[\s·]+", "", text.strip().strip("[]()\"'")).lower()
    if key in _BY_SPELLING:
        return _BY_SPELLING[key]
    return _BY_SPELLING.get(key.replace("_", "")) or _BY_SPELLING.get(key.replace(".", ""))


def is_known(text: str) -> bool:
    """Whether a text in a row of units is a unit, or says what a time is in."""
    return clean(text) is not None or text.strip().lower() in _OF_TIMES


def split(name: str) -> tuple[str, str]:
    """Split the name of a column into name and units, both as written: "AirTC_Avg [°C]", "temp (degC)", "wind_ms"."""
    hobo = re.fullmatch(r"(.+?),\s*([^,\s][^,]*?)(?:\s*\(.*\))?", name)  # "Temp, °F (LGR S/N: 123, SEN S/N: 456)"
    if hobo and clean(hobo[2]):
        return hobo[1].strip(), hobo[2]
    bracket = re.fullmatch(r"\s*(.*?)[\s_,:]*[\[(]\s*([^\[\]()]*(?:\([^()]*\))?)\s*[\])]\s*(.*)", name)
    if bracket and bracket[1]:
        return f"{bracket[1]} {bracket[3]}".strip(), bracket[2]
    parts = re.split(r"[_\s]+", name.strip())
    for count in (3, 2, 1):
        suffix = " ".join(parts[-count:])
        if len(parts) > count and clean(suffix) and _counts(suffix):
            return "_".join(parts[:-count]), suffix
    return name.strip(), ""


def _counts(suffix: str) -> bool:
    lower = suffix.lower()
    return lower in _SUFFIXES or lower not in _NO_SUFFIX
