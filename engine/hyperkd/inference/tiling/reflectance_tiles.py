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
from hyperkd.types import Float32Array, Reporter


def tile_count(source: RasterSource, card: ModelCard, count: int) -> int:
    """Return how many tiles ``reflectance_tiles`` yields at most."""
    return min(count, TilePlan.over(source.grid, card.tile_px, 0).count)


def reflectance_tiles(
    source: RasterSource, card: ModelCard, count: int, report: Reporter
) -> Iterator[tuple[Float32Array, Float32Array]]:
    """Yield evenly spaced tiles that do not overlap; those without a valid pixel are left out.

    Args:
        source: the raster.
        card: the model's: its bands and the size of a tile.
        count: tiles to yield; a smaller scene gives all that it has.
        report: is asked whether the job was cancelled.

    Yields:
        ``pixels`` (1, C, T, T) reflectance and ``valid`` (1, 1, T, T), 1 or 0; both 0 where
        a pixel is not valid. A raster smaller than a tile is continued by reflection.

    Raises:
        HyperKDError: ``band_mismatch`` where the raster lacks the model's spectrum,
            ``no_valid_pixels``, ``cancelled``, and what reading raises.
    """
    bands = len(card.bands)
    to_reflectance, _ = input_map(source.bands, card.bands, np.zeros(bands), np.ones(bands))
    used = to_reflectance.used
    whole = Affine(to_reflectance.matrix[:, used], to_reflectance.offset)
    plan = TilePlan.over(source.grid, card.tile_px, 0)
    margins = ((0, plan.tile_px - plan.height), (0, plan.tile_px - plan.width))
    found = 0
    for number in evenly(plan.count):
        report.check_cancelled()
        row, col = divmod(number, len(plan.cols))
        tile = source.read_tile(plan.window(plan.rows[row], plan.cols[col]), used.tolist())
        if not tile.valid.any():
            continue
        # Nodata may be NaN, which no product with 0 makes 0.
        stored = np.where(tile.valid, tile.data, 0)
        pixels = np.where(tile.valid, whole.apply(stored), 0).astype(np.float32)
        pixels = np.pad(pixels, ((0, 0), *margins), mode="reflect")
        valid = np.pad(tile.valid.astype(np.float32), margins, mode="reflect")
        yield pixels[None], valid[None, None]
        found += 1
        if found == count:
            return
    if not found:
        raise no_valid_pixels(source)
