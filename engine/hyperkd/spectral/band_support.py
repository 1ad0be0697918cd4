"""How well the bands of a raster cover the bands that a model needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.sentences import counted, some
from hyperkd.types import BoolArray, FloatArray, Wavelengths

MATCHED: Final = "matched"
INTERPOLATED: Final = "interpolated"
AVERAGED: Final = "averaged"
EXTRAPOLATED: Final = "extrapolated"

# No optical sensor measures below: such numbers have another unit.
_SHORTEST_NM: Final = 100.0
# Silicon detectors end here: a raster without bands beyond it lacks the whole
# short-wave infrared, which is worth saying in words.
_SILICON_LIMIT_NM: Final = 1100.0


@dataclass(frozen=True, eq=False)
class SupportReport:
    """Where each target band comes from.

    Attributes:
        target: the bands that the model needs.
        how: ``(targets,)`` one of ``matched`` (the same band of the same sensor),
            ``interpolated`` (between two bands), ``averaged`` (over several finer
            bands), ``extrapolated`` (the value of the nearest band).
        distance_nm: ``(targets,)`` distance from the target's centre to the
            nearest good band of the raster.
        source_range_nm: first and last good band of the raster.
        source_count: number of good bands of the raster.
        notes: what the user should know, as full sentences.
    """

    target: Wavelengths
    how: NDArray[np.str_]
    distance_nm: FloatArray
    source_range_nm: tuple[float, float]
    source_count: int
    notes: tuple[str, ...] = ()

    def count(self, how: str) -> int:
        """Return how many target bands come about in this way."""
        return int(np.count_nonzero(self.how == how))

    @property
    def supported(self) -> BoolArray:
        """``(targets,)`` bool, False for an extrapolated band."""
        supported: BoolArray = self.how != EXTRAPOLATED
        return supported

    @property
    def extrapolated_share(self) -> float:
        """Share of the target bands that the raster does not cover, 0 to 1."""
        return self.count(EXTRAPOLATED) / len(self.target)

    @property
    def largest_gap_nm(self) -> float:
        """Distance of the worst extrapolated band to the nearest band, 0 where there is none."""
        return float(self.distance_nm[~self.supported].max(initial=0.0))

    def uncovered(self) -> list[tuple[float, float, int]]:
        """Return ``(first_nm, last_nm, bands)`` of each stretch of extrapolated bands."""
        order = np.argsort(self.target.centre_nm, kind="stable")
        centre, missing = self.target.centre_nm[order], ~self.supported[order]
        edges = np.flatnonzero(np.diff(np.r_[False, missing, False].astype(np.int8)))
        return [
            (float(centre[first]), float(centre[end - 1]), int(end - first))
            for first, end in zip(edges[::2], edges[1::2])
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON-serialisable values."""
        return {
            "target_bands": len(self.target),
            **{how: self.count(how) for how in (MATCHED, INTERPOLATED, AVERAGED, EXTRAPOLATED)},
            "largest_gap_nm": self.largest_gap_nm,
            "uncovered": [
                {"from_nm": first, "to_nm": last, "bands": count}
                for first, last, count in self.uncovered()
            ],
            "notes": list(self.notes),
        }

    def summary(self) -> str:
        """Return one sentence for the log."""
        parts = [
            f"{self.count(how)} {how}"
            for how in (MATCHED, INTERPOLATED, AVERAGED, EXTRAPOLATED)
            if self.count(how)
        ]
        sentence = f"The {len(self.target)} bands of the model: {', '.join(parts)}"
        if not self.count(EXTRAPOLATED):
            return f"{sentence}."
        gap = f"{self.largest_gap_nm:.1f} nm"
        return f"{sentence}, up to {gap} from the nearest band: {_ranges(self)}."

    def require(self, max_extrapolated: float) -> None:
        """Refuse a raster that covers too little.

        Raises:
            HyperKDError: ``band_mismatch`` with the uncovered ranges.
        """
        if self.extrapolated_share <= max_extrapolated:
            return
        first, last = self.source_range_nm
        needed = self.target.centre_nm
        covered = np.count_nonzero(self.supported)
        raise HyperKDError(
            "band_mismatch",
            f"The raster's {counted(self.source_count, 'good band')} ({first:g} to {last:g} nm) "
            f"cover {covered} of the {len(self.target)} bands of the model "
            f"({needed.min():g} to {needed.max():g} nm). Not covered: {_ranges(self)}. "
            f"At most {max_extrapolated:.0%} may be missing.",
            _advice(last, float(needed.max())),
            **self.to_json(),
        )


def _ranges(report: SupportReport) -> str:
    """Return the uncovered stretches in words, the widest five of them."""
    stretches = sorted(report.uncovered(), key=lambda stretch: -stretch[2])
    words = [
        f"{first:g} nm" if count == 1 else f"{first:g} to {last:g} nm ({count} bands)"
        for first, last, count in sorted(stretches[:5])
    ]
    return some(words, len(stretches))


def _advice(source_last_nm: float, target_last_nm: float) -> str:
    if source_last_nm < _SHORTEST_NM:
        return "The wavelengths look like micrometres: state their unit in the metadata."
    if source_last_nm < _SILICON_LIMIT_NM < target_last_nm:
        return (
            "The raster has no short-wave infrared. Use an image of a sensor that measures "
            "up to 2500 nm (EnMAP, PRISMA, EMIT), or a model made for this sensor."
        )
    return (
        "Use an image that covers the spectrum of the model in narrow bands, or a model "
        "made for this sensor; check the wavelengths and the bad band list of the raster."
    )
