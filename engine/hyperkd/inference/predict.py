"""The job ``predict``: a fine-tuned model's map of classes or values, and its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference import classify
from hyperkd.inference.pixel_values import values_at
from hyperkd.inference.prepared import AnyModel, LoadedModel, load, matched_scene
from hyperkd.inference.tiling.pipeline import FinishedRows
from hyperkd.inference.tiling.row_writer import OutputFile
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.inference.tiling.tiled_job import write_tiled
from hyperkd.models.card import ModelCard
from hyperkd.models.spectral_density import KNOWN
from hyperkd.raster.sink import ClassEntry, RasterSpec
from hyperkd.raster.source import RasterSource, reading_restored
from hyperkd.requests.predict_options import PredictJob
from hyperkd.requests.shared_options import InferenceOptions, TileOptions
from hyperkd.types import Float32Array, GridSpec, Reporter

ANSWERS = ("logits", "values")
# Fraction of pixels that a model does not know, from which on it is said.
_TOLD: Final = 0.2


def predict(request: PredictJob, report: Reporter) -> dict[str, Any]:
    """Write the map that a fine-tuned model makes of a scene.

    Classes are decided after the logits of overlapping tiles were blended.

    Returns:
        The summary, with the pixels of each class, or for each target the fraction
        of pixels beyond the range that the model was trained on.

    Raises:
        HyperKDError: ``bad_job`` where the model has nothing to write into one of the files;
            ``bad_model`` where the model is a student; ``no_valid_pixels``; and what
            reading, matching the bands, computing and writing raise. No output is left then.
    """
    with matched_scene(request.input, request.model, request, ANSWERS, report) as matched:
        answer: Union[_Classes, _Values]
        _refuse_outputs(matched.card, request)
        if matched.output == "logits":
            answer = _Classes(matched.card, matched.source.grid, request)
        else:
            answer = _Values(matched.card, matched.source.grid, request)
        summary = write_tiled(
            matched, answer.files, answer.convert, request, report, stage="Predicting"
        )
        found = answer.summary()
        tell_unlike(found.get("unlike_training", 0.0), matched.card, report)
        return {"task": matched.card.task, **summary, **found}


def predict_at(
    source: RasterSource,
    model: AnyModel,
    pixels: tuple[ArrayLike, ArrayLike],
    *,
    options: TileOptions,
    outputs: Sequence[str] = ANSWERS,
    report: Reporter,
) -> Float32Array:
    """Return what the map of a scene is made from, at some pixels only; see ``values_at``.

    Args:
        model: a model for classification or regression; a loaded one stays in memory.
        pixels: rows and columns, ``(n,)`` each, inside the raster.
        outputs: what is wanted, for instance ``embedding`` of a student; the model has one.

    Returns:
        ``(n, K)`` float32 logits, not divided by the temperature, or ``(n, T)`` values in
        the units of the targets; NaN where a pixel is not valid or a target does not apply.

    Raises:
        ValueError: a pixel lies outside the raster.
        HyperKDError: as ``predict``.
    """
    settings = InferenceOptions(options.overlap, options.batch, options.device)
    with reading_restored(source):
        matched = load(model).match(source, settings, outputs, report)
        again = isinstance(model, LoadedModel)
        values = values_at(matched, pixels, settings, report, again=again)
    source.check_unchanged()
    # The standard errors of a regression that knows them come after its values.
    return _told(values.T, len(matched.card.targets))[0].T if matched.output == "values" else values


def _told(values: Float32Array, count: int) -> tuple[Float32Array, Float32Array]:
    """Return ``count`` values and their standard errors; NaN in place where one does not apply.

    A network that knows that there is nothing to tell, as of the water on dry land, says so by
    a negative error.

    Args:
        values: ``(count, ...)`` values, or twice as many with the errors after them, or one
            more with the applicability.
    """
    values, errors = values[:count], values[count : 2 * count]
    missing = errors < 0
    if missing.any():
        values[missing] = np.nan
        errors[missing] = np.nan
    return values, errors


def tell_unlike(share: float, card: ModelCard, report: Reporter) -> None:
    """Warn where a model does not know a large fraction of the pixels."""
    if share > _TOLD:
        report.log(
            "warning",
            f"{share:.0%} of the pixels are unlike everything that {card.name} learned from "
            f"(applicability below {KNOWN}): do not rely on their values. Is the raster surface "
            "reflectance?",
        )


def _refuse_outputs(card: ModelCard, request: PredictJob) -> None:
    """Refuse files that this kind of model has nothing to write into."""
    classes = card.task == "classification"
    for name, has, advice in (
        ("probabilities", classes, "take a model for classification"),
        ("uncertainty", classes or card.has_spread, "take a model that knows its own errors"),
        ("applicability", card.has_applicability, "take a model that knows what it learned from"),
        ("dominant", card.is_fractions, "take a model for fractions of covers"),
    ):
        if getattr(request, name) is not None and not has:
            raise HyperKDError(
                "bad_job",
                f"{card.name} is {card.described}, which has no {name}.",
                f"Leave {name} out, or {advice}.",
                key=name,
            )


class _Classes:
    """The files of a classification: classes, and their probabilities where asked for."""

    def __init__(self, card: ModelCard, grid: GridSpec, request: PredictJob) -> None:
        self._card, self._grid = card, grid
        self._counts = np.zeros(len(card.classes) + 1, np.int64)
        self._as_bytes = request.probability_type == "uint8"
        self._wants_probabilities = request.probabilities is not None
        self._wants_uncertainty = request.uncertainty is not None
        self.files = [self._class_file(request.output)]
        if request.probabilities is not None:
            self.files.append(self._probability_file(request.probabilities))
        if request.uncertainty is not None:
            names = classify.UNCERTAINTY_NAMES
            self.files.append(self._float_file("uncertainty", request.uncertainty, names))

    def convert(self, rows: FinishedRows, clock: Stopwatch) -> Sequence[NDArray[Any]]:
        """Return the stored values of each file."""
        with clock.time("decide"):
            stored: list[NDArray[Any]] = [classify.class_map(rows.values, rows.valid)]
            if len(self.files) == 1:
                return stored
            probabilities = classify.probabilities(rows.values, self._card.temperature)
            if self._wants_probabilities and self._as_bytes:
                stored.append(classify.as_bytes(probabilities, rows.valid))
            elif self._wants_probabilities:
                stored.append(probabilities)
            if self._wants_uncertainty:
                stored.append(classify.uncertainty(probabilities))
        return stored

    def summary(self) -> dict[str, Any]:
        """Return how many pixels each class has."""
        names = [str(item["name"]) for item in self._card.classes]
        return {
            "classes": dict(zip(names, self._counts[1:].tolist())),
            "temperature": self._card.temperature,
        }

    def _count(self, classes: NDArray[Any]) -> None:
        self._counts += np.bincount(classes.ravel(), minlength=len(self._counts))

    def _class_file(self, path: str) -> OutputFile:
        classes = [
            ClassEntry(str(item["name"]), rgb(str(item["color"])), item["value"])
            for item in self._card.classes
        ]
        nodata, names = classify.NO_CLASS, ["class"]
        spec = RasterSpec(self._grid, 1, np.uint8, nodata=nodata, names=names, classes=classes)
        return OutputFile("output", path, spec, observe=self._count)

    def _probability_file(self, path: str) -> OutputFile:
        names = [f"probability of {item['name']}" for item in self._card.classes]
        if not self._as_bytes:
            return self._float_file("probabilities", path, names)
        spec = RasterSpec(
            self._grid,
            len(names),
            np.uint8,
            nodata=classify.PROBABILITY_NODATA,
            names=names,
            scale=1 / classify.PROBABILITY_STEPS,
        )
        return OutputFile("probabilities", path, spec, {"temperature": self._card.temperature})

    def _float_file(self, role: str, path: str, names: Sequence[str]) -> OutputFile:
        spec = RasterSpec(self._grid, len(names), np.float32, nodata=np.nan, names=names)
        return OutputFile(role, path, spec, {"temperature": self._card.temperature})


class _Values:
    """The files of a regression: values, their standard errors, and the largest fraction."""

    def __init__(self, card: ModelCard, grid: GridSpec, request: PredictJob) -> None:
        targets = card.targets
        self._names = [str(target["name"]) for target in targets]
        self._low, self._high = (
            np.array([float(target[name]) for target in targets])[:, None, None]
            for name in ("minimum", "maximum")
        )
        self._beyond, self._seen = np.zeros((2, len(targets)), np.int64)
        self._dominant = np.zeros(len(targets) + 1, np.int64)
        # Of the rows that this run computes; a resumed one does not see the others again.
        self._unlike, self._computed, self._knows = 0, 0, card.has_applicability
        self._wants_uncertainty = request.uncertainty is not None
        self._wants_applicability = request.applicability is not None
        units = [str(target["unit"]) for target in targets]
        spec = RasterSpec(
            grid, len(targets), np.float32, nodata=np.nan, names=self._names, units=units
        )
        self.files = [OutputFile("output", request.output, spec, observe=self._count)]
        if request.uncertainty is not None:
            errors = replace(spec, names=[f"standard error of {name}" for name in self._names])
            self.files.append(OutputFile("uncertainty", request.uncertainty, errors))
        if request.applicability is not None:
            known = RasterSpec(grid, 1, np.float32, nodata=np.nan, names=["applicability"])
            self.files.append(OutputFile("applicability", request.applicability, known))
        if request.dominant is not None:
            observe = self._count_dominant
            largest = dominant_spec(card, grid)
            self.files.append(OutputFile("dominant", request.dominant, largest, observe=observe))

    def convert(self, rows: FinishedRows, clock: Stopwatch) -> Sequence[NDArray[Any]]:
        """Return the stored values of each file."""
        values, errors = _told(rows.values, len(self._names))
        stored: list[NDArray[Any]] = [values]
        if self._wants_uncertainty:
            stored.append(errors)
        if self._knows:
            self._unlike += int((rows.values[-1] < KNOWN).sum())
            self._computed += int(rows.valid.sum())
        if self._wants_applicability:
            stored.append(rows.values[-1:])
        if len(stored) < len(self.files):
            with clock.time("decide"):
                stored.append(classify.class_map(values, rows.valid))
        return stored

    def summary(self) -> dict[str, Any]:
        """Return the fraction of the values beyond those that the model was trained on."""
        fractions = (self._beyond / np.maximum(1, self._seen)).round(6).tolist()
        summary: dict[str, Any] = {"beyond_training_range": dict(zip(self._names, fractions))}
        if self._knows:
            summary["unlike_training"] = round(self._unlike / max(1, self._computed), 6)
        if self._dominant.any():
            summary["dominant"] = dict(zip(self._names, self._dominant[1:].tolist()))
        return summary

    def _count(self, values: NDArray[Any]) -> None:
        self._beyond += ((values < self._low) | (values > self._high)).sum(axis=(1, 2))
        self._seen += np.isfinite(values).sum(axis=(1, 2))

    def _count_dominant(self, classes: NDArray[Any]) -> None:
        self._dominant += np.bincount(classes.ravel(), minlength=len(self._dominant))


def dominant_spec(card: ModelCard, grid: GridSpec) -> RasterSpec:
    """Return the class map of the largest of a model's fractions: cover i is stored as i + 1."""
    classes = [
        ClassEntry(str(item["name"]), rgb(str(item["color"])), number)
        for number, item in enumerate(card.targets, 1)
    ]
    nodata = classify.NO_CLASS
    return RasterSpec(grid, 1, np.uint8, nodata=nodata, names=["cover"], classes=classes)


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green, blue of ``#rrggbb``."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
