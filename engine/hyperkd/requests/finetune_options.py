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
    learning_rate_option,
    margin_option,
    report_option,
    seed_option,
    split_option,
    student_option,
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
    summary: ClassVar[str] = "Fine-tune a student on labels, for classification or regression."

    input: tuple[str, ...] = inputs_option()
    labels: tuple[str, ...] = labels_option()
    output: str = option(
        "The model to write (.onnx); its checkpoint (.safetensors) is written beside it.",
        role="output_file",
    )
    task: str = task_option()
    student: str = student_option()
    physics: str = option(
        "Network for single spectra, taught by simulated truth, whose fractions of covers are "
        "used beside the spectra where they help: name or path of a model like cover, or none.",
        "cover",
        role="model",
    )
    field: tuple[str, ...] = field_option()
    label_nodata: tuple[str, ...] = label_nodata_option()
    report: Optional[str] = report_option(None)
    seed: int = seed_option()
    margin: float = margin_option()
    colours: tuple[str, ...] = option(
        "Class colours as value=#rrggbb. Default: those of the labels, or distinct ones.", ()
    )
    unit: tuple[str, ...] = option("Unit of each target, in the order of the fields.", ())
    split: str = split_option()
    test: float = test_option()
    validation: float = validation_option()
    buffer: Optional[int] = buffer_option()
    block: Optional[int] = block_option()
    folds: int = option(
        "Number of cross-validation folds (3 or more) instead of one test part; the final model "
        "is then trained on all labels.",
        0,
        minimum=0,
        maximum=100,
    )
    refit: bool = option(
        "After the test, train the final model on all labels, including the test labels.",
        False,
    )
    tune: str = tune_option()
    epochs: int = option(
        "Maximum number of passes over the labels; training usually stops earlier.",
        100,
        minimum=0,
        maximum=100_000,
    )
    learning_rate: Optional[float] = learning_rate_option()
    class_weights: str = option(
        "Weight of rare classes: by their frequency (none), by its square root (sqrt), all "
        "classes equal (balanced), or chosen by cross-validation (auto).",
        "sqrt",
        choices=("auto", "none", "sqrt", "balanced"),
    )
    label_smoothing: float = option(
        "Fraction of each label that is spread evenly over all classes.",
        0.0,
        minimum=0.0,
        maximum=0.5,
    )
    illumination: float = option(
        "Augmentation: variation of brightness (standard deviation of its logarithm).",
        0.05,
        minimum=0.0,
        maximum=1.0,
    )
    noise: float = option(
        "Augmentation: added noise, as a fraction of the noise of the scene.",
        0.5,
        minimum=0.0,
        maximum=10.0,
    )
    band_dropout: float = option(
        "Augmentation: probability that a tile loses some neighbouring bands while the encoder "
        "is trained.",
        0.0,
        minimum=0.0,
        maximum=1.0,
    )
    last: int = option(
        "Number of encoder blocks to train where the last blocks are tuned.", 2, minimum=1
    )
    rank: int = option("Rank of the adapters.", 8, minimum=1, maximum=512)
    previous: Optional[str] = option(
        "An earlier model for classes whose probabilities at the labelled pixels serve as soft "
        "targets.",
        None,
        role="model",
    )
    previous_weight: float = option(
        "Fraction of the loss that the earlier model's soft targets have.",
        0.5,
        minimum=0.0,
        maximum=1.0,
    )
    teacher: Optional[str] = option(
        "A teacher (stored, a published .pt file, or a stand-in .safetensors) whose features "
        "guide the tokens while the encoder is trained.",
        None,
        role="teacher",
    )
    teacher_weight: float = option(
        "Weight of the distance to the teacher's features.", 0.5, minimum=0.0, maximum=100.0
    )
    preview: Optional[str] = option(
        "A small map (GeoTIFF) of the model's current predictions, updated during training.",
        None,
        role="output_raster",
    )
    preview_extent: tuple[float, ...] = option(
        "Extent of the preview: xmin ymin xmax ymax in the reference system of the first "
        "raster; at most 256 x 256 pixels around its centre. Default: the middle of that "
        "raster.",
        (),
    )
    baselines: bool = option(
        "Train classical models on the raw spectra too, and compare them on the same pixels.",
        True,
    )
    save_baselines: bool = option(
        "Write the classical models too, as ONNX files beside the model; they are trained on "
        "the same labels and map scenes as the model does.",
        False,
    )
    device: str = training_device_option()
