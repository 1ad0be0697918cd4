"""What every source owes its readers: the fake and GDAL's own, held against the same arrays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st
from numpy.typing import NDArray
from osgeo import gdal

from hyperkd.errors import HyperKDError
from hyperkd.raster.bands.sampling import sample_windows, take_sample
from hyperkd.raster.gdal.opening import stamp
from hyperkd.raster.gdal.reader import PlainRaster
from hyperkd.raster.masks import has_value, valid_mask
from hyperkd.raster.memory import MemoryRaster
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.source import RasterSource
from hyperkd.types import BandTable, GridSpec, Wavelengths, Window
from tests.factories import WAVELENGTHS_NM, make_raster, spectra

HEIGHT, WIDTH = 45, 70
BAD = 2


def pixels() -> np.ndarray:
    data = spectra(height=HEIGHT, width=WIDTH)
    data[0, 3:5, 10] = -32768
    data[BAD, 20, 20] = -32768
    data[:, 40:, 60:] = -32768
    return data


def table(count: int = 6, nodata: float = -32768.0) -> BandTable:
    return BandTable(
        Wavelengths(np.array(WAVELENGTHS_NM[:count])),
        good=np.arange(count) != BAD,
        scale=np.full(count, 1e-4),
        offset=np.zeros(count),
        nodata=np.full(count, nodata),
    )


@pytest.fixture(scope="module", params=["fake", "band", "pixel", "tiled"])
def source(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RasterSource]:
    if request.param == "fake":
        yield MemoryRaster(pixels(), table())
        return
    options = {
        "band": ["INTERLEAVE=BAND", "BLOCKYSIZE=7", "COMPRESS=DEFLATE"],
        "pixel": ["INTERLEAVE=PIXEL", "BLOCKYSIZE=1"],
        "tiled": ["TILED=YES", "BLOCKXSIZE=32", "BLOCKYSIZE=16", "INTERLEAVE=BAND"],
    }[request.param]
    path = tmp_path_factory.mktemp("source") / "scene.tif"
    bbl = [int(index != BAD) for index in range(6)]
    with open_raster(str(make_raster(path, pixels(), bbl=bbl, options=options))) as opened:
        yield opened


@st.composite
def windows(draw: Any) -> Window:
    col, row = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    return Window(col, row, draw(st.integers(1, WIDTH - col)), draw(st.integers(1, HEIGHT - row)))


@for_any(windows(), st.none() | st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_any_window_of_any_bands_is_the_slice(
    source: RasterSource, window: Window, bands: list[int] | None
) -> None:
    rows, cols = window.slices()
    index = list(range(6)) if bands is None else bands
    expected = pixels()[index, rows, cols]
    tile = source.read_tile(window, bands)
    np.testing.assert_array_equal(tile.data, expected)
    assert tile.data.dtype == np.int16
    assert tile.data.flags.c_contiguous
    assert tile.data.flags.writeable
    assert tile.window == window
    assert tile.grid == source.grid
    np.testing.assert_array_equal(tile.bands.wavelengths.centre_nm, np.array(WAVELENGTHS_NM)[index])
    counted = [rank for rank, band in enumerate(index) if band != BAD]
    valid = (expected[counted] != -32768).all(axis=0) & bool(counted)
    np.testing.assert_array_equal(tile.valid, valid)
    np.testing.assert_array_equal(source.read(window, bands), expected)


@for_any(windows())
def test_a_tile_is_the_part_of_the_whole(source: RasterSource, window: Window) -> None:
    whole = source.read_tile(source.grid.window)
    rows, cols = window.slices()
    part = source.read_tile(window)
    np.testing.assert_array_equal(part.data, whole.data[:, rows, cols])
    np.testing.assert_array_equal(part.valid, whole.valid[rows, cols])


@pytest.mark.parametrize("window", [Window(-1, 0, 2, 2), Window(0, 0, WIDTH + 1, 1)])
def test_windows_outside_are_a_fault_of_the_caller(source: RasterSource, window: Window) -> None:
    with pytest.raises(ValueError, match=f"reaches outside the raster of {WIDTH} x {HEIGHT}"):
        source.read(window)


def test_unchanged_and_without_problems(source: RasterSource) -> None:
    source.check_unchanged()
    assert source.problems == ()
    assert source.dtype == np.int16


def test_bands_outside_are_a_fault_of_the_caller(tmp_path: Path) -> None:
    with open_raster(str(make_raster(tmp_path / "scene.tif"))) as opened:
        for bands in ([6], [-1]):
            with pytest.raises(ValueError, match="of a raster with 6 bands"):
                opened.read(Window(0, 0, 1, 1), bands)


def test_closing_twice_is_fine_and_reading_afterwards_is_not(tmp_path: Path) -> None:
    opened = open_raster(str(make_raster(tmp_path / "scene.tif")))
    opened.close()
    opened.close()
    with pytest.raises(ValueError, match="is closed"):
        opened.read(Window(0, 0, 1, 1))


def test_a_window_is_one_call_of_the_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Band by band, a pixel interleaved file takes a hundred times as long."""
    calls: list[Any] = []
    original = gdal.Dataset.ReadRaster

    def counting(self: Any, *arguments: Any, **named: Any) -> Any:
        calls.append(named["band_list"])
        return original(self, *arguments, **named)

    with open_raster(str(make_raster(tmp_path / "scene.tif"))) as opened:
        monkeypatch.setattr(gdal.Dataset, "ReadRaster", counting)
        monkeypatch.setattr(gdal.Band, "ReadRaster", None)
        opened.read_tile(Window(1, 1, 3, 3), [5, 0, 2])
    assert calls == [[6, 1, 3]]


