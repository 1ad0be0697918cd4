from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperkd.errors import HyperKDError
from hyperkd.inference.pipeline import Run, Stopwatch, StripeReader, TilePlan, run_tiled
from hyperkd.raster.source import FakeRaster
from hyperkd.types import BandTable, GridSpec, Wavelengths, Window
from tests.engine.inference_factories import Recorder

NODATA = -9.0


class Identity:
    """Gives back what it gets, as any translation-invariant pixel-wise model does."""

    def __init__(self):
        self.shapes = []

    def run(self, pixels, valid):
        self.shapes.append(pixels.shape)
        return pixels * valid


class BoxSum:
    """Sees its neighbours: the sum of 3 x 3 pixels, zeros outside the tile."""

    def run(self, pixels, valid):
        padded = np.pad(pixels * valid, ((0, 0), (0, 0), (1, 1), (1, 1)))
        height, width = pixels.shape[2:]
        return sum(
            padded[:, :, row : row + height, col : col + width]
            for row in range(3)
            for col in range(3)
        )


def raster(data, **options):
    count = data.shape[0]
    table = BandTable(
        Wavelengths(np.linspace(450.0, 2400.0, count) if count > 1 else [500.0]),
        np.ones(count, bool),
        np.ones(count),
        np.zeros(count),
        np.full(count, NODATA),
    )
    return FakeRaster(data, table, **options)


def random_raster(height, width, bands=3, seed=0, dtype=np.float32, holes=0.2):
    generator = np.random.default_rng(seed)
    data = generator.integers(0, 10000, (bands, height, width)).astype(dtype)
    hole = generator.random((height, width)) < holes
    hole.flat[generator.integers(0, height * width)] = False
    data[generator.integers(0, bands), hole] = NODATA
    return raster(data), hole


def collect(source, network, *, tile_px=8, overlap=None, batch=4, report=None, bands=None):
    plan = TilePlan.over(source.grid, tile_px, overlap)
    report = report or Recorder()
    run = Run(network, batch, report, plan.count)
    bands = range(len(source.bands)) if bands is None else bands
    result = np.full((len(bands), source.grid.height, source.grid.width), 7e7, np.float32)
    row = 0
    for values, rows in run_tiled(run, source, bands, plan, len(bands)):
        assert (rows.window.row, rows.window.width) == (row, source.grid.width)
        row = rows.window.row_end
        result[:, rows.window.row : row] = values
        stored = source._data[list(bands), rows.window.row : row]
        np.testing.assert_array_equal(rows.data, np.where(rows.valid, stored, 0))
    assert row == source.grid.height
    return result, run


@st.composite
def cases(draw):
    tile_px = draw(st.integers(1, 12))
    return {
        "height": draw(st.integers(1, 40)),
        "width": draw(st.integers(1, 40)),
        "tile_px": tile_px,
        "overlap": draw(st.integers(0, tile_px - 1)),
        "batch": draw(st.integers(1, 5)),
        "seed": draw(st.integers(0, 99)),
        "dtype": draw(st.sampled_from([np.int16, np.float32, np.float64])),
    }


@given(cases())
def test_a_pixelwise_model_gives_the_input_back_wherever_it_is_valid(case):
    source, hole = random_raster(
        case["height"], case["width"], seed=case["seed"], dtype=case["dtype"]
    )
    result, _ = collect(
        source,
        Identity(),
        tile_px=case["tile_px"],
        overlap=case["overlap"],
        batch=case["batch"],
    )
    expected = source._data.astype(np.float32)
    np.testing.assert_allclose(result[:, ~hole], expected[:, ~hole], rtol=1e-6)
    assert np.isnan(result[:, hole]).all()


def test_without_overlap_the_input_comes_back_bit_for_bit():
    source, hole = random_raster(24, 32)
    result, _ = collect(source, Identity(), tile_px=8, overlap=0)
    np.testing.assert_array_equal(result[:, ~hole], source._data[:, ~hole])


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (5, 7), (8, 8), (9, 8), (17, 23)])
def test_every_size_works_and_the_network_always_sees_whole_tiles(shape):
    source, hole = random_raster(*shape)
    network = Identity()
    result, _ = collect(source, network, tile_px=8)
    np.testing.assert_allclose(result[:, ~hole], source._data[:, ~hole], rtol=1e-6)
    assert {seen[1:] for seen in network.shapes} == {(3, 8, 8)}


def test_a_small_raster_is_continued_by_reflection_with_its_mask():
    data = np.array([[[1.0, 2.0, 3.0], [4.0, NODATA, 6.0]]], np.float32)
    seen = []

    class Spy(Identity):
        def run(self, pixels, valid):
            seen.append((pixels.copy(), valid.copy()))
            return super().run(pixels, valid)

    collect(raster(data), Spy(), tile_px=5)
    ((pixels, valid),) = seen
    row0, row1 = [1, 2, 3, 2, 1], [4, 0, 6, 0, 4]
    np.testing.assert_array_equal(pixels[0, 0], [row0, row1, row0, row1, row0])
    hole = [1, 0, 1, 0, 1]
    np.testing.assert_array_equal(valid[0, 0], [[1] * 5, hole, [1] * 5, hole, [1] * 5])


