"""Rasters that must be refused: each with its code, its words and its hint.

The odd ones that must work exactly so are in test_raster_odd.py.
"""

from __future__ import annotations

import os
import re
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal

from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal import opening, vector_layers
from hyperkd.raster.gdal.local_names import local_sources
from hyperkd.raster.open_raster import open_raster
from tests.factories import WAVELENGTHS_NM, make_envi, make_raster, make_vrt, spectra


@dataclass(frozen=True)
class Bad:
    """A raster that must be refused.

    Attributes:
        name: what is wrong with it.
        make: writes it into a folder and returns its path, or arguments of ``open_raster``.
        code: the code of the refusal.
        says: regular expression of the message.
        hint: regular expression of the hint.
    """

    name: str
    make: Callable[[Path], Any]
    code: str
    says: str
    hint: str


def tif(**knobs: Any) -> Callable[[Path], Path]:
    return lambda folder: make_raster(folder / "scene.tif", **knobs)


def envi(**knobs: Any) -> Callable[[Path], Path]:
    return lambda folder: make_envi(folder / "scene.bsq", **knobs)


def content(name: str, data: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return write


def opened(make: Callable[[Path], Any], **arguments: Any) -> Callable[[Path], Any]:
    return lambda folder: {"path": str(make(folder)), **arguments}


def cut(make: Callable[[Path], Path], share: float) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = make(folder)
        os.truncate(path, int(path.stat().st_size * share))
        return path

    return write


def csv_table(text: str, rows: int = 6) -> Callable[[Path], Any]:
    def write(folder: Path) -> Any:
        table = folder / "bands.csv"
        table.write_text(text)
        return {
            "path": str(make_raster(folder / "scene.tif", wavelengths=None)),
            "bands": str(table),
        }

    return write


def pipe_as_table(folder: Path) -> Any:
    os.mkfifo(folder / "bands.csv")
    path = make_raster(folder / "scene.tif", wavelengths=None)
    return {"path": str(path), "bands": str(folder / "bands.csv")}


def endless_header(folder: Path) -> Path:
    path = make_raster(folder / "scene.tif")
    with (folder / "scene.hdr").open("wb") as file:
        file.truncate(2**26 + 1)
    return path


def lonely_header(folder: Path) -> Path:
    data = make_envi(folder / "scene.bsq")
    data.unlink()
    return Path(f"{data}.hdr")


def vrt_without_source(folder: Path) -> Path:
    source = make_raster(folder / "part.tif")
    vrt = make_vrt(folder / "scene.vrt", [source])
    source.unlink()
    return vrt


def vrt_of(text: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        vrt = make_vrt(folder / "scene.vrt", [make_raster(folder / "part.tif")])
        vrt.write_text(re.sub(r"<SourceFilename.*?</SourceFilename>", text, vrt.read_text()))
        return vrt

    return write


def vrt_of_vrt_on_a_network(folder: Path) -> Path:
    inner = vrt_of("<SourceFilename>/vsicurl/https://example.org/a.tif</SourceFilename>")(folder)
    inner.rename(folder / "inner.vrt")
    return vrt_of('<SourceFilename relativeToVRT="1">inner.vrt</SourceFilename>')(folder)


def container(folder: Path) -> Path:
    path = folder / "product.cdf"
    dataset = gdal.GetDriverByName("netCDF").CreateMultiDimensional(str(path))
    root = dataset.GetRootGroup()
    axes = [root.CreateDimension(name, None, None, 4) for name in ("y", "x")]
    for name in ("reflectance", "quality"):
        array = root.CreateMDArray(name, axes, gdal.ExtendedDataType.Create(gdal.GDT_Float32))
        array.Write(np.ones((4, 4), np.float32))
        del array
    del axes, root, dataset
    return path


def enmap_level_1c(folder: Path) -> Path:
    stem = "ENMAP01-____L1C-DT0000001867_20220724T104526Z_008_V010302_20230101T000000Z"
    (folder / f"{stem}-METADATA.XML").write_text(
        "<level_X><base><level>L1C</level></base></level_X>"
    )
    return make_raster(folder / f"{stem}-SPECTRAL_IMAGE.TIF", wavelengths=None, units=None)


def with_dtype(dtype: str, low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 6 * 5 * 7).reshape(6, 5, 7).astype(dtype)


SIX = list(WAVELENGTHS_NM)
NO_UNIT = {"units": None}
WRITE_METADATA = "band table as CSV"

BAD = [
    # the file
    Bad(
        "no such file",
        lambda f: f / "gone.tif",
        "unreadable_raster",
        r"There is no file .*gone\.tif",
        "Check the path",
    ),
    Bad(
        "a folder",
        lambda f: f,
        "bad_product",
        "is not a product that HyperKD knows",
        "folder, archive or image",
    ),
    Bad(
        "a folder with a band table",
        lambda f: {"path": str(f), "bands": "bands.csv"},
        "unreadable_raster",
        "is a folder, not a raster",
        "hyperkd import",
    ),
    Bad(
        "0 bytes",
        content("scene.tif", b""),
        "empty_raster",
        "empty file of 0 bytes",
        "download it again",
    ),
    Bad(
        "a text file",
        content("scene.tif", b"hello"),
        "unreadable_raster",
        "not recognized",
        "format GDAL reads",
    ),
    Bad(
        "random bytes after a TIFF header",
        content("scene.tif", b"II*\x00" + bytes(range(64))),
        "unreadable_raster",
        "cannot be opened",
        "Check the path",
    ),
    Bad(
        "half a GeoTIFF",
        cut(tif(data=spectra(64, 40, 40), wavelengths=list(np.linspace(400, 2400, 64))), 0.5),
        "unreadable_raster",
        r"cannot be read at column 0, row 0 \(40 x 40 pixels\)",
        "cut short",
    ),
    Bad(
        "a GeoTIFF cut in its header",
        cut(tif(), 0.01),
        "unreadable_raster",
        "cannot be opened",
        "complete raster",
    ),
    Bad(
        "half an ENVI file",
        cut(envi(), 0.5),
        "unreadable_raster",
        "has 210 bytes, its header promises 420",
        "cut short",
    ),
    Bad(
        "an ENVI file shorter by its offset",
        cut(envi(header_offset=8), 0.99),
        "unreadable_raster",
        "has 423 bytes, its header promises 428",
        "cut short",
    ),
    Bad(
        "an ENVI header without data",
        lonely_header,
        "unreadable_raster",
        "is a header, and there is no data file",
        "holds the pixels",
    ),
    Bad(
        "a VRT with a missing source",
        vrt_without_source,
        "unreadable_raster",
        r"scene.vrt cannot be read .*part.tif",
        "refers to is missing",
    ),
    Bad(
        "a VRT that is no XML",
        content("scene.vrt", b"<VRTDataset rasterXSize="),
        "unreadable_raster",
        "cannot be opened",
        "complete raster",
    ),
    Bad(
        "a web address",
        lambda f: "https://example.org/scene.tif",
        "unsupported_raster",
        r"lies on a network \(https:\)",
        "download the raster first",
    ),
    Bad(
        "a virtual network file",
        lambda f: "/vsicurl/https://example.org/scene.tif",
        "unsupported_raster",
        r"network \(/vsicurl\)",
        "local files only",
    ),
    Bad(
        "a zip on a network",
        lambda f: "/vsizip//vsis3/bucket/scene.zip/scene.tif",
        "unsupported_raster",
        r"network \(/vsis3\)",
        "local files only",
    ),
    Bad(
        "a VRT over a network file",
        vrt_of("<SourceFilename>/vsicurl/https://example.org/a.tif</SourceFilename>"),
        "unsupported_raster",
        r"scene.vrt lies on a network",
        "download",
    ),
    Bad(
        "a VRT over a VRT over a network file",
        vrt_of_vrt_on_a_network,
        "unsupported_raster",
        r"inner.vrt lies on a network",
        "download",
    ),
    Bad(
        "a web map service",
        content("map.xml", b"<GDAL_WMS><Service name='TMS'/></GDAL_WMS>"),
        "unsupported_raster",
        "network \\(<GDAL_WMS\\)",
        "download",
    ),
    Bad(
        "a container of rasters",
        container,
        "unsupported_raster",
        "container of 2 rasters",
        "Give one of its parts",
    ),
    Bad(
        "complex numbers",
        tif(data=spectra(dtype="float32").astype("complex64"), nodata=None),
        "unsupported_raster",
        "values of the type CFloat32",
        "real numbers",
    ),
    Bad(
        "a colour table",
        tif(data=np.ones((1, 5, 7), np.uint8), wavelengths=[550], palette=True, nodata=None),
        "unsupported_raster",
        "colour table",
        "hyperspectral raster itself",
    ),
    # no wavelengths
    Bad(
        "no wavelengths",
        tif(wavelengths=None),
        "no_wavelengths",
        r"scene.tif \(6 bands of int16\) says no wavelengths\.",
        WRITE_METADATA,
    ),
    Bad(
        "a photograph",
        tif(
            data=np.ones((3, 5, 7), np.uint8),
            wavelengths=None,
            scale=None,
            nodata=None,
            options=["PHOTOMETRIC=RGB"],
        ),
        "no_wavelengths",
        r"\(3 bands of uint8\)",
        "name the sensor",
    ),
    Bad(
        "a mask of bytes",
        tif(data=np.ones((1, 5, 7), np.uint8), wavelengths=None, scale=None, nodata=None),
        "no_wavelengths",
        r"\(1 band of uint8\)",
        "name the sensor",
    ),
    Bad(
        "a list for another band count",
        tif(where="dataset", wavelengths=None, metadata={"": {"wavelength": "{450, 550}"}}),
        "no_wavelengths",
        "'wavelength' has 2 values for 6 bands and is ignored",
        WRITE_METADATA,
    ),
    Bad(
        "stale Band_N items alone",
        tif(
            wavelengths=None,
            metadata={"": {f"Band_{n}": f"{n}00 Nanometers" for n in range(4, 10)}},
        ),
        "no_wavelengths",
        "says no wavelengths",
        WRITE_METADATA,
    ),
    Bad(
        "one description lacks a number",
        tif(
            wavelengths=None,
            descriptions=[
                "B1 (450 nm)",
                "B2 (550 nm)",
                "NDVI",
                "B4 (860 nm)",
                "B5 (1600 nm)",
                "B6 (2200 nm)",
            ],
        ),
        "no_wavelengths",
        "says no wavelengths",
        WRITE_METADATA,
    ),
    Bad(
        "a band without wavelength",
        tif(wavelengths=[450, 550, None, 860, None, 2200]),
        "no_wavelengths",
        r"2 of 6 bands have no wavelength \(band metadata 'wavelength'\): bands 3, 5\.",
        "bbl = 0",
    ),
    Bad(
        "all wavelengths 0",
        tif(wavelengths=0),
        "no_wavelengths",
        "No band has a usable wavelength: all band metadata 'wavelength' are 0",
        WRITE_METADATA,
    ),
    # wrong wavelengths
    Bad(
        "a wavelength of 0",
        tif(wavelengths=[450, 0, 650, 860, 1600, 2200]),
        "bad_wavelengths",
        r"'wavelength' has band 2: 0\.",
        "bbl = 0",
    ),
    Bad(
        "a wavelength of NaN",
        tif(wavelengths=[450, 550, "nan", 860, 1600, 2200]),
        "bad_wavelengths",
        "band 3: nan",
        "bbl = 0",
    ),
    Bad(
        "a negative wavelength",
        tif(wavelengths=[450, 550, 650, -860, 1600, 2200]),
        "bad_wavelengths",
        "band 4: -860",
        "Correct the band metadata",
    ),
    Bad(
        "an infinite wavelength",
        tif(wavelengths=[450, 550, 650, 860, 1600, "inf"]),
        "bad_wavelengths",
        "band 6: inf",
        "Correct the band metadata",
    ),
    Bad(
        "a word for a wavelength",
        tif(wavelengths=[450, "green", 650, 860, 1600, 2200]),
        "bad_wavelengths",
        "of band 2 is 'green', which is not a number",
        "plain numbers",
    ),
    Bad(
        "two decimal commas",
        tif(wavelengths=["1,450,5", 550, 650, 860, 1600, 2200]),
        "bad_wavelengths",
        "of band 1 is '1,450,5', which is not a number",
        "decimal point",
    ),
    Bad(
        "the same wavelength everywhere",
        tif(wavelengths=550),
        "bad_wavelengths",
        "All 6 bands have the wavelength 550 nm",
        "Correct the band metadata",
    ),
    Bad(
        "band numbers for wavelengths",
        tif(wavelengths=[1, 2, 3, 4, 5, 6], **NO_UNIT),
        "bad_wavelengths",
        r"1, 2, \.\.\. 6: band numbers",
        WRITE_METADATA,
    ),
    # units
    Bad(
        "wavenumbers",
        tif(wavelengths=[22000, 18000, 15000, 11000, 6250, 4545], units="cm-1"),
        "bad_units",
        "unit 'cm-1' is not supported",
        "nanometres or micrometres",
    ),
    Bad(
        "frequencies",
        envi(units="GHz"),
        "bad_units",
        "unit 'GHz' is not supported",
        "nanometres or micrometres",
    ),
    Bad(
        "an index for a unit",
        envi(units="Index"),
        "bad_units",
        "unit 'Index' is not supported",
        "nanometres or micrometres",
    ),
    Bad(
        "micrometres called nanometres",
        tif(wavelengths=[0.45, 0.55, 0.65, 0.86, 1.6, 2.2]),
        "bad_units",
        r"are 0\.45 to 2\.2 nanometres, outside 100 to 20000 nm",
        "State the right unit",
    ),
    Bad(
        "nanometres called micrometres",
        tif(units="Micrometers"),
        "bad_units",
        "are 450 to 2200 micrometres, outside",
        "State the right unit",
    ),
    Bad(
        "two units",
        tif(wavelengths=[450, 550, 650, 0.86, 1.6, 2.2], units=["nm"] * 3 + ["um"] * 3),
        "bad_units",
        "mixes nanometres and micrometres",
        "one unit",
    ),
    Bad(
        "a text against the stated unit",
        tif(wavelengths=["0.45 um", "0.55 um", "0.65 um", "0.86 um", "1.6 um", "2.2 um"]),
        "bad_units",
        "mixes nanometres and micrometres",
        "one unit",
    ),
    Bad(
        "two units that nobody states",
        tif(wavelengths=[0.45, 0.55, 0.65, 860, 1600, 2200], **NO_UNIT),
        "bad_units",
        r"are 0\.45 to 2200 without a unit",
        "State the right unit",
    ),
    Bad(
        "picometres that nobody states",
        tif(wavelengths=[value * 1000 for value in SIX], **NO_UNIT),
        "bad_units",
        r"450000 to 2\.2e\+06 without a unit",
        "State the right unit",
    ),
    # scale
    Bad(
        "a scale of 0",
        tif(scale=0),
        "bad_scale",
        r"Band 1 has the scale 0 \(band scale and offset\)",
        "cannot be 0",
    ),
    Bad(
        "a scale of 0 in one band",
        tif(scale=[1e-4, 1e-4, 0, 1e-4, 1e-4, 1e-4]),
        "bad_scale",
        "Band 3 has the scale 0",
        "cannot be 0",
    ),
    Bad("a scale of NaN", tif(scale="nan"), "bad_scale", "Band 1 has the scale nan", "cannot be 0"),
    Bad(
        "a scale in some bands only",
        tif(scale=[1e-4, None, 1e-4, 1e-4, 1, None]),
        "bad_scale",
        "3 bands have a band scale, but 3 do not: bands 2, 5-6",
        "every band",
    ),
    Bad(
        "a reflectance scale factor of 0",
        envi(header="reflectance scale factor = 0"),
        "bad_scale",
        "has the scale inf",
        "cannot be 0",
    ),
    Bad(
        "scaled twice",
        tif(data=spectra(dtype="float32", unit=1.0)),
        "bad_scale",
        r"scale 0\.0001 \(band scale and offset\) reflectance would be 99th percentile 4\.4\S+, "
        r"in the median band 2\.8\d+e-05, but 0\.005 to 1\.6 is plausible: .*scaled already",
        "gdal_edit.py -scale",
    ),
    Bad(
        "a scale 100 times too large",
        tif(scale=0.01),
        "bad_scale",
        r"would be 99th percentile 44\.4\d+, in the median band 28\.\d+, .*: .*percent or",
        "gdal_edit.py -scale",
    ),
    Bad(
        "percent that nobody states",
        tif(data=spectra(dtype="float32", unit=0.01), scale=None),
        "bad_scale",
        r"float32 values \(99th percentile 44\.4\d+, in the median band 28\.\d+\) fit neither",
        "percent, radiance",
    ),
    Bad(
        "16 bits that nobody scales",
        tif(data=with_dtype("uint16", 2000, 60000), scale=None, nodata=0),
        "bad_scale",
        r"uint16 values \(99th percentile 59419\.1, in the median band 35",
        "Give the scale",
    ),
    Bad(
        "bytes that nobody scales",
        tif(data=with_dtype("uint8", 1, 250), scale=None, nodata=None),
        "bad_scale",
        "uint8 values",
        "Give the scale",
    ),
    Bad(
        "integers in the range of percent",
        tif(data=with_dtype("int16", 2, 90), scale=None),
        "bad_scale",
        "int16 values",
        "Give the scale",
    ),
    Bad(
        "floats far too dark",
        tif(data=with_dtype("float32", 1e-5, 1e-3), scale=None),
        "bad_scale",
        "fit neither",
        "Give the scale",
    ),
    Bad(
        "radiance by its unit",
        tif(unit_type="W/m2/sr/um"),
        "bad_scale",
        r"Band 1 has the unit 'W/m2/sr/um': radiance",
        "Level 2A",
    ),
    Bad(
        "a user's scale of 0",
        opened(tif(), scale=0.0),
        "bad_scale",
        "given scale 0 .*cannot be used",
        "0.0001",
    ),
    Bad("an EnMAP image of Level 1C", enmap_level_1c, "bad_product", "level L1C", "L2A"),
    # pixels
    Bad(
        "all nodata and no scale",
        tif(data=np.full((6, 5, 7), -32768, np.int16), scale=None),
        "no_valid_pixels",
        "declares no scale, and the raster holds no value but nodata",
        "give the scale",
    ),
    Bad(
        "all 0 and no scale",
        tif(data=np.zeros((6, 5, 7), np.int16), scale=None),
        "no_valid_pixels",
        "no value but 0",
        "Check the raster",
    ),
    Bad(
        "every band flagged bad",
        tif(bbl=0),
        "no_valid_pixels",
        r"All 6 bands are flagged bad \(band metadata 'bbl'\)",
        "1 for a good band",
    ),
    # the user's band table
    Bad(
        "a table without wavelengths",
        csv_table("band,name\n1,a\n"),
        "bad_wavelengths",
        "no column of wavelengths; its columns: band, name",
        "wavelength_nm",
    ),
    Bad("an empty table", csv_table(""), "bad_wavelengths", "its columns: none", "wavelength_nm"),
    Bad(
        "a table of other bands",
        csv_table("wavelength_nm\n450\n550\n"),
        "band_mismatch",
        "band table bands.csv describes 2 bands, the raster has 6",
        "in their order",
    ),
    Bad(
        "a table that is not there",
        opened(tif(), bands="gone.csv"),
        "bad_wavelengths",
        "band table gone.csv cannot be read",
        "one row per band",
    ),
    Bad(
        "a table that is a picture",
        lambda f: {
            "path": str(make_raster(f / "scene.tif")),
            "bands": str(content("b.csv", b"\x89PNG\xff\xfe")(f)),
        },
        "bad_wavelengths",
        "b.csv cannot be read",
        "one row per band",
    ),
    Bad(
        "a pipe as a table",
        pipe_as_table,
        "bad_wavelengths",
        r"band table bands\.csv cannot be read: .*it is not a regular file",
        "one row per band",
    ),
    Bad(
        "an endless header beside it",
        endless_header,
        "unreadable_raster",
        # GDAL 3.13 reads the header too, and less of it.
        r"scene\.hdr, which describes the bands of the raster beside it, cannot be read: "
        r"it is longer than 67108864 bytes|scene\.tif cannot be understood: Maximum number of char",
        "move it to another folder|",
    ),
    Bad(
        "a word in a table",
        csv_table("wavelength_nm\n450\n550\nred\n860\n1600\n2200\n"),
        "bad_wavelengths",
        "band table bands.csv of band 3 is 'red'",
        "plain numbers",
    ),
]


def arguments(made: Any) -> dict[str, Any]:
    return made if isinstance(made, dict) else {"path": str(made)}


@pytest.mark.parametrize("bad", BAD, ids=[bad.name for bad in BAD])
def test_refused(bad: Bad, tmp_path: Path) -> None:
    made = arguments(bad.make(tmp_path))
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(HyperKDError) as caught:
        open_raster(**made).close()
    assert (caught.value.code, bool(re.search(bad.says, caught.value.message))) == (
        bad.code,
        True,
    ), caught.value.message
    assert re.search(bad.hint, caught.value.hint), caught.value.hint
    assert re.search(r"[^.]\.$", caught.value.message), caught.value.message
    after = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert after == before, "a refusal leaves the folder as it was"


def test_names_are_distinct() -> None:
    assert len({bad.name for bad in BAD}) == len(BAD) >= 60


def test_a_file_that_grows_while_it_is_read_is_told(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "scene.tif")
    with open_raster(str(path)) as source:
        source.check_unchanged()
        size = path.stat().st_size
        with path.open("ab") as file:
            file.write(b"more")
        with pytest.raises(
            HyperKDError, match=f"{size} bytes when it was opened, {size + 4} now"
        ) as caught:
            source.check_unchanged()
    assert caught.value.code == "input_changed"
    assert "has finished" in caught.value.hint


def test_a_file_rewritten_at_the_same_size_is_told(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "scene.tif")
    with open_raster(str(path)) as source:
        os.utime(path, ns=(1, 1))
        with pytest.raises(HyperKDError, match="changed while it was read") as caught:
            source.check_unchanged()
    assert caught.value.code == "input_changed"


def test_a_file_cut_while_it_is_read_is_no_damage_but_a_change(tmp_path: Path) -> None:
    path = make_raster(
        tmp_path / "scene.tif",
        spectra(6, 400, 100),
        options=["TILED=NO", "BLOCKYSIZE=1"],
    )
    with open_raster(str(path)) as source:
        gdal.SetCacheMax(gdal.GetCacheMax())
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(HyperKDError, match="changed while it was read") as caught:
            source.read(source.grid.window)
    assert caught.value.code == "input_changed"


def test_a_source_of_a_vrt_that_vanishes_is_told(tmp_path: Path) -> None:
    part = make_raster(tmp_path / "part.tif")
    with open_raster(str(make_vrt(tmp_path / "scene.vrt", [part]))) as source:
        part.unlink()
        with pytest.raises(HyperKDError, match="part.tif changed .* it is gone") as caught:
            source.check_unchanged()
    assert caught.value.code == "input_changed"


def test_an_archive_that_changes_is_told(tmp_path: Path) -> None:
    make_raster(tmp_path / "scene.tif")
    archive = tmp_path / "scenes.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(tmp_path / "scene.tif", "scene.tif")
    for path in (f"/vsizip/{archive}/scene.tif", f"/vsizip/{{{archive}}}/scene.tif"):
        with open_raster(path) as source:
            source.check_unchanged()
            os.utime(archive, ns=(1, archive.stat().st_mtime_ns + 1))
            with pytest.raises(HyperKDError, match="scenes.zip changed") as caught:
                source.check_unchanged()
        assert caught.value.code == "input_changed"


def test_without_gdal_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("hyperkd.raster.gdal.reader")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "osgeo", None)
    with pytest.raises(HyperKDError, match="This Python has no GDAL bindings") as caught:
        open_raster("scene.tif")
    assert caught.value.code == "missing_dependency"
    assert "python3-gdal" in caught.value.hint


def test_what_gdal_says_late_of_a_damaged_file_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks at an .aux.xml when first asked for metadata; found by fuzzing."""
    path = make_raster(tmp_path / "scene.tif")

    def asked_first(*_: Any) -> None:
        raise RuntimeError("PROJ: proj_create_from_database: crs not found")

    monkeypatch.setattr(opening, "_require_bands", asked_first)
    with pytest.raises(HyperKDError, match="cannot be understood: PROJ: .*crs not found") as error:
        open_raster(str(path))
    assert error.value.code == "unreadable_raster"


@pytest.mark.parametrize(
    "numbers", ["0, 0, 0, 0, 0, 0", "3, 30, 60, 5, 15, 30", "3, 0, 0, 5, 0, -30"]
)
def test_pixels_without_an_area_are_refused(tmp_path: Path, numbers: str) -> None:
    path = make_raster(tmp_path / "scene.tif")
    beside = tmp_path / "scene.tif.aux.xml"
    beside.write_text(f"<PAMDataset><GeoTransform>{numbers}</GeoTransform></PAMDataset>")
    with pytest.raises(HyperKDError, match="gives pixels without an area") as error:
        open_raster(str(path))
    assert error.value.code == "unreadable_raster"


@pytest.mark.parametrize("ending", [".vrt", ".tif.aux.xml"])
def test_names_that_cannot_be_checked_are_refused(tmp_path: Path, ending: str) -> None:
    path = make_raster(tmp_path / "scene.tif")
    text = "<VRTDataset><SourceFilename><![CDATA[ü.vrt]]></SourceFilename></VRTDataset>"
    chosen = tmp_path / f"scene{ending}"
    chosen.write_text(text, encoding="utf-8")
    with pytest.raises(HyperKDError, match="cannot be checked") as error:
        open_raster(str(chosen if ending == ".vrt" else path))
    assert error.value.code == "unsupported_raster"


@pytest.mark.parametrize("name", ["größe", "scène µ"])
def test_names_beyond_ascii_in_a_mosaic_are_followed(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    path = make_vrt(folder / "scene.vrt", [make_raster(folder / f"{name}.tif")])
    assert local_sources(str(path))[1:] == [str(folder / f"{name}.tif")]


@pytest.mark.parametrize("text", ["<a><µm/></a>", '<a µ="1"/>', "<a b=1µm>x</a>", "<a>x</µm>"])
def test_half_a_letter_in_a_complaint_of_gdal_leaves_nothing_behind(
    tmp_path: Path, text: str
) -> None:
    path = make_raster(tmp_path / "scene.tif")
    (tmp_path / "scene.tif.aux.xml").write_text(f"<PAMDataset>{text}</PAMDataset>", "utf-8")
    found = local_sources(str(path))
    assert (found, sys.exc_info()) == ([str(path)], (None, None, None))


@pytest.mark.parametrize("module", [opening, vector_layers])
def test_a_complaint_of_gdal_that_is_not_utf8_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any
) -> None:
    """Newer bindings raise Python's error about the message; found by fuzzing with GDAL 3.10."""
    path = make_raster(tmp_path / "scene.tif")

    def complain(*_: Any, **__: Any) -> None:
        b"\xed\x9f".decode()

    monkeypatch.setattr(module.gdal, "OpenEx", complain)
    if module is vector_layers:
        assert not vector_layers.is_vector(str(path))
        return
    with pytest.raises(HyperKDError, match="cannot be opened as a raster") as error:
        open_raster(str(path))
    assert error.value.code == "unreadable_raster"
