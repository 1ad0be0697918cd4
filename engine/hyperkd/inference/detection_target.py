"""What ``detect`` looks for: a spectrum of a library, or the mean of pixels that are marked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.raster.labels.read_labels import read_places
from hyperkd.raster.source import RasterSource, iterate_stripes
from hyperkd.requests.detect_options import DetectJob
from hyperkd.sentences import counted
from hyperkd.spectral.libraries.library import bad_library
from hyperkd.spectral.libraries.read_library import read_library, split_name
from hyperkd.spectral.libraries.resampled_library import at_bands
from hyperkd.types import FloatArray, Ints, Reporter

_NOTHING: Ints = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Target:
    """A target in the bands of a scene.

    Attributes:
        name: for summaries and metadata.
        bands: 0-based bands of the scene that are compared, by wavelength.
        values: ``(bands,)`` float64 reflectance.
        rows, cols: ``(n,)`` pixels that were marked, which are no background; empty for a library.
        summary: what else is known of it.
    """

    name: str
    bands: tuple[int, ...]
    values: FloatArray
    rows: Ints
    cols: Ints
    summary: dict[str, Any]


def find_target(request: DetectJob, source: RasterSource, report: Reporter) -> Target:
    """Return the target that a job names.

    Raises:
        HyperKDError: ``bad_job`` where it names none or two; ``bad_library``; ``no_labels``
            where no marked pixel has data; ``bad_labels``; ``band_mismatch`` where the scene
            has no good band; and what reading raises.
    """
    if (request.target_spectrum is None) == (request.target_pixels is None):
        what = "neither" if request.target_spectrum is None else "both"
        raise HyperKDError(
            "bad_job",
            f"The job 'detect' has {what} of target_spectrum and target_pixels.",
            "Give the target by a spectral library, or by pixels of the scene.",
            fields=["target_spectrum", "target_pixels"],
        )
    good = np.flatnonzero(source.bands.good)
    if not good.size:
        raise HyperKDError(
            "band_mismatch",
            f"All {len(source.bands)} bands of {source.path} are marked as bad.",
            "Correct the bad band list (bbl) of the raster.",
        )
    order = good[np.argsort(source.bands.wavelengths.centre_nm[good], kind="stable")]
    if request.target_pixels is not None:
        return _marked(request, source, order, report)
    return _from_library(request, source, order, report)


def reflectance(data: Any, source: RasterSource, bands: tuple[int, ...]) -> FloatArray:
    """Return stored values ``(bands, n)`` of some bands as reflectance ``(n, bands)`` float64."""
    index = list(bands)
    scaled: FloatArray = data.T * source.bands.scale[index]
    scaled += source.bands.offset[index]
    return scaled


def _from_library(
    request: DetectJob, source: RasterSource, order: Ints, report: Reporter
) -> Target:
    path, name = split_name(str(request.target_spectrum))
    if name is not None and request.target_name is not None:
        raise HyperKDError(
            "bad_job",
            f"The target is named twice: {name!r} and {request.target_name!r}.",
            "Give the name behind the library or as target_name, not both.",
        )
    library = read_library(path, scale=request.target_scale)
    for note in library.notes:
        report.log("info", f"{os.path.basename(path)}: {note}")
    spectrum = library.find(request.target_name if name is None else name)
    if not np.nan_to_num(spectrum.values).any():
        raise bad_library(
            path, f"has only zeros for {spectrum.name!r}", "Choose a spectrum that was measured."
        )
    found = at_bands(path, spectrum, source.bands.wavelengths.take(order))
    covered = found.support.supported
    left_out = int((~covered).sum())
    if left_out:
        report.log(
            "warning",
            f"{spectrum.name} does not cover {counted(left_out, 'band')} of the scene, which "
            "count for nothing.",
        )
    for note in found.support.notes:
        report.log("info", note)
    return Target(
        spectrum.name,
        tuple(order[covered].tolist()),
        found.values[covered],
        _NOTHING,
        _NOTHING,
        {
            "target": spectrum.name,
            "library": library.format,
            "support": found.support.to_json(),
            "notes": list(library.notes),
        },
    )


def _marked(request: DetectJob, source: RasterSource, order: Ints, report: Reporter) -> Target:
    places = str(request.target_pixels)
    if request.target_name is not None or request.target_scale is not None:
        raise HyperKDError(
            "bad_job",
            "target_name and target_scale belong to a spectral library, but the target is marked "
            "by pixels.",
            "Leave them out.",
        )
    rows, cols, _ = read_places(source, places, margin_px=request.margin)
    flat = np.unique(rows * source.grid.width + cols)
    rows, cols = flat // source.grid.width, flat % source.grid.width
    report.stage("Reading the target's pixels")
    bands = tuple(order.tolist())
    total, count = np.zeros(len(bands)), 0
    for window in iterate_stripes(source):
        report.check_cancelled()
        here = (rows >= window.row) & (rows < window.row_end)
        if not here.any():
            continue
        tile = source.read_tile(window, bands)
        down, right = rows[here] - window.row, cols[here]
        valid = tile.valid[down, right]
        pixels = reflectance(tile.data[:, down[valid], right[valid]], source, bands)
        total += pixels.sum(axis=0)
        count += len(pixels)
    if not count:
        raise HyperKDError(
            "no_labels",
            f"{source.path} has no data at any pixel that {places} marks.",
            "Mark the target where the scene has data.",
        )
    name = f"{counted(count, 'pixel')} of {os.path.basename(places.partition('|')[0])}"
    return Target(name, bands, total / count, rows, cols, {"target": name, "target_count": count})
