from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperkd.errors import HyperKDError
from hyperkd.inference.tiling.pipeline import TiledRun, blended_rows
from hyperkd.inference.tiling.resources import Resources
from hyperkd.inference.tiling.tile_plan import TilePlan
from hyperkd.raster.memory import MemoryRaster
from hyperkd.types import BandTable, GridSpec, Wavelengths
from tests.engine.inference_factories import Recorder

NODATA = -9.0


class Identity:
    """Gives back what it gets, as any translation-invariant pixel-wise model does."""

    provider = "none"

    def __init__(self):
        self.shapes = []

    def run(self, pixels, valid):
        self.shapes.append(pixels.shape)
        return pixels * valid


class BoxSum:
    """Sees its neighbours: the sum of 3 x 3 pixels, zeros outside the tile."""

    provider = "none"

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
    return MemoryRaster(data, table, **options)


def random_raster(height, width, bands=3, seed=0, dtype=np.float32, holes=0.2, **options):
    generator = np.random.default_rng(seed)
    data = generator.integers(0, 10000, (bands, height, width)).astype(dtype)
    hole = generator.random((height, width)) < holes
    hole.flat[generator.integers(0, height * width)] = False
    data[generator.integers(0, bands), hole] = NODATA
    return raster(data, **options), hole


def resources(panels, *, threads=2, readers=2, batch=1, capacity=0):
    return Resources(threads, 1, readers, batch, panels, capacity)


def collect(
    source,
    network,
    *,
    tile_px=8,
    overlap=None,
    field=None,
    report=None,
    bands=None,
    first_row=0,
    edges=None,
    **options,
):
    plan = TilePlan.over(source.grid, tile_px, overlap, field)
    edges = edges or (0, source.grid.width)
    panels = tuple(plan.panel(first, end) for first, end in zip(edges, edges[1:]))
    report = report or Recorder()
    total = sum(panel.count for panel in panels)
    bands = range(len(source.bands)) if bands is None else bands
    run = TiledRun(source, bands, network, resources(panels, **options), report, total)
    result = np.full((len(bands), source.grid.height, source.grid.width), 7e7, np.float32)
    for panel in panels:
        row = first_row
        for rows in blended_rows(run, panel, len(bands), first_row=first_row):
            window = rows.window
            assert (window.row, window.col, window.col_end) == (row, panel.first, panel.end)
            row = window.row_end
            down, across = window.slices()
            result[:, down, across] = rows.values
            stored = source._data[list(bands)][:, down, across]
            np.testing.assert_array_equal(rows.reader.stored(window), stored)
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
        "threads": draw(st.integers(1, 3)),
        "readers": draw(st.integers(1, 2)),
        "blocks": draw(st.tuples(st.integers(1, 50), st.integers(1, 50))),
        "capacity": draw(st.sampled_from([0, 1000, 10**9])),
        "first_row": draw(st.integers(0, 39)),
        "cut": draw(st.integers(1, 39)),
        "seed": draw(st.integers(0, 99)),
        "dtype": draw(st.sampled_from([np.int16, np.float32, np.float64])),
    }


@given(cases())
def test_a_pixelwise_model_gives_the_input_back_wherever_it_is_valid(case):
    height, width = case["height"], case["width"]
    source, hole = random_raster(
        height, width, seed=case["seed"], dtype=case["dtype"], block_shape=case["blocks"]
    )
    first_row = min(case["first_row"], height)
    result, _ = collect(
        source,
        Identity(),
        edges=(0, case["cut"], width) if case["cut"] < width else None,
        first_row=first_row,
        **{
            key: case[key]
            for key in ("tile_px", "overlap", "batch", "threads", "readers", "capacity")
        },
    )
    assert (result[:, :first_row] == 7e7).all()
    result, hole = result[:, first_row:], hole[first_row:]
    expected = source._data.astype(np.float32)[:, first_row:]
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


