"""What the report says about a classification; every number is one of the JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np

from hyperkd.evaluation.reports.charts import ACCENT, Dot, dot_plot, heat_map, reliability_plot
from hyperkd.evaluation.reports.page_parts import (
    Figure,
    cards,
    details,
    figure_of,
    interval_text,
    paragraph,
    percent,
    percent_interval,
    percent_with_interval,
    plain,
    settings_text,
    signed_points,
    table,
    with_interval,
)

_NAMES = {
    "overall_accuracy": "Overall accuracy",
    "average_accuracy": "Average accuracy (mean producer’s accuracy)",
    "kappa": "Cohen’s kappa",
    "macro_f1": "Macro F1 (mean over classes)",
    "weighted_f1": "Weighted F1 (by reference pixels)",
    "macro_iou": "Macro IoU (mean over classes)",
    "weighted_iou": "Weighted IoU (by reference pixels)",
    "micro_iou": "Micro IoU (all classes pooled)",
}
_PANELS = (
    ("users_accuracy", "User’s accuracy"),
    ("producers_accuracy", "Producer’s accuracy"),
    ("f1", "F1"),
)
# By both of them a classical model is the best, and the network better.
_COMPARED = {"overall_accuracy": "overall accuracy", "macro_f1": "macro F1"}
_GREY = "#8a96a3"


def lead(document: Mapping[str, Any]) -> str:
    """Return the result in two sentences."""
    assessment = document["assessment"]
    overall = assessment["overall"]
    known = f"{assessment['pixels']:,} labelled pixels"
    if document["areas"]:
        found, of = document["areas"]["overall_accuracy"], f"its area, estimated from {known}"
    else:
        found, of = overall["overall_accuracy"], known
    ends = percent_interval(found)
    first = (
        f"The map is right for {percent(found['value'])} of {of}"
        + (f" (95 % interval {ends})" if ends else "")
        + f"; the mean F1 of its classes is {percent(overall['macro_f1']['value'])}."
    )
    comparisons = document["comparisons"]
    return f"{first} {verdict(comparisons[0]['methods'])}" if comparisons else first


def verdict(methods: Sequence[Mapping[str, Any]]) -> str:
    """Return whether the network is better than the best classical model, by both scores."""
    best = best_classical(methods)
    if best is None:
        return ""
    name, difference = best["name"], best["model_minus_method"]
    by = ", ".join(
        f"{word} {signed_points(difference[key])} points" for key, word in _COMPARED.items()
    )
    if any(difference[key]["low"] is None for key in _COMPARED):
        return (
            f"Its differences from the best classical model, {name}, are: {by}; there are too few "
            "groups of labels to tell whether this is chance."
        )
    more = [word for key, word in _COMPARED.items() if difference[key]["low"] > 0]
    less = [word for key, word in _COMPARED.items() if difference[key]["high"] < 0]
    if more and less:
        return (
            f"Compared with the best classical model, {name}, it has a higher {more[0]} and a "
            f"lower {less[0]}: {by}."
        )
    if more:
        return f"It is better than the best classical model, {name}: {by}."
    if less:
        return f"The classical model {name} is better: {by}. The network has no advantage here."
    return f"Compared with the best classical model, {name}, no difference can be shown: {by}."


def best_classical(methods: Sequence[Mapping[str, Any]]) -> Optional[Mapping[str, Any]]:
    """Return the classical model with the highest mean of overall accuracy and macro F1.

    Accuracy alone would choose one that maps rare classes never. None where there is none.
    """
    rivals = [row for row in methods[1:] if all(row[k]["value"] is not None for k in _COMPARED)]
    return max(rivals, key=lambda row: sum(row[k]["value"] for k in _COMPARED), default=None)


def key_metrics(document: Mapping[str, Any]) -> str:
    """Return the cards at the top."""
    assessment = document["assessment"]
    overall = assessment["overall"]
    calibration = (
        assessment["calibration"]["calibrated"] or assessment["calibration"]["uncalibrated"]
    )
    entries = [
        (percent(overall[key]["value"]), name, _ends(percent_interval(overall[key])))
        for key, name in (
            ("overall_accuracy", "Overall accuracy"),
            ("macro_f1", "Macro F1"),
            ("macro_iou", "Macro IoU"),
        )
    ]
    kappa = overall["kappa"]
    entries.append((plain(kappa["value"]), "Kappa", _ends(interval_text(kappa))))
    entries.append((percent(calibration["ece"]), "Calibration error (ECE)", "mean gap to accuracy"))
    areas = document["areas"]
    if areas:
        entries[0] = (
            percent(areas["overall_accuracy"]["value"]),
            "Overall accuracy, area-adjusted",
            _ends(percent_interval(areas["overall_accuracy"])),
        )
    return cards(entries)


def comparison(document: Mapping[str, Any]) -> str:
    """Return the network beside the classical models."""
    methods = document["comparisons"][0]["methods"]
    panels = [
        (heading, [_dot(row[key]) for row in methods])
        for key, heading in (
            ("overall_accuracy", "Overall accuracy (%)"),
            ("macro_f1", "Macro F1 (%)"),
        )
    ]
    colours = [ACCENT] + [_GREY] * (len(methods) - 1)
    rows = [
        [
            row["name"],
            percent_with_interval(row["overall_accuracy"]),
            percent_with_interval(row["macro_f1"]),
            percent_with_interval(row["macro_iou"]),
            signed_points(row["model_minus_method"]["overall_accuracy"]) if number else "",
            signed_points(row["model_minus_method"]["macro_f1"]) if number else "",
        ]
        for number, row in enumerate(methods)
    ]
    head = ("", "overall accuracy", "macro F1", "macro IoU", "difference in OA", "in macro F1")
    settings = [[row["name"], settings_text(row["settings"])] for row in methods[1:]]
    return (
        figure_of(
            dot_plot([row["name"] for row in methods], colours, panels, None),
            "Dots are the scores, lines their 95 % intervals. All methods are trained on the same "
            "pixels and tested on the same pixels; the classical ones take single spectra.",
        )
        + table(
            head,
            rows,
            caption="With 95 % intervals. Differences are network − method in percentage points, "
            "from paired resamples. The best classical model is the one with the highest mean of "
            "overall accuracy and macro F1.",
            best=0,
        )
        + details("Settings of the classical models", table(("", "chosen"), settings, texts=(1,)))
    )


def confusion(document: Mapping[str, Any]) -> str:
    """Return the confusion matrix and the scores of all classes together."""
    assessment = document["assessment"]
    classes = assessment["classes"]
    pixels = np.array(assessment["confusion"]["pixels"], np.int64)
    names = [row["name"] for row in classes]
    chart = heat_map(
        pixels,
        names,
        [row["color"] for row in classes],
        [percent(row["users_accuracy"]["value"], 0) for row in classes],
        [percent(row["producers_accuracy"]["value"], 0) for row in classes],
        percent(assessment["overall"]["overall_accuracy"]["value"], 0),
    )
    numbers = [
        [name, *(f"{value:,}" for value in line), f"{line.sum():,}"]
        for name, line in zip(names, pixels)
    ]
    numbers.append(
        ["reference pixels", *(f"{v:,}" for v in pixels.sum(axis=0)), f"{pixels.sum():,}"]
    )
    overall = [
        [_NAMES[key], percent_with_interval(found) if key != "kappa" else with_interval(found)]
        for key, found in assessment["overall"].items()
    ]
    return (
        figure_of(
            chart,
            "Pixels by class in the map (rows) and in the reference (columns). The darker, the "
            "larger the fraction of the reference class; green is correct, brown is wrong.",
        )
        + details(
            "The matrix as a table",
            table(("map \\ reference", *names, "mapped pixels"), numbers),
        )
        + table(("all classes", "value (95 % interval)"), overall)
    )


def classes(document: Mapping[str, Any]) -> str:
    """Return the scores of each class."""
    rows = document["assessment"]["classes"]
    panels = [(f"{heading} (%)", [_dot(row[key]) for row in rows]) for key, heading in _PANELS]
    names, colours = [row["name"] for row in rows], [row["color"] for row in rows]
    figures = [
        [
            row["name"],
            *(percent_with_interval(row[key]) for key in (*dict(_PANELS), "iou")),
            f"{row['reference_pixels']:,}",
            f"{row['mapped_pixels']:,}",
            f"{row['groups']:,}",
        ]
        for row in rows
    ]
    head = ("class", "user’s accuracy", "producer’s accuracy", "F1", "IoU")
    return (
        paragraph(
            "User’s accuracy: how often a pixel mapped as the class is one (commission errors "
            "lower it). Producer’s accuracy: how much of the class the map finds (omission errors "
            "lower it)."
        )
        + figure_of(
            dot_plot(names, colours, panels), "Dots are the scores, lines their 95 % intervals."
        )
        + table((*head, "reference px", "mapped px", "groups"), figures, colours=colours)
    )


def areas(document: Mapping[str, Any]) -> str:
    """Return areas and accuracies of the whole map."""
    found = document["areas"]
    rows = found["classes"]
    names, colours = [row["name"] for row in rows], [row["color"] for row in rows]
    mapped = np.array(found["shares"]["share_of_area"]).sum(axis=1)
    known = found["area_ha"] is not None
    dots = [_dot(row["area_share"]) for row in rows]
    figures = [
        [
            row["name"],
            percent(share),
            percent_with_interval(row["area_share"]),
            *([with_interval(row["area_ha"])] if known else []),
            percent_with_interval(row["users_accuracy"]),
            percent_with_interval(row["producers_accuracy"]),
        ]
        for row, share in zip(rows, mapped.tolist())
    ]
    head = ["class", "mapped", "estimated", *(["hectares"] if known else [])]
    total = f", {found['area_ha']:,.0f} ha" if known else ""
    return (
        paragraph(
            "Mapped areas contain the map’s errors. These estimates correct them with the sample, "
            f"for all {found['pixels']:,} pixels of the strata{total}. Overall accuracy of the "
            f"whole map: {percent_with_interval(found['overall_accuracy'])}."
        )
        + figure_of(
            dot_plot(names, colours, [("Estimated proportion of the area (%)", dots)], None),
            f"Intervals: {found['intervals']['method']}.",
        )
        + table(
            (*head, "user’s accuracy", "producer’s accuracy"),
            figures,
            caption="Area-adjusted, with 95 % intervals.",
            colours=colours,
        )
    )


def calibration(document: Mapping[str, Any]) -> str:
    """Return whether the probabilities can be trusted."""
    found = document["assessment"]["calibration"]
    kinds = [("as computed", _GREY, found["uncalibrated"])]
    if found["calibrated"]:
        kinds.append(("with the model’s temperature", ACCENT, found["calibrated"]))
    else:
        kinds = [("with the temperature 1", ACCENT, found["uncalibrated"])]
    rows = [
        [
            name,
            plain(item["temperature"]),
            percent(item["ece"]),
            plain(item["nll"]),
            plain(item["brier"]),
        ]
        for name, _, item in kinds
    ]
    chart = reliability_plot([(name, colour, item["bins"]) for name, colour, item in kinds])
    return (
        '<div class="pair">'
        + figure_of(
            chart,
            "On the dashed line confidence is accuracy; below it the model is overconfident.",
            [(colour, name) for name, colour, _ in kinds],
        )
        + "<div>"
        + paragraph(
            "Of the pixels to which the model gives a probability of 90 %, nine in ten should be "
            "right. Where that holds, its probabilities and its uncertainty map can be trusted."
        )
        + table(("probabilities", "temperature", "ECE", "NLL", "Brier"), rows)
        + paragraph(
            "ECE: mean gap between accuracy and confidence over ten bins of equal width, weighted "
            "by pixels. NLL: mean negative log-likelihood in nats. Brier: sum of squared errors "
            "of all probabilities, 0 to 2. For all three, lower is better.",
            soft=True,
        )
        + "</div></div>"
    )


def _dot(found: Figure) -> Dot:
    return Dot(found["value"], found["low"], found["high"], percent(found["value"]))


def _ends(interval: str) -> str:
    return f"95 %: {interval}" if interval else "no interval"
