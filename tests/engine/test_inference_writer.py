from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperkd.errors import HyperKDError
from hyperkd.inference.tiling.row_writer import OutputFile, RowWriter, block_rows, portions
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.inference.tiling.tile_plan import TilePlan
from hyperkd.raster.sink import RasterSpec
from hyperkd.types import GridSpec, Window


class FakeSink:
    """Keeps what is written and how it ended."""

    path = "memory"

    def __init__(self, shape, block_rows):
        self.data = np.full(shape, -1, np.int16)
        self.block_shape = (block_rows, 16)
        self.windows, self.ending = [], []

    def write(self, window, data):
        rows, cols = window.slices()
        self.windows.append((window.row, window.height))
        self.data[:, rows, cols] = data

    def finish(self):
        self.ending.append("finish")

    def commit(self):
        self.ending.append("commit")

    def abort(self):
        self.ending.append("abort")


def writer_of(sink, grid, rows, **options):
    return RowWriter([sink], [output_of(sink)], portions(grid, rows), Stopwatch(), **options)


def output_of(sink):
    count, rows, cols = sink.data.shape
    return OutputFile("output", "x.tif", RasterSpec(GridSpec(cols, rows), count, np.int16))


@given(st.integers(1, 60), st.integers(1, 20), st.lists(st.integers(1, 30), min_size=1))
def test_rows_of_any_portion_arrive_once_in_whole_blocks(height, block_rows, sizes):
    expected = np.arange(2 * height * 3, dtype=np.int16).reshape(2, height, 3)
    sink = FakeSink(expected.shape, block_rows)
    with writer_of(sink, GridSpec(3, height), block_rows) as writer:
        row = turn = 0
        while row < height:
            size = sizes[turn % len(sizes)]
            writer.append(expected[:, row : row + size])
            row, turn = row + size, turn + 1
    np.testing.assert_array_equal(sink.data, expected)
    block = min(block_rows, height)
    whole = [(start, min(block, height - start)) for start in range(0, height, block)]
    assert sink.windows == whole
    assert sink.ending == ["finish", "commit"]


def test_an_exception_removes_the_file_and_writes_nothing_more():
    sink = FakeSink((1, 8, 3), 4)
    writer = writer_of(sink, GridSpec(3, 8), 4)
    with pytest.raises(RuntimeError, match="in the middle"), writer:
        writer.append(np.zeros((1, 6, 3), np.int16))
        raise RuntimeError("in the middle")
    assert sink.windows == [(0, 4)]
    assert sink.ending == ["abort"]


def test_a_write_that_fails_at_the_end_removes_the_file():
    class Full(FakeSink):
        def write(self, window, data):
            raise OSError("disk full")

    sink = Full((1, 8, 3), 100)
    writer = writer_of(sink, GridSpec(3, 8), 100)
    with pytest.raises(OSError, match="disk full"), writer:
        writer.append(np.zeros((1, 8, 3), np.int16))
    assert sink.ending == ["abort"]


def test_a_write_that_fails_in_the_middle_ends_the_job_at_the_next_rows():
    class Full(FakeSink):
        def write(self, window, data):
            if window.row == 4:
                raise OSError("disk full")
            super().write(window, data)

    sink = Full((1, 400, 3), 4)
    writer = writer_of(sink, GridSpec(3, 400), 4)
    given = []
    with pytest.raises(OSError, match="disk full"), writer:
        for row in range(100):
            writer.append(np.zeros((1, 4, 3), np.int16))
            given.append(row)
    assert len(given) < 8, "two portions are under way, and no more than that is lost"
    assert sink.ending == ["abort"]


def test_several_outputs_are_finished_before_the_first_gets_its_name():
    order = []

    class Slow(FakeSink):
        def finish(self):
            order.append((self.name, "finish"))

        def commit(self):
            order.append((self.name, "commit"))

    sinks = [Slow((1, 4, 3), 4), Slow((2, 4, 3), 4)]
    sinks[0].name, sinks[1].name = "first", "second"
    outputs = [output_of(sink) for sink in sinks]
    with RowWriter(sinks, outputs, portions(GridSpec(3, 4), 4), Stopwatch()) as writer:
        writer.append(np.ones((1, 4, 3), np.int16), np.full((2, 4, 3), 2, np.int16))
    assert order == [(n, what) for what in ("finish", "commit") for n in ("first", "second")]
    assert [int(sink.data.sum()) for sink in sinks] == [12, 48]


def test_rows_that_never_came_are_a_mistake_and_leave_no_file():
    sink = FakeSink((1, 8, 3), 4)
    with (
        pytest.raises(ValueError, match="1 of 2 portions"),
        writer_of(sink, GridSpec(3, 8), 4) as writer,
    ):
        writer.append(np.zeros((1, 6, 3), np.int16))
    assert sink.ending == ["abort"]


def test_panels_are_written_one_after_the_other():
    plan = TilePlan.over(GridSpec(10, 7), 4, 0)
    panels = [plan.panel(0, 6), plan.panel(6, 10)]
    windows = portions(plan.grid, 4, panels)
    assert windows == [
        Window(0, 0, 6, 4),
        Window(0, 4, 6, 3),
        Window(6, 0, 4, 4),
        Window(6, 4, 4, 3),
    ]
    expected = np.arange(70, dtype=np.int16).reshape(1, 7, 10)
    sink = FakeSink(expected.shape, 4)
    with RowWriter([sink], [output_of(sink)], windows, Stopwatch()) as writer:
        for panel in panels:
            for row in range(7):
                writer.append(expected[:, row : row + 1, panel.first : panel.end])
    np.testing.assert_array_equal(sink.data, expected)


@pytest.mark.parametrize(
    ("row_bytes", "rows"), [(1000, 256), (2**17, 256), (2**17 + 1, 128), (10**9, 32)]
)
def test_blocks_are_lower_where_a_row_is_large(row_bytes, rows):
    assert block_rows(row_bytes) == rows


class FullJournal:
    """A journal whose disk is full from the second portion on."""

    def __init__(self):
        self.kept, self.ending = 0, []

    def append(self, arrays):
        if self.kept:
            raise HyperKDError("out_of_disk", "The disk is full.")
        self.kept += 1

    def remove(self):
        self.ending.append("remove")

    def close(self):
        self.ending.append("close")


def test_a_job_goes_on_without_its_journal_unless_it_was_asked_for():
    for keep in (False, True):
        sink, journal = FakeSink((1, 12, 3), 4), FullJournal()
        writer = writer_of(sink, GridSpec(3, 12), 4, journal=journal, keep=keep)
        if keep:
            with pytest.raises(HyperKDError, match="disk is full"), writer:
                writer.append(np.zeros((1, 12, 3), np.int16))
            assert (sink.ending, journal.ending) == (["abort"], ["close"])
        else:
            with writer:
                writer.append(np.zeros((1, 12, 3), np.int16))
            assert (sink.ending, journal.ending) == (["finish", "commit"], ["remove"])
            assert sink.windows == [(0, 4), (4, 4), (8, 4)]
