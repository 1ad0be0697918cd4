"""Spectral libraries: exact values of each format, and what cannot be used refused with words.

The files are written here by the public descriptions of their formats; an ENVI library is also
written by SPy, which knows nothing of our reader.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.spectral.libraries.library import Library
from hyperkd.spectral.libraries.read_library import read_library, split_name
from hyperkd.spectral.libraries.resampled_library import at_bands
from hyperkd.spectral.responses import SIGMA_PER_FWHM
from hyperkd.spectral.sensors import sensor_bands
from hyperkd.types import Wavelengths

NM = [450.0, 550.0, 650.0, 860.0]
CLAY, SAND = [0.1, 0.2, 0.3, 0.4], [0.5, 0.4, 0.3, 0.2]
NAN = math.nan


def values_of(library: Library, number: int = 0) -> list[float]:
    return library.spectra[number].values.tolist()


def nm_of(library: Library, number: int = 0) -> list[float]:
    return library.spectra[number].wavelengths.centre_nm.tolist()


# --- ENVI --------------------------------------------------------------------------------


def write_envi(
    folder: Path,
    spectra: Sequence[Sequence[float]] = (CLAY, SAND),
    dtype: str = "<f4",
    **changes: Optional[str],
) -> Path:
    """Write a library and its header; ``changes`` replace items, None leaves them out."""
    matrix = np.array(spectra, dtype)
    numbers = {"u1": 1, "i2": 2, "i4": 3, "f4": 4, "f8": 5, "u2": 12}
    items = {
        "samples": str(matrix.shape[1]),
        "lines": str(matrix.shape[0]),
        "bands": "1",
        "header offset": "0",
        "file type": "ENVI Spectral Library",
        "data type": str(numbers[dtype.lstrip("<>")]),
        "interleave": "bsq",
        "byte order": "1" if dtype[0] == ">" else "0",
        "wavelength units": "Nanometers",
        "spectra names": "{clay, sand}",
        "wavelength": "{450, 550,\n 650, 860}",
        **{name.replace("_", " "): text for name, text in changes.items()},
    }
    lines = [f"{name} = {text}" for name, text in items.items() if text is not None]
    (folder / "lib.hdr").write_text("\n".join(["ENVI", *lines, ""]))
    (folder / "lib.sli").write_bytes(matrix.tobytes())
    return folder / "lib.sli"


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8"])
def test_an_envi_library_in_either_byte_order(tmp_path: Path, dtype: str) -> None:
    path = write_envi(tmp_path, dtype=dtype)
    for name in (path, tmp_path / "lib.hdr"):
        library = read_library(str(name))
        assert library.names == ("clay", "sand")
        assert nm_of(library) == NM
        expected = np.array([CLAY, SAND], dtype).astype(float).tolist()
        assert [values_of(library, 0), values_of(library, 1)] == expected


def test_an_envi_library_in_whole_numbers_micrometers_and_with_bad_bands(tmp_path: Path) -> None:
    path = write_envi(
        tmp_path,
        [[1000, 2000, 3000, 4000], [5000, 4000, -9999, 2000]],
        "<i2",
        reflectance_scale_factor="10000",
        wavelength_units="Micrometers",
        wavelength="{0.45, 0.55, 0.65, 0.86}",
        fwhm="{0.01, 0.01, 0.01, 0.02}",
        data_ignore_value="-9999",
        bbl="{1, 0, 1, 1}",
    )
    library = read_library(str(path))
    np.testing.assert_allclose(values_of(library), [0.1, NAN, 0.3, 0.4], rtol=1e-15)
    np.testing.assert_allclose(values_of(library, 1), [0.5, NAN, NAN, 0.2], rtol=1e-15)
    np.testing.assert_allclose(nm_of(library), NM, rtol=1e-15)
    fwhm = library.spectra[0].wavelengths.fwhm_nm
    assert fwhm is not None
    np.testing.assert_allclose(fwhm, [10, 10, 10, 20], rtol=1e-13)
    assert library.notes == ("2 spectra lack some values.",)


def test_what_spy_writes_is_read(tmp_path: Path) -> None:
    spy = pytest.importorskip("spectral", reason="SPy is in the extra dev")
    envi = pytest.importorskip("spectral.io.envi")
    data = np.random.default_rng(0).random((5, 30)).astype(np.float32)
    centres = np.linspace(400.0, 2400.0, 30)
    header = {
        "spectra names": [f"s {i}" for i in range(5)],
        "wavelength": [f"{x:.6f}" for x in centres],
        "wavelength units": "nm",
    }
    written = envi.SpectralLibrary(data, header, [])
    written.save(str(tmp_path / "spy"))
    library = read_library(str(tmp_path / "spy.sli"))
    oracle = spy.open_image(str(tmp_path / "spy.hdr"))
    assert list(library.names) == list(oracle.names)
    np.testing.assert_array_equal([each.values for each in library.spectra], oracle.spectra)
    np.testing.assert_allclose(nm_of(library), centres, atol=1e-6)


# --- tables ------------------------------------------------------------------------------


COLUMNS = {
    "commas": "wavelength_nm,clay,sand\n450,.1,.5\n550,.2,.4\n650,.3,.3\n860,.4,.2\n",
    "tabs": "Wavelength\tclay\tsand\n450\t.1\t.5\n550\t.2\t.4\n650\t.3\t.3\n860\t.4\t.2\n",
    "micrometers": "wl [um],clay,sand\n.45,.1,.5\n.55,.2,.4\n.65,.3,.3\n.86,.4,.2\n",
    "decimal commas": "nm;clay;sand\n450;0,1;0,5\n550;0,2;0,4\n650;0,3;0,3\n860;0,4;0,2\n",
    "blanks": "Wavelength (nm) clay sand\n450 .1 .5\n550 .2 .4\n650 .3 .3\n860 .4 .2\n",
    "a BOM and CRLF": "\ufeffnm,clay,sand\r\n450,.1,.5\r\n550,.2,.4\r\n650,.3,.3\r\n860,.4,.2",
    "percent": "nm,clay (%),sand (%)\n450,10,50\n550,20,40\n650,30,30\n860,40,20\n",
    "x 10000": "nm,clay,sand\n450,1000,5000\n550,2000,4000\n650,3000,3000\n860,4000,2000\n",
    "descending": "nm,clay,sand\n860,.4,.2\n650,.3,.3\n550,.2,.4\n450,.1,.5\n",
    "rows": "name,450,550,650,860\nclay,.1,.2,.3,.4\nsand,.5,.4,.3,.2\n",
    "rows with units": "id,at,450 nm,550 nm,650 nm,860 nm\nclay,a,.1,.2,.3,.4\nsand,b,.5,.4,.3,.2",
    "rows with prefixes": "X450,X550,X650,X860,name\n.1,.2,.3,.4,clay\n.5,.4,.3,.2,sand\n",
    "rows in micrometers": "name,0.45um,0.55um,0.65um,0.86um\nclay,.1,.2,.3,.4\nsand,.5,.4,.3,.2\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_table_in_each_layout(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "lib.csv"
    path.write_bytes(COLUMNS[kind].encode("utf-8"))
    library = read_library(str(path))
    order = np.argsort(nm_of(library))
    np.testing.assert_allclose(np.array(nm_of(library))[order], NM, rtol=1e-13)
    for number, expected in enumerate((CLAY, SAND)):
        found = np.array(values_of(library, number))[order]
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert [name.split(" ")[0] for name in library.names] == ["clay", "sand"]


def test_what_was_inferred_of_a_table_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lib.csv"
    path.write_text("wavelength,clay\n450,1000\n550,\n650,nan\n860,4000\n")
    library = read_library(str(path))
    np.testing.assert_allclose(values_of(library), [0.1, NAN, NAN, 0.4], rtol=1e-15)
    assert library.notes == (
        "Values were taken as reflectance x 10000; bright ones are 3.7e+03.",
        "The wavelengths have no unit; 450 to 860 were taken as nanometers.",
        "1 spectrum lacks some values.",
    )


def test_a_table_without_header_and_a_scale_that_the_user_gives(tmp_path: Path) -> None:
    path = tmp_path / "gravel.txt"
    path.write_text("450 10\n550 20\n650 30\n860 40\n")
    with pytest.raises(HyperKDError, match=r"does not say the unit of its values.* \(37\) fit"):
        read_library(str(path))
    library = read_library(str(path), scale=0.01)
    assert library.names == ("gravel",)
    np.testing.assert_allclose(values_of(library), CLAY, rtol=1e-13)


def test_asd_text_with_its_preamble(tmp_path: Path) -> None:
    lines = [
        "",
        "Text conversion of header file C:\\data\\soil00000.asd",
        "-" * 60,
        "",
        "The instrument number was 16006/1",
        "New ASD spectrum file: Program version = 6.00 file version = 6.00",
        "Spectrum saved: 04/10/2019 at 11:54:31",
        "Channel 1 wavelength = 350 wavelength step = 1",
        "xmin = 350 xmax= 2500",
        "",
        "Wavelength\tsoil00000.asd",
        *(f"{nm}\t{0.1 + nm * 1e-4:.6f}" for nm in range(350, 2501)),
    ]
    path = tmp_path / "soil.txt"
    path.write_text("\r\n".join(lines))
    library = read_library(str(path))
    assert (library.format, library.names) == ("ASD text", ("soil00000.asd",))
    assert nm_of(library) == [float(nm) for nm in range(350, 2501)]
    np.testing.assert_allclose(values_of(library)[::1000], [0.135, 0.235, 0.335], rtol=1e-12)


# --- spectrometers and public libraries ---------------------------------------------------


def test_a_signature_of_svc(tmp_path: Path) -> None:
    path = tmp_path / "gr0410_0012.sig"
    path.write_text(
        "/*** Spectra Vista SIG Data ***/\n"
        "name= D:\\field\\gr0410_0012.sig\n"
        "instrument= HI: 1172058 (HR-1024i)\n"
        "units= Radiance, Radiance\n"
        "data= \n"
        "450.0  1000.00  100.00  10.0000\n"
        "550.0  1000.00  200.00  20.0000\n"
        "650.0  1000.00  300.00  30.0000\n"
    )
    library = read_library(str(path))
    assert library.names == ("gr0410_0012",)
    assert nm_of(library) == NM[:3]
    np.testing.assert_allclose(values_of(library), CLAY[:3], rtol=1e-15)


ECOSTRESS = """Name: Quercus douglasii
Type: vegetation
Wavelength Range: VSWIR
Measurement: Bidirectional reflectance
First Column: X
Second Column: Y
X Units: Wavelength (micrometers)
Y Units: Reflectance (percentage)
First X Value: 0.45
Last X Value: 0.65
Number of X Values: 3
Additional Information: none

 0.4500\t 10.0
 0.5500\t 20.0
 0.6500\t 30.0
