"""Which bands are used: not flagged bad, not empty, not one number, and with a wavelength."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.problems import Problem
from hyperkd.raster.bands.band_table import BandDraft
from hyperkd.raster.bands.sampling import Sample
from hyperkd.types import BoolArray

# Of fewer values in a band nobody can say that they should differ; nor where the other bands
# hold hardly more than one number, as drawn scenes do.
_FEWEST_VALUES, _FEWEST_NUMBERS, _COUNTED = 20, 10, 1000


def good_bands(
    draft: BandDraft,
    present: BoolArray,
    sample: Sample,
    origins: dict[str, str],
    problems: list[Problem],
) -> BoolArray:
    """Return which bands are neither flagged bad nor without data or of one number in the sample.

    Args:
        draft: what metadata alone says.
        present: ``(band, pixel)`` which sampled values are no nodata and no fill.
        sample: the sampled pixels.
        origins, problems: are told what was found.

    Raises:
        HyperKDError: ``no_valid_pixels`` where all bands are flagged bad.
    """
    if not draft.good.any():
        raise HyperKDError(
            "no_valid_pixels",
            f"All {draft.good.size} bands are flagged bad ({draft.origins['good']}).",
            "The item bbl is 1 for a good band and 0 for a bad one: correct the band metadata.",
        )
    if not present[draft.good].any():
        problems.append(
            Problem("no_valid_sample", f"No band holds a valid value in {sample.place}.")
        )
        return draft.good
    constant = _constant_bands(draft.good, present, sample, origins, problems)
    empty = draft.good & ~present.any(axis=1)
    if empty.any():
        numbers = list_bands(np.flatnonzero(empty))
        problems.append(
            Problem(
                "empty_bands",
                f"No data in {sample.place} and therefore not used: {numbers}.",
                values={"bands": (np.flatnonzero(empty) + 1).tolist()},
            )
        )
        origins["good"] += f"; no data in {sample.place}: {numbers}"
    return np.asarray(draft.good & ~empty & ~constant)


def _constant_bands(
    good: BoolArray,
    present: BoolArray,
    sample: Sample,
    origins: dict[str, str],
    problems: list[Problem],
) -> BoolArray:
    """Return which bands hold one number in every sampled pixel, while others do not.

    Retrievals fill the bands between their windows so, for instance with -0.01.
    """
    told = good & (present.sum(axis=1) >= _FEWEST_VALUES)
    constant = np.array(
        [
            flag and bool((band[mask] == band[mask][0]).all())
            for flag, band, mask in zip(told, sample.pixels, present)
        ]
    )
    none: BoolArray = np.zeros(good.shape, bool)
    if not constant.any():
        return none
    others = np.flatnonzero(told & ~constant)
    numbers = [len(np.unique(sample.pixels[i][present[i]][:_COUNTED])) for i in others]
    if not numbers or np.median(numbers) < _FEWEST_NUMBERS:
        return none
    held = {float(sample.pixels[index][present[index]][0]) for index in np.flatnonzero(constant)}
    shown = ", ".join(f"{value:g}" for value in sorted(held)[:3]) + (
        ", ..." if len(held) > 3 else ""
    )
    listed = list_bands(np.flatnonzero(constant))
    problems.append(
        Problem(
            "constant_bands",
            f"One number ({shown}) in every pixel of {sample.place} and therefore not used: "
            f"{listed}.",
            values={"bands": (np.flatnonzero(constant) + 1).tolist(), "numbers": sorted(held)},
        )
    )
    origins["good"] += f"; one number in {sample.place}: {listed}"
    return constant


def require_wavelengths(draft: BandDraft, good: BoolArray) -> None:
    """Refuse a good band without a usable wavelength.

    Raises:
        HyperKDError: ``no_wavelengths`` or ``bad_wavelengths``.
    """
    lacking = [index for index in sorted(draft.unusable) if good[index]]
    if not lacking:
        return
    missing = [index for index in lacking if draft.unusable[index] == "missing"]
    place = draft.origins["wavelength"]
    if missing:
        raise HyperKDError(
            "no_wavelengths",
            f"{len(missing)} of {good.size} bands have no wavelength ({place}): "
            f"{list_bands(missing)}.",
            "Remove bands that are not part of the spectrum, mark them as bad (bbl = 0), or give "
            "a band table as CSV.",
            bands=[index + 1 for index in missing],
        )
    shown = ", ".join(f"band {index + 1}: {draft.unusable[index]}" for index in lacking[:5])
    raise HyperKDError(
        "bad_wavelengths",
        f"Wavelengths must be positive numbers, but the {place} has {shown}"
        f"{' and more' if len(lacking) > 5 else ''}.",
        "Correct the band metadata, mark these bands as bad (bbl = 0), or give a band table "
        "as CSV.",
        bands=[index + 1 for index in lacking],
    )


def list_bands(indices: Sequence[int] | NDArray[np.intp]) -> str:
    """Return 0-based bands as text, counted from 1: ``bands 1, 130-135``."""
    runs: list[list[int]] = []
    for index in sorted(int(value) + 1 for value in indices):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    shown = ", ".join(f"{low}" if low == high else f"{low}-{high}" for low, high in runs)
    return f"band{'' if len(indices) == 1 else 's'} {shown}"
