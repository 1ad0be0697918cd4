"""Units of a library: stated, or inferred where the numbers allow one reading only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Optional

import numpy as np

from hyperkd.spectral.libraries.library import FEWEST_BANDS, bad_library
from hyperkd.types import FloatArray

NM_PER_UM: Final = 1000.0
_UNITS_HINT: Final = "State the unit of the wavelengths in the file: nanometers or micrometers."
_SCALE_HINT: Final = (
    "Give the reflectance of a stored 1 (target_scale), for instance 0.01 for percent, or state "
    "the unit in the file."
)
_NANO: Final = re.compile(r"\bnano\s*-?met(?:er|re)s?\b|(?:\b|_|\d)nm\b|^nm$", re.IGNORECASE)
_MICRO: Final = re.compile(
    r"\bmicro\s*-?met(?:er|re)s?\b|\bmicrons?\b|[\u00b5\u03bc]\s?m\b|(?:\b|_|\d)um\b",
    re.IGNORECASE,
)
_OTHER: Final = re.compile(
    r"wave\s*-?numbers?|cm\s*\^?\s*-\s*1|1/cm|\bindex\b|\bdate", re.IGNORECASE
)
_PER_CENT: Final = re.compile(r"per\s?cent(?:age)?|%", re.IGNORECASE)
_NO_REFLECTANCE: Final = re.compile(
    r"radiance|irradiance|absorbance|emissivity|transmittance|digital number|\bdn\b|w/m|log",
    re.IGNORECASE,
)
# No optical sensor measures below 0.1 um or beyond 100 um, so numbers up to 100 are micrometres
# and numbers from 100 on nanometres; a list that reaches over both sides is neither.
_BORDER: Final = 100.0
_LONGEST_NM: Final = 100_000.0
# As for rasters: snow and sunlit clouds reach 1.6. Numbers up to 160 may be percent.
_BRIGHTEST: Final = 1.6
_DARKEST: Final = 0.001
_PERCENTILE: Final = 90.0
_PER_10000: Final = 1e-4
PER_CENT: Final = 0.01


def wavelengths_nm(
    path: str, centres: FloatArray, unit: Optional[str]
) -> tuple[FloatArray, list[str]]:
    """Return wavelengths in nm, and what was inferred.

    Args:
        path: the library, for messages.
        centres: ``(bands,)`` as the file has them.
        unit: what the file says of their unit; None or an empty text where it says nothing.

    Raises:
        HyperKDError: ``bad_library`` where there are too few, one is no positive number, the
            unit is another one, or the numbers contradict it.
    """
    centres = np.asarray(centres, np.float64)
    if centres.ndim != 1 or centres.size < FEWEST_BANDS:
        raise bad_library(
            path,
            f"has {centres.size} wavelengths, but a spectrum needs at least {FEWEST_BANDS}",
            "Give a wavelength for each value of a spectrum.",
        )
    wrong = np.flatnonzero(~np.isfinite(centres) | (centres <= 0))
    if wrong.size:
        raise bad_library(
            path,
            f"has the wavelength {centres[wrong[0]]:g} at place {wrong[0] + 1}",
            "Wavelengths are positive numbers; correct the file.",
        )
    stated = stated_unit(path, unit)
    low, high = float(centres.min()), float(centres.max())
    fitting = {True: high <= _BORDER, False: low >= _BORDER and high <= _LONGEST_NM}
    if stated is not None:
        if not fitting[stated == NM_PER_UM]:
            raise bad_library(
                path,
                f"gives its wavelengths in {unit!r}, but they are {low:g} to {high:g}",
                _UNITS_HINT,
            )
        return centres * stated, []
    if not any(fitting.values()):
        raise bad_library(
            path,
            f"has wavelengths from {low:g} to {high:g} without a unit, which are neither "
            "nanometers nor micrometers",
            _UNITS_HINT,
        )
    micro = fitting[True]
    note = (
        f"The wavelengths have no unit; {low:g} to {high:g} were taken as "
        f"{'micrometers' if micro else 'nanometers'}."
    )
    return centres * (NM_PER_UM if micro else 1.0), [note]


def stated_unit(path: str, text: Optional[str]) -> Optional[float]:
    """Return the nm of the unit that a text states, or None where it states none.

    Raises:
        HyperKDError: ``bad_library`` where it states another one.
    """
    if not text or text.strip().lower() in ("", "unknown", "none", "n/a"):
        return None
    micro, nano = bool(_MICRO.search(text)), bool(_NANO.search(text))
    if micro != nano:
        return NM_PER_UM if micro else 1.0
    if micro or _OTHER.search(text):
        raise bad_library(
            path,
            f"gives {text.strip()[:60]!r} as the unit of its wavelengths",
            _UNITS_HINT,
        )
    return None


def reflectance_scale(
    path: str,
    spectra: Sequence[FloatArray],
    stated: Optional[str],
    given: Optional[float],
    declared: Optional[float] = None,
) -> tuple[float, list[str]]:
    """Return the reflectance of a stored 1, and what was inferred.

    The brightness of a spectrum is the 90th percentile of its values, so that the noise in
    bands of water vapour does not count; a library has one unit, so its darkest spectrum with
    any light must fit it too.

    Args:
        path: the library, for messages.
        spectra: stored values of each, NaN where missing.
        stated: what the file says of their unit.
        given: what the user says; believed.
        declared: a factor that the file declares, by which values are divided.

    Raises:
        HyperKDError: ``bad_library`` where they are no reflectance, or nothing says which unit.
    """
    if given is not None:
        if not np.isfinite(given) or given <= 0:
            raise bad_library(path, f"was given the scale {given:g}", "A scale is positive.")
        return float(given), []
    if stated and _NO_REFLECTANCE.search(stated) and "reflectance" not in stated.lower():
        raise bad_library(
            path,
            f"holds {stated.strip()[:60]!r}, which is not reflectance",
            "Use a library of reflectance.",
        )
    levels = [_level(values) for values in spectra]
    bright = [level for level in levels if level > 0] or [0.0]
    low, high = min(bright), max(bright)
    words = f"{low:.3g} to {high:.3g}" if len(spectra) > 1 else f"{high:.3g}"
    for factor, what in (
        (PER_CENT if stated and _PER_CENT.search(stated) else None, "percent"),
        (None if declared is None else 1.0 / declared, f"reflectance x {declared}"),
    ):
        if factor is None:
            continue
        if high * factor > _BRIGHTEST or 0 < high * factor < _DARKEST:
            raise bad_library(
                path, f"says {what}, but bright values of its spectra are {words}", _SCALE_HINT
            )
        return factor, []
    if high <= _BRIGHTEST:
        if 0 < high < _DARKEST:
            raise bad_library(
                path,
                f"has spectra whose bright values are {words}: too dark for reflectance 0 to 1",
                _SCALE_HINT,
            )
        return 1.0, [f"Values were taken as reflectance 0 to 1; bright ones are {words}."]
    fits = high > _BRIGHTEST / PER_CENT and high * _PER_10000 <= _BRIGHTEST
    if fits and low >= _DARKEST / _PER_10000:
        return _PER_10000, [f"Values were taken as reflectance x 10000; bright ones are {words}."]
    raise bad_library(
        path,
        f"does not say the unit of its values, and bright values of its spectra ({words}) fit "
        "neither reflectance 0 to 1 nor reflectance x 10000",
        _SCALE_HINT,
    )


def _level(values: FloatArray) -> float:
    """Return how bright a spectrum is, 0 for one without light or values."""
    finite = values[np.isfinite(values)]
    return float(np.percentile(finite, _PERCENTILE)) if finite.size else 0.0
