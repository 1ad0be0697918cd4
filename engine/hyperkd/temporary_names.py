"""The names beside an output that a job may use while it writes it."""

from __future__ import annotations

from typing import Final

SUFFIX: Final = ".part"
ROWS_SUFFIX: Final = ".part-rows"  # of the finished rows that a job can go on from
PLAIN_SUFFIX: Final = ".plain"  # of a raster that a cloud optimised one is made from
_AUXILIARY: Final = ".aux.xml"
# The longest that is put behind an output's name while it is written.
LONGEST_SUFFIX: Final = f"{SUFFIX}{_AUXILIARY}"


def derived_names(path: str) -> tuple[str, ...]:
    """Return the names beside an output that writing it may use; no other file may have them."""
    plain = path + PLAIN_SUFFIX
    return (
        *(path + suffix for suffix in (SUFFIX, LONGEST_SUFFIX, f"{SUFFIX}.old0", ROWS_SUFFIX)),
        *(path + suffix for suffix in (_AUXILIARY, PLAIN_SUFFIX)),
        *(plain + suffix for suffix in (_AUXILIARY, SUFFIX, LONGEST_SUFFIX, f"{SUFFIX}.old0")),
    )
