"""PRISMA L2D surface reflectance with its band flags and error matrices.

Structure: PRISMA Product Specification (ASI) as read by EnMAP-Box, prismaread and SNAP;
see docs/products.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.problems import Problem
from hyperkd.raster.bands.good_bands import list_bands
from hyperkd.raster.gdal.multidim import crs_wkt
from hyperkd.raster.products.array_product import ArrayProduct, contradiction, numbers
from hyperkd.raster.products.quality_masks import PixelTest
from hyperkd.types import BandTable, BoolArray, GridSpec, Wavelengths, Window

DN_NODATA: Final = -32768
SWATHS: Final = "/HDFEOS/SWATHS/PRS_L"
_FIELDS: Final = f"{SWATHS}2D_HCO/Data Fields/"
_PIXEL_M: Final = 30.0
_DETECTORS: Final = ("Vnir", "Swir")
# What the error matrices say of a value of level 2.
_INVALID, _NEGATIVE, _SATURATED = 1, 2, 3
# What is looked at to tell how much is missing; each row is one read of both cubes.
_SAMPLED_ROWS: Final = 16
_ALL_ROWS: Final = 64
_TOO_MANY: Final = 0.5


class PrismaL2D(ArrayProduct):
    """PRISMA L2D surface reflectance (.he5) as int16 reflectance x 10000.

    The file holds two uint16 cubes (row, band, col) in descending wavelength
    with unused slots. Here their used bands come in ascending wavelength.
    Reflectance = minimum + DN x (maximum - minimum) / 65535 with the detector's
    ``L2Scale*`` attributes. Without a value are: all bands of a detector whose DN
    are all 0, unless the error matrix says that values below 0 were cut off there, and
    values that the error matrix calls invalid. Bad are bands whose flag is 0, and those
    that the error matrix calls invalid in most pixels.

    Args:
        path: the .he5 file.

    Raises:
        HyperKDError: ``bad_product`` for another level or missing parts.
    """

    kind: ClassVar[str] = "PRISMA L2D"

    def _describe(self, path: Path) -> None:
        attributes = self._file.attributes()
        level = str(attributes.get("Processing_Level", "")).strip()
        if not self._file.has(_FIELDS + "VNIR_Cube"):
            raise HyperKDError(
                "bad_product",
                f"{path.name} is a PRISMA file of level {level or 'unknown'}, not L2D.",
                "HyperKD reads geocoded surface reflectance: order the scene as L2D.",
            )
        self._slots: list[tuple[str, int]] = []
        self._scaling: dict[str, tuple[float, float]] = {}
        columns: list[tuple[float, float, bool]] = []
        for detector in _DETECTORS:
            columns += self._detector(detector, attributes, path)
        table = np.array(columns)
        order = np.argsort(table[:, 0], kind="stable")
        self._slots = [self._slots[i] for i in order]
        self.grid = self._grid(attributes, path)
        self.dtype = np.dtype(np.int16)
        self.block_shape = (1, self.grid.width)
        good = table[order, 2] > 0
        self.problems = self._look(good)
        self.bands = BandTable(
            Wavelengths(table[order, 0], table[order, 1]),
            good=good,
            scale=np.full(len(order), 1e-4),
            offset=np.zeros(len(order)),
            nodata=np.full(len(order), float(DN_NODATA)),
            names=tuple(f"PRISMA {detector.upper()} {slot + 1}" for detector, slot in self._slots),
            origins={
                "wavelength": "root attributes List_Cw_Vnir, List_Cw_Swir",
                "units": "the PRISMA convention (nm)",
                "fwhm": "root attributes List_Fwhm_Vnir, List_Fwhm_Swir",
                "good": "root attributes List_Cw_*_Flags, and the error matrices",
                "scale": "root attributes L2ScaleVnirMin/Max, L2ScaleSwirMin/Max",
                "nodata": "detectors whose values are all 0, and the error matrices",
                "product": f"swath PRS_L2D_HCO, Processing_Level {level}",
            },
        )

    def _detector(
        self, detector: str, attributes: Mapping[str, Any], path: Path
    ) -> list[tuple[float, float, bool]]:
        """Return centre, width and flag of the used slots of a detector, and keep their places."""
        centres = numbers(attributes, f"List_Cw_{detector}", path)
        widths = numbers(attributes, f"List_Fwhm_{detector}", path)
        low, high = (
            numbers(attributes, f"L2Scale{detector}{end}", path)[0] for end in ("Min", "Max")
        )
        if not (np.isfinite((low, high)).all() and low < high):
            raise contradiction(path, f"L2Scale{detector}Min is {low:g}, Max {high:g}")
        flags: Sequence[float] = (1,) * len(centres)
        if f"List_Cw_{detector}_Flags" in attributes:
            flags = numbers(attributes, f"List_Cw_{detector}_Flags", path)
        if not len(widths) == len(flags) == len(centres):
            raise contradiction(
                path,
                f"{detector} has {len(centres)} wavelengths and {len(widths)} FWHM"
                + (f", {len(flags)} flags" if len(flags) != len(centres) else ""),
            )
        shape = self._shape_of(detector)
        if len(shape) != 3 or len(centres) > shape[1]:
            raise contradiction(
                path,
                f"the {detector} cube has the shape {shape} for {len(centres)} wavelengths",
            )
        errors = self._errors_of(detector)
        if self._file.has(errors) and self._file.shape(errors) != shape:
            raise contradiction(
                path,
                f"the {detector} cube has the shape {shape}, its error matrix "
                f"{self._file.shape(errors)}",
            )
        self._scaling[detector] = (low, (high - low) / 65535.0)
        used = [slot for slot, value in enumerate(centres) if value > 0]
        self._slots += [(detector, slot) for slot in used]
        return [(centres[slot], widths[slot], flags[slot] != 0) for slot in used]

    def _grid(self, attributes: Mapping[str, Any], path: Path) -> GridSpec:
        rows, _, cols = self._shape_of("Vnir")
        if self._shape_of("Swir")[::2] != (rows, cols):
            raise contradiction(
                path, f"its cubes have {self._shape_of('Vnir')} and {self._shape_of('Swir')} values"
            )
        # The corners are the centres of the corner pixels.
        east, north = (
            numbers(attributes, f"Product_ULcorner_{axis}", path)[0]
            for axis in ("easting", "northing")
        )
        for name, first, steps in (
            ("Product_LRcorner_easting", east, cols - 1),
            ("Product_LRcorner_northing", north, 1 - rows),
        ):
            if name in attributes and steps:
                pixel = (numbers(attributes, name, path)[0] - first) / steps
                if abs(pixel - _PIXEL_M) > 0.5:
                    raise contradiction(path, f"its corners are {pixel:g} m per pixel apart")
        half = _PIXEL_M / 2
        return GridSpec(
            cols,
            rows,
            (east - half, _PIXEL_M, 0.0, north + half, 0.0, -_PIXEL_M),
            crs_wkt(int(numbers(attributes, "Epsg_Code", path)[0])),
        )

    def _shape_of(self, detector: str) -> tuple[int, ...]:
        return self._file.shape(f"{_FIELDS}{detector.upper()}_Cube")

    def _errors_of(self, detector: str) -> str:
        return f"{_FIELDS}{detector.upper()}_PIXEL_L2_ERR_MATRIX"

    def masks(self) -> Mapping[str, PixelTest]:
        """Return where the error matrices call a value of a good band saturated."""
        if not all(self._file.has(self._errors_of(detector)) for detector in _DETECTORS):
            return {}
        return {"saturated": self._saturated}

    def _saturated(self, window: Window) -> BoolArray:
        masked = np.zeros((window.height, window.width), bool)
        for detector in _DETECTORS:
            slots = [
                slot
                for (owner, slot), good in zip(self._slots, self.bands.good)
                if owner == detector and good
            ]
            errors = self._cube(self._errors_of(detector), window)[:, slots]
            masked |= (errors == _SATURATED).any(axis=1)
        return masked

    def _cube(self, name: str, window: Window) -> NDArray[Any]:
        slots = self._file.shape(name)[1]
        return self._file.read(
            name, (window.row, 0, window.col), (window.height, slots, window.width)
        )

    def _detector_values(
        self, detector: str, window: Window
    ) -> tuple[NDArray[Any], BoolArray, Optional[NDArray[Any]]]:
        """Return DN ``(row, slot, col)``, pixels without any ``(row, col)``, and the errors."""
        cube = self._cube(f"{_FIELDS}{detector.upper()}_Cube", window)
        slots = [slot for owner, slot in self._slots if owner == detector]
        empty = ~cube[:, slots].any(axis=1)
        errors = None
        if self._file.has(self._errors_of(detector)):
            errors = self._cube(self._errors_of(detector), window)
            empty &= ~(errors[:, slots] == _NEGATIVE).any(axis=1)
        return cube, empty, errors

    def read(self, window: Window, bands: Optional[Sequence[int]] = None) -> NDArray[Any]:
        """Return reflectance x 10000 as int16 ``(band, row, col)``."""
        found = {detector: self._detector_values(detector, window) for detector in _DETECTORS}
        index = range(len(self._slots)) if bands is None else bands
        data = np.empty((len(index), window.height, window.width), np.int16)
        for target, band in enumerate(index):
            detector, slot = self._slots[band]
            cube, empty, errors = found[detector]
            low, step = self._scaling[detector]
            reflectance = low + cube[:, slot, :] * step
            data[target] = np.clip(np.rint(reflectance * 1e4), DN_NODATA + 1, 32767)
            data[target][empty] = DN_NODATA
            if errors is not None:
                data[target][errors[:, slot] == _INVALID] = DN_NODATA
        return data

    def _look(self, good: BoolArray) -> tuple[Problem, ...]:
        """Return how much of some rows has no value; bands that mostly have none turn bad."""
        notes: list[Problem] = []
        if not good.all():
            text = (
                f"Not used by its producer (List_Cw_*_Flags): {list_bands(np.flatnonzero(~good))}."
            )
            notes.append(Problem("unused_bands", text))
        seen = self._sample(len(good))
        if not seen.pixels:
            return tuple(notes)
        place = "the pixels with data" if seen.whole else "the sampled pixels with data"
        lost = good & (seen.wrong.sum(axis=1) > _TOO_MANY * seen.pixels)
        if lost.any():
            text = (
                "Marked bad, because the error matrix calls them invalid in more than half of "
                f"{place}: {list_bands(np.flatnonzero(lost))}."
            )
            notes.append(Problem("mostly_invalid_bands", text))
            good &= ~lost
        for detector, count in seen.without.items():
            if count:
                share = count / seen.pixels
                text = (
                    f"The {detector.upper()} detector holds nothing but 0 in {share:.1%} of "
                    f"{place}: they are left out."
                )
                values = {"detector": detector.upper(), "share": share}
                notes.append(Problem("detector_without_data", text, values=values))
        share = int(seen.wrong[good].any(axis=0).sum()) / seen.pixels
        if share:
            text = (
                f"The error matrix calls values of {share:.1%} of {place} invalid: they are left "
                "out."
            )
            notes.append(Problem("invalid_values", text, values={"share": share}))
        return tuple(notes)

    def _sample(self, bands: int) -> _Seen:
        rows = self.grid.height
        whole = rows <= _ALL_ROWS
        picked = range(0 if whole else rows // _SAMPLED_ROWS // 2, rows, _step(rows))
        without = dict.fromkeys(_DETECTORS, 0)
        wrong: list[BoolArray] = []
        for row in picked:
            window = Window(0, row, self.grid.width, 1)
            found = {detector: self._detector_values(detector, window) for detector in _DETECTORS}
            some = ~(found["Vnir"][1][0] & found["Swir"][1][0])
            for detector, (_, empty, _) in found.items():
                without[detector] += int((some & empty[0]).sum())
            here = np.zeros((bands, int(some.sum())), bool)
            for band, (detector, slot) in enumerate(self._slots):
                errors = found[detector][2]
                if errors is not None:
                    here[band] = errors[0, slot][some] == _INVALID
            wrong.append(here)
        together = np.concatenate(wrong, axis=1)
        return _Seen(together.shape[1], whole, without, together)


def _step(rows: int) -> int:
    return 1 if rows <= _ALL_ROWS else rows // _SAMPLED_ROWS


@dataclass(frozen=True, eq=False)
class _Seen:
    """Pixels of some rows that have data of a detector at least.

    Attributes:
        pixels: how many.
        whole: whether all rows were looked at.
        without: how many of them a detector lacks.
        wrong: ``(band, pixel)`` where the error matrix says invalid.
    """

    pixels: int
    whole: bool
    without: Mapping[str, int]
    wrong: BoolArray
