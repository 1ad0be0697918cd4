"""A training as a user runs it: it learns, it repeats, it goes on after a kill.

Protocol: ``hyperkd distill`` with the tiny student and everything on (guided masks, all default
losses, components to start from, a teacher of random weights, 64 x 4, patches of 4 px), tiles of
32 px, one thread. Scenes: all rasters of ``--scenes`` (the Potsdam tiles of EnMAP) and three
simulated ones of 64 x 64 px. A fifth of the scenes is held out whole and validated twenty times.
Three trainings of 200 steps in processes of their own: one; the same again; the same, ended by
SIGKILL after step 100, gone on with by ``--resume``. Their checkpoints, ONNX files and validation
losses are compared byte by byte. The smoothed curve is the mean of five validations.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from real_tiles import POTSDAM, absence

from hyperkd.models.nets.prithvi import Prithvi
from hyperkd.models.prithvi_versions import VERSIONS, PrithviConfig
from hyperkd.reporting import SilentReporter
from hyperkd.requests.prepare_options import SynthJob
from hyperkd.spectral.sensors import canonical_bands
from hyperkd.synth.scene import synth
from hyperkd.training.common.resume_state import read_state
from hyperkd.training.common.scene_pixels import open_scenes, opener
from hyperkd.training.pretrain.student_card import valid_pixels
from hyperkd.training.pretrain.validation_scenes import hold_out
from hyperkd.training.teacher.standin import StandIn, save_stand_in

ROOT = Path(__file__).resolve().parents[1]
TILE, SMOOTHED = 32, 5
STEPS, QUICK_STEPS = 200, 40


def make_material(folder: Path, real: Path) -> tuple[list[str], str]:
    """Simulate scenes and write a teacher; return the paths of all scenes, and of the teacher."""
    sentence = absence(real, "only simulated scenes are trained on")
    if sentence is not None:
        print(sentence, flush=True)
    scenes = sorted(str(path) for path in real.glob("*.tif"))
    for seed in (1, 2, 3):
        path = str(folder / f"simulated_{seed}.tif")
        synth(
            SynthJob(output=path, width=64, height=64, seed=seed, border=0.0, truth=False),
            SilentReporter(),
        )
        scenes.append(path)
    config = PrithviConfig(
        dim=64, depth=4, heads=4, patch=4, tile=TILE, frames=1,
        decoder_dim=64, decoder_depth=1, decoder_heads=4,
    )  # fmt: skip
    torch.manual_seed(0)
    teacher = folder / "teacher.safetensors"
    like = VERSIONS["prithvi-eo-1.0-100m"]
    what = StandIn("random-64x4", config, like.mean, like.std, "CC0-1.0", "random weights")
    save_stand_in(teacher, Prithvi(config), what)
    return scenes, str(teacher)


def plan(scenes: Sequence[str], steps: int) -> tuple[int, int]:
    """Return the tiles of a step and the epochs that make so many steps of these scenes."""
    open_one = opener((), None, None, None)
    with open_scenes(
        scenes, open_one, canonical_bands(), TILE, SilentReporter(),
        reading="memory", cache=None, alignment=None, accept=(),
    ) as opened:  # fmt: skip
        held_out = hold_out(opened.usable, 0.2, TILE, 0)
        tiles = valid_pixels(held_out.training) / TILE**2
    for batch in range(4, 17):
        epochs = max(1, round(steps * batch / tiles))
        if round(epochs * tiles / batch) == steps:
            return batch, epochs
    raise SystemExit(f"No number of epochs makes {steps} steps of {tiles:g} tiles.")


def distill(command: Sequence[str], kill_after: int = 0) -> list[dict[str, Any]]:
    """Run the command and return its events, killed after a step where that is asked for."""
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT / "engine"), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    events = []
    process = subprocess.Popen(
        [sys.executable, "-m", "hyperkd", *command, "--events", "json"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdout is None:
        raise SystemExit("the command has no output")
    for line in process.stdout:
        events.append(json.loads(line))
        if kill_after and events[-1].get("unit") == "step" and events[-1]["done"] > kill_after:
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    expected = -signal.SIGKILL if kill_after else 0
    if process.returncode != expected:
        raise SystemExit(f"hyperkd distill ended with {process.returncode}")
    return events


def outcome(folder: Path, events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the checksums of what a training wrote, and its validation losses by step."""
    files = [folder / f"student{suffix}" for suffix in (".safetensors", ".onnx")]
    metrics = [event for event in events if event["event"] == "metric"]
    return {
        "sha256": [hashlib.sha256(path.read_bytes()).hexdigest() for path in files],
        "losses": {
            event["step"]: event["values"]["validation_loss"]
            for event in metrics
            if "validation_loss" in event["values"]
        },
    }


def main() -> None:
    """Train, compare, and write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--scenes", type=Path, default=POTSDAM / "images")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_STEPS} steps")
    given = parser.parse_args()
    steps = QUICK_STEPS if given.quick else STEPS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenes, teacher = make_material(folder, given.scenes)
        batch, epochs = plan(scenes, steps)
        outcomes, state = [], 0
        for case in ("whole", "again", "killed"):
            place = folder / case
            place.mkdir()
            command = [
                "distill", "--input", *scenes, "--output", str(place / "student.safetensors"),
                "--teacher", teacher, "--tile", str(TILE), "--batch", str(batch),
                "--chunk", str(batch), "--epochs", str(epochs), "--device", "cpu",
            ]  # fmt: skip
            before: list[dict[str, Any]] = []
            if case == "killed":
                before = distill(command, kill_after=steps // 2)
                state = read_state(place / "student.training.safetensors")["step"]
                command.append("--resume")
            outcomes.append(outcome(place, before + distill(command)))
    whole, *others = outcomes
    losses = list(whole["losses"].values())
    smooth = np.convolve(losses, np.ones(SMOOTHED) / SMOOTHED, "valid")
    row = {
        "steps": max(whole["losses"]),
        "scenes": len(scenes),
        "first loss": losses[0],
        "last loss": losses[-1],
        "smoothed always falls": bool((np.diff(smooth) < 0).all()),
        "again the same": others[0] == whole,
        "went on from step": state,
        "killed the same": others[1] == whole,
    }
    result = {"protocol": f"batch {batch}, {epochs} epochs, seed 0", "rows": [row], **whole}
    given.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
