"""Opening scenes with a job's own description of their bands."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.source import RasterSource
from hyperkd.requests.shared_options import BandOptions
from hyperkd.spectral.sensors import given_bands


def open_scene(path: str, options: BandOptions) -> RasterSource:
    """Return the raster at ``path``; ``options`` override what the file says of its bands.

    Raises:
        HyperKDError: as ``open_raster`` and ``given_bands``.
    """
    return open_raster(
        path, bands=given_bands(options.bands), scale=options.scale, nodata=options.nodata
    )


def opened_scenes(
    paths: Sequence[str], options: BandOptions, stack: ExitStack
) -> list[RasterSource]:
    """Return the rasters at ``paths``, which ``stack`` closes; see ``open_scene``."""
    return [stack.enter_context(open_scene(path, options)) for path in paths]
