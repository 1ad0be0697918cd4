"""Fine-tuned students beside classical models on raw spectra, on the same pixels.

    python3 build.py bench finetune            hours; can be stopped and started again
    python3 build.py bench finetune --quick    minutes: one seed, the smallest tasks
    python benchmarks/bench_finetune.py --docs also writes the tables into docs/

Protocol: the job's defaults on both sides, the same folds and the same labels. Real tiles
of Potsdam: six folds of two or three whole tiles, every pixel predicted once a seed; a
seed deals the tiles anew and seeds the training. Simulated scenes: labels in one scene, a
test in two others with their own draw of spectra and landscape. Figures are of all
predictions of a seed together, then the mean over seeds. Details: docs/benchmarks_finetuning.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from finetune_methods import CLASSICAL, SCRATCH, STUDENT, Answer, classical, student
from finetune_table import markdown, row_of, short, summary
from finetune_tasks import Fold, Task, potsdam_tasks, simulated_tasks
from osgeo import gdal

from hyperkd.partial import PartialFile

ROOT = Path(__file__).resolve().parents[1]
SEEDS = 5
QUICK_TASKS = ("vegetation", "cover_20")
BEGIN, END = "<!-- table -->", "<!-- end of table -->"


def say(text: str) -> None:
    """Print a line with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main() -> None:
    """Measure what has not been measured yet, and write the figures."""
    given = _arguments()
    torch.set_num_threads(given.threads)
    tasks = [*(potsdam_tasks(given.real) if given.real.is_dir() else []), *simulated_tasks()]
    if given.quick:
        tasks = [task for task in tasks if task.name in QUICK_TASKS]
    if given.only:
        tasks = [task for task in tasks if task.name in given.only]
    folder = given.folder
    if not given.table:
        for seed in range(1 if given.quick else given.seeds):
            for task in tasks:
                _run(task, seed, folder, given)
        if given.real.is_dir() and not given.quick and not given.only:
            _time_the_mosaic(folder, given.real)
    rows = [json.loads(path.read_text("utf-8")) for path in sorted((folder / "rows").glob("*"))]
    kinds = {task.name: task.table or task.kind for task in tasks}
    counts = {task.name: task.count for task in tasks}
    lines = summary([row for row in rows if row["task"] in kinds], kinds, counts)
    text = markdown(lines, {task.name: task.title for task in tasks}, kinds)
    timing = folder / "mosaic.json"
    if timing.is_file():
        text += _timing(json.loads(timing.read_text("utf-8")))
    result = {
        "protocol": " ".join((__doc__ or "").split("Protocol: ")[1].split()),
        "rows": short(lines),
        "lines": [{k: v for k, v in line.items() if not k.startswith("_")} for line in lines],
    }
    _write(given.output, json.dumps(result, indent=1) + "\n")
    print(text)
    if given.docs:
        page = given.docs.read_text("utf-8")
        before, _, rest = page.partition(BEGIN)
        _write(given.docs, f"{before}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench" / "finetune.json")
    parser.add_argument("--quick", action="store_true", help="one seed of the smallest tasks")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--only", nargs="*", help="names of tasks")
    parser.add_argument("--methods", nargs="*", help="names of methods; default: all")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="write the tables, measure nothing")
    parser.add_argument(
        "--docs",
        type=Path,
        nargs="?",
        const=ROOT / "docs" / "benchmarks_finetuning.md",
        help="write the tables into this page",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / "build" / "bench" / "finetune",
        help="where rows are kept; what is there is not measured again",
    )
    parser.add_argument(
        "--real",
        type=Path,
        default=ROOT.parent / "shared" / "data" / "potsdam",
        help="folder with images/, labels/ and vegcover_point.gpkg",
    )
    return parser.parse_args()


def _run(task: Task, seed: int, folder: Path, given: argparse.Namespace) -> None:
    """Measure the methods of a task that have no row yet, fold by fold."""
    methods = [STUDENT, *([SCRATCH] if task.scratch else []), *CLASSICAL[task.kind]]
    methods = [name for name in methods if not given.methods or name in given.methods]
    missing = [
        (number, name)
        for number in range(task.count)
        for name in methods
        if not _row_path(folder, task, seed, number, name).is_file()
    ]
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for number, fold in enumerate(task.folds(seed, Path(scratch))):
            wanted = [name for other, name in missing if other == number]
            for name, answer, seconds in _answers(task, fold, seed, wanted, Path(scratch)):
                row = {
                    **{"task": task.name, "seed": seed, "fold": number, "method": name},
                    "seconds": round(seconds, 2),
                    "settings": answer.settings,
                    **_judge(task, fold, answer),
                }
                path = _row_path(folder, task, seed, number, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(path, json.dumps(row))
                say(f"{task.name}, seed {seed}, fold {number}: {name}, {seconds:.0f} s")


def _answers(
    task: Task, fold: Fold, seed: int, wanted: list[str], scratch: Path
) -> Iterator[tuple[str, Answer, float]]:
    started = time.perf_counter()
    if set(wanted) & set(CLASSICAL[task.kind]):
        found = classical(task, fold, seed)
        each = (time.perf_counter() - started) / len(found)  # they share folds and spectra
        for name, answer in found.items():
            if name in wanted:
                yield name, answer, each
    for name, start in ((STUDENT, "tiny"), (SCRATCH, "scratch")):
        if name in wanted:
            started = time.perf_counter()
            answer = student(task, fold, seed, start, scratch)
            yield name, answer, time.perf_counter() - started


def _judge(task: Task, fold: Fold, answer: Answer) -> dict[str, Any]:
    scene = np.repeat(fold.places, [len(scene) for scene in fold.test.scenes])
    return row_of(fold.test.values, answer.predicted, scene, len(fold.test.classes))


def _row_path(folder: Path, task: Task, seed: int, fold: int, method: str) -> Path:
    return folder / "rows" / f"{task.name}_{seed}_{fold}_{method.replace(' ', '-')}.json"


def _time_the_mosaic(folder: Path, real: Path) -> None:
    """Time ``hyperkd finetune`` with its defaults on the mosaic, all cores, from start to end."""
    path = folder / "mosaic.json"
    if path.is_file():
        return
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for name in ("images", "labels"):
            tiles = sorted(str(tile) for tile in (real / name).glob("*.tif"))
            gdal.BuildVRT(f"{scratch}/{name}.vrt", tiles)
        command = [
            *(sys.executable, "-m", "hyperkd", "finetune", "--task", "classification"),
            *("--student", "tiny", "--input", f"{scratch}/images.vrt"),
            *("--labels", f"{scratch}/labels.vrt", "--output", f"{scratch}/model.onnx"),
            *("--report", f"{scratch}/report"),
        ]
        started = time.perf_counter()
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - started
    _write(path, json.dumps({"seconds": round(seconds, 1), "cores": os.cpu_count()}))
    say(f"mosaic: {seconds:.0f} s")


def _timing(found: dict[str, Any]) -> str:
    return (
        f"`hyperkd finetune` with its defaults on the mosaic of Potsdam, report included: "
        f"{found['seconds']:.0f} s on {found['cores']} cores.\n"
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with PartialFile(path) as part:
        Path(part.temporary).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
