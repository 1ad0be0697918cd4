"""Fine-tuned students beside classical models on raw spectra, on the same pixels.

    python3 build.py bench finetune            most of an hour; goes on where it was stopped
    python3 build.py bench finetune --quick    minutes: one seed, the smallest tasks
    python benchmarks/bench_finetune.py --estimate  says how long, and ends
    python benchmarks/bench_finetune.py --mosaic    the run of three minutes alone, two cores
    python benchmarks/bench_finetune.py --docs      also writes the tables into docs/

Protocol: the job's defaults on both sides, the same folds and the same labels. Real tiles
of Potsdam: six folds of two or three whole tiles, every pixel predicted once a seed; a
seed deals the tiles anew and seeds the training. Simulated scenes: labels in one scene, a
test in two others with their own draw of spectra and landscape; from scratch on the first
three seeds. Figures are of all predictions of a seed together, then the mean over seeds.
Details: docs/benchmarks_finetuning.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from finetune_methods import CLASSICAL, SCRATCH, STUDENT, Answer, classical, student
from finetune_table import markdown, row_of, short, summary
from finetune_targets import targets
from finetune_tasks import Fold, Task, potsdam_tasks, simulated_tasks
from osgeo import gdal
from real_tiles import POTSDAM, absence, require

from hyperkd.atomic import AtomicFile

ROOT = Path(__file__).resolve().parents[1]
SEEDS = 5
CORES = 2
QUICK_TASKS = ("vegetation", "cover_20")
BEGIN, END = "<!-- table -->", "<!-- end of table -->"


def say(text: str) -> None:
    """Print a line with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main() -> None:
    """Measure what has not been measured yet, and write the figures."""
    given = _arguments()
    torch.set_num_threads(given.threads)
    sentence = absence(given.real / "images", "the tasks of Potsdam are left out")
    if sentence is not None:
        say(sentence)
    tasks = [*([] if sentence else potsdam_tasks(given.real)), *simulated_tasks()]
    known = tasks
    if given.quick:
        tasks = [task for task in tasks if task.name in QUICK_TASKS]
    if given.only:
        tasks = [task for task in tasks if task.name in given.only]
    todo = [
        (task, seed)
        for seed in range(1 if given.quick else given.seeds)
        for task in tasks
        if _missing(task, seed, given)
    ]
    say(f"{len(todo)} tasks and seeds to measure, about {_minutes(todo, given):.0f} minutes")
    if given.estimate:
        return
    if given.mosaic:
        require(given.real / "images")
        _time_the_mosaic(given.folder, given.real)
    elif not given.table:
        for number, (task, seed) in enumerate(todo):
            _run(task, seed, given.folder, given)
            left = todo[number + 1 :]
            say(f"{len(left)} tasks and seeds left, about {_minutes(left, given):.0f} minutes")
    _write_figures(known, given)


def _write_figures(tasks: list[Task], given: argparse.Namespace) -> None:
    """Write the tables of everything that was measured, whichever run it was."""
    rows = _rows(given.folder)
    kinds = {task.name: task.table or task.kind for task in tasks}
    counts = {task.name: task.count for task in tasks}
    lines = summary([row for row in rows if row["task"] in kinds], kinds, counts)
    timing = given.folder / "mosaic.json"
    mosaic = json.loads(timing.read_text("utf-8")) if timing.is_file() else None
    text = targets(lines, mosaic) + "\n"
    text += markdown(lines, {task.name: task.title for task in tasks}, kinds)
    result = {
        "protocol": " ".join((__doc__ or "").split("Protocol: ")[1].split()),
        "rows": short(lines),
        "lines": [{k: v for k, v in line.items() if not k.startswith("_")} for line in lines],
        "mosaic": mosaic,
    }
    _write(given.output, json.dumps(result, indent=1) + "\n")
    print(text)
    if given.docs:
        page = given.docs.read_text("utf-8")
        before, begin, rest = page.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise SystemExit(f"{given.docs} lacks the lines {BEGIN} and {END}.")
        _write(given.docs, f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in sorted((folder / "rows").glob("*"))]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench" / "finetune.json")
    parser.add_argument("--quick", action="store_true", help="one seed of the smallest tasks")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--only", nargs="*", help="names of tasks")
    parser.add_argument("--methods", nargs="*", help="names of methods; default: all")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="write the tables, measure nothing")
    parser.add_argument("--estimate", action="store_true", help="tell how long, measure nothing")
    parser.add_argument("--mosaic", action="store_true", help="time the job on the mosaic alone")
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
        default=ROOT / "build" / "finetune",
        help="where rows are kept; what is there is not measured again",
    )
    parser.add_argument(
        "--real",
        type=Path,
        default=POTSDAM,
        help="folder with images/, labels/ and vegcover_point.gpkg",
    )
    return parser.parse_args()


