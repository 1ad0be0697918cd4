"""The options of a fine-tuning, checked as far as that needs no file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.baselines.classical_models import METHODS
from hyperkd.evaluation.reports.accuracy_report import require_writable_report
from hyperkd.evaluation.splits.requested_split import is_frozen
from hyperkd.output_checks import require_writable, same_file
from hyperkd.requests.finetune_options import FinetuneJob

_MODEL: Final = ".onnx"
_CHECKPOINT: Final = ".safetensors"
_COLOUR: Final = re.compile(r"(.+)=(#[0-9a-fA-F]{6})")


def checkpoint_path(request: FinetuneJob) -> Path:
    """Return the file of the checkpoint beside the model."""
    return Path(request.output).with_suffix(_CHECKPOINT)


def baseline_paths(request: FinetuneJob) -> dict[str, Path]:
    """Return the files of the classical models by their names; empty where none is asked for."""
    path = Path(request.output)
    return {
        name: path.with_name(f"{path.stem}-{name.lower().replace(' ', '-')}{_MODEL}")
        for name in (METHODS[request.task] if request.save_baselines else ())
    }


def check_request(request: FinetuneJob) -> None:
    """Refuse options that contradict each other, before any file is read.

    Raises:
        HyperKDError: ``bad_job``, and as ``require_writable``.
    """
    _check_outputs(request)
    if request.folds in (1, 2):
        raise _bad(
            "folds",
            f"Too few folds: {request.folds}.",
            "Give at least 3, or 0.",
        )
    if not request.folds and request.test == 0 and request.report is not None:
        raise _bad(
            "test",
            "Without a test part there is nothing to report.",
            "Set a test fraction, ask for folds, or leave the report out.",
        )
    if request.test + request.validation > 0.9:
        raise _bad(
            "test",
            f"The fractions {request.test:g} for testing and {request.validation:g} for validation "
            "leave too little to train on.",
            "Let their sum be 0.9 at most.",
        )
    if request.preview_extent and len(request.preview_extent) != 4:
        raise _bad(
            "preview_extent",
            f"The preview's extent has {len(request.preview_extent)} numbers.",
            "Give four: xmin ymin xmax ymax.",
        )
    if request.previous is not None and request.task == "regression":
        raise _bad(
            "previous",
            "Soft targets of an earlier model are probabilities of classes.",
            "Leave it out for a regression.",
        )
    if request.teacher is not None and is_frozen(request):
        raise _bad(
            "teacher",
            "A teacher guides the training of the encoder, but the encoder is frozen.",
            "Choose what to train of it, for instance adapters, or leave the teacher out.",
        )
    class_colours(request)


def _check_outputs(request: FinetuneJob) -> None:
    if Path(request.output).suffix.lower() != _MODEL:
        raise _bad(
            "output",
            f"The model's file is called {Path(request.output).name}.",
            f"Give it a name that ends with {_MODEL}; the checkpoint is written beside it.",
        )
    checkpoint = checkpoint_path(request)
    written = [Path(request.output), checkpoint, *baseline_paths(request).values()]
    for made in written:
        require_writable(str(made))
    if request.report is not None:
        require_writable_report(request.report)
    for path in (request.student, *request.input, *request.labels):
        for made in written[1:]:
            if same_file(str(made), path):
                kind = "checkpoint" if made == checkpoint else "classical model"
                raise _bad(
                    "output",
                    f"The {kind} {made} would replace a file that this job reads.",
                    "Choose another output.",
                )


def check_units(request: FinetuneJob, targets: Sequence[str]) -> None:
    """Refuse more units than targets.

    Raises:
        HyperKDError: ``bad_job``.
    """
    if len(request.unit) > len(targets):
        raise _bad(
            "unit",
            f"There are {len(request.unit)} units ({', '.join(request.unit)}) for "
            f"{len(targets)} targets{': ' if targets else ''}{', '.join(targets)}.",
            "Give one unit for each target, in the order of the fields; classes have none.",
        )


def class_colours(request: FinetuneJob) -> dict[str, str]:
    """Return ``#rrggbb`` by value or name of the class.

    Raises:
        HyperKDError: ``bad_job`` where one is written otherwise.
    """
    colours = {}
    for text in request.colours:
        match = _COLOUR.fullmatch(text)
        if match is None:
            raise _bad("colours", f"{text!r} is not a class colour.", "Write value=#rrggbb.")
        colours[match[1]] = match[2].lower()
    return colours


def training_device(request: FinetuneJob) -> str:
    """Return where to train: ``cpu`` or ``cuda``.

    Raises:
        HyperKDError: ``missing_dependency`` where a GPU is asked for and torch finds none.
    """
    if request.device == "cpu" or (request.device == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise HyperKDError(
            "missing_dependency",
            "PyTorch finds no GPU here.",
            "Train on the CPU (device cpu), or install a PyTorch with CUDA.",
            module="torch",
        )
    return "cuda"


def _bad(key: str, message: str, hint: str) -> HyperKDError:
    return HyperKDError("bad_job", message, hint, key=key)