"""


def test_a_signature_of_a_german_computer_with_noise_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "de.sig"
    path.write_text(
        "/*** Spectra Vista SIG Data ***/\nname= 250527.sig\ndata= \n"
        "450,0  93,65  5,85  6,25\n550,0  93,65  5,85  12,50\n650,0  1,00  0,00  -2122,00\n"
    )
    library = read_library(str(path))
    np.testing.assert_allclose(values_of(library), [0.0625, 0.125, NAN], rtol=1e-15)
    assert nm_of(library) == NM[:3]
    assert library.notes[0] == "Values beyond -0.3 to 3.2 are no reflectance and were left out."


def test_a_table_beside_an_envi_library_is_a_table(tmp_path: Path) -> None:
    write_envi(tmp_path)
    (tmp_path / "lib.csv").write_text("nm,loam\n450,.1\n550,.2\n")
    assert read_library(str(tmp_path / "lib.csv")).names == ("loam",)


def test_numbers_in_the_titles_of_other_columns_are_no_wavelengths(tmp_path: Path) -> None:
    path = tmp_path / "lib.csv"
    path.write_text("plot 1,date,name,450,550,650\n7,7/28/2010,clay,.1,.2,.3\n")
    library = read_library(str(path))
    assert (library.names, nm_of(library)) == (("clay",), NM[:3])


def test_a_text_of_ecostress(tmp_path: Path) -> None:
    path = tmp_path / "oak.spectrum.txt"
    path.write_text(ECOSTRESS)
    library = read_library(str(path))
    assert library.names == ("Quercus douglasii",)
    np.testing.assert_allclose(nm_of(library), NM[:3], rtol=1e-13)
    np.testing.assert_allclose(values_of(library), CLAY[:3], rtol=1e-13)
    assert library.notes == ()


def write_usgs(folder: Path, *, count: int = 4, tag: str = "ASDFRa") -> Path:
    for name, centres in (
        ("splib07a_Wavelengths_ASD_0.35-2.5_microns_2151_ch.txt", [0.45, 0.55, 0.65, 0.86]),
        ("splib07a_Wavelengths_BECK_Beckman_0.2-3.0_microns.txt", [0.5, 0.6, 0.7, 0.8]),
    ):
        text = "".join(f" {x:.6e}\n" for x in centres)
        (folder / name).write_text(f" splib07a Record=1: Wavelengths\n{text}")
    chapter = folder / "ChapterM_Minerals"
    chapter.mkdir()
    path = chapter / f"splib07a_Kaolinite_CM5_{tag}_AREF.txt"
    values = [0.1, -1.23e34, 0.3, 0.4][:count]
    text = "".join(f" {x:.7e}\n" for x in values)
    path.write_text(f" splib07a Record=5932: Kaolinite CM5         {tag} AREF\n{text}")
    return path


@pytest.mark.parametrize(
    ("tag", "expected"), [("ASDFRa", NM), ("BECKb", [500.0, 600.0, 700.0, 800.0])]
)
def test_a_file_of_usgs_takes_the_wavelengths_of_its_spectrometer(
    tmp_path: Path, tag: str, expected: list[float]
) -> None:
    library = read_library(str(write_usgs(tmp_path, tag=tag)))
    assert library.names == ("Kaolinite CM5",)
    np.testing.assert_allclose(nm_of(library), expected, rtol=1e-13)
    np.testing.assert_array_equal(values_of(library), [0.1, NAN, 0.3, 0.4])


# --- EnMAP-Box ---------------------------------------------------------------------------


def profile(values: Sequence[Any] = CLAY, **changes: Any) -> dict[str, Any]:
    made = {"x": NM, "y": list(values), "xUnit": "nanometers", "yUnit": "reflectance", **changes}
    return {key: value for key, value in made.items() if value is not None}


def write_geopackage(
    path: Path, rows: Sequence[tuple[Optional[str], Any]], declared: str = "TEXT"
) -> Path:
    """Write a layer of profiles as GDAL lays it out, with what a reader needs."""
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE gpkg_contents (table_name TEXT, data_type TEXT)")
        database.execute("INSERT INTO gpkg_contents VALUES ('my \"library\"', 'features')")
        database.execute(
            'CREATE TABLE "my ""library""" (fid INTEGER PRIMARY KEY, geom BLOB, name TEXT, '
            f"profiles {declared}, note TEXT)"
        )
        for name, value in rows:
            database.execute(
                'INSERT INTO "my ""library""" (geom, name, profiles, note) VALUES (?, ?, ?, ?)',
                (b"GP\0\x01", name, value, "{no profile}"),
            )
    database.close()
    return path


