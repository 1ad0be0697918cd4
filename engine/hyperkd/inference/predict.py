"""The job ``predict``: a fine-tuned model's class map or map of values, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference import classify
from hyperkd.inference.prepared import LoadingModel, OpeningNetwork, ReadyModel, ready_model
from hyperkd.inference.tiling.pipeline import FinishedRows, Run
from hyperkd.inference.tiling.tiled_job import OutputSpec, run_tiled_job
from hyperkd.models.bundle import Bundle
from hyperkd.open_scene import open_scene
from hyperkd.raster.sink import ClassEntry
from hyperkd.raster.source import RasterSource, reading_restored
from hyperkd.requests.predict_options import PredictJob
from hyperkd.requests.shared_options import InferenceOptions, TileOptions
from hyperkd.types import Float32Array, Reporter

ANSWERS = ("logits", "values")


def predict(request: PredictJob, report: Reporter) -> dict[str, Any]:
    """Write the map that a fine-tuned model makes of a scene.

    Classes are decided after the logits of overlapping tiles were blended.

    Args:
        request: what is asked for.
        report: where progress goes.

    Returns:
        Summary of the run, with the pixels of each class, or for each target the share
        of pixels beyond the range that the model was trained on.

    Raises:
        HyperKDError: ``bad_job`` where a regression is asked for probabilities;
            ``bad_model`` where the model is a student; ``no_valid_pixels``; and what
            reading, matching the bands, computing and writing raise. No output is left then.
    """
    report.stage("Opening")
    loading = LoadingModel(request.model)
    with open_scene(request.input, request) as source:
        ready = ready_model(source, loading, ANSWERS, request, report)
        asked = {"probabilities": request.probabilities, "uncertainty": request.uncertainty}
        if ready.output == "logits":
            classes = _Classes(
                ready,
                request.output,
                request.probabilities,
                request.probability_type,
                request.uncertainty,
            )
            return _run(ready, classes, request, report)
        _refuse(ready, asked)
        return _run(ready, _Values(ready, request.output), request, report)


def _run(
    ready: ReadyModel,
    answer: Union[_Classes, _Values],
    settings: InferenceOptions,
    report: Reporter,
) -> dict[str, Any]:
    summary = run_tiled_job(
        ready, answer.specs, answer.convert, settings, report, stage="Predicting"
    )
    return {"task": ready.card.task, **summary, **answer.summary()}


def predict_at(
    source: RasterSource,
    model: Union[str, Path, Bundle],
    pixels: tuple[ArrayLike, ArrayLike],
    *,
    options: TileOptions,
    outputs: Sequence[str] = ANSWERS,
    report: Reporter,
) -> Float32Array:
    """Return what the map of a scene is made from, at some pixels only.

    The same tiles, weights and order of additions as in the map; tiles that hold
    none of the pixels are not computed.

    Args:
        source: the raster.
        model: name or path of a model for classification or regression, or the model itself.
        pixels: rows and columns, ``(n,)`` each, inside the raster.
        outputs: what is wanted, for instance ``embedding`` of a student; the model has one.
        options: how to run it.
        report: where progress goes.

    Returns:
        ``(n, K)`` float32 logits, not divided by the temperature, or ``(n, T)`` values in
        the units of the targets; NaN where a pixel is not valid.

    Raises:
        HyperKDError: as ``predict``.
    """
    settings = InferenceOptions(options.overlap, options.batch, options.device)
    with reading_restored(source):
        ready = ready_model(source, LoadingModel(model), outputs, settings, report)
        values = _values_at(ready, pixels, settings, report)
    source.check_unchanged()
    return values


def _values_at(
    ready: ReadyModel,
    pixels: tuple[ArrayLike, ArrayLike],
    settings: InferenceOptions,
    report: Reporter,
) -> Float32Array:
    plan = ready.plan
    rows, cols = (np.asarray(axis, np.intp) for axis in pixels)
    inside = (rows >= 0) & (rows < plan.grid.height) & (cols >= 0) & (cols < plan.grid.width)
    if not inside.all():
        raise ValueError(f"{int((~inside).sum())} pixels lie outside the raster of {plan.grid}")
    resources = ready.resources(
        kept=ready.count,
        row_bytes=0,
        block_rows=0,
        batch=settings.batch,
        budget_mb=None,
        report=report,
    )
    wanted = _tiles_with_pixels(rows, cols, ready)
    total = sum(map(len, wanted.values()))
    run = Run(OpeningNetwork(ready, resources, report), resources, report, total)
    return _gather(run, ready, rows, cols, wanted)


def _gather(
    run: Run,
    ready: ReadyModel,
    rows: NDArray[np.intp],
    cols: NDArray[np.intp],
    wanted: Mapping[int, Sequence[int]],
) -> Float32Array:
    """Compute the wanted tiles and return the blended values of the pixels."""
    plan = ready.plan
    values = np.zeros((len(rows), ready.count), np.float32)
    valid = np.zeros(len(rows), np.bool_)
    row_weights, col_weights = plan.row_weights(), plan.col_weights()
    with run.tiles(ready.source, ready.bands, plan, wanted) as (reader, results):
        for result in results:
            row = result.row
            for col, tile in zip(result.cols, result.outputs):
                window = plan.window(row, col)
                chosen = _inside(rows, row, window.height) & _inside(cols, col, window.width)
                down, right = rows[chosen] - row, cols[chosen] - col
                weight = row_weights[row][down] * col_weights[col][right]
                values[chosen] += (tile[:, down, right] * weight).T
                valid[chosen] = reader.valid(window)[down, right]
            if result.last:
                reader.release(min((later for later in wanted if later > row), default=row))
    values[~valid] = np.nan
    return values


def _inside(values: NDArray[np.intp], first: int, count: int) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (values >= first) & (values < first + count)
    return inside


def _tiles_with_pixels(
    rows: NDArray[np.intp], cols: NDArray[np.intp], ready: ReadyModel
) -> dict[int, list[int]]:
    """Return the first columns of the tiles that hold a pixel, by the tiles' first row."""
    plan = ready.plan
    found: dict[int, list[int]] = {}
    for row in plan.rows:
        here = cols[_inside(rows, row, plan.height)]
        starts = [col for col in plan.cols if _inside(here, col, plan.width).any()]
        if starts:
            found[row] = starts
    return found


