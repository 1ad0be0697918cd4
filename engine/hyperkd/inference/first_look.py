"""The job ``firstlook``: what covers a scene, as maps that can be shown as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference import classify
from hyperkd.inference.predict import dominant_spec, rgb, tell_unlike
from hyperkd.inference.prepared import matched_scene
from hyperkd.inference.tiling.pipeline import FinishedRows
from hyperkd.inference.tiling.row_writer import OutputFile
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.inference.tiling.tiled_job import write_tiled
from hyperkd.models.card import ModelCard
from hyperkd.models.spectral_density import KNOWN
from hyperkd.raster.sink import RasterSpec
from hyperkd.requests.predict_options import FirstLookJob
from hyperkd.types import BandTable, Float32Array, GridSpec, Reporter

CHANNELS = ("red", "green", "blue")
# The light that makes natural colour, and how far from it a band may lie.
_NATURAL_NM, _NEAR_NM = (660.0, 560.0, 480.0), 60.0
# Standard errors are counted in steps of this to find their median; none is above 1.
_ERROR_STEP = 1e-3


def first_look(request: FirstLookJob, report: Reporter) -> dict[str, Any]:
    """Write a map of the largest fractions, their error, a picture of the fractions, and these.

    Returns:
        The summary, with what each file says of the whole scene: the pixels in which each
        cover is the largest, the median standard error, the mean fraction of each cover. And
        which of its bands, from 1, show the scene in natural colour, none where it lacks them;
        and the fraction of the pixels that the model does not know, where it can tell.

    Raises:
        HyperKDError: ``bad_job`` where the model gives no fractions of covers, or not their
            errors; ``no_valid_pixels``; and what reading, matching the bands, computing and
            writing raise. No output is left then.
    """
    with matched_scene(request.input, request.model, request, ["values"], report) as matched:
        _require_fractions(matched.card, request)
        look = _Look(matched.card, matched.source.grid, request)
        summary = write_tiled(matched, look.files, look.convert, request, report, stage="Looking")
        found = look.summary()
        tell_unlike(found.get("unlike_training", 0.0), matched.card, report)
        return {**summary, **found, "natural_colour": natural_bands(matched.source.bands)}


def channel_of(colour: str) -> int:
    """Return in which channel a cover of this colour counts: the one that it is strongest in.

    A grey, which clouds may have, is strongest in none and counts as blue, like snow.
    """
    parts = rgb(colour)
    return 2 if min(parts) == max(parts) else parts.index(max(parts))


def natural_bands(table: BandTable) -> list[int]:
    """Return the good bands, from 1, nearest to red, green and blue light; none if one is far."""
    centre_nm = np.where(table.good, table.wavelengths.centre_nm, np.inf)
    nearest = [int(np.abs(centre_nm - wanted).argmin()) for wanted in _NATURAL_NM]
    far = [abs(centre_nm[band] - nm) > _NEAR_NM for band, nm in zip(nearest, _NATURAL_NM)]
    return [] if any(far) else [band + 1 for band in nearest]


def _require_fractions(card: ModelCard, request: FirstLookJob) -> None:
    if not card.is_fractions:
        raise HyperKDError(
            "bad_job",
            f"{card.name} is {card.described}, which has no fractions of covers.",
            "Take a model for fractions of covers, for instance cover.",
            key="model",
        )
    if request.uncertainty is not None and not card.has_spread:
        raise HyperKDError(
            "bad_job",
            f"{card.name} does not know its own errors, so there is no uncertainty.",
            "Leave uncertainty out, or take a model that knows its own errors.",
            key="uncertainty",
        )


class _Look:
    """The files of the job, and what is counted as they are written."""

    def __init__(self, card: ModelCard, grid: GridSpec, request: FirstLookJob) -> None:
        self._names = [str(target["name"]) for target in card.targets]
        self._channels = [channel_of(str(target["color"])) for target in card.targets]
        # Of the rows that this run computes; a resumed one does not see the others again.
        self._unlike, self._computed, self._knows = 0, 0, card.has_applicability
        self._total, self._count = np.zeros(len(self._names)), 0
        self._dominant = np.zeros(len(self._names) + 1, np.int64)
        self._errors = np.zeros(round(1 / _ERROR_STEP) + 1, np.int64)
        error = ["standard error of the largest fraction"]
        composite = RasterSpec(
            grid,
            len(CHANNELS),
            np.uint8,
            nodata=classify.PROBABILITY_NODATA,
            names=self._channel_names(),
            scale=1 / classify.PROBABILITY_STEPS,
        )
        files = {
            "dominant": (dominant_spec(card, grid), self._count_dominant),
            "composite": (composite, None),
            "uncertainty": (
                RasterSpec(grid, 1, np.float32, nodata=np.nan, names=error),
                self._count_errors,
            ),
            "fractions": (
                RasterSpec(grid, len(self._names), np.float32, nodata=np.nan, names=self._names),
                self._add_fractions,
            ),
        }
        self.files = [
            OutputFile(role, path, spec, observe=observe)
            for role, (spec, observe) in files.items()
            if (path := getattr(request, role)) is not None
        ]

    def convert(self, rows: FinishedRows, clock: Stopwatch) -> Sequence[NDArray[Any]]:
        """Return the stored values of each file."""
        count = len(self._names)
        roles = [file.role for file in self.files]
        stored: dict[str, NDArray[Any]] = {"fractions": rows.values[:count]}
        if self._knows:
            self._unlike += int((rows.values[-1] < KNOWN).sum())
            self._computed += int(rows.valid.sum())
        with clock.time("decide"):
            stored["dominant"] = classify.class_map(rows.values[:count], rows.valid)
            if "uncertainty" in roles:
                stored["uncertainty"] = _error_of(
                    stored["dominant"], rows.values[count : 2 * count]
                )
            if "composite" in roles:
                sums = self._sums(rows.values[:count])
                stored["composite"] = classify.as_bytes(sums, rows.valid)
        return [stored[role] for role in roles]

    def summary(self) -> dict[str, Any]:
        """Return what the files that were written say of the whole scene."""
        roles = [file.role for file in self.files]
        summary: dict[str, Any] = {}
        if self._knows:
            summary["unlike_training"] = round(self._unlike / max(1, self._computed), 6)
        if "fractions" in roles:
            means = (self._total / max(1, self._count)).round(6).tolist()
            summary["mean_fractions"] = dict(zip(self._names, means))
        if "dominant" in roles:
            summary["dominant_pixels"] = dict(zip(self._names, self._dominant[1:].tolist()))
        if "uncertainty" in roles:
            half = (int(self._errors.sum()) + 1) // 2
            middle = int(np.searchsorted(self._errors.cumsum(), half))
            summary["median_standard_error"] = round(middle * _ERROR_STEP, 3)
        return summary

    def _sums(self, fractions: Float32Array) -> Float32Array:
        """Return the sum of the fractions in each channel, ``(3, row, col)``, 0 to 1."""
        sums = np.zeros((len(CHANNELS), *fractions.shape[1:]), np.float32)
        for channel, fraction in zip(self._channels, fractions):
            sums[channel] += fraction
        return np.clip(sums, 0.0, 1.0, out=sums)

    def _channel_names(self) -> list[str]:
        """Return the covers of each channel; a band without any says so."""
        covers: list[list[str]] = [[] for _ in CHANNELS]
        for channel, name in zip(self._channels, self._names):
            covers[channel].append(name)
        return [", ".join(each) or "none" for each in covers]

    def _add_fractions(self, fractions: NDArray[Any]) -> None:
        self._total += np.nansum(fractions, axis=(1, 2), dtype=np.float64)
        self._count += int(np.isfinite(fractions[0]).sum())

    def _count_dominant(self, classes: NDArray[Any]) -> None:
        self._dominant += np.bincount(classes.ravel(), minlength=len(self._dominant))

    def _count_errors(self, errors: NDArray[Any]) -> None:
        known = np.clip(errors[np.isfinite(errors)], 0.0, 1.0)
        steps = np.rint(known / _ERROR_STEP).astype(np.int64)
        self._errors += np.bincount(steps, minlength=len(self._errors))


def _error_of(dominant: NDArray[Any], errors: Float32Array) -> Float32Array:
    """Return the standard error of the cover in each pixel of a class map, ``(1, row, col)``."""
    index = np.maximum(dominant.astype(np.intp), 1) - 1
    chosen: Float32Array = np.take_along_axis(errors, index, axis=0)
    return chosen
