"""The job ``anomaly``: pixels that a student cannot explain from their surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference.prepared import LoadingModel, ReadyModel, ready_model
from hyperkd.inference.scene_sample import reopened, sampled_tiles
from hyperkd.inference.stats.spectral_error import NAMES, spectral_error
from hyperkd.inference.tiling.pipeline import FinishedRows, Run, stored_rows
from hyperkd.inference.tiling.tiled_job import OutputSpec, run_tiled_job
from hyperkd.open_scene import open_scene
from hyperkd.raster.sink import ClassEntry
from hyperkd.requests.explore_options import AnomalyJob
from hyperkd.requests.shared_options import InferenceOptions
from hyperkd.types import Float32Array, FloatArray, Reporter

MEASURES = ("rmse", "angle")
# Of a normal distribution, the median absolute deviation times this is the standard deviation.
_MAD_TO_SIGMA = 1.4826
# The cube root of a sum of squares is close to normally distributed (Wilson and Hilferty 1931).
_POWER = 2.0 / 3.0
ORDINARY, ANOMALOUS = 1, 2
_ENTRIES = (ClassEntry("as expected", (200, 204, 212)), ClassEntry("anomaly", (228, 87, 46)))
# Bands of spectral_error by measure.
_BANDS = {"angle": 0, "rmse": 1}


@dataclass(frozen=True)
class Ordinary:
    """How large the errors of a scene mostly are, on a scale on which they are nearly normal.

    Attributes:
        measure: which error.
        median: of ``level``.
        sigma: its standard deviation, as the middle half of the pixels suggests it.
    """

    measure: str
    median: float
    sigma: float

    @classmethod
    def of(cls, errors: FloatArray, measure: str) -> Ordinary:
        """Return what is ordinary among errors, ``(n,)`` finite."""
        levels = level(errors, measure)
        median = float(np.median(levels)) if levels.size else 0.0
        deviation = float(np.median(np.abs(levels - median))) if levels.size else 0.0
        return cls(measure, median, _MAD_TO_SIGMA * deviation)

    def score(self, errors: NDArray[Any]) -> Float32Array:
        """Return how many sigmas each error lies above the median."""
        scores = (level(errors, self.measure) - self.median) / self.sigma
        result: Float32Array = scores.astype(np.float32)
        return result

    def error_at(self, score: float) -> float:
        """Return the error that has a score, the largest one where none is large enough."""
        length = float(max(0.0, self.median + score * self.sigma) ** (1.0 / _POWER))
        if self.measure == "rmse":
            return length
        return float(np.degrees(2.0 * np.arcsin(min(length / 2.0, 1.0))))


def level(errors: NDArray[Any], measure: str) -> FloatArray:
    """Return the cube root of the squared distance that an error is.

    The root mean square error is such a distance; a spectral angle is that of two spectra
    of length 1.
    """
    lengths: FloatArray = np.asarray(errors, np.float64)
    if measure == "angle":
        lengths = 2.0 * np.sin(np.radians(lengths) / 2.0)
    levels: FloatArray = lengths**_POWER
    return levels


def anomaly(request: AnomalyJob, report: Reporter) -> dict[str, Any]:
    """Write how unexpected each pixel is, and which ones are anomalies.

    The student predicts every pixel from its surroundings. The score is the modified z-score
    of the error on a scale on which it is nearly normal (see ``level``): (x - median) /
    (1.4826 MAD), with median and MAD (median absolute deviation) of up to 64 tiles that are
    spread over the scene, so that anomalies do not move the scale that they are measured by.
    3.5 is the usual threshold (Iglewicz and Hoaglin 1993, "How to detect and handle outliers").

    Args:
        request: what is asked for.
        report: where progress goes.

    Returns:
        Summary of the run, with ``anomalies`` (pixels), their ``share`` of the pixels with
        data, ``median_error`` and ``threshold_error``.

    Raises:
        HyperKDError: ``unsupported_raster`` where all pixels have the same error;
            ``no_valid_pixels``; and what reading, computing and writing raise.
    """
    report.stage("Opening")
    loading = LoadingModel(request.model)
    with open_scene(request.input, request) as source:
        ready = ready_model(source, loading, ["reconstruction"], request, report)
        report.stage("Learning what is ordinary")
        ordinary = _ordinary(ready, request.measure, request, report)
        again = reopened(ready, request.model)
        files = _Anomalies(
            again, ordinary, request.measure, request.threshold, request.output, request.mask
        )
        summary = run_tiled_job(
            again, files.specs, files.convert, request, report, stage="Looking for anomalies"
        )
    return {**summary, **files.summary()}


def _ordinary(
    ready: ReadyModel, measure: str, settings: InferenceOptions, report: Reporter
) -> Ordinary:
    """Return what errors the scene mostly has."""
    compared = np.flatnonzero(ready.support.supported)
    parts = []
    for tile in sampled_tiles(ready, settings, report):
        # A tile alone knows too little at its edge, where the map has the next one's help.
        rows, cols = (_inside(size) for size in tile.valid.shape)
        values = np.ascontiguousarray(tile.output[:, rows, cols])
        stored = np.ascontiguousarray(tile.stored[:, rows, cols])
        errors = spectral_error(stored, ready.reflectance, values, compared)[_BANDS[measure]]
        parts.append(errors[tile.valid[rows, cols] & np.isfinite(errors)])
    ordinary = Ordinary.of(np.concatenate(parts).astype(np.float64), measure)
    if not ordinary.sigma > 0:
        raise HyperKDError(
            "unsupported_raster",
            f"More than half of the pixels of {ready.source.path} have the same error "
            f"({ordinary.error_at(0.0):.3g}), so nothing can stand out.",
            "Check that the raster holds measured spectra, or use reconstruct.",
        )
    return ordinary


def _inside(size: int) -> slice:
    """Return the middle three quarters of a tile's side."""
    edge = size // 8
    return slice(edge, size - edge)


