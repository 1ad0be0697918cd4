"""What the figures of a report are called."""

from __future__ import annotations

from .messages import tr


def figure_name(key: str) -> str:
    """Return a figure as the user reads it; what has no name here keeps its own.

    Args:
        key: as ``report.json`` has it, for instance ``macro_f1``.
    """
    return {
        "loss": tr("Loss"),
        "accuracy": tr("Accuracy"),
        "overall_accuracy": tr("Overall accuracy"),
        "average_accuracy": tr("Average accuracy"),
        "kappa": tr("Kappa"),
        "macro_f1": tr("Macro F1"),
        "weighted_f1": tr("Weighted F1"),
        "macro_iou": tr("Macro IoU"),
        "weighted_iou": tr("Weighted IoU"),
        "micro_iou": tr("Micro IoU"),
        "r2": tr("R²"),
        "rmse": tr("RMSE"),
        "bias": tr("Bias"),
        "mae": tr("Mean absolute error"),
        "rpd": tr("RPD"),
        "rpiq": tr("RPIQ"),
    }.get(key, key.replace("_", " "))


def tuned_name(key: str) -> str:
    """Return what a fine-tuning has trained, in plain words.

    Args:
        key: a choice of the job's field ``tune``.
    """
    return {
        "auto": tr("decide by the number of labels"),
        "frozen": tr("the answer only: quick, for few labels"),
        "last": tr("the last layers too"),
        "adapters": tr("small adapters too"),
        "full": tr("everything: slow, for many labels"),
    }.get(key, key)
