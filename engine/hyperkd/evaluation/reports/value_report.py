"""What the report says about a regression; every number is one of the JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hyperkd.evaluation.reports.charts import ACCENT, Dot, dot_plot, scatter_plot
from hyperkd.evaluation.reports.page_parts import (
    cards,
    details,
    figure_of,
    heading,
    interval_text,
    paragraph,
    plain,
    settings_text,
    signed,
    table,
    with_interval,
)
from hyperkd.sentences import counted

_GREY = "#8a96a3"
# Targets in the sentence on top; the others are in the sections.
_LED = 3


def lead(document: Mapping[str, Any]) -> str:
    """Return the result in a sentence per target."""
    parts = []
    targets = document["assessment"]["targets"]
    for target in targets[:_LED]:
        ends = interval_text(target["r2"])
        parts.append(
            f"{target['name']}: R² {plain(target['r2']['value'])}"
            + (f" (95 % interval {ends})" if ends else "")
            + f", RMSE {_measured(target['rmse']['value'], target)} on {target['pixels']:,} pixels."
        )
    if len(targets) > _LED:
        parts.append(f"And {counted(len(targets) - _LED, 'more target')}.")
    if len(targets) == 1 and document["comparisons"]:
        parts.append(verdict(document["comparisons"][0]["methods"], targets[0]))
    return " ".join(part for part in parts if part)


def verdict(methods: Sequence[Mapping[str, Any]], target: Mapping[str, Any]) -> str:
    """Return whether the network is better than the best classical model."""
    rivals = [row for row in methods[1:] if row["rmse"]["value"] is not None]
    if not rivals:
        return ""
    best = min(rivals, key=lambda row: row["rmse"]["value"])
    name, found = best["name"], best["model_minus_method"]["rmse"]
    by = f"{signed(found)} {target['unit']}".rstrip()
    if found["low"] is None:
        return (
            f"Its RMSE differs from that of the best classical model, {name}, by {by}; there are "
            "too few groups of labels to tell whether this is chance."
        )
    if found["high"] < 0:
        return (
            f"Its RMSE is lower than that of the best classical model, {name}; the difference "
            f"is {by}."
        )
    if found["low"] > 0:
        return (
            f"The classical model {name} has a lower RMSE; the difference is {by}. The network "
            "has no advantage here."
        )
    return f"Compared with the best classical model, {name}, no difference can be shown: RMSE {by}."


def key_metrics(document: Mapping[str, Any]) -> str:
    """Return the cards at the top, a row per target."""
    rows = []
    targets = document["assessment"]["targets"]
    for target in targets:
        if len(targets) > 1:
            rows.append(heading(target["name"]))
        entries = [
            (plain(target["r2"]["value"]), "R²", _ends(target["r2"])),
            (_measured(target["rmse"]["value"], target), "RMSE", _ends(target["rmse"])),
            (_measured(target["bias"]["value"], target), "Bias", _ends(target["bias"])),
            (plain(target["rpd"]["value"]), "RPD", _ends(target["rpd"])),
            (plain(target["rpiq"]["value"]), "RPIQ", _ends(target["rpiq"])),
        ]
        rows.append(cards(entries))
    return "".join(rows)


def targets(document: Mapping[str, Any]) -> str:
    """Return scores and scatter plot of each target."""
    return "".join(_target(target) for target in document["assessment"]["targets"])


def _target(target: Mapping[str, Any]) -> str:
    points = target["points"]
    label = f"{target['name']} ({target['unit']})" if target["unit"] else target["name"]
    shown = (
        f"Every {points['every']}th of {target['pixels']:,} pixels."
        if points["every"] > 1
        else f"{target['pixels']:,} pixels."
    )
    unit = f" ({target['unit']})" if target["unit"] else ""
    rows = [
        ["R² = 1 − SSE / SST", with_interval(target["r2"])],
        [f"RMSE{unit}", with_interval(target["rmse"])],
        [f"mean absolute error{unit}", with_interval(target["mae"])],
        [f"bias, predicted − observed{unit}", with_interval(target["bias"])],
        ["RPD = SD / RMSE", with_interval(target["rpd"])],
        ["RPIQ = interquartile range / RMSE", with_interval(target["rpiq"])],
        [f"mean of the observed values{unit}", plain(target["truth_mean"])],
        [f"their standard deviation{unit}", plain(target["truth_sd"])],
        ["pixels", f"{target['pixels']:,}"],
        ["groups of labels", f"{target['groups']:,}"],
    ]
    return (
        '<div class="pair">'
        + figure_of(
            scatter_plot(points["truth"], points["predicted"], label),
            f"{shown} On the dashed line the prediction is exact.",
        )
        + "<div>"
        + table((target["name"], "value (95 % interval)"), rows)
        + paragraph(
            "R² compares with the mean of these pixels: 0 is no better than that mean, and it can "
            "be negative. It is not the squared correlation, which ignores a wrong slope.",
            soft=True,
        )
        + "</div></div>"
    )


def comparison(document: Mapping[str, Any]) -> str:
    """Return the network beside the classical models, target by target."""
    targets = document["assessment"]["targets"]
    parts = []
    for target, found in zip(targets, document["comparisons"]):
        if len(targets) > 1:
            parts.append(heading(target["name"]))
            parts.append(paragraph(verdict(found["methods"], target)))
        parts.append(_compared(target, found["methods"]))
    return "".join(parts)


def _compared(target: Mapping[str, Any], methods: Sequence[Mapping[str, Any]]) -> str:
    unit = f" ({target['unit']})" if target["unit"] else ""
    panels = [
        (name, [_dot(row[key]) for row in methods])
        for key, name in (("r2", "R²"), ("rmse", f"RMSE{unit}"))
    ]
    rows = [
        [
            row["name"],
            *(with_interval(row[key]) for key in ("r2", "rmse")),
            *(signed(row["model_minus_method"][key]) if number else "" for key in ("r2", "rmse")),
        ]
        for number, row in enumerate(methods)
    ]
    settings = [[row["name"], settings_text(row["settings"])] for row in methods[1:]]
    colours = [ACCENT] + [_GREY] * (len(methods) - 1)
    return (
        figure_of(
            dot_plot([row["name"] for row in methods], colours, panels, None, percent=False),
            "Dots are the scores, lines their 95 % intervals. All methods are trained on the same "
            "pixels and tested on the same pixels; the classical ones take single spectra.",
        )
        + table(
            ("", "R²", f"RMSE{unit}", "difference in R²", "in RMSE"),
            rows,
            caption="With 95 % intervals. Differences are network − method, from paired resamples.",
            best=0,
        )
        + details("Settings of the classical models", table(("", "chosen"), settings, texts=(1,)))
    )


def _dot(found: Mapping[str, Any]) -> Dot:
    return Dot(found["value"], found["low"], found["high"], plain(found["value"]))


def _measured(value: Any, target: Mapping[str, Any]) -> str:
    return f"{plain(value)} {target['unit']}".rstrip()


def _ends(found: Mapping[str, Any]) -> str:
    text = interval_text(found)
    return f"95 %: {text}" if text else "no interval"
