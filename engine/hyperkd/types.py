"""The vocabulary of the engine: wavelengths, band tables, grids, windows, tiles.

Arrays are ``(band, row, col)``. A float that has a unit carries it in its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Protocol

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.problems import Problem

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
Ints = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
GeoTransform = tuple[float, float, float, float, float, float]


def _frozen(values: Any, dtype: Any) -> NDArray[Any]:
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Wavelengths:
    """Band centres in nanometres, in the order of the file.

    Attributes:
        centre_nm: ``(bands,)`` float64, finite, strictly positive.
        fwhm_nm: ``(bands,)`` float64 full width at half maximum, or None.

    Raises:
        HyperKDError: ``bad_wavelengths`` where a value is not finite, not
            positive, or the lengths differ.
    """

    centre_nm: FloatArray
    fwhm_nm: Optional[FloatArray] = None

    def __post_init__(self) -> None:
        centre = _frozen(self.centre_nm, np.float64)
        object.__setattr__(self, "centre_nm", centre)
        _require_positive("wavelength", centre)
        if self.fwhm_nm is not None:
            fwhm = _frozen(self.fwhm_nm, np.float64)
            object.__setattr__(self, "fwhm_nm", fwhm)
            if fwhm.shape != centre.shape:
                raise HyperKDError(
                    "bad_wavelengths",
                    f"{fwhm.size} FWHM values for {centre.size} wavelengths.",
                    "Give one FWHM per band or none at all.",
                )
            _require_positive("FWHM", fwhm)

    def __len__(self) -> int:
        return int(self.centre_nm.size)

    def take(self, indices: Sequence[int] | NDArray[Any]) -> Wavelengths:
        """Return the wavelengths of the bands at ``indices`` (0-based), in that order."""
        index = np.asarray(indices, dtype=np.intp)
        return Wavelengths(
            self.centre_nm[index], None if self.fwhm_nm is None else self.fwhm_nm[index]
        )


def _require_positive(what: str, values: FloatArray) -> None:
    if values.ndim != 1 or values.size == 0:
        raise HyperKDError(
            "bad_wavelengths",
            f"{what} values must be a list of at least one number, got shape {values.shape}.",
            "Check the band metadata of the raster.",
        )
    bad = np.flatnonzero(~np.isfinite(values) | (values <= 0))
    if bad.size:
        shown = ", ".join(f"band {i + 1}: {values[i]:g}" for i in bad[:5])
        raise HyperKDError(
            "bad_wavelengths",
            f"{what} must be a positive number in nm, but {shown}"
            f"{' and more' if bad.size > 5 else ''}.",
            "Correct the band metadata, or mark these bands as bad (bbl = 0).",
            bands=[int(i) + 1 for i in bad],
        )


@dataclass(frozen=True, eq=False)
class BandTable:
    """What is known about the bands of a raster, in the order of the file.

    Attributes:
        wavelengths: centre and FWHM of each band in nm.
        good: ``(bands,)`` bool, False for a bad band (``bbl = 0`` or no data at all).
        scale: ``(bands,)`` float64; reflectance (0 to 1) = stored value x scale + offset.
        offset: ``(bands,)`` float64, in reflectance.
        nodata: ``(bands,)`` float64 in stored values, NaN where a band declares none.
        names: band descriptions as the file gives them, or empty strings.
        origins: where each kind of value was read, for instance
            ``{"wavelength": "band metadata 'wavelength'", "scale": "band scale"}``.
    """

    wavelengths: Wavelengths
    good: BoolArray
    scale: FloatArray
    offset: FloatArray
    nodata: FloatArray
    names: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.wavelengths)
        for name, dtype in (
            ("good", np.bool_),
            ("scale", np.float64),
            ("offset", np.float64),
            ("nodata", np.float64),
        ):
            array = _frozen(getattr(self, name), dtype)
            object.__setattr__(self, name, array)
            if array.shape != (count,):
                raise ValueError(f"{name} has shape {array.shape}, expected ({count},)")
        object.__setattr__(self, "names", tuple(self.names) or ("",) * count)
        if len(self.names) != count:
            raise ValueError(f"{len(self.names)} names for {count} bands")
        bad = np.flatnonzero(~np.isfinite(self.scale) | (self.scale == 0))
        if bad.size:
            raise HyperKDError(
                "bad_scale",
                f"Band {bad[0] + 1} has the scale {self.scale[bad[0]]:g}.",
                "The scale turns stored values into reflectance and cannot be 0 or NaN.",
            )

    def __len__(self) -> int:
        return len(self.wavelengths)

    def take(self, indices: Sequence[int] | NDArray[Any]) -> BandTable:
        """Return the table of the bands at ``indices`` (0-based), in that order."""
        index = np.asarray(indices, dtype=np.intp)
        return BandTable(
            self.wavelengths.take(index),
            self.good[index],
            self.scale[index],
            self.offset[index],
            self.nodata[index],
            tuple(self.names[i] for i in index),
            self.origins,
        )


@dataclass(frozen=True)
class GridSpec:
    """Size and geometry of a raster, copied verbatim and never resampled.

    Attributes:
        width, height: size in pixels.
        geotransform: GDAL's six numbers, or None where the raster has none.
        crs_wkt: coordinate reference system as WKT, or an empty string.
        gcps: ground control points as ``(pixel, line, x, y, z, id)``, mostly empty.
        gcp_crs_wkt: their coordinate reference system as WKT.
    """

    width: int
    height: int
    geotransform: Optional[GeoTransform] = None
    crs_wkt: str = ""
    gcps: tuple[tuple[float, float, float, float, float, str], ...] = ()
    gcp_crs_wkt: str = ""

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise HyperKDError(
                "empty_raster", f"The raster has {self.width} x {self.height} pixels."
            )

    @property
    def window(self) -> Window:
        """The window that covers the whole raster."""
        return Window(0, 0, self.width, self.height)

    def require_inside(self, window: Window) -> None:
        """Raise ``ValueError`` where a window reaches outside the raster."""
        if not self.window.contains(window):
            raise ValueError(f"{window} reaches outside the raster of {self.width} x {self.height}")


@dataclass(frozen=True, order=True)
class Window:
    """A rectangle of a raster in pixels: ``col``, ``row`` of its upper left, and its size."""

    col: int
    row: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a window needs at least one pixel, got {self}")

    @property
    def col_end(self) -> int:
        """First column right of the window."""
        return self.col + self.width

    @property
    def row_end(self) -> int:
        """First row below the window."""
        return self.row + self.height

    def intersection(self, other: Window) -> Optional[Window]:
        """Return the common part of two windows, or None where there is none."""
        col, row = max(self.col, other.col), max(self.row, other.row)
        width = min(self.col_end, other.col_end) - col
        height = min(self.row_end, other.row_end) - row
        return Window(col, row, width, height) if width > 0 and height > 0 else None

    def contains(self, other: Window) -> bool:
        """Return whether ``other`` lies wholly inside this window."""
        return self.intersection(other) == other

    def slices(self, inside: Optional[Window] = None) -> tuple[slice, slice]:
        """Return ``(rows, cols)`` slices of this window in an array that covers ``inside``.

        Without ``inside`` the array covers the raster from its upper left pixel.
        """
        row0, col0 = (0, 0) if inside is None else (inside.row, inside.col)
        return (
            slice(self.row - row0, self.row_end - row0),
            slice(self.col - col0, self.col_end - col0),
        )


@dataclass(frozen=True, eq=False)
class Tile:
    """Pixels with their mask, grid and bands: they never travel apart.

    Attributes:
        data: ``(band, row, col)`` in the stored dtype of the raster.
        valid: ``(row, col)`` bool, False where the pixel carries no spectrum.
        window: where the tile lies in ``grid``.
        grid: the whole raster's grid.
        bands: the table of exactly the bands in ``data``.
    """

    data: NDArray[Any]
    valid: BoolArray
    window: Window
    grid: GridSpec
    bands: BandTable

    def __post_init__(self) -> None:
        expected = (len(self.bands), self.window.height, self.window.width)
        if self.data.shape != expected:
            raise ValueError(f"tile data has shape {self.data.shape}, expected {expected}")
        if self.valid.shape != expected[1:]:
            raise ValueError(f"tile mask has shape {self.valid.shape}, expected {expected[1:]}")


class Reporter(Protocol):
    """Where long work tells how far it is, and learns that nobody wants it any more."""

    def stage(self, name: str) -> None:
        """Begin a stage; ``name`` is shown to the user."""

    def progress(self, done: float, total: float, unit: str) -> None:
        """Tell that ``done`` of ``total`` units of the current stage are finished."""

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        """Give named numbers of one step, for instance losses."""

    def log(self, level: str, message: str) -> None:
        """Say something; ``level`` is ``info`` or ``warning``."""

    def problem(self, problem: Problem, scene: str) -> None:
        """Say what is odd about a raster; ``scene`` is its name."""

    def artifact(self, role: str, path: str) -> None:
        """Name a finished output file; ``role`` is the job's field that asked for it."""

    def check_cancelled(self) -> None:
        """Raise ``HyperKDError("cancelled")`` where the job was cancelled; wait while paused."""

    def stop_requested(self) -> bool:
        """Return whether the job shall end soon, with the best result so far."""