def test_tiled_equals_whole_inside_for_a_model_with_a_small_receptive_field():
    """With an overlap the middle of tiles is exact; only borders of tiles are approximate."""
    source, _ = random_raster(40, 40, holes=0.0)
    whole = BoxSum().run(source._data[None], np.ones((1, 1, 40, 40), np.float32))[0]
    tiled, _ = collect(source, BoxSum(), tile_px=16, overlap=8)
    plan = TilePlan.over(source.grid, 16, 8)
    # Rows that are the border of no tile are exact; elsewhere the border counts little.
    border = {edge for start in plan.rows for edge in (start, start + 15)} - {0, 39}
    inner = np.array([index for index in range(40) if index not in border])
    exact = np.ix_(range(3), inner, inner)
    np.testing.assert_allclose(tiled[exact], whole[exact], rtol=1e-5)
    assert np.abs(tiled - whole).max() < 0.02 * whole.max()


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 64])
def test_results_do_not_depend_on_the_batch_size(batch):
    source, _ = random_raster(30, 50, seed=3)
    reference, _ = collect(source, BoxSum(), tile_px=16, batch=5)
    result, _ = collect(source, BoxSum(), tile_px=16, batch=batch)
    np.testing.assert_allclose(result, reference, rtol=1e-5)


def test_only_the_named_bands_are_read_in_their_order():
    source, hole = random_raster(20, 20, bands=5, holes=0.0)
    result, _ = collect(source, Identity(), bands=[3, 1])
    np.testing.assert_allclose(result, source._data[[3, 1]], rtol=1e-6)


def test_nan_and_infinity_are_masked_and_never_reach_the_network():
    source, _ = random_raster(10, 10, holes=0.0)
    source._data[0, 2, 3] = np.nan
    source._data[1, 5, 6] = np.inf

    class Strict(Identity):
        def run(self, pixels, valid):
            assert np.isfinite(pixels).all()
            return super().run(pixels, valid)

    result, _ = collect(source, Strict())
    assert np.argwhere(np.isnan(result[2])).tolist() == [[2, 3], [5, 6]]


def test_rows_are_read_once_and_windows_without_a_valid_pixel_are_skipped():
    data = np.ones((2, 37, 40), np.float32)
    data[0, :, 16:] = NODATA
    source = raster(data)
    network = Identity()
    report = Recorder()
    _, run = collect(source, network, tile_px=8, overlap=0, batch=1, report=report)
    read = sorted(row for w in source.windows for row in range(w.row, w.row_end))
    assert read == list(range(37))
    assert {(w.col, w.width) for w in source.windows} == {(0, 40)}
    assert (run.computed_tiles, run.skipped_tiles) == (10, 15)
    assert len(network.shapes) == 10
    done = [progress[0] for progress in report.progresses]
    assert done == sorted(done)
    assert report.progresses[-1] == (25, 25, "tiles")


def test_a_stripe_reader_may_jump_and_still_reads_no_row_twice():
    source, _ = random_raster(40, 6, holes=0.3)
    reader = StripeReader(source, [2, 0], 8, Stopwatch())
    for row in (0, 4, 7, 20, 20, 32):
        stripe = reader.read(row)
        assert stripe.window == Window(0, row, 6, 8)
        again = source.read_tile(stripe.window, [2, 0])
        source.windows.pop()
        np.testing.assert_array_equal(stripe.valid, again.valid)
        np.testing.assert_array_equal(stripe.data, np.where(again.valid, again.data, 0))
    assert [(w.row, w.height) for w in source.windows] == [
        (0, 8),
        (8, 4),
        (12, 3),
        (20, 8),
        (32, 8),
    ]


def test_a_raster_without_valid_pixels_is_refused():
    source = raster(np.full((2, 20, 10), NODATA, np.float32))
    with pytest.raises(HyperKDError, match=r"memory has no valid pixel: 10 x 20") as caught:
        collect(source, Identity())
    assert caught.value.code == "no_valid_pixels"


def test_a_network_that_gives_no_numbers_is_reported_with_the_window_and_the_values():
    data = np.ones((1, 8, 20), np.float32)
    data[0, 3, 15] = 1e30

    class Overflow(Identity):
        def run(self, pixels, valid):
            with np.errstate(over="ignore"):
                return pixels * np.float32(1e30)

    message = r"columns 12 to 19, rows 0 to 7; .* from 1 to 1e\+30"
    with pytest.raises(HyperKDError, match=message) as caught:
        collect(raster(data), Overflow(), tile_px=8, overlap=2, batch=1)
    assert caught.value.code == "unsupported_raster"
    assert caught.value.context["window"] == [12, 0, 8, 8]


def test_a_cancel_ends_the_run_before_the_next_batch():
    source, _ = random_raster(8, 80, holes=0.0)
    network = Identity()
    # One look per row of tiles, one per batch.
    with pytest.raises(HyperKDError, match="cancelled") as caught:
        collect(source, network, overlap=0, batch=2, report=Recorder(cancel_after=3))
    assert caught.value.code == "cancelled"
    assert len(network.shapes) == 2


@pytest.mark.parametrize("overlap", [-1, 16, 99])
def test_an_overlap_that_does_not_fit_is_refused(overlap):
    message = f"overlap of {overlap} pixels does not fit tiles of 16"
    with pytest.raises(HyperKDError, match=message) as caught:
        TilePlan.over(GridSpec(100, 100), 16, overlap)
    assert caught.value.code == "bad_job"


def test_the_default_overlap_is_a_quarter_of_the_tile():
    plan = TilePlan.over(GridSpec(100, 40), 16)
    assert plan.rows == (0, 12, 24)
    assert plan.cols == (0, 12, 24, 36, 48, 60, 72, 84)
    assert plan.count == 24