@pytest.mark.parametrize("declared", ["TEXT", "BLOB", "JSON"])
def test_a_layer_of_profiles_in_a_geopackage(tmp_path: Path, declared: str) -> None:
    encode: Callable[[Any], Any] = json.dumps
    if declared == "BLOB":
        encode = lambda value: json.dumps(value).encode()  # noqa: E731
    rows = [
        ("clay", encode(profile())),
        (None, encode(profile([0.5, None, 0.3, 0.2], xUnit="\u03bcm", x=[0.45, 0.55, 0.65, 0.86]))),
        ("none", None),
        ("sand", encode(profile(SAND, bbl=[1, 1, 0, 1], yUnit=None))),
    ]
    path = write_geopackage(tmp_path / "lib?#%.gpkg", rows, declared)
    before = sorted(tmp_path.iterdir())
    library = read_library(str(path))
    assert library.names == ("clay", "profile 2", "sand")
    np.testing.assert_allclose([nm_of(library, i) for i in range(3)], [NM] * 3, rtol=1e-13)
    assert values_of(library) == CLAY
    np.testing.assert_array_equal(values_of(library, 1), [0.5, NAN, 0.3, 0.2])
    np.testing.assert_array_equal(values_of(library, 2), [0.5, 0.4, NAN, 0.2])
    assert sorted(tmp_path.iterdir()) == before  # no journal beside it


