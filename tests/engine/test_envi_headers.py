"""ENVI files with headers as the makers of sensors write them, read beside numpy's own reading."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.raster.open_raster import open_raster
from tests.factories import make_envi

ROWS, COLS = 5, 6
CENTRES = (452.5, 665.25, 1610.0, 2200.75)
WIDTHS = (5.5, 5.75, 6.0, 6.25)


@dataclass(frozen=True)
class Header:
    """A header, how its file stores values, and what must be read.

    Attributes:
        name: of the data file; ``header`` names that of the header.
        text: the header without size, type and interleave.
        centres, widths, good, scale, nodata: what it says of the bands.
        transform: the geotransform, or None.
        codes: the problems.
    """

    name: str
    header: str
    dtype: str
    interleave: str
    text: str
    centres: tuple[float, ...] = CENTRES
    widths: Optional[tuple[float, ...]] = WIDTHS
    good: tuple[int, ...] = (1, 1, 1, 1)
    scale: float = 1.0
    nodata: float = -9999.0
    transform: Optional[tuple[float, ...]] = None
    codes: tuple[str, ...] = ()


def turned(x: float, y: float, pixel: float, degrees: float) -> tuple[float, ...]:
    """Return the geotransform of a grid turned counter-clockwise about its first corner."""
    angle = math.radians(degrees)
    across, down = pixel * math.cos(angle), pixel * math.sin(angle)
    return (x, across, down, y, down, -across)


LIST = "{\n 452.500000, 665.250000,\n 1610.000000, 2200.750000}"
FWHM = "{ 5.500000, 5.750000,\n 6.000000, 6.250000}"
UTM = "UTM , 1.000 , 1.000 , 724522.127 , 4074620.759 , 1.1 , 1.1 , 12 , North , WGS-84"
HEADERS = {
    "AVIRIS-NG": Header(
        *("ang20180814t224053_corr_v2r2_img", "ang20180814t224053_corr_v2r2_img.hdr"),
        *("<f4", "bil"),
        "description = {\n  Orthorectified surface reflectance}\n"
        "file type = ENVI Standard\nsensor type = Unknown\n"
        f"map info = {{ {UTM} , units=Meters , rotation=-12.0000 }}\n"
        f"wavelength units = Nanometers\nwavelength = {LIST}\nfwhm = {FWHM}\n"
        "smoothing factors = {1.0, 1.0, 1.0, 1.0}\ncorrection factors = {1.0, 1.0, 0.98, 1.0}\n"
        "bbl = {\n 1, 1,\n 0, 1}\ndata ignore value = -9999.000000\n",
        good=(1, 1, 0, 1),
        transform=turned(724522.127, 4074620.759, 1.1, -12.0),
        codes=("rotated_grid", "inferred_scale"),
    ),
    "AVIRIS-3": Header(
        *(
            "AV320231005t181518_013_L2A_OE_main_RFL_ORT",
            "AV320231005t181518_013_L2A_OE_main_RFL_ORT.hdr",
        ),
        *("<f4", "bil"),
        f"map info = {{{UTM}, rotation=75.00000000}}\ncoordinate system string = {{}}\n"
        f"wavelength units = nm\nwavelength = {LIST}\nfwhm = {FWHM}\ndata ignore value = -9999\n",
        transform=turned(724522.127, 4074620.759, 1.1, 75.0),
        codes=("rotated_grid", "inferred_scale"),
    ),
    # Four spectrometers that overlap: the wavelengths step back, the bytes are in network order.
    "AVIRIS-Classic": Header(
        *("f130411t01p00r11rdn_refl_img", "f130411t01p00r11rdn_refl_img.hdr"),
        *(">i2", "bip"),
        f"map info ={{{UTM}}}\n wavelength = {{\n 0.4525, 0.66525, 0.6550, 2.20075}}\n"
        " fwhm = {\n 0.0098, 0.0096, 0.0113, 0.0102}\nwavelength units = Micrometers\n"
        "reflectance scale factor = 10000.0\ndata ignore value = -9999\n",
        centres=(452.5, 665.25, 655.0, 2200.75),
        widths=(9.8, 9.6, 11.3, 10.2),
        scale=1e-4,
        transform=(724522.127, 1.1, 0.0, 4074620.759, 0.0, -1.1),
    ),
    "HySpex": Header(
        *("line_SN0014_refl.bsq", "line_SN0014_refl.hdr"),
        *("<i2", "bsq"),
        "band names = {Band 1, Band 2, Band 3, Band 4}\ndefault bands = {55, 41, 12}\n"
        "reflectance scale factor = 10000.000000\nwavelength units = Nanometers\n"
        f"wavelength = {LIST}\nfwhm = {FWHM}\ndata ignore value = -9999\n"
        "integration time = 8400\nframe period = 10000\n",
        scale=1e-4,
        codes=("no_geotransform", "no_reference_system"),
    ),
    "Headwall": Header(
        *("raw_0_rd_rf_or", "raw_0_rd_rf_or.hdr"),
        *("<u2", "bil"),
        f"map info = {{{UTM}}}\nwavelength units = nm\nspectral binning = 2\n"
        "sample binning = 1\nsensor id = Hyperspec\n"
        f"wavelength = {LIST}\nfwhm = {FWHM}\nreflectance scale factor = 10000\n"
        "data ignore value = 0\n",
        scale=1e-4,
        nodata=0.0,
        transform=(724522.127, 1.1, 0.0, 4074620.759, 0.0, -1.1),
    ),
    # Keys in capitals, one value a line, no unit, no fill.
    "Specim": Header(
        *("REFLECTANCE_2020-01-01_001.dat", "REFLECTANCE_2020-01-01_001.hdr"),
        *("<f4", "bil"),
        "Description = {\n Reflectance }\nsensor type = SPECIM IQ\ntint = 10\nfps = 100\n"
        "himg = {1, 6}\nvimg = {1, 4}\ndefault bands = {70,53,19}\n"
        "Wavelength = {\n452.50,\n665.25,\n1610.00,\n2200.75\n}\n",
        widths=None,
        nodata=math.nan,
        codes=("no_geotransform", "no_reference_system", "inferred_scale"),
    ),
    # Every band has its own gain, and the list ends with a comma.
    "gains": Header(
        *("scene.img", "scene.hdr"),
        *("<i2", "bsq"),
        f"map info = {{{UTM}}}\nwavelength units = Nanometers\nwavelength = {LIST}\n"
        f"fwhm = {FWHM}\ndata gain values = {{0.0001, 0.0001, 0.0001, 0.0001}}\n"
        "data offset values = {0, 0, 0, 0}\ndata ignore value = -9999\n",
        scale=1e-4,
        transform=(724522.127, 1.1, 0.0, 4074620.759, 0.0, -1.1),
    ),
}


def write(folder: Path, case: Header, text: Optional[str] = None) -> np.ndarray:
    """Write the file; returns its values (band, row, col), with fill where one is declared."""
    random = np.random.default_rng(17)
    cube = random.uniform(0.02, 0.6, (4, ROWS, COLS))
    cube = cube.astype("f4") if case.dtype == "<f4" else (cube * 10000).astype(case.dtype[1:])
    if not math.isnan(case.nodata):
        cube[:, 0, 0] = case.nodata
    axes = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (1, 2, 0)}[case.interleave]
    (folder / case.name).write_bytes(cube.transpose(axes).astype(case.dtype).tobytes())
    number = {"f4": 4, "i2": 2, "u2": 12}[case.dtype[1:]]
    (folder / case.header).write_text(
        f"ENVI\nsamples = {COLS}\nlines   = {ROWS}\nbands   = 4\nheader offset = 0\n"
        f"data type = {number}\ninterleave = {case.interleave}\n"
        f"byte order = {int(case.dtype.startswith('>'))}\n{case.text if text is None else text}"
    )
    return cube


@pytest.mark.parametrize("maker", sorted(HEADERS))
def test_headers_as_their_makers_write_them(tmp_path: Path, maker: str) -> None:
    case = HEADERS[maker]
    cube = write(tmp_path, case)
    for given in (case.name, case.header):
        with open_raster(str(tmp_path / given)) as source:
            bands = source.bands
            np.testing.assert_allclose(bands.wavelengths.centre_nm, case.centres, rtol=1e-12)
            if case.widths is None:
                assert bands.wavelengths.fwhm_nm is None
            else:
                np.testing.assert_allclose(bands.wavelengths.fwhm_nm, case.widths, rtol=1e-12)
            np.testing.assert_array_equal(bands.good, np.array(case.good) > 0)
            np.testing.assert_allclose(bands.scale, case.scale, rtol=1e-12)
            np.testing.assert_array_equal(bands.nodata, [case.nodata] * 4)
            if case.transform is None:
                assert source.grid.geotransform is None
            else:
                np.testing.assert_allclose(source.grid.geotransform, case.transform, rtol=1e-9)
            assert tuple(problem.code for problem in source.problems) == case.codes
            tile = source.read_tile(source.grid.window)
        np.testing.assert_array_equal(tile.data, cube)
        filled = np.zeros((ROWS, COLS), bool)
        filled[0, 0] = not math.isnan(case.nodata)
        np.testing.assert_array_equal(tile.valid, ~filled)


@pytest.mark.parametrize(
    ("maker", "old", "new", "code", "says"),
    [
        (
            *("AVIRIS-NG", "wavelength units = Nanometers", "wavelength units = Wavenumber"),
            *("bad_units", "'Wavenumber' is not supported"),
        ),
        (
            *("HySpex", "wavelength units = Nanometers", "wavelength units = Micrometers"),
            *("bad_units", "outside 100 to 20000 nm"),
        ),
        (
            *("Specim", "452.50,\n", "452;50,\n"),
            *("bad_wavelengths", "'452;50', which is not a number"),
        ),
        ("Specim", "1610.00,\n", "", "no_wavelengths", "has 3 values for 4 bands"),
        ("AVIRIS-NG", " 452.500000,", " 440.0, 452.5,", "no_wavelengths", "has 5 values for 4"),
        ("HySpex", "scale factor = 10000.000000", "scale factor = 0", "bad_scale", "scale inf"),
        (
            *("AVIRIS-NG", "bbl = {\n 1, 1,\n 0, 1}", "bbl = {0, 0, 0, 0}"),
            *("no_valid_pixels", "All 4 bands are flagged bad"),
        ),
    ],
)
def test_headers_that_cannot_be_used_are_refused(
    tmp_path: Path, maker: str, old: str, new: str, code: str, says: str
) -> None:
    case = HEADERS[maker]
    assert old in case.text
    write(tmp_path, case, case.text.replace(old, new))
    with pytest.raises(HyperKDError) as caught:
        open_raster(str(tmp_path / case.name))
    assert caught.value.code == code, caught.value.message
    assert says in caught.value.message


def test_widths_of_another_number_are_ignored_and_told(tmp_path: Path) -> None:
    case = HEADERS["AVIRIS-NG"]
    write(tmp_path, case, case.text.replace("{ 5.500000,", "{"))
    with open_raster(str(tmp_path / case.name)) as source:
        assert source.bands.wavelengths.fwhm_nm is None
        np.testing.assert_array_equal(source.bands.wavelengths.centre_nm, CENTRES)
        told = [problem for problem in source.problems if problem.code == "ignored_metadata"]
    assert len(told) == 1
    assert "'fwhm' has 3 values for 4 bands" in told[0].message


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize(
    ("dtype", "big_endian", "offset"),
    [("int16", False, 0), ("uint16", True, 0), ("float32", True, 100), ("int32", False, 17)],
)
def test_an_independent_reader_finds_the_same(
    tmp_path: Path, interleave: str, dtype: str, big_endian: bool, offset: int
) -> None:
    """Spectral Python: values, wavelengths, widths, bad bands and the scale."""
    envi = pytest.importorskip("spectral.io.envi")
    generator = np.random.default_rng(0)
    data = generator.uniform(100, 5000, (6, 5, 7)).astype(dtype)
    path = make_envi(
        tmp_path / "scene.img", data, interleave=interleave, big_endian=big_endian,
        header_offset=offset,
        header="fwhm = {5, 6, 7, 8, 9, 10}\nbbl = {1, 1, 0, 1, 1, 1}\n"
        "reflectance scale factor = 10000",
    )  # fmt: skip
    other = envi.open(f"{path}.hdr", str(path))
    with open_raster(str(path)) as source:
        table = source.bands
        stored = source.read(source.grid.window)
        assert np.array_equal(stored.transpose(1, 2, 0), np.asarray(other.asarray()))
        assert table.wavelengths.centre_nm.tolist() == other.bands.centers
        assert table.wavelengths.fwhm_nm is not None
        assert table.wavelengths.fwhm_nm.tolist() == other.bands.bandwidths
        assert table.good.tolist() == [float(word) == 1 for word in other.metadata["bbl"]]
        assert (table.scale == 1 / float(other.metadata["reflectance scale factor"])).all()
        assert (source.grid.height, source.grid.width) == other.shape[:2]
