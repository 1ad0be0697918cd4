"""All that is known about the bands of a raster: metadata, sidecars, the user's word, a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Final, Optional, Union

from hyperkd.problems import Problem
from hyperkd.raster.bands.band_table import RasterMetadata, draft_table, sources_of_metadata
from hyperkd.raster.bands.band_values import BandSource
from hyperkd.raster.bands.completion import complete_table, declared_calibration, given_calibration
from hyperkd.raster.bands.nodata import declared_nodata
from hyperkd.raster.bands.sampling import Sample
from hyperkd.raster.bands.sidecars import read_csv, source_of_table
from hyperkd.types import BandTable, FloatArray

GIVEN: Final = "given band table"  # what a table is called that the user or a product gives


@dataclass(frozen=True)
class Given:
    """What the user says instead of the file; see ``open_raster``."""

    bands: Union[BandTable, str, None] = None
    scale: Optional[float] = None
    offset: Optional[float] = None
    nodata: Optional[float] = None

    def source(self, count: int) -> Optional[BandSource]:
        """Return the given band table as a source, or None."""
        if self.bands is None:
            return None
        if isinstance(self.bands, BandTable):
            return source_of_table(self.bands, count, GIVEN)
        return read_csv(self.bands, count)


@dataclass(frozen=True)
class Description:
    """The bands of a raster, whether tiny values are nodata, and what is odd."""

    bands: BandTable
    tiny: bool
    problems: tuple[Problem, ...]


def describe_bands(
    metadata: RasterMetadata,
    sidecars: Sequence[BandSource],
    given: Given,
    sample: Callable[[FloatArray], Sample],
) -> Description:
    """Return all that is known about the bands.

    Args:
        metadata: what the file says.
        sidecars: what the files beside it say.
        given: what the user says instead.
        sample: returns sampled pixels for given nodata values; called only
            where the metadata can be used.

    Raises:
        HyperKDError: see ``open_raster``.
    """
    count = len(metadata.bands)
    table = given.source(count)
    sources = (*sources_of_metadata(metadata), *sidecars)
    draft = draft_table(metadata, sources, table)
    notes: tuple[Problem, ...] = ()
    calibration = given_calibration(given.scale, given.offset, count)
    trusted = calibration is not None
    if calibration is None:
        calibration, notes = declared_calibration(metadata, sources, table, draft.good)
    declared = declared_nodata(metadata, given.nodata, given.bands)
    sampled = sample(declared.values)
    if sampled.unreadable:
        notes += (
            Problem(
                "damaged_windows",
                f"{sampled.unreadable} of {sampled.unreadable + sampled.windows} sampled windows "
                "cannot be read: the file is damaged.",
            ),
        )
    bands, nodata, problems = complete_table(
        metadata, draft, sampled, declared, calibration, trusted
    )
    return Description(bands, nodata.tiny, (*problems, *notes))
