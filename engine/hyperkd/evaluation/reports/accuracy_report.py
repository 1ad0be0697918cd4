"""The accuracy report: one HTML page without scripts, and the same numbers as JSON.

The page is made from the JSON document alone, so the two cannot disagree.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import NDArray

import hyperkd
from hyperkd.atomic import AtomicFile
from hyperkd.evaluation.reports import class_report, value_report
from hyperkd.evaluation.reports.label_spectra import MeanSpectra
from hyperkd.evaluation.reports.line_plot import Line, line_plot
from hyperkd.evaluation.reports.page_parts import (
    MISSING,
    box,
    details,
    document,
    figure_of,
    paragraph,
    plain,
    table,
)
from hyperkd.evaluation.scores.class_accuracy import ClassificationAssessment
from hyperkd.evaluation.scores.map_area import AreaEstimate
from hyperkd.evaluation.scores.paired_comparison import Comparison
from hyperkd.evaluation.scores.regression_error import RegressionAssessment
from hyperkd.output_checks import make_folder, require_writable
from hyperkd.types import FloatArray, Reporter

PAGE, METRICS = "report.html", "report.json"
SCHEMA = 1

OPTIMISTIC = (
    "These scores are optimistic: test pixels lie beside training pixels, or were among them. "
    "Elsewhere the map will be less accurate."
)
_OF_YOURS = "Give a folder whose parent exists and is yours to write."
_PARTS = ("train", "validation", "test")
# Colours that people with colour vision deficiencies tell apart (Okabe and Ito 2008).
_SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
# With more curves than this the shaded bands only hide each other.
_SHADED = 5
# Where water vapour leaves no light, reflectance is noise of any size and hides the rest.
_VAPOUR_NM = ((1350.0, 1450.0), (1800.0, 1960.0))
# A gap of so many usual steps between two bands is one of the spectrum, not of the curve.
_GAP_STEPS = 6


def report_contents(
    assessment: Union[ClassificationAssessment, RegressionAssessment],
    *,
    title: str,
    about: Mapping[str, str],
    protocol: str,
    optimistic: bool = False,
    comparisons: Sequence[Comparison] = (),
    split: Optional[Mapping[str, Any]] = None,
    history: Sequence[Mapping[str, float]] = (),
    spectra: Optional[MeanSpectra] = None,
    areas: Optional[AreaEstimate] = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the accuracy report as a JSON document.

    Args:
        about: facts about model and data, by label, in the order to show.
        protocol: one or two sentences on how the tested pixels were chosen.
        optimistic: whether the metrics are known to be too good; a warning stands on top.
        comparisons: with classical models; of a regression one for each target.
        split: ``Split.summary()``.
        history: one row per epoch with the key ``epoch``; a series ``validation_x`` is
            drawn dashed in the colour of ``x``.
        spectra: of the labelled pixels.
        areas: estimates for the whole map.
        notes: what else the reader must know.
    """
    return {
        "schema": SCHEMA,
        "title": title,
        "created": datetime.date.today().isoformat(),
        "hyperkd": hyperkd.__version__,
        "about": dict(about),
        "protocol": protocol,
        "optimistic": optimistic,
        "assessment": assessment.to_json(),
        "comparisons": [item.to_json() for item in comparisons],
        "areas": None if areas is None else areas.to_json(),
        "split": None if split is None else dict(split),
        "history": [dict(row) for row in history],
        "spectra": None if spectra is None else spectra.to_json(),
        "notes": [*notes, *assessment.notes],
    }


