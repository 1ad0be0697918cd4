"""The job ``reconstruct``: spectra predicted from their surroundings, and how wrong that is."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference.blend import Float32Array
from hyperkd.inference.pipeline import Run, run_tiled
from hyperkd.inference.spectral_error import NAMES, spectral_error
from hyperkd.inference.student import ReadyStudent, ready_student
from hyperkd.inference.writer import RowWriter
from hyperkd.raster.sink import create_raster
from hyperkd.raster.source import open_raster
from hyperkd.spectral.sensors import given_bands
from hyperkd.types import BandTable, BoolArray, Reporter

SCALE = 1e-4
NODATA = -32768


def reconstruct(
    *,
    input: str,
    output: Optional[str],
    error: Optional[str],
    model: str,
    overlap: Optional[int],
    batch: int,
    device: str,
    bands: Optional[str] = None,
    scale: Optional[float] = None,
    nodata: Optional[float] = None,
    report: Reporter,
) -> dict[str, Any]:
    """Write the reconstruction of a scene, its per-pixel error, or both.

    Args:
        input: the hyperspectral raster.
        output: GeoTIFF of reflectance on the student's bands, int16 x 10000, or None.
        error: GeoTIFF of two float32 bands, see ``spectral_error``, or None.
            The input, resampled to the student's bands, is compared with the
            reconstruction before it is rounded, over the bands that the raster
            covers.
        model: name or path of the student.
        overlap: pixels that neighbouring tiles share; default a quarter of the tile.
        batch: tiles computed at once.
        device: ``auto``, ``cpu`` or ``cuda``.
        bands, scale, nodata: what to believe instead of the file; see ``open_raster``.
        report: where progress goes.

    Returns:
        Summary of the run, with the mean of each error where it was asked for.

    Raises:
        HyperKDError: ``bad_job`` where neither output was asked for;
            ``no_valid_pixels``; and what reading, matching the bands, computing
            and writing raise. No output is left then.
    """
    if output is None and error is None:
        raise HyperKDError(
            "bad_job",
            "Neither 'output' nor 'error' is given, so there is nothing to write.",
            "Name a file for the reconstruction, for its error, or for both.",
        )
    report.stage("Opening")
    with open_raster(input, bands=given_bands(bands), scale=scale, nodata=nodata) as source:
        student = ready_student(
            source, model, "reconstruction", overlap=overlap, device=device, report=report
        )
        run = Run(student.session, batch, report, student.plan.count)
        student.log_memory(len(student.card.bands), np.int16, batch, report)
        report.stage("Reconstructing")
        means = _write(student, run, output, error)
        summary = {**student.summary(run), **means}
    for role, path in (("output", output), ("error", error)):
        if path is not None:
            report.artifact(role, path)
    return summary


def _write(
    student: ReadyStudent, run: Run, output: Optional[str], error: Optional[str]
) -> dict[str, float]:
    """Compute the whole scene, write what was asked for, and return the mean errors."""
    bands = np.flatnonzero(student.support.supported)
    total, compared = np.zeros(2), np.zeros(2)
    with ExitStack() as stack:
        spectra = errors = None
        if output is not None:
            spectra = stack.enter_context(_spectra_writer(student, run, output))
        if error is not None:
            errors = stack.enter_context(_error_writer(student, run, error))
        for values, tile in run_tiled(
            run, student.source, student.bands, student.plan, len(student.card.bands)
        ):
            if errors is not None:
                with run.clock.time("compare"):
                    difference = spectral_error(tile.data, student.reflectance, values, bands)
                errors.append(difference)
                total += np.nansum(difference, axis=(1, 2), dtype=np.float64)
                compared += np.isfinite(difference).sum(axis=(1, 2))
            if spectra is not None:
                with run.clock.time("convert"):
                    stored = to_stored(values, tile.valid)
                spectra.append(stored)
        student.source.check_unchanged()
    if error is None:
        return {}
    angle, rmse = total / np.maximum(compared, 1)
    return {"mean_spectral_angle_deg": round(angle, 4), "mean_rmse": round(rmse, 6)}


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


def _spectra_writer(student: ReadyStudent, run: Run, path: str) -> RowWriter:
    grid, wavelengths = student.source.grid, student.card.bands
    count = len(wavelengths)
    table = BandTable(
        wavelengths,
        good=np.ones(count, np.bool_),
        scale=np.full(count, SCALE),
        offset=np.zeros(count),
        nodata=np.full(count, NODATA),
        names=tuple(f"reconstruction {centre:.1f} nm" for centre in wavelengths.centre_nm),
    )
    sink = create_raster(
        path,
        grid,
        count,
        np.int16,
        nodata=NODATA,
        bands=table,
        metadata=student.provenance(),
    )
    return RowWriter(sink, grid, count, np.int16, run.clock)


def _error_writer(student: ReadyStudent, run: Run, path: str) -> RowWriter:
    grid = student.source.grid
    sink = create_raster(
        path,
        grid,
        len(NAMES),
        np.float32,
        nodata=np.nan,
        names=NAMES,
        metadata=student.provenance(),
    )
    return RowWriter(sink, grid, len(NAMES), np.float32, run.clock)
