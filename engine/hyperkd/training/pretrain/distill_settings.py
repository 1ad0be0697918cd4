"""From the job ``distill`` to the settings of its training, its objective and its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Optional

from hyperkd.output_checks import require_writable
from hyperkd.requests.distill_options import DistillJob
from hyperkd.training.common.train_settings import Settings
from hyperkd.training.pretrain.objective import Losses, Recipe
from hyperkd.training.pretrain.token_distillation import Distillation
from hyperkd.training.pretrain.token_masking import Masking

NO_TEACHER: Final = "none"
NO_MASK: Final = "none"
_SUFFIXES: Final = (".safetensors", ".onnx", ".html")
_VALIDATIONS: Final = 20  # of a training


@dataclass(frozen=True)
class PresetPlan:
    """What a preset uses for the options that a job leaves out.

    Attributes:
        chunk, gpu_chunk: tiles computed at once on a CPU and on a GPU.
        validation: number of validation tiles.
    """

    steps: int
    batch: int
    chunk: int
    gpu_chunk: int
    learning_rate: float
    validation: int


# tiny: half an hour to an hour on a laptop. The others want a GPU.
PLANS: Final[Mapping[str, PresetPlan]] = {
    "tiny": PresetPlan(2000, 32, 8, 32, 2e-3, 32),
    "small": PresetPlan(10000, 64, 8, 32, 1e-3, 32),
    "base": PresetPlan(20000, 64, 4, 16, 5e-4, 16),
    "paper": PresetPlan(20000, 64, 4, 16, 5e-4, 16),
}


@dataclass(frozen=True)
class Outputs:
    """The files of a training, derived from one path.

    Attributes:
        checkpoint, model, page: the results.
        state: from which an interrupted training resumes; removed when it is finished.
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
        """Return the files next to ``output``, whichever of the three it names."""
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
        """Refuse outputs that cannot be written, before any work."""
        for path in (self.checkpoint, self.model, self.page, self.state):
            require_writable(str(path))


def recipe_of(request: DistillJob) -> Recipe:
    """Return the training objective that a job asks for."""
    return Recipe(
        Masking(request.mask_ratio, request.mask_score, request.guided_share, request.hints),
        Losses(request.ssim, request.kl, request.angle, request.slope, request.norm_patches),
        None
        if request.teacher == NO_TEACHER
        else Distillation(
            layers=request.teacher_depth,
            distance=request.feature_distance,
            view=request.teacher_view,
            alignment=request.alignment,
            share=request.features,
            projector=request.projector,
        ),
    )


def settings_of(
    request: DistillJob,
    valid_pixels: int,
    tile_px: int,
    *,
    processes: int,
    on_gpu: bool,
    in_memory: bool,
) -> Settings:
    """Return the settings of the training loop that a job asks for.

    Args:
        valid_pixels: number of valid pixels in all training scenes.
        tile_px: side of a tile.
        processes: number of processes that train together; each gets a chunk of every batch.
        on_gpu: whether they train on GPUs.
        in_memory: whether the pixels are kept in memory.
    """
    plan = PLANS[request.preset]
    batch = request.batch or plan.batch
    chunk = request.chunk or (plan.gpu_chunk if on_gpu else plan.chunk)
    steps = plan.steps
    if request.epochs is not None:
        steps = max(1, round(request.epochs * max(1.0, valid_pixels / tile_px**2) / batch))
    every = max(1, steps // _VALIDATIONS)
    return Settings(
        steps,
        batch,
        max(1, min(chunk, batch // processes)),
        request.learning_rate or plan.learning_rate,
        seed=request.seed,
        average=request.average,
        patience=request.patience,
        hours=request.hours or 0.0,
        bfloat16=request.precision == "bfloat16" or (request.precision == "auto" and on_gpu),
        validate_every=every,
        save_every=every,
        report_every=max(1, min(20, steps // 50)),
        ahead=on_gpu or not in_memory,
    )