@contextmanager
def report_files(folder: str, contents: Mapping[str, Any]) -> Iterator[dict[str, Path]]:
    """Write ``report.html`` and ``report.json``, which get their names at the end of the block.

    Args:
        folder: made where only it is missing, not its parents.
        contents: see ``report_contents``.

    Yields:
        The paths of both by their roles as artifacts.

    Raises:
        HyperKDError: ``unwritable_output`` or ``out_of_disk``.
    """
    # Through JSON and back: the page sees what a reader of the file sees.
    text = json.dumps(contents, ensure_ascii=False, allow_nan=False, indent=1)
    target = Path(folder)
    make_folder(target, _OF_YOURS, parents=False)
    page, metrics = target / PAGE, target / METRICS
    with AtomicFile(metrics) as json_part, AtomicFile(page) as page_part:
        Path(json_part.temporary).write_text(text + "\n", encoding="utf-8")
        Path(page_part.temporary).write_text(render(json.loads(text)), encoding="utf-8")
        yield {"report": page, "figures": metrics}


def write_report(folder: str, contents: Mapping[str, Any], report: Reporter) -> Path:
    """Write a report (see ``report_files``) and return the path of its page."""
    with report_files(folder, contents) as files:
        pass
    for role, path in files.items():
        report.artifact(role, str(path))
    return files["report"]


def require_writable_report(folder: str) -> None:
    """Refuse before any work a folder that could not take the report at its end.

    Raises:
        HyperKDError: as ``require_writable``.
    """
    target = Path(folder)
    for path in (target / PAGE, target / METRICS) if target.exists() else (target,):
        require_writable(str(path))


def render(contents: Mapping[str, Any]) -> str:
    """Return the page of a report's JSON document."""
    by_class = contents["assessment"]["task"] == "classification"
    words: Any = class_report if by_class else value_report
    sections = [("", words.key_metrics(contents) + _warnings(contents))]
    if contents["comparisons"]:
        sections.append(("Comparison with classical models", words.comparison(contents)))
    if by_class:
        sections.append(("Confusion matrix", class_report.confusion(contents)))
        sections.append(("Classes", class_report.classes(contents)))
        if contents["areas"]:
            sections.append(("Areas", class_report.areas(contents)))
        sections.append(("Probabilities", class_report.calibration(contents)))
    else:
        sections.append(("Predicted against observed", value_report.targets(contents)))
    if contents["history"]:
        sections.append(("Training", _history(contents["history"])))
    if contents["spectra"]:
        sections.append(("Spectra", _spectra(contents["spectra"])))
    if contents["split"]:
        sections.append(("Split", _split(contents["split"])))
    sections.append(("How this was measured", _protocol(contents)))
    foot = (
        f"HyperKD {contents['hyperkd']}, {contents['created']}. The numbers of this page are in "
        f"{METRICS} beside it."
    )
    return document(contents["title"], words.lead(contents), sections, foot)


def _warnings(contents: Mapping[str, Any]) -> str:
    warned = box(OPTIMISTIC, warning=True) if contents["optimistic"] else ""
    return warned + box(*contents["notes"])


def _protocol(contents: Mapping[str, Any]) -> str:
    assessment = contents["assessment"]
    intervals = assessment["intervals"]
    by_class = assessment["task"] == "classification"
    told = [
        paragraph(contents["protocol"]),
        paragraph(
            f"{assessment['pixels']:,} pixels in {assessment['groups']:,} groups (polygons, "
            "points, patches or blocks). Pixels of one group resemble each other, so the 95 % "
            f"intervals come from {intervals['replicates']:,} resamples of whole groups "
            f"(percentiles, seed {intervals['seed']}); below five groups there is none. An "
            "interval of width 0 says that no group was wrong, not that none can be."
        ),
    ]
    if by_class:
        told.append(
            paragraph(
                "Macro averages are plain means over the classes that the reference holds; "
                "weighted averages weigh by reference pixels. Micro IoU pools all classes and "
                "equals OA / (2 − OA): it is not the mean IoU of classes. "
                f"{MISSING} stands for what is not defined."
            )
        )
    facts = [[name, value] for name, value in contents["about"].items()]
    return "".join(told) + table(("what was assessed", ""), facts, texts=(1,))


