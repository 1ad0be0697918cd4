"""Simulated data of exactly the structure of the real EnMAP tiles and the real delivery.

The real ones may not be passed on. What differs from them is what a pixel holds.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal

from tests.factories import UTM_33N, make_raster
from tests.label_factories import make_classes, make_vector

ROOT = Path(__file__).resolve().parents[1]
SIDE_PX = 32
STEP_M = 30.0
# The upper left corner of the scene that the tiles are cut from.
LEFT_M, TOP_M = 362175.0, 5809965.0
# Column and row of each tile's upper left pixel in the scene.
PLACES = (
    *((64, 32), (96, 32), (96, 96), (128, 0), (128, 32), (128, 96), (128, 128)),
    *((160, 64), (160, 96), (160, 128), (160, 160), (192, 128), (192, 160)),
)
NAMES = tuple(sorted(f"enmap_potsdam_tile_{col}_{row}.tif" for col, row in PLACES))
COVERS = ("roof", "pavement", "low vegetation", "tree", "soil", "water")
NODATA = -32768.0
# Where the rare covers are drawn: of the tiles with one, some must be trained on.
SOIL = {(96, 32), (128, 0), (128, 32), (128, 128), (160, 96), (192, 160)}
WATER = {(128, 96), (128, 128), (160, 160)}
_SCENE = (192, 224)
# Nanometres, and the reflectance there in percent of roof, pavement, low vegetation, tree,
# soil and water, as textbooks draw them.
_PERCENT = (
    (400, 11.0, 11.0, 5.0, 2.5, 8.0, 4.0),
    (450, 12.0, 12.0, 6.0, 2.5, 12.0, 5.0),
    (500, 13.5, 13.0, 7.0, 3.0, 14.0, 6.0),
    (550, 15.5, 14.0, 11.0, 5.0, 16.5, 6.5),
    (600, 18.0, 14.5, 10.0, 4.0, 19.5, 5.0),
    (670, 20.0, 15.5, 9.0, 2.5, 22.0, 3.0),
    (700, 20.5, 16.0, 16.0, 7.0, 23.0, 2.5),
    (730, 21.0, 16.5, 28.0, 22.0, 24.0, 1.5),
    (760, 21.5, 17.0, 38.0, 36.0, 25.0, 1.2),
    (850, 22.0, 18.0, 41.0, 39.0, 27.0, 1.0),
    (950, 23.0, 18.5, 41.0, 38.0, 28.5, 0.6),
    (1070, 24.5, 19.5, 43.0, 40.0, 31.5, 0.5),
    (1200, 25.0, 20.0, 38.0, 34.0, 33.0, 0.5),
    (1280, 25.5, 20.5, 40.0, 35.0, 34.0, 0.5),
    (1450, 25.0, 20.0, 17.0, 10.0, 32.0, 0.5),
    (1650, 25.5, 20.5, 27.0, 21.0, 33.5, 0.5),
    (1780, 25.0, 20.5, 25.0, 19.0, 33.0, 0.5),
    (1950, 24.0, 19.5, 9.0, 4.0, 28.0, 0.5),
    (2100, 25.0, 20.0, 16.0, 9.0, 31.0, 0.5),
    (2220, 25.0, 20.0, 18.0, 11.0, 30.5, 0.5),
    (2300, 24.5, 19.5, 15.0, 9.0, 30.0, 0.5),
    (2450, 24.0, 19.0, 10.0, 5.0, 28.0, 0.5),
)


@dataclass(frozen=True)
class Potsdam:
    """A folder of tiles, of their labels and of two files of points.

    Attributes:
        folder: the folder.
        real: whether a satellite took them.
    """

    folder: Path
    real: bool

    @property
    def images(self) -> list[Path]:
        """Return the paths of the tiles."""
        return sorted((self.folder / "images").glob("*.tif"))

    @property
    def labels(self) -> list[Path]:
        """Return the paths of the label rasters, in the order of the tiles."""
        return sorted((self.folder / "labels").glob("*.tif"))

    def tile(self, col: int, row: int) -> Path:
        """Return the path of the tile at a place."""
        return self.folder / "images" / f"enmap_potsdam_tile_{col}_{row}.tif"


def pixels(path: Path) -> NDArray[Any]:
    """Return ``(band, row, col)`` float32 as GDAL reads it, without our code."""
    dataset = gdal.Open(str(path))
    shape = dataset.RasterCount, dataset.RasterYSize, dataset.RasterXSize
    return np.frombuffer(dataset.ReadRaster(buf_type=gdal.GDT_Float32), np.float32).reshape(shape)


def band_rows() -> list[dict[str, str]]:
    """Return the texts of EnMAP's bands in the order of the tiles: one detector, the other."""
    path = ROOT / "engine" / "hyperkd" / "spectral" / "enmap.csv"
    with path.open(encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    for row in rows:  # 1026.0, as Python writes it
        row.update({key: str(float(row[key])) for key in ("centre_nm", "fwhm_nm")})
    return sorted(rows, key=lambda row: row["detector"] == "SWIR")


# --- what lies where --------------------------------------------------------------------


def _smooth(random: np.random.Generator, reach_px: int) -> NDArray[Any]:
    """Return a field over the scene of mean 0 and deviation 1."""
    field = random.normal(size=_SCENE)
    window = np.hanning(2 * reach_px + 1)
    for axis in (0, 1):
        field = np.apply_along_axis(np.convolve, axis, field, window, "same")
    return (field - field.mean()) / field.std()


def _shares(random: np.random.Generator) -> NDArray[Any]:
    """Return the share of each cover in each pixel, ``(cover, row, col)``."""
    fields = np.stack([_smooth(random, 8) for _ in COVERS])
    # Soil and water are rare.
    common = np.array([-0.1, 0.1, 0.5, 0.6, -0.6, -0.2])[:, None, None]
    shares = np.exp(4 * (fields + common))
    shares /= shares.sum(axis=0)
    shares[shares < 0.02] = 0
    return shares / shares.sum(axis=0)


def _spectra(centre_nm: NDArray[Any]) -> NDArray[Any]:
    """Return the reflectance of each cover, ``(cover, band)``."""
    known_nm, percent = np.array(_PERCENT)[:, 0], np.array(_PERCENT)[:, 1:]
    return np.stack([np.interp(centre_nm, known_nm, cover) for cover in percent.T]) / 100


def _write_tile(folder: Path, place: tuple[int, int], stored: Any, labels: Any) -> None:
    col, row = place
    name = f"enmap_potsdam_tile_{col}_{row}.tif"
    corner = (LEFT_M + col * STEP_M, STEP_M, 0.0, TOP_M - row * STEP_M, 0.0, -STEP_M)
    rows = band_rows()
    make_raster(
        folder / "images" / name,
        stored,
        wavelengths=[each["centre_nm"] for each in rows],
        fwhm=[each["fwhm_nm"] for each in rows],
        bbl=[each["good"] for each in rows],
        descriptions=[
            f"band {number} ({each['centre_nm']} Nanometers)" for number, each in enumerate(rows, 1)
        ],
        offset=0.0,
        epsg=UTM_33N,
        geotransform=corner,
        metadata={"": {"start_time": "2022-07-24T10:45:26"}},
        options=("INTERLEAVE=BAND",),
    )
    make_classes(folder / "labels" / name, labels, geotransform=corner)


def write_potsdam(folder: Path) -> Potsdam:
    """Write 13 tiles, their labels and two files of points; return what tells their paths."""
    random = np.random.default_rng(20220724)
    rows = band_rows()
    shares = _shares(random)
    spectra = _spectra(np.array([float(row["centre_nm"]) for row in rows]))
    light = np.exp(0.25 * _smooth(random, 4))
    # What people draw on an aerial picture: covers that fill most of a pixel, in some places.
    drawn = (shares.max(axis=0) > 0.5) & (_smooth(random, 6) > 0.4)
    labels = np.where(drawn, shares.argmax(axis=0) + 1, 0).astype(np.float32)
    bad = np.array([row["good"] == "0" for row in rows])
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    inside = np.zeros(_SCENE, bool)
    for col, row in PLACES:
        part = slice(row, row + SIDE_PX), slice(col, col + SIDE_PX)
        inside[part] = True
        for value, places in ((5, SOIL), (6, WATER)):
            if (col, row) not in places:
                labels[part][labels[part] == value] = 0
        mixed = np.tensordot(spectra.T, shares[:, part[0], part[1]], 1) * light[part]
        mixed += random.normal(0, 0.003, mixed.shape)
        stored = np.rint(1e4 * mixed).astype(np.float32)
        stored[bad] = NODATA
        _write_tile(folder, (col, row), stored, labels[part])
    _write_points(folder, random, shares, inside)
    return Potsdam(folder, real=False)


def _write_points(
    folder: Path, random: np.random.Generator, shares: NDArray[Any], inside: NDArray[Any]
) -> None:
    """Write points of land cover, within pixels, and of vegetation, on their centres."""
    groups: Sequence[tuple[str, str, Sequence[int], int]] = (
        ("impervious", "impervious", (0, 1), 9),
        ("vegetation", "low vegetation", (2,), 6),
        ("vegetation", "tree", (3,), 10),
        ("soil", "soil", (4,), 8),
        ("water", "water", (5,), 2),
    )
    features = []
    for first, second, covers, count in groups:
        most = np.isin(shares.argmax(axis=0), covers) & inside
        for row, col in random.permutation(np.argwhere(most))[:count]:
            x, y = np.array([col, row]) + random.uniform(0.05, 0.95, 2)
            features.append((_point(x, y), {"level_1": first, "level_2": second}))
    fields = {"level_1": "text", "level_2": "text"}
    make_vector(folder / "landcover_point.gpkg", features, fields, layer="landcover_point",
                geometry=1, width=254)  # fmt: skip
    green = np.round(shares[2] + shares[3], 2)
    ends = [random.permutation(np.argwhere(inside & (green == end)))[:2] for end in (0.0, 1.0)]
    between = random.permutation(np.argwhere(inside & (green > 0) & (green < 1)))[:105]
    fractions = [
        (_point(col + 0.5, row + 0.5), {"vegetation_fraction": float(np.float32(green[row, col]))})
        for row, col in np.concatenate([*ends, between])
    ]
    fields = {"vegetation_fraction": "number"}
    make_vector(folder / "vegcover_point.gpkg", fractions, fields, layer="vegcover_point",
                geometry=1)  # fmt: skip


def _point(col: float, row: float) -> str:
    return f"POINT({LEFT_M + STEP_M * col:.4f} {TOP_M - STEP_M * row:.4f})"
