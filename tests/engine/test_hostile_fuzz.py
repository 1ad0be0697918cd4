"""Damaged band tables, headers, product metadata and label files: a result, or a coded error.

A search in well under a minute; ``HYPOTHESIS_PROFILE=deep`` searches longer. Nothing else
than the outputs may appear, and no attempt may take more than some seconds.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperkd.errors import EXIT_STATUS, HyperKDError
from hyperkd.evaluation.label_overview import overview
from hyperkd.jobs.info import info
from hyperkd.raster.products.import_product import import_product
from hyperkd.requests.evaluate_options import LabelsJob
from hyperkd.requests.prepare_options import ImportJob, InfoJob
from tests.factories import make_envi, make_raster, make_vrt
from tests.label_factories import make_vector
from tests.products import STEM, write_enmap
from tests.reports import SilentReport

LIMIT_S = 20.0
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
EXAMPLES = 2000 if DEEP else 25

# What is put in the place of a part of a text: numbers and names that are none.
_WORDS = st.sampled_from(
    [
        *("", "0", "-1", "1e999", "nan", "inf", "9" * 400, "2147483648", "4294967296", "²", "1,5"),
        *("{", "}", "{,}", "\x00", "\ud7ff", "µm", "\udcff", "<", "]]>", "&amp;", "&x;", '"'),
        *(
            "../../../etc/passwd",
            "/dev/zero",
            "http://127.0.0.1:9/a",
            "/vsicurl/http://127.0.0.1:9",
        ),
        *("Nanometers", "Wavenumber", "true", "null", "[]", "{}", "=", ";", "\t", "\r\n"),
    ]
)


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[str, float, float, str]]:
    """Return what to do to a content: places are shares of its length."""
    share = st.floats(0, 1, exclude_max=True)
    kinds = st.sampled_from(["replace", "insert", "remove", "repeat", "cut", "value"])
    return draw(st.lists(st.tuples(kinds, share, share, _WORDS), min_size=1, max_size=4))


def _value_at(content: bytes, place: int) -> tuple[int, int]:
    """Return begin and end of the number or word at a place."""
    stops = b" \t\r\n<>\"'={}[],:;&"
    begin = end = place
    while begin > 0 and content[begin - 1] not in stops:
        begin -= 1
    while end < len(content) and content[end] not in stops:
        end += 1
    return begin, end


def changed(content: bytes, steps: list[tuple[str, float, float, str]]) -> bytes:
    for kind, where, length, word in steps:
        begin = int(where * len(content))
        end = min(len(content), begin + 1 + int(length * 40))
        text = word.encode("utf-8", "surrogateescape")
        if kind == "value":
            begin, end = _value_at(content, begin)
        if kind in ("replace", "value"):
            content = content[:begin] + text + content[end:]
        elif kind == "insert":
            content = content[:begin] + text + content[begin:]
        elif kind == "remove":
            content = content[:begin] + content[end:]
        elif kind == "repeat":
            content = content[:end] + content[begin:end] * 3 + content[end:]
        else:
            content = content[:begin]
    return content


class Bench:
    """A folder with one sound input, of which one file is damaged again and again."""

    def __init__(self, folder: Path, make: Callable[[Path], tuple[Path, Path]]) -> None:
        self._original, self._folder = folder / "original", folder / "work"
        self._original.mkdir()
        self.outputs = folder / "outputs"
        self.outputs.mkdir()
        chosen, victim = make(self._original)
        self._chosen = chosen.relative_to(self._original)
        self._victim = victim.relative_to(self._original)

    def attempt(self, steps: Any, run: Callable[[str, Path], Any]) -> str:
        """Damage the file, run, and return ``done`` or the code of the refusal."""
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(self._original, self._folder)
        victim = self._folder / self._victim
        victim.write_bytes(changed(victim.read_bytes(), steps))
        before = {path: path.read_bytes() for path in self._folder.rglob("*") if path.is_file()}
        start = time.monotonic()
        try:
            run(str(self._folder / self._chosen), self.outputs)
            code = "done"
        except HyperKDError as error:
            code = error.code
            assert code in EXIT_STATUS
            f"{error.message} {error.hint}".encode()  # can be written
        assert time.monotonic() - start < LIMIT_S
        after = {path: path.read_bytes() for path in self._folder.rglob("*") if path.is_file()}
        assert after == before
        for path in self.outputs.iterdir():
            assert path.name == "imported.tif"
            path.unlink()
        return code


def read(chosen: str, outputs: Path) -> None:
    """Do what ``info`` and ``import`` do."""
    first: Any = None
    try:
        info(InfoJob(path=chosen), SilentReport())
    except HyperKDError as error:
        first = error
    import_product(
        ImportJob(product=chosen, output=str(outputs / "imported.tif"), mask=()), SilentReport()
    )
    if first is not None:
        raise first


def masked(chosen: str, outputs: Path) -> None:
    """Import with a quality layer."""
    import_product(
        ImportJob(product=chosen, output=str(outputs / "imported.tif"), mask=("cloud",)),
        SilentReport(),
    )


def with_table(chosen: str, outputs: Path) -> None:
    """Read a raster with a band table of the user's."""
    info(
        InfoJob(path=os.path.join(os.path.dirname(chosen), "scene.tif"), bands=chosen),
        SilentReport(),
    )


