"""The job ``anomaly``: pixels that a student cannot predict from their surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference.prepared import MatchedModel, matched_scene
from hyperkd.inference.scene_sample import sampled_tiles
from hyperkd.inference.stats.spectral_error import NAMES, spectral_error
from hyperkd.inference.tiling.pipeline import FinishedRows
from hyperkd.inference.tiling.row_writer import OutputFile
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.inference.tiling.tiled_job import write_tiled
from hyperkd.raster.sink import ClassEntry, RasterSpec
from hyperkd.requests.explore_options import AnomalyJob
from hyperkd.types import Float32Array, FloatArray, Reporter

# Of a normal distribution, the median absolute deviation times this is the standard deviation.
_MAD_TO_SIGMA = 1.4826
# The cube root of a sum of squares is close to normally distributed (Wilson and Hilferty 1931).
_POWER = 2.0 / 3.0
BACKGROUND, ANOMALOUS = 1, 2
_ENTRIES = (ClassEntry("as expected", (200, 204, 212)), ClassEntry("anomaly", (228, 87, 46)))
# Bands of spectral_error by measure.
_BANDS = {"angle": 0, "rmse": 1}


@dataclass(frozen=True)
class BackgroundStats:
    """Robust statistics of the errors of a scene, on a scale on which they are nearly normal.

    Attributes:
        median: of ``level``.
        sigma: its standard deviation, as the middle half of the pixels suggests it.
    """

    measure: str
    median: float
    sigma: float

    @classmethod
    def of(cls, errors: FloatArray, measure: str) -> BackgroundStats:
        """Return the statistics of errors, ``(n,)`` finite."""
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

    Returns:
        The summary, with ``anomalies`` (pixels), their ``share`` of the pixels with
        data, ``median_error`` and ``threshold_error``.

    Raises:
        HyperKDError: ``unsupported_raster`` where all pixels have the same error;
            ``no_valid_pixels``; and what reading, computing and writing raise.
    """
    outputs = ["reconstruction"]
    with matched_scene(request.input, request.model, request, outputs, report) as matched:
        report.stage("Estimating background statistics")
        result = _Anomalies(matched, _background(matched, request, report), request)
        summary = write_tiled(
            matched, result.files, result.convert, request, report, stage="Looking for anomalies"
        )
        return {**summary, **result.summary()}


def _background(matched: MatchedModel, request: AnomalyJob, report: Reporter) -> BackgroundStats:
    """Return the statistics of the errors of evenly spaced tiles."""
    compared = np.flatnonzero(matched.support.supported)
    parts = []
    for tile in sampled_tiles(matched, request, report):
        # A tile alone knows too little at its edge, where the map has the next one's help.
        rows, cols = (_inside(size) for size in tile.valid.shape)
        values = np.ascontiguousarray(tile.output[:, rows, cols])
        stored = np.ascontiguousarray(tile.stored[:, rows, cols])
        errors = spectral_error(stored, matched.reflectance, values, compared)
        error = errors[_BANDS[request.measure]]
        parts.append(error[tile.valid[rows, cols] & np.isfinite(error)])
    stats = BackgroundStats.of(np.concatenate(parts).astype(np.float64), request.measure)
    if not stats.sigma > 0:
        raise HyperKDError(
            "unsupported_raster",
            f"More than half of the pixels of {matched.source.path} have the same error "
            f"({stats.error_at(0.0):.3g}), so nothing can stand out.",
            "Check that the raster holds measured spectra, or use reconstruct.",
        )
    return stats


def _inside(size: int) -> slice:
    """Return the middle three quarters of a tile's side."""
    edge = size // 8
    return slice(edge, size - edge)


class _Anomalies:
    """The files of the job."""

    def __init__(
        self, matched: MatchedModel, background: BackgroundStats, request: AnomalyJob
    ) -> None:
        self._reflectance = matched.reflectance
        self._background = background
        self._band = _BANDS[request.measure]
        self._threshold = request.threshold
        self._compared = np.flatnonzero(matched.support.supported)
        self._valid = self._anomalies = 0
        about = {
            "measure": request.measure,
            "threshold": request.threshold,
            "median": round(background.median, 6),
            "sigma": round(background.sigma, 6),
        }
        grid, names = matched.source.grid, ["anomaly score", NAMES[self._band]]
        score = RasterSpec(grid, 2, np.float32, nodata=np.nan, names=names)
        self.files = [OutputFile("output", request.output, score, about, self._add)]
        if request.mask is not None:
            mask = RasterSpec(
                grid, 1, np.uint8, nodata=0, names=["anomaly"], classes=list(_ENTRIES)
            )
            self.files.append(OutputFile("mask", request.mask, mask, about))

    def convert(self, rows: FinishedRows, clock: Stopwatch) -> Sequence[NDArray[Any]]:
        """Return the stored values of each file."""
        with clock.time("compare"):
            data = rows.reader.stored(rows.window)
            errors = spectral_error(data, self._reflectance, rows.values, self._compared)
            error = errors[self._band]
            score = self._background.score(error)
        stored: list[NDArray[Any]] = [np.stack([score, error])]
        if len(self.files) > 1:
            with np.errstate(invalid="ignore"):
                mask = np.where(score >= self._threshold, ANOMALOUS, BACKGROUND)
            mask[np.isnan(score)] = 0
            stored.append(mask[None].astype(np.uint8))
        return stored

    def summary(self) -> dict[str, Any]:
        """Return how many anomalies there are, and from which error on."""
        return {
            "anomalies": self._anomalies,
            "share": round(self._anomalies / max(1, self._valid), 6),
            "median_error": round(self._background.error_at(0.0), 6),
            "threshold_error": round(self._background.error_at(self._threshold), 6),
        }

    def _add(self, portion: NDArray[Any]) -> None:
        score = portion[0]
        self._valid += int(np.isfinite(score).sum())
        with np.errstate(invalid="ignore"):
            self._anomalies += int((score >= self._threshold).sum())
