"""Time and memory of the public commands on a simulated scene, each as its own process.

The scene comes from ``hyperkd synth`` with seed 1. Every command runs ``REPEATS``
times; the table holds the fastest run, and the largest memory of all runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIDE_PX, QUICK_SIDE_PX = 1024, 256
SEED = 1
REPEATS, QUICK_REPEATS = 3, 1


def measure(arguments: list[str]) -> tuple[float, float]:
    """Run ``hyperkd`` once and return its seconds and its peak memory in MB."""
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        command = [sys.executable, "-m", "hyperkd", *arguments]
        process = subprocess.Popen(command, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            said.seek(0)
            raise SystemExit(f"hyperkd {' '.join(arguments)} failed:\n{said.read()}")
    # Linux counts in kB, macOS in bytes.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return time.monotonic() - start, usage.ru_maxrss / unit


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    side = QUICK_SIDE_PX if given.quick else SIDE_PX
    repeats = QUICK_REPEATS if given.quick else REPEATS
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        scene = f"{folder}/scene.tif"
        size = ["--width", str(side), "--height", str(side), "--seed", str(SEED)]
        for name, arguments in {
            "synth": ["synth", "--output", scene, *size, "--no-truth"],
            "info": ["info", scene],
            "embed": ["embed", "--input", scene, "--output", f"{folder}/embedding.tif"],
            "reconstruct": ["reconstruct", "--input", scene, "--error", f"{folder}/error.tif"],
        }.items():
            runs = [measure(arguments) for _ in range(repeats)]
            seconds = min(run[0] for run in runs)
            memory = max(run[1] for run in runs)
            rows.append(
                {
                    "command": name,
                    "seconds": seconds,
                    "Mpx/min": side * side * 60 / seconds / 1e6,
                    "peak MB": memory,
                }
            )
    protocol = (
        f"{side} x {side} px, 224 bands, seed {SEED}, best of {repeats}, "
        f"{os.cpu_count()} cores, student tiny, CPU unless onnxruntime offers a GPU"
    )
    given.output.write_text(json.dumps({"protocol": protocol, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