def test_profiles_that_qgis_has_not_put_into_the_file_yet_are_read(tmp_path: Path) -> None:
    path = write_geopackage(tmp_path / "lib.gpkg", [("clay", json.dumps(profile()))])
    editing = sqlite3.connect(path)
    editing.execute("PRAGMA journal_mode = WAL")
    editing.execute("PRAGMA wal_autocheckpoint = 0")
    editing.execute('UPDATE "my ""library""" SET name = \'loam\'')
    editing.commit()
    assert read_library(str(path)).names == ("loam",)
    editing.close()


def test_a_geojson_of_profiles(tmp_path: Path) -> None:
    features = [
        {"type": "Feature", "properties": {"name": "clay", "profiles": profile()}},
        {"type": "Feature", "properties": {"name": "sand", "profiles": json.dumps(profile(SAND))}},
        {"type": "Feature", "properties": {"name": "none", "profiles": None}},
        {"type": "Feature", "properties": None},
    ]
    path = tmp_path / "lib.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    library = read_library(str(path))
    assert library.names == ("clay", "sand")
    assert [values_of(library, i) for i in (0, 1)] == [CLAY, SAND]


# --- what cannot be used -----------------------------------------------------------------


class Bad(NamedTuple):
    """A library that is refused, what writes it, and what the message says."""

    name: str
    write: Callable[[Path], Path]
    says: str


