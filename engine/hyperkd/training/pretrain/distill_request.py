"""What a distillation is asked for, and where its files go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Optional

from hyperkd.output_checks import require_writable
from hyperkd.training.common.train_settings import Settings
from hyperkd.training.pretrain.objective import Losses, Recipe
from hyperkd.training.pretrain.token_distillation import Distillation
from hyperkd.training.pretrain.token_masking import Masking

NO_TEACHER: Final = "none"
NO_MASK: Final = "none"
_SUFFIXES: Final = (".safetensors", ".onnx", ".html")
_VALIDATIONS: Final = 20  # of a training


@dataclass(frozen=True)
class Plan:
    """What a preset takes where the user says nothing.

    Attributes:
        steps: optimiser steps.
        batch: tiles per step.
        chunk, gpu_chunk: tiles computed at once on a CPU and on a GPU.
        learning_rate: its peak.
        validation: validation tiles.
    """

    steps: int
    batch: int
    chunk: int
    gpu_chunk: int
    learning_rate: float
    validation: int


# tiny: half an hour to an hour on a laptop. The others want a GPU.
PLANS: Final[Mapping[str, Plan]] = {
    "tiny": Plan(2000, 32, 8, 32, 2e-3, 32),
    "small": Plan(10000, 64, 8, 32, 1e-3, 32),
    "base": Plan(20000, 64, 4, 16, 5e-4, 16),
    "paper": Plan(20000, 64, 4, 16, 5e-4, 16),
}


@dataclass(frozen=True)
class Outputs:
    """The files of a training, told by one path.

    Attributes:
        checkpoint, model, page: what the user gets.
        state: what an interrupted training goes on from; gone when it is finished.
        previews, cache: folders.
    """

    checkpoint: Path
    model: Path
    page: Path
    state: Path
    previews: Path
    cache: Path

    @classmethod
    def of(cls, output: str, cache: Optional[str]) -> Outputs:
        """Return the files beside ``output``, whichever of the three it names."""
        path = Path(output)
        stem = path.with_suffix("") if path.suffix.lower() in _SUFFIXES else path
        checkpoint, model, page = (stem.with_name(stem.name + suffix) for suffix in _SUFFIXES)
        return cls(
            checkpoint,
            model,
            page,
            stem.with_name(stem.name + ".training.safetensors"),
            stem.with_name(stem.name + ".previews"),
            stem.with_name(stem.name + ".cache") if cache is None else Path(cache),
        )

    def require_writable(self) -> None:
        """Refuse before any work what cannot be written at its end."""
        for path in (self.checkpoint, self.model, self.page, self.state):
            require_writable(str(path))


@dataclass(frozen=True)
class Request:
    """The fields of the job; see ``hyperkd.requests.distill_options``."""

    input: tuple[str, ...]
    output: str
    teacher: str = NO_TEACHER
    preset: str = "tiny"
    epochs: Optional[int] = None
    seed: int = 0
    resume: bool = False
    tile: Optional[int] = None
    patch: Optional[int] = None
    batch: Optional[int] = None
    chunk: Optional[int] = None
    learning_rate: Optional[float] = None
    mask_ratio: float = 0.75
    mask_score: str = "haar"
    guided_share: float = 0.5
    hints: float = 0.1
    norm_patches: bool = False
    ssim: float = 0.2
    kl: float = 0.2
    angle: float = 0.0
    slope: float = 0.0
    features: float = 0.5
    feature_distance: str = "cosine"
    projector: str = "linear"
    teacher_depth: tuple[float, ...] = (0.75,)
    teacher_view: str = "visible"
    teacher_frames: str = "single"
    alignment: str = "range_mean"
    initial: str = "components"
    validation: float = 0.2
    patience: int = 0
    hours: Optional[float] = None
    average: float = 0.0
    precision: str = "auto"
    device: str = "auto"
    reading: str = "auto"
    cache: Optional[str] = None
    mask: tuple[str, ...] = ()
    licence: str = "NOASSERTION"
    bands: Optional[str] = None
    scale: Optional[float] = None
    nodata: Optional[float] = None

    def recipe(self) -> Recipe:
        """Return what to train for."""
        return Recipe(
            Masking(self.mask_ratio, self.mask_score, self.guided_share, self.hints),
            Losses(self.ssim, self.kl, self.angle, self.slope, norm_patches=self.norm_patches),
            None
            if self.teacher == NO_TEACHER
            else Distillation(
                layers=tuple(self.teacher_depth),
                distance=self.feature_distance,
                view=self.teacher_view,
                alignment=self.alignment,
                share=self.features,
                projector=self.projector,
            ),
        )

    def settings(
        self, valid_pixels: int, tile_px: int, *, processes: int, on_gpu: bool, in_memory: bool
    ) -> Settings:
        """Return how to train.

        Args:
            valid_pixels: of all training scenes.
            tile_px: side of a tile.
            processes: that train together; each gets a chunk of every batch.
            on_gpu: whether they train on GPUs.
            in_memory: whether pixels lie in memory.
        """
        plan = PLANS[self.preset]
        batch = self.batch or plan.batch
        chunk = self.chunk or (plan.gpu_chunk if on_gpu else plan.chunk)
        steps = plan.steps
        if self.epochs is not None:
            steps = max(1, round(self.epochs * max(1.0, valid_pixels / tile_px**2) / batch))
        every = max(1, steps // _VALIDATIONS)
        return Settings(
            steps,
            batch,
            max(1, min(chunk, batch // processes)),
            self.learning_rate or plan.learning_rate,
            seed=self.seed,
            bfloat16=self.precision == "bfloat16" or (self.precision == "auto" and on_gpu),
            average=self.average,
            validate_every=every,
            patience=self.patience,
            save_every=every,
            report_every=max(1, min(20, steps // 50)),
            ahead=on_gpu or not in_memory,
            hours=self.hours or 0.0,
        )
