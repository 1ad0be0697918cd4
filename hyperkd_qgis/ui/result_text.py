"""How good a fine-tuned model is, in words and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Optional

from qgis.PyQt.QtGui import QColor, QPalette

from ..engine_notes import translated
from ..messages import problems, tr
from ..metric_text import (
    figure_name,
    interval_of,
    method_name,
    number,
    percent,
    trained_name,
    with_interval,
)

# The figures by which a classical model is the best one, as in the report.
_JUDGED = ("overall_accuracy", "macro_f1")
# A larger matrix is read in the report.
_MOST_CLASSES = 12
_RIGHT, _WRONG = QColor(42, 127, 98), QColor(181, 101, 29)
# Of the colour at most; the text stays readable on light and dark.
_STRONGEST = 0.55

Figures = Mapping[str, Any]


def result_html(summary: Figures, figures: Figures, palette: Optional[QPalette] = None) -> str:
    """Return a fine-tuning's result as a page.

    Args:
        figures: what ``report.json`` holds; empty without a report.
        palette: of the page.
    """
    colours = palette or QPalette()
    notes = [*problems(summary), *(translated(str(note)) for note in summary.get("notes", ()))]
    if summary.get("optimistic"):
        notes.insert(0, tr("Single pixels were held out: these scores are too high."))
    parts = [
        f"<h3>{escape(str(summary.get('model', '')))}</h3>",
        _paragraph(f"<b>{escape(verdict(figures))}</b>" if figures else ""),
        _paragraph(escape(weakest_text(figures))),
        "".join(f"<p>⚠ {escape(note)}</p>" for note in notes),
        _classes(figures),
        _confusion(figures, colours),
        _overall(figures),
        _facts(summary),
    ]
    if figures:
        said = tr("In brackets: 95 % confidence interval.")
        parts.append(f"<p><small>{escape(said)}</small></p>")
    return "".join(parts)


def verdict(figures: Figures) -> str:
    """Return the result in one sentence."""
    assessment = figures.get("assessment") or {}
    parts = _target_parts(assessment) if assessment.get("targets") else _class_parts(assessment)
    parts.append(_rival_part(figures.get("comparisons") or ()))
    text = "; ".join(part for part in parts if part)
    return text[:1].upper() + text[1:] + "." if text else ""


def _class_parts(assessment: Figures) -> list[str]:
    overall = (assessment.get("overall") or {}).get("overall_accuracy")
    if not overall:
        return []
    told = tr("{share} of {pixels} test pixels are correct").format(
        share=percent(overall["value"]), pixels=assessment.get("pixels", "")
    )
    ends = interval_of(overall)
    if ends is not None:
        between = tr("between {low} and {high}").format(low=percent(ends[0]), high=percent(ends[1]))
        told = f"{told} ({between})"
    weak = weakest(assessment)
    if weak is None:
        return [told]
    said = tr("the weakest class is {name} (F1 {f1})")
    return [told, said.format(name=weak["name"], f1=number(weak["f1"]["value"], 2))]


def _target_parts(assessment: Figures) -> list[str]:
    return [
        tr("{name}: R² {r2}, mean error (RMSE) {rmse}").format(
            name=target["name"],
            r2=number(target["r2"]["value"], 2),
            rmse=f"{number(target['rmse']['value'])} {target.get('unit', '')}".rstrip(),
        )
        for target in assessment["targets"][:3]
    ]


def _rival_part(comparisons: Sequence[Figures]) -> str:
    """Return how the best classical model compares; nothing where targets may disagree."""
    if len(comparisons) != 1:
        return ""
    methods = comparisons[0].get("methods") or ()
    keys = _JUDGED if all(key in row for row in methods for key in _JUDGED) else ("rmse",)
    best = best_classical(methods, keys)
    if best is None:
        return ""
    key, sign = keys[-1], 1 if keys is _JUDGED else -1
    apart = best.get("model_minus_method") or {}
    ends = [interval_of(apart.get(each) or {}) for each in keys]
    told = {
        "method": method_name(str(best["name"])),
        "figure": figure_name(key),
        "theirs": number(best[key]["value"], 2),
        "ours": number(methods[0][key]["value"], 2),
    }
    if None in ends:
        return tr(
            "the labels are from too few places to tell whether {method} is better ({figure} "
            "{theirs} against {ours})"
        ).format(**told)
    signs = [sign * ((end[0] > 0) - (end[1] < 0)) for end in ends if end is not None]
    if min(signs) < 0 and max(signs) <= 0:
        return tr(
            "{method} is better ({figure} {theirs} against {ours}): use it for the map"
        ).format(**told)
    if max(signs) > 0 and min(signs) >= 0:
        return tr("it beats {method}, the best classical model").format(**told)
    return tr(
        "{method}, the best classical model, is neither clearly better nor worse ({figure} "
        "{theirs} against {ours})"
    ).format(**told)


def best_classical(methods: Sequence[Figures], keys: Sequence[str] = _JUDGED) -> Optional[Figures]:
    """Return the classical model with the best mean of some figures, or None."""
    rivals = [row for row in methods[1:] if all(_value(row, key) is not None for key in keys)]
    if not rivals:
        return None
    if "rmse" in keys:
        return min(rivals, key=lambda row: row["rmse"]["value"])
    return max(rivals, key=lambda row: sum(row[key]["value"] for key in keys))


def weakest(assessment: Figures) -> Optional[Figures]:
    """Return the class with the smallest F1 of those that were tested, or None."""
    tested = [
        row
        for row in assessment.get("classes") or ()
        if row.get("reference_pixels") and _value(row, "f1") is not None
    ]
    return min(tested, key=lambda row: row["f1"]["value"], default=None)


def weakest_text(figures: Figures) -> str:
    """Return what goes wrong with the weakest class."""
    assessment = figures.get("assessment") or {}
    row = weakest(assessment)
    if row is None or row["f1"]["value"] >= 1:
        return ""
    rows = assessment["classes"]
    pixels = assessment["confusion"]["pixels"]
    place = rows.index(row)
    as_what = [line[place] for line in pixels]
    missed = [0 if k == place else count for k, count in enumerate(as_what)]
    text = tr("Weakest class, {name}: {right} of its {pixels} test pixels are mapped as {name}")
    if any(missed):
        text += tr(", {count} as {other}")
    text += ". "
    if sum(pixels[place]):
        text += tr("Of the test pixels mapped as {name}, {share} are correct.")
    else:
        text += tr("No test pixel was mapped as {name}.")
    return text.format(
        name=row["name"],
        right=as_what[place],
        pixels=sum(as_what),
        count=max(missed),
        other=rows[missed.index(max(missed))]["name"],
        share=percent(_value(row, "users_accuracy")),
    )


def _overall(figures: Figures) -> str:
    """Return the figures of all classes, or of each target, with intervals."""
    assessment = figures.get("assessment") or {}
    groups = [("", assessment.get("overall") or {})]
    groups += [(f"{row['name']}: ", row) for row in assessment.get("targets") or ()]
    cells = [
        (name + figure_name(key), with_interval(found))
        for name, group in groups
        for key, found in group.items()
        if isinstance(found, Mapping) and "value" in found
    ]
    return _table(cells)


def _classes(figures: Figures) -> str:
    """Return the figures of each class."""
    rows = (figures.get("assessment") or {}).get("classes") or ()
    if not rows:
        return ""
    heads = (
        *("", tr("Class"), tr("F1"), tr("User's accuracy"), tr("Producer's accuracy")),
        *(tr("Test pixels"), tr("Mapped pixels")),
    )
    lines = [
        f"<tr><td bgcolor='{escape(str(row.get('color', '')))}'>&nbsp;&nbsp;</td>"
        + "".join(f"<td>{escape(text)}&nbsp;&nbsp;</td>" for text in _class_cells(row))
        + "</tr>"
        for row in rows
    ]
    return _titled(tr("Classes"), heads, "".join(lines))


def _class_cells(row: Figures) -> tuple[str, ...]:
    return (
        str(row["name"]),
        *(number(_value(row, key), 2) for key in ("f1", "users_accuracy", "producers_accuracy")),
        str(row.get("reference_pixels", "")),
        str(row.get("mapped_pixels", "")),
    )


def _confusion(figures: Figures, palette: QPalette) -> str:
    """Return the confusion matrix; the more of a class, the stronger the colour."""
    assessment = figures.get("assessment") or {}
    rows = assessment.get("classes") or ()
    if not rows:
        return ""
    title = tr("Confusion matrix")
    if len(rows) > _MOST_CLASSES:
        said = tr("The matrix of {count} classes is in the report.").format(count=len(rows))
        return f"<h4>{escape(title)}</h4>" + _paragraph(escape(said))
    pixels = assessment["confusion"]["pixels"]
    totals = [sum(line[k] for line in pixels) or 1 for k in range(len(rows))]
    lines = []
    for place, (row, line) in enumerate(zip(rows, pixels)):
        cells = []
        for k, count in enumerate(line):
            hue = _RIGHT if k == place else _WRONG
            shade = _blend(palette.color(QPalette.ColorRole.Base), hue, count / totals[k])
            text = f"<b>{count}</b>" if k == place else str(count)
            cells.append(f"<td align='right' bgcolor='{shade}'>&nbsp;{text}&nbsp;</td>")
        lines.append(f"<tr><td>{escape(row['name'])}&nbsp;&nbsp;</td>{''.join(cells)}</tr>")
    heads = (tr("mapped as ↓, reference →"), *(row["name"] for row in rows))
    return _titled(title, heads, "".join(lines))


def _blend(base: QColor, hue: QColor, share: float) -> str:
    weight = _STRONGEST * min(1.0, share)
    pairs = zip(base.getRgb()[:3], hue.getRgb()[:3])
    return QColor(*(round(a + weight * (b - a)) for a, b in pairs)).name()


def _facts(summary: Figures) -> str:
    trained = trained_name(str(summary.get("tune", "")), str(summary.get("task", "")))
    cells = [
        (tr("Model"), str(summary.get("output", ""))),
        (tr("Labelled pixels"), str(summary.get("labelled_pixels", ""))),
        (tr("Trained"), trained),
    ]
    return f"<h4>{escape(tr('Training'))}</h4>" + _table(cells)


def _table(cells: Sequence[tuple[str, str]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}&nbsp;&nbsp;</td><td>{escape(text)}</td></tr>"
        for name, text in cells
        if text
    )
    return f"<table>{rows}</table>" if rows else ""


def _titled(title: str, heads: Sequence[str], lines: str) -> str:
    head = "".join(f"<th align='left'>{escape(str(text))}&nbsp;&nbsp;</th>" for text in heads)
    return f"<h4>{escape(title)}</h4><table><tr>{head}</tr>{lines}</table>"


def _paragraph(inside: str) -> str:
    return f"<p>{inside}</p>" if inside and inside != "<b></b>" else ""


def _value(row: Figures, key: str) -> Any:
    return (row.get(key) or {}).get("value")
