"""Band tables of known sensors, for files that do not carry their own.

The tables are CSV files next to this module, one row a band in the order in
which the product is delivered. ``enmap.csv`` is the band characterisation that
the EnMAP ground segment gives with its Level 2A products (calibration of 2022);
later calibrations differ from it by less than 0.4 nm.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final, Optional, Union

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.types import BandTable, Wavelengths

# Name -> (title, bands of the EnMAP table it keeps, 1-based, as ranges).
_ENMAP_SUBSETS: Final[Mapping[str, tuple[str, tuple[tuple[int, int], ...]]]] = {
    "enmap": ("EnMAP Level 2A as delivered, 224 bands by wavelength", ((1, 224),)),
    "enmap-202": (
        "EnMAP without its water vapour bands, 202 bands (HySpecNet-11k, SpectralEarth)",
        ((1, 126), (142, 160), (168, 224)),
    ),
}
SENSORS: Final[Mapping[str, str]] = {name: title for name, (title, _) in _ENMAP_SUBSETS.items()}

_ENMAP_SCALE: Final = 1e-4
_ENMAP_NODATA: Final = -32768.0


@cache
def sensor_bands(name: str) -> BandTable:
    """Return the band table of a known sensor, in the order in which it is delivered.

    The names of the bands state the detector and the band's number on it, for
    instance ``VNIR 91``.

    Raises:
        HyperKDError: ``bad_job`` where no such sensor is known.
    """
    if name not in SENSORS:
        raise HyperKDError(
            "bad_job",
            f"There is no sensor preset {name!r}.",
            f"Choose one of: {', '.join(SENSORS)}.",
        )
    _, ranges = _ENMAP_SUBSETS[name]
    return _enmap().take(np.concatenate([np.arange(first - 1, last) for first, last in ranges]))


def given_bands(text: Optional[str]) -> Union[BandTable, str, None]:
    """Return the table of the sensor that ``text`` names; a CSV file or None stays as it is.

    Raises:
        HyperKDError: ``bad_job`` where it is neither a sensor nor a CSV file.
    """
    if text is None or text.lower().endswith(".csv") or os.path.exists(text):
        return text
    return sensor_bands(text)


@cache
def canonical_bands() -> Wavelengths:
    """Return the grid of HyperKD's students: the 218 good bands of EnMAP, by wavelength."""
    table = sensor_bands("enmap")
    return table.wavelengths.take(np.flatnonzero(table.good))


@cache
def _enmap() -> BandTable:
    with resources.files(__package__).joinpath("enmap.csv").open(encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    counts = {"VNIR": 0, "SWIR": 0}
    names = []
    for row in rows:
        counts[row["detector"]] += 1
        names.append(f"{row['detector']} {counts[row['detector']]}")
    origin = "sensor preset enmap"
    return BandTable(
        Wavelengths(
            np.array([float(row["centre_nm"]) for row in rows]),
            np.array([float(row["fwhm_nm"]) for row in rows]),
        ),
        good=np.array([row["good"] == "1" for row in rows]),
        scale=np.full(len(rows), _ENMAP_SCALE),
        offset=np.zeros(len(rows)),
        nodata=np.full(len(rows), _ENMAP_NODATA),
        names=tuple(names),
        origins={
            key: origin for key in ("wavelength", "fwhm", "good", "scale", "offset", "nodata")
        },
    )
