"""How many threads and how much memory a run takes, planned before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Optional

from hyperkd.errors import HyperKDError
from hyperkd.inference.tiling import machine
from hyperkd.inference.tiling.blocks import PieceMesh
from hyperkd.inference.tiling.tile_plan import Panel, TilePlan
from hyperkd.raster.source import RasterSource
from hyperkd.sentences import counted

_MB = 10**6
# Python, numpy, GDAL and onnxruntime themselves.
_BASE = 150 * _MB
# What GDAL may keep of decoded blocks; every block is used once.
CACHE_BYTES = 32 * 2**20
# A model's file, its weights as onnxruntime keeps them, and those in the order that it needs.
_MODEL_COPIES = 2.5
# A block as it is, and compressed to 0.8 of that.
_DECODER = 1.8
# What a network holds between its layers, as multiples of its input; measured on students.
_ACTIVATIONS = 3.5
# Finished rows are turned into stored values so many bytes at a time, one row at least.
_CONVERTED = 4 * 2**20
# What that takes, as multiples of them: softmax, its rounding and sorting, or vectors in
# another order and their distances.
_CONVERSION = 5
# Without memory_mb: a quarter of the memory, and at most so much.
_MEMORY_DIVISOR = 4
_MOST = 2000 * _MB
_UNKNOWN = 4000 * _MB  # where the system does not report its memory
# Tiles that an accelerator gets at once, by default.
ACCELERATED_BATCH = 8
_PANELS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
# Panels begin where a block of the output does.
_PANEL_STEP = 256


@dataclass(frozen=True)
class Demand:
    """What a job needs, and what it may use.

    Attributes:
        bands: bands to read.
        made: channels that the network gives.
        kept: channels that are blended.
        model_bytes: size of the model's file.
        block_rows: rows that are written at once.
        row_bytes: bytes of one row of all outputs together.
        fixed: bytes of anything else.
        budget: bytes that the process may take; default: ``default_budget``.
        batch: tiles that the network gets at once; default: 1 on a CPU, else 8.
        accelerated: whether something else than the CPU computes.
        cores: cores to use; default: those of the machine.
    """

    source: RasterSource
    plan: TilePlan
    bands: int
    made: int
    kept: int
    model_bytes: int
    batch: Optional[int]
    block_rows: int = 0
    row_bytes: int = 0
    fixed: int = 0
    budget: Optional[int] = None
    accelerated: bool = False
    cores: Optional[int] = None


@dataclass(frozen=True)
class Resources:
    """What a run may use.

    Attributes:
        threads: tiles, or batches, that are computed side by side.
        operator_threads: threads that compute one operator together.
        readers: threads that read.
        batch: tiles that the network gets at once.
        panels: columns that are computed from top to bottom before the next ones.
        capacity: bytes of the raster that may be in memory at once.
        estimate: bytes that the process takes in all.
    """

    threads: int
    operator_threads: int
    readers: int
    batch: int
    panels: tuple[Panel, ...]
    capacity: int = 0
    estimate: int = 0

    def describe(self, plan: TilePlan) -> str:
        """Return a line for the log: how many tiles of ``plan`` are computed, and how."""
        panels = len(self.panels)
        return (
            f"{counted(plan.count, 'tile')} of {plan.tile_px} x {plan.tile_px} pixels, "
            f"{self.threads} at once; about {self.estimate / 1e6:.0f} MB of memory"
            + (f", the columns in {panels} parts one after the other." if panels > 1 else ".")
        )


def default_budget() -> int:
    """Return how many bytes a job takes at most by default."""
    memory = machine.memory_bytes() or _UNKNOWN
    return min(memory // _MEMORY_DIVISOR, _MOST)


def plan_resources(demand: Demand) -> Resources:
    """Choose the fastest way to run that fits the memory.

    On a CPU every core computes tiles of its own. An accelerator gets batches, from
    two threads: one fills the next batch while the other waits for its result.

    Raises:
        HyperKDError: ``out_of_memory`` where even the smallest way does not fit.
    """
    budget = default_budget() if demand.budget is None else demand.budget
    smallest: Optional[Resources] = None
    for candidate in _candidates(demand):
        planned = _measured(demand, candidate)
        if planned.estimate <= budget:
            return planned
        if smallest is None or planned.estimate < smallest.estimate:
            smallest = planned
    if smallest is None:
        raise RuntimeError("no way to run was considered")
    needed = -(-smallest.estimate // _MB)
    raise HyperKDError(
        "out_of_memory",
        f"The job needs about {needed} MB, {budget // _MB} MB are allowed.",
        f"Allow more (memory_mb {needed}), choose a smaller batch or model, or convert the "
        "raster to smaller blocks (gdal_translate -co TILED=YES -co INTERLEAVE=BAND).",
        needed_mb=needed,
        allowed_mb=budget // _MB,
    )


def _candidates(demand: Demand) -> Iterator[Resources]:
    """Yield ways to run, the fastest first."""
    cores = machine.cores() if demand.cores is None else demand.cores
    readers = [2, 1] if cores > 1 else [1]
    if demand.accelerated:
        ways = [(2, 1), (1, 1)]
        # Beside an accelerator the cores have nothing else to do than to decode.
        readers = [count for count in (8, 4) if count < cores] + readers
    else:
        # Half the threads with twice the cores each: less memory, some idle cores.
        ways = [(cores >> step, 1 << step) for step in range(cores.bit_length())]
    tiles = demand.batch or (ACCELERATED_BATCH if demand.accelerated else 1)
    for panels in _panels(demand.plan):
        for threads, operator_threads in ways:
            for count in readers:
                yield Resources(threads, operator_threads, count, tiles, panels)


def _panels(plan: TilePlan) -> Iterator[tuple[Panel, ...]]:
    width, seen = plan.grid.width, 0
    for count in _PANELS:
        step = -(-width // count // _PANEL_STEP) * _PANEL_STEP
        edges = [*range(0, width, step), width]
        if len(edges) - 1 > seen:
            seen = len(edges) - 1
            yield tuple(plan.panel(first, end) for first, end in zip(edges, edges[1:]))


def _measured(demand: Demand, way: Resources) -> Resources:
    """Return ``way`` with what it holds of the raster, and what it takes in all."""
    plan, source = demand.plan, demand.source
    mesh = PieceMesh.over(source)
    panel = max(way.panels, key=lambda each: each.input(0).width)
    window = panel.input(0)
    first, last = window.col // mesh.cols, (window.col_end - 1) // mesh.cols
    wide = min((last + 1) * mesh.cols, plan.grid.width) - first * mesh.cols
    # The pieces of one row of tiles wherever it begins, and of the next one.
    two_rows = plan.height + plan.tile_px - plan.overlap_px
    down = max(-(-(plan.height - 1) // mesh.rows), -(-two_rows // mesh.rows)) + 1
    down += -(-max(0, way.readers - 2) // (last - first + 1))  # what the others are reading
    high = min(down * mesh.rows, plan.grid.height)
    itemsize = source.dtype.itemsize
    capacity = high * wide * demand.bands * itemsize
    tile = way.batch * plan.tile_px**2 * 4
    networks = way.threads * tile * (demand.bands * (1 + _ACTIVATIONS) + 2 * demand.made)
    waiting = 2 * tile * demand.made
    strip = plan.height * panel.width * demand.kept * 4
    written = 3 * demand.block_rows * demand.row_bytes * panel.width // plan.grid.width
    estimate = (
        _BASE
        + CACHE_BYTES
        + _MODEL_COPIES * demand.model_bytes
        + capacity
        + way.readers * _decoder_bytes(source)
        + networks
        + waiting
        + strip
        + written
        + _CONVERSION * 4 * demand.kept * panel.width * converted_rows(demand.kept, panel.width)
        + demand.fixed
    )
    return replace(way, capacity=capacity, estimate=int(estimate))


def converted_rows(kept: int, width: int) -> int:
    """Return how many finished rows of ``kept`` channels are turned into stored values at once."""
    return max(1, _CONVERTED // (4 * kept * width))


def _decoder_bytes(source: RasterSource) -> int:
    """Return what one reader needs to decode a block: compressed and plain, all bands at once."""
    rows, cols = source.block_shape
    bands = len(source.bands) if source.interleave == "pixel" else 1
    return int(_DECODER * rows * cols * bands * source.dtype.itemsize)
