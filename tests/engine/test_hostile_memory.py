"""Too little memory ends a job with a code: estimates hold, and no thread waits for another."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tracemalloc
import weakref
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.inference.cluster import _Clusters
from hyperkd.inference.predict import _Classes
from hyperkd.inference.tiling import machine, resources, tiled_job
from hyperkd.inference.tiling import threads as threads_module
from hyperkd.inference.tiling.pipeline import FinishedRows
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.inference.tiling.threads import start_all
from hyperkd.jobs.dispatch import worded
from hyperkd.raster.gdal.restrictions import compressing_threads
from hyperkd.requests.explore_options import ClusterJob
from hyperkd.requests.predict_options import PredictJob
from hyperkd.types import GridSpec, Window
from tests.engine.inference_factories import make_student
from tests.factories import make_raster


def finished(kept: int, width: int, height: int) -> FinishedRows:
    values = np.random.default_rng(1).normal(size=(kept, height, width)).astype(np.float32)
    reader: Any = None
    return FinishedRows(Window(3, 5, width, height), values, np.ones((height, width), bool), reader)


def test_finished_rows_are_converted_few_at_a_time_and_none_is_lost() -> None:
    rows = finished(255, 5000, 7)
    parts = list(rows.parts())
    assert len(parts) == 7
    assert [part.window for part in parts] == [Window(3, 5 + row, 5000, 1) for row in range(7)]
    np.testing.assert_array_equal(np.concatenate([part.values for part in parts], 1), rows.values)
    np.testing.assert_array_equal(np.concatenate([part.valid for part in parts]), rows.valid)
    assert len(list(finished(2, 10, 7).parts())) == 1


def peak_of(job: Any, rows: FinishedRows) -> int:
    """Return how many bytes converting takes at once, part by part."""
    clock = Stopwatch()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for part in rows.parts():
            job.convert(part, clock)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("width", "height"), [(4000, 24), (12000, 3)])
@pytest.mark.parametrize("kind", ["classes", "probabilities", "cluster"])
def test_what_a_conversion_takes_is_within_its_estimate(kind: str, width: int, height: int) -> None:
    kept = 64 if kind == "cluster" else 255
    rows = finished(kept, width, height)
    job: Any
    grid = GridSpec(width, height)
    if kind == "cluster":
        job = _Clusters(
            rows.values[:, 0, :1500].T.copy(), grid, ClusterJob(input="", output="a.tif", classes=8)
        )
    else:
        classes = [{"name": str(n), "value": n, "color": "#000000"} for n in range(kept)]
        card: Any = SimpleNamespace(temperature=2.0, classes=classes)
        request = PredictJob(input="", output="a.tif", model="")
        if kind == "probabilities":
            request = replace(
                request, probabilities="b.tif", probability_type="float32", uncertainty="c.tif"
            )
        job = _Classes(card, grid, request)
    at_once = 4 * kept * width * resources.converted_rows(kept, width)
    assert at_once < rows.values.nbytes
    assert peak_of(job, rows) <= resources._CONVERSION * at_once


def test_the_estimate_grows_with_what_is_converted() -> None:
    assert resources.converted_rows(255, 50_000) == 1
    assert resources.converted_rows(1, 1000) * 4 * 1000 <= resources._CONVERTED


# --- threads ---


class Refused(threading.Thread):
    """A thread for which the system has no memory."""

    def start(self) -> None:
        raise RuntimeError("can't start new thread")


def test_threads_that_run_end_where_another_cannot_start() -> None:
    stop = threading.Event()
    running = [threading.Thread(target=stop.wait) for _ in range(2)]
    with pytest.raises(HyperKDError, match="cannot start more threads: can't start") as caught:
        start_all([*running, Refused(), threading.Thread(target=stop.wait)], stop.set)
    assert caught.value.code == "out_of_memory"
    assert not any(thread.is_alive() for thread in running)


@pytest.mark.parametrize(
    "says",
    ["pthread_create failed, error code: 12", "std::bad_alloc", "can't start new thread"],
)
def test_a_library_without_memory_is_no_bug(says: str) -> None:
    found = worded(RuntimeError(f"onnxruntime: {says}"), None)
    assert found is not None
    assert found.code == "out_of_memory"
    assert worded(RuntimeError("anything else"), None) is None


def test_a_limit_that_leaves_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "address_space_left", lambda: 10**7)
    with pytest.raises(HyperKDError, match="leaves the process 10 MB of address space") as caught:
        threads_module.require_address_space()
    assert caught.value.code == "out_of_memory"
    monkeypatch.setattr(machine, "address_space_left", lambda: None)
    threads_module.require_address_space()


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the address space")
@pytest.mark.parametrize("job", [("embed", "--components", "2"), ("anomaly",)])
def test_little_address_space_ends_in_a_code_or_a_result(
    tmp_path: Path, job: tuple[str, ...]
) -> None:
    model, scene = tmp_path / "a.onnx", tmp_path / "a.tif"
    make_student(model)
    data = np.random.default_rng(0).integers(100, 5000, (5, 24, 2000)).astype(np.int16)
    make_raster(scene, data=data, wavelengths=[500, 510, 520, 530, 540])
    code = (
        "import resource, sys\n"
        "import numpy, onnx, onnxruntime\nfrom osgeo import gdal\n"
        "with open('/proc/self/statm') as file:\n"
        "    used = int(file.read().split()[0]) * resource.getpagesize()\n"
        "most = used + (int(sys.argv[1]) << 20)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (most, most))\n"
        "from hyperkd.cli import main\n"
        "sys.exit(main(sys.argv[2:]))\n"
    )
    endings = set()
    for left_mb in (60, 190, 230, 2000):
        done = subprocess.run(
            [sys.executable, "-c", code, str(left_mb), *job, "--input", str(scene)]
            + ["--model", str(model), "--output", str(tmp_path / "out.tif")],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        assert done.returncode in (0, 4), done.stderr
        assert "Traceback" not in done.stderr
        endings.add(done.returncode)
        (tmp_path / "out.tif").unlink(missing_ok=True)
        assert {path.name for path in tmp_path.iterdir()} == {"a.onnx", "a.tif"}
    assert endings == {0, 4}


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the address space")
def test_gdal_compresses_without_threads_under_a_limit() -> None:
    assert compressing_threads() in ("ALL_CPUS", "1")
    code = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "from hyperkd.raster.gdal.restrictions import compressing_threads\n"
        "print(compressing_threads())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_the_strip_of_a_panel_is_gone_before_the_next_one_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alive: list[list[bool]] = []
    strips: list[weakref.ref[Any]] = []

    def panels_of_rows(*_: Any, **__: Any) -> Any:
        alive.append([strip() is not None for strip in strips])
        rows = finished(3, 40, 5)
        strips.append(weakref.ref(rows.values))
        yield rows

    monkeypatch.setattr(tiled_job, "blended_rows", panels_of_rows)
    run: Any = SimpleNamespace(
        source=SimpleNamespace(grid=GridSpec(120, 5)),
        resources=SimpleNamespace(panels=(None, None, None)),
        clock=Stopwatch(),
    )
    writer: Any = SimpleNamespace(append=lambda *arrays: None)
    tiled_job._write_panels(run, 3, writer, 0, 256, lambda part, _clock: [part.values])
    assert alive == [[], [False], [False, False]]
