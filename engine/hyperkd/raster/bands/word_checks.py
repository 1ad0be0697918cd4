"""What a file says in words, held against its numbers: refused, severe, or told."""

from __future__ import annotations

from collections.abc import Sequence

from hyperkd.errors import HyperKDError
from hyperkd.problems import WARNING, Problem
from hyperkd.raster.bands.reflectance import PERCENTILE, Brightness
from hyperkd.raster.bands.words import (
    CALLED,
    CAMERA,
    COUNTS,
    RADIANCE,
    REFLECTANCE,
    RRS,
    UNIT_OF_BAND,
    Saying,
)

# Rrs of bright sand under shallow water; most surfaces on land reflect more.
_BRIGHTEST_RRS = 0.1
_HINTS = {
    RADIANCE: "Use surface reflectance (Level 2A), or correct the radiance for the atmosphere. If "
    "it is reflectance all the same, give the scale.",
    RRS: "Reflectance is pi times Rrs: give the scale 3.14159, times that of the file if any.",
}


def refuse_unit(words: Sequence[Saying]) -> None:
    """Refuse values whose unit is that of radiance, or of reflectance per steradian.

    The unit of the whole file may be left over from what it was made of, so it does not count
    against words of reflectance.

    Raises:
        HyperKDError: ``bad_scale``.
    """
    reflects = any(word.kind == REFLECTANCE for word in words)
    for word in words:
        of_bands = word.where.startswith(UNIT_OF_BAND)
        if word.kind in _HINTS and word.is_unit and (of_bands or not reflects):
            said = str(word)
            if of_bands:
                number = word.where[len(UNIT_OF_BAND) + 1 :]
                said = f"Band {number} has the unit {word.text!r}: {CALLED[word.kind]}"
            raise HyperKDError(
                "bad_scale", f"{said}, not reflectance.", _HINTS[word.kind], unit=word.text
            )


def contradicting(words: Sequence[Saying]) -> str:
    """Return as sentences what a file says that its values are, where not reflectance."""
    return " ".join([f"{word}." for word in words if word.kind != REFLECTANCE][:2])


def says_reflectance(words: Sequence[Saying]) -> bool:
    """Return whether the unit of the values is stated to be reflectance."""
    return any(word.kind == REFLECTANCE and word.is_unit for word in words)


def word_problems(
    words: Sequence[Saying], brightness: Brightness, scale: float, declared: bool
) -> list[Problem]:
    """Return what to tell where words say something else than plausible numbers.

    Args:
        words: what the file says.
        brightness: that of sampled values.
        scale: what makes them reflectance.
        declared: whether the file declares a scale.

    Raises:
        HyperKDError: ``bad_scale`` where words and numbers agree on reflectance per steradian.
    """
    percentile = brightness.overall * scale
    reflects = next((word for word in words if word.kind == REFLECTANCE), None)
    for word in words:
        if word.kind == RRS and percentile <= _BRIGHTEST_RRS:
            raise HyperKDError("bad_scale", f"{word}, not reflectance.", _HINTS[RRS])
    counts = [word for word in words if word.kind == COUNTS]
    if counts and all(word.where == CAMERA for word in counts) and (declared or reflects):
        counts = []  # programs keep the keys of the camera when they calibrate
    if any(word.is_unit for word in counts) or (len(counts) > 1 and not reflects):
        return [_raw(counts, warning=declared or reflects is not None)]
    others = [word for word in words if word.kind in (RADIANCE, RRS)] or counts
    if not others:
        return []
    also = f" {reflects}." if reflects else ""
    return [
        Problem(
            "words_contradict",
            f"{others[0]}, but the numbers look like reflectance ({PERCENTILE:g}th percentile "
            f"{percentile:.3g}).{also} They are taken as reflectance.",
            "Make sure that they are; if so, correct the text.",
            values={"said": others[0].kind, "percentile": percentile},
        )
    ]


def _raw(counts: Sequence[Saying], *, warning: bool) -> Problem:
    said = "; ".join(f"{word.where} says {word.text!r}" for word in counts)
    return Problem(
        "raw_counts",
        f"The values seem to be {CALLED[COUNTS]}, not reflectance: {said}.",
        "Calibrate them to reflectance.",
        WARNING if warning else "",
        {"said": [word.text for word in counts]},
    )
