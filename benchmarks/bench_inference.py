"""How fast a whole scene is mapped, in how much memory, and what a kill leaves behind.

    python3 build.py bench inference [--quick]
    .venv/bin/python benchmarks/bench_inference.py --output FILE --case NAME [--quick]
    BENCH_ONLY="small strips" ... --case speed

Cases: speed, memory, start, faults, overlap; all of them by default. The scene is
simulated, of EnMAP's size (1000 x 1100 pixels, 224 bands of int16, see
``inference_material``), the models are a ViT of 384 channels, 12 blocks and patches of 8
pixels ("small") and the one that is shipped ("tiny"), both with a head of 13 classes and
random weights. What is timed is `hyperkd predict` with its defaults, from the start of
the process to its end.

Protocol: a case's programs take turns, REPEATS times; medians. Files lie in the system's
cache. `bare`: the calls of session.run for all tiles with a valid pixel, from memory, by
all cores, in the faster of two ways (every operator on all cores; a tile on each core).
`floor`: (processor seconds of these calls + processor seconds of one pass of GDAL that
decodes every block once, in the cheapest order) / cores. `plain`: the program that one
writes first (``plain_loop``), same tiles, float32. `ratio` = job / floor, `factor` =
plain / job.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Optional

import inference_material as material
import numpy as np

from hyperkd.inference import machine

HERE = Path(__file__).resolve().parent
ENGINE = HERE.parent / "engine"
FOLDER = HERE.parent / "build" / "bench" / "inference"
REPEATS, QUICK_REPEATS = 5, 1
QUICK_ROWS: Final = 300
KILLS, CANCELS = 50, 20
QUICK_KILLS, QUICK_CANCELS = 6, 3
HEIGHTS: Final = (1, 4, 8)
OVERLAPS: Final = (0, 4, 8, 16, 24, 32)
CORES: Final = machine.cores()

Row = dict[str, Any]

# Runs in a process of its own: all calls of session.run, in two ways.
BARE = """
import json, sys, threading, time
import numpy as np, onnxruntime
model, tile, calls, cores = sys.argv[1], *map(int, sys.argv[2:])
rng = np.random.default_rng(0)
inputs = [{"pixels": rng.random((1, 218, tile, tile), dtype=np.float32) * 0.5,
           "valid": np.ones((1, 1, tile, tile), np.float32)} for _ in range(cores)]