def label(chosen: str, outputs: Path) -> None:
    """Read labels of both tasks."""
    scene = os.path.join(os.path.dirname(chosen), "scene.tif")
    for task in ("regression", "classification"):
        try:
            overview(LabelsJob(input=(scene,), labels=(chosen,), task=task), SilentReport())
        except HyperKDError:
            if task == "classification":
                raise


def envi(folder: Path) -> tuple[Path, Path]:
    path = make_envi(folder / "scene.bsq")
    return path, Path(f"{path}.hdr")


def enmap(folder: Path) -> tuple[Path, Path]:
    product = write_enmap(folder)
    return product, product / f"{STEM}-METADATA.XML"


def csv(folder: Path) -> tuple[Path, Path]:
    make_raster(folder / "scene.tif", wavelengths=None)
    path = folder / "bands.csv"
    rows = [f"{400 + 100 * n};{10 + n};1;0.0001;0" for n in range(6)]
    path.write_text("wavelength_nm;fwhm_nm;bbl;scale;offset\n" + "\n".join(rows) + "\n")
    return path, path


_PAM = """<PAMDataset>
  <SRS dataAxisToSRSAxisMapping="1,2">EPSG:32633</SRS>
  <GeoTransform> 366000, 30, 0, 5810000, 0, -30</GeoTransform>
  <Metadata><MDI key="wavelength_units">Nanometers</MDI><MDI key="a">b</MDI></Metadata>
  <Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">:::BASE:::scene.ovr</MDI></Metadata>
  <GCPList Projection="EPSG:4326"><GCP Id="1" Pixel="0" Line="0" X="1" Y="2" Z="0"/></GCPList>
  <PAMRasterBand band="1"><Description>first</Description><NoDataValue>-32768</NoDataValue>
    <UnitType>nm</UnitType><Offset>0</Offset><Scale>0.0001</Scale>
    <CategoryNames><Category>a</Category><Category>b</Category></CategoryNames>
    <Histograms><HistItem><HistMin>0</HistMin><HistMax>9</HistMax><BucketCount>3</BucketCount>
      <IncludeOutOfRange>1</IncludeOutOfRange><Approximate>0</Approximate>
      <HistCounts>1|2|3</HistCounts></HistItem></Histograms>
    <GDALRasterAttributeTable tableType="thematic">
      <FieldDefn index="0"><Name>Value</Name><Type>0</Type><Usage>5</Usage></FieldDefn>
      <FieldDefn index="1"><Name>Class</Name><Type>2</Type><Usage>2</Usage></FieldDefn>
      <FieldDefn index="2"><Name>Red</Name><Type>0</Type><Usage>6</Usage></FieldDefn>
      <Row index="0"><F>1</F><F>wood</F><F>10</F></Row>
      <Row index="1"><F>2</F><F>water</F><F>300</F></Row>
    </GDALRasterAttributeTable>
    <Metadata><MDI key="wavelength">450</MDI></Metadata>
  </PAMRasterBand>
</PAMDataset>
"""


