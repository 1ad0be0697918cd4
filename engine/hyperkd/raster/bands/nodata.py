"""Nodata values: declared per band, impossible ones, and those that nobody declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import NDArray

from hyperkd.problems import Problem
from hyperkd.raster.bands.band_table import RasterMetadata
from hyperkd.raster.bands.sampling import Sample
from hyperkd.raster.masks import (
    FEWEST_BANDS,
    LARGEST_SENTINEL,
    TINY,
    end_bands,
    has_value,
    impossible_values,
    representable,
)
from hyperkd.types import BandTable, BoolArray, FloatArray

# Pixels of one number in every band are told from here on; a few are chance, or broken.
_SOME = 0.005
# Deep water is black beyond 1000 nm, and products cut what is below 0; its blue is darker yet.
_BRIGHTER_THAN_WATER = 0.15


@dataclass(frozen=True)
class Nodata:
    """The nodata values of a raster.

    Attributes:
        values: ``(bands,)`` in stored values, NaN where there is none.
        origin: where they were read.
        tiny: whether values that are not 0 but nearly so mean "no value" too.
        problems: what is odd about them.
    """

    values: FloatArray
    origin: str
    tiny: bool = False
    problems: tuple[Problem, ...] = ()


def declared_nodata(
    metadata: RasterMetadata,
    given: Optional[float] = None,
    table: Union[BandTable, str, None] = None,
) -> Nodata:
    """Return the nodata values that somebody declares and the stored dtype can hold.

    Args:
        metadata: what the file declares.
        given: what the user says instead.
        table: a given band table: where its origins name nodata, it counts for
            bands for which the file declares none.
    """
    declared, dtype = [band.nodata for band in metadata.bands], metadata.dtype
    origin = "band nodata"
    values = np.array([np.nan if value is None else float(value) for value in declared])
    if given is not None:
        values, origin = np.full(len(declared), float(given)), "given by the user"
    elif isinstance(table, BandTable) and "nodata" in table.origins:
        undeclared = np.array([value is None for value in declared])
        origin = table.origins["nodata"] if undeclared.all() else origin
        values = np.where(undeclared, table.nodata, values)
    problems: list[Problem] = []
    impossible = sorted({v for v in values[~np.isnan(values)] if not representable(v, dtype)})
    if impossible:
        shown = ", ".join(f"{value:g}" for value in impossible)
        problems.append(
            Problem(
                "impossible_nodata",
                f"The nodata value {shown} cannot occur in {dtype} and is ignored.",
            )
        )
        values = np.where(np.isin(values, impossible), np.nan, values)
    if origin == "band nodata" and (impossible or all(value is None for value in declared)):
        origin = "none declared" if np.isnan(values).all() else origin
    return Nodata(values, origin, problems=tuple(problems))


def complete_nodata(nodata: Nodata, sample: Sample, good: BoolArray) -> Nodata:
    """Return the nodata values with those that only the sampled pixels show.

    Args:
        nodata: the declared values.
        sample: sampled pixels.
        good: ``(bands,)`` bands that are not flagged bad.
    """
    values, origin, problems = nodata.values, nodata.origin, list(nodata.problems)
    pixels = sample.pixels[good]
    if np.isnan(values).all() and len(pixels) >= FEWEST_BANDS:
        constant = pixels[0][(pixels == pixels[0]).all(axis=0)]
        found = _sentinel(constant)
        if found is not None:
            values, origin = np.full(values.shape, found), "inferred: every band holds it"
            fraction = np.mean(constant == found) * constant.size / pixels.shape[1]
            problems.append(
                Problem(
                    "undeclared_nodata",
                    f"No nodata value is declared, but every band holds {found:g} in "
                    f"{fraction:.1%} of the pixels of {sample.place}: taken as nodata.",
                    values={"value": found, "fraction": float(fraction)},
                )
            )
    tiny = False
    if pixels.dtype.kind == "f":
        size = np.abs(pixels)
        tiny = bool(((size > 0) & (size < TINY)).any())
    if tiny:
        problems.append(
            Problem("tiny_values", f"Values below {TINY:g} that are not 0 are taken as nodata.")
        )
    return Nodata(values, origin, tiny, tuple(problems))


def constant_pixels(pixels: NDArray[Any], good: BoolArray) -> BoolArray:
    """Return which sampled pixels hold one number in every good band, ``(pixel,)``."""
    used = pixels[good]
    if len(used) < FEWEST_BANDS:
        return np.zeros(pixels.shape[1], bool)
    return np.asarray((used == used[0]).all(axis=0))


def fill_problems(sample: Sample, bands: BandTable, nodata: Nodata) -> list[Problem]:
    """Return what to tell of sampled pixels that look like fill and are not the nodata value.

    Those that no spectrum can be are missing wherever they lie, see ``masks.fill_mask``;
    of the others nobody can be sure.
    """
    good = bands.good
    if np.count_nonzero(good) < FEWEST_BANDS:
        return []
    present = np.ones(sample.pixels.shape[1], bool)
    for values, value in zip(sample.pixels[good], bands.nodata[good]):
        present &= has_value(values, float(value), nodata.tiny)
    ends = end_bands(good)
    fills = [_impossible(sample, bands, part, present) for part in ends]
    fill, whole = np.logical_or.reduce(fills), np.logical_and.reduce(fills)
    problems = _told_fill(sample, bands, np.flatnonzero(good), whole)
    for part, found in zip(ends, fills):
        problems += _told_fill(sample, bands, part, found & ~whole)
    constant = present & ~fill & constant_pixels(sample.pixels, good)
    for part in ends if len(ends) > 1 else ():
        problems += _told_end(sample, bands, part, present & ~fill & ~constant)
    stored = sample.pixels[good][0][constant]
    declared = sorted(set(bands.nodata[good][~np.isnan(bands.nodata[good])].tolist()))
    but = f"nodata is {', '.join(f'{value:g}' for value in declared[:3])}"
    zeros = np.count_nonzero(stored == 0) / len(present)
    if zeros > (_SOME if declared else 0):
        problems.append(
            Problem(
                "undeclared_zeros",
                (f"Although {but}, " if declared else "No nodata value is declared, and ")
                + f"every band is 0 in {zeros:.1%} of the pixels of {sample.place}: if this is a "
                "border without data, declare nodata 0.",
                values={"fraction": float(zeros)},
            )
        )
    others, counts = np.unique(stored[stored != 0], return_counts=True)
    if counts.size and counts.max() >= max(2, _SOME * len(present)) and len(others) < len(present):
        value, fraction = float(others[np.argmax(counts)]), float(counts.max() / len(present))
        problems.append(
            Problem(
                "constant_spectra",
                f"Every band holds {value:g} in {fraction:.1%} of the pixels of {sample.place}, "
                "as no spectrum does; they count as values.",
                f"If they are fill, declare it: --nodata {value:g}.",
                values={"value": value, "fraction": fraction},
            )
        )
    return problems


def _impossible(
    sample: Sample, bands: BandTable, part: NDArray[np.intp], among: BoolArray
) -> BoolArray:
    """Return which sampled pixels hold fill in all bands of a part, ``(pixel,)``."""
    found = impossible_values(sample.pixels[:, np.newaxis], bands, part, among[np.newaxis])
    return np.asarray(found[0])


def _told_fill(
    sample: Sample, bands: BandTable, part: NDArray[np.intp], fill: BoolArray
) -> list[Problem]:
    """Return what to tell of pixels that are missing because of some bands or of all."""
    if not fill.any():
        return []
    spectra = sample.pixels[part][:, fill]
    low, high = float(spectra.min()), float(spectra.max())
    fraction = np.count_nonzero(fill) / fill.size
    shown = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return [
        Problem(
            "undeclared_fill",
            f"{_subject(bands, part)} {shown} in {fraction:.1%} of the pixels of {sample.place}, "
            "which is no reflectance and not the nodata value: such pixels are taken as missing "
            "everywhere.",
            values={"minimum": low, "maximum": high, "fraction": float(fraction)},
        )
    ]


def _told_end(
    sample: Sample, bands: BandTable, part: NDArray[np.intp], among: BoolArray
) -> list[Problem]:
    """Return what to tell of pixels that hold one number in a quarter of the bands only."""
    used = sample.pixels[part]
    # The largest number is where a detector saturates, see ``raw_counts``.
    same = among & (used == used[0]).all(axis=0) & (used[0] < used.max())
    scale, offset = bands.scale[bands.good], bands.offset[bands.good]
    spectra = sample.pixels[bands.good][:, same] * scale[:, np.newaxis] + offset[:, np.newaxis]
    land = (spectra > _BRIGHTER_THAN_WATER).any(axis=0)
    stored, counts = np.unique(used[0][same][land], return_counts=True)
    if not counts.size or counts.max() < max(2, _SOME * among.size):
        return []
    value, fraction = float(stored[np.argmax(counts)]), float(counts.max() / among.size)
    return [
        Problem(
            "partial_fill",
            f"{_subject(bands, part)} {value:g} in {fraction:.1%} of the pixels of "
            f"{sample.place} and the other bands do not; these pixels count as values.",
            f"If a detector has no data there, declare it: --nodata {value:g}.",
            values={"value": value, "fraction": fraction},
        )
    ]


def _subject(bands: BandTable, part: NDArray[np.intp]) -> str:
    if part.size == np.count_nonzero(bands.good):
        return "Every band holds"
    ends = bands.wavelengths.centre_nm[part]
    return f"All bands from {ends.min():.0f} to {ends.max():.0f} nm hold"


def _sentinel(constant: NDArray[Any]) -> Optional[float]:
    """Return the most frequent impossible value of pixels whose bands are all equal."""
    if constant.dtype.kind == "u":
        impossible = constant[constant == np.iinfo(constant.dtype).max]
    else:
        impossible = constant[constant <= LARGEST_SENTINEL]
    if impossible.size == 0:
        return None
    found, counts = np.unique(impossible, return_counts=True)
    return float(found[np.argmax(counts)])
