"""Which values of a raster are missing though their pixel carries a spectrum."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.problems import Problem
from hyperkd.raster.masks import fill_mask, has_value
from hyperkd.raster.source import RasterSource
from hyperkd.spectral.missing_bands import in_vapour
from hyperkd.types import BandTable, BoolArray, Ints, Tile

# A pixel that lacks more of its bands is left as it is: one detector may be missing, and a
# quarter of the bands is also what tells undeclared fill (``fill_mask``).
MOST_MISSING: Final = 0.25
_FEWEST_BANDS: Final = 3


@dataclass(frozen=True, eq=False)
class BandRoles:
    """What is done with each band of a raster; indices are 0-based.

    Attributes:
        measured: bands whose values stand, and whose single missing values are filled.
        replaced: bad bands of which every value is filled.
        left: bad bands that are left as they are.
        constant: those among ``left`` that nobody flags, but that hold one number only.
    """

    measured: Ints
    replaced: Ints
    left: Ints
    constant: Ints

    @classmethod
    def of(cls, source: RasterSource, vapour: bool) -> BandRoles:
        """Return the roles in a raster.

        Args:
            vapour: whether bad bands in the ranges of water vapour are filled too.

        Raises:
            HyperKDError: ``band_mismatch`` where too few bands are measured.
        """
        table = source.bands
        empty, constant = (
            _named(source.problems, code, len(table)) for code in ("empty_bands", "constant_bands")
        )
        wanted = np.ones(len(table), bool) if vapour else ~in_vapour(table.wavelengths.centre_nm)
        bad = ~table.good
        # A band without data in a sample may hold some elsewhere: these values stand.
        measured = table.good | (bad & empty & wanted)
        replaced = bad & wanted & ~empty & ~constant
        left = ~measured & ~replaced
        count = int(table.good.sum())
        if count < _FEWEST_BANDS:
            raise HyperKDError(
                "band_mismatch",
                f"{source.path} has {count} good bands; nothing can be restored from fewer than "
                f"{_FEWEST_BANDS}.",
                "Choose a hyperspectral raster, or correct its bad bands (bbl).",
            )
        roles = (measured, replaced, left, left & constant)
        return cls(*(np.flatnonzero(flags) for flags in roles))

    def restored(self, table: BandTable) -> BandTable:
        """Return the table of the output: bands that were bad and are filled are good."""
        good = table.good.copy()
        good[self.measured] = True
        good[self.replaced] = True
        return replace(table, good=good)


def _named(problems: Iterable[Problem], code: str, count: int) -> BoolArray:
    """Return the bands that a problem of a raster names."""
    flags = np.zeros(count, bool)
    for problem in problems:
        if problem.code == code:
            flags[np.array(problem.values["bands"]) - 1] = True
    return flags


@dataclass(frozen=True, eq=False)
class Gaps:
    """What some rows lack.

    Attributes:
        carries: ``(row, col)`` pixels with a spectrum, complete or to be restored.
        missing: ``(measured band, row, col)`` values that are missing there; False elsewhere.
        lacking: ``(row, col)`` pixels that lack too much and are left as they are.
        masked: ``(row, col)`` pixels with values that the raster's own mask leaves out.
    """

    carries: BoolArray
    missing: BoolArray
    lacking: BoolArray
    masked: BoolArray


@dataclass(frozen=True, eq=False)
class MissingValues:
    """Tells missing values of a raster's full-width tiles.

    Attributes:
        roles: what is done with each band.
        tiny: whether values nearly but not quite 0 mean "no value".
        is_masked: whether the raster has a mask of its own, which tiles tell as ``valid``.
        faulty: ``(measured band, col)`` columns whose values count as missing, or None.
    """

    roles: BandRoles
    tiny: bool
    is_masked: bool
    faulty: Optional[BoolArray] = None

    @classmethod
    def of(cls, source: RasterSource, roles: BandRoles) -> MissingValues:
        """Return what tells the missing values of a raster."""
        tiny = any(problem.code == "tiny_values" for problem in source.problems)
        return cls(roles, tiny, source.masked)

    def gaps(self, tile: Tile) -> Gaps:
        """Return what a full-width tile of all bands lacks."""
        measured, table, data = self.roles.measured, tile.bands, tile.data
        present = np.stack(
            [has_value(data[band], float(table.nodata[band]), self.tiny) for band in measured]
        )
        good = table.good[measured]
        any_value, complete = present.any(axis=0), present[good].all(axis=0)
        if self.faulty is not None:
            present &= ~self.faulty[:, np.newaxis]
        most = max(1, int(MOST_MISSING * good.sum()))
        count = present[good].sum(axis=0)
        enough = (count > 0) & (count >= good.sum() - most)
        fill = fill_mask(data, table, any_value)
        # Products leave out pixels that have all values, by what comes with them.
        masked = (any_value if self.is_masked else complete & ~fill) & ~tile.valid
        known = any_value & ~masked & ~fill
        carries = known & enough
        lacking = any_value & ~masked & ~carries & ~(complete & fill)
        return Gaps(carries, ~present & carries, lacking, masked)


def stored_as(
    values: NDArray[Any], band: int, table: BandTable, dtype: np.dtype[Any], nodata: Optional[float]
) -> NDArray[Any]:
    """Return reflectance as a band stores it, never as a value that means nodata.

    Args:
        values: reflectance, any shape.
        band: 0-based.
        table: of all bands.
        dtype: of stored values.
        nodata: the value for all bands of the output, or None.
    """
    stored = (values - table.offset[band]) / table.scale[band]
    taken = [value for value in (nodata, float(table.nodata[band])) if value is not None]
    if dtype.kind == "f":
        written: NDArray[Any] = stored.astype(dtype)
        for value in taken:
            step = max(float(np.spacing(np.abs(dtype.type(value)))), 1e-12)
            written[written == dtype.type(value)] = dtype.type(value + step)
        return written
    limits = np.iinfo(dtype)
    whole: NDArray[Any] = np.rint(stored).clip(float(limits.min), float(limits.max)).astype(dtype)
    for value in taken:
        if not np.isnan(value) and limits.min <= value <= limits.max:
            step = 1 if value < limits.max else -1
            whole[whole == value] = int(value) + step
    return whole
