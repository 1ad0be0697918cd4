"""What a spectral library holds, and the refusal of one that cannot be used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final, Optional

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.sentences import some
from hyperkd.types import BandTable, FloatArray, Wavelengths

# A spectrum of one band has no shape.
FEWEST_BANDS: Final = 2
MOST_BANDS: Final = 100_000
MOST_SPECTRA: Final = 100_000
MOST_VALUES: Final = 50_000_000
# Of a text file; the whole of splib07 in ASCII is split over files of 30 kB.
MOST_BYTES: Final = 256 * 2**20


@dataclass(frozen=True, eq=False)
class Spectrum:
    """One spectrum of a library.

    Attributes:
        name: as the file says; several spectra may share it.
        wavelengths: centres and, where known, FWHM in nm, in the order of the file.
        values: ``(bands,)`` float64 reflectance, 0 to 1; NaN where it lacks a value.
    """

    name: str
    wavelengths: Wavelengths
    values: FloatArray

    def __post_init__(self) -> None:
        values = np.array(self.values, np.float64)
        if values.shape != (len(self.wavelengths),):
            raise ValueError(f"{values.shape} values for {len(self.wavelengths)} wavelengths")
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

    @property
    def bands(self) -> BandTable:
        """The spectrum's wavelengths as a table of bands; those without a value are bad."""
        count = len(self.wavelengths)
        return BandTable(
            self.wavelengths,
            np.isfinite(self.values),
            np.ones(count),
            np.zeros(count),
            np.full(count, np.nan),
        )


@dataclass(frozen=True, eq=False)
class Library:
    """The spectra of one file.

    Attributes:
        path: the file.
        format: what it was recognised as, for a sentence.
        spectra: in the order of the file, at least one.
        notes: what was inferred or left out, as full sentences.
    """

    path: str
    format: str
    spectra: tuple[Spectrum, ...]
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each spectrum."""
        return tuple(spectrum.name for spectrum in self.spectra)

    def find(self, name: Optional[str]) -> Spectrum:
        """Return the spectrum of a name.

        Args:
            name: its name, or ``#3`` for the third one; None where the library has only one.

        Raises:
            HyperKDError: ``bad_library`` where it is not there, or not the only one.
        """
        if name is None:
            if len(self.spectra) == 1:
                return self.spectra[0]
            raise bad_library(
                self.path,
                f"has {len(self.spectra)} spectra ({some(self.names)}), and none was named",
                "Give the name of one of them (library:name), or its number (library:#1).",
            )
        same = [spectrum for spectrum in self.spectra if spectrum.name == name]
        if not same:
            wanted = name.casefold()
            same = [each for each in self.spectra if each.name.casefold() == wanted]
        if not same and name[:1] == "#" and name[1:].isdecimal() and len(name) < 9:
            return self._numbered(int(name[1:]))
        if not same:
            raise bad_library(
                self.path,
                f"has no spectrum {name!r}, but {some(self.names)}",
                "Give the name as the library has it, or its number (#1).",
            )
        if len(same) > 1:
            numbers = [f"#{1 + self.spectra.index(spectrum)}" for spectrum in same]
            raise bad_library(
                self.path,
                f"has {len(same)} spectra named {name!r}: {some(numbers)}",
                "Give the number of one of them (library:#1).",
            )
        return same[0]

    def _numbered(self, number: int) -> Spectrum:
        if not 1 <= number <= len(self.spectra):
            raise bad_library(
                self.path,
                f"has no spectrum #{number}, only #1 to #{len(self.spectra)}",
                "Give the number of a spectrum, from 1 on.",
            )
        return self.spectra[number - 1]


def bad_library(path: str, what: str, hint: str) -> HyperKDError:
    """Return the refusal of a library.

    Args:
        path: its file.
        what: what is wrong, as the end of a sentence that begins with the file's name.
        hint: what to do, as a full sentence.
    """
    return HyperKDError(
        "bad_library", f"The library {os.path.basename(path)} {what}.", hint, path=path
    )