def _missing(task: Task, seed: int, given: argparse.Namespace) -> list[tuple[int, str]]:
    """Return the folds and methods of a task and seed that have no row yet."""
    methods = [STUDENT, *([SCRATCH] if seed < task.scratch else []), *CLASSICAL[task.kind]]
    return [
        (number, name)
        for number in range(task.count)
        for name in methods
        if not given.methods or name in given.methods
        if not _row_path(given.folder, task, seed, number, name).is_file()
    ]


# Which of ``Task.seconds``; classical models: the last.
_KIND = {STUDENT: 0, SCRATCH: 1}


def _minutes(todo: list[tuple[Task, int]], given: argparse.Namespace) -> float:
    """Return how long it takes: as long as the rows so far, else as on a free core before."""
    seen: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in _rows(given.folder):
        seen[row["task"], row["method"]].append(row["seconds"])
    seconds = 0.0
    for task, seed in todo:
        for _, name in _missing(task, seed, given):
            own = seen.get((task.name, name)) or [task.seconds[_KIND.get(name, 2)]]
            seconds += sum(own) / len(own)
    return seconds / 60


def _run(task: Task, seed: int, folder: Path, given: argparse.Namespace) -> None:
    """Measure the methods of a task that have no row yet, fold by fold."""
    missing = _missing(task, seed, given)
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
    started = time.process_time()
    if set(wanted) & set(CLASSICAL[task.kind]):
        found = classical(task, fold, seed)
        each = (time.process_time() - started) / len(found)  # they share folds and spectra
        for name, answer in found.items():
            if name in wanted:
                yield name, answer, each
    for name, start in ((STUDENT, "tiny"), (SCRATCH, "scratch")):
        if name in wanted:
            started = time.process_time()
            answer = student(task, fold, seed, start, scratch)
            yield name, answer, time.process_time() - started


def _judge(task: Task, fold: Fold, answer: Answer) -> dict[str, Any]:
    scene = np.repeat(fold.places, [len(scene) for scene in fold.test.scenes])
    return row_of(fold.test.values, answer.predicted, scene, len(fold.test.classes))


def _row_path(folder: Path, task: Task, seed: int, fold: int, method: str) -> Path:
    return folder / "rows" / f"{task.name}_{seed}_{fold}_{method.replace(' ', '-')}.json"


def _time_the_mosaic(folder: Path, real: Path) -> None:
    """Time ``hyperkd finetune`` with its defaults on the mosaic, from start to end.

    On two cores, whatever the machine has, and with PyTorch's own choice of threads.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    environment = {
        name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")
    }
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
        load = os.getloadavg()[0]
        started = time.perf_counter()
        os.sched_setaffinity(0, cores)  # the job inherits it
        subprocess.run(command, check=True, env=environment)
        seconds = time.perf_counter() - started
        own = os.times()
    found = {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(own.children_user + own.children_system, 1),
        "cores": len(cores),
        "load_before": round(load, 1),
    }
    _write(folder / "mosaic.json", json.dumps(found))
    say(f"mosaic: {seconds:.0f} s")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with AtomicFile(path) as part:
        Path(part.temporary).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
