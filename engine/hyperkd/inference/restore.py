"""The job ``restore``: values that single bands lack, filled from space and spectrum."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from hyperkd import __version__
from hyperkd.inference.restoration.fill_rows import Filler, read_rows, with_neighbours
from hyperkd.inference.restoration.learned_spectra import LearnedSpectra, learn
from hyperkd.inference.restoration.missing_values import BandRoles, MissingValues
from hyperkd.inference.restoration.stripes import dead_columns, with_faulty, wrong_columns
from hyperkd.inference.restoration.survey import Survey, take_survey
from hyperkd.inference.tiling.pipeline import no_valid_pixels
from hyperkd.inference.tiling.resources import CACHE_BYTES
from hyperkd.inference.tiling.row_writer import OutputFile, RowWriter, block_rows, portions
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.open_scene import open_scene
from hyperkd.problems import problems_item
from hyperkd.raster.bands.good_bands import list_bands
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.one_nodata import one_nodata
from hyperkd.raster.open_raster import limit_block_cache
from hyperkd.raster.sink import RasterSink, RasterSpec
from hyperkd.raster.source import RasterSource
from hyperkd.requests.prepare_options import RestoreJob
from hyperkd.sentences import some
from hyperkd.types import BandTable, BoolArray, Reporter


def restore(request: RestoreJob, report: Reporter) -> dict[str, Any]:
    """Write a raster in which single missing values, bad bands and stripes are filled.

    What the scene itself teaches predicts a value from the other bands of its pixel and from
    what its neighbours differ by from their own prediction; a band that is missing everywhere
    lies on a line between its neighbours in the spectrum. Values that are there come through
    bit for bit, and pixels that lack more than a quarter of their bands stay as they are.

    Returns:
        Summary with the filled values by band and how, and the error on hidden values.

    Raises:
        HyperKDError: ``band_mismatch`` where too few bands are good, ``no_valid_pixels``,
            ``unsupported_raster`` where the bands have several nodata values of which one is a
            value of another band, and what reading and writing raise.
    """
    # A pixel of which single bands lack a value must not look as if it lacked all of them.
    limit_block_cache(CACHE_BYTES)  # every block is read once, or once in each pass
    with open_scene(request.input, request, report, missing="all") as source:
        roles = BandRoles.of(source, request.vapour)
        report.stage("Looking for missing values")
        values = MissingValues.of(source, roles)
        survey = take_survey(source, values, report, columns=request.stripes)
        if not survey.carriers:
            raise no_valid_pixels(source)
        values, scene = _learned(source, values, survey, request, report)
        report.stage("Restoring")
        filler = Filler(source.bands, values, scene, one_nodata(source, needed=source.masked))
        _write(request, source, filler, report)
    outcome = _Outcome(source.bands, survey, filler)
    for note in outcome.notes():
        report.log("info", note)
    report.artifact("output", request.output)
    if request.filled is not None:
        report.artifact("filled", request.filled)
    return outcome.summary()


def _learned(
    source: RasterSource,
    values: MissingValues,
    survey: Survey,
    request: RestoreJob,
    report: Reporter,
) -> tuple[MissingValues, LearnedSpectra]:
    """Return what is missing, stripes included where they are asked for, and what predicts it."""
    centre_nm = source.bands.wavelengths.centre_nm[values.roles.measured]
    patterns, pairs = survey.patterns, survey.pairs
    if survey.ranges is not None:
        values = with_faulty(values, dead_columns(survey.ranges))
        pairs = pairs if values.faulty is None else pairs.without(values.faulty)
        single = np.eye(len(centre_nm), dtype=bool)
        scene = learn(pairs, np.concatenate([patterns, single]), centre_nm, trim=True)
        report.stage("Looking for stripes")
        values = with_faulty(values, wrong_columns(source, values, scene, report))
        if values.faulty is not None:
            pairs = pairs.without(values.faulty)
            columns = values.faulty.T
            patterns = np.concatenate([patterns, columns[columns.any(axis=1)]])
    report.stage("Learning from the scene")
    return values, learn(pairs, patterns, centre_nm)


def _write(request: RestoreJob, source: RasterSource, filler: Filler, report: Reporter) -> None:
    outputs = _outputs(request, source, filler)
    windows = portions(source.grid, outputs[0].raster.block_rows)
    with ExitStack() as stack:
        sinks: list[RasterSink] = []
        for output in outputs:
            sinks.append(create_raster(output.path, output.raster))
            stack.callback(sinks[-1].abort)  # until all of them are there
        stack.pop_all()
    with RowWriter(sinks, outputs, windows, Stopwatch()) as writer:
        for above, rows, below in with_neighbours(read_rows(source, filler.values, report)):
            writer.append(*filler.fill(above, rows, below)[: len(outputs)])
        source.check_unchanged()


def _outputs(request: RestoreJob, source: RasterSource, filler: Filler) -> list[OutputFile]:
    """Return the files to write, of blocks of one height."""
    roles, table = filler.values.roles, source.bands
    about = {
        **source.items,
        "HYPERKD_VERSION": __version__,
        "HYPERKD_INPUT": Path(source.path).name,
        "HYPERKD_SETTINGS": json.dumps(
            {"vapour": request.vapour, "stripes": request.stripes}, sort_keys=True
        ),
        **problems_item(source.problems, source.path),
    }
    if filler.interpolated.size:
        about["HYPERKD_RESTORED_BANDS"] = f"{list_bands(filler.interpolated)} (interpolated)"
    count = len(table)
    row_bytes = source.grid.width * count * (source.dtype.itemsize + (request.filled is not None))
    rows = block_rows(row_bytes)
    spec = RasterSpec(
        *(source.grid, count, source.dtype),
        nodata=filler.nodata,
        bands=roles.restored(table),
        metadata=about,
        block_rows=rows,
    )
    outputs = [OutputFile("output", request.output, spec)]
    if request.filled is not None:
        names = [f"filled {centre:.2f} nm" for centre in table.wavelengths.centre_nm]
        marks = RasterSpec(
            *(source.grid, count, np.uint8), names=names, metadata=about, block_rows=rows
        )
        outputs.append(OutputFile("filled", request.filled, marks))
    return outputs


@dataclass(frozen=True, eq=False)
class _Outcome:
    """What was filled, and how well."""

    table: BandTable
    survey: Survey
    filler: Filler

    def summary(self) -> dict[str, Any]:
        """Return what the job tells."""
        roles, scene = self.filler.values.roles, self.filler.scene
        counts, predicted = self.filler.counts, self.filler.predicted()
        return {
            "valid_pixels": self.survey.carriers,
            "left_pixels": self.survey.lacking,
            "filled_values": int(counts.sum()),
            "predicted_values": int(counts[predicted].sum()),
            "interpolated_values": int(counts[~predicted].sum()),
            "bands": [
                {
                    "band": int(band) + 1,
                    "wavelength_nm": round(float(self.table.wavelengths.centre_nm[band]), 3),
                    "filled": int(counts[band]),
                    "how": "predicted" if predicted[band] else "interpolated",
                }
                for band in np.flatnonzero(counts)
            ],
            "restored_bands": (self.filler.interpolated + 1).tolist(),
            "left_bands": (roles.left + 1).tolist(),
            "stripes": self._stripes(),
            "hidden_values": scene.hidden,
            "error": _rounded(scene.error),
            "interpolation_error": _rounded(scene.line_error),
            "notes": self.notes(),
        }

    def notes(self) -> list[str]:
        """Return what a user should know, as sentences."""
        roles, counts = self.filler.values.roles, self.filler.counts
        predicted = self.filler.predicted() & (counts > 0)
        lined = ~predicted & (counts > 0)
        notes = [] if counts.any() else ["Nothing is missing: all values are as they were."]
        if predicted.any():
            notes.append(f"Predicted from the scene: {_listed(predicted)}.")
        if lined.any():
            notes.append(f"Interpolated along the spectrum: {_listed(lined)}.")
        scene = self.filler.scene
        if predicted.any() and scene.hidden:
            notes.append(
                "On known values that were hidden the prediction is off by "
                f"{scene.error:.2g} in reflectance, a line along the spectrum by "
                f"{scene.line_error:.2g}."
            )
        for stripe in self._stripes():
            columns = some(stripe["columns"], limit=10)
            notes.append(f"Band {stripe['band']} is wrong in the columns {columns} (from 1).")
        if self.survey.lacking:
            notes.append(
                "Left as they are, because they lack more than a quarter of their bands: "
                f"{self.survey.lacking} pixels."
            )
        others = np.setdiff1d(roles.left, roles.constant)
        if others.size:
            notes.append(
                f"Bad bands in water vapour are left as they are: {list_bands(others)}; the "
                "option vapour fills them."
            )
        if roles.constant.size:
            notes.append(
                f"Bands of one number are left as they are: {list_bands(roles.constant)}; flag "
                "them as bad (bbl = 0) to have them filled."
            )
        return notes

    def _stripes(self) -> list[dict[str, Any]]:
        """Return the columns that were found wrong, numbered from 1, by band."""
        faulty = self.filler.values.faulty
        if faulty is None:
            return []
        return [
            {
                "band": int(self.filler.values.roles.measured[place]) + 1,
                "columns": (np.flatnonzero(columns) + 1).tolist(),
            }
            for place, columns in enumerate(faulty)
            if columns.any()
        ]


def _listed(flags: BoolArray) -> str:
    return list_bands(np.flatnonzero(flags))


def _rounded(value: float) -> Optional[float]:
    return round(value, 6) if np.isfinite(value) else None
