"""The job ``reconstruct``: spectra predicted from their surroundings, and how wrong that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.inference.prepared import LoadingModel, ReadyModel, ready_model
from hyperkd.inference.stats.spectral_error import NAMES, spectral_error
from hyperkd.inference.tiling.pipeline import FinishedRows, Run, stored_rows
from hyperkd.inference.tiling.tiled_job import OutputSpec, run_tiled_job
from hyperkd.open_scene import open_scene
from hyperkd.requests.predict_options import ReconstructJob
from hyperkd.types import BandTable, BoolArray, Float32Array, Reporter

SCALE = 1e-4
NODATA = -32768


def reconstruct(request: ReconstructJob, report: Reporter) -> dict[str, Any]:
    """Write the reconstruction of a scene, its per-pixel error, or both.

    Args:
        request: what is asked for.
        report: where progress goes.

    Returns:
        Summary of the run, with the mean of each error where it was asked for.

    Raises:
        HyperKDError: ``bad_job`` where neither output was asked for;
            ``no_valid_pixels``; and what reading, matching the bands, computing
            and writing raise. No output is left then.
    """
    report.stage("Opening")
    loading = LoadingModel(request.model)
    with open_scene(request.input, request) as source:
        ready = ready_model(source, loading, ["reconstruction"], request, report)
        files = _Reconstruction(ready, request.output, request.error)
        summary = run_tiled_job(
            ready, files.specs, files.convert, request, report, stage="Reconstructing"
        )
    return {**summary, **files.summary()}


class _Reconstruction:
    """The files of the job.

    Attributes:
        specs: the files.
    """

    def __init__(self, ready: ReadyModel, output: Optional[str], error: Optional[str]) -> None:
        self._ready = ready
        self._compared = np.flatnonzero(ready.support.supported)
        self._total, self._count = np.zeros(2), np.zeros(2)
        self.specs: list[OutputSpec] = []
        if output is not None:
            self.specs.append(_spectra_spec(ready, output))
        if error is not None:
            options = {"names": NAMES}
            self.specs.append(
                OutputSpec("error", error, 2, np.float32, np.nan, {}, options, self._add)
            )

    def convert(self, rows: FinishedRows, run: Run) -> Sequence[NDArray[Any]]:
        """Return the stored values of each file."""
        stored: dict[str, NDArray[Any]] = {}
        roles = [spec.role for spec in self.specs]
        ready = self._ready
        if "error" in roles:
            with run.clock.time("compare"):
                data = stored_rows(rows, len(ready.bands), ready.source.dtype)
                stored["error"] = spectral_error(
                    data, ready.reflectance, rows.values, self._compared
                )
        if "output" in roles:
            with run.clock.time("convert"):
                stored["output"] = to_stored(rows.values, rows.valid)
        return [stored[role] for role in roles]

    def summary(self) -> dict[str, float]:
        """Return the mean of each error."""
        if not any(spec.role == "error" for spec in self.specs):
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


def _spectra_spec(ready: ReadyModel, path: str) -> OutputSpec:
    wavelengths = ready.card.bands
    count = len(wavelengths)
    table = BandTable(
        wavelengths,
        good=np.ones(count, np.bool_),
        scale=np.full(count, SCALE),
        offset=np.zeros(count),
        nodata=np.full(count, NODATA),
        names=tuple(f"reconstruction {centre:.1f} nm" for centre in wavelengths.centre_nm),
    )
    return OutputSpec("output", path, count, np.int16, NODATA, {}, {"bands": table})
