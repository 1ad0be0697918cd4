"""What is compared: the fine-tuned student, the same from scratch, and classical models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from finetune_tasks import Fold, Task
from numpy.typing import NDArray

from hyperkd.evaluation.baselines.classical_models import fit_baselines
from hyperkd.evaluation.reports.label_spectra import common_bands, reflectance_at
from hyperkd.evaluation.splits.split_labels import TRAIN, VALIDATION
from hyperkd.inference.predict import predict_at
from hyperkd.reporting import RecordingReporter
from hyperkd.requests.finetune_options import FinetuneJob
from hyperkd.requests.shared_options import TileOptions
from hyperkd.training.export import export_model
from hyperkd.training.finetune.finetuned_card import card_of
from hyperkd.training.finetune.fit import fit

STUDENT, SCRATCH = "HyperKD", "HyperKD from scratch"
CLASSICAL: Mapping[str, tuple[str, ...]] = {
    "classification": ("logistic regression", "RBF SVM", "random forest"),
    "regression": ("PLSR", "random forest"),
}


@dataclass(frozen=True, eq=False)
class Answer:
    """Predictions of one method for the test pixels of a fold, scene after scene.

    Attributes:
        predicted: ``(n,)`` class indices or ``(n, T)`` values.
        settings: what was chosen.
    """

    predicted: NDArray[Any]
    settings: Mapping[str, Any]


def classical(task: Task, fold: Fold, seed: int) -> dict[str, Answer]:
    """Return the answers of the classical models, trained on train and validation pixels."""
    bands = common_bands([source.bands for source in (*fold.sources, *fold.test_sources)])
    if bands is None:
        raise ValueError("the scenes have different bands")
    part = np.concatenate(fold.split.parts)
    learn = (part == TRAIN) | (part == VALIDATION)
    spectra = [
        np.concatenate(
            [
                reflectance_at(source, scene.rows, scene.cols, bands, RecordingReporter())
                for source, scene in zip(sources, labels.scenes)
            ]
        )
        for sources, labels in ((fold.sources, fold.labels), (fold.test_sources, fold.test))
    ]
    found = fit_baselines(
        task.kind, spectra[0][learn], fold.labels.values[learn], fold.groups[learn], seed
    )
    return {
        name: Answer(model.predict(spectra[1]), model.settings) for name, model in found.items()
    }


def student(task: Task, fold: Fold, seed: int, start: str, folder: Path) -> Answer:
    """Return the answer of a student that is fine-tuned with the defaults of the job.

    Args:
        task: the task.
        fold: what to learn from and what to predict.
        seed: of the training.
        start: the shipped student to start from, or ``scratch``.
        folder: for the model.
    """
    path = folder / "model.onnx"
    request = FinetuneJob(
        input=(),
        labels=(),
        output=str(path),
        task=task.kind,
        student=start,
        seed=seed,
        device="cpu",
    )
    fitted = fit(fold.sources, fold.labels, fold.split, request, RecordingReporter())
    card = card_of(fitted, fold.labels, fold.split, fold.sources, request)
    card = export_model(fitted.model, card, path)
    answers = np.concatenate(
        [
            predict_at(
                source,
                path,
                (scene.rows, scene.cols),
                options=TileOptions(device="cpu"),
                report=RecordingReporter(),
            )
            for source, scene in zip(fold.test_sources, fold.test.scenes)
        ]
    )
    predicted = answers.argmax(axis=1) if task.kind == "classification" else answers
    told = {"tune": fitted.tune, "receptive_field_px": card.receptive_field_px}
    return Answer(predicted, {**told, "found": repr(fitted.search.hyperparameters)})
