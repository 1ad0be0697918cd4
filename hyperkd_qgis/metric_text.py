"""What the figures of a report are called."""

from __future__ import annotations

from typing import Any, Optional

from qgis.PyQt.QtCore import QLocale

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


def method_name(key: str) -> str:
    """Return a method of the comparison as the user reads it; others keep their name."""
    return {
        "logistic regression": tr("logistic regression"),
        "random forest": tr("random forest"),
        "RBF SVM": tr("support vector machine (RBF)"),
        "PLSR": tr("partial least squares (PLSR)"),
    }.get(key, key)


def number(value: Any, digits: int = 3) -> str:
    """Return a number with so many decimals, as the user's language writes it; else a dash."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "–"
    return QLocale().toString(float(value), "f", digits)


def short_number(value: float) -> str:
    """Return a number with four significant digits, as the user's language writes it."""
    text = f"{value:.4g}"
    if "e" in text:
        return QLocale().toString(float(value), "g", 4)
    return number(value, len(text.partition(".")[2]))


def percent(value: Any, digits: int = 0) -> str:
    """Return a share as percent, as the user's language writes it; else a dash."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "–"
    return tr("{number} %").format(number=number(100 * value, digits))


def with_interval(found: Any) -> str:
    """Return a figure of a report with its interval in brackets, where it has one."""
    ends = interval_of(found)
    text = number(found["value"])
    return text if ends is None else f"{text} ({number(ends[0])} – {number(ends[1])})"


def interval_of(found: Any) -> Optional[tuple[float, float]]:
    """Return the ends of a figure's interval, or None where it has none."""
    low, high = found.get("low"), found.get("high")
    return (low, high) if isinstance(low, float) and isinstance(high, float) else None


def trained_name(tune: str, task: str) -> str:
    """Return what a fine-tuning for a task has trained."""
    if tune == "frozen" and task in ("classification", "regression"):
        is_class = task == "classification"
        return tr("classification layer only") if is_class else tr("regression layer only")
    return tuned_name(tune)


def tuned_name(key: str) -> str:
    """Return what a fine-tuning trains, in plain words.

    Args:
        key: a choice of the job's field ``tune``.
    """
    return tuned_names().get(key, key)


def tuned_names() -> dict[str, str]:
    """Return what the choices of the job's field ``tune`` are called."""
    return {
        "auto": tr("automatic (output layer only; everything for random weights)"),
        "frozen": tr("the output layer only: quick, for few labels"),
        "last": tr("the last layers too"),
        "adapters": tr("small adapters too"),
        "full": tr("everything: slow, for many labels"),
    }
