"""How fast a whole scene is mapped, in how much memory, and what a kill leaves behind.

    python3 build.py bench inference [--quick]
    .venv/bin/python benchmarks/bench_inference.py [--case NAME]... [--quick]
    .venv/bin/python benchmarks/bench_inference.py --docs

Cases: speed, memory, start, faults, overlap, and tiny, which is the case speed with the
shipped size; all but the last by default. The result of each is kept in
build/bench/inference/results as soon as it ends; a speed case that was interrupted goes on
with its next turn while the engine is the same. --docs measures nothing and writes what
is kept there into docs/inference.md.

The scene is simulated, of EnMAP's size (1100 x 1000 pixels, 224 bands of int16, see
``inference_material``), the models are a ViT of 384 channels, 12 blocks and patches of 8
pixels ("small") and one of the shipped size ("tiny"), both with a head of 13 classes and
random weights. What is timed is `hyperkd predict` with its defaults, from the start of
the process to its end.

Protocol: a case's programs take turns; medians. Files lie in the system's cache. `bare`:
the calls of session.run for all tiles with a valid pixel, from memory, by all cores, in
the way that is faster here (every operator on all cores, or a tile on each core).
`floor`: (processor seconds of these calls + processor seconds of one pass of GDAL that
decodes every block once, in the cheapest order) / cores. `plain`: the program that one
writes first (``plain_loop``), same tiles, always float32. `ratio` = job / floor, `factor` =
plain / job.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import inference_material as material
import numpy as np
from inference_faults import faults
from inference_programs import FOLDER, HERE, Row, median, output_of, run_job, spread, timed
from inference_table import BEGIN, END, document

from hyperkd.inference.tiling import machine
from hyperkd.reporting import SilentReporter
from hyperkd.requests.predict_options import ReconstructJob

RESULTS: Final = FOLDER / "results"
PAGE: Final = HERE.parent / "docs" / "inference.md"
REPEATS, QUICK_REPEATS = 5, 1
QUICK_ROWS: Final = 300
HEIGHTS: Final = (1, 4, 8)
OVERLAPS: Final = (0, 4, 8, 16, 24, 32)
CORES: Final = machine.cores()
INT8: Final = "small int8"


def speed(quick: bool, scratch: Path) -> list[Row]:
    """Return the time of the job, of both yardsticks and of the plain loop, by layout."""
    return _speed("speed", ("small", INT8), quick, scratch)


def tiny(quick: bool, scratch: Path) -> list[Row]:
    """Return the same for the size of the shipped student."""
    return _speed("tiny", ("tiny",), quick, scratch)


def _speed(case: str, models: Sequence[str], quick: bool, scratch: Path) -> list[Row]:
    rows = QUICK_ROWS if quick else material.HEIGHT
    repeats = QUICK_REPEATS if quick else REPEATS
    kept = RESULTS / f"{case}{'-quick' if quick else ''}-turns.json"
    state = _turns(kept, repeats)
    for turn in range(len(state["turns"]) + 1, repeats + 1):
        sys.stderr.write(f"{case}: turn {turn} of {repeats}\n")
        state["turns"].append(_turn(models, rows, scratch, state["ways"]))
        _write(kept, state)
    turns = state["turns"]
    return [_speed_row(key, [turn[key] for turn in turns]) for key in turns[0]]


def _turns(kept: Path, repeats: int) -> dict[str, Any]:
    """Return the turns of a case that was interrupted with the same engine, or none."""
    engine = hashlib.sha256()
    for path in sorted((HERE.parent / "engine").rglob("*.py")):
        engine.update(path.read_bytes())
    state = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    if state.get("engine") == engine.hexdigest() and len(state["turns"]) < repeats:
        return dict(state)
    return {"engine": engine.hexdigest(), "ways": {}, "turns": []}


def _turn(models: Sequence[str], rows: int, scratch: Path, ways: dict[str, str]) -> dict[str, Row]:
    """Run every program once; ``ways`` keeps which way of the bare network is faster."""
    turn: dict[str, Row] = {}
    for border in (False, True):
        bare = {name: _bare(name, border, rows, ways) for name in models if border or name != INT8}
        for layout in material.LAYOUTS:
            scene = material.scene(FOLDER, layout, border=border, rows=rows)
            plain_model = material.model(FOLDER, models[0])
            # Who writes a plain loop takes the model as it is.
            plain = timed(
                "plain_loop.py", scene, plain_model, scratch / "plain.tif", _overlap(models[0])
            )
            decode = float(output_of("decode_once.py", scene, plain_model))
            for name, network in bare.items():
                job = run_job(scene, _model(name), scratch / "map.tif")
                if job["summary"]["tiles"] != network["calls"]:
                    raise RuntimeError(f"the job computed other tiles than the bare network {job}")
                shares = job.pop("summary")["cpu_seconds"]
                turn[f"{name}|{layout}|{'25 %' if border else 'none'}"] = {
                    **job,
                    **{f"bare_{key}": value for key, value in network.items()},
                    "stages": shares,
                    "decode": decode,
                    "plain": plain,
                    "floor": (network["cpu"] + decode) / CORES,
                }
                sys.stderr.write(f"  {name} {layout} {border}: {job['wall']:.2f} s\n")
    return turn


def _bare(name: str, border: bool, rows: int, ways: dict[str, str]) -> dict[str, Any]:
    # All layouts hold the same pixels; this one is read the fastest.
    scene = material.scene(FOLDER, "strips", border=border, rows=rows)
    chosen = ways.get(name)
    measured = {}
    for way in ("operators", "tiles") if chosen is None else (chosen,):
        told = output_of("bare_network.py", scene, _model(name), _overlap(name), CORES, way)
        measured[way] = json.loads(told)
    ways[name] = min(measured, key=lambda way: float(measured[way]["wall"]))
    fastest: dict[str, Any] = measured[ways[name]]
    return fastest


def _model(name: str) -> Path:
    size, *smaller = name.split()
    return material.smaller_model(FOLDER, size) if smaller else material.model(FOLDER, size)


def _overlap(name: str) -> int:
    """Return the default overlap: a quarter of the tile."""
    return 16 if name == "tiny" else 32


def _speed_row(key: str, runs: Sequence[Row]) -> Row:
    name, layout, border = key.split("|")
    took, floor = median(runs, "wall"), median(runs, "floor")
    stages = {stage: median([run["stages"] for run in runs], stage) for stage in runs[0]["stages"]}
    return {
        "model": name,
        "layout": layout,
        "border": border,
        "tiles": runs[0]["bare_calls"],
        "job_s": took,
        "floor_s": floor,
        "ratio": took / floor,
        "bare_s": median(runs, "bare_wall"),
        "bare_cpu_s": median(runs, "bare_cpu"),
        "decode_cpu_s": median(runs, "decode"),
        "plain_s": median(runs, "plain"),
        "factor": median(runs, "plain") / took,
        "cpu_s": median(runs, "cpu"),
        "peak_mb": median(runs, "peak_mb"),
        "stages": stages,
        "spread": spread(runs, "wall"),
        "turns": len(runs),
    }


def memory(quick: bool, scratch: Path) -> list[Row]:
    """Return the largest memory at 1, 4 and 8 times the height."""
    found = []
    heights = HEIGHTS[:2] if quick else HEIGHTS
    # `small` needs the most memory; the shipped size makes the other layouts quicker.
    for layout, name in (("strips", "small"), ("pixel-tiles", "tiny"), ("band-tiles", "tiny")):
        peaks = {}
        for times in heights:
            rows = QUICK_ROWS if quick else material.HEIGHT
            scene = material.scene(FOLDER, layout, border=True, times=times, rows=rows)
            job = run_job(scene, _model("tiny" if quick else name), scratch / "map.tif")
            peaks[times] = job["peak_mb"]
            sys.stderr.write(f"{layout} x {times}: {job['peak_mb']:.0f} MB, {job['wall']:.1f} s\n")
        apart = (max(peaks.values()) - min(peaks.values())) / min(peaks.values())
        found.append(
            {
                "model": name,
                "layout": layout,
                "border": "25 %",
                **{f"peak_mb x {times}": peak for times, peak in peaks.items()},
                "apart": apart,
                "estimated_mb": job["summary"]["estimated_memory_mb"],
            }
        )
    return found


def start(quick: bool, scratch: Path) -> list[Row]:
    """Return when the first progress event comes, and when the first tile is done."""
    rows = QUICK_ROWS if quick else material.HEIGHT
    cases = [(name, layout) for name in ("tiny", "small") for layout in material.LAYOUTS]
    runs: dict[tuple[str, str], list[Row]] = {case: [] for case in cases}
    for _ in range(QUICK_REPEATS if quick else REPEATS):
        for name, layout in cases:
            scene = material.scene(FOLDER, layout, border=True, rows=rows)
            job = run_job(scene, _model(name), scratch / "map.tif", until_first_tile=True)
            runs[name, layout].append(job)
    return [
        {
            "model": name,
            "layout": layout,
            "border": "25 %",
            "first_event_s": median(told, "first"),
            "slowest_first_event_s": max(run["first"] for run in told),
            "first_tile_s": median(told, "first_tile"),
        }
        for (name, layout), told in runs.items()
    ]


def overlap(quick: bool, scratch: Path) -> list[Row]:
    """Return what an overlap leaves of the tiles' borders, with the student that is shipped."""
    from hyperkd.inference.reconstruct import reconstruct
    from hyperkd.raster.open_raster import open_raster

    scene = material.scene(FOLDER, "band-tiles", border=False, rows=QUICK_ROWS)
    silent = SilentReporter()

    def values(pixels: int) -> np.ndarray[Any, Any]:
        path = str(scratch / "reconstruction.tif")
        reconstruct(
            ReconstructJob(
                input=str(scene), output=path, model="tiny", overlap=pixels, device="cpu"
            ),
            silent,
        )
        with open_raster(path) as source:
            return source.read(source.grid.window, range(0, 218, 12)).astype(np.float64)

    reference = values(48)
    spread_of = reference.std(axis=(1, 2)).mean()
    step = np.abs(np.diff(reference, axis=1)).mean(axis=(0, 2))
    found = []
    for pixels in OVERLAPS[::2] if quick else OVERLAPS:
        got = values(pixels)
        worst = (np.abs(np.diff(got, axis=1)).mean(axis=(0, 2)) / step).max()
        found.append(
            {
                "model": "tiny (shipped)",
                "overlap_px": pixels,
                "deviation": np.sqrt(((got - reference) ** 2).mean()) / spread_of,
                "worst_step": worst,
            }
        )
    return found


