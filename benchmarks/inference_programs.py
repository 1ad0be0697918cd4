"""What ``bench_inference`` times: the job as a user starts it, and other programs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

HERE = Path(__file__).resolve().parent
ENGINE: Final = HERE.parent / "engine"
FOLDER: Final = HERE.parent / "build" / "bench" / "inference"

Row = dict[str, Any]


def environment() -> dict[str, str]:
    """Return the environment of a user: no limit of threads, a cache of self-tests."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_THREADS")}
    return {**kept, "PYTHONPATH": str(ENGINE), "HYPERKD_CACHE": str(FOLDER / "cache")}


def output_of(program: str, *arguments: Any) -> str:
    """Run a program of this folder and return what it prints."""
    done = subprocess.run(
        [sys.executable, str(HERE / program), *map(str, arguments)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    return done.stdout


def timed(program: str, *arguments: Any) -> float:
    """Run a program of this folder and return how long it took."""
    started = time.perf_counter()
    output_of(program, *arguments)
    return time.perf_counter() - started


def job_command(scene: Path, model: Path, output: Path, *more: Any) -> list[str]:
    """Return the command of a job that tells its events."""
    flags = ["--input", scene, "--model", model, "--output", output, "--events", "json"]
    return [sys.executable, "-I", str(ENGINE), "predict", *map(str, (*flags, *more))]


def run_job(
    scene: Path, model: Path, output: Path, *more: Any, until_first_tile: bool = False
) -> Row:
    """Run a job.

    Returns:
        Seconds of wall clock and of processor time, peak memory in megabytes, seconds to the
        first progress event and to the first finished tile, and the job's summary.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        job_command(scene, model, output, *more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    times: dict[str, float] = {}
    events: list[Any] = []
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("the pipes that were asked for are not there")
    for line in process.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "progress":
            now = time.perf_counter() - started
            times.setdefault("first", now)
            if events[-1]["done"]:
                times.setdefault("first_tile", now)
                if until_first_tile:
                    process.kill()
                    break
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    process.stderr.close()
    if process.returncode and not until_first_tile:
        raise RuntimeError(f"{events[-1:]} {errors}")
    summary = events[-1].get("summary", {})
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        # As the system counted for the job alone (VmHWM); what a parent is told of a child
        # (ru_maxrss) holds the parent's own memory too, as it was when the child was started.
        "peak_mb": summary.get("peak_memory_mb"),
        **times,
        "summary": summary,
    }


def median(runs: Sequence[Row], key: str) -> float:
    """Return the median of one figure."""
    return float(statistics.median(run[key] for run in runs))


def spread(runs: Sequence[Row], key: str) -> float:
    """Return how far the largest and the smallest are apart, as a share of the median."""
    values = [run[key] for run in runs]
    return float((max(values) - min(values)) / statistics.median(values))
