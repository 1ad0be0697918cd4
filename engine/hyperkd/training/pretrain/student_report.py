"""The report of a distillation: one self-contained HTML page."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Optional

import numpy as np

import hyperkd
from hyperkd.evaluation.reports.line_plot import Line, line_plot
from hyperkd.evaluation.reports.page_parts import (
    box,
    cards,
    details,
    document,
    figure_of,
    heading,
    paragraph,
    plain,
    table,
)
from hyperkd.models.card import ModelCard
from hyperkd.raster.png import encode_png
from hyperkd.training.pretrain.reconstruction_preview import picture
from hyperkd.training.pretrain.student_validation import Example
from hyperkd.training.pretrain.validation_scenes import BLOCK, NONE
from hyperkd.training.teacher.find_teacher import UNVERIFIED
from hyperkd.types import Wavelengths

_COLOURS: Final = ("#0b7a75", "#b3541e", "#3b5ba5", "#8a6d1c", "#7a3b78", "#51606f")
_SPECTRA: Final = 4  # hidden pixels whose spectra are shown
_GAPS_NM: Final = ((1330.0, 1480.0), (1780.0, 1960.0))  # water vapour

_WORDS: Final[Mapping[str, str]] = {
    "loss": "total",
    "loss_mse": "squared error",
    "loss_ssim": "structure (1 − SSIM)",
    "loss_kl": "spectral divergence (KL)",
    "loss_angle": "spectral angle (1 − cos)",
    "loss_slope": "first difference",
    "loss_features": "distillation",
    "validation_loss": "validation, squared error",
    "psnr_db": "PSNR (dB)",
    "ssim": "SSIM",
    "sam_deg": "spectral angle (degrees)",
}


@dataclass(frozen=True, eq=False)
class ReportContent:
    """The content of the report.

    Attributes:
        card: of the student as exported.
        history: reported metrics, each with its ``step``.
        example: the fixed validation tile at the end.
        bands: the student's.
        scenes: rows ``(name, columns, rows, valid share, used for)``.
        left_out: ``(name, why)`` of scenes that were not used.
        notes: what to know about the scenes.
        held_out: how the validation data was held out, see ``hold_out``.
        teacher: facts about the teacher, by label; None where there was none.
        settings: all settings, JSON values.
    """

    card: ModelCard
    history: Sequence[Mapping[str, float]]
    example: Example
    bands: Wavelengths
    scenes: Sequence[Sequence[str]]
    left_out: Sequence[tuple[str, str]]
    notes: Sequence[str]
    held_out: str
    teacher: Optional[Mapping[str, str]]
    settings: Mapping[str, Any]
    seconds: float


def render(content: ReportContent) -> str:
    """Return the page."""
    sections = [
        ("", _summary(content)),
        ("Training", _curves(content.history)),
        ("Reconstruction", _reconstruction(content)),
        ("Data", _data(content)),
        ("Teacher", _teacher(content)),
        ("Settings", _settings(content.settings)),
    ]
    lead = (
        f"{content.card.name}: a masked autoencoder of {len(content.bands)} bands, "
        + (
            "distilled HyperKD-style from " + content.teacher["Name"]
            if content.teacher
            else "trained without a teacher"
        )
        + "."
    )
    foot = f"HyperKD {hyperkd.__version__}, {content.card.created}."
    return document(f"Student {content.card.name}", lead, sections, foot)


def _summary(content: ReportContent) -> str:
    reached: Mapping[str, float] = content.card.metrics.get("validation", {})
    metrics = [
        (plain(reached[name]), _WORDS[name], "masked pixels of the validation tiles")
        for name in ("psnr_db", "ssim", "sam_deg")
        if name in reached
    ]
    steps = int(content.history[-1]["step"])
    time = f"{content.seconds / 60:.1f} minutes"
    best = content.card.metrics.get("step", steps)
    note = time if best == steps else f"{time}; the student is that of step {best}"
    metrics.append((str(steps), "steps", note))
    warned = ""
    if content.held_out == NONE:
        warned = box(
            "The only scene is too small to hold anything out: the metrics come from tiles "
            "that the student was trained on.",
            warning=True,
        )
    elif content.held_out == BLOCK:
        warned = box(
            "The metrics come from a block of the only scene, next to what the student was "
            "trained on. On another scene it will perform worse.",
            warning=True,
        )
    if content.teacher and content.teacher["Kind"] == UNVERIFIED:
        warned += box(
            f"The teacher's file has the layout of {content.teacher['Name']}, but not the checksum "
            "of the published file.",
            warning=True,
        )
    elif content.teacher and content.teacher["Kind"] != "published":
        warned += box(f"Teacher: {content.teacher['Kind']}, not Prithvi's weights.", warning=True)
    return cards(metrics) + warned


def _curves(history: Sequence[Mapping[str, float]]) -> str:
    losses = [name for name in _WORDS if "loss" in name]
    parts = [_plot(history, losses, "loss")]
    parts += [_plot(history, [name], _WORDS[name]) for name in ("psnr_db", "ssim", "sam_deg")]
    names = list(dict.fromkeys(name for row in history for name in row))
    rows = [[f"{row['step']:g}", *(plain(row.get(name)) for name in names[1:])] for row in history]
    return "".join(parts) + details("The numbers", table(names, rows))


def _plot(history: Sequence[Mapping[str, float]], names: Sequence[str], label: str) -> str:
    lines: list[Line] = []
    for name in names:
        points = [(row["step"], row[name]) for row in history if name in row]
        if points:
            x, y = np.asarray(points, np.float64).T
            colour = _COLOURS[len(lines) % len(_COLOURS)]
            run = np.zeros(len(x), np.int64)
            lines.append(Line(_WORDS[name], x, y, colour, run, dashed="validation" in name))
    if not lines:
        return ""
    legend = [(line.colour, line.name + " (dashed)" * line.dashed) for line in lines]
    chart = line_plot(lines, "step", label, legend=False)
    return figure_of(chart, "", legend if len(lines) > 1 else ())


def _reconstruction(content: ReportContent) -> str:
    image = base64.b64encode(encode_png(picture(content.example, content.bands))).decode("ascii")
    shown = (
        f'<img style="max-width:100%;image-rendering:pixelated" alt="a tile, its visible '
        f'patches, and its reconstruction" src="data:image/png;base64,{image}">'
    )
    caption = (
        "A validation tile in true colour; its visible patches; its reconstruction, which keeps "
        "the visible patches."
    )
    return figure_of(shown, caption) + heading("Spectra of masked pixels") + _spectra(content)


def _spectra(content: ReportContent) -> str:
    """Draw truth and prediction of hidden pixels from the darkest to the brightest."""
    hidden = np.argwhere(content.example.valid & ~content.example.shown)
    if len(hidden) == 0:
        return paragraph("No pixel was masked.")
    brightness = content.example.truth[tuple(hidden.T)].mean(1)
    ranked = hidden[brightness.argsort(kind="stable")]
    places = ranked[np.linspace(0, len(ranked) - 1, _SPECTRA).astype(int)]
    x = content.bands.centre_nm
    # Bands on either side of a gap are not joined.
    run = np.cumsum(np.r_[0, np.diff(x) > 20.0]).astype(np.int64)
    lines, legend = [], []
    for number, (row, col) in enumerate(places):
        colour = _COLOURS[number]
        name = f"row {row}, column {col}"
        truth = content.example.truth[row, col].astype(np.float64)
        guess = content.example.prediction[row, col].astype(np.float64)
        lines.append(Line(name, x, truth, colour, run))
        lines.append(Line(f"{name}, predicted", x, guess, colour, run, dashed=True))
        legend.append((colour, name))
    chart = line_plot(lines, "wavelength (nm)", "reflectance", _GAPS_NM, legend=False)
    return figure_of(chart, "Solid: measured. Dashed: predicted.", legend)


def _data(content: ReportContent) -> str:
    head = ("scene", "columns", "rows", "valid", "used for")
    parts = [
        paragraph(f"Held out for validation: {content.held_out}."),
        table(head, [list(row) for row in content.scenes], texts=(4,)),
    ]
    if content.left_out:
        parts.append(heading("Left out"))
        parts.append(table(("scene", "why"), [list(row) for row in content.left_out], texts=(1,)))
    return "".join(parts) + box(*content.notes)


def _teacher(content: ReportContent) -> str:
    if content.teacher is None:
        return paragraph("None: a plain hyperspectral masked autoencoder.")
    rows = [[name, value] for name, value in content.teacher.items()]
    return table(("", ""), rows, texts=(1,))


def _settings(settings: Mapping[str, Any]) -> str:
    rows = [[name, _value(value)] for name, value in _flat(settings)]
    return table(("setting", "value"), rows, texts=(1,))


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{name}.")
        else:
            found.append((prefix + name, value))
    return found


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
