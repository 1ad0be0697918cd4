"""A model's card as a page that a person reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Optional

from .messages import tr
from .modelfile import Card

_STYLE = (
    "body{font-family:sans-serif;margin:12px}h1{font-size:130%;margin:0 0 2px 0}"
    "h2{font-size:108%;margin:14px 0 4px 0}td,th{padding:1px 10px 1px 0;text-align:left;"
    "vertical-align:top}.note{color:#777}"
)
# Of nested figures more than this many lines are folded into one sentence.
_MANY_LINES = 60


def task_name(task: str) -> str:
    """Return what a model of a task does."""
    return {
        "pretrain": tr("Student: embedding and reconstruction"),
        "classification": tr("Classification"),
        "regression": tr("Regression"),
    }.get(task, task)


def card_page(card: Card, *, path: Optional[Path] = None, facts: Mapping[str, str] = {}) -> str:
    """Return a card as one HTML page.

    Args:
        path: the model's file, for its name and size.
        facts: what else is known, for instance where it came from.
    """
    parts = [
        f"<h1>{escape(str(card.get('name', '?')))}</h1>",
        f"<p>{escape(task_name(str(card.get('task', '?'))))}</p>",
        _table(_facts(card, path, facts)),
        _classes(card.get("classes") or ()),
        _targets(card.get("targets") or ()),
        _section(tr("Metrics"), card.get("metrics")),
        _section(tr("Made from"), _origin(card)),
        _section(tr("Training"), card.get("training")),
        _section(tr("Network"), card.get("architecture")),
    ]
    head = f"<head><meta charset='utf-8'><style>{_STYLE}</style></head>"
    return f"<html>{head}<body>{''.join(parts)}</body></html>"


def one_line(card: Card) -> str:
    """Return the main figures of a card for a list: what it maps, and how well."""
    classes, targets = card.get("classes") or (), card.get("targets") or ()
    if classes:
        return ", ".join(str(each.get("name", "?")) for each in classes)
    if targets:
        return ", ".join(str(each.get("name", "?")) for each in targets)
    return tr("{count} channels").format(count=card.get("embedding_dim", "?"))


def bands_text(card: Card) -> str:
    """Return the bands of a model in words."""
    centres = card.get("bands", {}).get("centre_nm", [])
    if not centres:
        return tr("unknown")
    return tr("{count} bands, {first:.0f} to {last:.0f} nm").format(
        count=len(centres), first=min(centres), last=max(centres)
    )


def _facts(card: Card, path: Optional[Path], facts: Mapping[str, str]) -> list[tuple[str, str]]:
    rows = [(tr("Licence"), str(card.get("licence") or tr("not stated")))]
    if path is not None:
        rows.append((tr("File"), f"{path.name}, {path.stat().st_size / 1e6:.1f} MB"))
    sampling = card.get("ground_sampling_m")
    rows += [
        (tr("Bands"), bands_text(card)),
        (tr("Input"), str(card.get("units", ""))),
        (
            tr("Pixel size"),
            tr("{metres:g} m in training").format(metres=sampling) if sampling else "",
        ),
        (
            tr("Tile"),
            tr("{tile} px, patches of {patch} px, receptive field {field} px").format(
                tile=card.get("tile_px", "?"),
                patch=card.get("patch_px", "?"),
                field=card.get("receptive_field_px", "?"),
            ),
        ),
        (tr("Created"), str(card.get("created", ""))),
        (
            tr("Self-test"),
            tr("contained") if card.get("self_test") else tr("none: results cannot be checked"),
        ),
    ]
    if card.get("quantisation"):
        rows.append((tr("Quantised"), str(card["quantisation"].get("kind", "?"))))
    return [*rows, *facts.items()]


def _origin(card: Card) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    if card.get("teacher"):
        found[tr("Teacher")] = card["teacher"]
    if card.get("parents"):
        found[tr("Parents (SHA-256)")] = list(card["parents"])
    return found


def _classes(classes: Sequence[Mapping[str, Any]]) -> str:
    if not classes:
        return ""
    rows = "".join(
        f"<tr><td>{number}</td>"
        f"<td><span style='background-color:{escape(str(each.get('color', '')))}'>"
        f"&nbsp;&nbsp;&nbsp;&nbsp;</span></td>"
        f"<td>{escape(str(each.get('name', '?')))}</td>"
        f"<td class='note'>{escape(str(each.get('value', '')))}</td></tr>"
        for number, each in enumerate(classes, 1)
    )
    heads = ("", "", tr("class"), tr("in the labels"))
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    return f"<h2>{escape(tr('Classes'))}</h2><table><tr>{head}</tr>{rows}</table>"


def _targets(targets: Sequence[Mapping[str, Any]]) -> str:
    if not targets:
        return ""
    lines = [
        (
            str(each.get("name", "?")),
            tr("{minimum:g} to {maximum:g} {unit} in training").format(
                minimum=each.get("minimum", 0.0),
                maximum=each.get("maximum", 0.0),
                unit=each.get("unit", ""),
            ),
        )
        for each in targets
    ]
    return f"<h2>{escape(tr('Targets'))}</h2>" + _table(lines)


def _section(title: str, values: Any) -> str:
    if not values:
        return ""
    lines = list(_flat(values))
    if len(lines) > _MANY_LINES:
        lines = [*lines[:_MANY_LINES], ("…", "")]
    return f"<h2>{escape(title)}</h2>" + _table(lines)


def _flat(values: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return nested values as lines: ``a › b`` and a text, the innermost names on one line."""
    if not isinstance(values, Mapping):
        return [(prefix, _text(values))]
    if prefix and not any(isinstance(value, Mapping) for value in values.values()):
        return [(prefix, ", ".join(f"{name} {_text(value)}" for name, value in values.items()))]
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        found += _flat(value, f"{prefix} › {name}" if prefix else str(name))
    return found


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) if len(value) <= 12 else f"{len(value)} values"
    return value if isinstance(value, str) else json.dumps(value)


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><td class='note'>{escape(name)}</td><td>{escape(text)}</td></tr>"
        for name, text in rows
        if text
    )
    return f"<table>{cells}</table>"
