"""Spectra at labelled pixels, and the fingerprint of pixels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hyperkd.evaluation.reports.label_spectra import (
    common_bands,
    detector_runs,
    reflectance_at,
    spectra_by_class,
    spectra_by_value,
)
from hyperkd.evaluation.splits.fingerprint import SIZE, fingerprint, seen_fraction
from hyperkd.raster.open_raster import open_raster
from hyperkd.types import BandTable, GridSpec, Wavelengths
from tests.factories import GEOTRANSFORM, make_raster, spectra, wkt
from tests.reports import SilentReport


def table(
    centres: list[float], fwhm: list[float] | None = None, bad: tuple[int, ...] = ()
) -> BandTable:
    count = len(centres)
    good = np.ones(count, bool)
    good[list(bad)] = False
    return BandTable(
        Wavelengths(np.array(centres), None if fwhm is None else np.array(fwhm)),
        good,
        np.ones(count),
        np.zeros(count),
        np.full(count, np.nan),
    )


@pytest.mark.parametrize("options", [(), ("TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16")])
def test_reflectance_of_pixels_is_that_of_the_scene(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    data = spectra(6, 40, 50)
    path = make_raster(tmp_path / "s.tif", data, options=options, offset=[0.01] * 6)
    rows = np.array([39, 0, 17, 17, 16, 5])
    cols = np.array([49, 0, 3, 48, 16, 5])
    bands = np.array([4, 0, 2])
    with open_raster(str(path)) as source:
        found = reflectance_at(source, rows, cols, bands, SilentReport())
        nothing = reflectance_at(source, rows[:0], cols[:0], bands, SilentReport())
    assert found == pytest.approx(data[bands][:, rows, cols].T * 1e-4 + 0.01, rel=1e-6)
    assert nothing.shape == (0, 3)


def test_common_bands_are_good_in_every_scene() -> None:
    first = table([500, 600, 700], bad=(0,))
    second = table([500.4, 600.2, 699.5], bad=(2,))
    assert common_bands([first, second]).tolist() == [1]
    assert common_bands([first]).tolist() == [1, 2]
    assert common_bands([first, table([500, 600])]) is None
    assert common_bands([first, table([500, 600, 702])]) is None
    assert common_bands([first, table([500, 600, 700], bad=(1, 2))]) is None


def test_spectra_by_class_by_hand() -> None:
    reflectance = np.array([[0.1, 0.2], [0.3, 0.2], [0.5, 0.6]])
    classes = [{"name": name, "color": "#112233"} for name in ("a", "b", "c")]
    found = spectra_by_class(reflectance, np.array([0, 0, 2]), classes, table([600, 500]))
    assert found.names == ("a", "c")
    assert found.centre_nm.tolist() == [500, 600]  # by wavelength, whatever the file's order
    assert found.mean == pytest.approx(np.array([[0.2, 0.2], [0.6, 0.5]]))
    assert found.low[0] == pytest.approx([0.2, 0.12])
    assert found.high[0] == pytest.approx([0.2, 0.28])
    told = json.loads(json.dumps(found.to_json()))
    assert told["kinds"][1] == {
        "name": "c",
        "color": "#112233",
        "pixels": 1,
        "mean": [0.6, 0.5],
        "p10": [0.6, 0.5],
        "p90": [0.6, 0.5],
    }


def test_spectra_by_value_are_thirds_of_what_is_known() -> None:
    values = np.array([5.0, 1.0, np.nan, 3.0, 2.0, 4.0, 6.0])
    reflectance = np.nan_to_num(values)[:, None] / 10
    found = spectra_by_value(reflectance, values, {"name": "soc", "unit": "%"}, table([500]))
    assert found.names == (
        "lowest third, 1 to 2 %",
        "middle third, 3 to 4 %",
        "highest third, 5 to 6 %",
    )
    assert found.mean[:, 0] == pytest.approx([0.15, 0.35, 0.55])
    two = spectra_by_value(reflectance[:2], values[:2], {"name": "soc", "unit": ""}, table([500]))
    assert two.names == ("lowest third, 1 to 1", "middle third, 5 to 5")


def test_detectors_are_told_apart_and_bad_bands_belong_to_none() -> None:
    vnir, swir = np.arange(900, 1000, 7.0), np.arange(905, 1100, 11.0)
    fwhm = [7.0] * len(vnir) + [12.0] * len(swir)
    bands = table([*vnir, *swir], fwhm, bad=(3,))
    runs = detector_runs(bands)
    assert runs[3] == -1
    assert len(set(runs[: len(vnir)]) - {-1}) == 1
    assert set(runs[: len(vnir)]) != set(runs[len(vnir) :])


GRID = GridSpec(400, 300, GEOTRANSFORM, wkt(32633))


def pixels(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    return np.divmod(np.arange(start, stop), GRID.width)


def test_small_sets_are_compared_exactly() -> None:
    seen = fingerprint([(GRID, *pixels(0, 200))])
    assert seen["pixels"] == 200
    assert len(seen["hashes"]) == 200
    assert seen_fraction(seen, [(GRID, *pixels(150, 250))]) == 0.5
    assert seen_fraction(seen, [(GRID, *pixels(0, 200))]) == 1
    assert seen_fraction(seen, [(GRID, *pixels(200, 400))]) == 0


@pytest.mark.parametrize(("start", "share"), [(0, 1.0), (5000, 0.5), (9000, 0.1), (10_000, 0.0)])
def test_large_sets_are_compared_by_a_sample(start: int, share: float) -> None:
    seen = fingerprint([(GRID, *pixels(0, 10_000))])
    assert len(seen["hashes"]) == SIZE
    assert seen_fraction(seen, [(GRID, *pixels(start, start + 10_000))]) == pytest.approx(
        share, abs=0.1
    )
    assert json.loads(json.dumps(seen)) == seen
    assert max(seen["hashes"]) < 2**53


def test_a_tile_of_a_scene_holds_the_same_pixels() -> None:
    x0, dx, rx, y0, ry, dy = GEOTRANSFORM
    tile = GridSpec(50, 50, (x0 + 100 * dx, dx, rx, y0 + 20 * dy, ry, dy), GRID.crs_wkt)
    rows, cols = np.divmod(np.arange(100), 10)
    seen = fingerprint([(GRID, rows + 20, cols + 100)])
    assert seen_fraction(seen, [(tile, rows, cols)]) == 1
    assert seen_fraction(seen, [(GRID, rows, cols)]) == 0


def test_degrees_and_rasters_without_a_place_have_fingerprints_too() -> None:
    degrees = GridSpec(400, 300, (13.0, 0.00027, 0, 52.5, 0, -0.00027), wkt(4326))
    seen = fingerprint([(degrees, *pixels(0, 100))])
    assert seen["pixels"] == 100
    assert seen_fraction(seen, [(degrees, *pixels(50, 150))]) == 0.5
    nowhere = GridSpec(400, 300)
    seen = fingerprint([(nowhere, *pixels(0, 100))])
    assert seen_fraction(seen, [(nowhere, *pixels(90, 100))]) == 1
    assert seen_fraction(seen, [(GridSpec(401, 300), *pixels(90, 100))]) == 0
