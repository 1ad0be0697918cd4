"""What each part of HyperKD brings to a small student: an ablation with paired seeds.

    python3 build.py bench ablation            hours; can be stopped and started again
    python3 build.py bench ablation --quick    minutes; shows that it runs, and no more
    python benchmarks/bench_ablation.py --docs also writes the tables into docs/

REGISTERED before the first run on held-out scenes:

- Primary: the difference of E (distillation, guided masking and the loss) and A (plain
  masked autoencoder) in the macro F1 of a linear probe on the frozen encoder, fitted on
  10 % of the labels and scored on held-out scenes, paired by seed. The target is met where
  its 95 % interval (Student's t over the seeds) lies above 0.
- Second: the same difference in the R² of the metamer probe. Distillation is acceptable
  where the lower bound of its 95 % interval lies above -0.02.
- Everything else is exploratory; with so many figures some intervals miss 0 by chance.
- An interval that holds 0 is written as "no detectable difference".

All arms of a seed share the start, the tiles, the random masks and the labels. No scene
of the held-out group took part in any choice. The start from components was chosen on the
validation scenes, on the plain arm; sizes and steps follow from the time there is; learning
rate and the components' settings are defaults that nobody tuned for this.

Protocol: docs/ablation.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import time
from pathlib import Path
from typing import Any, Callable

import torch
from ablation_arms import ARMS, Size, World, describe, masked_tiles, run, time_ratio
from ablation_baselines import BASELINES, run_baseline
from ablation_data import Extent, load_group, load_teacher_images
from ablation_readouts import Part, mean_spectra, scored_classes
from ablation_real import read_potsdam
from ablation_table import PRIMARY, SECOND, markdown, summary
from real_tiles import POTSDAM, absence
from train_stand_in_teacher import (
    INFORMED,
    TeacherSettings,
    describe_teacher,
    make_teacher,
    stand_in_version,
    teacher_config,
    train_teacher,
)

from hyperkd.atomic import AtomicFile
from hyperkd.training.teacher.standin import save_stand_in

ROOT = Path(__file__).resolve().parents[1]
FULL = Size(Extent(96, 12, 6, 16), steps=300, teacher_steps=2500, seeds=5)
QUICK = Size(Extent(4, 2, 1, 2), steps=10, teacher_steps=30, seeds=2, masked_tiles=8, trees=10)
BEGIN, END = "<!-- table -->", "<!-- end of table -->"


def say(text: str) -> None:
    """Print a line with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main() -> None:
    """Run what has not been run yet, and write the tables."""
    given = _arguments()
    torch.set_num_threads(1)
    size = QUICK if given.quick else FULL
    if given.seeds:
        size = dataclasses.replace(size, seeds=given.seeds)
    # More seeds must not make the finished ones worthless.
    folder = given.folder / _digest(describe(dataclasses.replace(size, seeds=0)))
    say(f"rows in {folder}")
    if not given.table:
        _run_all(size, folder, given)
    rows = [json.loads(path.read_text()) for path in sorted((folder / "rows").glob("*.json"))]
    about_rows = json.loads((folder / "about.json").read_text())
    result = {
        "protocol": _protocol(size, rows),
        "about": describe(size),
        **about_rows,
        "arms": {name: dataclasses.asdict(arm) for name, arm in ARMS.items()},
        **summary(rows, about_rows["scored_classes"]),
    }
    result["rows"] = _short(result)
    _write(given.output, json.dumps(result, indent=1) + "\n")
    print(markdown(result))
    if given.docs:
        _document(given.docs, result)


def _run_all(size: Size, folder: Path, given: argparse.Namespace) -> None:
    """Run every arm and baseline that has not been run yet, seed by seed."""
    world = _world(size, folder, given)
    about = _once(folder / "about.json", lambda: _about(world))
    say(f'a step of "all" takes {about["time_ratio"]:.2f} times as long as a plain one')
    for seed in range(size.seeds):
        for name in given.arms or (*ARMS, *BASELINES):
            path = folder / "rows" / f"{seed}_{name}.json"
            if path.is_file():
                continue
            started = time.perf_counter()
            if name in ARMS:
                row = run(world, name, seed, about["time_ratio"])
            else:
                row = run_baseline(world, name, seed)
            _write(path, json.dumps(row))
            taken = time.perf_counter() - started
            figures = ", ".join(f"{key} {row[key]:.4f}" for key in (PRIMARY, SECOND) if key in row)
            say(f"seed {seed}, {name}: {figures}; {taken:.0f} s")


def _about(world: World) -> dict[str, Any]:
    """Return what is measured once, before the first run."""
    patch = world.size.extent.patch
    fitted, held_out = (
        Part.make(mean_spectra(world.groups[name].pixels, patch), world.groups[name]).classes
        for name in ("student", "held_out")
    )
    return {
        "time_ratio": time_ratio(world),
        "scored_classes": scored_classes(fitted, held_out).tolist(),
        "labelled_tokens": len(fitted),
        "held_out_tokens": len(held_out),
    }


