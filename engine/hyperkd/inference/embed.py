"""The job ``embed``: a raster of embeddings, or of their principal components."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference.prepared import MatchedModel, matched_scene
from hyperkd.inference.stats.principal_components import (
    Moments,
    PrincipalComponents,
    principal_components,
)
from hyperkd.inference.tiling.journal import Journal
from hyperkd.inference.tiling.pipeline import Blender, FinishedRows, TiledRun, no_valid_pixels
from hyperkd.inference.tiling.row_writer import OutputFile, block_rows
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.inference.tiling.tiled_job import (
    begin_journal,
    create_writer,
    fingerprint,
    summary_of,
    write_tiled,
)
from hyperkd.inference.token_files import TileRow, TokenStore
from hyperkd.models.card import ModelCard
from hyperkd.raster.sink import RasterSpec
from hyperkd.requests.predict_options import EmbedJob
from hyperkd.requests.shared_options import InferenceOptions
from hyperkd.sentences import counted
from hyperkd.types import Float32Array, FloatArray, Reporter


def embed(request: EmbedJob, report: Reporter) -> dict[str, Any]:
    """Write the embedding of every valid pixel, NaN where the input has no data.

    Returns:
        The summary; with components, ``explained_variance`` as fractions.

    Raises:
        HyperKDError: ``bad_job`` where the embedding has fewer dimensions than
            ``components``; ``no_valid_pixels``; and what reading, matching the
            bands, computing and writing raise. No output is left then.
    """
    with matched_scene(request.input, request.model, request, ["embedding"], report) as matched:
        _refuse_too_many(request.components, matched.card)
        count = request.components or matched.count
        kind = "principal component" if request.components else "embedding"
        spec = RasterSpec(
            matched.source.grid,
            count,
            np.float32,
            nodata=np.nan,
            names=[f"{kind} {index + 1}" for index in range(count)],
            half=request.dtype == "float16",
        )
        file = OutputFile("output", request.output, spec, {"components": request.components})
        if request.components:
            return _Components(matched, file, request, report).write()
        summary = write_tiled(matched, [file], _values, request, report, stage="Embedding")
    return {"bands": count, **summary}


def _values(rows: FinishedRows, clock: Stopwatch) -> Sequence[NDArray[Any]]:
    return [rows.values]


def _refuse_too_many(components: int, card: ModelCard) -> None:
    dimension = card.embedding_dim
    if components > dimension:
        raise HyperKDError(
            "bad_job",
            f"{components} components were asked for, but the embedding of "
            f"{card.name} has {dimension} dimensions.",
            f"Choose 1 to {dimension} components, or 0 for the embedding itself.",
            components=components,
            embedding_dim=dimension,
        )


class _Components:
    """Principal components of a scene, with one pass of the network.

    The first pass computes the tokens of all tiles, keeps them on disk and adds up their
    moments. The second reads them again, projects them, brings K channels instead of D to
    the pixels, blends and writes.
    """

    def __init__(
        self,
        matched: MatchedModel,
        file: OutputFile,
        options: InferenceOptions,
        report: Reporter,
    ) -> None:
        self._matched = replace(matched, tokens=matched.has_tokens)
        self._file = file
        self._options = options
        self._report = report

    def write(self) -> dict[str, Any]:
        """Compute and write; returns the summary."""
        matched, file = self._matched, self._file
        plan = matched.plan
        # Where the network gives no tokens, each pixel is one.
        grid = plan.tile_px // (matched.card.patch_px if matched.tokens else 1)
        row_of_tiles = len(plan.cols) * matched.count * grid**2 * 4
        rows = block_rows(file.raster.row_bytes)
        with matched.open(
            self._options,
            self._report,
            kept=file.raster.count,
            row_bytes=file.raster.row_bytes,
            block_rows=rows,
            fixed=3 * row_of_tiles,
        ) as run:
            found, done = self._two_passes(run, grid, rows)
            self._report.artifact("output", file.path)
            fractions = [round(float(value), 6) for value in found.fraction]
            summary = summary_of(matched, run, resumed_portions=done)
        return {"bands": file.raster.count, **summary, "explained_variance": fractions}

    def _two_passes(self, run: TiledRun, grid: int, rows: int) -> tuple[PrincipalComponents, int]:
        """Compute and write the components; returns them and the rows of tiles known before."""
        matched, options, report = self._matched, self._options, self._report
        report.stage("Embedding")
        about = fingerprint(matched, [self._file], options, run, rows)
        about = {**about, "tokens": grid}
        journal = Journal(self._file.path, about, run.unreadable, keep=options.resume)
        panels = run.resources.panels
        with TokenStore(journal, panels, matched.count, grid, keep=options.resume) as store:
            begun = begin_journal(journal, options, report)
            moments, done = Moments(matched.count), 0
            if begun:
                for row in store.read():
                    self._add(moments, row)
                    done += 1
                run.advance(sum(len(panel.cols) for panel, _ in store.rows[:done]))
                report.log(
                    "info", f"Resumed after {counted(done, 'row of tiles', 'rows of tiles')}."
                )
            with closing(store.compute(run, done)) as computed:
                for row in computed:
                    with run.clock.time("analyse"):
                        self._add(moments, row)
            matched.source.check_unchanged()
            if moments.count == 0:
                raise no_valid_pixels(matched.source)
            found = principal_components(moments, self._file.raster.count)
            report.stage("Writing the components")
            self._write(run, store, found, rows)
        return found, done

    def _add(self, moments: Moments, row: TileRow) -> None:
        """Add the tokens of a row of tiles; a token counts as its valid pixels do.

        The weights of blending sum to one at each pixel, so that each pixel counts once
        however many tiles it lies in.
        """
        panel, plan = row.panel, row.panel.plan
        down = plan.row_weights()[row.row]
        weights_of = plan.col_weights()
        left = panel.cols[0]
        for tokens, col in zip(row.tokens, panel.cols):
            valid = row.valid[:, col - left : col - left + plan.width]
            across = weights_of[col].astype(np.float64)
            places = np.arange(col, col + plan.width)
            across[(places < panel.first) | (places >= panel.end)] = 0
            weights = self._per_token(valid * down[:, None] * across, tokens.shape[1])
            moments.add(tokens.reshape(len(tokens), -1), weights.ravel())

    def _per_token(self, weights: FloatArray, count: int) -> FloatArray:
        """Add up the ``(row, col)`` weights of pixels by token, ``(count, count)``."""
        tile, patch = self._matched.plan.tile_px, self._matched.plan.tile_px // count
        whole = np.zeros((tile, tile))
        whole[: weights.shape[0], : weights.shape[1]] = weights
        added: FloatArray = whole.reshape(count, patch, count, patch).sum(axis=(1, 3))
        return added

    def _write(
        self, run: TiledRun, store: TokenStore, found: PrincipalComponents, rows: int
    ) -> None:
        names = [
            f"principal component {index + 1} ({fraction:.1%})"
            for index, fraction in enumerate(found.fraction)
        ]
        file = replace(self._file, raster=replace(self._file.raster, names=names))
        with create_writer(self._matched, [file], self._options, run, rows) as writer:
            for values in self._blended(run, store, found):
                writer.append(values)

    def _blended(
        self, run: TiledRun, store: TokenStore, found: PrincipalComponents
    ) -> Iterator[Float32Array]:
        """Yield finished rows of components from top to bottom."""
        plan, left = self._matched.plan, 0
        blender: Optional[Blender] = None
        for done, row in enumerate(store.read(), 1):
            self._report.check_cancelled()
            if blender is None or row.row == plan.rows[0]:
                blender = Blender(row.panel, self._file.raster.count)
                left = row.panel.cols[0]
            with run.clock.time("blend"):
                for tokens, col in zip(row.tokens, row.panel.cols):
                    if row.valid[:, col - left : col - left + plan.width].any():
                        components = upsample(found.project(tokens), plan.tile_px)
                        blender.add(row.row, col, components)
                window = blender.finished(row.row)
                if window is not None:
                    first = row.panel.first - left
                    valid = row.valid[: window.height, first : first + row.panel.width]
                    values = blender.values(window, valid)
            if window is not None:
                yield values
            blender.roll(row.row)
            self._report.progress(done, store.portions, "rows of tiles")


def upsample(tokens: Float32Array, size: int) -> Float32Array:
    """Bring ``(K, n, n)`` to ``(K, size, size)`` bilinearly, as the networks do.

    Pixel i lies at (i + 0.5) n / size - 0.5; beyond the middle of the outermost token its
    value is kept (the operator Resize of ONNX, half_pixel).
    """
    count = tokens.shape[1]
    if count == size:
        return tokens
    place = ((np.arange(size) + 0.5) * count / size - 0.5).clip(0, count - 1)
    first = np.floor(place).astype(np.intp).clip(0, max(0, count - 2))
    weight = (place - first).astype(np.float32)
    matrix = np.zeros((size, count), np.float32)
    matrix[np.arange(size), first] = 1 - weight
    if count > 1:
        matrix[np.arange(size), first + 1] += weight
    result: Float32Array = matrix @ tokens @ matrix.T
    return result
