"""What each network costs: parameters, multiply-adds, time and memory of one tile.

    python3 build.py bench networks [--quick]

Students in each preset (embedding, reconstruction, and class logits of a head with
13 classes), and the encoder of each published teacher. The weights are random, which
costs the same. Every measurement is a process of its own, which reads nothing else:
torch without gradients, and onnxruntime with the file that an export writes, as
inference opens it. Multiply-adds are those of convolutions and matrix products,
counted by torch while it runs. A teacher's weights lie in a file beside the graph,
because an ONNX file holds 2 GiB at most.

Protocol: one tile at a time, float32, on one thread of the CPU; after one tile to warm
up the fastest of REPEATS, in processor time, which other programs disturb least; memory
is the largest of the process, libraries included.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

REPEATS, QUICK_REPEATS = 5, 2
CLASSES: Final = 13

STUDENTS: Final = ("tiny", "small", "base", "paper")
# The others have the size of one of these and two numbers more.
TEACHERS: Final = (
    "prithvi-eo-2.0-tiny-tl",
    "prithvi-eo-1.0-100m",
    "prithvi-eo-2.0-300m",
    "prithvi-eo-2.0-600m",
)
NETWORKS: Final = (
    *(f"{name} student" for name in STUDENTS),
    *(f"{name} with head" for name in STUDENTS),
    *(f"{name} encoder" for name in TEACHERS),
)
QUICK: Final = ("tiny student", "tiny with head", "prithvi-eo-2.0-tiny-tl encoder")


@dataclasses.dataclass(frozen=True)
class Built:
    """A network in torch.

    Attributes:
        modules: for each output, the parts whose parameters it uses.
        functions: for each output, what computes it.
        inputs: one tile.
        tile_px: its side.
        export: writes the ONNX file.
    """

    modules: dict[str, Any]
    functions: dict[str, Callable[..., Any]]
    inputs: tuple[Any, ...]
    tile_px: int
    export: Callable[[Path], None]


def build(network: str, device: str = "cpu") -> Built:
    """Make a network with random weights; on the device ``meta`` it has sizes alone."""
    import torch

    name, _, kind = network.partition(" ")
    with torch.device(device):
        return _teacher(name) if kind == "encoder" else _student(name, kind == "with head")


def _student(name: str, with_head: bool) -> Built:
    import torch

    from hyperkd.models.card import ModelCard
    from hyperkd.models.nets.heads import DenseHead, DenseModel, HeadConfig
    from hyperkd.models.nets.student import Student
    from hyperkd.models.sizes import preset
    from hyperkd.spectral.sensors import canonical_bands
    from hyperkd.training.common.checkpoint import architecture
    from hyperkd.training.export import export_model

    config = preset(name, None)
    mean, std = [0.2] * config.bands, [0.1] * config.bands
    student = Student(config, mean, std).eval()
    head = HeadConfig.fitting(config, "classification", CLASSES) if with_head else None
    model = student if head is None else DenseModel(student, DenseHead(head)).eval()
    card = ModelCard(
        name=name,
        task="pretrain" if head is None else "classification",
        bands=canonical_bands(),
        mean=tuple(mean),
        std=tuple(std),
        patch_px=config.patch,
        tile_px=config.tile,
        receptive_field_px=config.tile,
        embedding_dim=config.dim,
        licence="CC0-1.0",
        created="2025-01-01",
        architecture=architecture(name, config, head),
        classes=() if head is None else tuple(
            {"name": str(i), "value": i, "color": "#000000"} for i in range(CLASSES)
        ),
    )  # fmt: skip
    tile = (1, config.bands, config.tile, config.tile)
    inputs = (torch.full(tile, 0.2), torch.ones(1, 1, config.tile, config.tile))
    modules: dict[str, Any] = {"logits": model}
    functions: dict[str, Callable[..., Any]] = {"logits": model}
    if head is None:
        modules = {"embedding": student.encoder(), "reconstruction": student}
        functions = {"embedding": student.embedding, "reconstruction": student.reconstruct}

    def export(path: Path) -> None:
        export_model(model, card, path)

    return Built(modules, functions, inputs, config.tile, export)


def _teacher(name: str) -> Built:
    import torch

    from hyperkd.models.nets.prithvi import Prithvi
    from hyperkd.models.prithvi_versions import VERSIONS

    config = VERSIONS[name].config
    encoder = Prithvi(config, with_decoder=False).eval().encoder
    images = torch.zeros(1, config.bands, 1, config.tile, config.tile)

    class Features(torch.nn.Module):
        """The features of the last block."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, images: Any) -> Any:
            return self.encoder.forward_features(images)[-1]

    def export(path: Path) -> None:
        program = torch.onnx.export(
            Features(), (images,), dynamo=True, opset_version=20, input_names=["images"],
            output_names=["features"], verbose=False,
        )  # fmt: skip
        if program is None:
            raise SystemExit(f"{name} cannot be exported")
        program.save(path, external_data=True)

    return Built({"features": encoder}, {"features": Features()}, (images,), config.tile, export)


