"""The job ``align``: the six bands of HLS made from a hyperspectral raster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hyperkd import __version__
from hyperkd.inference.tiling.pipeline import no_valid_pixels
from hyperkd.inference.tiling.resources import CACHE_BYTES
from hyperkd.inference.tiling.row_writer import OutputFile, RowWriter, portions
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.open_scene import open_scene
from hyperkd.problems import problems_item
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.open_raster import limit_block_cache
from hyperkd.raster.sink import RasterSpec
from hyperkd.raster.source import iterate_stripes
from hyperkd.requests.prepare_options import AlignJob
from hyperkd.spectral.affine import Affine
from hyperkd.spectral.hls_alignment import HLS_BANDS, Alignment, align_to_hls
from hyperkd.types import BandTable, Reporter, Wavelengths

# HLS stores reflectance like this, and Prithvi was trained on these numbers.
SCALE = 1e-4
NODATA = -9999


def align(request: AlignJob, report: Reporter) -> dict[str, Any]:
    """Write the six HLS bands as int16 reflectance x 10000, -9999 where there is no data.

    Each band is a weighted mean of the raster's bands in its range; nothing is
    resampled in space. A pixel is valid where every band that is needed has a value.

    Returns:
        Summary with, for each of the six bands, the bands of the file (from 1).

    Raises:
        HyperKDError: ``band_mismatch`` where a range has no band,
            ``no_valid_pixels``, and what reading and writing raise.
    """
    limit_block_cache(CACHE_BYTES)  # every block is read once, or once in each pass
    with open_scene(request.input, request, report) as source:
        alignment = align_to_hls(source.bands, request.mode)
        for note in alignment.notes:
            report.log("warning", note)
        used = sorted({band for bands in alignment.bands for band in bands})
        to_stored = _stored_map(source.bands.take(used), alignment, used)
        spec = RasterSpec(
            source.grid,
            len(HLS_BANDS),
            np.int16,
            nodata=NODATA,
            bands=_table(alignment),
            names=[band.name for band in HLS_BANDS],
            metadata={
                "HYPERKD_VERSION": __version__,
                "HYPERKD_ALIGNMENT": request.mode,
                **problems_item(source.problems, source.path),
            },
        )
        sink = create_raster(request.output, spec)
        report.stage("Aligning")
        valid_pixels = 0
        windows = portions(source.grid, sink.block_shape[0])
        with RowWriter(
            [sink], [OutputFile("output", request.output, spec)], windows, Stopwatch()
        ) as writer:
            for window in iterate_stripes(source):
                report.check_cancelled()
                tile = source.read_tile(window, used)
                stored = np.rint(to_stored.apply(tile.data))
                # One step above nodata is the darkest value: it must not read as a hole.
                stored = np.clip(stored, NODATA + 1, np.iinfo(np.int16).max)
                writer.append(np.where(tile.valid, stored, NODATA).astype(np.int16))
                valid_pixels += int(tile.valid.sum())
                report.progress(window.row_end, source.grid.height, "rows")
            source.check_unchanged()
            if not valid_pixels:
                raise no_valid_pixels(source)
    report.artifact("output", request.output)
    return {
        "valid_pixels": valid_pixels,
        "bands": {
            band.name: [index + 1 for index in indices]
            for band, indices in zip(HLS_BANDS, alignment.bands)
        },
        "notes": list(alignment.notes),
    }


def _stored_map(bands: BandTable, alignment: Alignment, used: Sequence[int]) -> Affine:
    """Return the map from the stored values of ``bands`` to reflectance / ``SCALE``."""
    matrix = alignment.matrix[:, used]
    place = {band: position for position, band in enumerate(used)}
    return Affine(
        matrix * bands.scale / SCALE,
        matrix @ bands.offset / SCALE,
        np.array([place[band] for band in alignment.order.tolist() if band in place]),
    )


def _table(alignment: Alignment) -> BandTable:
    count = len(HLS_BANDS)
    return BandTable(
        Wavelengths(alignment.centre_nm, np.array([band.width_nm for band in HLS_BANDS])),
        good=np.ones(count, bool),
        scale=np.full(count, SCALE),
        offset=np.zeros(count),
        nodata=np.full(count, float(NODATA)),
    )
