"""Fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional

from hyperkd.requests.option import Job, option
from hyperkd.requests.shared_options import (
    BandOptions,
    block_option,
    buffer_option,
    field_option,
    inputs_option,
    label_nodata_option,
    labels_option,
    margin_option,
    seed_option,
    split_option,
    task_option,
    test_option,
    training_device_option,
    tune_option,
    validation_option,
)


@dataclass(frozen=True)
class FinetuneJob(BandOptions, Job):
    """Train a model for classes or quantities on labels."""

    kind: ClassVar[str] = "finetune"
    target: ClassVar[str] = "hyperkd.training.finetune.finetune_job:finetune"
    summary: ClassVar[str] = "Fine-tune a student on labels: a model for classes or quantities."

    input: tuple[str, ...] = inputs_option()
    labels: tuple[str, ...] = labels_option()
    output: str = option(
        "The model to write (.onnx); its checkpoint (.safetensors) is written beside it.",
        role="output_file",
    )
    task: str = task_option()
    student: str = option(
        "What to start from: a student's name, its checkpoint (.safetensors), or scratch (also "
        "scratch:small, scratch:base) for random weights.",
        "tiny",
        role="model",
    )
    field: tuple[str, ...] = field_option()
    label_nodata: tuple[str, ...] = label_nodata_option()
    report: Optional[str] = option(
        "Folder for the accuracy report (report.html) and its figures (report.json).",
        None,
        role="output_directory",
    )
    seed: int = seed_option()
    margin: float = margin_option()
    colours: tuple[str, ...] = option(
        "Colours of classes as value=#rrggbb. Default: those of the labels, or distinct ones.", ()
    )
    unit: tuple[str, ...] = option("Unit of each target, in the order of the fields.", ())
    split: str = split_option()
    test: float = test_option()
    validation: float = validation_option()
    buffer: Optional[int] = buffer_option()
    block: Optional[int] = block_option()
    folds: int = option(
        "Test by so many folds (3 or more) instead of one test part; the final model then learns "
        "from all labels.",
        0,
        minimum=0,
        maximum=100,
    )
    refit: bool = option(
        "After the test, train the model in the file on all labels, those of the test included.",
        False,
    )
    tune: str = tune_option()
    epochs: int = option(
        "Passes over the labels at most; training stops by itself before.",
        100,
        minimum=0,
        maximum=100_000,
    )
    learning_rate: Optional[float] = option(
        "Largest learning rate. Default: what suits the kind of training.",
        None,
        minimum=1e-7,
        maximum=1.0,
    )
    class_weights: str = option(
        "How rare classes count: as often as they occur (none), by the root of that (sqrt), all "
        "classes alike (balanced), or what folds of the training labels say (auto).",
        "sqrt",
        choices=("auto", "none", "sqrt", "balanced"),
    )
    label_smoothing: float = option(
        "Share of the truth that all classes get alike.", 0.0, minimum=0.0, maximum=0.5
    )
    illumination: float = option(
        "Augmentation: how much the brightness of spectra varies (standard deviation of its "
        "logarithm).",
        0.05,
        minimum=0.0,
        maximum=1.0,
    )
    noise: float = option(
        "Augmentation: added noise, as a share of the noise of the scene.",
        0.5,
        minimum=0.0,
        maximum=10.0,
    )
    band_dropout: float = option(
        "Augmentation: chance that a tile loses some neighbouring bands, while the encoder is "
        "trained.",
        0.0,
        minimum=0.0,
        maximum=1.0,
    )
    last: int = option("Blocks that the tuning of the last blocks trains.", 2, minimum=1)
    rank: int = option("Rank of the adapters.", 8, minimum=1, maximum=512)
    previous: Optional[str] = option(
        "An earlier model for classes whose probabilities at the labelled pixels are learnt too.",
        None,
        role="model",
    )
    previous_weight: float = option(
        "Share of the loss that the earlier model's probabilities have.",
        0.5,
        minimum=0.0,
        maximum=1.0,
    )
    teacher: Optional[str] = option(
        "A teacher (stored, a published .pt file, or a stand-in .safetensors) whose features the "
        "tokens follow while the encoder is trained.",
        None,
        role="teacher",
    )
    teacher_weight: float = option(
        "Weight of the distance to the teacher's features.", 0.5, minimum=0.0, maximum=100.0
    )
    preview: Optional[str] = option(
        "A small map (GeoTIFF) of what the model would say now, renewed while it is trained.",
        None,
        role="output_raster",
    )
    preview_extent: tuple[float, ...] = option(
        "What the preview shows: xmin ymin xmax ymax in the reference system of the first raster; "
        "at most 256 x 256 pixels around its centre. Default: the middle of that raster.",
        (),
    )
    baselines: bool = option(
        "Train classical models on the raw spectra too, and compare them on the same pixels.",
        True,
    )
    save_baselines: bool = option(
        "Write the classical models too: ONNX files beside the model, trained on what it learned "
        "from, which map scenes as the model does.",
        False,
    )
    device: str = training_device_option()
