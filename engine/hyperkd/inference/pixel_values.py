"""What the map of a scene is made from, at some pixels only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hyperkd.inference.prepared import MatchedModel
from hyperkd.inference.tiling.pipeline import TiledRun
from hyperkd.inference.tiling.tile_plan import TilePlan
from hyperkd.requests.shared_options import InferenceOptions
from hyperkd.sentences import counted
from hyperkd.types import Float32Array, Reporter


def values_at(
    matched: MatchedModel,
    pixels: tuple[ArrayLike, ArrayLike],
    options: InferenceOptions,
    report: Reporter,
    *,
    again: bool = False,
) -> Float32Array:
    """Return the blended output of a network at some pixels.

    The same tiles, weights and order of additions as in the map; tiles that hold
    none of the pixels are not computed.

    Args:
        pixels: rows and columns, ``(n,)`` each, inside the raster.
        again: see ``MatchedModel.open``.

    Returns:
        ``(n, D)`` float32, NaN where a pixel is not valid.

    Raises:
        ValueError: a pixel lies outside the raster.
        HyperKDError: what planning, reading and computing raise.
    """
    plan = matched.plan
    rows, cols = (np.asarray(axis, np.intp) for axis in pixels)
    inside = _between(rows, 0, plan.grid.height) & _between(cols, 0, plan.grid.width)
    if not inside.all():
        raise ValueError(
            f"{counted(int((~inside).sum()), 'pixel')} outside the raster of {plan.grid}"
        )
    wanted = _tiles_with_pixels(rows, cols, plan)
    total = sum(map(len, wanted.values()))
    with matched.open(options, report, total=total, again=again) as run:
        return _gather(
            run, plan, np.zeros((len(rows), matched.count), np.float32), rows, cols, wanted
        )


def _gather(
    run: TiledRun,
    plan: TilePlan,
    values: Float32Array,
    rows: NDArray[np.intp],
    cols: NDArray[np.intp],
    wanted: Mapping[int, Sequence[int]],
) -> Float32Array:
    """Compute the wanted tiles and add up their outputs in ``values`` ``(n, D)``, at first 0."""
    valid = np.zeros(len(rows), np.bool_)
    row_weights, col_weights = plan.row_weights(), plan.col_weights()
    with run.tiles(plan, wanted) as (reader, results):
        for result in results:
            row = result.row
            for col, tile in zip(result.cols, result.outputs):
                window = plan.window(row, col)
                chosen = _between(rows, row, window.height) & _between(cols, col, window.width)
                down, right = rows[chosen] - row, cols[chosen] - col
                weight = row_weights[row][down] * col_weights[col][right]
                values[chosen] += (tile[:, down, right] * weight).T
                valid[chosen] = reader.valid(window)[down, right]
            if result.last:
                reader.release(min((later for later in wanted if later > row), default=row))
    values[~valid] = np.nan
    return values


def _between(values: NDArray[np.intp], first: int, count: int) -> NDArray[np.bool_]:
    between: NDArray[np.bool_] = (values >= first) & (values < first + count)
    return between


def _tiles_with_pixels(
    rows: NDArray[np.intp], cols: NDArray[np.intp], plan: TilePlan
) -> dict[int, list[int]]:
    """Return the first columns of the tiles that hold a pixel, by the tiles' first row."""
    found: dict[int, list[int]] = {}
    for row in plan.rows:
        here = cols[_between(rows, row, plan.height)]
        starts = [col for col in plan.cols if _between(here, col, plan.width).any()]
        if starts:
            found[row] = starts
    return found
