"""A look at a scene before the run: what the network gives for some tiles of it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.inference.prepared import LoadingModel, OpeningNetwork, ReadyModel
from hyperkd.inference.tiling.pipeline import Run, no_valid_pixels
from hyperkd.inference.tiling.tile_plan import TilePlan
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
    ready: ReadyModel, settings: InferenceOptions, report: Reporter, *, count: int = SAMPLE_TILES
) -> Iterator[SampledTile]:
    """Yield what the network gives for evenly spaced tiles; those without data are left out.

    Args:
        ready: raster and model; they stay ready, the network is opened for the sample alone.
        settings: how to run.
        report: where progress goes.
        count: tiles to look at; a smaller scene is looked at whole.

    Raises:
        HyperKDError: ``no_valid_pixels`` where no tile holds any; ``cancelled``, and what
            reading and computing raise.
    """
    ready = replace(ready, plan=_without_overlap(ready.plan))
    resources = ready.resources(
        kept=ready.count,
        row_bytes=0,
        block_rows=0,
        batch=settings.batch,
        budget_mb=settings.memory_mb,
        report=report,
    )
    order = evenly(ready.plan.count)
    run = Run(OpeningNetwork(ready, resources, report), resources, report, min(count, len(order)))
    found = 0
    for first in range(0, len(order), count):
        with closing(_computed(ready, run, order[first : first + count])) as tiles:
            for tile in tiles:
                found += 1
                yield tile
        if found >= min(LEAST_TILES, count):
            return
    if not found:
        raise no_valid_pixels(ready.source)


def sampled_vectors(
    ready: ReadyModel, settings: InferenceOptions, report: Reporter, *, seed: int, most: int
) -> Float32Array:
    """Return the outputs at random valid pixels of ``sampled_tiles``, about as many of each.

    Args:
        ready, settings, report: see ``sampled_tiles``.
        seed: of the choice.
        most: about how many pixels to return.

    Returns:
        ``(n, D)`` float32.

    Raises:
        HyperKDError: as ``sampled_tiles``.
    """
    generator = np.random.default_rng(seed)
    share = max(1, -(-most // min(SAMPLE_TILES, ready.plan.count)))
    parts = []
    for tile in sampled_tiles(ready, settings, report):
        places = np.flatnonzero(tile.valid.ravel())
        if len(places) > share:
            places = np.sort(generator.choice(places, share, replace=False))
        parts.append(tile.output.reshape(len(tile.output), -1)[:, places].T)
    vectors: Float32Array = np.concatenate(parts)
    return vectors


def reopened(ready: ReadyModel, model: str) -> ReadyModel:
    """Return raster and model for a second run: the first one forgets the model's weights."""
    return replace(ready, loading=LoadingModel(model))


def evenly(count: int) -> list[int]:
    """Return 0 to ``count`` - 1 in an order whose every beginning is spread evenly.

    The golden ratio's multiples, sorted: no stretch of the range is left out for long.
    """
    ratio = (np.sqrt(5.0) - 1.0) / 2.0
    # The inverse of the sequence's own order: the place that each step falls on.
    order = np.argsort(np.argsort((np.arange(count) * ratio) % 1.0))
    return [int(index) for index in order]


def _without_overlap(plan: TilePlan) -> TilePlan:
    return TilePlan.over(plan.grid, plan.tile_px, 0)


def _computed(
    ready: ReadyModel, run: Run, numbers: Sequence[int]
) -> Generator[SampledTile, None, None]:
    plan = ready.plan
    wanted: dict[int, list[int]] = {}
    for number in sorted(numbers):
        row, col = divmod(number, len(plan.cols))
        wanted.setdefault(plan.rows[row], []).append(plan.cols[col])
    with run.tiles(ready.source, ready.bands, plan, wanted) as (reader, results):
        for result in results:
            for col, output in zip(result.cols, result.outputs):
                window = plan.window(result.row, col)
                stored = np.empty(
                    (len(ready.bands), window.height, window.width), ready.source.dtype
                )
                reader.copy(window, stored)
                yield SampledTile(window, output, reader.valid(window), stored)
            if result.last:
                later = [row for row in wanted if row > result.row]
                reader.release(min(later, default=result.row))
