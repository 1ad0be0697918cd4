"""Numbers in band names, files that are longer or shorter than their header, output endings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.jobs.outputs import check_outputs
from hyperkd.jobs.validate import parse_job
from hyperkd.raster.open_raster import open_raster
from hyperkd.requests.catalogue import JOBS
from hyperkd.requests.option import job_fields
from tests.factories import WAVELENGTHS_NM, make_envi, make_raster, spectra

NM = [value + 0.25 for value in WAVELENGTHS_NM]


def comma(number: float, digits: int = 2) -> str:
    return f"{number:.{digits}f}".replace(".", ",")


# --- decimal commas -------------------------------------------------------------------------

NAMES = {
    "450,25 nm": [f"{comma(v)} nm" for v in NM],
    "450,25nm": [f"{comma(v)}nm" for v in NM],
    "Banda 1 (450,25 nm)": [f"Banda {i} ({comma(v)} nm)" for i, v in enumerate(NM)],
    "B1, 450,25 nm": [f"B{i}, {comma(v)} nm" for i, v in enumerate(NM)],
    "Blau,450,25 nm": [f"Blau,{comma(v)} nm" for v in NM],
    "450,250 nm": [f"{comma(v, 3)} nm" for v in NM],
    "0,45025 µm": [f"{comma(v / 1000, 5)} µm" for v in NM],
    "450,25 Nanometers": [f"{comma(v)} Nanometers" for v in NM],
    "450.25 nm": [f"{v} nm" for v in NM],
    "2-450,25 nm": [f"2-{comma(v)} nm" for v in NM],
}


@pytest.mark.parametrize("name", NAMES)
def test_a_decimal_comma_in_band_names(name: str, tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", wavelengths=None, units=None, descriptions=NAMES[name])
    with open_raster(str(path)) as source:
        np.testing.assert_allclose(source.bands.wavelengths.centre_nm, NM, rtol=1e-12)
        assert source.bands.origins["wavelength"] == "band descriptions"


THOUSANDS = [
    ("1,450.25 nm", "no_wavelengths"),
    ("1.450,25 nm", "no_wavelengths"),
    ("1,450,25 nm", "no_wavelengths"),
    ("1,450 nm", "bad_units"),
    ("0,45 nm", "bad_units"),
    ("450,25", "no_wavelengths"),
]


@pytest.mark.parametrize(("text", "code"), THOUSANDS)
def test_what_may_be_thousands_is_refused(text: str, code: str, tmp_path: Path) -> None:
    path = make_raster(
        tmp_path / "a.tif", wavelengths=None, units=None, descriptions=[text] * len(NM)
    )
    with pytest.raises(HyperKDError) as caught:
        open_raster(str(path))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("values", "units"),
    [
        ([comma(v) for v in NM], "Nanometers"),
        ([comma(v) for v in NM], None),
        ([f"{comma(v)} nm" for v in NM], None),
        ([comma(v / 1000, 5) for v in NM], "Micrometers"),
        ([comma(v / 1000, 5) for v in NM], None),
        ([f" +{comma(v)}" for v in NM], "nm"),
    ],
)
def test_a_decimal_comma_in_band_items(values: list[str], units: Any, tmp_path: Path) -> None:
    widths = ["0,0105" if "0,4" in values[0] else "10,5"] * len(NM)
    path = make_raster(tmp_path / "a.tif", wavelengths=values, units=units, fwhm=widths)
    with open_raster(str(path)) as source:
        np.testing.assert_allclose(source.bands.wavelengths.centre_nm, NM, rtol=1e-12)
        assert source.bands.wavelengths.fwhm_nm.tolist() == [10.5] * len(NM)


# --- the length of raw files ----------------------------------------------------------------


def longer(path: Path) -> Path:
    with path.open("ab") as file:
        file.write(b"\0" * 7)
    return path


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("offset", [0, 8])
def test_a_file_longer_than_its_header_is_told(
    interleave: str, offset: int, tmp_path: Path
) -> None:
    data = spectra(dtype="int16")
    path = make_envi(tmp_path / "a.img", data, interleave=interleave, header_offset=offset)
    with open_raster(str(path)) as source:
        assert "longer_than_header" not in [each.code for each in source.problems]
        right = source.read(source.grid.window)
    longer(path)
    with open_raster(str(path)) as source:
        np.testing.assert_array_equal(source.read(source.grid.window), right)
        (problem,) = (each for each in source.problems if each.code == "longer_than_header")
    size = data.nbytes + offset
    assert problem.severity == "warning"
    assert f"a.img has {size + 7} bytes, its header tells of {size}" in problem.message
    assert problem.values == {"bytes": size + 7, "expected": size}


MISFITS = [
    ("header offset = 8", "header offset = 0", "longer_than_header"),
    ("bands = 6", "bands = 5", "longer_than_header"),
    ("lines = 5", "lines = 4", "longer_than_header"),
    ("samples = 7", "samples = 6", "longer_than_header"),
    ("data type = 2", "data type = 1", "bad_scale"),
    ("header offset = 8", "header offset = 9", "unreadable_raster"),
    ("bands = 6", "bands = 7", "unreadable_raster"),
    ("lines = 5", "lines = 6", "unreadable_raster"),
    ("data type = 2", "data type = 4", "unreadable_raster"),
]


@pytest.mark.parametrize(("old", "new", "expected"), MISFITS)
def test_a_header_that_does_not_fit_is_told_or_refused(
    old: str, new: str, expected: str, tmp_path: Path
) -> None:
    path = make_envi(tmp_path / "a.img", spectra(dtype="int16"), header_offset=8)
    header = Path(f"{path}.hdr")
    text = header.read_text()
    assert old in text
    text = text.replace(old, new)
    if old.startswith("bands"):
        count = int(new[-1])
        listed = ", ".join(map(str, range(450, 450 + 10 * count, 10)))
        first, last = text.index("wavelength = {"), text.index("}") + 1
        text = f"{text[:first]}wavelength = {{{listed}}}{text[last:]}"
    header.write_text(text)
    try:
        with open_raster(str(path)) as source:
            found = [each.code for each in source.problems]
    except HyperKDError as error:
        found = [error.code]
    assert expected in found


def test_an_ehdr_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    data = spectra(dtype="int16")
    count, height, width = data.shape
    path = tmp_path / "a.bil"
    path.write_bytes(data.transpose(1, 0, 2).tobytes()[:-1])
    path.with_suffix(".hdr").write_text(
        f"NROWS {height}\nNCOLS {width}\nNBANDS {count}\nNBITS 16\nPIXELTYPE SIGNEDINT\n"
        "LAYOUT BIL\nBYTEORDER I\n"
    )
    with pytest.raises(HyperKDError) as caught:
        open_raster(str(path))
    assert caught.value.code == "unreadable_raster"


# --- the endings of outputs -----------------------------------------------------------------

REFUSED = (
    *(".dat", ".img", ".nc", ".hdr", ".jp2", ".png", ".shp", ".gpkg", ".h5", ".vrt", ".IMG"),
    *(".asc", ".zip", ".json", ".onnx", ".bsq", ".html"),
)


def job_writing(field: Any, kind: str, path: str) -> Any:
    needed = {
        each.name: [each.name] if each.repeated else "x.tif"
        for each in job_fields(JOBS[kind])
        if each.required and each.type is str and each.choices is None
    }
    needed["output" if "output" in needed else field] = "y.tif"
    if kind == "finetune":
        needed.update(output="m.onnx", task="classification")
    return {"protocol": 1, "job": kind, **needed, field: path}


RASTERS = [
    (kind, field.name)
    for kind, job in JOBS.items()
    for field in job_fields(job)
    if field.role == "output_raster"
]


@pytest.mark.parametrize(("kind", "field"), RASTERS)
def test_no_job_writes_a_geotiff_with_another_ending(kind: str, field: str, tmp_path: Path) -> None:
    with pytest.raises(HyperKDError) as caught:
        check_outputs(parse_job(job_writing(field, kind, "map.dat"), str(tmp_path)))
    assert caught.value.code == "bad_job"
    assert "map.dat, but what is written is a GeoTIFF, not ENVI." in caught.value.message
    assert "Name it map.tif" in caught.value.hint


@pytest.mark.parametrize("ending", REFUSED)
def test_an_ending_that_promises_another_format_is_refused(ending: str, tmp_path: Path) -> None:
    with pytest.raises(HyperKDError, match="is a GeoTIFF, not") as caught:
        check_outputs(parse_job(job_writing("output", "embed", f"a{ending}"), str(tmp_path)))
    assert caught.value.code == "bad_job"


@pytest.mark.parametrize("name", ["a.tif", "a.tiff", "a.TIF", "a", "a.gtiff", "scene.2024-05"])
def test_other_endings_are_the_users(name: str, tmp_path: Path) -> None:
    check_outputs(parse_job(job_writing("output", "embed", name), str(tmp_path)))