def _split(split: Mapping[str, Any]) -> str:
    parts = [name for name in _PARTS if split.get(name)]
    rows = [["pixels", *(f"{split[name]['pixels']:,}" for name in parts)]]
    rows.append(["groups", *(f"{split[name]['groups']:,}" for name in parts)])
    for name in split[parts[0]].get("classes", {}) if parts else ():
        rows.append([name, *(f"{split[part]['classes'].get(name, 0):,}" for part in parts)])
    block = split.get("block_px")
    how = f"Kept together: {split['method']}" + (f" of {block} px" if block else "")
    how += f"; buffer between the parts {split['buffer_px']} px; seed {split['seed']}."
    left = split.get("left_out", {}).get("pixels", 0)
    if left:
        how += f" Within the buffer {left:,} pixels were left out."
    told = [paragraph(text) for text in split.get("notes", ())]
    return paragraph(how) + table(("pixels by class", *parts), rows) + "".join(told)


def _history(history: Sequence[Mapping[str, float]]) -> str:
    names = list(dict.fromkeys(name for row in history for name in row if name != "epoch"))
    losses = [name for name in names if "loss" in name]
    parts = []
    for label, chosen in (("loss", losses), ("score", [n for n in names if n not in losses])):
        if chosen:
            lines = [_series(history, name, chosen) for name in chosen]
            legend = [
                (line.colour, line.name + (" (dashed)" if line.dashed else "")) for line in lines
            ]
            parts.append(figure_of(line_plot(lines, "epoch", label, legend=False), "", legend))
    rows = [
        [f"{row.get('epoch', number):g}", *(plain(row.get(name)) for name in names)]
        for number, row in enumerate(history)
    ]
    shown = table(("epoch", *(name.replace("_", " ") for name in names)), rows)
    return "".join(parts) + details("The numbers", shown)


def _series(history: Sequence[Mapping[str, float]], name: str, chosen: Sequence[str]) -> Line:
    stem = name.replace("validation_", "")
    stems = list(dict.fromkeys(other.replace("validation_", "") for other in chosen))
    known = [
        (row.get("epoch", i), row[name])
        for i, row in enumerate(history)
        if row.get(name) is not None
    ]
    x, y = np.array(known, np.float64).reshape(-1, 2).T
    return Line(
        name.replace("_", " "),
        x,
        y,
        _SERIES[stems.index(stem) % len(_SERIES)],
        np.zeros(len(x), np.int64),
        dashed=stem != name,
    )


def _spectra(spectra: Mapping[str, Any]) -> str:
    kinds = spectra["kinds"]
    every = np.array(spectra["centre_nm"], np.float64)
    clear = np.ones(len(every), np.bool_)
    for low, high in _VAPOUR_NM:
        clear &= (every < low) | (every > high)
    centre = every[clear]
    run = _unbroken(centre, np.array(spectra["run"], np.int64)[clear])
    shaded = len(kinds) <= _SHADED

    def curve(values: Sequence[Optional[float]]) -> FloatArray:
        return np.array(values, np.float64)[clear]

    lines = [
        Line(
            kind["name"],
            centre,
            curve(kind["mean"]),
            kind["color"],
            run,
            curve(kind["p10"]) if shaded else None,
            curve(kind["p90"]) if shaded else None,
        )
        for kind in kinds
    ]
    caption = "Mean reflectance of the labelled pixels" + (
        "; the shaded bands hold the middle 80 % of them." if shaded else "."
    )
    if not clear.all():
        caption += f" {int((~clear).sum())} bands in water vapour absorption are not drawn."
    legend = [(kind["color"], f"{kind['name']} ({kind['pixels']:,} px)") for kind in kinds]
    return figure_of(
        line_plot(lines, "wavelength (nm)", "reflectance", legend=False), caption, legend
    )


def _unbroken(centre_nm: FloatArray, run: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the runs, broken again where bands are missing within one."""
    step = np.diff(centre_nm)
    inside = step[(np.diff(run) == 0) & (step > 0)]
    usual = float(np.median(inside)) if inside.size else np.inf
    breaks = (np.diff(run) != 0) | (step > _GAP_STEPS * usual)
    return np.append(0, np.cumsum(breaks))
