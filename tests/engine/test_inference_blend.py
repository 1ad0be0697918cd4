from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperkd.inference.tiling.blend import RollingStrip, axis_weights
from hyperkd.raster.grid import tile_starts


@st.composite
def axes(draw):
    length = draw(st.integers(1, 300))
    tile_px = draw(st.integers(1, 64))
    overlap_px = draw(st.integers(0, tile_px - 1))
    return length, tile_px, tile_starts(length, tile_px, overlap_px)


@given(axes())
def test_weights_are_positive_and_sum_to_one_at_every_pixel(axis):
    length, tile_px, starts = axis
    weights = axis_weights(length, starts, tile_px)
    total = np.zeros(length)
    for start, weight in zip(starts, weights):
        total[start : start + weight.size] += weight
    assert (weights > 0).all()
    np.testing.assert_allclose(total, 1.0, rtol=0, atol=3e-6)


@given(axes())
def test_a_pixel_in_one_tile_only_weighs_exactly_one(axis):
    length, tile_px, starts = axis
    weights = axis_weights(length, starts, tile_px)
    count = np.zeros(length, int)
    for start, weight in zip(starts, weights):
        count[start : start + weight.size] += 1
    for start, weight in zip(starts, weights):
        alone = count[start : start + weight.size] == 1
        assert (weight[alone] == 1.0).all()
        assert (weight[~alone] < 1.0).all()


@given(axes(), st.integers(0, 31))
def test_in_the_halo_a_tile_does_not_count_and_the_others_make_up_for_it(axis, halo):
    length, tile_px, starts = axis
    steps = [second - first for first, second in zip(starts, starts[1:])]
    if any(tile_px - step < 2 * halo for step in steps):
        return
    weights = axis_weights(length, starts, tile_px, halo)
    total = np.zeros(length)
    for start, weight in zip(starts, weights):
        total[start : start + weight.size] += weight
        inside = np.arange(start, start + weight.size)
        lacking = (inside - start < halo) & (start > 0)
        lacking |= (start + weight.size - 1 - inside < halo) & (start + weight.size < length)
        assert (weight[lacking] == 0).all()
        assert (weight[~lacking] > 0).all()
    np.testing.assert_allclose(total, 1.0, rtol=0, atol=3e-6)


def test_two_tiles_cross_in_the_middle_of_their_overlap():
    weights = axis_weights(12, (0, 4), 8)
    # sin^2 at the same distance from both borders gives each a half; symmetric around it.
    np.testing.assert_allclose(weights[0, 4:] + weights[1, :4], 1.0, atol=1e-7)
    np.testing.assert_allclose(weights[0, 4:], weights[1, :4][::-1], atol=1e-7)
    near, far = np.sin(np.pi * 3.5 / 8) ** 2, np.sin(np.pi * 0.5 / 8) ** 2
    assert weights[0, 4] == pytest.approx(near / (near + far), abs=1e-7)


def test_a_strip_rolls_without_losing_or_repeating_rows():
    strip = RollingStrip(1, 3, 0, 2)
    ones = np.ones((3, 2), np.float32)
    strip.add(np.arange(6, dtype=np.float32).reshape(1, 3, 2), 0, ones)
    np.testing.assert_array_equal(strip.top(2)[0], [[0, 1], [2, 3]])
    strip.roll(2)
    np.testing.assert_array_equal(strip.top(3)[0], [[4, 5], [0, 0], [0, 0]])
    strip.add(np.full((1, 3, 1), 10, np.float32), 1, ones[:, :1])
    np.testing.assert_array_equal(strip.top(3)[0], [[4, 15], [0, 10], [0, 10]])


def test_a_strip_of_some_columns_takes_its_part_of_tiles_that_reach_beyond():
    strip = RollingStrip(1, 2, 5, 9)
    weight = np.full((2, 4), 0.5, np.float32)
    tile = np.arange(8, dtype=np.float32).reshape(1, 2, 4)
    strip.add(tile, 3, weight)  # columns 3 to 6: its last two lie inside
    strip.add(tile, 7, weight)  # columns 7 to 10: its first two do
    np.testing.assert_array_equal(strip.top(2)[0], [[1.0, 1.5, 0.0, 0.5], [3.0, 3.5, 2.0, 2.5]])
