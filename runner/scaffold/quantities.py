# ruff: noqa: E501  one line for a quantity
"""Usual quantities of oceanography, meteorology and wind energy, with their CF standard names and units."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """What a column measures."""

    name: str
    """Of the variable in the output."""
    standard_name: str
    """In the CF standard name table; empty if it has none."""
    units: str
    """Of the output."""
    words: str
    """A regular expression for the names of columns, in lower case, with underscores between words."""
    low: float | None = None
    high: float | None = None
    """The usual valid_range, in the units of the output."""

    @property
    def long_name(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ").capitalize().replace("Ph ", "pH ").replace("Co2", "CO2")


def _q(
    name: str, standard_name: str, units: str, words: str, low: float | None = None, high: float | None = None
) -> Quantity:
    return Quantity(name, standard_name, units, words, low, high)


# The first that matches counts, so the narrower come first.
QUANTITIES = (
    _q("latitude", "latitude", "degree_north", r"lat|latitude|gps_lat\w*|lat_deg", -90, 90),
    _q("longitude", "longitude", "degree_east", r"lon|long|lng|longitude|gps_lon\w*", -180, 360),
    _q("battery_voltage", "", "V", r"(?:\w*_)?(?:batt?|battery|batv)(?:_?(?:volt|voltage|v))?(?:_\w+)?|vbat\w*|battv\w*|supply_voltage", 0, 60),
    _q("logger_temperature", "", "degC", r"(?:p?temp|ptemp|panel|logger|internal|enclosure|board)_?(?:temp|temperature|panel|c)(?:_\w+)?|ptemp\w*", -60, 80),
    _q("dew_point_temperature", "dew_point_temperature", "degC", r"dew\w*|dewp|td|dpt|dew_?point\w*|tdew|taupunkt\w*", -80, 45),
    _q("wet_bulb_temperature", "wet_bulb_temperature", "degC", r"wet_?bulb\w*|twb", -60, 50),
    _q("sea_water_temperature", "sea_water_temperature", "degC", r"(?:.*_)?(?:water|wtr|sea|sst|sea_?surface|wt)_?(?:temp\w*)|wtmp|sst\w*|tw|tv290c|t090c|t190c|t068c?|wassertemp\w*", -5, 45),
    _q("soil_temperature", "soil_temperature", "degC", r"(?:.*_)?soil_?t\w*|tsoil\w*|bodentemp\w*", -50, 70),
    _q("air_temperature", "air_temperature", "degC", r"(?:.*_)?(?:air_?t\w*|airt[cf]?|tair\w*|atmp|t_?air|temp_?air|outside_temp\w*|lufttemp\w*|temp_out|air_temperature|ambient_t\w*|t2m|ta|tmp|temp|temperature|temperatur)(?:_?(?:avg|mean|\d+m?|max|min|std|smp|out|outdoor|f|c))*", -60, 60),
    _q("relative_humidity", "relative_humidity", "%", r"(?:.*_)?(?:rh|rel_?hum\w*|relative_humidity|humidity|hum|rhum|feuchte|luftfeuchte|relative_feuchte|rhavg)(?:_\w+)?", 0, 110),
    _q("air_pressure_at_sea_level", "air_pressure_at_mean_sea_level", "hPa", r"slp|mslp|sea_?level_?press\w*|pmsl|barom?_?sea_?level", 850, 1100),
    _q("sea_water_pressure", "sea_water_pressure", "dbar", r"prdm|pr?sm|prs?dm|(?:sea|water)_?pres\w*", -5, 12000),
    _q("air_pressure", "air_pressure", "hPa", r"(?:.*_)?(?:pres|press|pressure|baro|barometer|bp|atm_?press\w*|air_?press\w*|barom\w*|luftdruck|bar_press\w*|station_press\w*|p_?air)(?:_\w+)?", 500, 1100),
    _q("wind_gust", "wind_speed_of_gust", "m/s", r"(?:.*_)?(?:gst|gust\w*|wind_?gust\w*|ws_max|wind_?speed_max|wspd_max|wg|wind_?max|windspitze\w*|boe\w*)(?:_\w+)?", 0, 120),
    _q("wind_from_direction", "wind_from_direction", "degree", r"(?:.*_)?(?:wdir|wd|wind_?dir\w*|winddir\w*|wdir\w*|wind_?from\w*|windrichtung|dir_wind)(?:_\w+)?", 0, 360),
    _q("eastward_wind", "eastward_wind", "m/s", r"u_?wind|wind_?u|eastward_wind|u10|u_component\w*", -100, 100),
    _q("northward_wind", "northward_wind", "m/s", r"v_?wind|wind_?v|northward_wind|v10|v_component\w*", -100, 100),
    _q("vertical_wind", "upward_air_velocity", "m/s", r"w_?wind|wind_?w|vertical_wind\w*|(?:z|vert)_?wind\w*", -50, 50),
    _q("wind_speed", "wind_speed", "m/s", r"(?:.*_)?(?:wspd|ws|wind_?speed\w*|windspeed\w*|wind_?spd\w*|windspd\w*|wind_?vel\w*|wind|wspeed|anemometer|windgeschwindigkeit|horizontal_wind_speed|ff)(?:_\w+)?", 0, 100),
    _q("rainfall_rate", "rainfall_rate", "mm/hour", r"(?:rain|precip\w*)_?(?:rate|intensity|int)\w*", 0, 500),
    _q("rainfall", "thickness_of_rainfall_amount", "mm", r"(?:.*_)?(?:rain\w*|precip\w*|prcp|niederschlag\w*|ppt)(?:_\w+)?", 0, 500),
    _q("photosynthetic_photon_flux", "surface_downwelling_photosynthetic_photon_flux_in_air", "umol m-2 s-1", r"(?:.*_)?par(?:_\w+)?|ppfd\w*", -20, 4000),
    _q("longwave_radiation", "surface_downwelling_longwave_flux_in_air", "W m-2", r"(?:lw|longwave|ir)_?(?:down|dn|in|rad\w*)\w*", 0, 800),
    _q("shortwave_radiation", "surface_downwelling_shortwave_flux_in_air", "W m-2", r"(?:.*_)?(?:solar\w*|slr\w*|srad|ghi|swdn|sw_?(?:down|dn|in)\w*|shortwave\w*|global_?rad\w*|pyran\w*|globalstrahlung|radiation|rg)(?:_\w+)?", -50, 1800),
    _q("salinity", "sea_water_practical_salinity", "1", r"(?:.*_)?(?:sal|salinity|psal|sal\d\d|salinit\w*)(?:_\w+)?", 0, 50),
    _q("conductivity", "sea_water_electrical_conductivity", "S/m", r"(?:.*_)?(?:cond|conductivity|c0s_m|c0ms_cm|spcond|cndc)(?:_\w+)?", 0, 10),
    _q("depth", "depth", "m", r"depth|dep|dept|depsm|depfm|tiefe|water_depth|sensor_depth", -10, 12000),
    _q("oxygen_saturation", "fractional_saturation_of_oxygen_in_sea_water", "%", r"(?:do|odo|oxy\w*|o2)_?(?:sat\w*|pct|perc\w*)", 0, 300),
    _q("dissolved_oxygen", "mass_concentration_of_oxygen_in_sea_water", "mg L-1", r"(?:.*_)?(?:do|odo|oxygen|dissolved_?ox\w*|doxy|o2)(?:_\w+)?", 0, 40),
    _q("chlorophyll", "mass_concentration_of_chlorophyll_in_sea_water", "ug L-1", r"(?:.*_)?(?:chl|chla|chlorophyll\w*|chl_?a|fluor\w*|flecoafl)(?:_\w+)?", -5, 1000),
    _q("turbidity", "sea_water_turbidity", "1", r"(?:.*_)?(?:turb\w*|ntu)(?:_\w+)?", 0, 4000),
    _q("ph", "sea_water_ph_reported_on_total_scale", "1", r"ph|ph_\w+", 0, 14),
    _q("wave_height", "sea_surface_wave_significant_height", "m", r"wvht|hs|hm0|swh|vhm0|(?:sig\w*_)?wave_?h\w*|significant_wave\w*|h_?sig\w*", 0, 35),
    _q("peak_wave_period", "sea_surface_wave_period_at_variance_spectral_density_maximum", "s", r"dpd|tp|peak_?\w*period|dominant_?\w*period", 0, 60),
    _q("mean_wave_period", "sea_surface_wave_mean_period", "s", r"apd|tm0?2?|tz|(?:mean|average|avg)_?\w*period|wave_period\w*", 0, 60),
    _q("wave_from_direction", "sea_surface_wave_from_direction", "degree", r"mwd|wave_?dir\w*|mean_wave_dir\w*", 0, 360),
    _q("current_speed", "sea_water_speed", "m/s", r"(?:.*_)?current_?(?:speed|vel\w*|spd)|cspd|curr?_?(?:speed|spd|vel)|vel_mag\w*", 0, 10),
    _q("current_direction", "sea_water_velocity_to_direction", "degree", r"(?:.*_)?current_?dir\w*|cdir|curr?_?dir\w*", 0, 360),
    _q("water_level", "water_surface_height_above_reference_datum", "m", r"(?:water|sea|tide)_?(?:level|height|lvl)\w*|wl|tide|stage|gauge_?height|ssh|wasserstand|gage_height"),
    _q("discharge", "water_volume_transport_in_river_channel", "m3 s-1", r"discharge|flow|streamflow|abfluss"),
    _q("visibility", "visibility_in_air", "km", r"vis|visib\w*", 0, 100),
    _q("cloud_base_height", "cloud_base_altitude", "m", r"(?:cloud_?base|ceiling|cbh)\w*"),
    _q("snow_depth", "surface_snow_thickness", "m", r"snow_?(?:depth|d|height)\w*|sd_?snow", 0, 20),
    _q("soil_moisture", "volume_fraction_of_condensed_water_in_soil", "1", r"(?:.*_)?(?:vwc|soil_?(?:moist\w*|water\w*)|swc)(?:_\w+)?"),
    _q("co2_mole_fraction", "mole_fraction_of_carbon_dioxide_in_air", "ppm", r"co2\w*|xco2", 0, 10000),
)  # fmt: skip


def named(name: str) -> Quantity:
    """Return the quantity with a name."""
    return next(quantity for quantity in QUANTITIES if quantity.name == name)


def find(column: str) -> Quantity | None:
    """Return the quantity that the name of a column means, or None."""
    key = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", column)
    key = re.sub(r"[^a-z0-9]+", "_", key.lower().replace("é", "e").replace("ö", "oe").replace("ü", "ue")).strip("_")
    for quantity in QUANTITIES:
        if re.fullmatch(quantity.words, key):
            return quantity
    return None
