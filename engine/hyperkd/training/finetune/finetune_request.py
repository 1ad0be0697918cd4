"""What a fine-tuning is asked for, checked as far as that needs no file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Optional

import torch

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.reports.accuracy_report import require_writable_report
from hyperkd.models.sizes import sizes_of_scratch
from hyperkd.output_checks import require_writable, same_file
from hyperkd.requests.finetune_options import FinetuneJob
from hyperkd.training.common.augment import Strength
from hyperkd.training.finetune.classical_files import classical_files
from hyperkd.training.finetune.fit import FitSettings

_MODEL: Final = ".onnx"
_CHECKPOINT: Final = ".safetensors"
_COLOUR: Final = re.compile(r"(.+)=(#[0-9a-fA-F]{6})")


@dataclass(frozen=True)
class Request:
    """The fields of the job ``finetune``, which says what each means.

    ``report_folder`` is the job's ``report``.
    """

    input: tuple[str, ...]
    labels: tuple[str, ...]
    output: str
    task: str
    student: str = "tiny"
    field: tuple[str, ...] = ()
    report_folder: Optional[str] = None
    seed: int = 0
    margin: float = 0.0
    colours: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()
    split: str = "auto"
    test: float = 0.2
    validation: float = 0.2
    buffer: Optional[int] = None
    block: Optional[int] = None
    folds: int = 0
    refit: bool = False
    tune: str = "auto"
    epochs: int = 100
    learning_rate: Optional[float] = None
    class_weights: str = "sqrt"
    label_smoothing: float = 0.0
    illumination: float = 0.05
    noise: float = 0.5
    band_dropout: float = 0.0
    last: int = 2
    rank: int = 8
    previous: Optional[str] = None
    previous_weight: float = 0.5
    teacher: Optional[str] = None
    teacher_weight: float = 0.5
    preview: Optional[str] = None
    preview_extent: tuple[float, ...] = ()
    baselines: bool = True
    save_baselines: bool = False
    device: str = "auto"
    bands: Optional[str] = None
    scale: Optional[float] = None
    nodata: Optional[float] = None

    @classmethod
    def of(cls, job: FinetuneJob) -> Request:
        """Return the fields of the job."""
        fields = dict(vars(job))
        return cls(report_folder=fields.pop("report"), **fields)

    @property
    def checkpoint(self) -> Path:
        """The checkpoint beside the model."""
        return Path(self.output).with_suffix(_CHECKPOINT)

    @property
    def classical_files(self) -> dict[str, Path]:
        """The classical models beside the model by their names, where they are asked for."""
        return classical_files(self.output, self.task) if self.save_baselines else {}

    def check(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            HyperKDError: ``bad_job``, and as ``require_writable``.
        """
        if Path(self.output).suffix.lower() != _MODEL:
            raise _bad(
                "output",
                f"The model's file is called {Path(self.output).name}.",
                f"Give it a name that ends with {_MODEL}; the checkpoint is written beside it.",
            )
        written = [Path(self.output), self.checkpoint, *self.classical_files.values()]
        for made in written:
            require_writable(str(made))
        if self.report_folder is not None:
            require_writable_report(self.report_folder)
        for path in (self.student, *self.input, *self.labels):
            for made in written[1:]:
                if same_file(str(made), path):
                    kind = "checkpoint" if made == self.checkpoint else "classical model"
                    raise _bad(
                        "output",
                        f"The {kind} {made} would replace a file that this job reads.",
                        "Choose another output.",
                    )
        if self.folds in (1, 2):
            raise _bad("folds", f"{self.folds} folds are too few.", "Give at least 3, or 0.")
        if not self.folds and self.test == 0 and self.report_folder is not None:
            raise _bad(
                "test",
                "Without a test part there is nothing to report.",
                "Give the test part a share, ask for folds, or leave the report out.",
            )
        if self.test + self.validation > 0.9:
            raise _bad(
                "test",
                f"The shares {self.test:g} for testing and {self.validation:g} for validation "
                "leave too little to learn from.",
                "Let their sum be 0.9 at most.",
            )
        if self.preview_extent and len(self.preview_extent) != 4:
            raise _bad(
                "preview_extent",
                f"The preview's extent has {len(self.preview_extent)} numbers.",
                "Give four: xmin ymin xmax ymax.",
            )
        if self.previous is not None and self.task == "regression":
            raise _bad(
                "previous",
                "An earlier model teaches by its probabilities of classes.",
                "Leave it out for a regression.",
            )
        frozen = self.tune == "frozen" or (self.tune == "auto" and not self.is_new)
        if self.teacher is not None and frozen:
            raise _bad(
                "teacher",
                "A teacher guides the encoder, but the encoder stays as it is (frozen).",
                "Choose what to train of it, for instance adapters, or leave the teacher out.",
            )
        self.class_colours()

    def check_units(self, targets: Sequence[str]) -> None:
        """Refuse more units than targets.

        Raises:
            HyperKDError: ``bad_job``.
        """
        if len(self.unit) > len(targets):
            raise _bad(
                "unit",
                f"There are {len(self.unit)} units ({', '.join(self.unit)}) for "
                f"{len(targets)} targets{': ' if targets else ''}{', '.join(targets)}.",
                "Give one unit for each target, in the order of the fields; classes have none.",
            )

    @property
    def is_new(self) -> bool:
        """Whether the encoder starts with random weights."""
        return sizes_of_scratch(self.student) is not None

    def class_colours(self) -> dict[str, str]:
        """Return ``#rrggbb`` by value or name of the class.

        Raises:
            HyperKDError: ``bad_job`` where one is written otherwise.
        """
        found = {}
        for text in self.colours:
            match = _COLOUR.fullmatch(text)
            if match is None:
                raise _bad("colours", f"{text!r} is no colour of a class.", "Write value=#rrggbb.")
            found[match[1]] = match[2].lower()
        return found

    def settings(self, device: str) -> FitSettings:
        """Return how to train."""
        return FitSettings(
            tune=self.tune,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            class_weights=self.class_weights,
            label_smoothing=self.label_smoothing,
            augmentation=Strength(self.illumination, self.noise, self.band_dropout),
            last=self.last,
            rank=self.rank,
            previous=self.previous,
            previous_weight=self.previous_weight,
            teacher=self.teacher,
            teacher_weight=self.teacher_weight,
            device=device,
        )


def device_of(name: str) -> str:
    """Return where to train: ``cpu`` or ``cuda``.

    Raises:
        HyperKDError: ``missing_dependency`` where a GPU is asked for and torch finds none.
    """
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise HyperKDError(
            "missing_dependency",
            "PyTorch finds no GPU here.",
            "Train with --device cpu, or install a PyTorch with CUDA.",
            module="torch",
        )
    return "cuda"


def _bad(key: str, message: str, hint: str) -> HyperKDError:
    return HyperKDError("bad_job", message, hint, key=key)
