"""The job ``reconstruct``: spectra predicted from their surroundings, and their error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.inference.prepared import MatchedModel, matched_scene
from hyperkd.inference.stats.spectral_error import NAMES, spectral_error
from hyperkd.inference.tiling.pipeline import FinishedRows
from hyperkd.inference.tiling.row_writer import OutputFile
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.inference.tiling.tiled_job import write_tiled
from hyperkd.models.card import ModelCard
from hyperkd.raster.sink import RasterSpec
from hyperkd.requests.predict_options import ReconstructJob
from hyperkd.types import BandTable, BoolArray, Float32Array, GridSpec, Reporter

SCALE = 1e-4
NODATA = -32768


def reconstruct(request: ReconstructJob, report: Reporter) -> dict[str, Any]:
    """Write the reconstruction of a scene, its per-pixel error, or both.

    Returns:
        The summary, with the mean of each error where it was asked for.

    Raises:
        HyperKDError: ``bad_job`` where neither output was asked for;
            ``no_valid_pixels``; and what reading, matching the bands, computing
            and writing raise. No output is left then.
    """
    outputs = ["reconstruction"]
    with matched_scene(request.input, request.model, request, outputs, report) as matched:
        result = _Reconstruction(matched, request.output, request.error)
        summary = write_tiled(
            matched, result.files, result.convert, request, report, stage="Reconstructing"
        )
        return {**summary, **result.summary()}


class _Reconstruction:
    """The files of the job."""

    def __init__(self, matched: MatchedModel, output: Optional[str], error: Optional[str]) -> None:
        self._reflectance = matched.reflectance
        self._compared = np.flatnonzero(matched.support.supported)
        self._total, self._count = np.zeros(2), np.zeros(2)
        self.files: list[OutputFile] = []
        grid = matched.source.grid
        if output is not None:
            self.files.append(OutputFile("output", output, _spectra(matched.card, grid)))
        if error is not None:
            spec = RasterSpec(grid, 2, np.float32, nodata=np.nan, names=NAMES)
            self.files.append(OutputFile("error", error, spec, observe=self._add))

    def convert(self, rows: FinishedRows, clock: Stopwatch) -> Sequence[NDArray[Any]]:
        """Return the stored values of each file."""
        stored: dict[str, NDArray[Any]] = {}
        roles = [file.role for file in self.files]
        if "error" in roles:
            with clock.time("compare"):
                data = rows.reader.stored(rows.window)
                stored["error"] = spectral_error(
                    data, self._reflectance, rows.values, self._compared
                )
        if "output" in roles:
            with clock.time("convert"):
                stored["output"] = to_stored(rows.values, rows.valid)
        return [stored[role] for role in roles]

    def summary(self) -> dict[str, float]:
        """Return the mean of each error."""
        if not any(file.role == "error" for file in self.files):
            return {}
        angle, rmse = self._total / np.maximum(self._count, 1)
        return {"mean_spectral_angle_deg": round(angle, 4), "mean_rmse": round(rmse, 6)}

    def _add(self, errors: NDArray[Any]) -> None:
        self._total += np.nansum(errors, axis=(1, 2), dtype=np.float64)
        self._count += np.isfinite(errors).sum(axis=(1, 2))


def to_stored(values: Float32Array, valid: BoolArray) -> NDArray[np.int16]:
    """Return reflectance ``(band, row, col)`` as int16 x 10000, ``NODATA`` where not valid.

    What lies beyond int16 is clipped; the value that means nodata is never a
    reflectance. ``values`` is overwritten, which saves several copies of it.
    """
    values /= np.float32(SCALE)
    np.rint(values, out=values)
    np.clip(values, NODATA + 1, 32767, out=values)
    np.copyto(values, NODATA, where=~valid)
    stored: NDArray[np.int16] = values.astype(np.int16)
    return stored


def _spectra(card: ModelCard, grid: GridSpec) -> RasterSpec:
    wavelengths = card.bands
    count = len(wavelengths)
    table = BandTable(
        wavelengths,
        good=np.ones(count, np.bool_),
        scale=np.full(count, SCALE),
        offset=np.zeros(count),
        nodata=np.full(count, NODATA),
        names=tuple(f"reconstruction {centre:.1f} nm" for centre in wavelengths.centre_nm),
    )
    return RasterSpec(grid, count, np.int16, nodata=NODATA, bands=table)
