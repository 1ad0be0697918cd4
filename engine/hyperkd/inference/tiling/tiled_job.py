"""What the jobs that run a network over a scene have in common: from the plan to the files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd import __version__
from hyperkd.inference.prepared import MatchedModel
from hyperkd.inference.tiling import machine
from hyperkd.inference.tiling.journal import Journal
from hyperkd.inference.tiling.pipeline import (
    FinishedRows,
    TiledRun,
    blended_rows,
    no_valid_pixels,
)
from hyperkd.inference.tiling.row_writer import OutputFile, RowWriter, block_rows, portions
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.problems import problems_item
from hyperkd.raster.create_raster import create_raster
from hyperkd.requests.shared_options import InferenceOptions
from hyperkd.sentences import counted
from hyperkd.types import Reporter

# Makes the stored values of each file, ``(band, row, col)``, from finished rows.
Convert = Callable[[FinishedRows, Stopwatch], Sequence[NDArray[Any]]]


def write_tiled(
    matched: MatchedModel,
    outputs: Sequence[OutputFile],
    convert: Convert,
    options: InferenceOptions,
    report: Reporter,
    *,
    stage: str,
) -> dict[str, Any]:
    """Compute a whole scene and write it.

    Args:
        convert: makes the stored values of each file from finished rows.
        stage: what users read while it is computed.

    Returns:
        The summary.

    Raises:
        HyperKDError: ``no_valid_pixels``, and what planning, reading, computing and
            writing raise. No output is left then.
    """
    row_bytes = sum(output.raster.row_bytes for output in outputs)
    rows = block_rows(row_bytes)
    with matched.open(options, report, row_bytes=row_bytes, block_rows=rows) as run:
        report.stage(stage)
        about = fingerprint(matched, outputs, options, run, rows)
        journal = Journal(outputs[0].path, about, run.unreadable, keep=options.resume)
        valid = _ValidPixels(outputs[0])
        outputs = [replace(outputs[0], observe=valid.observe), *outputs[1:]]
        with create_writer(matched, outputs, options, run, rows, journal) as writer:
            resumed = 0
            if begin_journal(journal, options, report):
                resumed = writer.resume()
                report.log(
                    "info", f"Resumed after {counted(resumed, 'row of blocks', 'rows of blocks')}."
                )
            _write_panels(run, matched.count, writer, resumed, rows, convert)
            writer.wait()
            matched.source.check_unchanged()
            # What is computed has a valid pixel, even where the model tells nothing of any.
            if not (run.computed_tiles or valid.count):
                raise no_valid_pixels(matched.source)
        for output in outputs:
            report.artifact(output.role, output.path)
        return summary_of(matched, run, resumed_portions=resumed)


def _write_panels(
    run: TiledRun, count: int, writer: RowWriter, resumed: int, rows: int, convert: Convert
) -> None:
    height = run.source.grid.height
    of_a_panel = -(-height // rows)
    for index, panel in enumerate(run.resources.panels):
        first_row = min(max(0, resumed - index * of_a_panel) * rows, height)
        _write_panel(blended_rows(run, panel, count, first_row=first_row), run, writer, convert)


def _write_panel(
    finished: Generator[FinishedRows, None, None],
    run: TiledRun,
    writer: RowWriter,
    convert: Convert,
) -> None:
    """Write the rows of one panel; when this returns, nothing holds its strip any more."""
    with closing(finished):
        for part in (few for rows_done in finished for few in rows_done.parts()):
            writer.append(*convert(part, run.clock))


def summary_of(matched: MatchedModel, run: TiledRun, *, resumed_portions: int) -> dict[str, Any]:
    """Return what the summary of every inference job says of raster, model and run."""
    peak = machine.peak_memory_bytes()
    resources = run.resources
    grid = matched.source.grid
    summary: dict[str, Any] = {
        "width": grid.width,
        "height": grid.height,
        "bands_read": len(matched.bands),
        "support": matched.support.to_json(),
        "model": matched.card.name,
        "model_sha256": matched.sha256,
        "provider": run.network.provider,
        "threads": resources.threads * resources.operator_threads,
        "tiles": run.computed_tiles,
        "skipped_tiles": run.skipped_tiles,
        "resumed_portions": resumed_portions,
        "unreadable_pixels": run.unreadable.pixels,
        "estimated_memory_mb": round(resources.estimate / 1e6),
        "peak_memory_mb": None if peak is None else round(peak / 1e6),
        **run.clock.summary(),
    }
    if run.unreadable.windows:
        summary["unreadable_windows"] = run.unreadable.windows[:100]
    return summary


class _ValidPixels:
    """Counts the pixels of an output that hold a value in its last band, resumed ones too.

    Args:
        output: the output; its own ``observe`` is called too.
    """

    def __init__(self, output: OutputFile) -> None:
        self.count = 0
        self._output = output

    def observe(self, portion: NDArray[Any]) -> None:
        """Count those of a portion ``(band, row, col)``."""
        band, nodata = portion[-1], self._output.raster.nodata
        missing = np.isnan(band) if nodata is None or np.isnan(nodata) else band == nodata
        self.count += int(missing.size - np.count_nonzero(missing))
        if self._output.observe is not None:
            self._output.observe(portion)


def create_writer(
    matched: MatchedModel,
    outputs: Sequence[OutputFile],
    options: InferenceOptions,
    run: TiledRun,
    rows: int,
    journal: Optional[Journal] = None,
) -> RowWriter:
    """Create the files, all or none, and return what writes them.

    Args:
        matched, options, run: as the job has them.
        rows: height of their blocks.
        journal: keeps what was written, or None.
    """
    with ExitStack() as stack:
        sinks = []
        for output in outputs:
            spec = replace(
                output.raster,
                metadata=_provenance(matched, output),
                block_rows=rows,
                layout=options.format,
            )
            sink = create_raster(output.path, spec)
            stack.callback(sink.abort)  # until all of them are there
            sinks.append(sink)
        stack.pop_all()
    windows = portions(matched.source.grid, rows, run.resources.panels)
    return RowWriter(sinks, outputs, windows, run.clock, journal=journal, keep=options.resume)


def _provenance(matched: MatchedModel, output: OutputFile) -> dict[str, str]:
    """Return dataset metadata that says how an output was made, without any folder."""
    # The overlap changes every result.
    settings = {**output.about, "overlap": matched.plan.overlap_px}
    return {
        "HYPERKD_VERSION": __version__,
        "HYPERKD_MODEL": matched.card.name,
        "HYPERKD_MODEL_SHA256": matched.sha256,
        "HYPERKD_INPUT": Path(matched.source.path).name,
        "HYPERKD_SETTINGS": json.dumps(settings, sort_keys=True),
        **problems_item(matched.source.problems, matched.source.path),
    }


def fingerprint(
    matched: MatchedModel,
    outputs: Sequence[OutputFile],
    options: InferenceOptions,
    run: TiledRun,
    rows: int,
) -> Mapping[str, Any]:
    """Return all that must be the same for rows of an earlier job to count."""
    source, resources = matched.source, run.resources
    grid = source.grid
    folded = hashlib.sha256(matched.reflectance.matrix.tobytes())
    folded.update(matched.reflectance.offset.tobytes())
    missing = source.bands.take(matched.bands).nodata
    files = [
        (each.role, each.path, each.raster.count, str(each.raster.dtype), dict(each.about))
        for each in outputs
    ]
    return {
        "input": [source.path, grid.width, grid.height, *source.stamp()],
        "nodata": [repr(float(value)) for value in missing],
        "bands": [list(matched.bands), folded.hexdigest()],
        "model": [matched.sha256, matched.output],
        "version": __version__,
        "tiles": [matched.plan.tile_px, matched.plan.overlap_px],
        "device": [matched.device, resources.batch, resources.operator_threads],
        "unreadable": options.unreadable,
        "portions": [rows, [[panel.first, panel.end] for panel in resources.panels]],
        "outputs": json.loads(json.dumps(files)),
    }


def begin_journal(journal: Journal, options: InferenceOptions, report: Reporter) -> bool:
    """Begin a journal, or return True where an older one can be continued."""
    if options.resume:
        differences = journal.differences()
        if differences == []:
            return True
        if differences is None:
            report.log("info", "There is nothing to resume; the job starts at the beginning.")
        else:
            report.log(
                "warning",
                "An earlier job cannot be resumed, because it differed in "
                f"{', '.join(differences)}; the job starts at the beginning.",
            )
    journal.begin()
    return False
