"""What may stand in a card, whoever wrote it: sound text, numbers of a sensible size."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

# A card is some kilobytes; classes and a self-test make it no longer than this.
LONGEST_CARD: Final = 16 * 1024 * 1024
# No tile, reach or embedding of a network comes near.
LARGEST_SIZE: Final = 1 << 16
# Values that a self-test may take: half a gigabyte of float32.
LARGEST_TEST: Final = 1 << 27

_DEEPEST: Final = 30
_LONGEST_INTEGER: Final = 20  # digits; a class may be called by any number of 64 bits
_LINES: Final = "\t\n\r"


def load_values(text: str) -> Any:
    """Return the values of a card's JSON.

    Raises:
        ValueError: it is not JSON, or holds a number that no machine counts with.
        RecursionError: it is nested without end.
    """
    if len(text) > LONGEST_CARD:
        raise ValueError(f"it has {len(text)} characters")
    return json.loads(text, parse_float=_finite, parse_constant=_finite, parse_int=_whole)


def require_sound(value: Any, name: str = "card", depth: int = 0) -> None:
    """Refuse text that no file can hold, and values nested without end.

    GDAL and other libraries end the process over text that has no UTF-8.

    Raises:
        ValueError: with the name of the value.
    """
    if depth > _DEEPEST:
        raise ValueError(f"{name[:80]} is nested more than {_DEEPEST} deep")
    if isinstance(value, str):
        reason = unsound(value)
        if reason:
            raise ValueError(f"{name} holds {reason}")
    elif isinstance(value, Mapping):
        for key, each in value.items():
            require_sound(key, f"a name in {name}", depth + 1)
            require_sound(each, f"{name}.{key}", depth + 1)
    elif isinstance(value, (list, tuple)):
        for number, each in enumerate(value):
            require_sound(each, f"{name}[{number}]", depth + 1)


def unsound(text: str) -> str:
    """Return why a text cannot be written to a file, or an empty string."""
    for character in text:
        if "\ud800" <= character <= "\udfff":
            return f"half a character (U+{ord(character):04X})"
        if character < " " and character not in _LINES:
            return f"a control character (U+{ord(character):04X})"
    return ""


def _finite(text: str) -> float:
    """Return a number of JSON, which knows neither NaN nor infinity; Python's reader does."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is not a finite number")
    return value


def _whole(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise ValueError(f"a whole number has {len(text)} digits")
    return int(text)
