"""The job ``detect``: where a scene holds a target, by its spectrum."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from hyperkd import __version__
from hyperkd.errors import HyperKDError
from hyperkd.inference.detection_scores import ScoreFile, Threshold
from hyperkd.inference.detection_target import Target, find_target, reflectance
from hyperkd.inference.stats.background import Background, BackgroundSums
from hyperkd.inference.stats.target_detectors import (
    DESCENDING,
    NAMES,
    Detector,
    contrast,
    make_detector,
)
from hyperkd.inference.tiling.pipeline import no_valid_pixels
from hyperkd.inference.tiling.resources import CACHE_BYTES
from hyperkd.inference.tiling.row_writer import OutputFile, RowWriter, portions
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.open_scene import open_scene
from hyperkd.problems import problems_item
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.open_raster import limit_block_cache
from hyperkd.raster.sink import ClassEntry, RasterSpec
from hyperkd.raster.source import RasterSource, iterate_stripes
from hyperkd.requests.detect_options import DetectJob
from hyperkd.sentences import counted
from hyperkd.types import BoolArray, FloatArray, Reporter, Window

BACKGROUND, TARGET = 1, 2
_ENTRIES: Final = (
    ClassEntry("background", (200, 204, 212)),
    ClassEntry("target", (228, 87, 46)),
)
# Bytes of spectra in float64 that are computed at once.
_PIECE_BYTES: Final = 32 * 2**20


def detect(request: DetectJob, report: Reporter) -> dict[str, Any]:
    """Write the scores of a detector, and the pixels beyond its threshold.

    The statistics of the background are those of all valid pixels but the marked ones. The
    threshold is the score that ``false_alarms`` of these exceed: where no target is among
    them that is their false-alarm rate; where there are some, fewer are mistakes. Two passes
    read the scene; the scores lie in a file without a name in between.

    Returns:
        The summary: ``threshold`` and ``threshold_reason``, ``detections`` and their
        ``share`` of the valid pixels, ``background_pixels``, ``bands_used``, ``shrinkage``,
        ``contrast`` (of the pure target, in standard deviations of the background), and what
        is known of the target.

    Raises:
        HyperKDError: ``bad_job``, ``bad_library``, ``no_labels`` or ``bad_labels`` of the
            target; ``no_valid_pixels``; ``unsupported_raster`` where the background has too
            few pixels, or the target is the background; and what reading and writing raise.
    """
    limit_block_cache(CACHE_BYTES)  # every block is read once, or once in each pass
    with open_scene(request.input, request, report) as source, ExitStack() as stack:
        target = find_target(request, source, report)
        report.stage("Estimating background statistics")
        target, background = _background(source, target, request.method, report)
        detector = make_detector(request.method, target.values, background)
        spilled = stack.enter_context(
            tempfile.TemporaryFile(dir=os.path.dirname(request.output) or os.curdir)
        )
        scores = ScoreFile(spilled, source.grid.width, source.grid.height)
        report.stage("Computing scores")
        _compute(source, target, detector, scores, report)
        source.check_unchanged()
        marked = target.rows * source.grid.width + target.cols
        threshold = Threshold.of(
            scores.sample(marked, background.count),
            request.false_alarms,
            request.method in DESCENDING,
            report,
        )
        result = _Detections(source, target, background, threshold, request)
        report.stage("Writing detections")
        result.write(scores, report)
    for output in result.files:
        report.artifact(output.role, output.path)
    return result.summary()


def _pieces(
    source: RasterSource, target: Target, report: Reporter
) -> Iterator[tuple[Window, FloatArray, BoolArray]]:
    """Yield windows of whole rows, with the reflectance of their valid pixels, and which these are.

    The pixels are ``(n, bands)`` float64, the mask ``(row, col)``.
    """
    width, height = source.grid.width, source.grid.height
    rows = max(1, _PIECE_BYTES // (8 * len(target.bands) * width))
    for stripe in iterate_stripes(source):
        tile = source.read_tile(stripe, target.bands)
        for row in range(0, stripe.height, rows):
            report.check_cancelled()
            end = min(row + rows, stripe.height)
            valid = tile.valid[row:end]
            pixels = reflectance(tile.data[:, row:end][:, valid], source, target.bands)
            yield Window(0, stripe.row + row, width, end - row), pixels, valid
        del tile, valid, pixels  # before the next stripe takes its memory
        report.progress(stripe.row_end, height, "rows")


def _background(
    source: RasterSource, target: Target, method: str, report: Reporter
) -> tuple[Target, Background]:
    """Return the statistics of all pixels that are not marked, without bands that never vary."""
    sums = BackgroundSums(len(target.bands))
    for window, pixels, valid in _pieces(source, target, report):
        marked = _marked(target, window)
        sums.add(pixels[~marked[valid]] if marked.any() else pixels)
    if sums.count == 0 and not target.rows.size:
        raise no_valid_pixels(source)
    # With two pixels for each band the filter loses half of its contrast (Reed, Mallett and
    # Brennan 1974).
    needed = 2 if method == "sam" else 2 * len(target.bands)
    if sums.count < needed:
        raise HyperKDError(
            "unsupported_raster",
            f"{source.path} has {counted(sums.count, 'pixel')} of background, but {needed} are "
            f"needed for {counted(len(target.bands), 'band')}.",
            "Use a larger scene, or the spectral angle (method sam).",
        )
    background = sums.background()
    if method == "sam":
        return target, background
    varying = np.diag(background.covariance) > 0
    if not varying.all():
        report.log(
            "warning",
            f"{counted(int((~varying).sum()), 'band')} with the same value in all pixels "
            "count for nothing.",
        )
        bands = tuple(np.array(target.bands)[varying].tolist())
        target = replace(target, bands=bands, values=target.values[varying])
        background = background.take(varying)
    if not varying.any() or not np.any(target.values != background.mean):
        raise HyperKDError(
            "unsupported_raster",
            f"Nothing of {source.path} distinguishes {target.name} from the background: "
            "all pixels are the same.",
            "Choose another target or another scene.",
        )
    return target, background


def _marked(target: Target, window: Window) -> BoolArray:
    """Return the pixels of a window that were marked, ``(row, col)``."""
    marked = np.zeros((window.height, window.width), np.bool_)
    here = (target.rows >= window.row) & (target.rows < window.row_end)
    marked[target.rows[here] - window.row, target.cols[here]] = True
    return marked


def _compute(
    source: RasterSource, target: Target, detector: Detector, scores: ScoreFile, report: Reporter
) -> None:
    for window, pixels, valid in _pieces(source, target, report):
        rows = np.full((window.height, window.width), np.nan, np.float32)
        rows[valid] = detector(pixels)
        scores.append(rows)


class _Detections:
    """The files of the job.

    Attributes:
        files: what is written.
    """

    def __init__(
        self,
        source: RasterSource,
        target: Target,
        background: Background,
        threshold: Threshold,
        request: DetectJob,
    ) -> None:
        self._source, self._threshold = source, threshold
        self._valid = self._found = 0
        self._about: dict[str, Any] = {
            "method": request.method,
            "false_alarms": request.false_alarms,
            "threshold": threshold.score,
            "threshold_reason": threshold.reason,
            "background_pixels": background.count,
            "bands_used": len(target.bands),
        }
        if request.method != "sam":
            self._about["shrinkage"] = background.shrinkage
            self._about["contrast"] = round(contrast(target.values, background), 4)
        self._target = target.summary
        grid, items = source.grid, self._items(target.name)
        scores = RasterSpec(
            grid, 1, np.float32, nodata=np.nan, names=[NAMES[request.method]], metadata=items
        )
        self.files = [OutputFile("output", request.output, scores)]
        if request.mask is not None:
            mask = RasterSpec(
                grid,
                1,
                np.uint8,
                nodata=0,
                names=["detections"],
                classes=list(_ENTRIES),
                metadata=items,
            )
            self.files.append(OutputFile("mask", request.mask, mask))

    def write(self, scores: ScoreFile, report: Reporter) -> None:
        """Write scores and detections; the files appear together."""
        grid = self._source.grid
        with ExitStack() as stack:
            sinks = []
            for output in self.files:
                sink = create_raster(output.path, output.raster)
                stack.callback(sink.abort)  # until all of them are there
                sinks.append(sink)
            stack.pop_all()
        windows = portions(grid, sinks[0].block_shape[0])
        with RowWriter(sinks, self.files, windows, Stopwatch()) as writer:
            for window in windows:
                report.check_cancelled()
                rows = scores.rows(window)
                found = self._threshold.beyond(rows)
                valid = np.isfinite(rows)
                self._valid += int(valid.sum())
                self._found += int(found.sum())
                mask = np.where(valid, np.where(found, TARGET, BACKGROUND), 0).astype(np.uint8)
                writer.append(*(rows[np.newaxis], mask[np.newaxis])[: len(self.files)])
                report.progress(window.row_end, grid.height, "rows")

    def summary(self) -> dict[str, Any]:
        """Return what was found, and how."""
        return {
            **self._target,
            **self._about,
            "valid_pixels": self._valid,
            "detections": self._found,
            "share": round(self._found / max(1, self._valid), 8),
        }

    def _items(self, target: str) -> dict[str, str]:
        """Return dataset metadata that says how the outputs were made, without any folder."""
        return {
            "HYPERKD_VERSION": __version__,
            "HYPERKD_INPUT": Path(self._source.path).name,
            "HYPERKD_TARGET": target,
            "HYPERKD_SETTINGS": json.dumps(self._about, sort_keys=True),
            **problems_item(self._source.problems, self._source.path),
        }