class _Anomalies:
    """The files of the job.

    Attributes:
        specs: the files.
    """

    def __init__(
        self,
        ready: ReadyModel,
        ordinary: Ordinary,
        measure: str,
        threshold: float,
        output: str,
        mask: Optional[str],
    ) -> None:
        self._ready = ready
        self._ordinary = ordinary
        self._band = _BANDS[measure]
        self._threshold = threshold
        self._compared = np.flatnonzero(ready.support.supported)
        self._valid = self._anomalies = 0
        about = {
            "measure": measure,
            "threshold": threshold,
            "median": round(ordinary.median, 6),
            "sigma": round(ordinary.sigma, 6),
        }
        names = {"names": ["anomaly score", NAMES[self._band]]}
        self.specs = [OutputSpec("output", output, 2, np.float32, np.nan, about, names, self._add)]
        if mask is not None:
            classes = {"names": ["anomaly"], "classes": list(_ENTRIES)}
            self.specs.append(OutputSpec("mask", mask, 1, np.uint8, 0, about, classes))

    def convert(self, rows: FinishedRows, run: Run) -> Sequence[NDArray[Any]]:
        """Return the stored values of each file."""
        ready = self._ready
        with run.clock.time("compare"):
            data = stored_rows(rows, len(ready.bands), ready.source.dtype)
            errors = spectral_error(data, ready.reflectance, rows.values, self._compared)
            error = errors[self._band]
            score = self._ordinary.score(error)
        stored: list[NDArray[Any]] = [np.stack([score, error])]
        if len(self.specs) > 1:
            with np.errstate(invalid="ignore"):
                found = np.where(score >= self._threshold, ANOMALOUS, ORDINARY)
            found[np.isnan(score)] = 0
            stored.append(found[None].astype(np.uint8))
        return stored

    def summary(self) -> dict[str, Any]:
        """Return how many anomalies there are, and from which error on."""
        return {
            "anomalies": self._anomalies,
            "share": round(self._anomalies / max(1, self._valid), 6),
            "median_error": round(self._ordinary.error_at(0.0), 6),
            "threshold_error": round(self._ordinary.error_at(self._threshold), 6),
        }

    def _add(self, portion: NDArray[Any]) -> None:
        score = portion[0]
        self._valid += int(np.isfinite(score).sum())
        with np.errstate(invalid="ignore"):
            self._anomalies += int((score >= self._threshold).sum())
