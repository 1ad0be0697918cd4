"""Whether fine-tuned students reach what they were meant to, from the measured lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Optional

from finetune_methods import SCRATCH, STUDENT

Lines = Sequence[Mapping[str, Any]]

# Key and name of a figure, and whether large is good.
Figure = tuple[str, str, bool]
CLASSES: Final[tuple[Figure, ...]] = (("oa", "OA", True), ("macro_f1", "macro F1", True))
VALUES: Final[tuple[Figure, ...]] = (("r2", "R²", True), ("rmse", "RMSE", False))
TRAITS: Final[tuple[Figure, ...]] = (
    ("r2_0", "R² leaf area", True),
    ("r2_1", "R² chlorophyll", True),
)
BEST: Final = "above the best classical model"
# Tasks of few, more and many labels, and the figures that they are compared by.
SIZES: Final[Mapping[str, tuple[tuple[str, ...], tuple[Figure, ...]]]] = {
    "Simulated cover": (("cover_5", "cover_20", "cover_100"), CLASSES),
    "Simulated traits": (("traits_25", "traits_100", "traits_500"), TRAITS),
}
MOSAIC_S: Final = 180


def targets(lines: Lines, mosaic: Optional[Mapping[str, Any]]) -> str:
    """Return a table of the targets: what was measured, and whether that meets them.

    A target on a figure is met where the mean lead over the seeds is on the right side; the
    interval over the seeds beside it says how sure that is.
    """
    rows = [
        _against_the_best(lines, "potsdam_6", "Potsdam, 6 classes", CLASSES),
        _against_the_best(lines, "potsdam_5", "Potsdam, 5 classes", CLASSES),
        _against_the_best(lines, "vegetation", "Potsdam, vegetation fraction", VALUES),
    ]
    for name, (tasks, figures) in SIZES.items():
        for task in tasks:
            title = f"{name}, {task.rpartition('_')[2]} labels"
            rows.append(_against_the_best(lines, task, title, figures))
        rows.append(_most_where_few(lines, tasks, name, figures, SCRATCH))
        rows.append(_most_where_few(lines, tasks, name, figures, None))
    rows.append(_mosaic(mosaic))
    head = "| target | measured | met |\n|---|---|---|\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def best_classical(lines: Lines, task: str, figure: Figure) -> Optional[Mapping[str, Any]]:
    """Return the line of the classical model that is best by a figure, if there is one."""
    key, _, large = figure
    found = [
        line
        for line in lines
        if line["task"] == task and line["method"] not in (STUDENT, SCRATCH) and _has(line, key)
    ]
    return (max if large else min)(found, key=lambda line: line[key]) if found else None


def _has(line: Mapping[str, Any], key: str) -> bool:
    return key in line and f"lead_{key}" in line


def _against_the_best(
    lines: Lines, task: str, title: str, figures: Sequence[Figure]
) -> tuple[str, str, str]:
    told, met = [], []
    for figure in figures:
        key, name, large = figure
        line = best_classical(lines, task, figure)
        if line is None:
            return f"{title}: {BEST}", "not measured", "–"
        lead = line[f"lead_{key}"]
        met.append((lead["mean"] > 0) == large)
        told.append(f"{name} {_signed(lead)} against {line['method']}")
    return f"{title}: {BEST}", "; ".join(told), _verdict(met)


def _most_where_few(
    lines: Lines,
    tasks: Sequence[str],
    title: str,
    figures: Sequence[Figure],
    method: Optional[str],
) -> tuple[str, str, str]:
    """Compare the leads over a method, None for the best classical one, from few labels on."""
    against = "the best classical model" if method is None else "training from scratch"
    what = f"{title}: lead over {against}, above 0 and largest with the fewest labels"
    told, met = [], []
    for figure in figures:
        key, name, _ = figure
        found = [_lead_over(lines, task, figure, method) for task in tasks]
        leads = [lead for lead in found if lead is not None]
        if len(leads) < len(tasks):
            return what, "not measured", "–"
        met.append(leads[0] > 0 and leads[0] == max(leads))
        told.append(f"{name} {', '.join(f'{lead:+.3f}' for lead in leads)}")
    return what, "; ".join(told), _verdict(met)


def _lead_over(lines: Lines, task: str, figure: Figure, method: Optional[str]) -> Optional[float]:
    if method is None:
        line = best_classical(lines, task, figure)
    else:
        own = (line for line in lines if line["task"] == task and line["method"] == method)
        line = next(own, None)
    if line is None or not _has(line, figure[0]):
        return None
    return float(line[f"lead_{figure[0]}"]["mean"])


def _mosaic(found: Optional[Mapping[str, Any]]) -> tuple[str, str, str]:
    what = f"`hyperkd finetune` on the mosaic of Potsdam: at most {MOSAIC_S} s on two cores"
    if found is None:
        return what, "not measured", "–"
    told = (
        f"{found['seconds']:.0f} s on {found['cores']} cores ({found['cpu_seconds']:.0f} s of "
        f"processor time; load before: {found['load_before']:.1f}), defaults, report included"
    )
    return what, told, _verdict([found["seconds"] <= MOSAIC_S])


def _signed(lead: Mapping[str, Any]) -> str:
    shown = f"{lead['mean']:+.3f}"
    if lead["over_seeds"] is not None:
        low, high = lead["over_seeds"]
        shown += f" [{low:+.3f}, {high:+.3f}]"
    return shown


def _verdict(met: Sequence[bool]) -> str:
    if all(met):
        return "met"
    return "in part" if any(met) else "not met"
