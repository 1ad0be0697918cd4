"""Plans: which pieces are read, how many threads and panels, what that takes of memory."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperkd.errors import HyperKDError
from hyperkd.inference import self_test_cache
from hyperkd.inference.tiling import machine
from hyperkd.inference.tiling.blocks import PieceMesh
from hyperkd.inference.tiling.resources import Demand, default_budget, plan_resources
from hyperkd.inference.tiling.tile_plan import TilePlan
from hyperkd.types import BandTable, GridSpec, Wavelengths, Window

ENMAP = 224


class Source:
    """What a plan asks of a raster, without pixels."""

    def __init__(self, width, height, blocks, *, interleave="band", bands=ENMAP):
        self.grid = GridSpec(width, height)
        self.block_shape, self.interleave, self.streamed = blocks, interleave, False
        self.dtype = np.dtype(np.int16)
        ones = np.ones(bands)
        self.bands = BandTable(
            Wavelengths(np.linspace(400, 2500, bands)), ones.astype(bool), ones, 0 * ones, 0 * ones
        )


STRIPS = ((3, 1100), "band")
COG = ((512, 512), "pixel")


def demand(blocks, interleave, *, width=1100, height=1000, tile=128, model=95 * 10**6, **fields):
    source = Source(width, height, blocks, interleave=interleave)
    values = {
        "plan": TilePlan.over(source.grid, tile),
        "bands": 218,
        "made": 13,
        "kept": 13,
        "row_bytes": width,
        "block_rows": 256,
        "model_bytes": model,
        "batch": None,
    }
    return Demand(source=source, **{**values, **fields})


# --- pieces -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blocks", "piece"),
    [
        ((3, 1100), (33, 1100)),
        ((1, 1100), (32, 1100)),
        ((512, 512), (512, 512)),
        ((256, 256), (256, 512)),
        ((64, 64), (64, 512)),
        ((1000, 1100), (1000, 1100)),
        ((128, 1024), (128, 1100)),  # the rest of 76 columns is worth no piece of its own
    ],
)
def test_pieces_are_whole_blocks_of_a_sensible_size(blocks, piece):
    mesh = PieceMesh.over(Source(1100, 1000, blocks))
    assert (mesh.rows, mesh.cols) == piece


@given(
    st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    st.tuples(st.integers(1, 700), st.integers(1, 1500)),
    st.data(),
)
def test_pieces_cover_the_raster_once_and_touching_names_those_that_do(size, blocks, draw):
    mesh = PieceMesh.over(Source(*size, blocks, bands=1))
    windows = [mesh.window(index) for index in range(mesh.across * mesh.down)]
    assert sum(window.width * window.height for window in windows) == size[0] * size[1]
    col, row = (draw.draw(st.integers(0, length - 1)) for length in size)
    width, height = (
        draw.draw(st.integers(1, length - first)) for length, first in zip(size, (col, row))
    )
    wanted = Window(col, row, width, height)
    expected = [i for i, window in enumerate(windows) if window.intersection(wanted)]
    assert mesh.touching(wanted) == expected


# --- panels -----------------------------------------------------------------------------------


@given(st.integers(1, 300), st.integers(1, 40), st.data())
def test_the_tiles_of_a_panel_are_those_that_reach_into_it(width, tile, draw):
    overlap = draw.draw(st.integers(0, tile - 1))
    plan = TilePlan.over(GridSpec(width, 50), tile, overlap)
    first = draw.draw(st.integers(0, width - 1))
    end = draw.draw(st.integers(first + 1, width))
    panel = plan.panel(first, end)
    for col in plan.cols:
        reaches = any(first <= pixel < end for pixel in range(col, col + plan.width))
        assert (col in panel.cols) == reaches
    seen = panel.input(0)
    assert seen.col <= first
    assert seen.col_end >= end


# --- resources --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cores", "threads", "operator_threads"), [(1, 1, 1), (2, 2, 1), (8, 8, 1), (6, 6, 1)]
)
def test_on_a_cpu_every_core_has_a_tile_of_its_own(cores, threads, operator_threads):
    planned = plan_resources(demand(*STRIPS, cores=cores, budget=10**10))
    assert (planned.threads, planned.operator_threads, planned.batch) == (
        threads,
        operator_threads,
        1,
    )
    assert planned.readers == (2 if cores > 1 else 1)
    assert len(planned.panels) == 1


def test_an_accelerator_gets_batches_from_two_threads():
    planned = plan_resources(demand(*STRIPS, accelerated=True, cores=16, budget=10**10))
    assert (planned.threads, planned.batch, planned.readers) == (2, 8, 8)
    assert plan_resources(demand(*COG, accelerated=True, cores=16)).readers < 8
    assert plan_resources(demand(*STRIPS, accelerated=True, batch=3, cores=16)).batch == 3


@pytest.mark.parametrize("kind", [STRIPS, COG, ((512, 512), "band")])
def test_the_defaults_take_less_than_a_gigabyte_and_a_half_for_an_enmap_scene(kind):
    planned = plan_resources(demand(*kind, cores=2))
    assert planned.estimate <= 1.5e9
    assert len(planned.panels) == 1
    assert (planned.threads, planned.readers) == (2, 2)


@pytest.mark.parametrize("kind", [STRIPS, COG])
def test_the_memory_does_not_depend_on_the_height(kind):
    estimates = [
        plan_resources(demand(*kind, height=height, cores=2)).estimate
        for height in (1024, 4096, 8192, 10**6)
    ]
    assert len(set(estimates)) == 1


def test_less_memory_means_fewer_threads_then_panels_then_a_refusal():
    wide = demand(*COG, width=10000)
    free = plan_resources(replace(wide, cores=8, budget=10**11))
    assert (free.threads, len(free.panels)) == (8, 1)
    previous = free.estimate
    seen = set()
    budget = free.estimate
    while True:
        try:
            planned = plan_resources(replace(wide, cores=8, budget=budget - 1))
        except HyperKDError as error:
            assert error.code == "out_of_memory"
            assert "the job needs about" in error.message.lower()
            assert error.context["needed_mb"] == -(-budget // 10**6)
            break
        assert planned.estimate < budget <= previous
        assert planned.threads * planned.operator_threads == 8
        seen.add((planned.threads, len(planned.panels)))
        previous = budget = planned.estimate
    assert {threads for threads, _ in seen} >= {8, 4, 1}
    assert max(panels for _, panels in seen) > 4
    assert budget < 1.5e9


def test_panels_cover_all_columns_from_block_to_block():
    planned = plan_resources(demand(*COG, width=10000, cores=2, budget=2 * 10**9))
    edges = [(panel.first, panel.end) for panel in planned.panels]
    assert len(edges) > 1
    assert (edges[0][0], edges[-1][1]) == (0, 10000)
    assert all(first[1] == second[0] for first, second in zip(edges, edges[1:]))
    assert all(first % 256 == 0 for first, _ in edges)


def test_the_default_budget_is_a_quarter_of_the_memory_and_no_more_than_two_gigabytes(monkeypatch):
    for memory, budget in ((8 * 10**9, 2 * 10**9), (4 * 10**9, 10**9), (64 * 10**9, 2 * 10**9)):
        monkeypatch.setattr(machine, "memory_bytes", lambda memory=memory: memory)
        assert default_budget() == budget
    monkeypatch.setattr(machine, "memory_bytes", lambda: None)
    assert default_budget() == 10**9


# --- the machine ------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system has no affinity")
def test_two_threads_of_one_core_count_once(monkeypatch, tmp_path):
    for number, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        folder = tmp_path / f"cpu{number}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(siblings)
    monkeypatch.setattr(machine, "_SYSTEM_CPUS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    assert machine.cores() == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2})
    assert machine.cores() == 1
    monkeypatch.setattr(machine, "_SYSTEM_CPUS", tmp_path / "nowhere")
    assert machine.cores() == 2


def test_the_machine_tells_its_memory_and_what_was_used():
    assert 10**8 < machine.memory_bytes() < 10**14
    before = machine.peak_memory_bytes()
    filled = np.ones(2 * 10**8, np.uint8)
    assert machine.peak_memory_bytes() >= before
    assert machine.peak_memory_bytes() > filled.nbytes


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what Linux counts")
def test_the_memory_of_whoever_started_the_process_does_not_count():
    filled = np.ones(3 * 10**8, np.uint8)
    program = "from hyperkd.inference.tiling import machine; print(machine.peak_memory_bytes())"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert 10**6 < int(told.stdout) < filled.nbytes // 2, told.stderr


# --- self-tests that passed -------------------------------------------------------------------


def test_a_self_test_that_passed_is_remembered_for_exactly_this_model_and_machine(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("HYPERKD_CACHE", str(tmp_path / "cache"))
    key = self_test_cache.test_key("abc", "logits", "cpu", "1.2")
    assert self_test_cache.passed(key) is None
    self_test_cache.remember(key, 1e-7)
    assert self_test_cache.passed(key) == 1e-7
    others = [("abd", "logits", "cpu", "1.2"), ("abc", "values", "cpu", "1.2")]
    others += [("abc", "logits", "cuda", "1.2"), ("abc", "logits", "cpu", "1.3")]
    for other in others:
        assert self_test_cache.passed(self_test_cache.test_key(*other)) is None
    monkeypatch.setattr(self_test_cache, "_processor", lambda: "another one")
    assert self_test_cache.passed(self_test_cache.test_key("abc", "logits", "cpu", "1.2")) is None


def test_only_the_latest_are_remembered_and_damage_only_forgets(monkeypatch, tmp_path):
    monkeypatch.setenv("HYPERKD_CACHE", str(tmp_path))
    monkeypatch.setattr(self_test_cache, "_MOST", 3)
    for number in range(5):
        self_test_cache.remember(str(number), float(number))
    assert [self_test_cache.passed(str(number)) for number in range(5)] == [
        None,
        None,
        2.0,
        3.0,
        4.0,
    ]
    (tmp_path / "self-tests.json").write_text("{damaged")
    assert self_test_cache.passed("4") is None
    self_test_cache.remember("5", 5.0)
    assert self_test_cache.passed("5") == 5.0


def test_where_the_folder_cannot_be_written_nothing_is_remembered(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("HYPERKD_CACHE", str(tmp_path / "file" / "folder"))
    self_test_cache.remember("key", 1.0)
    assert self_test_cache.passed("key") is None
