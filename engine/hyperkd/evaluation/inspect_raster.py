"""The job ``inspect``: a report on one raster, made to be read by an analyst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hyperkd
from hyperkd.atomic import AtomicFile
from hyperkd.evaluation.reports.label_spectra import detector_runs
from hyperkd.evaluation.reports.line_plot import Line, line_plot
from hyperkd.evaluation.reports.page_parts import box, details, document, paragraph, table
from hyperkd.evaluation.reports.raster_facts import describe_raster, description_lines
from hyperkd.models.bundle import open_bundle
from hyperkd.models.store.registry import resolve
from hyperkd.open_scene import look_at_scene
from hyperkd.problems import Problem
from hyperkd.raster.source import RasterSource
from hyperkd.requests.prepare_options import AlignJob, InspectJob
from hyperkd.sentences import counted
from hyperkd.spectral.band_overview import Inspection, inspect_bands
from hyperkd.types import BandTable, Reporter, Window

# Spectra come from 5 x 5 windows spread over the scene: enough for percentiles
# that a second sample repeats to about 0.01, and quick on any block layout.
_WINDOWS_PER_AXIS = 5
_WINDOW_PX = 32
_PERCENTILES = (5, 50, 95)


def inspect(request: InspectJob, report: Reporter) -> dict[str, Any]:
    """Write an HTML report about a raster: facts, spectra, and what a student gets from it.

    A raster that does not suit the student is described all the same, with the reason.

    Returns:
        Summary with ``suits`` (bool) and the number of good bands.

    Raises:
        HyperKDError: what opening the raster and the model raise, and
            ``unwritable_output``.
    """
    report.stage("Reading the raster")
    with look_at_scene(request.input, request) as source:
        # Told, however severe: here the user comes to see them.
        for problem in source.problems:
            report.problem(problem, Path(request.input).name)
        card = open_bundle(resolve(request.model)).card
        facts = describe_raster(source, report)
        inspection = inspect_bands(
            source.bands, card.bands, mode=AlignJob.mode, max_extrapolated=card.may_lack
        )
        report.stage("Sampling spectra")
        spectra = _sample(source, report)
        rows = [line.split(": ", 1) for line in description_lines(facts)]
        content = document(
            f"Inspection of {Path(request.input).name}",
            f"{counted(facts['bands'], 'band')}, {facts['width']} x {facts['height']} pixels. "
            + _verdict(inspection, card.name),
            [
                ("The raster", table(("", ""), rows, texts=(1,))),
                *_problems(source.problems),
                ("Spectra", _spectra(source.bands, spectra)),
                (f"Input of the model {card.name}", _student_input(inspection)),
                ("Input of the teacher Prithvi", _teacher_input(inspection)),
            ],
            f"HyperKD {hyperkd.__version__}.",
        )
        # While the raster is open, none of its files can be taken for the report.
        with AtomicFile(request.output) as part:
            Path(part.temporary).write_text(content, encoding="utf-8")
    report.artifact("output", request.output)
    return {
        "suits": not inspection.refusal,
        "good_bands": int(source.bands.good.sum()),
        "used_bands": len(inspection.used),
    }


def _problems(problems: Sequence[Problem]) -> list[tuple[str, str]]:
    """Return the section of the page, where there is a problem."""
    if not problems:
        return []
    return [("Problems", box(*(each.advice for each in problems), warning=True))]


def _verdict(bands: Inspection, student: str) -> str:
    if bands.refusal:
        return f"The student {student} cannot use it: {bands.refusal}"
    return f"The student {student} can use it."


def _windows(source: RasterSource) -> Iterator[Window]:
    """Yield windows spread evenly over the raster."""
    grid = source.grid
    width, height = min(_WINDOW_PX, grid.width), min(_WINDOW_PX, grid.height)
    rows = np.unique(np.linspace(0, grid.height - height, _WINDOWS_PER_AXIS).astype(int))
    cols = np.unique(np.linspace(0, grid.width - width, _WINDOWS_PER_AXIS).astype(int))
    for row in rows.tolist():
        for col in cols.tolist():
            yield Window(col, row, width, height)


def _sample(source: RasterSource, report: Reporter) -> NDArray[np.float64]:
    """Return reflectance of valid sampled pixels, ``(pixels, bands)``, NaN for bad bands."""
    table = source.bands
    samples = []
    windows = list(_windows(source))
    for index, window in enumerate(windows, 1):
        report.check_cancelled()
        tile = source.read_tile(window)
        stored = tile.data[:, tile.valid].T.astype(np.float64)
        samples.append(stored * table.scale + table.offset)
        report.progress(index, len(windows), "windows")
    reflectance: NDArray[np.float64] = np.concatenate(samples)
    reflectance[:, ~table.good] = np.nan
    return reflectance


def _spectra(bands: BandTable, spectra: NDArray[np.float64]) -> str:
    if not spectra.size:
        return box("No sampled pixel is valid.", warning=True)
    # One detector after the other, so that curves run through where they overlap.
    runs = detector_runs(bands)
    order = np.lexsort((bands.wavelengths.centre_nm, runs))
    order = order[bands.good[order]]
    low, middle, high = np.percentile(spectra[:, order], _PERCENTILES, axis=0)
    mean = spectra[:, order].mean(axis=0)
    centre = bands.wavelengths.centre_nm[order]
    plot = line_plot(
        [
            Line("mean", centre, mean, "#0b7a75", runs[order]),
            Line("median", centre, middle, "#3d6fb6", runs[order]),
            Line("5th percentile", centre, low, "#b08d57", runs[order]),
            Line("95th percentile", centre, high, "#c2185b", runs[order]),
        ],
        "wavelength (nm)",
        "reflectance",
    )
    rows = [
        [f"{band + 1}", *(f"{curve[i]:.6g}" for curve in (centre, mean, low, high))]
        for i, band in sorted(enumerate(order), key=lambda item: int(item[1]))
    ]
    head = ("band", "centre (nm)", "mean", "5th percentile", "95th percentile")
    source = (
        f"From {len(spectra)} valid pixels in windows spread over the scene; "
        f"{int((~bands.good).sum())} bad bands are left out."
    )
    return plot + paragraph(source) + details("The numbers", table(head, rows))


def _student_input(bands: Inspection) -> str:
    support = bands.support
    counts = ", ".join(
        f"{support.count(how)} {how}"
        for how in ("matched", "interpolated", "averaged", "extrapolated")
        if support.count(how)
    )
    largest = f" Largest distance to a band: {support.largest_gap_nm:.1f} nm."
    intro = f"Of its {len(bands.rows)} bands: {counts}." + (
        largest if support.count("extrapolated") else ""
    )
    head = ("model band", "centre (nm)", "file band", "centre (nm)", "difference (nm)", "how")
    rows = [
        [
            f"{row.model_band}",
            f"{row.model_nm:.6g}",
            f"{row.file_band}",
            f"{row.file_nm:.6g}",
            f"{row.difference_nm:+.2f}",
            row.how,
        ]
        for row in bands.rows
    ]
    warnings = [*([bands.refusal] * bool(bands.refusal)), *support.notes]
    used = f"Bands of the file that are used: {len(bands.used)}"
    return (
        box(*warnings, warning=True)
        + paragraph(intro)
        + details(used, table(head, rows, texts=(5,)))
    )


def _teacher_input(bands: Inspection) -> str:
    if bands.teacher_refusal:
        return box(bands.teacher_refusal, warning=True)
    head = ("HLS band", "range (nm)", "made from file bands", "mean centre (nm)")
    rows = [
        [
            band.name,
            f"{band.first_nm:g} to {band.last_nm:g}",
            ", ".join(str(number) for number in band.file_bands),
            f"{band.centre_nm:.6g}",
        ]
        for band in bands.teacher
    ]
    return table(head, rows, texts=(1, 2)) + box(*bands.teacher_notes, warning=True)
