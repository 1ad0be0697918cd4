"""What kills and cancels at random moments leave, for ``bench_inference``."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Optional

import inference_material as material
from inference_programs import FOLDER, Row, environment, job_command, run_job

KILLS, CANCELS = 50, 20
QUICK_KILLS, QUICK_CANCELS = 4, 2
ROWS = 600
QUICK_ROWS = 300
CANCEL_S = 2.0  # how long a cancel may take at most


def faults(quick: bool, scratch: Path) -> list[Row]:
    """Return what random kills and cancels leave, and whether resumed jobs give the same bytes."""
    model = material.model(FOLDER, "tiny")
    scene = material.scene(FOLDER, "strips", border=True, rows=QUICK_ROWS if quick else ROWS)
    whole = run_job(scene, model, scratch / "whole.tif")
    whole = run_job(scene, model, scratch / "whole.tif")  # the self-test is remembered now
    expected = digest(scratch / "whole.tif")
    generator = random.Random(1)  # noqa: S311 - moments, not secrets
    found = []
    for how, count in (
        ("kill", QUICK_KILLS if quick else KILLS),
        ("cancel", QUICK_CANCELS if quick else CANCELS),
    ):
        wrong: list[str] = []
        seen: Counter[str] = Counter()
        slowest = 0.0
        for number in range(count):
            output = scratch / f"{how}-{number}" / "map.tif"
            output.parent.mkdir()
            old = b"an older file" if number % 2 else None
            if old is not None:
                output.write_bytes(old)
            moment = generator.uniform(0.0, whole["wall"])
            finished, took, faulty = interrupted(scene, model, output, how, moment, old, expected)
            wrong += faulty
            slowest = max(slowest, took)
            again = run_job(scene, model, output, "--resume")
            resumed = again["summary"]["resumed_portions"] > 0
            seen["finished first" if finished else "went on" if resumed else "began anew"] += 1
            if digest(output) != expected:
                wrong.append(f"{number}: other bytes after resuming")
            left = sorted(path.name for path in output.parent.iterdir())
            if left != ["map.tif", "map.tif.aux.xml"]:
                wrong.append(f"{number}: {left} is left")
            sys.stderr.write(f"{how} {number + 1} of {count}: {dict(seen)}, wrong {wrong}\n")
        found.append(
            {
                "model": "tiny",
                "layout": "strips",
                "border": "25 %",
                "what": how,
                "times": count,
                "wrong": len(wrong),
                "went on": seen["went on"],
                "began anew": seen["began anew"],
                "finished first": seen["finished first"],
                "slowest end s": slowest,
                "result": "; ".join(wrong[:5]),
            }
        )
    return found


def interrupted(
    scene: Path,
    model: Path,
    output: Path,
    how: str,
    moment: float,
    old: Optional[bytes],
    expected: str,
) -> tuple[bool, float, list[str]]:
    """Start a job and end it after ``moment`` seconds.

    Returns:
        Whether the output was whole before that, the seconds that its end took, what is wrong.
    """
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
    # Between the moment when the whole output takes its place and the end of the process
    # there are some milliseconds of tidying up: that job was done as well.
    finished = output.exists() and digest(output) == expected
    if not finished and (output.read_bytes() if output.exists() else None) != old:
        wrong.append(f"{output.parent.name}: the output was touched")
    if how == "cancel":
        # Before the job has taken over the signals they end Python itself.
        if status not in (0, 5, -signal.SIGTERM):
            wrong.append(f"{output.parent.name}: exit status {status}")
        if took > CANCEL_S:
            wrong.append(f"{output.parent.name}: the cancel took {took:.1f} s")
        parts = [path.name for path in output.parent.iterdir() if path.name.endswith(".part")]
        if parts and status == 5:
            wrong.append(f"{output.parent.name}: {parts} is left")
    if _group_lives(process.pid):
        wrong.append(f"{output.parent.name}: an orphan is left")
    return finished, took, wrong


def _group_lives(group: int) -> bool:
    """Return whether a process of a group still lives."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def digest(path: Path) -> str:
    """Return the checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
