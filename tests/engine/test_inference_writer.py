from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperkd.inference.pipeline import Stopwatch
from hyperkd.inference.writer import RowWriter
from hyperkd.types import GridSpec


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

    def commit(self):
        self.ending.append("commit")

    def abort(self):
        self.ending.append("abort")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self.commit() if kind is None else self.abort()


@given(st.integers(1, 60), st.integers(1, 20), st.lists(st.integers(1, 30), min_size=1))
def test_rows_of_any_portion_arrive_once_in_whole_blocks(height, block_rows, portions):
    expected = np.arange(2 * height * 3, dtype=np.int16).reshape(2, height, 3)
    sink = FakeSink(expected.shape, block_rows)
    clock = Stopwatch()
    with RowWriter(sink, GridSpec(3, height), 2, np.int16, clock) as writer:
        row = turn = 0
        while row < height:
            size = portions[turn % len(portions)]
            writer.append(expected[:, row : row + size])
            row, turn = row + size, turn + 1
    np.testing.assert_array_equal(sink.data, expected)
    block = min(block_rows, height)
    whole = [(start, min(block, height - start)) for start in range(0, height, block)]
    assert sink.windows == whole
    assert sink.ending == ["commit"]
    assert set(clock.seconds) == {"write"}


def test_an_exception_removes_the_file_and_writes_nothing_more():
    sink = FakeSink((1, 8, 3), 4)
    writer = RowWriter(sink, GridSpec(3, 8), 1, np.int16, Stopwatch())
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
    writer = RowWriter(sink, GridSpec(3, 8), 1, np.int16, Stopwatch())
    with pytest.raises(OSError, match="disk full"), writer:
        writer.append(np.zeros((1, 8, 3), np.int16)[:, :5])
    assert sink.ending == ["abort"]
