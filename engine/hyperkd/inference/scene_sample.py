"""What a network gives for some tiles of a scene, before the whole scene is computed."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.inference.prepared import MatchedModel
from hyperkd.inference.tiling.pipeline import TiledRun, no_valid_pixels
from hyperkd.inference.tiling.tile_plan import TilePlan, evenly
from hyperkd.requests.shared_options import InferenceOptions
from hyperkd.types import BoolArray, Float32Array, Reporter, Window

# So many tiles, spread over the scene: 64 tiles of 64 x 64 pixels are a quarter of a million
# pixels, enough for a covariance, a median or some cluster centres.
SAMPLE_TILES = 64
# A scene may be mostly empty: then more tiles are looked at, until so many hold pixels.
LEAST_TILES = 16


@dataclass(frozen=True, eq=False)
class SampledTile:
    """One tile of the sample.

    Attributes:
        window: where it lies.
        output: ``(D, row, col)`` float32, of this tile alone, not blended with others.
        valid: ``(row, col)``.
        stored: ``(band, row, col)`` what the raster stores, in the model's bands.
    """

    window: Window
    output: Float32Array
    valid: BoolArray
    stored: NDArray[Any]


def sampled_tiles(
    matched: MatchedModel,
    options: InferenceOptions,
    report: Reporter,
    *,
    count: int = SAMPLE_TILES,
) -> Iterator[SampledTile]:
    """Yield what the network gives for evenly spaced tiles; those without data are left out.

    Args:
        matched: raster and model; the model stays in memory for the run that follows.
        count: tiles to compute; a smaller scene is computed whole.

    Raises:
        HyperKDError: ``no_valid_pixels`` where no tile holds any; ``cancelled``, and what
            reading and computing raise.
    """
    plan = TilePlan.over(matched.plan.grid, matched.plan.tile_px, 0)
    matched = replace(matched, plan=plan)
    order = evenly(plan.count)
    found = 0
    with matched.open(options, report, total=min(count, len(order)), again=True) as run:
        for first in range(0, len(order), count):
            with closing(_computed(run, plan, order[first : first + count])) as tiles:
                for tile in tiles:
                    found += 1
                    yield tile
            if found >= min(LEAST_TILES, count):
                return
    if not found:
        raise no_valid_pixels(matched.source)


def sampled_vectors(
    matched: MatchedModel, options: InferenceOptions, report: Reporter, *, seed: int, most: int
) -> Float32Array:
    """Return the outputs at random valid pixels of ``sampled_tiles``, about as many of each.

    Args:
        matched, options, report: see ``sampled_tiles``.
        most: about how many pixels to return.

    Returns:
        ``(n, D)`` float32.

    Raises:
        HyperKDError: as ``sampled_tiles``.
    """
    generator = np.random.default_rng(seed)
    of_a_tile = max(1, -(-most // min(SAMPLE_TILES, matched.plan.count)))
    parts = []
    for tile in sampled_tiles(matched, options, report):
        places = np.flatnonzero(tile.valid.ravel())
        if len(places) > of_a_tile:
            places = np.sort(generator.choice(places, of_a_tile, replace=False))
        parts.append(tile.output.reshape(len(tile.output), -1)[:, places].T)
    vectors: Float32Array = np.concatenate(parts)
    return vectors


def _computed(
    run: TiledRun, plan: TilePlan, numbers: Sequence[int]
) -> Generator[SampledTile, None, None]:
    wanted: dict[int, list[int]] = {}
    for number in sorted(numbers):
        row, col = divmod(number, len(plan.cols))
        wanted.setdefault(plan.rows[row], []).append(plan.cols[col])
    with run.tiles(plan, wanted) as (reader, results):
        for result in results:
            for col, output in zip(result.cols, result.outputs):
                window = plan.window(result.row, col)
                output = output[:, : window.height, : window.width]
                yield SampledTile(window, output, reader.valid(window), reader.stored(window))
            if result.last:
                later = [row for row in wanted if row > result.row]
                reader.release(min(later, default=result.row))
