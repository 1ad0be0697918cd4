"""What the jobs that run a network over a scene have in common: from the plan to the files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.inference.prepared import OpeningNetwork, ReadyModel
from hyperkd.inference.tiling import machine
from hyperkd.inference.tiling.block_reader import Unreadable
from hyperkd.inference.tiling.journal import Journal
from hyperkd.inference.tiling.pipeline import FinishedRows, Run, no_valid_pixels, run_tiled
from hyperkd.inference.tiling.row_writer import Output, RowWriter, block_rows, portions
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.sink import RasterSink, RasterSpec
from hyperkd.requests.shared_options import InferenceOptions
from hyperkd.types import Reporter


@dataclass(frozen=True, eq=False)
class OutputSpec:
    """One of the files that a job writes.

    Attributes:
        role: the job's field that asked for it.
        path: the file.
        count, dtype: bands and stored dtype.
        nodata: of every band.
        about: settings that changed this output, for its metadata.
        options: more arguments of ``create_raster``.
        observe: see ``writer.Output``.
    """

    role: str
    path: str
    count: int
    dtype: Any
    nodata: float
    about: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    observe: Optional[Callable[[NDArray[Any]], None]] = None


def run_tiled_job(
    ready: ReadyModel,
    specs: Sequence[OutputSpec],
    convert: Callable[[FinishedRows, Run], Sequence[NDArray[Any]]],
    settings: InferenceOptions,
    report: Reporter,
    *,
    stage: str,
) -> dict[str, Any]:
    """Compute a whole scene and write it.

    Args:
        ready: the raster and the model.
        specs: the files to write.
        convert: makes the stored values of each file from finished rows.
        settings: how to run.
        report: where progress goes.
        stage: what to call it.

    Returns:
        The summary of the run.

    Raises:
        HyperKDError: ``no_valid_pixels``, and what planning, reading, computing and
            writing raise. No output is left then.
    """
    row_bytes = sum(spec.count * np.dtype(spec.dtype).itemsize for spec in specs)
    row_bytes *= ready.source.grid.width
    rows = block_rows(row_bytes)
    run = plan_run(ready, settings, report, kept=ready.count, row_bytes=row_bytes, block_rows=rows)
    report.stage(stage)
    about = fingerprint(ready, specs, settings, run, rows)
    journal = Journal(specs[0].path, about, run.unreadable, keep=settings.resume)
    valid = _ValidPixels(specs[0])
    specs = [replace(specs[0], observe=valid.observe), *specs[1:]]
    with create_writer(ready, specs, settings, run, rows, journal) as writer:
        resumed = 0
        if begin_journal(journal, settings, report):
            resumed = writer.resume()
            report.log("info", f"Resumed: {resumed} rows of blocks were finished before.")
        _write(ready, run, writer, resumed, rows, convert)
        writer.wait()
        ready.source.check_unchanged()
        if not valid.count:
            raise no_valid_pixels(ready.source)
    for spec in specs:
        report.artifact(spec.role, spec.path)
    return {**ready.summary(), **run_summary(run, resumed_portions=resumed)}


def plan_run(
    ready: ReadyModel,
    settings: InferenceOptions,
    report: Reporter,
    *,
    kept: int,
    row_bytes: int,
    block_rows: int,
    fixed: int = 0,
) -> Run:
    """Plan threads and memory, and begin to open the network; see ``ReadyModel.resources``."""
    resources = ready.resources(
        kept=kept,
        row_bytes=row_bytes,
        block_rows=block_rows,
        batch=settings.batch,
        budget_mb=settings.memory_mb,
        report=report,
        fixed=fixed,
    )
    return Run(
        OpeningNetwork(ready, resources, report),
        resources,
        report,
        total=sum(panel.count for panel in resources.panels),
        unreadable=Unreadable(settings.unreadable == "nodata"),
    )


def run_summary(run: Run, *, resumed_portions: int = 0) -> dict[str, Any]:
    """Return what every inference job tells at its end of how it ran."""
    peak = machine.peak_memory_bytes()
    resources = run.resources
    summary: dict[str, Any] = {
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
    """Counts the pixels of an output that hold a value; one band tells.

    Args:
        spec: the output; what it observes itself is called too.
    """

    def __init__(self, spec: OutputSpec) -> None:
        self.count = 0
        self._spec = spec

    def observe(self, portion: NDArray[Any]) -> None:
        """Count those of a portion ``(band, row, col)``."""
        band, nodata = portion[-1], self._spec.nodata
        missing = np.isnan(band) if np.isnan(nodata) else band == nodata
        self.count += int(missing.size - np.count_nonzero(missing))
        if self._spec.observe is not None:
            self._spec.observe(portion)


def create_writer(
    ready: ReadyModel,
    specs: Sequence[OutputSpec],
    settings: InferenceOptions,
    run: Run,
    rows: int,
    journal: Optional[Journal] = None,
) -> RowWriter:
    """Create the files, all or none, and return what writes them.

    Args:
        ready, settings, run: as the job has them.
        specs: the files.
        rows: height of their blocks.
        journal: keeps what was written, or None.
    """
    with ExitStack() as stack:
        outputs = []
        for spec in specs:
            sink = _create(ready, spec, settings, rows)
            stack.callback(sink.abort)  # until all of them are there
            outputs.append(Output(sink, spec.count, spec.dtype, spec.observe))
        stack.pop_all()
    windows = portions(ready.source.grid, rows, run.resources.panels)
    return RowWriter(outputs, windows, run.clock, journal=journal, keep=settings.resume)


def _create(
    ready: ReadyModel, spec: OutputSpec, settings: InferenceOptions, rows: int
) -> RasterSink:
    return create_raster(
        spec.path,
        RasterSpec(
            ready.source.grid,
            spec.count,
            spec.dtype,
            nodata=spec.nodata,
            metadata=ready.provenance(**spec.about),
            block_rows=rows,
            layout=settings.format,
            **spec.options,
        ),
    )


def fingerprint(
    ready: ReadyModel, specs: Sequence[OutputSpec], settings: InferenceOptions, run: Run, rows: int
) -> dict[str, Any]:
    """Return all that must be the same for rows of an earlier job to count."""
    source, resources = ready.source, run.resources
    grid = source.grid
    folded = hashlib.sha256(ready.reflectance.matrix.tobytes())
    folded.update(ready.reflectance.offset.tobytes())
    missing = source.bands.take(ready.bands).nodata
    outputs = [
        (spec.role, spec.path, spec.count, str(np.dtype(spec.dtype)), dict(spec.about))
        for spec in specs
    ]
    return {
        "input": [source.path, grid.width, grid.height, *source.stamp()],
        "nodata": [repr(float(value)) for value in missing],
        "bands": [list(ready.bands), folded.hexdigest()],
        "model": [ready.sha256, ready.output],
        "version": ready.provenance()["HYPERKD_VERSION"],
        "tiles": [ready.plan.tile_px, ready.plan.overlap_px],
        "device": [ready.device, resources.batch, resources.operator_threads],
        "unreadable": settings.unreadable,
        "portions": [rows, [[panel.first, panel.end] for panel in resources.panels]],
        "outputs": json.loads(json.dumps(outputs)),
    }


def begin_journal(journal: Journal, settings: InferenceOptions, report: Reporter) -> bool:
    """Begin a journal, or return True where an older one can be gone on with."""
    if settings.resume:
        others = journal.differences()
        if others == []:
            return True
        if others is None:
            report.log("info", "There is nothing to resume; the job starts at the beginning.")
        else:
            report.log(
                "warning",
                f"An earlier job cannot be resumed, for it differed in {', '.join(others)}; "
                "the job starts at the beginning.",
            )
    journal.begin()
    return False


def _write(
    ready: ReadyModel,
    run: Run,
    writer: RowWriter,
    resumed: int,
    rows: int,
    convert: Callable[[FinishedRows, Run], Sequence[NDArray[Any]]],
) -> None:
    panels = run.resources.panels
    portions = -(-ready.source.grid.height // rows)  # of a panel
    for index, panel in enumerate(panels):
        first_row = min(max(0, resumed - index * portions) * rows, ready.source.grid.height)
        finished = run_tiled(
            run, ready.source, ready.bands, panel, ready.count, first_row=first_row
        )
        with closing(finished):
            for part in (few for rows_done in finished for few in rows_done.parts()):
                writer.append(*convert(part, run))
