"""From field values to classes and targets: what may stand in a field, and legends."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional, Union

from hyperkd.errors import HyperKDError
from hyperkd.problems import Problem
from hyperkd.raster.labels.class_colours import colours_of
from hyperkd.raster.labels.class_names import (
    clean_name,
    has_decimal_comma,
    is_garbled,
    name_key,
    spelled,
)
from hyperkd.sentences import counted, some

ClassValue = Union[int, str]

# What float() takes beside it (1_000, other scripts' digits) nobody means.
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|[+-]?inf(?:inity)?", re.IGNORECASE
)
_HEX = re.compile(r"#[0-9a-fA-F]{6}")

# Class maps are uint8 with 0 for no data.
MAX_CLASSES = 255


@dataclass(frozen=True)
class LabelClass:
    """A class of the labels.

    Attributes:
        name: how people call it.
        value: what stands in the labels.
        colour: ``#rrggbb``.
    """

    name: str
    value: ClassValue
    colour: str


@dataclass(eq=False)
class ClassTable:
    """The classes met so far, in the order in which they were met.

    A value is met first as whatever the file holds; text and numbers do not mix.
    """

    _codes: dict[ClassValue, int] = field(default_factory=dict)
    _spellings: list[Counter[str]] = field(default_factory=list)
    _names: dict[ClassValue, tuple[str, str]] = field(default_factory=dict)
    _colours: dict[ClassValue, str] = field(default_factory=dict)
    _first: dict[str, str] = field(default_factory=dict)

    def code(self, value: ClassValue, where: str) -> int:
        """Return the number of a class that is found in the file ``where``."""
        key = name_key(value) if isinstance(value, str) else value
        if key not in self._codes:
            kind = "text" if isinstance(value, str) else "numbers"
            other = "numbers" if kind == "text" else "text"
            self._first.setdefault(kind, where)
            if other in self._first:
                raise HyperKDError(
                    "bad_labels",
                    f"The classes in {where} are {kind}, those in {self._first[other]} {other}.",
                    "Give all label files the same class values.",
                )
            self._codes[key] = len(self._codes)
            self._spellings.append(Counter())
        code = self._codes[key]
        if isinstance(value, str):
            self._spellings[code][value] += 1
        return code

    def describe(self, names: Mapping[int, str], colours: Mapping[int, str], where: str) -> None:
        """Keep what a class raster says about its values."""
        for value, name in names.items():
            known, file = self._names.setdefault(value, (name, where))
            if name_key(known) != name_key(name):
                raise HyperKDError(
                    "bad_labels",
                    f"The value {value} means {known} in {file}, but {name} in {where}.",
                    "Give all class rasters the same legend.",
                )
        for value, colour in colours.items():
            self._colours.setdefault(value, colour)

    @property
    def values(self) -> list[ClassValue]:
        """All values, by code; of text the spelling of most features, with single blanks."""
        return [
            clean_name(min(spellings, key=lambda s: (-spellings[s], s))) if spellings else key
            for key, spellings in zip(self._codes, self._spellings)
        ]

    def name(self, code: int) -> str:
        """Return how people call a class."""
        value = self.values[code]
        return clean_name(self._names.get(value, (str(value), ""))[0])

    def problems(self, codes: Sequence[int]) -> list[Problem]:
        """Return what is odd about the names of classes."""
        several = [s for code in codes if len(s := self._spellings[code]) > 1]
        found = [
            Problem(
                "class_name_variants",
                f"{counted(sum(s.values()), 'feature')} with the names {spelled(s)} are one class: "
                "they differ in letter case, blanks or Unicode form alone.",
                values={"names": sorted(s)},
            )
            for s in several
        ]
        garbled = [name for name in map(self.name, codes) if is_garbled(name)]
        if garbled:
            found.append(
                Problem(
                    "garbled_text",
                    f"Names of classes were decoded wrongly: {some(garbled)}.",
                    "Choose the encoding in the layer's properties (QGIS: Source), or save the "
                    "layer as UTF-8.",
                )
            )
        return found

    def legend(self, codes: Sequence[int], colours: Mapping[str, str]) -> tuple[LabelClass, ...]:
        """Return classes with their colours.

        Args:
            codes: which, in the order wanted.
            colours: the user's word, ``#rrggbb`` by value or name.

        Raises:
            HyperKDError: ``bad_labels`` for a colour that is none, and for a name of two values.
        """
        self._require_own_names(codes)
        given = {name_key(key): colour for key, colour in colours.items()}
        chosen: list[Optional[str]] = []
        for code in codes:
            value, name = self.values[code], self.name(code)
            colour = given.get(name_key(str(value)), given.get(name_key(name)))
            colour = self._colours.get(value) if colour is None else colour
            if colour is not None and not _HEX.fullmatch(colour):
                raise HyperKDError(
                    "bad_labels",
                    f"The class {name} has the colour {colour!r}.",
                    "Write colours as #rrggbb, for instance #009e73.",
                )
            chosen.append(colour and colour.lower())
        names = [self.name(code) for code in codes]
        return tuple(
            LabelClass(name, self.values[code], colour)
            for code, name, colour in zip(codes, names, colours_of(names, chosen))
        )

    def _require_own_names(self, codes: Sequence[int]) -> None:
        """Refuse classes that no map could tell apart."""
        values: dict[str, list[ClassValue]] = {}
        for code in codes:
            values.setdefault(name_key(self.name(code)), []).append(self.values[code])
        for same in values.values():
            if len(same) > 1:
                name = self.name(self.values.index(same[0]))
                raise HyperKDError(
                    "bad_labels",
                    f"The values {some(same)} are all called {name}.",
                    "Give each value a name of its own in the legend, or all the same value.",
                )


def class_value(raw: Union[str, int, float, None], name: str, where: str) -> Optional[ClassValue]:
    """Return the class that stands in a field as it is written, None where the field is empty.

    Raises:
        HyperKDError: ``bad_labels`` for a number that is not whole.
    """
    if raw is None:
        return None
    if isinstance(raw, str):
        return raw if clean_name(raw) else None
    if isinstance(raw, float):
        if math.isnan(raw):
            return None
        if not raw.is_integer():
            raise HyperKDError(
                "bad_labels",
                f"The field {name} of {where} holds {raw:g}, which is not a class.",
                "Classes are text or whole numbers; for a quantity choose the task regression.",
                field=name,
            )
    return int(raw)


def target_value(
    raw: Union[str, int, float, None], name: str, where: str, feature: str
) -> Optional[float]:
    """Return the number that stands in a field, None where it is empty, NaN or infinite.

    Raises:
        HyperKDError: ``bad_labels`` for text that is not a number.
    """
    if isinstance(raw, str) and clean_name(raw):
        if _NUMBER.fullmatch(raw.strip()) is None:
            raise HyperKDError(
                "bad_labels",
                f"The field {name} of {where} holds the text {raw!r} ({feature}), "
                "but a regression needs numbers.",
                "Write decimal points, not commas, and no thousands separators."
                if has_decimal_comma(raw)
                else "Choose a numeric field, or the task classification for a field of classes.",
                field=name,
            )
        raw = float(raw)
    if raw is None or isinstance(raw, str) or not math.isfinite(raw):
        return None
    return float(raw)


def require_fields(
    wanted: Sequence[str], fields: Mapping[str, str], where: str, task: str
) -> tuple[str, ...]:
    """Return the fields to read from a layer.

    Args:
        wanted: names the user gave; none: the only field that can be meant.
        fields: kind by name of all fields of the layer.
        where: how messages call the layer.
        task: ``classification`` or ``regression``.

    Raises:
        HyperKDError: ``bad_labels`` where a field is missing, of no use for the
            task, or nobody says which of several is meant.
    """
    use = ("text", "integer", "number")
    shown = ", ".join(f"{name} ({kind})" for name, kind in fields.items()) or "none at all"
    if not wanted:
        fit = [name for name, kind in fields.items() if kind in use]
        if len(fit) != 1:
            raise HyperKDError(
                "bad_labels",
                f"Which field of {where} holds the labels? Its fields are {shown}.",
                "Name the field.",
            )
        return (fit[0],)
    if task == "classification" and len(wanted) > 1:
        raise HyperKDError(
            "bad_labels",
            f"{len(wanted)} fields were given ({', '.join(wanted)}), but a pixel has one class.",
            "Name one field, or choose the task regression for several targets.",
        )
    for name in wanted:
        if name not in fields:
            near = difflib.get_close_matches(name.lower(), [n.lower() for n in fields], 1)
            meant = next((n for n in fields if near and n.lower() == near[0]), None)
            raise HyperKDError(
                "bad_labels",
                f"{where} has no field {name}; its fields are {shown}.",
                f"Did you mean {meant}?" if meant else "Name one of them.",
                field=name,
            )
        if fields[name] not in use:
            raise HyperKDError(
                "bad_labels",
                f"The field {name} of {where} is neither text nor a number.",
                f"Its fields are {shown}.",
                field=name,
            )
    return tuple(wanted)


def sort_key(value: ClassValue) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Return what sorts classes as people count: 2 before 10, also inside of text."""
    if not isinstance(value, str):
        return ((1, value, ""),), ""
    parts = re.split(r"(\d+)", value)
    return tuple((1, int(p), "") if p.isdecimal() else (0, 0, p) for p in parts), value