@pytest.mark.parametrize("blocks", [(1, 40), (3, 40), (16, 16), (64, 64)])
def test_every_pixel_is_read_once_in_whole_blocks_and_empty_tiles_are_skipped(blocks):
    data = np.ones((2, 37, 40), np.float32)
    data[0, :, 16:] = NODATA
    source = raster(data, block_shape=blocks)
    network = Identity()
    report = Recorder()
    _, run = collect(source, network, tile_px=8, overlap=0, report=report)
    read = np.zeros((37, 40), int)
    for window in source.windows:
        read[window.slices()] += 1
        assert window.row % blocks[0] == 0
        assert window.col % blocks[1] == 0
    assert (read == 1).all()
    assert (run.computed_tiles, run.skipped_tiles) == (10, 15)
    assert len(network.shapes) == 10
    done = [progress[0] for progress in report.progresses]
    assert done == sorted(done)
    assert report.progresses[-1] == (25, 25, "tiles")


def test_a_network_that_gives_no_numbers_is_reported_with_the_window_and_the_values():
    data = np.ones((1, 8, 20), np.float32)
    data[0, 3, 15] = 1e30

    class Overflow(Identity):
        def run(self, pixels, valid):
            with np.errstate(over="ignore"):
                return pixels * np.float32(1e30)

    message = r"columns 12 to 19, rows 0 to 7; .* from 1 to 1e\+30"
    with pytest.raises(HyperKDError, match=message) as caught:
        collect(raster(data), Overflow(), tile_px=8, overlap=2)
    assert caught.value.code == "unsupported_raster"
    assert caught.value.context["window"] == [12, 0, 8, 8]


def test_a_cancel_ends_the_run_before_the_next_batch():
    source, _ = random_raster(8, 800, holes=0.0)
    network = Identity()
    with pytest.raises(HyperKDError, match="cancelled") as caught:
        collect(source, network, overlap=0, report=Recorder(cancel_after=3))
    assert caught.value.code == "cancelled"
    # Two threads work, and may be two tiles ahead of what was taken.
    assert len(network.shapes) <= 3 + 4


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


@pytest.mark.parametrize("batch", [2, 3, 8, 64])
def test_batches_are_as_equal_as_they_can_be_and_stay_within_a_row_of_tiles(batch):
    source, _ = random_raster(16, 80, holes=0.0)
    network = Identity()
    collect(source, network, overlap=0, batch=batch, threads=1)
    sizes = [shape[0] for shape in network.shapes]
    assert sum(sizes) == 20
    assert max(sizes) <= batch
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("readers", [1, 2])
def test_threads_and_blocks_change_no_bit(threads, readers):
    source, _ = random_raster(61, 50, seed=3, block_shape=(7, 50))
    reference, _ = collect(source, BoxSum(), tile_px=16, threads=1, readers=1, capacity=10**9)
    again, _ = random_raster(61, 50, seed=3, block_shape=(32, 16))
    result, _ = collect(again, BoxSum(), tile_px=16, threads=threads, readers=readers)
    np.testing.assert_array_equal(result, reference)


@pytest.mark.parametrize("first_row", [1, 15, 16, 40, 60])
def test_a_job_that_goes_on_at_a_row_has_the_same_bits_from_there(first_row):
    source, _ = random_raster(61, 50, seed=3)
    reference, _ = collect(source, BoxSum(), tile_px=16)
    result, run = collect(source, BoxSum(), tile_px=16, first_row=first_row)
    np.testing.assert_array_equal(result[:, first_row:], reference[:, first_row:])
    reached = sum(row + 16 > first_row for row in (0, 12, 24, 36, 45))
    assert run.computed_tiles == 4 * reached


def test_panels_give_the_same_bits_as_the_whole():
    source, _ = random_raster(33, 90, seed=5)
    reference, _ = collect(source, BoxSum(), tile_px=16, overlap=5)
    result, run = collect(source, BoxSum(), tile_px=16, overlap=5, edges=(0, 32, 64, 90))
    np.testing.assert_array_equal(result, reference)
    assert run.computed_tiles > TilePlan.over(source.grid, 16, 5).count


