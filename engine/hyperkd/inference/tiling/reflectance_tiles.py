"""Tiles of a scene as reflectance: what a model takes before a sensor is folded into it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hyperkd.inference.tiling.pipeline import no_valid_pixels
from hyperkd.inference.tiling.tile_plan import TilePlan, evenly
from hyperkd.models.card import ModelCard
from hyperkd.raster.source import RasterSource
from hyperkd.spectral.affine import Affine
from hyperkd.spectral.preprocessing import input_map
from hyperkd.types import BoolArray, Float32Array, Reporter, Window


def tile_count(source: RasterSource, card: ModelCard, count: int) -> int:
    """Return how many tiles ``reflectance_tiles`` yields at most."""
    return min(count, TilePlan.over(source.grid, card.tile_px, 0).count)


def reflectance_tiles(
    source: RasterSource, card: ModelCard, count: int, report: Reporter
) -> Iterator[tuple[Float32Array, Float32Array]]:
    """Yield evenly spaced tiles that do not overlap; those without a valid pixel are left out.

    Args:
        card: the model's: its bands and the size of a tile.
        count: tiles to yield; a smaller scene gives all that it has.
        report: raises where the job was cancelled.

    Yields:
        ``pixels`` (1, C, T, T) reflectance and ``valid`` (1, 1, T, T), 1 or 0; both 0 where
        a pixel is not valid. A raster smaller than a tile is continued by reflection.

    Raises:
        HyperKDError: ``band_mismatch`` where the raster lacks the model's spectrum,
            ``no_valid_pixels``, ``cancelled``, and what reading raises.
    """
    bands = len(card.bands)
    to_reflectance, _ = input_map(source.bands, card.bands, np.zeros(bands), np.ones(bands))
    plan = TilePlan.over(source.grid, card.tile_px, 0)
    found = 0
    for number in evenly(plan.count):
        report.check_cancelled()
        row, col = divmod(number, len(plan.cols))
        window = plan.window(plan.rows[row], plan.cols[col])
        pixels, valid = reflectance_tile(source, window, to_reflectance, plan.tile_px)
        if not valid.any():
            continue
        yield pixels[None], valid[None, None].astype(np.float32)
        found += 1
        if found == count:
            return
    if not found:
        raise no_valid_pixels(source)


def reflectance_tile(
    source: RasterSource, window: Window, to_reflectance: Affine, tile_px: int = 0
) -> tuple[Float32Array, BoolArray]:
    """Read a window and turn stored values into what a model takes as input.

    Args:
        window: where.
        to_reflectance: map from the stored values of all its bands to reflectance, or to
            normalised reflectance, on the model's bands, see ``input_map``; bands with a
            column of zeros are not read.
        tile_px: T, side of the tile, by default that of the window; what the window lacks is
            continued by reflection.

    Returns:
        ``pixels`` (C, T, T) float32, 0 where not valid, and ``valid`` (T, T).

    Raises:
        HyperKDError: what reading raises.
    """
    used = to_reflectance.used
    tile = source.read_tile(window, used.tolist())
    # Nodata may be NaN, which no product with 0 makes 0. As in a map, sums are float32.
    stored = np.where(tile.valid, tile.data, 0).astype(np.float32)
    mapped = Affine(to_reflectance.matrix[:, used], to_reflectance.offset).apply(stored)
    pixels: Float32Array = np.where(tile.valid, mapped, np.float32(0))
    margins = [(0, max(0, tile_px - side)) for side in (window.height, window.width)]
    return (
        np.pad(pixels, [(0, 0), *margins], mode="reflect"),
        np.pad(tile.valid, margins, mode="reflect"),
    )
