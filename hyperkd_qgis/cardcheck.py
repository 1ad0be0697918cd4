"""Whether a card is one that the plugin can show, whoever wrote it.

The engine checks everything again before it runs a model; here a strange file must not
keep a window from opening.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

# A card is some kilobytes; a number beyond this is damage.
LARGEST_CARD = 16 * 1024 * 1024
_DEEPEST = 30
_LONGEST_INTEGER = 20  # digits

_NUMBER = (int, float)
_NOTHING = type(None)
# What the plugin shows or compares, by its name, and of what type it must be.
_TYPES: Mapping[str, Any] = {
    **dict.fromkeys(("name", "task", "licence", "created", "units"), str),
    **dict.fromkeys(("tile_px", "patch_px", "receptive_field_px", "embedding_dim"), int),
    **dict.fromkeys(("metrics", "training", "architecture"), dict),
    **dict.fromkeys(("teacher", "quantisation", "self_test"), (dict, _NOTHING)),
    "ground_sampling_m": _NUMBER,
    "bands": dict,
    "classes": list,
    "targets": list,
    "parents": list,
}


def parse_card(text: str) -> Mapping[str, Any]:
    """Return the card in a text of JSON.

    Raises:
        ValueError, TypeError, RecursionError: it is none that can be shown.
    """
    if len(text) > LARGEST_CARD:
        raise ValueError("no card is that long")
    card = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    if not isinstance(card, dict):
        raise TypeError("a card is an object")
    _require_sound(card, 0)
    for name, kind in _TYPES.items():
        if name in card and not isinstance(card[name], kind):
            raise TypeError(f"{name} is {card[name]!r}")
    centres = card.get("bands", {}).get("centre_nm", [])
    if not isinstance(centres, list) or not all(isinstance(each, _NUMBER) for each in centres):
        raise TypeError("centre_nm is no list of numbers")
    for each in (*card.get("classes", ()), *card.get("targets", ())):
        if not isinstance(each, dict):
            raise TypeError(f"{each!r} is no class or target")
    for each in card.get("targets", ()):
        if not all(isinstance(each.get(name, 0), _NUMBER) for name in ("minimum", "maximum")):
            raise TypeError(f"the range of {each!r} is no pair of numbers")
    return card


def _require_sound(value: Any, depth: int) -> None:
    """Refuse what cannot be shown: half a character, or values nested without end."""
    if depth > _DEEPEST:
        raise ValueError("a card is not that deep")
    if isinstance(value, str):
        value.encode()  # raises UnicodeEncodeError, a ValueError
    elif isinstance(value, dict):
        for key, each in value.items():
            _require_sound(key, depth + 1)
            _require_sound(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            _require_sound(each, depth + 1)


def _whole(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise ValueError("no number of a card is that long")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a card holds finite numbers")
    return value
