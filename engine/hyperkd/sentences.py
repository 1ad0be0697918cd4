"""Parts of sentences that users read: a number with its noun, and the beginning of a list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional


def counted(count: int, word: str, many: str = "") -> str:
    """Return ``1 feature`` or ``3 features``."""
    return f"{count} {word}" if count == 1 else f"{count} {many or word + 's'}"


def some(
    names: Iterable[object], count: Optional[int] = None, limit: int = 5, separator: str = ", "
) -> str:
    """Return the first few names, and how many more there are.

    Args:
        count: how many there are, where ``names`` gives only the first.
        limit: how many to name.
    """
    given = list(names)
    more = (len(given) if count is None else count) - min(limit, len(given))
    text = separator.join(str(name) for name in given[:limit])
    return f"{text} and {more} more" if more > 0 else text
