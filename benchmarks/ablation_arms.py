"""The arms of the ablation, and one run of one arm: train a student, read it out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Optional

import numpy as np
import torch
from ablation_data import FIRST_SEED, Extent, Group, six_bands
from ablation_readouts import (
    SHARES,
    Float32Array,
    MaskedTiles,
    Part,
    Parts,
    cut_tiles,
    effective_rank,
    join_tiles,
    probe_classes,
    probe_targets,
    reconstruction,
    student_features,
)
from torch.nn.attention import SDPBackend, sdpa_kernel

from hyperkd.models.nets.student import Student
from hyperkd.models.sizes import StudentConfig
from hyperkd.reporting import SilentReporter
from hyperkd.requests.distill_options import DistillJob
from hyperkd.training.common.crops import CropSampler, band_statistics
from hyperkd.training.common.train_settings import Settings
from hyperkd.training.pretrain.distill_settings import recipe_of
from hyperkd.training.pretrain.initial_weights import start_from_components
from hyperkd.training.pretrain.mask_guide import token_scores
from hyperkd.training.pretrain.objective import Recipe
from hyperkd.training.pretrain.token_masking import token_order, visible_count
from hyperkd.training.pretrain.train_loop import train
from hyperkd.training.teacher.prithvi_features import Teacher
from hyperkd.training.teacher.standin import load_stand_in, random_teacher

EVALUATION_SEED: Final = 50_000  # of the fixed tiles and masks


@dataclass(frozen=True)
class Arm:
    """What an arm switches.

    Attributes:
        title: as in the table.
        distils, guides, loss: which of the three components it has.
        teacher: ``stand-in``, ``random``, ``shuffled`` or ``informed``.
        distance: how tokens are compared with the teacher's.
        matched: whether it trains longer, until it took the time of "all".
    """

    title: str
    distils: bool = False
    guides: bool = False
    loss: bool = False
    teacher: str = "stand-in"
    distance: str = "cosine"
    matched: bool = False

    def recipe(self) -> Recipe:
        """Return the objective; every value but the switches is the default of ``distill``."""
        switched: dict[str, Any] = {"feature_distance": self.distance}
        if self.distils:
            switched["teacher"] = self.teacher
        if not self.guides:
            switched["guided_share"] = 0.0
        if not self.loss:
            switched.update(ssim=0.0, kl=0.0)
        recipe = recipe_of(DistillJob(input=(), output="", **switched))
        if recipe.distillation is None:
            return recipe
        shuffled = replace(recipe.distillation, shuffled=self.teacher == "shuffled")
        return replace(recipe, distillation=shuffled)


ARMS: Final[Mapping[str, Arm]] = {
    "A": Arm("plain masked autoencoder"),
    "E": Arm("all three", distils=True, guides=True, loss=True),
    "B": Arm("+ distillation", distils=True),
    "C": Arm("+ guided masking", guides=True),
    "D": Arm("+ loss (SSIM, KL)", loss=True),
    "E-distillation": Arm("all but distillation", guides=True, loss=True),
    "E-guided": Arm("all but guided masking", distils=True, loss=True),
    "E-loss": Arm("all but the loss", distils=True, guides=True),
    "E-random": Arm(
        "all, random frozen teacher", distils=True, guides=True, loss=True, teacher="random"
    ),
    "E-shuffled": Arm(
        "all, teacher's tokens shuffled", distils=True, guides=True, loss=True, teacher="shuffled"
    ),
    "A-matched": Arm("plain, as long as all three take", matched=True),
    "E-relation": Arm(
        "all, relations instead of features", distils=True, guides=True, loss=True,
        distance="relation",
    ),
    "E-informed": Arm(
        "all, teacher informed of land cover", distils=True, guides=True, loss=True,
        teacher="informed",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How large the ablation is.

    Attributes:
        extent: scenes.
        tile: side of a tile in pixels, of students and teacher.
        steps, batch, chunk, learning_rate: of a student's training.
        teacher_steps: steps of 64 tiles of the teacher's training.
        masked_tiles: held-out tiles that are reconstructed.
        trees: of a random forest.
        seeds: paired seeds.
    """

    extent: Extent
    steps: int
    teacher_steps: int
    seeds: int
    batch: int = 32
    chunk: int = 16
    learning_rate: float = 2e-3
    tile: int = 32
    masked_tiles: int = 64
    trees: int = 100