def _refuse(ready: ReadyModel, asked: dict[str, Optional[str]]) -> None:
    for name, path in asked.items():
        if path is not None:
            raise HyperKDError(
                "bad_job",
                f"{ready.card.name} is a model for {ready.card.task}, which has no {name}.",
                f"Leave {name} out, or take a model for classification.",
                key=name,
            )


class _Classes:
    """The files of a classification: classes, and their probabilities where asked for.

    Attributes:
        specs: the files.
    """

    def __init__(
        self,
        ready: ReadyModel,
        output: str,
        probabilities: Optional[str],
        probability_type: str,
        uncertainty: Optional[str],
    ) -> None:
        self._card = ready.card
        self._counts = np.zeros(len(ready.card.classes) + 1, np.int64)
        self._as_bytes = probability_type == "uint8"
        self._wants = (probabilities is not None, uncertainty is not None)
        self.specs = [self._class_spec(output)]
        if probabilities is not None:
            self.specs.append(self._probability_spec(probabilities))
        if uncertainty is not None:
            names = classify.UNCERTAINTY_NAMES
            self.specs.append(self._float_spec("uncertainty", uncertainty, names))

    def convert(self, rows: FinishedRows, run: Run) -> Sequence[NDArray[Any]]:
        """Return the stored values of each file."""
        with run.clock.time("decide"):
            stored: list[NDArray[Any]] = [classify.class_map(rows.values, rows.valid)]
            wants_probabilities, wants_uncertainty = self._wants
            if not any(self._wants):
                return stored
            shares = classify.probabilities(rows.values, self._card.temperature)
            if wants_probabilities and self._as_bytes:
                stored.append(classify.as_bytes(shares, rows.valid))
            elif wants_probabilities:
                stored.append(shares)
            if wants_uncertainty:
                stored.append(classify.uncertainty(shares))
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

    def _class_spec(self, path: str) -> OutputSpec:
        classes = [
            ClassEntry(str(item["name"]), _rgb(str(item["color"])), item["value"])
            for item in self._card.classes
        ]
        options = {"names": ["class"], "classes": classes}
        return OutputSpec("output", path, 1, np.uint8, classify.NO_CLASS, {}, options, self._count)

    def _probability_spec(self, path: str) -> OutputSpec:
        names = [f"probability of {item['name']}" for item in self._card.classes]
        if not self._as_bytes:
            return self._float_spec("probabilities", path, names)
        return OutputSpec(
            "probabilities",
            path,
            len(names),
            np.uint8,
            classify.PROBABILITY_NODATA,
            {"temperature": self._card.temperature},
            {"names": names, "scale": 1 / classify.PROBABILITY_STEPS},
        )

    def _float_spec(self, role: str, path: str, names: Sequence[str]) -> OutputSpec:
        about = {"temperature": self._card.temperature}
        return OutputSpec(role, path, len(names), np.float32, np.nan, about, {"names": names})


class _Values:
    """The file of a regression.

    Attributes:
        specs: the file.
    """

    def __init__(self, ready: ReadyModel, output: str) -> None:
        targets = ready.card.targets
        self._names = [str(target["name"]) for target in targets]
        self._low, self._high = (
            np.array([float(target[name]) for target in targets])[:, None, None]
            for name in ("minimum", "maximum")
        )
        self._beyond, self._seen = np.zeros(len(targets), np.int64), 0
        options = {"names": self._names, "units": [str(target["unit"]) for target in targets]}
        self.specs = [
            OutputSpec("output", output, len(targets), np.float32, np.nan, {}, options, self._count)
        ]

    def convert(self, rows: FinishedRows, run: Run) -> Sequence[NDArray[Any]]:
        """Return the stored values."""
        return [rows.values]

    def summary(self) -> dict[str, Any]:
        """Return which share of the values lies beyond those that the model was trained on."""
        shares = (self._beyond / max(1, self._seen)).round(6).tolist()
        return {"beyond_training_range": dict(zip(self._names, shares))}

    def _count(self, values: NDArray[Any]) -> None:
        self._beyond += ((values < self._low) | (values > self._high)).sum(axis=(1, 2))
        self._seen += int(np.isfinite(values[0]).sum())


def _rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green, blue of ``#rrggbb``."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
