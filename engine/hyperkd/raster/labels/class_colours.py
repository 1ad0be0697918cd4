"""Colours of classes: by what their names say, and different ones for the others."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Optional

# Colours that people with any of the common colour vision deficiencies tell apart:
# Okabe and Ito (2008), without black, in an order that suits land cover maps; then
# the same hues lighter and darker for long legends.
_OKABE_ITO = ("#009e73", "#e69f00", "#56b4e9", "#d55e00", "#0072b2", "#f0e442", "#cc79a7")

# Shorter words are compared as a whole.
_LETTERS = 4

# What maps of land cover usually show things in, by how a word of their names begins or
# ends, in English and German. The first colour that fits is taken: "low vegetation" is none
# of trees, a "water meadow" is a meadow for its last word.
_USUAL: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("#2166ac", ("water", "lake", "river", "sea", "ocean", "pond", "wasser", "gewässer", "fluss")),
    ("#1b7837", ("tree", "forest", "wood", "wald", "baum", "bäume", "gehölz")),
    ("#a6d96a", ("grass", "meadow", "pasture", "vegetation", "lawn", "wiese", "weide", "rasen")),
    ("#78c679", ("shrub", "bush", "heath", "busch", "strauch", "heide")),
    ("#dfc27d", ("crop", "field", "arable", "farmland", "wheat", "maize", "acker", "feld")),
    ("#bf812d", ("soil", "bare", "sand", "clay", "boden", "lehm")),
    ("#c51b1d", ("roof", "building", "house", "dach", "dächer", "gebäude", "haus")),
    ("#7f7f7f", ("road", "street", "pavement", "asphalt", "concrete", "impervious", "sealed",
                 "straße", "strasse", "pflaster", "beton", "versiegelt")),
    ("#67a9cf", ("wetland", "marsh", "reed", "moor", "sumpf", "schilf")),
    ("#a0a0c8", ("rock", "stone", "gravel", "fels", "kies")),
    ("#e0f3ff", ("snow", "glacier", "schnee", "gletscher")),
    ("#404040", ("shadow", "shade", "schatten")),
)  # fmt: skip


def usual_colour(name: str) -> Optional[str]:
    """Return ``#rrggbb`` of what a name says, or None where it says nothing known."""
    words = re.findall(r"[^\W\d_]+", name.lower())
    for word in reversed(words):
        for colour, known in _USUAL:
            if any(_says(word, each) for each in known):
                return colour
    return None


def _says(word: str, known: str) -> bool:
    """Tell whether a word is a known one, or made of it: grassland, Laubwald."""
    if len(known) < _LETTERS:  # season is no sea
        return word in (known, f"{known}s")
    return word.startswith(known) or word.endswith(known)


def colours_of(names: Sequence[str], given: Sequence[Optional[str]]) -> list[str]:
    """Return a different colour for each class: the given ones, usual ones, then others.

    Args:
        names: of the classes.
        given: ``#rrggbb`` that must be taken, or None.
    """
    chosen = list(given)
    for place, name in enumerate(names):
        usual = usual_colour(name)
        if chosen[place] is None and usual is not None:
            chosen[place] = next(shade for shade in _shades(usual) if shade not in chosen)
    free = (colour for colour in palette(len(names) * 2) if colour not in chosen)
    return [colour or next(free) for colour in chosen]


def palette(count: int) -> list[str]:
    """Return ``count`` different colours, the first seven safe for colour-blind readers."""
    colours: list[str] = []
    for shades in zip(*(_shades(base) for base in _OKABE_ITO)):
        colours += [colour for colour in shades if colour not in colours]
        if len(colours) >= count:
            break
    return colours[:count]


def _shades(base: str) -> Iterator[str]:
    """Yield a colour, then lighter and darker ones in turn, without end."""
    for level in itertools.count():
        # 0, then 1/2 lighter, 1/2 darker, 1/4 lighter, 3/4 lighter, ...
        fraction = 0.0 if level == 0 else _van_der_corput((level + 1) // 2)
        towards = 255 if level % 2 else 0
        rgb = (int(base[i : i + 2], 16) for i in (1, 3, 5))
        yield "#" + "".join(f"{round(c + (towards - c) * fraction):02x}" for c in rgb)


def _van_der_corput(number: int) -> float:
    """Return 1/2, 1/4, 3/4, 1/8, ...: evenly spread however many are taken."""
    fraction, step = 0.0, 0.5
    while number:
        fraction += step * (number & 1)
        number, step = number >> 1, step / 2
    return fraction
