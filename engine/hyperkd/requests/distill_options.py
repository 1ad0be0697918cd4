"""Training students."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional

from hyperkd.requests.option import Job, option
from hyperkd.requests.shared_options import (
    QUALITY_MASKS,
    BandOptions,
    alignment_option,
    learning_rate_option,
    seed_option,
    training_device_option,
)


@dataclass(frozen=True)
class DistillJob(BandOptions, Job):
    """Train a student on scenes, with or without a teacher."""

    kind: ClassVar[str] = "distill"
    target: ClassVar[str] = "hyperkd.training.pretrain.distill:distill"
    summary: ClassVar[str] = "Train a student on scenes, by HyperKD-style distillation or alone."

    input: tuple[str, ...] = option(
        "The hyperspectral rasters or products to train on; no labels are needed.",
        role="input_raster",
    )
    output: str = option(
        "The checkpoint to write (.safetensors); the ONNX student (.onnx) and the report (.html) "
        "are written beside it.",
        role="output_file",
    )
    teacher: str = option(
        "The teacher: the name of a stored one, its published .pt file, a stand-in teacher "
        "(.safetensors), or none for a plain masked autoencoder.",
        "none",
        role="teacher",
    )
    preset: str = option(
        "Size of the student: tiny trains on a laptop, small and base are for a GPU, paper has "
        "the sizes known from the HyperKD paper.",
        "tiny",
        choices=("tiny", "small", "base", "paper"),
    )
    epochs: Optional[int] = option(
        "Number of passes over the scenes. Default: what the preset's number of steps (tiny "
        "2000) amounts to.",
        None,
        minimum=1,
        maximum=1_000_000,
    )
    seed: int = seed_option()
    resume: bool = option("Continue an interrupted training of the same output.", False)
    tile: Optional[int] = option(
        "Side of the training tiles in pixels, a multiple of two patches. Default: the preset's.",
        None,
        minimum=8,
        maximum=1024,
    )
    patch: Optional[int] = option(
        "Side of a patch (one token) in pixels: 4, 8 or 16. Default: the preset's.",
        None,
        minimum=4,
        maximum=16,
    )
    batch: Optional[int] = option(
        "Tiles per training step. Default: the preset's.", None, minimum=1, maximum=65536
    )
    chunk: Optional[int] = option(
        "Tiles computed at once; fewer need less memory and give the same student except for "
        "rounding. Default: the preset's.",
        None,
        minimum=1,
        maximum=65536,
    )
    learning_rate: Optional[float] = learning_rate_option()
    mask_ratio: float = option(
        "Fraction of the patches that is masked.", 0.75, minimum=0.05, maximum=0.95
    )
    mask_score: str = option(
        "Score that guides the mask: Haar details, gradients, Gabor filters, variance, or "
        "random numbers.",
        "haar",
        choices=("haar", "gradient", "gabor", "variance", "random"),
    )
    guided_share: float = option(
        "Fraction of the masked patches that the score chooses at the end of training; it grows "
        "from 0, and 0 is random masking.",
        0.5,
        minimum=0.0,
        maximum=1.0,
    )
    hints: float = option(
        "Fraction of the patches with the best score that stays visible.",
        0.1,
        minimum=0.0,
        maximum=1.0,
    )
    norm_patches: bool = option(
        "Measure the squared error in standard deviations of its own patch instead of the band's.",
        False,
    )
    ssim: float = option(
        "Weight of structural similarity: its gradient relative to that of the squared error.",
        0.2,
        minimum=0.0,
        maximum=10.0,
    )
    kl: float = option(
        "Weight of the divergence of spectra, likewise.", 0.2, minimum=0.0, maximum=10.0
    )
    angle: float = option("Weight of the spectral angle, likewise.", 0.0, minimum=0.0, maximum=10.0)
    slope: float = option(
        "Weight of the first difference of spectra, likewise.",
        0.0,
        minimum=0.0,
        maximum=10.0,
    )
    features: float = option(
        "Weight of the distance to the teacher's features, likewise.",
        0.5,
        minimum=0.0,
        maximum=10.0,
    )
    feature_distance: str = option(
        "Distance between features: cosine, smooth L1, L1 of unit vectors, divergence of their "
        "softmax, or relations of the attention's values.",
        "cosine",
        choices=("cosine", "smooth_l1", "l1", "divergence", "relation"),
    )
    projector: str = option(
        "What maps the student's features to the teacher's width: a linear layer, or nothing.",
        "linear",
        choices=("linear", "none"),
    )
    teacher_depth: tuple[float, ...] = option(
        "Depths of the compared features, as fractions of the teacher's blocks.",
        (0.75,),
        minimum=0.01,
        maximum=1.0,
    )
    teacher_view: str = option(
        "What the teacher takes as input: the patches that the student sees, the full tile, or "
        "the full tile with its features cached on disk (tiles then come from a grid).",
        "visible",
        choices=("visible", "full", "cached"),
    )
    teacher_frames: str = option(
        "Frames of the teacher's input: a single one, or the same one three times.",
        "single",
        choices=("single", "repeat3_mean"),
    )
    alignment: str = alignment_option()
    # Not `start`: torchrun takes --start for a beginning of its own flags.
    initial: str = option(
        "Initial weights: principal components of the scenes, or random numbers.",
        "components",
        choices=("components", "random"),
    )
    validation: float = option(
        "Fraction of the scenes held out for validation.", 0.2, minimum=0.01, maximum=0.9
    )
    patience: int = option(
        "Stop after this many validations without improvement, with the best student; 0: never.",
        0,
        minimum=0,
        maximum=10000,
    )
    hours: Optional[float] = option(
        "Stop this run after so many hours, with the best student so far; resume continues it "
        "for as many hours again.",
        None,
        minimum=0.001,
        maximum=10000.0,
    )
    average: float = option(
        "Decay of the moving average of the weights, for instance 0.999; 0: no averaging.",
        0.0,
        minimum=0.0,
        maximum=0.99999,
    )
    precision: str = option(
        "Number format of multiplications: auto takes bfloat16 on a GPU and float32 on a CPU.",
        "auto",
        choices=("auto", "float32", "bfloat16"),
    )
    device: str = training_device_option()
    reading: str = option(
        "Where pixels are kept: in memory, in a cache on disk, or in their files; auto takes "
        "memory for the first 2 GiB, then the cache.",
        "auto",
        choices=("auto", "memory", "cache", "files"),
    )
    cache: Optional[str] = option(
        "Folder of the caches, which may be deleted at any time. Default: beside the output.",
        None,
        role="output_directory",
    )
    mask: tuple[str, ...] = option(
        "Pixels of delivered products to leave out, as far as their quality layers show them; "
        "none keeps all pixels.",
        ("cloud", "cloud_shadow"),
        choices=("none", *QUALITY_MASKS),
    )
    licence: str = option(
        "SPDX identifier of the licence under which the student is passed on.", "NOASSERTION"
    )
