"""Names of classes as people mean them: one name, however it is encoded, spaced or capitalised."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Soft hyphens, marks of direction, of bytes and of a width of nothing: nobody sees them.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200e\u200f\u2060\ufeff"))
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
# Of the longest list of spellings.
_SHOWN = 5


def clean_name(name: str) -> str:
    """Return a name in Unicode's composed form (NFC), with single plain blanks between words."""
    return " ".join(unicodedata.normalize("NFC", name).translate(_INVISIBLE).split())


def name_key(name: str) -> str:
    """Return what is equal for names that differ in Unicode form, letter case or blanks alone."""
    return clean_name(unicodedata.normalize("NFC", clean_name(name).casefold()))


def spelled(names: Iterable[str]) -> str:
    """Return spellings of a name so that a reader sees how they differ."""
    listed = sorted(names)
    shown = [repr(n) if n == clean_name(n) else ascii(n) for n in listed[:_SHOWN]]
    more = len(listed) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def is_garbled(name: str) -> bool:
    """Return whether a name was decoded wrongly: with marks of that, or UTF-8 taken for Latin-1."""
    if "\ufffd" in name:
        return True
    try:
        return name.encode("cp1252").decode("utf-8") != name
    except UnicodeError:
        return False


def has_decimal_comma(text: str) -> bool:
    """Return whether a text is a number with a decimal comma, such as 0,7."""
    return _DECIMAL_COMMA.fullmatch(text.strip()) is not None
