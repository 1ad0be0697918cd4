"""Small scenes, students and teachers for the tests of training."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from hyperkd.errors import HyperKDError
from hyperkd.models.nets.prithvi import Prithvi
from hyperkd.models.nets.student import Student
from hyperkd.models.prithvi_versions import PrithviConfig, PrithviVersion
from hyperkd.models.sizes import StudentConfig
from hyperkd.requests.distill_options import DistillJob
from hyperkd.spectral.sensors import canonical_bands
from hyperkd.training.common.crops import MemoryScene, band_statistics
from hyperkd.training.common.losses import masked_mse
from hyperkd.training.common.masked_batch import Masked
from hyperkd.training.common.train_settings import Settings
from hyperkd.training.pretrain.distill_settings import recipe_of
from hyperkd.training.pretrain.objective import Losses, Recipe
from hyperkd.training.pretrain.token_distillation import Distillation
from hyperkd.training.pretrain.token_masking import Masking
from hyperkd.training.teacher.prithvi_features import LoadedTeacher, Teacher
from hyperkd.types import Wavelengths
from tests.reports import SilentReport

# One band in each of the six ranges of HLS, and two between them.
BANDS_NM = (480.0, 560.0, 655.0, 865.0, 1000.0, 1600.0, 2000.0, 2200.0)
BANDS = Wavelengths(BANDS_NM, np.full(len(BANDS_NM), 10.0))
COUNT = len(BANDS_NM)

NANO = StudentConfig(
    bands=COUNT, patch=4, stem=8, dim=16, depth=4, heads=2,
    decoder_dim=16, decoder_depth=1, decoder_heads=2, rank=4, tile=16,
)  # fmt: skip


class CancelAfter(SilentReport):
    """Cancels a training once it has finished some steps."""

    def __init__(self, steps: int | None) -> None:
        super().__init__()
        self._steps = steps

    def check_cancelled(self) -> None:
        finished = [done for done, _, unit in self.progresses if unit == "step"] or [0]
        if self._steps is not None and finished[-1] >= self._steps:
            raise HyperKDError("cancelled", "The test wants no more.")


# What the job `distill` trains for and how: its own defaults, and a masked autoencoder
# without anything of HyperKD.
DISTILLED = recipe_of(DistillJob(input=(), output="", teacher="stand-in"))
UNTAUGHT = dataclasses.replace(DISTILLED, distillation=None)
PLAIN = recipe_of(DistillJob(input=(), output="", guided_share=0.0, ssim=0.0, kl=0.0))


def make_recipe(**changes: Any) -> Recipe:
    """The default recipe without a teacher, with changes of its parts."""
    return dataclasses.replace(UNTAUGHT, **changes)


def make_masking(**changes: Any) -> Masking:
    return dataclasses.replace(DISTILLED.masking, **changes)


def make_losses(**changes: Any) -> Losses:
    return dataclasses.replace(DISTILLED.losses, **changes)


def make_distillation(**changes: Any) -> Distillation:
    assert DISTILLED.distillation is not None
    return dataclasses.replace(DISTILLED.distillation, **changes)


def make_settings(steps: int, **changes: Any) -> Settings:
    values = {"batch": 64, "chunk": 8, "learning_rate": 1e-3, "seed": 0}
    return Settings(steps, **{**values, "average": 0.0, "patience": 0, "hours": 0.0, **changes})


def smooth_scene(side: int = 48, seed: int = 0, bands: int = COUNT) -> MemoryScene:
    """Two spectra mixed along a smooth gradient: easy to predict from the surroundings."""
    generator = np.random.default_rng(seed)
    ends = generator.uniform(500, 5000, (2, bands))
    row, col = np.mgrid[:side, :side] / side
    share = 0.5 + 0.5 * np.sin(4 * row + seed) * np.cos(5 * col)
    pixels = share[..., None] * ends[0] + (1 - share[..., None]) * ends[1]
    return MemoryScene(f"scene {seed}", np.int16(pixels), np.ones((side, side), bool))


def make_student(config: StudentConfig = NANO, seed: int = 0) -> Student:
    torch.manual_seed(seed)
    mean, std = band_statistics([smooth_scene(bands=config.bands)])
    return Student(config, mean.tolist(), std.tolist())


def nano_version(patch: int = 4, **changes: Any) -> PrithviVersion:
    sizes = {"dim": 32, "depth": 4, "heads": 2, "patch": patch, "tile": 16, "frames": 1}
    sizes.update(decoder_dim=32, decoder_depth=1, decoder_heads=2)
    return PrithviVersion("prithvi-nano", PrithviConfig(**{**sizes, **changes}))


def make_teacher(patch: int = 4, seed: int = 1, **changes: Any) -> Teacher:
    version = nano_version(patch, **changes)
    torch.manual_seed(seed)
    network = Prithvi(version.config)
    loaded = LoadedTeacher(network.eval(), version, "ab" * 32, "published", "")
    return Teacher(loaded, 0.75, "single", "cpu")


def reconstruction_loss(student: Student, masked: Masked) -> torch.Tensor:
    """The mean squared error of the hidden patches in normalised reflectance."""
    hidden, valid = masked.hidden()
    return masked_mse(masked.predict(student), student.normalise(hidden), valid)


def canonical_scene(side: int = 40, seed: int = 0, patches: int = 6) -> MemoryScene:
    """A scene on the canonical bands: squares of smooth random spectra, and a little noise."""
    generator = np.random.default_rng(seed)
    x = (canonical_bands().centre_nm - 400) / 2100
    knots = generator.uniform(0.02, 0.5, (patches * patches, 7))
    spectra = np.stack([np.interp(x, np.linspace(0, 1, 7), each) for each in knots])
    labels = np.arange(patches * patches).reshape(patches, patches)
    size = -(-side // patches)
    labels = labels.repeat(size, 0).repeat(size, 1)[:side, :side]
    pixels = spectra[labels] * 1e4 + generator.normal(0, 20, (side, side, len(x)))
    return MemoryScene(f"canonical {seed}", np.int16(pixels), np.ones((side, side), bool))
