"""Assessing models and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional

from hyperkd.requests.option import Job, option
from hyperkd.requests.shared_options import (
    BandOptions,
    TileOptions,
    block_option,
    buffer_option,
    field_option,
    inputs_option,
    label_nodata_option,
    labels_option,
    margin_option,
    report_option,
    seed_option,
    split_option,
    student_option,
    task_option,
    test_option,
    tune_option,
    tuned_model_option,
    validation_option,
)


@dataclass(frozen=True)
class EvaluateJob(BandOptions, TileOptions, Job):
    """Compare a model's map with labels."""

    kind: ClassVar[str] = "evaluate"
    target: ClassVar[str] = "hyperkd.evaluation.evaluate:evaluate"
    summary: ClassVar[str] = "Assess a model's map against labels, and write an accuracy report."

    model: str = tuned_model_option()
    input: tuple[str, ...] = inputs_option()
    labels: tuple[str, ...] = labels_option()
    report: str = report_option()
    field: tuple[str, ...] = field_option()
    label_nodata: tuple[str, ...] = label_nodata_option()
    strata: tuple[str, ...] = option(
        "Class rasters within whose classes the labels were drawn at random, usually the map "
        "itself: accuracies and areas of the whole map are estimated, with intervals.",
        (),
        role="input_file",
    )
    training_labels: tuple[str, ...] = option(
        "The labels that the model was trained on: classical models are trained on them and "
        "compared with it.",
        (),
        role="input_file",
    )
    training_input: tuple[str, ...] = option(
        "The rasters of the training labels. Default: the rasters that are evaluated.",
        (),
        role="input_raster",
    )
    margin: float = margin_option()
    seed: int = seed_option()


@dataclass(frozen=True)
class LabelsJob(BandOptions, Job):
    """Look at labels before any training."""

    kind: ClassVar[str] = "labels"
    target: ClassVar[str] = "hyperkd.evaluation.label_overview:overview"
    summary: ClassVar[str] = "Describe labels, and how fine-tuning would split them."
    answers: ClassVar[bool] = True

    input: tuple[str, ...] = inputs_option()
    labels: tuple[str, ...] = labels_option()
    task: str = task_option()
    field: tuple[str, ...] = field_option()
    label_nodata: tuple[str, ...] = label_nodata_option()
    output: Optional[str] = option(
        "Folder for a map of the split of each scene: train, validation, test, left out.",
        None,
        role="output_directory",
    )
    student: str = student_option()
    tune: str = tune_option()
    split: str = split_option()
    test: float = test_option()
    validation: float = validation_option()
    buffer: Optional[int] = buffer_option()
    block: Optional[int] = block_option()
    margin: float = margin_option()
    seed: int = seed_option()
