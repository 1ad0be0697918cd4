"""The report on a raster: its numbers, and that odd rasters are described, not refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.inspect_raster import inspect
from hyperkd.evaluation.reports.line_plot import Line, line_plot
from hyperkd.evaluation.reports.page_parts import document, table
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.sink import RasterSpec
from hyperkd.requests.prepare_options import InspectJob
from hyperkd.spectral.sensors import sensor_bands
from hyperkd.types import BandTable, GridSpec
from tests.reports import SilentReport


def write_scene(path: Path, bands: BandTable, values: np.ndarray) -> None:
    """Write ``(band, row, col)`` int16 with a full band table."""
    grid = GridSpec(values.shape[2], values.shape[1])
    with create_raster(
        str(path), RasterSpec(grid, len(bands), np.int16, nodata=-32768, bands=bands)
    ) as sink:
        sink.write(grid.window, values)


@pytest.fixture
def enmap_scene(tmp_path: Path) -> tuple[Path, BandTable, np.ndarray]:
    """Return a small EnMAP scene in which pixel p of each band stores 100 p + band."""
    bands = sensor_bands("enmap")
    pixels = 100 * np.arange(12).reshape(1, 3, 4)
    values = (pixels + np.arange(len(bands))[:, None, None]).astype(np.int16)
    values[~bands.good] = -32768
    path = tmp_path / "scene.tif"
    write_scene(path, bands, values)
    return path, bands, values


def cells(html: str, heading: str) -> list[list[str]]:
    """Return the rows of the first table after a heading, as texts."""
    body = html.rsplit(f"{heading}</", 1)[1].split("<tbody>", 1)[1].split("</tbody>", 1)[0]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("</tr>") if row]


def run(path: Path, tmp_path: Path) -> tuple[dict[str, Any], str]:
    output = tmp_path / "report.html"
    summary = inspect(InspectJob(input=str(path), output=str(output), model="tiny"), SilentReport())
    return summary, output.read_text(encoding="utf-8")


def test_report_of_an_enmap_scene(enmap_scene: Any, tmp_path: Path) -> None:
    path, bands, values = enmap_scene
    summary, html = run(path, tmp_path)
    assert summary == {"suits": True, "good_bands": 218, "used_bands": 218}
    assert re.findall(r"The raster has no [^<]*", html) == [
        "The raster has no geotransform; its outputs have none either.",
        "The raster has no coordinate reference system.",
    ]
    rows = cells(html, "The numbers")
    assert len(rows) == 218
    good = np.flatnonzero(bands.good)
    assert [int(row[0]) for row in rows] == (good + 1).tolist()
    reflectance = values[good].reshape(218, -1) * bands.scale[good, None]
    for column, expected in (
        (2, reflectance.mean(axis=1)),
        (3, np.percentile(reflectance, 5, axis=1)),
        (4, np.percentile(reflectance, 95, axis=1)),
    ):
        found = np.array([float(row[column]) for row in rows])
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    student = cells(html, "Bands of the file that are used: 218")
    assert {row[5] for row in student} == {"matched"}
    assert [row[4] for row in student] == ["+0.00"] * 218
    teacher = cells(html, "Input of the teacher Prithvi")
    assert [row[0] for row in teacher] == ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]


def test_report_of_a_raster_that_no_student_can_use(tmp_path: Path) -> None:
    bands = sensor_bands("enmap").take(range(60))  # the visible and a bit more
    path = tmp_path / "vnir.tif"
    write_scene(path, bands, np.full((60, 5, 5), 1000, np.int16))
    summary, html = run(path, tmp_path)
    assert not summary["suits"]
    assert "The student tiny cannot use it" in html
    assert "No good band lies in NIR_NARROW (850 to 880 nm)" in html


def test_report_without_a_valid_pixel_says_so(tmp_path: Path, enmap_scene: Any) -> None:
    """Nodata in one band of every pixel: no spectrum is whole, yet no band is empty."""
    _, bands, values = enmap_scene
    values = values.copy()
    flat = values.reshape(224, -1)
    for pixel in range(flat.shape[1]):
        flat[pixel, pixel] = -32768
    path = tmp_path / "holes.tif"
    write_scene(path, bands, values)
    _, html = run(path, tmp_path)
    assert "No sampled pixel is valid." in html


def test_text_is_escaped_and_numbers_are_right_aligned() -> None:
    rows = [["<td>", "1.2", "<i>"]]
    html = document("a < b", "x & y", [("s", table(("<h>", "n", "t"), rows, texts=(2,)))], "f & g")
    assert "<title>a &lt; b</title>" in html
    assert '<th scope="row">&lt;td&gt;</th>' in html
    assert '<td class="n">1.2</td><td>&lt;i&gt;</td>' in html


def test_a_part_of_the_raster_is_never_taken_for_the_report(
    enmap_scene: tuple[Path, BandTable, np.ndarray], tmp_path: Path
) -> None:
    source = enmap_scene[0]
    mosaic = tmp_path / "mosaic.vrt"
    gdal.Translate(str(mosaic), str(source), format="VRT")
    before = source.read_bytes()
    with pytest.raises(HyperKDError, match="scene.tif is read by this job") as caught:
        inspect(InspectJob(input=str(mosaic), output=str(source), model="tiny"), SilentReport())
    assert caught.value.code == "bad_job"
    assert source.read_bytes() == before


def test_curve_breaks_at_gaps_and_between_runs() -> None:
    x = np.arange(6.0)
    y = np.array([0.0, 1.0, np.nan, 1.0, 2.0, 3.0])
    svg = line_plot(
        [Line("l", x, y, "red", np.array([0, 0, 0, 0, 0, 1]))], "x", "y", shaded=[(1, 2)]
    )
    path = re.search(r'<path d="([^"]*)"', svg)
    assert path is not None
    assert re.findall("[ML]", path.group(1)) == ["M", "L", "M", "L", "M"]
    assert svg.count("<rect") == 2  # the shaded range and the key of the legend


def test_constant_curve_has_a_finite_axis() -> None:
    svg = line_plot([Line("l", np.ones(3), np.zeros(3), "red", np.zeros(3, int))], "x", "y")
    assert "nan" not in svg and "inf" not in svg
    assert ">0<" in svg and ">-0<" not in svg
