"""The bands of a raster sorted by wavelength and grouped by detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.types import BoolArray, FloatArray, Wavelengths

Indices = NDArray[np.intp]

# A file in micrometres and one in nanometres differ in the last bits after
# conversion; rounded to a millionth of a nanometre they give the same weights.
_DECIMALS: Final = 6

# Above this share of bands at a wavelength that another band has too, the file
# is a stack of several images, not one spectrum.
_MAX_DUPLICATED: Final = 0.1

# The next band of a detector lies this many of its steps away ...
_STEP_RATIO: Final = (0.5, 2.5)
# ... and its FWHM differs by less than this share. Within EnMAP's detectors the
# largest change is 4.7 per cent (first band), between them at least 8.9 (902 nm).
_FWHM_CHANGE: Final = 0.06


@dataclass(frozen=True, eq=False)
class SortedBands:
    """The distinct good bands of a table, by wavelength and then by FWHM.

    Attributes:
        centre_nm: ``(nodes,)`` float64, ascending.
        fwhm_nm: ``(nodes,)`` float64 or None.
        node: ``(bands,)`` for each band of the table its place in ``centre_nm``, -1 for a bad one.
        detectors: the nodes of each detector, ascending; one detector on both
            sides of a gap counts twice. A single one where there is no FWHM,
            because detectors that overlap cannot be distinguished without it.
    """

    centre_nm: FloatArray
    fwhm_nm: Optional[FloatArray]
    node: Indices
    detectors: tuple[Indices, ...]

    def __len__(self) -> int:
        return int(self.centre_nm.size)

    @property
    def order(self) -> Indices:
        """``(bands,)`` the bands of the table by wavelength, the bad ones first."""
        return np.argsort(self.node, kind="stable")

    @property
    def duplicates(self) -> int:
        """How many good bands share wavelength and FWHM with another one."""
        counts = self.counts
        return int(counts[counts > 1].sum())

    @property
    def counts(self) -> Indices:
        """``(nodes,)`` number of bands of the table at each node."""
        return np.bincount(self.node[self.node >= 0], minlength=len(self))

    def detectors_at(self, wavelength_nm: float) -> list[Indices]:
        """Return the detectors whose first and last bands enclose ``wavelength_nm``."""
        return [
            detector
            for detector in self.detectors
            if self.centre_nm[detector[0]] <= wavelength_nm <= self.centre_nm[detector[-1]]
        ]

    def nearest(self, wavelength_nm: float) -> int:
        """Return the node nearest to ``wavelength_nm``, the lower one of two."""
        return int(np.abs(self.centre_nm - wavelength_nm).argmin())


def sort_bands(wavelengths: Wavelengths, good: Optional[BoolArray] = None) -> SortedBands:
    """Return the good bands by wavelength; the result does not depend on their order.

    Raises:
        HyperKDError: ``band_mismatch`` where no band is good; ``bad_wavelengths``
            where more than a tenth of them share a wavelength with another one.
    """
    keep = np.arange(len(wavelengths)) if good is None else np.flatnonzero(good)
    if not keep.size:
        raise HyperKDError(
            "band_mismatch",
            f"All {len(wavelengths)} bands are marked as bad.",
            "Correct the bad band list (bbl) of the raster.",
        )
    fwhm = wavelengths.fwhm_nm
    keys = np.stack(
        [
            np.round(wavelengths.centre_nm[keep], _DECIMALS),
            np.zeros(keep.size) if fwhm is None else np.round(fwhm[keep], _DECIMALS),
        ]
    )
    unique, inverse = np.unique(keys, axis=1, return_inverse=True)
    node = np.full(len(wavelengths), -1, dtype=np.intp)
    node[keep] = inverse.reshape(-1)
    centre, width = unique
    bands = SortedBands(
        centre,
        None if fwhm is None else width,
        node,
        (np.arange(centre.size),) if fwhm is None else _split_detectors(centre, width),
    )
    _require_one_spectrum(bands, wavelengths, keep)
    return bands


def _split_detectors(centre_nm: FloatArray, fwhm_nm: FloatArray) -> tuple[Indices, ...]:
    """Follow each detector through the sorted bands by its steady step and FWHM."""
    runs: list[list[int]] = []
    for band in range(centre_nm.size):
        best: Optional[list[int]] = None
        best_change = _FWHM_CHANGE
        for run in runs:
            last = run[-1]
            change = abs(fwhm_nm[band] / fwhm_nm[last] - 1)
            if change < best_change and _continues(centre_nm, run, band):
                best, best_change = run, change
        if best is None:
            runs.append([band])
        else:
            best.append(band)
    return tuple(np.array(run, dtype=np.intp) for run in runs)


def _continues(centre_nm: FloatArray, run: list[int], band: int) -> bool:
    """Return whether ``band`` lies about one step of ``run`` beyond its last band."""
    step = centre_nm[band] - centre_nm[run[-1]]
    if len(run) < 2:
        return bool(step > 0)
    ratio = step / (centre_nm[run[-1]] - centre_nm[run[-2]])
    return bool(_STEP_RATIO[0] <= ratio <= _STEP_RATIO[1])


def _require_one_spectrum(bands: SortedBands, wavelengths: Wavelengths, keep: Indices) -> None:
    if bands.duplicates <= _MAX_DUPLICATED * keep.size:
        return
    node = int(np.flatnonzero(bands.counts > 1)[0])
    same = np.flatnonzero(bands.node == node) + 1
    raise HyperKDError(
        "bad_wavelengths",
        f"{bands.duplicates} of {keep.size} good bands share their wavelength with another "
        f"band: bands {', '.join(str(band) for band in same[:5])} all have "
        f"{bands.centre_nm[node]:g} nm.",
        "Use a raster of one acquisition; where it holds several, write each to its own file.",
        bands=same.tolist(),
    )
