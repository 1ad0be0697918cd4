"""What an analyst wants to see about a raster's bands: which of them feed the models, and how.

Nothing is refused here: a raster that suits no model is described all the same,
together with the reason.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.spectral.band_support import SupportReport
from hyperkd.spectral.hls_alignment import HLS_BANDS, align_to_hls
from hyperkd.spectral.resampling import MAX_EXTRAPOLATED, resample
from hyperkd.types import BandTable, Wavelengths


@dataclass(frozen=True)
class BandOrigin:
    """One row of the table "model band, file band, difference".

    Attributes:
        model_band: number of the model's band, from 1.
        model_nm: its centre.
        file_band: number of the file's band that weighs most in it, from 1.
        file_nm: the centre of that band.
        difference_nm: ``file_nm - model_nm``.
        how: ``matched``, ``interpolated``, ``averaged`` or ``extrapolated``.
        file_bands: all bands of the file that contribute, from 1.
    """

    model_band: int
    model_nm: float
    file_band: int
    file_nm: float
    difference_nm: float
    how: str
    file_bands: tuple[int, ...]


@dataclass(frozen=True)
class TeacherBand:
    """One of the six bands of HLS and what it is made from.

    Attributes:
        name: the name of the band, as in ``HLS_BANDS``.
        first_nm, last_nm: its range.
        centre_nm: mean wavelength of the bands that make it.
        file_bands: these bands, numbered from 1.
    """

    name: str
    first_nm: float
    last_nm: float
    centre_nm: float
    file_bands: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Inspection:
    """The bands of a raster as a student and its teacher see them.

    Attributes:
        rows: one for each band of the student.
        used: bands of the file that the student needs, numbered from 1.
        support: how well the raster covers the student's bands.
        refusal: why the raster does not suit the student, or an empty string.
        teacher: one entry for each band of HLS; empty where the raster lacks one.
        teacher_refusal: which one it lacks, or an empty string.
        teacher_notes: what else the user should know about the six bands.
    """

    rows: tuple[BandOrigin, ...]
    used: tuple[int, ...]
    support: SupportReport
    refusal: str
    teacher: tuple[TeacherBand, ...]
    teacher_refusal: str
    teacher_notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON-serialisable values."""
        return {
            "rows": [asdict(row) for row in self.rows],
            "used": list(self.used),
            "support": self.support.to_json(),
            "refusal": self.refusal,
            "teacher": [asdict(band) for band in self.teacher],
            "teacher_refusal": self.teacher_refusal,
            "teacher_notes": list(self.teacher_notes),
        }


def inspect_bands(
    source: BandTable,
    target: Wavelengths,
    *,
    mode: str,
    max_extrapolated: float = MAX_EXTRAPOLATED,
) -> Inspection:
    """Describe how the bands of ``source`` feed a student and the six bands of its teacher.

    Args:
        source: the bands of the raster.
        target: the bands of the student.
        mode: how the six bands are made, as in ``align_to_hls``.
        max_extrapolated: fraction of ``target`` beyond which the student refuses the raster.

    Raises:
        HyperKDError: ``band_mismatch`` where all bands are bad, ``bad_wavelengths``
            where many bands share a wavelength.
    """
    resampling = resample(source, target, max_extrapolated=1.0)
    refusal = ""
    try:
        resampling.report.require(max_extrapolated)
    except HyperKDError as error:
        refusal = str(error)
    teacher, teacher_refusal, teacher_notes = _teacher(source, mode)
    rows = tuple(
        _origin(source, target, model_band, weights, str(how))
        for model_band, (weights, how) in enumerate(zip(resampling.matrix, resampling.report.how))
    )
    used = np.flatnonzero(resampling.matrix.any(axis=0)) + 1
    return Inspection(
        rows,
        tuple(used.tolist()),
        resampling.report,
        refusal,
        teacher,
        teacher_refusal,
        teacher_notes,
    )


def _origin(
    source: BandTable, target: Wavelengths, model_band: int, weights: Any, how: str
) -> BandOrigin:
    heaviest = int(weights.argmax())
    model_nm = float(target.centre_nm[model_band])
    file_nm = float(source.wavelengths.centre_nm[heaviest])
    return BandOrigin(
        model_band + 1,
        model_nm,
        heaviest + 1,
        file_nm,
        file_nm - model_nm,
        how,
        tuple((np.flatnonzero(weights) + 1).tolist()),
    )


def _teacher(source: BandTable, mode: str) -> tuple[tuple[TeacherBand, ...], str, tuple[str, ...]]:
    """Return the six bands, or why there are none, and the notes about them."""
    try:
        alignment = align_to_hls(source, mode)
    except HyperKDError as error:
        if error.code != "band_mismatch":
            raise
        return (), str(error), ()
    bands = tuple(
        TeacherBand(
            band.name,
            band.first_nm,
            band.last_nm,
            float(centre),
            tuple(index + 1 for index in used),
        )
        for band, centre, used in zip(HLS_BANDS, alignment.centre_nm, alignment.bands)
    )
    return bands, "", alignment.notes