def text(content: str, name: str = "lib.csv") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_text(content)
        return folder / name

    return write


def raw(content: bytes, name: str = "lib.bin") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def envi(**changes: Any) -> Callable[[Path], Path]:
    return lambda folder: write_envi(folder, **changes)


def short_envi(folder: Path) -> Path:
    path = write_envi(folder)
    path.write_bytes(path.read_bytes()[:-1])
    return path


def gpkg(*values: Any) -> Callable[[Path], Path]:
    return lambda folder: write_geopackage(
        folder / "lib.gpkg", [(f"p{i}", value) for i, value in enumerate(values)]
    )


def evil_view(folder: Path) -> Path:
    """A library whose layer is a view that never ends."""
    path = folder / "lib.gpkg"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE gpkg_contents (table_name TEXT, data_type TEXT)")
        database.execute("INSERT INTO gpkg_contents VALUES ('v', 'features')")
        database.execute(
            "CREATE VIEW v AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) "
            "SELECT x FROM c"
        )
    database.close()
    return path


def generated_column(folder: Path) -> Path:
    """A table one column of which is computed by a function while it is read."""
    path = folder / "lib.gpkg"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE gpkg_contents (table_name TEXT, data_type TEXT)")
        database.execute("INSERT INTO gpkg_contents VALUES ('v', 'features')")
        database.execute('CREATE TABLE v (a TEXT, b TEXT AS (\'{"x":[1,2],"y":[1,2]}\'))')
        database.execute("INSERT INTO v (a) VALUES ('x')")
    database.close()
    return path


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "lib.csv")
    return folder / "lib.csv"


def huge(folder: Path) -> Path:
    path = folder / "lib.csv"
    with path.open("wb") as file:
        file.truncate(300 * 2**20)  # a hole, no space on the disk
    return path


