"""The ASCII files of the USGS Spectral Library Version 7: a column of values each.

The first line names record, material, spectrometer and measurement; the wavelengths, in
micrometers, are a file of their own for each spectrometer, in the same folder or above it.
Deleted channels hold -1.23e34 (Kokaly et al. 2017, USGS Data Series 1035).
"""

from __future__ import annotations

import os
import re
from typing import Final, Optional

import numpy as np

from hyperkd.spectral.libraries.draft_library import Stored, finish
from hyperkd.spectral.libraries.library import Library, bad_library
from hyperkd.spectral.libraries.library_files import library_bytes, library_text, number_of
from hyperkd.types import FloatArray

FORMAT: Final = "USGS spectral library version 7"
_FIRST: Final = re.compile(r"^\s*s(?:plib)?07[ab]\w*\s+Record=\d+:\s*(.+?)\s*$")
_SPECTROMETER: Final = re.compile(r"^(ASD|BECK|NIC4|AVIRIS)", re.IGNORECASE)
_REFLECTANCE: Final = ("AREF", "RREF", "RTGC")
# How many folders above a spectrum's its wavelengths are looked for: chapters are folders.
_ABOVE: Final = 3
_MOST_FILES: Final = 100_000
_MOST_TEXT: Final = 4 * 2**20


def is_usgs(text: str) -> bool:
    """Return whether a text begins as a file of the library does."""
    return bool(_FIRST.match(text.split("\n", 1)[0]))


def read_usgs(path: str, text: str, scale: Optional[float], notes: list[str]) -> Library:
    """Return the spectrum of one file, with the wavelengths of its spectrometer.

    Raises:
        HyperKDError: ``bad_library``; also where there is no file of so many wavelengths.
    """
    title, values = _column(path, text)
    words = title.split()
    if "wavelength" in title.lower() or "bandpass" in title.lower():
        raise bad_library(path, f"holds {title!r}, not a spectrum", "Name the file of a spectrum.")
    measured = next((word for word in words[1:] if word in _REFLECTANCE), None)
    if measured is None and words[-1].isupper() and words[-1] in ("TRAN", "EMIT", "ABSB"):
        raise bad_library(
            path, f"is a measurement {words[-1]}, not reflectance", "Use a spectrum of reflectance."
        )
    tag = next((word for word in reversed(words) if _SPECTROMETER.match(word)), "")
    name = title.partition(f" {tag} ")[0].strip() if tag else title
    centres, where = _wavelengths(path, tag, values.size)
    stored = Stored(name, centres, values, "micrometers", "reflectance")
    return finish(path, FORMAT, [stored], scale, [*notes, f"Wavelengths are those of {where}."])


def _column(path: str, text: str) -> tuple[str, FloatArray]:
    """Return the title in the first line, and the numbers below it."""
    lines = text.splitlines()
    match = _FIRST.match(lines[0])
    numbers = [number_of(line) for line in lines[1:] if line.strip()]
    wrong = next((i for i, number in enumerate(numbers) if number is None), None)
    if match is None or wrong is not None or not numbers:
        what = "has no values" if wrong is None else f"has no number in line {wrong + 2}"
        raise bad_library(path, what, "Download the file again; it holds a number in each line.")
    return match.group(1), np.array(numbers, np.float64)


def _wavelengths(path: str, tag: str, count: int) -> tuple[FloatArray, str]:
    """Return the wavelengths of a spectrometer, and the name of their file."""
    family = _SPECTROMETER.match(tag)
    wanted = family.group(1).upper() if family else ""
    fitting: dict[str, FloatArray] = {}
    for name in _wavelength_files(path):
        if wanted and f"_{wanted}" not in os.path.basename(name).upper():
            continue
        text, _ = library_text(name, library_bytes(name, _MOST_TEXT))
        _, centres = _column(name, text)
        if centres.size == count and not any(
            np.array_equal(centres, known) for known in fitting.values()
        ):
            fitting[name] = centres
    if len(fitting) == 1:
        found, centres = next(iter(fitting.items()))
        return centres, os.path.basename(found)
    what = "no file" if not fitting else f"{len(fitting)} different files"
    raise bad_library(
        path,
        f"states no wavelengths, and there is {what} of {count} wavelengths"
        f"{' of ' + wanted if wanted else ''} beside it or above",
        "Put the file of its spectrometer beside it, for instance "
        "splib07a_Wavelengths_ASD_0.35-2.5_microns_2151_ch.txt.",
    )


def _wavelength_files(path: str) -> list[str]:
    """Return the files of wavelengths beside a spectrum, or in the nearest folder above it."""
    folder = os.path.dirname(os.path.abspath(path))
    for _ in range(1 + _ABOVE):
        found = []
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number > _MOST_FILES:
                    break
                if re.match(r"s(plib)?07[ab]\w*_Wavelengths_.*\.txt$", entry.name, re.IGNORECASE):
                    found.append(entry.path)
        if found:
            return sorted(found)
        folder = os.path.dirname(folder)
    return []