def fastest(compute: Callable[[], Any], repeats: int) -> float:
    """Return the processor time of the fastest of ``repeats`` runs after the first one, in ms."""
    compute()
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        compute()
        seconds.append(time.process_time() - started)
    return 1e3 * min(seconds)


# --- the child processes ------------------------------------------------------------------


def describe(network: str) -> dict[str, dict[str, float]]:
    """Return tile, parameters and multiply-adds of each output, in millions and milliards."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    built = build(network, "meta")
    rows = {}
    for output, function in built.functions.items():
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            function(*built.inputs)
        count = sum(each.numel() for each in built.modules[output].parameters())
        rows[output] = {
            "tile px": built.tile_px,
            "parameters M": count / 1e6,
            # A multiply-add counts as two operations there.
            "multiply-adds G": counter.get_total_flops() / 2e9,
        }
    return rows


def run_torch(network: str, output: str, threads: int, repeats: int) -> float:
    """Return the milliseconds of a tile in torch."""
    import torch

    torch.set_num_threads(threads)
    built = build(network)
    with torch.no_grad():
        return fastest(lambda: built.functions[output](*built.inputs), repeats)


def run_onnx(path: Path, output: str, threads: int, repeats: int) -> float:
    """Return the milliseconds of a tile in onnxruntime."""
    import numpy as np

    if output == "features":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        teacher = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        images = np.zeros(teacher.get_inputs()[0].shape, np.float32)
        return fastest(lambda: teacher.run(None, {"images": images}), repeats)

    from hyperkd.inference.backends.onnxruntime_backend import open_session
    from hyperkd.models.bundle import open_bundle

    bundle = open_bundle(path)
    session = open_session(bundle.network(output), "cpu", threads)
    side = bundle.card.tile_px
    pixels = np.full((1, len(bundle.card.bands), side, side), 0.2, np.float32)
    valid = np.ones((1, 1, side, side), np.float32)
    return fastest(lambda: session.run(pixels, valid), repeats)


# --- the parent -----------------------------------------------------------------------------


def child(*arguments: object) -> tuple[Any, float]:
    """Run this script as a child; return what it wrote as JSON, and its peak memory in MB."""
    command = [sys.executable, __file__, *map(str, arguments)]
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(command, stdout=said, stderr=complaints)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            complaints.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{complaints.read()[-4000:]}")
        said.seek(0)
        # Linux counts in kB, macOS in bytes.
        unit = 1e6 if sys.platform == "darwin" else 1e3
        return json.loads(said.read().splitlines()[-1]), usage.ru_maxrss / unit


def measure(network: str, threads: int, repeats: int) -> list[dict[str, object]]:
    """Return a row for each output of a network."""
    described, _ = child("--describe", network)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        child("--export", network, "--file", path)
        for output, values in described.items():
            settings = ("--of", output, "--threads", threads, "--repeats", repeats)
            torch_ms, torch_mb = child("--torch", network, *settings)
            onnx_ms, onnx_mb = child("--onnx", network, "--file", path, *settings)
            row = {"network": network, "output": output, **values, "torch ms": torch_ms}
            row.update({"onnxruntime ms": onnx_ms, "torch MB": torch_mb, "onnxruntime MB": onnx_mb})
            rows.append(row)
    return rows


def main() -> None:
    """Measure, or be one of the processes that do."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--quick", action="store_true", help="the smallest networks alone")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int)
    for kind in ("describe", "export", "torch", "onnx"):
        parser.add_argument(f"--{kind}", choices=NETWORKS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--of", help=argparse.SUPPRESS)
    given = parser.parse_args()
    repeats = given.repeats or (QUICK_REPEATS if given.quick else REPEATS)
    warnings.simplefilter("ignore")  # of the exporter
    if given.describe:
        print(json.dumps(describe(given.describe)))
    elif given.export:
        build(given.export).export(given.file)
        print("null")
    elif given.torch:
        print(json.dumps(run_torch(given.torch, given.of, given.threads, repeats)))
    elif given.onnx:
        print(json.dumps(run_onnx(given.file, given.of, given.threads, repeats)))
    else:
        networks = QUICK if given.quick else NETWORKS
        rows = [row for name in networks for row in measure(name, given.threads, repeats)]
        protocol = (
            f"one tile at a time, float32, {given.threads} thread(s) of the CPU, random weights; "
            f"processor time of the fastest of {repeats} after one to warm up; memory is the peak "
            "of a process that does nothing else, libraries included"
        )
        given.output.write_text(json.dumps({"protocol": protocol, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