USGS_ALONE = " splib07a Record=1: Kaolinite CM5   ASDFRa AREF\n 0.1\n 0.2\n"
BAD = [
    Bad("a file that is not there", lambda folder: folder / "no.sli", "is not there"),
    Bad("a folder", lambda folder: folder, "is a folder"),
    Bad("a pipe", pipe, "it is not a regular file"),
    Bad("a file of 300 MB", huge, "it is longer than"),
    Bad("an empty file", text(""), "is empty"),
    Bad("binary data", raw(bytes(range(256)) * 40), "is a binary file of an unknown kind"),
    Bad("a binary file of ASD", raw(b"ASD\0" + bytes(2000), "s.asd"), "is a binary file"),
    Bad("prose", text("Dear reader\nthis is no library\nat all\n"), "no table"),
    Bad("a .sli without header", raw(b"1234", "lib.sli"), "has no header beside it"),
    Bad("a header of an image", envi(file_type="ENVI Standard"), "so it is no spectral library"),
    Bad("a .sli that is cut short", short_envi, "has 31 bytes, but its header says 32"),
    Bad("lines beyond the file", envi(lines="9999"), "its header says"),
    Bad("lines without end", envi(lines="999999999"), "more than can be read"),
    Bad("no lines", envi(lines="0"), "no number from 1 on"),
    Bad("complex numbers", envi(data_type="6"), "'data type = 6'"),
    Bad("a .sli without wavelengths", envi(wavelength=None), "states no wavelengths"),
    Bad("too few wavelengths", envi(wavelength="{450, 550}"), "has 2 values in 'wavelength'"),
    Bad("a wavelength of text", envi(wavelength="{a, 1, 2, 3}"), "that is no number"),
    Bad("a wavelength of NaN", envi(wavelength="{nan, 1, 2, 3}"), "wavelength nan at place 1"),
    Bad("a negative wavelength", envi(wavelength="{-450, 1, 2, 3}"), "the wavelength -450"),
    Bad("a header that breaks off", envi(wavelength="{450, 550"), "breaks off in 'wavelength'"),
    Bad("a name too many", envi(spectra_names="{a, b, c}"), "has 3 names for 2 spectra"),
    Bad("wavenumbers", envi(wavelength_units="Wavenumber (cm-1)"), "as the unit of its wave"),
    Bad("nanometers called micrometers", envi(wavelength_units="Micrometers"), "they are 450"),
    Bad(
        "wavelengths that are neither",
        text("wavelength,a\n50,.1\n60,.2\n500,.3\n"),
        "neither nanometers nor micrometers",
    ),
    Bad("one wavelength", text("nm,a\n450,.1\n"), "has no spectrum with at least 2"),
    Bad("no wavelengths", text("a,b\n.1,.5\n.3,.4\n.2,.4\n"), "has no wavelengths"),
    Bad("no header and no wavelengths", text(".1,.5\n.3,.4\n.2,.4\n"), "no list of wavelengths"),
    Bad("text among the values", text("nm,a\n450,.1\n550,high\n"), "has 'high' in column 2"),
    Bad("a row that is too short", text("nm,a,b\n450,.1,.2\n550,.2\n650,.1,.1\n"), "row 3 has 2"),
    Bad("a spectrum of NaN alone", text("nm,a\n450,nan\n550,\n650,nan\n"), "has no spectrum with"),
    Bad("percent that nobody states", text("nm,a\n450,10\n550,20\n650,30\n"), "does not say the"),
    Bad(
        "spectra in two units",
        text("nm,a,b\n450,.1,4000\n550,.2,3000\n650,.3,2000\n"),
        "fit neither reflectance 0 to 1",
    ),
    Bad("radiance", text("nm,radiance\n450,.1\n550,.2\n650,.3\n"), "which is not reflectance"),
    Bad("hardly any light", text("nm,a\n450,1e-5\n550,2e-5\n650,1e-5\n"), "too dark for"),
    Bad("too many columns", text("nm" + ",a" * 100_001 + "\n" + "1,1" * 1), "no table"),
    Bad("a .sig without data", text("/*** Spectra Vista\nname= a\n"), "no line 'data='"),
    Bad(
        "a .sig that breaks off",
        text("/*** Spectra Vista SIG Data ***/\ndata=\n450 1 2 3\n550 1 2\n"),
        "has no 4 numbers in line 2",
    ),
    Bad(
        "ECOSTRESS of fewer values than it says",
        text(ECOSTRESS.replace("Values: 3", "Values: 9")),
        "has 3 values, but says 9",
    ),
    Bad("emissivity", text(ECOSTRESS.replace("Reflectance (", "Emissivity (")), "not reflectance"),
    Bad("USGS without its wavelengths", text(USGS_ALONE), "there is no file of 2 wavelengths"),
    Bad(
        "USGS of another number of values",
        lambda folder: write_usgs(folder, count=3),
        "there is no file of 3 wavelengths of ASD",
    ),
    Bad(
        "a damaged GeoPackage",
        raw(b"SQLite format 3\0" + bytes(200), "lib.gpkg"),
        "cannot be read as a GeoPackage",
    ),
    Bad("a GeoPackage without profiles", gpkg(None, "text"), "has no field with spectral profiles"),
    Bad("a layer that is a view without end", evil_view, "has no field with spectral profiles"),
    Bad("a column that computes", generated_column, "has no field with spectral profiles"),
    Bad("profiles of Qt's binary JSON", gpkg(b"qbjs\x01\0\0\0abcd"), "of an old EnMAP-Box"),
    Bad("pickled profiles", gpkg(b"\x80\x04\x95abc."), "of an old EnMAP-Box"),
    Bad("a profile without x", gpkg(json.dumps(profile(x=None))), "has no wavelengths (x)"),
    Bad("a profile of dates", gpkg(json.dumps(profile(x=["2020"] * 4))), "that is no number in x"),
    Bad("x and y of other lengths", gpkg(json.dumps(profile([1, 2]))), "has 2 values and 4 wave"),
    Bad("a bbl of another length", gpkg(json.dumps(profile(bbl=[1]))), "has 1 values of bbl"),
    Bad("a number of 400 digits", gpkg(json.dumps(profile([10**400] * 4))), "that is too large"),
    Bad("a profile that breaks off", gpkg(json.dumps(profile())[:-4]), "that is no JSON"),
    Bad("deep JSON", text("{" + '"a":[' * 200_000, "lib.json"), "is no JSON"),
    Bad("a deep profile", gpkg('{"y":' + "[" * 200_000), "that is no JSON"),
    Bad("JSON of something else", text('{"a": 1}', "lib.json"), "has no features"),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_what_cannot_be_used_is_refused_in_time(tmp_path: Path, bad: Bad) -> None:
    path = bad.write(tmp_path)
    start = time.process_time()
    with pytest.raises(HyperKDError) as caught:
        read_library(str(path))
    assert caught.value.code == "bad_library"
    assert bad.says in caught.value.message
    assert caught.value.hint
    assert time.process_time() - start < 20  # even of the largest


def test_a_spectrum_without_values_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "lib.csv"
    path.write_text("nm,clay,void,sand\n450,.1,,.5\n550,.2,.1,.4\n650,.3,nan,.3\n")
    library = read_library(str(path))
    assert library.names == ("clay", "sand")
    assert "Spectra with fewer than 2 values were left out: void." in library.notes


# --- names and bands ---------------------------------------------------------------------


def test_a_spectrum_is_found_by_name_or_number(tmp_path: Path) -> None:
    path = write_envi(tmp_path, [CLAY, SAND, CLAY], spectra_names="{Clay, sand: wet, sand: wet}")
    library = read_library(str(path))
    assert library.find("clay") is library.spectra[0]
    assert library.find("#3") is library.spectra[2]
    assert library.notes[-1] == "Several spectra have the same name: sand: wet."
    for name, says in (
        (None, "has 3 spectra .Clay, sand: wet, sand: wet., and none was named"),
        ("loam", "has no spectrum 'loam', but Clay"),
        ("sand: wet", "has 2 spectra named 'sand: wet': #2, #3"),
        ("#4", "has no spectrum #4, only #1 to #3"),
    ):
        with pytest.raises(HyperKDError, match=says) as caught:
            library.find(name)
        assert caught.value.code == "bad_library"
    assert split_name(f"{path}:sand: wet") == (str(path), "sand: wet")
    assert split_name(str(path)) == (str(path), None)
    assert split_name("C:\\no\\such.sli") == ("C:\\no\\such.sli", None)


def test_a_spectrum_in_the_bands_of_a_sensor(tmp_path: Path) -> None:
    """1 nm of a straight line and a Gaussian line, in EnMAP's bands."""
    nm = np.arange(350.0, 2501.0)
    line = 0.2 + 1e-4 * (nm - 350) - 0.1 * np.exp(-0.5 * ((nm - 2200) / 20) ** 2)
    path = tmp_path / "lib.csv"
    path.write_text("nm,a\n" + "".join(f"{x},{y:.12f}\n" for x, y in zip(nm, line)))
    table = sensor_bands("enmap")
    good = table.wavelengths.take(np.flatnonzero(table.good))
    found = at_bands(str(path), read_library(str(path)).spectra[0], good)
    assert found.support.supported.all()
    assert good.fwhm_nm is not None
    sigma = good.fwhm_nm * SIGMA_PER_FWHM
    # A Gaussian line seen by a Gaussian band is a wider and flatter Gaussian line.
    width = np.sqrt(20**2 + sigma**2)
    expected = 0.2 + 1e-4 * (good.centre_nm - 350)
    expected -= 0.1 * 20 / width * np.exp(-0.5 * ((good.centre_nm - 2200) / width) ** 2)
    np.testing.assert_allclose(found.values, expected, atol=3e-4)


def test_a_spectrum_of_another_range_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lib.csv"
    path.write_text("um,a\n" + "".join(f"{8 + x / 100},.3\n" for x in range(600)))
    good = Wavelengths(np.linspace(450.0, 2450.0, 200))
    with pytest.raises(HyperKDError, match="covers 0 of the scene's 200 good bands") as caught:
        at_bands(str(path), read_library(str(path)).spectra[0], good)
    assert caught.value.code == "bad_library"
