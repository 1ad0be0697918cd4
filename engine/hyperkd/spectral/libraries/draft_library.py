"""From what a file stores to spectra: units, names and missing values, the same for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Optional

import numpy as np

from hyperkd.sentences import counted, some
from hyperkd.spectral.libraries.library import (
    FEWEST_BANDS,
    MOST_BANDS,
    MOST_SPECTRA,
    MOST_VALUES,
    Library,
    Spectrum,
    bad_library,
)
from hyperkd.spectral.libraries.library_units import reflectance_scale, wavelengths_nm
from hyperkd.types import FloatArray, Wavelengths

# As for rasters: noise at the ends of a spectrometer's range and in water vapour is no spectrum.
_LEAST: Final = -0.3
_MOST: Final = 3.2
_WILD: Final = f"Values beyond {_LEAST:g} to {_MOST:g} are no reflectance and were left out."


@dataclass(frozen=True, eq=False)
class Stored:
    """One spectrum as its file stores it.

    Attributes:
        centres: ``(bands,)`` wavelengths in ``unit``.
        values: ``(bands,)`` in ``value_unit``, NaN where missing.
        unit, value_unit: what the file says, or None.
        fwhm: ``(bands,)`` in ``unit``, or None.
        declared: the number that a reflectance of 1 is stored as, where the file says it.
    """

    name: str
    centres: FloatArray
    values: FloatArray
    unit: Optional[str] = None
    value_unit: Optional[str] = None
    fwhm: Optional[FloatArray] = None
    declared: Optional[float] = None


def finish(
    path: str,
    format: str,
    stored: Sequence[Stored],
    given: Optional[float],
    notes: Sequence[str] = (),
) -> Library:
    """Return the library of what a file stores.

    Spectra with the same unit of their values are looked at together.

    Args:
        path, format, notes: see ``Library``.
        given: the reflectance of a stored 1 that the user says, or None.

    Raises:
        HyperKDError: ``bad_library``.
    """
    if not stored:
        raise bad_library(path, "has no spectrum", "Use a file that holds spectra.")
    require_size(path, len(stored), max(each.values.size for each in stored))
    told: dict[str, None] = dict.fromkeys(notes)
    kept = [each for each in stored if _has_values(path, each)]
    if not kept:
        raise bad_library(
            path,
            f"has no spectrum with at least {FEWEST_BANDS} values",
            "Check what marks missing values in it.",
        )
    if len(kept) < len(stored):
        few = [each.name for each in stored if each not in kept]
        told[f"Spectra with fewer than {FEWEST_BANDS} values were left out: {some(few)}."] = None
    stored = kept
    scales: dict[tuple[Optional[str], Optional[float]], float] = {}
    for key in dict.fromkeys((each.value_unit, each.declared) for each in stored):
        values = [each.values for each in stored if (each.value_unit, each.declared) == key]
        scales[key], said = reflectance_scale(path, values, key[0], given, key[1])
        told.update(dict.fromkeys(said))
    spectra = []
    for each in stored:
        centres, said = wavelengths_nm(path, each.centres, each.unit)
        told.update(dict.fromkeys(said))
        fwhm = None
        if each.fwhm is not None:
            fwhm = each.fwhm * (centres[0] / each.centres[0])
        scaled = each.values * scales[each.value_unit, each.declared]
        with np.errstate(invalid="ignore"):
            wild = (scaled < _LEAST) | (scaled > _MOST)
        if wild.any() and wild.sum() <= np.isfinite(scaled).sum() - FEWEST_BANDS:
            scaled[wild] = np.nan
            told[_WILD] = None
        spectra.append(Spectrum(each.name, Wavelengths(centres, fwhm), scaled))
    told.update(dict.fromkeys(_notes(spectra)))
    return Library(path, format, tuple(spectra), tuple(told))


def require_size(path: str, spectra: int, bands: int) -> None:
    """Refuse a library that is larger than any real one.

    Raises:
        HyperKDError: ``bad_library``.
    """
    if spectra > MOST_SPECTRA or bands > MOST_BANDS or spectra * bands > MOST_VALUES:
        raise bad_library(
            path,
            f"has {spectra} spectra of {bands} bands, more than can be read",
            f"Read are up to {MOST_SPECTRA} spectra, {MOST_BANDS} bands and {MOST_VALUES} values.",
        )


def _has_values(path: str, each: Stored) -> bool:
    """Return whether a spectrum has values enough; refuse another number of wavelengths."""
    if each.values.shape != each.centres.shape:
        raise bad_library(
            path,
            f"has {each.values.size} values and {each.centres.size} wavelengths for {each.name!r}",
            "Give as many wavelengths as values.",
        )
    return int(np.isfinite(each.values).sum()) >= FEWEST_BANDS


def _notes(spectra: Sequence[Spectrum]) -> list[str]:
    notes = []
    missing = [each.name for each in spectra if not np.isfinite(each.values).all()]
    if missing:
        notes.append(f"{counted(len(missing), 'spectrum lacks', 'spectra lack')} some values.")
    dark = [each.name for each in spectra if not (np.nan_to_num(each.values) != 0).any()]
    if dark:
        notes.append(f"All values are 0 in {some(dark)}.")
    names = [each.name for each in spectra]
    twice = (
        [name for name in dict.fromkeys(names) if names.count(name) > 1] if _repeat(names) else []
    )
    if twice:
        notes.append(f"Several spectra have the same name: {some(twice)}.")
    return notes


def _repeat(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)