def measure(threads, workers):
    options = onnxruntime.SessionOptions()
    if threads:
        options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    def work(own, count):
        for _ in range(count):
            session.run(None, own)
    work(inputs[0], 2)
    shares = [calls // workers + (number < calls % workers) for number in range(workers)]
    wall, cpu = time.perf_counter(), time.process_time()
    started = [threading.Thread(target=work, args=pair) for pair in zip(inputs, shares)]
    for thread in started: thread.start()
    for thread in started: thread.join()
    return time.perf_counter() - wall, time.process_time() - cpu
ways = {"operators": measure(0, 1), "tiles": measure(1, cores)}
name = min(ways, key=lambda way: ways[way][0])
print(json.dumps({"way": name, "wall": ways[name][0], "cpu": ways[name][1]}))
"""

# Runs in a process of its own: one pass that decodes every block once.
DECODE = """
import sys, time
import numpy as np
from osgeo import gdal
gdal.UseExceptions()
gdal.SetCacheMax(32 * 2**20)
source = gdal.Open(sys.argv[1])
width, height = source.RasterXSize, source.RasterYSize
bands = [n for n in range(1, 225) if not 130 <= n <= 135]
cols, rows = source.GetRasterBand(1).GetBlockSize()
rows *= max(1, -(-32 // rows))
buffer = np.empty(len(bands) * rows * cols, np.int16)
cpu = time.process_time()
for row in range(0, height, rows):
    for col in range(0, width, cols):
        w, h = min(cols, width - col), min(rows, height - row)
        source.ReadRaster(col, row, w, h, buf_xsize=w, buf_ysize=h, buf_type=gdal.GDT_Int16,
                          band_list=bands, buf_obj=buffer[: len(bands) * w * h])
print(time.process_time() - cpu)
"""


def environment() -> dict[str, str]:
    """Return the environment of a user: no limit of threads, a cache of self-tests."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_THREADS")}
    return {**kept, "PYTHONPATH": str(ENGINE), "HYPERKD_CACHE": str(FOLDER / "cache")}


def output_of(command: Sequence[Any]) -> str:
    """Run a program and return what it prints."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        check=True,
        capture_output=True,
        text=True,
        env=environment(),
    )
    return done.stdout


def job_command(scene: Path, model: Path, output: Path, *more: Any) -> list[str]:
    """Return the command of a job that tells its events."""
    flags = ["--input", scene, "--model", model, "--output", output, "--events", "json"]
    return [sys.executable, "-I", str(ENGINE), "predict", *map(str, (*flags, *more))]


def run_job(scene: Path, model: Path, output: Path, *more: Any) -> Row:
    """Run a job; returns its time, processor time, memory, first event and summary."""
    started = time.perf_counter()
    process = subprocess.Popen(
        job_command(scene, model, output, *more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    first = first_tile = float("nan")
    events = []
    assert process.stdout is not None and process.stderr is not None  # noqa: S101 - as asked for
    for line in process.stdout:
        events.append(json.loads(line))
        now = time.perf_counter() - started
        if events[-1]["event"] == "progress":
            first = now if np.isnan(first) else first
            first_tile = now if np.isnan(first_tile) and events[-1]["done"] else first_tile
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{events[-1:]} {errors}")
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss * 1024 / 1e6,
        "first": first,
        "first_tile": first_tile,
        "summary": events[-1]["summary"],
    }


def timed(command: Sequence[Any]) -> float:
    """Run a program and return how long it took."""
    started = time.perf_counter()
    output_of(command)
    return time.perf_counter() - started


def speed(quick: bool, scratch: Path) -> Iterator[Row]:
    """Yield the time of the job, of both yardsticks and of the plain loop, by layout."""
    only = os.environ.get("BENCH_ONLY", "")
    rows = QUICK_ROWS if quick else material.HEIGHT
    repeats = QUICK_REPEATS if quick else REPEATS
    cases = [
        (preset, layout, border)
        for preset in ("small", "small int8", "tiny")
        for layout in material.LAYOUTS
        for border in (False, True)
        if (border or "int8" not in preset) and only in f"{preset} {layout}"
    ]
    found: dict[tuple[Any, ...], list[Row]] = {case: [] for case in cases}
    bare: dict[tuple[str, int], list[Row]] = {}
    for turn in range(1, repeats + 1):
        for case in cases:
            preset, layout, border = case
            scene = material.scene(FOLDER, layout, border=border, rows=rows)
            whole = model = material.model(FOLDER, preset.split()[0])
            if "int8" in preset:
                model = material.smaller_model(FOLDER, preset.split()[0])
            tile = 64 if preset == "tiny" else 128
            job = run_job(scene, model, scratch / "map.tif")
            calls = job["summary"]["tiles"]
            if len(bare.get((preset, calls), [])) < turn:  # the calls are those of every layout
                measured = output_of(["-c", BARE, model, tile, calls, CORES])
                bare.setdefault((preset, calls), []).append(json.loads(measured))
            decode = float(output_of(["-c", DECODE, scene]))
            # Who writes a plain loop takes the model as it is.
            loop = [HERE / "plain_loop.py", scene, whole, scratch / "plain.tif", tile // 4]
            found[case].append({**job, "decode": decode, "plain": timed(loop), "calls": calls})
    for (preset, layout, border), runs in found.items():
        calls = runs[0]["calls"]
        network = {key: median(bare[preset, calls], key) for key in ("wall", "cpu")}
        floor = (network["cpu"] + median(runs, "decode")) / CORES
        took = median(runs, "wall")
        yield {
            "case": "speed",
            "model": preset,
            "layout": layout,
            "border": "25 %" if border else "none",
            "job_s": took,
            "floor_s": floor,
            "ratio": took / floor,
            "bare_s": network["wall"],
            "decode_cpu_s": median(runs, "decode"),
            "plain_s": median(runs, "plain"),
            "factor": median(runs, "plain") / took,
            "cpu_s": median(runs, "cpu"),
            "peak_mb": median(runs, "peak_mb"),
            "result": f"{calls} tiles, spread {spread(runs):.1%}",
        }


def memory(quick: bool, scratch: Path) -> Iterator[Row]:
    """Yield the largest memory at 1, 4 and 8 times the height, and of each layout."""
    rows = QUICK_ROWS if quick else material.HEIGHT
    preset = "tiny" if quick else "small"
    model = material.model(FOLDER, preset)
    heights = HEIGHTS[:2] if quick else HEIGHTS
    for layout in material.LAYOUTS:
        for times in heights if layout in ("strips", "band-tiles") else (1,):
            scene = material.scene(FOLDER, layout, border=True, times=times, rows=rows)
            job = run_job(scene, model, scratch / "map.tif")
            yield {
                "case": "memory",
                "model": preset,
                "layout": layout,
                "border": "25 %",
                "job_s": job["wall"],
                "peak_mb": job["peak_mb"],
                "result": f"{times} x height; estimated {job['summary']['estimated_memory_mb']}",
            }


def start(quick: bool, scratch: Path) -> Iterator[Row]:
    """Yield when the first progress event comes, and when the first tile is done."""
    rows = QUICK_ROWS if quick else material.HEIGHT
    for preset in ("tiny", "small"):
        for layout in material.LAYOUTS:
            scene = material.scene(FOLDER, layout, border=True, rows=rows)
            model = material.model(FOLDER, preset)
            runs = [
                run_job(scene, model, scratch / "map.tif")
                for _ in range(1 if quick else REPEATS if preset == "tiny" else 3)
            ]
            yield {
                "case": "start",
                "model": preset,
                "layout": layout,
                "border": "25 %",
                "result": f"first event {median(runs, 'first'):.2f} s, "
                f"first tile {median(runs, 'first_tile'):.2f} s",
            }


def faults(quick: bool, scratch: Path) -> Iterator[Row]:
    """Yield what random kills and cancels leave, and whether resumed jobs give the same bytes."""
    model = material.model(FOLDER, "tiny")
    scene = material.scene(FOLDER, "strips", border=True, rows=QUICK_ROWS, times=2)
    whole = run_job(scene, model, scratch / "whole.tif")
    expected = digest(scratch / "whole.tif")
    generator = random.Random(1)  # noqa: S311 - moments, not secrets
    for how, count in (
        ("kill", QUICK_KILLS if quick else KILLS),
        ("cancel", QUICK_CANCELS if quick else CANCELS),
    ):
        wrong: list[str] = []
        resumed = 0
        for number in range(count):
            output = scratch / f"{how}-{number}" / "map.tif"
            output.parent.mkdir()
            old = b"an older file" if number % 2 else None
            if old is not None:
                output.write_bytes(old)
            moment = generator.uniform(0.0, whole["wall"])
            wrong += interrupted(scene, model, output, how, moment, old)
            again = run_job(scene, model, output, "--resume")
            resumed += again["summary"]["resumed_portions"] > 0
            if digest(output) != expected:
                wrong.append(f"{number}: other bytes after resuming")
            left = sorted(path.name for path in output.parent.iterdir())
            if left != ["map.tif", "map.tif.aux.xml"]:
                wrong.append(f"{number}: {left} is left")
        yield {
            "case": "faults",
            "model": "tiny",
            "layout": "strips",
            "border": "25 %",
            "result": f"{count} x {how}: {len(wrong)} wrong, {resumed} went on from finished rows"
            + "".join(f"; {each}" for each in wrong[:5]),
        }


def interrupted(
    scene: Path, model: Path, output: Path, how: str, moment: float, old: Optional[bytes]
) -> list[str]:
    """Start a job, end it after ``moment`` seconds, and return what is wrong afterwards."""
    more = ["--resume"] if how == "cancel" else []
    process = subprocess.Popen(
        job_command(scene, model, output, *more),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
        start_new_session=True,
    )
    time.sleep(moment)
    process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGTERM)
    asked = time.perf_counter()
    status = process.wait()
    took = time.perf_counter() - asked
    wrong = []
    finished = status == 0
    if not finished and (output.read_bytes() if output.exists() else None) != old:
        wrong.append(f"{output.parent.name}: the output was touched")
    if how == "cancel":
        # Before the job has taken over the signals they end Python itself.
        if status not in (0, 5, -signal.SIGTERM):
            wrong.append(f"{output.parent.name}: exit status {status}")
        if took > 2.0:
            wrong.append(f"{output.parent.name}: the cancel took {took:.1f} s")
        parts = [path.name for path in output.parent.iterdir() if path.name.endswith(".part")]
        if parts and status == 5:
            wrong.append(f"{output.parent.name}: {parts} is left")
    if group_lives(process.pid):
        wrong.append(f"{output.parent.name}: an orphan is left")
    return wrong


def group_lives(group: int) -> bool:
    """Return whether a process of a group still lives."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def overlap(quick: bool, scratch: Path) -> Iterator[Row]:
    """Yield what an overlap leaves of the tiles' borders, with the student that is shipped."""
    from hyperkd.inference.reconstruct import reconstruct
    from hyperkd.raster.source import open_raster

    scene = material.scene(FOLDER, "band-tiles", border=False, rows=200 if quick else 400)

    class Silent:
        """A reporter that nobody listens to."""

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *arguments: None

    silent: Any = Silent()

    def values(pixels: int) -> np.ndarray[Any, Any]:
        path = str(scratch / "reconstruction.tif")
        reconstruct(
            input=str(scene),
            output=path,
            model="tiny",
            overlap=pixels,
            device="cpu",
            report=silent,
        )
        with open_raster(path) as source:
            return source.read(source.grid.window, range(0, 218, 12)).astype(np.float64)

    reference = values(56)
    spread_of = reference.std(axis=(1, 2)).mean()
    step = np.abs(np.diff(reference, axis=1)).mean(axis=(0, 2))
    for pixels in OVERLAPS[::2] if quick else OVERLAPS:
        got = values(pixels)
        deviation = np.sqrt(((got - reference) ** 2).mean()) / spread_of
        worst = (np.abs(np.diff(got, axis=1)).mean(axis=(0, 2)) / step).max()
        yield {
            "case": "overlap",
            "model": "tiny (shipped)",
            "layout": "band-tiles",
            "border": "none",
            "result": f"{pixels} px: deviation {deviation:.3f} of the spread, "
            f"worst step between rows {worst:.2f} x",
        }


def median(runs: Sequence[Row], key: str) -> float:
    """Return the median of one figure."""
    return float(statistics.median(run[key] for run in runs))


def spread(runs: Sequence[Row]) -> float:
    """Return how far the slowest and the fastest run are apart, as a share of the median."""
    walls = [run["wall"] for run in runs]
    return float((max(walls) - min(walls)) / statistics.median(walls))


def digest(path: Path) -> str:
    """Return the checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


CASES: Final[dict[str, Callable[[bool, Path], Iterator[Row]]]] = {
    "speed": speed,
    "memory": memory,
    "start": start,
    "faults": faults,
    "overlap": overlap,
}
COLUMNS: Final = (
    *("case", "model", "layout", "border", "job_s", "floor_s", "ratio", "bare_s", "decode_cpu_s"),
    *("plain_s", "factor", "cpu_s", "peak_mb", "result"),
)


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="a third of the scene, one turn")
    parser.add_argument("--case", choices=CASES, action="append", help="default: all")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for name in arguments.case or CASES:
        with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
            for row in CASES[name](arguments.quick, Path(scratch)):
                rows.append({column: row.get(column, "") for column in COLUMNS})
                sys.stderr.write(f"{row}\n")
    protocol = " ".join((__doc__ or "").split("Protocol: ")[1].split())
    about = f"{CORES} cores, {REPEATS if not arguments.quick else QUICK_REPEATS} repeats."
    document = {"protocol": f"{protocol} {about}", "rows": rows}
    arguments.output.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