@pytest.mark.parametrize("where", ["read", "compute"])
def test_a_failure_in_any_thread_ends_the_job_with_its_own_error(where):
    class Broken(Identity):
        def run(self, pixels, valid):
            if len(self.shapes) == 5:
                raise HyperKDError("out_of_memory", "the batch does not fit")
            return super().run(pixels, valid)

    source, _ = random_raster(64, 64, holes=0.0, block_shape=(8, 64))
    network = Identity()
    if where == "compute":
        network = Broken()
    else:
        original = source.read_tile

        def read_tile(window, bands=None, out=None):
            if window.row >= 32:
                raise HyperKDError("input_changed", "the file changed")
            return original(window, bands, out)

        source.read_tile = read_tile
    with pytest.raises(HyperKDError, match="does not fit|file changed") as caught:
        collect(source, network, threads=3)
    assert caught.value.code == {"read": "input_changed", "compute": "out_of_memory"}[where]


def test_a_block_that_cannot_be_read_is_named_or_left_out():
    def broken(window, bands=None, out=None):
        if window.row <= 20 < window.row_end and window.col <= 9 < window.col_end:
            place = f"column {window.col}, row {window.row}"
            raise HyperKDError("unreadable_raster", f"scene.tif cannot be read at {place}")
        return original(window, bands, out)

    source, _ = random_raster(64, 40, holes=0.0, block_shape=(8, 8))
    original, source.read_tile = source.read_tile, broken
    with pytest.raises(HyperKDError, match="at column 8, row 16") as caught:
        collect(source, Identity())
    assert caught.value.code == "unreadable_raster"

    plan = TilePlan.over(source.grid, 8, 2)
    run = TiledRun(
        source, [0, 1, 2], Identity(), resources((plan.whole(),)), Recorder(), plan.count
    )
    run.unreadable.allowed = True
    parts = [rows.values.copy() for rows in blended_rows(run, plan.whole(), 3)]
    values = np.concatenate(parts, axis=1)
    lost = np.zeros((64, 40), bool)
    lost[16:24, 8:16] = True
    np.testing.assert_array_equal(np.isnan(values), np.broadcast_to(lost, values.shape))
    np.testing.assert_allclose(values[:, ~lost], source._data[:, ~lost], rtol=1e-6)
    assert run.unreadable.windows == [[8, 16, 8, 8]]
    assert run.unreadable.pixels == 64


@pytest.mark.parametrize("overlap", [None, 2, 5, 9])
@pytest.mark.parametrize("shape", [(40, 40), (41, 37), (16, 90), (5, 60)])
def test_a_model_whose_reach_is_known_gives_the_same_tiled_and_whole(shape, overlap):
    source, hole = random_raster(*shape, seed=2)
    pixels = np.where(hole, 0, source._data)[None]
    whole = BoxSum().run(pixels, (~hole).astype(np.float32)[None, None])[0]
    if shape[0] < 16:  # the tile is continued by reflection, whose border is not the raster's
        whole, inner = whole[:, :-1], np.s_[:, :-1]
    else:
        inner = np.s_[:, :]
    tiled, run = collect(source, BoxSum(), tile_px=16, overlap=overlap, field=3)
    np.testing.assert_allclose(
        np.where(hole, 0, tiled)[inner], np.where(hole[: whole.shape[1]], 0, whole), rtol=1e-6
    )
    if overlap is None:
        assert run.total == TilePlan.over(source.grid, 16, 2).count


@pytest.mark.parametrize(
    ("field", "overlap", "expected"),
    [
        (None, None, (16, 0)),
        (64, None, (16, 0)),
        (1, None, (0, 0)),
        (5, None, (4, 2)),
        (17, None, (16, 8)),
        (19, None, (16, 0)),
        (5, 10, (10, 2)),
        (5, 3, (3, 0)),
    ],
)
def test_tiles_overlap_by_what_the_network_needs_and_no_more(field, overlap, expected):
    plan = TilePlan.over(GridSpec(200, 200), 64, overlap, field)
    assert (plan.overlap_px, plan.halo_px) == expected
