"""Jobs that ``bench_kills`` ends in every way: how each is started, and what must be there after.

Each writes into a folder of its own, in which files of a user lie that are called almost as
the job's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from osgeo import gdal

from hyperkd.models.bundle import open_bundle, read_checkpoint_card, require_intact_tensors
from hyperkd.models.store.registry import SHIPPED
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.sink import RasterSpec
from hyperkd.types import BandTable, GridSpec, Window

ROOT: Final = Path(__file__).resolve().parents[1]
ENGINE: Final = ROOT / "engine"
SIDE: Final = 64
KINDS: Final = ("predict", "finetune", "distill", "import", "models_add", "export")


@dataclass(frozen=True)
class Job:
    """A command, and the files that it writes.

    Attributes:
        kind: its name.
        flags: of the command, with ``{folder}`` for where it writes.
        files: what it writes, the first being what counts.
        kept: what it may leave for a later run to go on with.
    """

    kind: str
    flags: tuple[str, ...]
    files: tuple[str, ...]
    kept: tuple[str, ...] = ()

    def command(self, folder: Path, *more: str) -> list[str]:
        """Return the command that writes into a folder."""
        words = [word.format(folder=folder) for word in self.flags]
        return [sys.executable, "-I", str(ENGINE), *words, "--events", "json", *more]

    def temporary(self) -> set[str]:
        """Return what may be left where it was killed; the next run takes it away."""
        names = set(self.kept)
        for file in (*self.files, *self.kept):
            names |= {file + suffix for suffix in (".part", ".part.aux.xml", ".part.old0")}
            names |= {file + suffix for suffix in (".part-rows", ".new", ".new.part")}
        return names


def make_jobs(material: Path) -> dict[str, Job]:
    """Make scenes, labels and models, and return the jobs by their kind."""
    material.mkdir(parents=True, exist_ok=True)
    scene, labels = material / "scene.tif", material / "labels.tif"
    if not labels.exists():
        _write_scene(scene, labels)
    fine = (
        *(
            "finetune",
            "--task",
            "classification",
            "--input",
            str(scene),
            "--labels",
            str(labels),
            "--student",
            "tiny",
        ),
        *("--split", "blocks", "--block", "8", "--buffer", "0", "--no-baselines"),
    )
    model = material / "model.onnx"
    if not model.exists():
        run(Job("finetune", (*fine, "--output", str(model)), ()).command(material))
    product = material / "product"
    if not product.exists():
        _write_product(product)
    distill = ("distill", "--input", str(scene), "--hours", "0.004", "--tile", "16")
    jobs = (
        *quick_jobs(scene, model, product),
        Job(
            "finetune",
            (*fine, "--output", "{folder}/m.onnx", "--report", "{folder}/report"),
            ("m.onnx", "m.safetensors", "report"),
        ),
        Job(
            "distill",
            (*distill, "--output", "{folder}/s.safetensors"),
            ("s.safetensors", "s.onnx", "s.html", "s.previews"),
            ("s.training.safetensors", "s.cache"),
        ),
        Job(
            "export",
            ("export", "--checkpoint", str(SHIPPED / "tiny.safetensors"))
            + ("--output", "{folder}/e.onnx"),
            ("e.onnx",),
        ),
    )
    return {job.kind: job for job in jobs}


def quick_jobs(scene: Path, model: Path, product: Path) -> tuple[Job, ...]:
    """Return the jobs that take seconds.

    Args:
        scene, model: a scene and a classification for it.
        product: the folder of a delivered product's folder.
    """
    predict = ("predict", "--input", str(scene), "--model", str(model))
    return (
        Job(
            "predict",
            (*predict, "--output", "{folder}/map.tif", "--probabilities", "{folder}/p.tif"),
            ("map.tif", "p.tif", "map.tif.aux.xml"),
        ),
        Job(
            "import",
            ("import", str(next(product.iterdir())), "--output", "{folder}/scene.tif"),
            ("scene.tif",),
        ),
        Job(
            "models_add",
            ("models", "add", str(model), "--name", "mine", "--replace", "--store", "{folder}"),
            ("mine.onnx", "mine.json"),
        ),
    )


def environment(temporary: Path) -> Mapping[str, str]:
    """Return the environment of a job: its own temporary folder, store and memory of tests."""
    temporary.mkdir(parents=True, exist_ok=True)
    named = {"TMPDIR": temporary, "HYPERKD_CACHE": temporary, "HYPERKD_MODELS": temporary / "none"}
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "XDG_RUNTIME_DIR")}
    return {**kept, **{name: str(path) for name, path in named.items()}}


def run(command: list[str], **more: Any) -> None:
    """Run a command that has to succeed."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **more)


def is_whole(path: Path) -> bool:
    """Return whether a file is what its ending says, from its beginning to its end."""
    if path.is_dir():
        return all(each.stat().st_size > 0 for each in path.iterdir())
    if path.suffix == ".onnx":
        return bool(open_bundle(path).sha256)
    if path.suffix == ".safetensors":
        read_checkpoint_card(path)
        require_intact_tensors(path)
        return True
    if path.suffix == ".tif":
        with gdal.ExceptionMgr() if hasattr(gdal, "ExceptionMgr") else nullcontext():
            dataset = gdal.Open(str(path))
            return dataset is not None and dataset.ReadRaster() is not None
    return path.stat().st_size > 0


def _write_scene(scene: Path, labels: Path) -> None:
    """Write a scene on the bands of the shipped student, and labels of three classes."""
    card = open_bundle(SHIPPED / "tiny.onnx").card
    generator = np.random.default_rng(0)
    classes = generator.integers(1, 4, (SIDE // 8, SIDE // 8)).repeat(8, 0).repeat(8, 1)
    count = len(card.bands)
    ramps = np.linspace([0.05, 0.3, 0.2], [0.4, 0.1, 0.25], count)  # (band, class)
    values = ramps[:, classes - 1] + generator.normal(0, 0.01, (count, SIDE, SIDE))
    grid = GridSpec(SIDE, SIDE, (365000.0, 30.0, 0.0, 5807000.0, 0.0, -30.0), "")
    table = BandTable(
        card.bands,
        np.ones(count, bool),
        np.full(count, 1e-4),
        np.zeros(count),
        np.full(count, -32768.0),
    )
    window = Window(0, 0, SIDE, SIDE)
    with create_raster(
        str(scene), RasterSpec(grid, count, np.int16, nodata=-32768, bands=table)
    ) as sink:
        sink.write(window, np.rint(values * 1e4).astype(np.int16))
    with create_raster(str(labels), RasterSpec(grid, 1, np.uint8, nodata=0)) as sink:
        sink.write(window, classes[None].astype(np.uint8))


def _write_product(parent: Path) -> None:
    """Write an EnMAP product as the tests have it, larger."""
    from tests import products

    parent.mkdir()
    folder = products.write_enmap(parent)
    for path in folder.glob("*.TIF"):
        small = np.atleast_3d(gdal.Open(str(path)).ReadAsArray()).reshape(-1, 3, 4)
        pixels = np.ascontiguousarray(small.repeat(200, 1).repeat(200, 2))
        path.unlink()
        products.write_tif(path, pixels, -32768 if pixels.dtype == np.int16 else None)
    metadata = next(folder.glob("*METADATA.XML"))
    text = metadata.read_text().replace("OrthoScene>4<", "OrthoScene>800<")
    metadata.write_text(text.replace("OrthoScene>3<", "OrthoScene>600<"))