STUDENT: Final = StudentConfig(
    bands=218, patch=4, stem=64, dim=96, depth=4, heads=4,
    decoder_dim=64, decoder_depth=2, decoder_heads=4, rank=32, tile=32,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class World:
    """What all arms share.

    Attributes:
        size: how large everything is.
        groups: ``student``, ``validation`` and ``held_out`` scenes.
        masked: fixed tiles with ``random`` and with ``guided`` masks.
        teachers: files of the ``stand-in`` and, where there is one, the ``informed`` teacher.
        real: tiles of Potsdam, or None where they are not there.
    """

    size: Size
    groups: Mapping[str, Group]
    masked: Mapping[str, MaskedTiles]
    teachers: Mapping[str, Path]
    real: Optional[Any] = None

    def sampler(self) -> CropSampler:
        """Return where students draw their tiles."""
        return CropSampler(self.groups["student"].scenes(), self.size.tile)

    def parts(self, features: Mapping[str, Float32Array]) -> Parts:
        """Put features of each group beside its truth."""
        made = {name: Part.make(features[name], group) for name, group in self.groups.items()}
        return Parts(made["student"], made["validation"], made["held_out"])


def masked_tiles(group: Group, size: Size) -> dict[str, MaskedTiles]:
    """Return the same fixed tiles twice: with random and with fully guided masks."""
    generator = np.random.default_rng(EVALUATION_SEED)
    tiles = cut_tiles(group.pixels, size.tile)
    pixels = tiles[np.sort(generator.permutation(len(tiles))[: size.masked_tiles])]
    tokens = (size.tile // STUDENT.patch) ** 2
    noise, preference = (
        torch.from_numpy(generator.random((len(pixels), tokens), dtype=np.float32))
        for _ in range(2)
    )
    guide = torch.from_numpy(six_bands(pixels).mean(-1))
    masking = ARMS["E"].recipe().masking
    scores = token_scores(guide, torch.ones_like(guide), STUDENT.patch, masking.score)
    nothing = torch.zeros(noise.shape, dtype=torch.bool)
    visible = visible_count(tokens, masking.ratio)
    orders = {
        kind: token_order(noise, preference, scores, nothing, masking, share).numpy()
        for kind, share in (("random", 0.0), ("guided", masking.guided_share))
    }
    return {kind: MaskedTiles(pixels, order, visible) for kind, order in orders.items()}


def start(world: World, seed: int) -> Student:
    """Return the student that every arm of one seed begins with."""
    sampler = world.sampler()
    mean, std = band_statistics(sampler.scenes)
    torch.manual_seed(seed)
    student = Student(replace(STUDENT, tile=world.size.tile), mean.tolist(), std.tolist())
    ratio = ARMS["A"].recipe().masking.ratio
    start_from_components(student, sampler, np.random.default_rng((seed, 0x57A7)), ratio)
    return student


def make_teacher(world: World, arm: Arm, seed: int) -> Optional[Teacher]:
    """Return the arm's teacher; a random one has other weights for each seed."""
    if not arm.distils:
        return None
    loaded = load_stand_in(world.teachers.get(arm.teacher, world.teachers["stand-in"]))
    if arm.teacher == "random":
        loaded = random_teacher(loaded.version.config, seed, loaded.version)
    return Teacher(loaded, 0.75, "single", "cpu")


def train_student(world: World, arm: Arm, seed: int, steps: int) -> tuple[Student, float]:
    """Train one student; return it and the processor's seconds."""
    student = start(world, seed)
    size = world.size
    settings = Settings(
        steps,
        size.batch,
        size.chunk,
        learning_rate=size.learning_rate,
        seed=seed,
        average=0.0,
        patience=0,
        hours=0.0,
        bfloat16=True,
        report_every=max(1, steps),
    )
    teacher = make_teacher(world, arm, seed)
    torch.manual_seed(seed)  # of the projector
    started = time.process_time()
    # With bfloat16 on a CPU, plain matrix products train faster than the fused attention.
    with sdpa_kernel([SDPBackend.MATH]):
        train(student, world.sampler(), settings, SilentReporter(), arm.recipe(), teacher)
    return student.eval(), time.process_time() - started


def run(world: World, name: str, seed: int, ratio: float) -> dict[str, Any]:
    """Train an arm's student and read it out on the held-out scenes.

    Args:
        world: what all arms share.
        name: of ``ARMS``.
        seed: of start, tiles, masks and the choice of labels.
        ratio: how much longer a step of "all" takes than one of the plain arm.
    """
    arm = ARMS[name]
    steps = round(world.size.steps * ratio) if arm.matched else world.size.steps
    student, seconds = train_student(world, arm, seed, steps)
    started = time.process_time()
    row: dict[str, Any] = {"arm": name, "seed": seed, "steps": steps, "train_s": seconds}
    row |= read_out(world, student, seed)
    row["read_s"] = time.process_time() - started
    return row


def read_out(world: World, student: Student, seed: int) -> dict[str, Any]:
    """Return all figures of a student."""
    features = {
        name: student_features(student, group.pixels, world.size.tile)
        for name, group in world.groups.items()
    }
    figures = read_features(world, features, seed)
    for kind, tiles in world.masked.items():
        figures |= {f"{kind}_{key}": value for key, value in reconstruction(student, tiles).items()}
    if world.real is not None:
        figures["potsdam_f1"] = world.real.score(
            student_features(student, world.real.pixels, world.size.tile)
        )
    return figures


def read_features(world: World, features: Mapping[str, Float32Array], seed: int) -> dict[str, Any]:
    """Return the probes' figures of features ``(S, h, w, D)`` by group."""
    parts = world.parts(features)
    figures: dict[str, Any] = {}
    for share in SHARES:
        probe = probe_classes(parts, share, seed)
        figures[f"f1_{share:g}"] = probe["macro_f1"]
        figures[f"oa_{share:g}"] = probe["overall_accuracy"]
        figures[f"penalty_{share:g}"] = probe["penalty"]
        figures[f"confusion_{share:g}"] = probe["confusion"]
    figures |= probe_targets(parts)
    figures["effective_rank"] = effective_rank(parts.held_out.features)
    return figures


def teacher_features(world: World, kind: str) -> dict[str, Float32Array]:
    """Return a teacher's own features of whole tiles, by group."""
    teacher = Teacher(load_stand_in(world.teachers[kind]), 0.75, "single", "cpu")
    features = {}
    for name, group in world.groups.items():
        six = cut_tiles(six_bands(group.pixels), world.size.tile).transpose(0, 3, 1, 2)
        tokens = teacher.features(six, np.ones(six[:, 0].shape, np.bool_)).numpy()
        side = world.size.tile // teacher.patch_px
        grid = tokens.reshape(len(tokens), side, side, -1)
        features[name] = join_tiles(grid, len(group.pixels))
    return features


def time_ratio(world: World) -> float:
    """Return how much longer a step of "all" takes than one of the plain arm.

    Processor time, so that other programs on the machine matter less; the difference of
    a longer and a shorter training, so that what happens once does not count; the least
    of two turns each, taken in turn.
    """
    taken: dict[tuple[str, int], float] = {}
    for _ in range(2):
        for name in ("A", "E"):
            for steps in (10, 40):
                seconds = train_student(world, ARMS[name], 0, steps)[1]
                taken[name, steps] = min(seconds, taken.get((name, steps), seconds))
    return (taken["E", 40] - taken["E", 10]) / (taken["A", 40] - taken["A", 10])


_LATER = (("losses", "norm_patches", False), ("distillation", "projector", "linear"))


def describe(size: Size) -> dict[str, Any]:
    """Return everything that the figures depend on, as JSON values."""
    recipe = asdict(ARMS["E"].recipe())
    # Options that came later leave what was run before them as it was: at their defaults.
    for part, name, default in _LATER:
        if recipe[part][name] == default:
            del recipe[part][name]
    return {
        "size": asdict(size),
        "first_seeds": FIRST_SEED,
        "student": asdict(STUDENT),
        "recipe": recipe,
    }
