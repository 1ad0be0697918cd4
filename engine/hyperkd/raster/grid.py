"""Grid algebra: how a raster is cut into windows. Geometry is copied, never resampled."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hyperkd.problems import Problem
from hyperkd.types import GridSpec, Window


def iterate_tiles(grid: GridSpec, tile_px: int, overlap_px: int = 0) -> Iterator[Window]:
    """Yield windows of ``tile_px`` squared that cover ``grid`` row by row.

    Neighbours share ``overlap_px`` pixels. The last row and column are moved
    back inside the raster, so that every window is full size unless the raster
    itself is smaller than a tile.
    """
    if not 0 <= overlap_px < tile_px:
        raise ValueError(f"overlap {overlap_px} must be in 0..{tile_px - 1}")
    for row in tile_starts(grid.height, tile_px, overlap_px):
        for col in tile_starts(grid.width, tile_px, overlap_px):
            yield Window(col, row, min(tile_px, grid.width), min(tile_px, grid.height))


def tile_starts(length: int, tile_px: int, overlap_px: int) -> tuple[int, ...]:
    """Return the first pixel of each tile along one axis of ``length`` pixels."""
    if length <= tile_px:
        return (0,)
    last = length - tile_px
    return (*range(0, last, tile_px - overlap_px), last)


def geometry_notes(grid: GridSpec, domains: Collection[str]) -> tuple[Problem, ...]:
    """Return what is odd about the geometry of a raster; it is copied all the same."""
    notes: list[Problem] = []
    if grid.gcps:
        notes.append(
            Problem(
                "ground_control_points",
                f"The raster has {len(grid.gcps)} ground control points instead of a grid; they "
                "are copied, nothing is rectified.",
            )
        )
    elif grid.geotransform is None:
        notes.append(
            Problem(
                "no_geotransform", "The raster has no geotransform; its outputs have none either."
            )
        )
    elif grid.geotransform[2] != 0 or grid.geotransform[4] != 0:
        notes.append(
            Problem(
                "rotated_grid",
                "The raster is rotated or sheared; its geotransform is copied as it is.",
            )
        )
    elif grid.geotransform[5] > 0:
        notes.append(
            Problem("south_up_grid", "The raster is south-up; its geotransform is copied as it is.")
        )
    for domain, called in (("RPC", "polynomials (RPC)"), ("GEOLOCATION", "arrays")):
        if domain in domains:
            notes.append(
                Problem(
                    "geolocation_lost",
                    f"The raster has geolocation {called}, which its outputs will lack.",
                )
            )
    if not grid.crs_wkt and not grid.gcp_crs_wkt:
        notes.append(
            Problem("no_reference_system", "The raster has no coordinate reference system.")
        )
    return tuple(notes)
