"""The split that a job asks for: what ``finetune`` makes and ``labels`` shows."""

from __future__ import annotations

from typing import Any, Union

from hyperkd.evaluation.splits.split_labels import k_folds, split_labels
from hyperkd.evaluation.splits.split_parts import Split
from hyperkd.models.sizes import sizes_of_scratch
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.requests.evaluate_options import LabelsJob
from hyperkd.requests.finetune_options import FinetuneJob

SplitRequest = Union[FinetuneJob, LabelsJob]


def is_frozen(request: SplitRequest) -> bool:
    """Return whether the encoder stays as it is; ``auto`` trains only a new one.

    Raises:
        HyperKDError: ``bad_job`` for a new student of an unknown preset.
    """
    is_new = sizes_of_scratch(request.student) is not None
    return request.tune == "frozen" or (request.tune == "auto" and not is_new)


def requested_split(labels: Labels, request: SplitRequest, receptive_field_px: int) -> Split:
    """Split labels once; with a frozen encoder there is no validation part.

    Args:
        request: the options of the split.
        receptive_field_px: side of the square that one token of the student depends on.

    Raises:
        HyperKDError: as ``split_labels``.
    """
    # Folds of the train part do what a validation part does for a trained encoder.
    validation = 0.0 if is_frozen(request) else request.validation
    shares = (1 - request.test - validation, validation, request.test)
    return split_labels(labels, shares=shares, **_options(request, receptive_field_px))


def requested_folds(labels: Labels, request: FinetuneJob, receptive_field_px: int) -> list[Split]:
    """Return one split per fold of a cross-validation, see ``requested_split``.

    Raises:
        HyperKDError: as ``k_folds``.
    """
    options = _options(request, receptive_field_px)
    return k_folds(labels, folds=request.folds, validation=not is_frozen(request), **options)


def _options(request: SplitRequest, receptive_field_px: int) -> dict[str, Any]:
    return {
        "method": request.split,
        "buffer_px": request.buffer,
        "receptive_field_px": receptive_field_px,
        "seed": request.seed,
        "block_px": request.block,
    }
