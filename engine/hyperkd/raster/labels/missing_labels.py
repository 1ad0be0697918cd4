"""Values that mean "no label" though no file declares them: one rule for fields and rasters.

docs/labels.md has it as a table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from hyperkd.problems import Problem
from hyperkd.raster.labels.class_names import name_key
from hyperkd.sentences import counted

# In lower case. They label nothing, neither in fields nor as names in a legend.
_WORDS = frozenset(
    ("-", "--", "nan", "none", "null", "<null>", "(null)", "nil", "n/a", "#n/a", "na", "<na>")
    + ("n.a.", "nodata", "no data", "no_data", "no-data")
)
_NINES = re.compile(r"-?9{3,}|-99")
_NINES_AS_TEXT = re.compile(r"(-9{2,})(?:[.,]0+)?")
_WHOLE = re.compile(r"[+-]?\d+")
_LARGEST_CODE = -99
_HUGE = 1e10
_BEYOND = 1e30
# The largest and smallest numbers of the types that label rasters have.
_LIMITS = frozenset((255, 65535, 2**32 - 1, -128, -32768, -(2**31), 32767, 2**31 - 1))
# More different numbers beyond 1e10 than these are a quantity, and more than one below -99.
_FEW = 2
_HINT = (
    "Where that is wrong, give label_nodata the values that mean no label: no other is then left "
    "out."
)


def means_nothing(text: str) -> bool:
    """Return whether a text stands for a missing value: n/a, null, -9999."""
    key = name_key(text)
    return not key or key in _WORDS or _NINES_AS_TEXT.fullmatch(key) is not None


@dataclass(frozen=True)
class Verdict:
    """What some values of labels are.

    Attributes:
        left_out: those that are no labels.
        problems: what to tell of them, and of those that may be none.
    """

    left_out: frozenset[object] = frozenset()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class MissingRule:
    """Decides which values are no labels.

    Args:
        declared: the user's ``label_nodata``; then nothing else is left out.
        classes: whether values are classes, not quantities.
    """

    declared: tuple[str, ...]
    classes: bool

    def is_missing_text(self, text: str) -> bool:
        """Return whether a text in a field stands for a missing value."""
        if not self.declared:
            return means_nothing(text)
        return not name_key(text) or name_key(text) in map(name_key, self.declared)

    def judge(
        self,
        counts: Mapping[object, int],
        what: str,
        where: str,
        *,
        total: int,
        names: Optional[Mapping[int, str]] = None,
    ) -> Verdict:
        """Return which of the values of one file are no labels.

        Args:
            counts: by value how many features or pixels hold it; numbers or texts.
            what: of what there are so many: ``feature`` or ``pixel``.
            where: how messages call field and file.
            total: how many there are in all.
            names: of values, in a legend.
        """
        numbers = _numbers(counts)
        if self.declared:
            wanted = {value for text in self.declared for value in _number(text)}
            texts = set(map(name_key, self.declared))
            found = {v for v in counts if numbers.get(v) in wanted or _key(v) in texts}
            return Verdict(frozenset(found))
        certain, doubtful = _codes(numbers, counts, self.classes, names or {})
        problems = [
            *(_left_out(v, counts[v], total, what, where, numbers, counts) for v in certain),
            *(_suspect(v, counts[v], total, what, where) for v in doubtful),
        ]
        return Verdict(frozenset(certain), tuple(problems))


def words_problem(words: Mapping[str, int], where: str) -> Problem:
    """Return what to tell of texts in a field that stand for a missing value.

    Args:
        words: by text how many features hold it.
        where: how messages call field and file.
    """
    listed = ", ".join(f"{word!r} ({count})" for word, count in sorted(words.items()))
    holds = counted(sum(words.values()), "feature holds", "features hold")
    return Problem(
        "undeclared_label_nodata",
        f"{holds} a text in {where} that stands for no value, and "
        f"{'are' if sum(words.values()) > 1 else 'is'} left out: {listed}.",
        _HINT,
        values={"words": dict(words)},
    )


def _key(value: object) -> Optional[str]:
    return name_key(value) if isinstance(value, str) else None


def _number(text: str) -> tuple[float, ...]:
    try:
        return (float(text),)
    except ValueError:
        return ()


def _numbers(counts: Mapping[object, int]) -> dict[object, float]:
    """Return the numbers that values are; texts count where all of them are whole numbers."""
    found: dict[object, float] = {}
    for value in counts:
        if isinstance(value, (int, float)):
            found[value] = float(value)
        elif isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
            found[value] = float(value)
        else:
            return {}
    return found


def _is_known(number: float) -> bool:
    """Return whether programs write this number where there is no value."""
    if abs(number) >= _HUGE or number in _LIMITS or number == -1:
        return True
    return number.is_integer() and _NINES.fullmatch(str(int(number))) is not None


def _codes(
    numbers: Mapping[object, float],
    counts: Mapping[object, int],
    classes: bool,
    names: Mapping[int, str],
) -> tuple[list[object], list[object]]:
    """Return the values that are certainly no labels, and those that may be none."""
    odd = {v for v, n in numbers.items() if n <= _LARGEST_CODE and not _is_known(n)}
    huge = {v for v, n in numbers.items() if _HUGE <= abs(n) < _BEYOND}
    some = {v for v, n in numbers.items() if _is_known(n) and v not in huge}
    codes = some | (odd if len(odd) == 1 else set()) | (huge if len(huge) <= _FEW else set())
    rest = {v: n for v, n in numbers.items() if v not in codes}
    if not rest:
        return [], []
    low, high = min(rest.values()), max(rest.values())
    nameless = len(rest) > 1 and bool(names) and all(names.get(int(n)) for n in rest.values())
    certain, doubtful = [], []
    for value in sorted(codes, key=lambda v: numbers[v]):
        number = numbers[value]
        if low <= number <= high:
            continue
        distance = low - number if number < low else number - high
        far = distance > high - low and len(rest) > 1
        sure = (
            abs(number) >= _BEYOND
            or (names.get(int(number)) and means_nothing(names[int(number)]))
            or (nameless and not names.get(int(number)))
            or (far and _may_be_left_out(number, counts[value], classes, low))
            or (low >= 0 and number <= _LARGEST_CODE and value in some and len(rest) > 1)
        )
        if sure:
            certain.append(value)
        elif _may_be_meant(number, counts[value], classes, far, low):
            doubtful.append(value)
    return certain, doubtful


def _may_be_left_out(number: float, count: int, classes: bool, low: float) -> bool:
    """Return whether a number that lies far from all others is no label without a doubt."""
    if number == -1 or (classes and 0 < number < _HUGE and number not in _LIMITS):
        return False
    if not _is_known(number) and low < 0:
        return False
    return classes or count > 1 or (number < 0 and _is_known(number))


def _may_be_meant(number: float, count: int, classes: bool, far: bool, low: float) -> bool:
    """Return whether to ask for a number that is not left out."""
    if number == -1:
        return low >= 0 and (classes or count > 1)
    if not _is_known(number):
        return far
    return classes or far or number < 0 or count > 1


def _left_out(
    value: object,
    count: int,
    total: int,
    what: str,
    where: str,
    numbers: Mapping[object, float],
    counts: Mapping[object, int],
) -> Problem:
    others = [numbers[v] for v in counts if v != value and not _is_known(numbers[v])]
    beside = f" (the others: {min(others):g} to {max(others):g})" if others else ""
    return Problem(
        "undeclared_label_nodata",
        f"{_hold(count, total, what)} {_shown(value)} in {where}{beside}: it is taken as no label, "
        "and they are left out.",
        _HINT,
        values={"value": numbers[value], "count": count, "of": total},
    )


def _suspect(value: object, count: int, total: int, what: str, where: str) -> Problem:
    return Problem(
        "possible_label_nodata",
        f"{_hold(count, total, what)} {_shown(value)} in {where}, which often means no label; here "
        "it counts as one.",
        f"Where it means none, declare it: label_nodata {_shown(value)}.",
        values={"value": float(str(value)), "count": count, "of": total},
    )


def _hold(count: int, total: int, what: str) -> str:
    return f"{count} of {counted(total, what)} {'holds' if count == 1 else 'hold'}"


def _shown(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