def _world(size: Size, folder: Path, given: argparse.Namespace) -> World:
    scenes = given.folder / "scenes"
    names = ("student", "validation", "held_out")
    groups = {name: load_group(scenes, name, size.extent, say) for name in names}
    wanted = {"stand-in": 0.0, "informed": INFORMED}
    if given.arms and not any("informed" in name for name in given.arms):
        del wanted["informed"]
    teachers = {
        kind: _teacher(given.folder, scenes, size, kind, weight) for kind, weight in wanted.items()
    }
    masked = masked_tiles(groups["held_out"], size)
    sentence = absence(given.real / "images", "the figures on real tiles are left out")
    if sentence is not None:
        say(sentence)
    return World(size, groups, masked, teachers, read_potsdam(given.real, size.extent.patch))


def _teacher(folder: Path, scenes: Path, size: Size, kind: str, informed: float) -> Path:
    """Return a teacher's file; where there is none yet, train it.

    Its name follows from what it was made of, so that other arms find the same teacher.
    """
    extent = size.extent
    settings = TeacherSettings(size.teacher_steps, tile=size.tile, informed=informed)
    config = teacher_config(128, 6, extent.patch, size.tile)
    made_of = [
        extent.teacher,
        extent.side,
        dataclasses.asdict(settings),
        dataclasses.asdict(config),
    ]
    path = folder / f"{kind}-teacher-{_digest(made_of)}.safetensors"
    if path.is_file():
        return path
    say(f"training the {kind} teacher")
    images, shares = load_teacher_images(scenes, extent, say)
    version = stand_in_version(config, images)
    network = make_teacher(version, settings.seed)
    started = time.process_time()
    losses = train_teacher(network, version, images, shares, settings, say)
    training: dict[str, Any] = {
        **dataclasses.asdict(settings),
        "scenes": extent.teacher,
        "loss": round(sum(losses[-100:]) / len(losses[-100:]), 5),
        "processor_seconds": round(time.process_time() - started),
    }
    save_stand_in(path, network, describe_teacher(version, training))
    return path


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _once(path: Path, make: Callable[[], Any]) -> Any:
    """Return the JSON in ``path``; where it is not there yet, make and keep it."""
    if not path.is_file():
        _write(path, json.dumps(make()))
    return json.loads(path.read_text())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with AtomicFile(path) as part:
        Path(part.temporary).write_text(text, encoding="utf-8")


def _protocol(size: Size, rows: list[dict[str, Any]]) -> str:
    seeds = {row["seed"] for row in rows if row["arm"] in ("A", "E")}
    extent = size.extent
    return (
        f"{len(seeds)} paired seeds; students: {extent.student} simulated scenes of "
        f"{extent.side} px, {size.steps} steps of {size.batch} tiles of {size.tile} px; stand-in "
        f"teacher: {extent.teacher} scenes, {size.teacher_steps} steps of 64 tiles; scored on "
        f"{extent.held_out} held-out scenes of other seeds; mean and 95 % interval over the seeds"
    )


def _short(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that ``build.py bench`` prints."""
    return [
        {"arm": name, **{key: value["mean"] for key, value in figures.items()}}
        for name, figures in result["means"].items()
        if name in ARMS and figures
    ]


def _document(folder: Path, result: dict[str, Any]) -> None:
    """Write ``ablation.json`` and the tables inside ``ablation.md``."""
    small = {key: value for key, value in result.items() if key != "rows"}
    _write(folder / "ablation.json", json.dumps(small, indent=1, ensure_ascii=False) + "\n")
    page = folder / "ablation.md"
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    _write(page, f"{before}{BEGIN}\n\n{markdown(result)}\n{END}{after}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    bench = ROOT / "build" / "bench"
    parser.add_argument("--output", type=Path, default=bench / "ablation.json")
    parser.add_argument("--quick", action="store_true", help="minutes, and figures without worth")
    parser.add_argument("--seeds", type=int, default=0, help="paired seeds; default: 5")
    parser.add_argument("--arms", nargs="+", choices=(*ARMS, *BASELINES), help="run these alone")
    parser.add_argument("--table", action="store_true", help="only from the runs that are finished")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "ablation")
    parser.add_argument("--real", type=Path, default=POTSDAM)
    parser.add_argument(
        "--docs", type=Path, nargs="?", const=ROOT / "docs", help="write the tables into docs"
    )
    given = parser.parse_args()
    if given.quick and given.docs == ROOT / "docs":
        parser.error("the figures of --quick are not for docs/")
    return given


if __name__ == "__main__":
    main()
