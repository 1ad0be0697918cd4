"""The job ``embed``: a raster of embeddings, or of their principal components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.inference.pipeline import (
    Run,
    StripeReader,
    TilePlan,
    no_valid_pixels,
    run_stripe,
    run_tiled,
    with_pixels,
)
from hyperkd.inference.principal import Moments, PrincipalComponents, principal_components
from hyperkd.inference.student import ReadyStudent, ready_student
from hyperkd.inference.writer import RowWriter
from hyperkd.raster.sink import create_raster
from hyperkd.raster.source import open_raster
from hyperkd.spectral.sensors import given_bands
from hyperkd.types import Reporter

# Components are found on so many tiles, spread over so many stripes. 64 tiles of
# 64 x 64 pixels determine the covariance of some hundred channels well, and
# 8 stripes keep a large scene from being decoded twice.
SAMPLE_TILES = 64
SAMPLE_STRIPES = 8


def embed(
    *,
    input: str,
    output: str,
    model: str,
    components: int,
    overlap: Optional[int],
    batch: int,
    device: str,
    bands: Optional[str] = None,
    scale: Optional[float] = None,
    nodata: Optional[float] = None,
    report: Reporter,
) -> dict[str, Any]:
    """Write the embedding of every valid pixel as float32, NaN where the input has no data.

    Args:
        input: the hyperspectral raster.
        output: the GeoTIFF to write.
        model: name or path of the student.
        components: K principal components of this scene; 0 writes the embedding itself.
        overlap: pixels that neighbouring tiles share; default a quarter of the tile.
        batch: tiles computed at once.
        device: ``auto``, ``cpu`` or ``cuda``.
        bands, scale, nodata: what to believe instead of the file; see ``open_raster``.
        report: where progress goes.

    Returns:
        Summary of the run; with components, ``explained_variance`` as shares.

    Raises:
        HyperKDError: ``bad_job`` where the embedding has fewer dimensions than
            ``components``; ``no_valid_pixels``; and what reading, matching the
            bands, computing and writing raise. No output is left then.
    """
    report.stage("Opening")
    with open_raster(input, bands=given_bands(bands), scale=scale, nodata=nodata) as source:
        student = ready_student(
            source, model, "embedding", overlap=overlap, device=device, report=report
        )
        dimension = student.card.embedding_dim
        if components > dimension:
            raise HyperKDError(
                "bad_job",
                f"{components} components were asked for, but the embedding of "
                f"{student.card.name} has {dimension} dimensions.",
                f"Choose 1 to {dimension} components, or 0 for the embedding itself.",
                components=components,
                embedding_dim=dimension,
            )
        plan = student.plan
        sample = TilePlan.over(student.source.grid, plan.tile_px, 0)
        sampled = min(SAMPLE_TILES, sample.count) if components else 0
        run = Run(student.session, batch, report, sampled + plan.count)
        student.log_memory(components or dimension, np.float32, batch, report)

        found: Optional[PrincipalComponents] = None
        names = [f"embedding {index + 1}" for index in range(dimension)]
        if components:
            report.stage("Finding the components")
            found = _find_components(student, run, sample, components)
            names = [
                f"principal component {index + 1} ({share:.1%})"
                for index, share in enumerate(found.share)
            ]
        report.stage("Embedding")
        _write(student, run, output, names, found)
        summary = student.summary(run)
    if found is not None:
        summary["explained_variance"] = [round(float(share), 6) for share in found.share]
    report.artifact("output", output)
    return {"bands": len(names), **summary}


def _find_components(
    student: ReadyStudent, run: Run, sample: TilePlan, count: int
) -> PrincipalComponents:
    """Return the components of up to ``SAMPLE_TILES`` evenly spaced tiles without overlap.

    A scene with no more tiles than that is used whole. Only valid pixels count.
    """
    reader = StripeReader(student.source, student.bands, sample.height, run.clock)
    moments = Moments(student.card.embedding_dim)
    stripes = max(SAMPLE_STRIPES, -(-SAMPLE_TILES // len(sample.cols)))
    chosen = _evenly(sample.rows, stripes)
    others = [row for row in sample.rows if row not in chosen]
    left = SAMPLE_TILES
    for index, row in enumerate(chosen + others):
        # The chosen stripes share what is left; the others serve only where those are empty.
        stripes_left = max(1, len(chosen) - index)
        if left == 0 or (index >= len(chosen) and moments.count):
            break
        run.check_cancelled()
        stripe = reader.read(row)
        cols = _evenly(with_pixels(stripe, sample.cols, sample), -(-left // stripes_left))
        for col, output in run_stripe(run, stripe, cols, sample):
            with run.clock.time("analyse"):
                moments.add(output[:, stripe.valid[:, col : col + sample.width]])
        left -= len(cols)
    if moments.count == 0:
        raise no_valid_pixels(student.source)
    run.advance(min(SAMPLE_TILES, sample.count) - (SAMPLE_TILES - left))
    return principal_components(moments, count)


def _evenly(values: Sequence[int], count: int) -> list[int]:
    """Return ``count`` of the values, evenly spaced; all of them where there are no more."""
    if count >= len(values):
        return list(values)
    return [values[(2 * index + 1) * len(values) // (2 * count)] for index in range(count)]


def _write(
    student: ReadyStudent,
    run: Run,
    output: str,
    names: Sequence[str],
    found: Optional[PrincipalComponents],
) -> None:
    """Compute the whole scene and write it, projected where components were found."""
    grid, count = student.source.grid, len(names)
    sink = create_raster(
        output,
        grid,
        count,
        np.float32,
        nodata=np.nan,
        names=names,
        metadata=student.provenance(components=0 if found is None else count),
    )
    project = None if found is None else found.project
    with RowWriter(sink, grid, count, np.float32, run.clock) as writer:
        for values, _ in run_tiled(
            run, student.source, student.bands, student.plan, count, project
        ):
            writer.append(values)
        student.source.check_unchanged()