def test_a_failure_without_exceptions_is_noticed(tmp_path: Path) -> None:
    """A sink that closes in another thread switches them off for a moment."""
    path = make_raster(tmp_path / "scene.tif", spectra(6, 400, 100), options=["BLOCKYSIZE=1"])
    (tmp_path / "test.txt").write_text("no raster")
    with open_raster(str(path)) as opened:
        size = path.stat().st_size
        os.truncate(path, size // 2)
        opened._files = stamp(opened._files)  # so that it passes for damage
        gdal.DontUseExceptions()
        try:
            with pytest.raises(HyperKDError, match="cannot be read at column 0, row 0") as caught:
                opened.read(opened.grid.window)
            with pytest.raises(HyperKDError, match="cannot be opened as a raster"):
                open_raster(str(tmp_path / "test.txt"))
        finally:
            gdal.UseExceptions()
    assert caught.value.code == "unreadable_raster"


def test_missing_rule_of_nonsense_is_a_fault_of_the_caller(tmp_path: Path) -> None:
    path = str(make_raster(tmp_path / "scene.tif"))
    for missing in ("some", 1.0, -0.1):
        with pytest.raises(ValueError, match="expected 'any', 'all' or a fraction"):
            open_raster(path, missing=missing)


@pytest.mark.parametrize("given", [{"scale": 1e-4}, {"offset": 0.0}, {"nodata": 0}])
def test_a_product_keeps_its_own_scale(tmp_path: Path, given: dict[str, float]) -> None:
    with pytest.raises(HyperKDError, match="product with its own scale") as caught:
        open_raster(str(tmp_path), **given)
    assert caught.value.code == "bad_job"
    assert "import the product" in caught.value.hint


def test_fake_remembers_its_windows_and_refuses_other_shapes() -> None:
    fake = MemoryRaster(pixels(), table())
    fake.read(Window(0, 0, 2, 3))
    fake.read_tile(Window(4, 5, 6, 7))
    assert fake.windows == [Window(0, 0, 2, 3), Window(4, 5, 6, 7)]
    with pytest.raises(ValueError, match="the table 5 bands"):
        MemoryRaster(pixels(), table(5))
    with pytest.raises(ValueError, match="the grid"):
        MemoryRaster(pixels(), table(), GridSpec(3, 4))


def test_plain_raster_reads_labels_without_wavelengths(tmp_path: Path) -> None:
    labels = np.arange(35, dtype=np.uint8).reshape(1, 5, 7)
    path = make_raster(tmp_path / "l.tif", labels, wavelengths=None, scale=None, nodata=0)
    with PlainRaster(str(path)) as plain:
        np.testing.assert_array_equal(plain.read(plain.grid.window), labels)
        assert plain.nodata() == (0.0,)
        assert (plain.count, plain.dtype, plain.block_shape) == (1, np.dtype("uint8"), (5, 7))


# --- masks against a plain loop ---------------------------------------------------------------


@for_any(
    st.sampled_from(["int16", "uint16", "float32", "float64"]),
    st.sampled_from([np.nan, -9999.0, 0.0, 65535.0, -32768.0]),
    st.lists(st.booleans(), min_size=4, max_size=4),
    st.sampled_from(["any", "all", 0.0, 0.25, 0.5, 0.75]),
    st.integers(0, 2**32 - 1),
)
def test_masks_equal_the_definition(
    dtype: str, nodata: float, good: list[bool], missing: Any, seed: int
) -> None:
    choices = [-9999, 0, 65535, -32768, 7]
    if dtype.startswith("f"):
        choices += [np.nan, np.inf]
    info = None if dtype.startswith("f") else np.iinfo(dtype)
    allowed = [v for v in choices if info is None or info.min <= v <= info.max]
    data = np.random.default_rng(seed).choice(np.array(allowed, dtype), size=(4, 3, 5))
    bands = BandTable(
        Wavelengths(np.arange(1.0, 5.0)), np.array(good), np.ones(4), np.zeros(4),
        np.full(4, nodata),
    )  # fmt: skip
    expected = np.zeros((3, 5), bool)
    for row in range(3):
        for col in range(5):
            used = [float(data[band, row, col]) for band in range(4) if good[band]]
            lacking = sum(value == nodata or not np.isfinite(value) for value in used)
            limit = {"any": 0, "all": len(used) - 1}.get(missing, None)
            limit = float(missing) * len(used) if limit is None else limit
            dark = all(value < -0.3 for value in used)
            same = bool(used) and all(value == used[0] for value in used)
            odd = same and (
                used[0] <= -99 or used[0] > 3.2 or used[0] == getattr(info, "max", None)
            )
            fill = len(used) >= 3 and (dark or odd)
            expected[row, col] = bool(used) and lacking <= limit and not fill
    np.testing.assert_array_equal(valid_mask(data, bands, missing), expected)


def test_tiny_and_huge_values() -> None:
    band = np.array([[0.0, 1e-34, -1e-34, 1e-29, 1e31]], np.float32)
    assert has_value(band, np.nan).tolist() == [[True] * 5]
    assert has_value(band, np.nan, tiny=True).tolist() == [[True, False, False, True, True]]
    assert has_value(band, -1e34).tolist() == [[True, True, True, True, False]]


# --- sampling ---------------------------------------------------------------------------------


@for_any(st.integers(1, 400), st.integers(1, 400))
def test_sample_windows_lie_inside_and_start_in_the_middle(width: int, height: int) -> None:
    grid = GridSpec(width, height)
    planned = list(sample_windows(grid))
    assert all(grid.window.contains(window) for window in planned)
    first = planned[0]
    assert first.col <= width // 2 < first.col_end
    assert first.row <= height // 2 < first.row_end
    if width <= 96 and height <= 96:
        assert planned == [grid.window]


@for_any(
    st.integers(97, 700), st.integers(97, 700), st.integers(1, 600), st.sampled_from([16, 256, 700])
)
def test_sample_windows_touch_as_few_blocks_as_they_can(
    width: int, height: int, block_rows: int, block_cols: int
) -> None:
    grid = GridSpec(width, height)
    for window in sample_windows(grid, (block_rows, block_cols)):
        assert grid.window.contains(window)
        for first, size, block in (
            (window.row, window.height, block_rows),
            (window.col, window.width, block_cols),
        ):
            touched = (first + size - 1) // block - first // block + 1
            assert touched == -(-size // block)


@for_any(st.integers(97, 700), st.integers(97, 700), st.sampled_from([17, 48, 256, 512]))
def test_sample_windows_begin_where_blocks_do_where_that_is_cheap(
    width: int, height: int, block: int
) -> None:
    grid = GridSpec(width, height)
    windows = list(sample_windows(grid, (block, block), from_top=True))
    assert all(grid.window.contains(window) for window in windows)
    assert all(window.row % block == 0 for window in windows[:9])
    # Data that lies between is found all the same.
    assert len({window.row for window in windows[9:]}) > 2


def test_a_sample_leaves_out_what_cannot_be_read() -> None:
    full = MemoryRaster(np.full((1, 400, 400), 5, np.uint8), table(1, np.nan))

    def read(window: Window) -> NDArray[Any]:
        if window.row >= 100:
            raise HyperKDError("unreadable_raster", f"row {window.row}")
        return full.read(window)

    sample = take_sample(read, full.grid, lambda window: 1, np.array([np.nan]))
    assert (sample.windows, sample.unreadable) == (4, 5)

    def damaged(window: Window) -> NDArray[Any]:
        full.windows.append(window)
        raise HyperKDError("unreadable_raster", f"row {window.row}")

    full.windows.clear()
    with pytest.raises(HyperKDError, match="row 184"):
        take_sample(damaged, full.grid, lambda window: 1, np.array([np.nan]))
    assert len(full.windows) == 9  # not the whole lattice


def test_in_strips_the_windows_are_low_and_wide() -> None:
    windows = list(sample_windows(GridSpec(1100, 1000), (3, 1100)))
    assert {(window.height, window.width) for window in windows} == {(3, 341)}
    assert windows[0] == Window(380, 498, 341, 3)


def test_sampling_stops_at_its_budget_and_goes_on_where_it_finds_nothing() -> None:
    grid = GridSpec(4000, 4000)
    full = MemoryRaster(np.full((1, 4000, 4000), 5, np.uint8), table(1, np.nan))
    cheap = take_sample(full.read, grid, lambda window: 1, np.array([np.nan]))
    assert (cheap.windows, cheap.whole, cheap.pixels.shape) == (9, False, (1, 9 * 32 * 32))
    dear = take_sample(full.read, grid, lambda window: 2**40, np.array([np.nan]))
    assert dear.windows == 1
    sparse = np.zeros((1, 4000, 4000), np.uint8)
    sparse[:, 700:800, 700:800] = 9
    found = take_sample(
        MemoryRaster(sparse, table(1, 0.0)).read, grid, lambda window: 2**40, np.array([0.0])
    )
    assert (found.pixels == 9).any(), "the search went on until it met data"
    assert found.windows > 9
    nothing = take_sample(
        MemoryRaster(sparse * 0, table(1, 0.0)).read, grid, lambda window: 1, np.array([0.0])
    )
    assert nothing.windows == 73, "and it ends"


def test_of_a_block_that_has_to_be_decoded_anyway_more_is_looked_at() -> None:
    grid = GridSpec(4000, 4000)
    full = MemoryRaster(np.full((1, 4000, 4000), 5, np.uint8), table(1, np.nan))
    dear = take_sample(full.read, grid, lambda window: 2**40, np.array([np.nan]), (512, 512))
    assert (dear.windows, dear.pixels.size) == (1, 96 * 96)
    (window,) = full.windows
    assert window.row // 512 == (window.row_end - 1) // 512
    assert window.col // 512 == (window.col_end - 1) // 512


def test_a_small_raster_is_sampled_as_a_whole() -> None:
    data = pixels()
    fake = MemoryRaster(data, table())
    sample = take_sample(fake.read, fake.grid, lambda window: 2**40, np.full(6, np.nan))
    assert sample.whole
    np.testing.assert_array_equal(sample.pixels, data.reshape(6, -1))


# --- for several threads ----------------------------------------------------------------------


def test_a_reopened_raster_is_the_same_and_a_file_of_its_own(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif")
    with open_raster(str(path)) as source:
        other = source.reopen()
        assert other is not None
        assert other.bands is source.bands
        window = source.grid.window
        np.testing.assert_array_equal(other.read(window), source.read(window))
        other.close()
        np.testing.assert_array_equal(source.read(window), spectra())
        os.utime(path, ns=(1, 1))
        with pytest.raises(HyperKDError, match="changed while it was read") as caught:
            source.reopen()
        assert caught.value.code == "input_changed"


def test_several_threads_read_the_same_at_once(tmp_path: Path) -> None:
    data = spectra(6, 200, 50)
    path = make_raster(tmp_path / "a.tif", data, options=["COMPRESS=DEFLATE", "BLOCKYSIZE=3"])
    with open_raster(str(path)) as source, ThreadPoolExecutor(4) as pool:

        def read(number: int) -> Any:
            own = source.reopen()
            assert own is not None
            with own:
                return [own.read(Window(0, row, 50, 3)) for row in range(0, 198, 3)]

        for rows in pool.map(read, range(8)):
            np.testing.assert_array_equal(np.concatenate(rows, axis=1), data[:, :198])


def test_a_tile_can_be_read_into_memory_that_is_there(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif")
    with open_raster(str(path)) as source:
        out = np.empty((2, 3, 4), np.int16)
        tile = source.read_tile(Window(1, 2, 4, 3), [4, 1], out)
        assert tile.data is out
        np.testing.assert_array_equal(out, spectra()[[4, 1], 2:5, 1:5])
        for wrong in (np.empty((2, 3, 4), np.int32), np.empty((2, 4, 4), np.int16)):
            with pytest.raises(ValueError, match="out is int"):
                source.read_tile(Window(1, 2, 4, 3), [4, 1], wrong)


def test_the_stamp_of_a_raster_tells_its_files(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif")
    with open_raster(str(path)) as source:
        status = path.stat()
        assert source.stamp() == [(str(path), status.st_size, status.st_mtime_ns)]
