"""Fill that is not the declared nodata value: missing where no spectrum is so, told elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperkd.problems import Problem
from hyperkd.raster.masks import fill_mask
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.products.import_product import import_product
from hyperkd.requests.prepare_options import ImportJob
from hyperkd.types import BandTable, Wavelengths, Window
from tests.factories import make_envi, make_raster
from tests.reports import SilentReport

CENTRE_NM = np.linspace(430.0, 2400.0, 12)
SIDE = 24
BORDER = np.arange(SIDE) < 6  # a quarter of the columns
FACTORS = np.linspace(0.8, 1.1, 12)


def reflectance(side: int = SIDE) -> NDArray[np.float64]:
    """Return plausible spectra ``(band, row, col)``, no two pixels alike."""
    random = np.random.default_rng(0)
    shape = 0.05 + 0.3 * (1 - np.exp(-(CENTRE_NM - 400) / 700))
    noise = random.normal(1, 0.05, (12, side, side))
    return shape[:, None, None] * random.uniform(0.4, 1.4, (side, side)) * noise


class Case(NamedTuple):
    """What the border holds beside data, and what must become of it."""

    dtype: str
    scale: Any
    nodata: Optional[float]
    fill: Any
    code: str
    missing: bool = True
    offset: float = 0.0
    unit: str = ""


FILL, FOUND = "undeclared_fill", "undeclared_nodata"
ZERO, SAME, PART = "undeclared_zeros", "constant_spectra", "partial_fill"
CASES = {
    # the nodata value is another one
    "-9999, 0 declared": Case("int16", 1e-4, 0, -9999, FILL),
    "-9999, -32768 declared": Case("int16", 1e-4, -32768, -9999, FILL),
    "-32768, -9999 declared": Case("int16", 1e-4, -9999, -32768, FILL),
    "int32 lowest": Case("int32", 1e-4, -9999, -(2**31), FILL),
    "float -9999, nan declared": Case("float32", None, np.nan, -9999.0, FOUND),
    "float -9999.5, -9999 declared": Case("float32", None, -9999, -9999.5, FILL),
    "float lowest of float64": Case("float64", None, -9999, -1.7e308, FILL),
    "netCDF's default fill": Case("float32", None, -9999, 9.96921e36, FILL),
    "1e20": Case("float32", None, -9999, 1e20, FILL),
    # scaled with the data
    "-32768 x 1e-4": Case("float32", None, -32768, -3.2768, FILL),
    "-9999 x 1e-4": Case("float32", None, -9999, -0.9999, FILL),
    "-9999 x 1e-4, none declared": Case("float32", None, None, -0.9999, FILL),
    "65535 x 1e-4": Case("float32", None, 65535, 6.5535, FILL),
    "-9999 in per cent": Case("float32", None, -9999, -99.99, FILL, unit="percent"),
    "-9999 / 50000": Case("int16", 2e-5, 0, -9999, FILL),
    "-999, scale 1e-3": Case("int16", 1e-3, -9999, -999, FILL),
    "-99, scale 1e-2": Case("int16", 1e-2, -9999, -99, FILL),
    "-50 of AVIRIS-Classic": Case("float32", None, -9999, -50.0, FILL),
    # times a factor of each band
    "-0.9999 smoothed": Case("float32", None, -9999, -0.9999 * FACTORS, FILL),
    "-9999 smoothed": Case("int16", 1e-4, 0, np.rint(-9999 * FACTORS), FILL),
    "-9999 under a gain of each band": Case("int16", 1e-4 * FACTORS, 0, -9999, FILL),
    # unsigned and largest values
    "65535, 0 declared": Case("uint16", 1e-4, 0, 65535, FILL),
    "65535, scale 1/50000": Case("uint16", 2e-5, 0, 65535, FILL),
    "-9999 as uint16": Case("uint16", 1e-4, 0, 55537, FILL),
    "32767": Case("int16", 1e-4, -9999, 32767, FILL),
    "bytes 255": Case("uint8", 0.004, 0, 255, FILL),
    "-0.01 as int16": Case("int16", 1e-4, 0, -100, FILL),
    # nobody can be sure
    "0, -9999 declared": Case("int16", 1e-4, -9999, 0, ZERO, missing=False),
    "0 as float": Case("float32", None, -9999, 0.0, ZERO, missing=False),
    "0 under an offset of -0.1": Case("uint16", 1e-4, 65535, 0, ZERO, missing=False, offset=-0.1),
    "-0.01": Case("float32", None, -9999, -0.01, SAME, missing=False),
    "1": Case("float32", None, -9999, 1.0, SAME, missing=False),
    "clipped to 1": Case("int16", 1e-4, -9999, 1, SAME, missing=False),
    # right as it is
    "the declared value": Case("int16", 1e-4, -9999, -9999, ""),
    "nan": Case("float32", None, -9999, np.nan, ""),
}


def stored(case: Case, side: int = SIDE) -> NDArray[Any]:
    scale = np.broadcast_to(1.0 if case.scale is None else case.scale, 12)[:, None, None]
    values = (reflectance(side) - case.offset) / scale
    if case.unit:
        values *= 100
    if not case.dtype.startswith("f"):
        values = np.rint(values)
    values = values.astype(case.dtype)
    border = np.broadcast_to(np.asarray(case.fill, np.float64), 12).astype(case.dtype)
    values[:, :, : SIDE // 4] = border[:, None, None]
    return values


def told(problems: tuple[Problem, ...]) -> list[str]:
    return [each.code for each in problems if each.code in (FILL, FOUND, ZERO, SAME, PART)]


@pytest.mark.parametrize("name", CASES)
def test_fill_is_missing_or_told(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    path = make_raster(
        tmp_path / "a.tif", stored(case), wavelengths=CENTRE_NM.tolist(), scale=case.scale,
        offset=case.offset or None, nodata=case.nodata, unit_type=case.unit,
    )  # fmt: skip
    with open_raster(str(path)) as source:
        assert told(source.problems) == ([case.code] if case.code else [])
        valid = source.read_tile(source.grid.window).valid
        assert (valid == np.broadcast_to(~BORDER | (not case.missing), valid.shape)).all()
        for problem in source.problems:
            if problem.code in (FILL, FOUND, ZERO, SAME, PART):
                assert problem.values["fraction"] == 0.25
                assert "25.0% of the pixels of the raster" in problem.message


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
def test_fill_in_an_envi_file_of_any_interleave(interleave: str, tmp_path: Path) -> None:
    data = stored(CASES["-9999 x 1e-4"])
    path = make_envi(
        tmp_path / "a.img", data, interleave=interleave, wavelengths=CENTRE_NM.tolist(),
        header="data ignore value = -9999",
    )  # fmt: skip
    with open_raster(str(path)) as source:
        assert told(source.problems) == [FILL]
        assert (source.read_tile(source.grid.window).valid == ~BORDER).all()


def test_the_sentence_names_value_and_fraction(tmp_path: Path) -> None:
    data = stored(CASES["-9999 smoothed"])
    path = make_raster(tmp_path / "a.tif", data, wavelengths=CENTRE_NM.tolist(), nodata=0)
    with open_raster(str(path)) as source:
        (problem,) = source.problems
        assert str(problem) == (
            "Every band holds -10999 to -7999 in 25.0% of the pixels of the raster, which is no "
            "reflectance and not the nodata value: such pixels are taken as missing everywhere."
        )
        assert problem.values == {"minimum": -10999, "maximum": -7999, "fraction": 0.25}


@pytest.mark.parametrize(
    ("part", "nm"), [(slice(9), "430 to 880"), (slice(18, 36), "1950 to 2400")]
)
@pytest.mark.parametrize(
    ("fill", "code"),
    [(-9999, FILL), (np.array([-9000, -8000, -10000]), FILL), (0, PART), (1, PART)],
)
def test_one_detector_without_data_is_missing_or_told(
    part: slice, nm: str, fill: Any, code: str, tmp_path: Path
) -> None:
    values = np.rint((0.1 + reflectance().repeat(3, axis=0)) / 1e-4).astype(np.int16)
    values += np.arange(36, dtype=np.int16)[:, None, None]
    values[part, :, :6] = np.resize(np.asarray(fill), values[part].shape[0])[:, None, None]
    wavelengths = np.linspace(430, 2400, 36).tolist()
    path = make_raster(tmp_path / "a.tif", values, wavelengths=wavelengths, nodata=-32768)
    with open_raster(str(path)) as source:
        assert told(source.problems) == [code]
        problem = next(each for each in source.problems if each.code == code)
        assert f"All bands from {nm} nm hold " in str(problem)
        assert problem.values["fraction"] == 0.25
        valid = source.read_tile(source.grid.window).valid
        assert (valid == np.broadcast_to(~BORDER | (code == PART), valid.shape)).all()


def test_water_that_was_cut_at_zero_is_no_detector_without_data(tmp_path: Path) -> None:
    values = np.rint(reflectance().repeat(3, axis=0) / 1e-4).astype(np.int16)
    values[:, :, :6] = np.linspace(1200, -900, 36).clip(0)[:, None, None].astype(np.int16)
    wavelengths = np.linspace(430, 2400, 36).tolist()
    path = make_raster(tmp_path / "a.tif", values, wavelengths=wavelengths, nodata=-32768)
    with open_raster(str(path)) as source:
        assert source.problems == ()
        assert source.read_tile(source.grid.window).valid.all()


def test_two_bands_without_data_are_no_detector(tmp_path: Path) -> None:
    values = np.rint(reflectance() / 1e-4).astype(np.int16)
    values[:2, :, :6] = -9999
    values[10:, :, :6] = 0
    path = make_raster(tmp_path / "a.tif", values, wavelengths=CENTRE_NM.tolist(), nodata=-32768)
    with open_raster(str(path)) as source:
        assert told(source.problems) == []
        assert source.read_tile(source.grid.window).valid.all()


def test_fill_that_no_sampled_window_touches_is_missing_all_the_same(tmp_path: Path) -> None:
    values = np.rint(reflectance(400) / 1e-4).astype(np.int16)
    values[:, 60:62, 60:80] = -9999
    path = make_raster(tmp_path / "a.tif", values, wavelengths=CENTRE_NM.tolist(), nodata=0)
    with open_raster(str(path)) as source:
        assert source.problems == ()
        valid = source.read_tile(Window(50, 50, 40, 40)).valid
        assert np.argwhere(~valid).min(axis=0).tolist() == [10, 10]
        assert np.count_nonzero(~valid) == 2 * 20
        # Of the bands that a model needs, too.
        few = source.read_tile(Window(50, 50, 40, 40), [11, 3, 5]).valid
        assert (few == valid).all()


@pytest.mark.parametrize(
    "spectrum",
    [
        [*[0.3] * 9, -0.9, -0.5, 0.2],  # noise inside water vapour
        np.linspace(-0.25, -0.05, 12),  # an overcorrected shadow
        np.linspace(1.9, 0.4, 12),  # snow on a sunny slope
        np.linspace(3.5, 2.2, 12),  # a sunlit cloud at a low sun
        [0.0, 0.0, *[0.01] * 10],
    ],
)
def test_odd_spectra_stay(spectrum: Any, tmp_path: Path) -> None:
    values = np.rint(reflectance() / 1e-4).astype(np.int16)
    values[:, 3, 3] = np.rint(np.array(spectrum) / 1e-4)
    path = make_raster(tmp_path / "a.tif", values, wavelengths=CENTRE_NM.tolist())
    with open_raster(str(path)) as source:
        assert source.problems == ()
        assert source.read_tile(source.grid.window).valid.all()


def test_one_broken_pixel_of_zeros_is_no_border(tmp_path: Path) -> None:
    values = np.rint(reflectance() / 1e-4).astype(np.int16)
    values[:, 3, 3] = 0
    path = make_raster(tmp_path / "a.tif", values, wavelengths=CENTRE_NM.tolist())
    with open_raster(str(path)) as source:
        assert source.problems == ()


@pytest.mark.parametrize(("scale", "fill"), [(-1e-4, 9999), (1e-4, -9999)])
def test_a_falling_scale_turns_dark_and_bright_around(scale: float, fill: int) -> None:
    bands = BandTable(
        Wavelengths(CENTRE_NM), np.ones(12, bool), np.full(12, scale), np.zeros(12),
        np.full(12, np.nan),
    )  # fmt: skip
    data = np.rint(reflectance() / scale).astype(np.int16)
    data[:, :, :6] = fill
    among = np.ones((SIDE, SIDE), bool)
    assert (fill_mask(data, bands, among) == BORDER).all()
    assert not fill_mask(data[:2], bands.take([0, 1]), among).any()
    assert not fill_mask(data, bands, ~among).any()


def test_an_import_writes_the_declared_nodata_in_place_of_fill(tmp_path: Path) -> None:
    case = CASES["-9999, 0 declared"]
    path = make_raster(
        tmp_path / "a.tif", stored(case), wavelengths=CENTRE_NM.tolist(), nodata=case.nodata
    )
    output = tmp_path / "out.tif"
    import_product(ImportJob(product=str(path), output=str(output)), SilentReport())
    with open_raster(str(output)) as source:
        assert source.problems == ()
        tile = source.read_tile(source.grid.window)
        assert (tile.data[:, :, :6] == 0).all()
        assert (tile.valid == ~BORDER).all()
