from __future__ import annotations

import json

import numpy as np
import pytest

from hyperkd.spectral.band_overview import BandOrigin, inspect_bands
from hyperkd.spectral.sensors import canonical_bands, sensor_bands
from hyperkd.types import BandTable, Wavelengths


def sensor(first, last, step, fwhm):
    centre = np.arange(first, last, step, dtype=float)
    return BandTable(
        Wavelengths(centre, np.full(centre.size, float(fwhm))),
        good=np.ones(centre.size, bool),
        scale=np.ones(centre.size),
        offset=np.zeros(centre.size),
        nodata=np.full(centre.size, np.nan),
    )


def test_enmap_feeds_each_band_of_the_student_from_the_same_band():
    inspection = inspect_bands(sensor_bands("enmap"), canonical_bands(), mode="range_mean")
    assert inspection.rows[0] == BandOrigin(1, 418.24, 1, 418.24, 0.0, "matched", (1,))
    # The six bands without data, 130 to 135, are skipped.
    assert inspection.rows[129] == BandOrigin(130, 1461.46, 136, 1461.46, 0.0, "matched", (136,))
    assert inspection.used == (*range(1, 130), *range(136, 225))
    assert (inspection.refusal, inspection.teacher_refusal) == ("", "")
    assert [band.file_bands[0] for band in inspection.teacher] == [8, 24, 44, 74, 146, 183]
    assert inspection.teacher[4].name == "SWIR_1"
    assert inspection.teacher[4].centre_nm == pytest.approx(1609.3, abs=0.1)


def test_an_interpolated_band_names_the_heavier_one_and_its_difference():
    row = inspect_bands(sensor(400, 2501, 10, 11), canonical_bands(), mode="range_mean").rows[0]
    assert (row.model_nm, row.file_band, row.file_nm, row.how) == (418.24, 3, 420, "interpolated")
    assert row.difference_nm == pytest.approx(1.76)
    assert row.file_bands == (2, 3)


def test_a_raster_that_suits_nobody_is_described_with_the_reasons():
    inspection = inspect_bands(sensor(401, 999, 2.55, 3.5), canonical_bands(), mode="range_mean")
    assert inspection.refusal.startswith("The raster's 235 good bands (401 to 997.7 nm) cover 101")
    assert inspection.refusal.endswith("or a model made for this sensor.")
    assert inspection.rows[-1].how == "extrapolated"
    assert inspection.rows[-1].difference_nm == pytest.approx(997.7 - 2445.53)
    assert inspection.teacher == ()
    assert inspection.teacher_refusal.startswith("No good band lies in SWIR_1 (1570 to 1650 nm).")


def test_everything_is_json():
    inspection = inspect_bands(sensor_bands("enmap-202"), canonical_bands(), mode="range_mean")
    values = json.loads(json.dumps(inspection.to_json()))
    assert values["rows"][-1]["model_band"] == 218
    assert values["support"]["extrapolated"] == 16
    assert values["teacher"][2]["file_bands"] == [44, 45, 46, 47, 48]
    assert values["used"][-1] == 202
