"""What int8 and float16 save, and what they cost: size, speed, agreement, accuracy.

    python3 build.py bench quantisation [--quick]
    .venv/bin/python benchmarks/bench_quantisation.py --output FILE --docs

With --docs the table is also written into docs/quantisation.md.

Models and real tiles are those of ``quantisation_models``: eight Potsdam tiles train the
heads and calibrate, the other five compare. Every smaller model is made by the job
``quantize`` itself, whose limit is lifted, and its figures are those of the job: with
labels the overall accuracy of the five tiles, without them the agreement with float32.

Speed: processor time of ``session.run`` for one tile on one thread, all models of a
group in turn, ROUNDS times; the factor is the median over rounds of float32's time by
the other's in the same round, the milliseconds are the medians. An embedding is
computed up to its tokens, as ``embed`` does. float16 is for GPUs: on a CPU it is here to
show that it gains nothing there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import quantisation_models as models
from real_tiles import POTSDAM

from hyperkd.inference.backends.onnxruntime_backend import open_session, runtime_version
from hyperkd.inference.tiling.reflectance_tiles import reflectance_tiles
from hyperkd.models.bundle import Bundle, open_bundle
from hyperkd.quantisation.quantize_model import quantize
from hyperkd.raster.open_raster import open_raster
from hyperkd.reporting import RecordingReporter
from hyperkd.requests.quantize_options import QuantizeJob

ROUNDS, QUICK_ROUNDS = 15, 5
METHODS: Final = ("dynamic", "static", "float16")
# Name, size, whether it has a head.
GROUPS: Final = (
    ("tiny with head", "tiny", True),
    ("tiny student", "tiny", False),
    ("small with head", "small", True),
    ("small student", "small", False),
)
QUICK_GROUPS: Final = GROUPS[:1]
PAGE: Final = models.ROOT / "docs" / "quantisation.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
COLUMNS: Final = (
    *("model", "kind", "MB", "ms a tile", "times as fast", "OA", "OA points lost"),
    *("classes changed %", "embedding missed %", "reconstruction missed %"),
)


def measure(size: str, with_head: bool, rounds: int, folder: Path) -> list[dict[str, Any]]:
    """Make one model, make it smaller in every way, and return a row for each."""
    images, labels, test_images, test_labels = models.tiles(POTSDAM)
    path = folder / "float32.onnx"
    if with_head:
        models.write_model(size, images, labels, path)
    else:
        models.write_student(size, path)
    rows: list[dict[str, Any]] = [{"kind": "float32"}]
    for method in METHODS:
        summary = quantize(
            QuantizeJob(
                model=str(path),
                output=str(folder / f"{method}.onnx"),
                input=test_images,
                labels=test_labels if with_head else (),
                calibration=images if method == "static" else (),
                method=method,
                loss=100.0,
            ),
            RecordingReporter(),
        )
        rows.append({"kind": method, **_costs(summary["quantisation"])})
        if with_head:
            told = summary["quantisation"]["labels"]
            rows[0]["OA"] = told["before"]["overall_accuracy"]
    for row, seconds in zip(rows, _seconds(folder, test_images[0], rounds)):
        row["MB"] = (folder / f"{row['kind']}.onnx").stat().st_size / 1e6
        row["ms a tile"] = 1e3 * statistics.median(seconds[1])
        row["times as fast"] = statistics.median(a / b for a, b in zip(*seconds))
    return rows


def _costs(told: dict[str, Any]) -> dict[str, float]:
    """Return what the card says."""
    columns = {
        "logits": "classes changed %",
        "embedding": "embedding missed %",
        "reconstruction": "reconstruction missed %",
    }
    costs = {columns[name]: each["loss"] for name, each in told["outputs"].items()}
    if "labels" in told:
        costs["OA"] = told["labels"]["after"]["overall_accuracy"]
        costs["OA points lost"] = told["labels"]["loss"]
    return costs


def _seconds(folder: Path, image: str, rounds: int) -> list[tuple[list[float], list[float]]]:
    """Return for each model float32's seconds and its own, round by round."""
    bundles = [open_bundle(folder / f"{kind}.onnx") for kind in ("float32", *METHODS)]
    with open_raster(image) as source:
        pixels, valid = next(reflectance_tiles(source, bundles[0].card, 1, RecordingReporter()))
    sessions = [open_session(bundle.network(_timed(bundle)), "cpu", 1) for bundle in bundles]
    taken: list[list[float]] = [[] for _ in sessions]
    for number in range(rounds + 1):
        for session, seconds in zip(sessions, taken):
            started = time.thread_time()
            session.run(pixels, valid)
            if number:  # memory is allocated in the first run
                seconds.append(time.thread_time() - started)
    return [(taken[0], seconds) for seconds in taken]


def _timed(bundle: Bundle) -> str:
    return "tokens" if bundle.has_tokens else bundle.outputs[0]


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--docs", action="store_true", help="write the table into docs")
    given = parser.parse_args()
    if given.quick and given.docs:
        parser.error("the figures of --quick are not for docs/")
    rounds = QUICK_ROUNDS if given.quick else ROUNDS
    rows = []
    for name, size, with_head in QUICK_GROUPS if given.quick else GROUPS:
        with tempfile.TemporaryDirectory() as folder:
            for row in measure(size, with_head, rounds, Path(folder)):
                rows.append(_line({"model": name, **row}))
    protocol = (
        "five Potsdam tiles, head and calibration from eight others; one thread, processor "
        f"time, median of {rounds} interleaved rounds, onnxruntime {runtime_version()}; the "
        "encoder of small has random weights"
    )
    given.output.write_text(json.dumps({"protocol": protocol, "rows": rows}, indent=2) + "\n")
    if given.docs:
        _document(protocol, rows)


def _document(protocol: str, rows: list[dict[str, Any]]) -> None:
    """Write the table between the markers of the page."""
    lines = [list(COLUMNS), ["---"] * len(COLUMNS)]
    lines += [[str(row[column]) for column in COLUMNS] for row in rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    before, begin, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} lacks the lines {BEGIN} and {END}.")
    text = f"{protocol[0].upper()}{protocol[1:]}."
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{table}\n\n{END}{after}", "utf-8")


def _line(row: dict[str, Any]) -> dict[str, Any]:
    """Return all columns of a row, numbers with four digits, what has no meaning empty."""
    shown = {}
    for column in COLUMNS:
        value = row.get(column, "")
        if isinstance(value, float):
            value = float(np.format_float_positional(value, 4, fractional=False))
        shown[column] = value
    return shown


if __name__ == "__main__":
    main()