def pam(folder: Path) -> tuple[Path, Path]:
    path = make_raster(folder / "scene.tif")
    beside = folder / "scene.tif.aux.xml"
    beside.write_text(_PAM)
    return path, beside


def pam_of_labels(folder: Path) -> tuple[Path, Path]:
    make_raster(folder / "scene.tif")
    values = np.arange(35).reshape(1, 5, 7).astype(np.uint8) % 3
    path = make_raster(
        folder / "labels.tif", data=values, wavelengths=None, scale=None, nodata=None
    )
    beside = folder / "labels.tif.aux.xml"
    # The raster has a place of its own.
    lines = _PAM.splitlines(keepends=True)
    beside.write_text("".join(line for line in lines if "<GCPList" not in line))
    return path, beside


def vrt(folder: Path) -> tuple[Path, Path]:
    path = make_vrt(folder / "scene.vrt", [make_raster(folder / "part.tif")])
    return path, path


def tiff(folder: Path) -> tuple[Path, Path]:
    path = make_raster(folder / "scene.tif")
    return path, path


def layer(driver: str, suffix: str) -> Callable[[Path], tuple[Path, Path]]:
    def make(folder: Path) -> tuple[Path, Path]:
        make_raster(folder / "scene.tif")
        square = "POLYGON(({0} 5809990,{1} 5809990,{1} 5809900,{0} 5809900,{0} 5809990))"
        path = Path(
            make_vector(
                folder / f"labels.{suffix}",
                [
                    (square.format(366005, 366095), {"class": "wood", "height": 3.5}),
                    (square.format(366105, 366195), {"class": "water", "height": 0.5}),
                ],
                {"class": "text", "height": "number"},
                driver=driver,
                geometry=3,
            )
        )
        return path, path

    return make


def layer_part(suffix: str) -> Callable[[Path], tuple[Path, Path]]:
    def make(folder: Path) -> tuple[Path, Path]:
        path, _ = layer("ESRI Shapefile", "shp")(folder)
        return path, path.with_suffix(suffix)

    return make


CASES: dict[str, tuple[Callable[[Path], tuple[Path, Path]], Callable[[str, Path], None]]] = {
    "ENVI header": (envi, read),
    "band table": (csv, with_table),
    "EnMAP metadata": (enmap, read),
    "EnMAP metadata and a mask": (enmap, masked),
    "PAM": (pam, read),
    "PAM of labels": (pam_of_labels, label),
    "VRT": (vrt, read),
    "GeoTIFF": (tiff, read),
    "GeoPackage": (layer("GPKG", "gpkg"), label),
    "SpatiaLite": (layer("SQLite", "sqlite"), label),
    "GeoJSON": (layer("GeoJSON", "geojson"), label),
    "FlatGeobuf": (layer("FlatGeobuf", "fgb"), label),
    "KML": (layer("KML", "kml"), label),
    "shapes": (layer_part(".shp"), label),
    "attributes of shapes": (layer_part(".dbf"), label),
    "system of shapes": (layer_part(".prj"), label),
}


@pytest.fixture(params=CASES, scope="module")
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Bench, Callable[[str, Path], None]]]:
    make, run = CASES[request.param]
    bench = Bench(tmp_path_factory.mktemp("fuzz"), make)
    yield bench, run


def test_the_sound_input_is_read(case: tuple[Bench, Callable[[str, Path], None]]) -> None:
    bench, run = case
    assert bench.attempt([], run) in ("done", "bad_labels", "no_labels")


@pytest.mark.timeout(7200 if DEEP else 300)
@settings(max_examples=EXAMPLES)
@given(steps=changes())
def test_damage_ends_in_a_code(
    case: tuple[Bench, Callable[[str, Path], None]], steps: list[tuple[str, float, float, str]]
) -> None:
    bench, run = case
    bench.attempt(steps, run)
