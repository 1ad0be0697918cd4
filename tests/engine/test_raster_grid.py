"""The algebra of windows: every pixel once or as often as asked, and nothing outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperkd.raster.grid import iterate_tiles, tile_starts
from hyperkd.raster.memory import MemoryRaster
from hyperkd.raster.source import iterate_stripes
from hyperkd.types import BandTable, GridSpec, Wavelengths, Window

sides = st.integers(1, 60)
windows = st.builds(Window, st.integers(-20, 20), st.integers(-20, 20), sides, sides)


def painted(window: Window) -> np.ndarray:
    """Return the plane from -20 to 80 with the window's pixels set."""
    plane = np.zeros((100, 100), bool)
    plane[window.slices(Window(-20, -20, 100, 100))] = True
    return plane


@given(windows, windows)
def test_intersection_is_that_of_the_pixels(one: Window, other: Window) -> None:
    common = one.intersection(other)
    both = painted(one) & painted(other)
    assert both.any() == (common is not None)
    if common is not None:
        np.testing.assert_array_equal(painted(common), both)
    assert other.intersection(one) == common
    assert one.contains(other) == bool((painted(one) >= painted(other)).all())
    assert one.contains(one)


@given(windows, windows)
def test_slices_inside_another_window(one: Window, other: Window) -> None:
    common = one.intersection(other)
    if common is not None:
        plane = np.arange(10000).reshape(100, 100)
        whole = Window(-20, -20, 100, 100)
        part = plane[other.slices(whole)]
        np.testing.assert_array_equal(part[common.slices(other)], plane[common.slices(whole)])


@given(sides, sides, st.integers(1, 40), st.data())
def test_tiles_cover_every_pixel_and_stay_inside(
    width: int, height: int, tile_px: int, draw: st.DataObject
) -> None:
    overlap = draw.draw(st.integers(0, tile_px - 1))
    grid = GridSpec(width, height)
    seen = np.zeros((height, width), int)
    tiles = list(iterate_tiles(grid, tile_px, overlap))
    for tile in tiles:
        assert grid.window.contains(tile)
        assert (tile.width, tile.height) == (min(tile_px, width), min(tile_px, height))
        seen[tile.slices()] += 1
    assert seen.min() == 1 or overlap > 0
    assert (seen > 0).all()
    assert len(set(tiles)) == len(tiles)
    assert tiles == sorted(tiles, key=lambda tile: (tile.row, tile.col))


@given(st.integers(1, 500), st.integers(1, 80), st.data())
def test_neighbours_share_what_was_asked_and_no_tile_is_in_vain(
    length: int, tile_px: int, draw: st.DataObject
) -> None:
    overlap = draw.draw(st.integers(0, tile_px - 1))
    starts = tile_starts(length, tile_px, overlap)
    steps = np.diff(starts)
    assert starts[0] == 0
    assert starts[-1] == max(0, length - tile_px)
    assert (steps > 0).all()
    assert (tile_px - steps >= overlap).all()
    fewest = 1 + max(0, -(-(length - tile_px) // (tile_px - overlap)))
    assert len(starts) == fewest


@pytest.mark.parametrize("overlap", [-1, 8, 9])
def test_overlap_of_a_whole_tile_is_a_fault_of_the_caller(overlap: int) -> None:
    with pytest.raises(ValueError, match=f"overlap {overlap} must be in 0..7"):
        list(iterate_tiles(GridSpec(10, 10), 8, overlap))


@given(st.integers(1, 3000), st.integers(1, 400))
def test_stripes_cover_the_rows_once_in_whole_blocks(height: int, block: int) -> None:
    bands = BandTable(
        Wavelengths(np.array([550.0])),
        np.ones(1, bool),
        np.ones(1),
        np.zeros(1),
        np.full(1, np.nan),
    )
    wide = np.broadcast_to(np.zeros((1, 1, 1), np.float64), (1, height, 100000))
    stripes = list(iterate_stripes(MemoryRaster(wide, bands, block_shape=(block, 16))))
    assert [s.row for s in stripes] == [0, *(s.row_end for s in stripes[:-1])]
    assert stripes[-1].row_end == height
    for stripe in stripes:
        assert (stripe.col, stripe.width) == (0, 100000)
        assert stripe.row % block == 0
        assert stripe.height <= block or stripe.height * 100000 * 8 <= 128 * 2**20