CASES: Final[dict[str, Callable[[bool, Path], list[Row]]]] = {
    "speed": speed,
    "memory": memory,
    "start": start,
    "faults": faults,
    "overlap": overlap,
    "tiny": tiny,
}


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=HERE.parent / "build/bench/inference.json")
    parser.add_argument("--quick", action="store_true", help="a third of the scene, one turn")
    parser.add_argument("--case", choices=CASES, action="append", help="default: all but tiny")
    parser.add_argument("--docs", action="store_true", help="measure nothing, renew the page")
    given = parser.parse_args()
    if given.docs:
        _renew_page()
        return
    RESULTS.mkdir(parents=True, exist_ok=True)
    chosen = given.case or [name for name in CASES if name != "tiny"]
    results = {name: _measure(name, given.quick) for name in chosen}
    columns = list(dict.fromkeys(key for told in results.values() for row in told for key in row))
    rows = [
        {"case": name, **{key: row.get(key, "") for key in columns if key != "stages"}}
        for name, told in results.items()
        for row in told
    ]
    protocol = " ".join((__doc__ or "").split("Protocol: ")[1].split())
    about = f"{CORES} cores, {QUICK_REPEATS if given.quick else REPEATS} turns."
    _write(given.output, {"protocol": f"{protocol} {about}", "rows": rows})


def _measure(name: str, quick: bool) -> list[Row]:
    """Run a case and keep its result."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
        rows = CASES[name](quick, Path(scratch))
    about = {"cores": CORES, "system": platform.platform(terse=True), **_versions()}
    _write(RESULTS / f"{name}{'-quick' if quick else ''}.json", {**about, "rows": rows})
    sys.stderr.write(f"{name} is done\n")
    return rows


def _versions() -> dict[str, str]:
    import onnxruntime
    from osgeo import gdal

    return {"onnxruntime": onnxruntime.__version__, "gdal": gdal.__version__}


def _renew_page() -> None:
    results = {
        name: json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
        for name in CASES
        if (RESULTS / f"{name}.json").is_file()
    }
    before, begin, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} lacks the lines {BEGIN} and {END}.")
    PAGE.write_text(f"{before}{BEGIN}\n\n{document(results)}\n{END}{after}", "utf-8")


def _write(path: Path, value: Any) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=1, default=float) + "\n", "utf-8")
    part.replace(path)


if __name__ == "__main__":
    main()
