"""The card of a distilled student, and the facts that its report shows."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.models.card import ModelCard
from hyperkd.models.nets.student import Student
from hyperkd.training.common.checkpoint import architecture
from hyperkd.training.common.crops import PixelSource, band_statistics
from hyperkd.training.common.train_settings import Settings, gives_best
from hyperkd.training.pretrain.objective import Recipe
from hyperkd.training.pretrain.validation_scenes import HeldOut
from hyperkd.training.teacher.prithvi_features import LoadedTeacher, Teacher
from hyperkd.types import Wavelengths

VALIDATION_METRICS = ("validation_loss", "psnr_db", "ssim", "sam_deg")
_PIXEL_M = 30.0  # where no file states it


def valid_pixels(scenes: Sequence[PixelSource]) -> int:
    """Return how many pixels of all scenes carry a spectrum."""
    return sum(int(scene.valid.sum()) for scene in scenes)


@dataclasses.dataclass(frozen=True, eq=False)
class Facts:
    """What stays the same while a student is trained.

    Attributes:
        name, preset, licence, initial: as the job asks for them.
        bands: the student's.
        recipe, settings: what it is trained for, and how.
        held_out: the scenes.
        pixel_m: sides of the scenes' pixels in metres, where their files state them.
        loaded, teacher: the teacher, or None.
    """

    name: str
    preset: str
    licence: str
    initial: str
    bands: Wavelengths
    recipe: Recipe
    settings: Settings
    held_out: HeldOut
    pixel_m: Sequence[float]
    loaded: Optional[LoadedTeacher]
    teacher: Optional[Teacher]

    def card(self, student: Student, history: Sequence[Mapping[str, float]]) -> ModelCard:
        """Return the card of a student with these metrics behind it."""
        config = student.config
        row = validated(self.settings, history)
        metrics = {name: round(row[name], 5) for name in VALIDATION_METRICS if name in row}
        protocol = {
            "protocol": "docs/distillation.md#validation",
            "held_out": self.held_out.how,
            "validation": metrics,
            "step": int(row.get("step", 0)),
        }
        kind = "masked autoencoder, HyperKD-style" if self.teacher else "masked autoencoder"
        return ModelCard(
            name=self.name,
            task="pretrain",
            bands=self.bands,
            mean=tuple(student.mean.tolist()),
            std=tuple(student.std.tolist()),
            patch_px=config.patch,
            tile_px=config.tile,
            receptive_field_px=config.tile,
            embedding_dim=config.dim,
            licence=self.licence,
            created=datetime.date.today().isoformat(),
            ground_sampling_m=float(np.median(self.pixel_m)) if self.pixel_m else _PIXEL_M,
            teacher=self.teacher_entry(),
            parents=() if self.loaded is None else (self.loaded.sha256,),
            architecture=architecture(self.preset, config),
            training={
                "objective": kind,
                "initial": self.initial,
                "finished_steps": int(history[-1]["step"]) if history else 0,
                "scenes": len(self.held_out.training),
                "valid_pixels": valid_pixels(self.held_out.training),
                "recipe": dataclasses.asdict(self.recipe),
                **dataclasses.asdict(self.settings),
            },
            metrics=protocol if metrics else {},
        )

    def data(self, student: Student, fraction: float) -> dict[str, Any]:
        """Return values by which a resumed training recognises its scenes.

        Args:
            student: normalises by the statistics of the scenes to train on.
            fraction: of the scenes that is held out.
        """
        held_out = self.held_out.validation
        return {
            "scenes": len(self.held_out.training),
            "valid_pixels": valid_pixels(self.held_out.training),
            "validation": fraction,
            "statistics": _checksum(student.mean.cpu().numpy(), student.std.cpu().numpy()),
            "held_out": [scene.name for scene in held_out],
            "held_out_statistics": _checksum(*band_statistics(held_out)),
        }

    def teacher_entry(self) -> Optional[dict[str, Any]]:
        """Return what the card says about the teacher."""
        if self.loaded is None or self.teacher is None:
            return None
        return {
            "name": self.loaded.version.name,
            "kind": self.loaded.kind,
            "sha256": self.loaded.sha256,
            "licence": self.loaded.licence,
            "blocks": self.teacher.blocks,
            "patch_px": self.teacher.patch_px,
        }

    def teacher_rows(self) -> Optional[dict[str, str]]:
        """Return what the report says about the teacher, by label."""
        if self.loaded is None or self.teacher is None:
            return None
        return {
            "Name": self.loaded.version.name,
            "Kind": self.loaded.kind,
            "Licence": self.loaded.licence or "not stated in its file",
            "SHA-256": self.loaded.sha256,
            "Blocks computed": f"{self.teacher.blocks} of {self.teacher.depth}",
            "Patch": f"{self.teacher.patch_px} px",
        }

    def scene_rows(self) -> list[list[str]]:
        """Return name, columns, rows, valid share and use of each scene."""
        rows = []
        uses = (("training", self.held_out.training), ("validation", self.held_out.validation))
        for use, scenes in uses:
            for scene in scenes:
                height, width = scene.valid.shape
                share = f"{100 * float(scene.valid.mean()):.0f} %"
                rows.append([scene.name, str(width), str(height), share, use])
        return rows


def _checksum(*arrays: NDArray[Any]) -> str:
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:16]


def validated(settings: Settings, history: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """Return the validation metrics of the student that the training results in."""
    rows = [row for row in history if "validation_loss" in row]
    if not rows:
        return {}
    if gives_best(settings, int(history[-1]["step"])):
        return min(rows, key=lambda row: row["validation_loss"])
    return rows[-1]
