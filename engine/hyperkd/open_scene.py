"""Opening scenes with a job's own description of their bands, and telling what is odd."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from hyperkd.problems import NOTE, name_of, tell_problems
from hyperkd.raster.masks import Missing
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.source import RasterSource
from hyperkd.requests.shared_options import BandOptions
from hyperkd.spectral.sensors import given_bands
from hyperkd.types import Reporter


def look_at_scene(path: str, options: BandOptions, missing: Missing = "any") -> RasterSource:
    """Return the raster at ``path`` without a word on its problems, not even severe ones.

    For what shows them: jobs that compute take ``open_scene``, which tells the arguments.

    Raises:
        HyperKDError: as ``open_raster`` and ``given_bands``.
    """
    return open_raster(
        path,
        bands=given_bands(options.bands),
        scale=options.scale,
        nodata=options.nodata,
        missing=missing,
    )


def open_scene(
    path: str,
    options: BandOptions,
    report: Reporter,
    *,
    several: bool = False,
    missing: Missing = "any",
) -> RasterSource:
    """Return the raster at ``path``; ``options`` override what the file says of its bands.

    Args:
        path: the raster.
        options: what to believe, and which severe problems to accept.
        report: hears of its problems.
        several: whether the job reads other rasters too.
        missing: the rule for the valid mask, see ``masks.valid_mask``.

    Raises:
        HyperKDError: as ``look_at_scene``, and ``unaccepted_problem``.
    """
    source = look_at_scene(path, options, missing)
    try:
        tell_problems(source.problems, path, options.accept, report.problem, several=several)
    except BaseException:
        source.close()
        raise
    return source


def opened_scenes(
    paths: Sequence[str], options: BandOptions, report: Reporter, stack: ExitStack
) -> list[RasterSource]:
    """Return the rasters at ``paths``, which ``stack`` closes; see ``open_scene``."""
    several = len(paths) > 1
    return [
        stack.enter_context(open_scene(path, options, report, several=several)) for path in paths
    ]


def problem_sentences(sources: Sequence[RasterSource]) -> list[str]:
    """Return the problems of scenes as a report shows them, without mere notes."""
    several = len(sources) > 1
    return [
        f"{name_of(source.path)}: {problem.advice}" if several else problem.advice
        for source in sources
        for problem in source.problems
        if problem.severity != NOTE
    ]
