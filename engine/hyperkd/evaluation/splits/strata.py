"""The strata that a label sample was drawn in: their sizes, and which pixel lies in which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal.legend import read_legend
from hyperkd.raster.gdal.pixel_area import pixel_hectares
from hyperkd.raster.gdal.reader import PlainRaster
from hyperkd.raster.labels.class_rasters import LabelRaster, Placement
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.types import Reporter, Window

# Values read at once.
_STRIPE_VALUES = 2**22


@dataclass(frozen=True, eq=False)
class Strata:
    """Strata of a map, and where labelled pixels lie in them.

    Attributes:
        index: ``(n,)`` stratum of each labelled pixel of all scenes, -1 outside of all.
        pixels: number of pixels of each stratum.
        names: of the strata, by the raster's legend.
        pixel_ha: area of a pixel in hectares, None where it is unknown or not one.
    """

    index: NDArray[np.int64]
    pixels: tuple[int, ...]
    names: tuple[str, ...]
    pixel_ha: Optional[float]


def read_strata(
    paths: Sequence[str], sources: Sequence[RasterSource], labels: Labels, report: Reporter
) -> Strata:
    """Count the strata of class rasters and find those of labelled pixels.

    Args:
        paths: class rasters on the grids of the scenes, each tried on every scene; 0 and
            nodata are no stratum. Equal values of several rasters are one stratum.
        labels: the labelled pixels of each scene.

    Raises:
        HyperKDError: ``bad_labels`` where a raster lies on another grid or on no scene,
            or holds fractions; what reading raises; ``cancelled``.
    """
    value_at = [np.zeros(len(scene), np.int64) for scene in labels.scenes]
    sizes: Counter[int] = Counter()
    legend: dict[int, str] = {}
    areas = set()
    for path in paths:
        report.stage("Counting the strata")
        placements = _placed(path, sources)
        with closing(PlainRaster(path)) as raster:
            sizes.update(_sizes(raster, report))
            for number, placement in placements.items():
                _look_up(raster, placement, labels.scenes[number], value_at[number])
            areas.add(pixel_hectares(raster.grid))
        legend.update(read_legend(path).names)
    values = sorted(sizes)
    if not values:
        raise HyperKDError(
            "bad_labels",
            f"No pixel of the strata {', '.join(paths)} has a class.",
            "Give the class map that the sample was drawn in.",
        )
    found = np.concatenate(value_at)
    place = np.searchsorted(values, found)
    return Strata(
        index=np.where(found == 0, -1, place),
        pixels=tuple(sizes[value] for value in values),
        names=tuple(legend.get(value, str(value)) for value in values),
        pixel_ha=areas.pop() if len(areas) == 1 else None,
    )


def _placed(path: str, sources: Sequence[RasterSource]) -> dict[int, Placement]:
    """Return how the raster lies on each scene that it has pixels of."""
    with closing(LabelRaster(path, "classification", ())) as raster:
        found = [raster.place(source.grid) for source in sources]
    for placement in found:
        if isinstance(placement, HyperKDError):
            raise placement
    placements = {i: place for i, place in enumerate(found) if isinstance(place, Placement)}
    if not placements:
        raise HyperKDError(
            "bad_labels",
            f"The strata {path} lie on none of the scenes.",
            "Give the class map of these scenes that the sample was drawn in.",
            path=path,
        )
    return placements


def _sizes(raster: PlainRaster, report: Reporter) -> Counter[int]:
    grid = raster.grid
    rows = max(1, _STRIPE_VALUES // grid.width // raster.block_shape[0]) * raster.block_shape[0]
    sizes: Counter[int] = Counter()
    for row in range(0, grid.height, rows):
        report.check_cancelled()
        window = Window(0, row, grid.width, min(rows, grid.height - row))
        values, counts = np.unique(_classes(raster, window), return_counts=True)
        sizes.update(dict(zip(values.tolist(), counts.tolist())))
        report.progress(window.row_end, grid.height, "rows")
    del sizes[0]
    return sizes


def _classes(raster: PlainRaster, window: Window) -> NDArray[np.int64]:
    """Return the first band's classes, 0 where there is none."""
    stored: NDArray[Any] = raster.read(window, [0])[0]
    known = np.isfinite(stored) & (stored != 0)
    missing = raster.nodata()[0]
    if missing is not None:
        known &= stored != missing
    if stored.dtype.kind == "f" and (stored[known] != np.rint(stored[known])).any():
        raise HyperKDError(
            "bad_labels",
            f"The strata {raster.path} hold fractions.",
            "Give a class map: whole numbers, 0 or nodata where there is no stratum.",
            path=raster.path,
        )
    return np.where(known, stored, 0).astype(np.int64)


def _look_up(
    raster: PlainRaster, placement: Placement, scene: Any, values: NDArray[np.int64]
) -> None:
    """Write the stratum of each of a scene's labelled pixels, row by row of the raster."""
    window = placement.window
    rows, cols = scene.rows + placement.row, scene.cols + placement.col
    inside = (rows >= window.row) & (rows < window.row_end)
    inside &= (cols >= window.col) & (cols < window.col_end)
    for row in np.unique(rows[inside]).tolist():
        here = np.flatnonzero(inside & (rows == row))
        line = _classes(raster, Window(window.col, row, window.width, 1))[0]
        values[here] = line[cols[here] - window.col]
