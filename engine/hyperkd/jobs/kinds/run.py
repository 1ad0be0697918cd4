"""Running a student on a raster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional

from hyperkd.jobs.job import Job, option
from hyperkd.jobs.options import (
    bands_option,
    batch_option,
    device_option,
    input_option,
    model_option,
    nodata_option,
    overlap_option,
    scale_option,
)


@dataclass(frozen=True)
class EmbedJob(Job):
    """Turn each pixel's neighbourhood into an embedding."""

    kind: ClassVar[str] = "embed"
    summary: ClassVar[str] = "Write a raster of embeddings, or of their principal components."

    input: str = input_option()
    output: str = option("The embedding raster to write (GeoTIFF).", role="output_raster")
    model: str = model_option()
    components: int = option(
        "Number of principal components of this scene to write; 0 writes the embedding itself.",
        16,
        minimum=0,
        maximum=1024,
    )
    overlap: Optional[int] = overlap_option()
    batch: int = batch_option()
    device: str = device_option()
    bands: Optional[str] = bands_option()
    scale: Optional[float] = scale_option()
    nodata: Optional[float] = nodata_option()


@dataclass(frozen=True)
class ReconstructJob(Job):
    """Predict each patch's spectra from its surroundings, and how wrong that is."""

    kind: ClassVar[str] = "reconstruct"
    summary: ClassVar[str] = "Write the reconstruction of a scene and its per-pixel error."
    needs_one_of: ClassVar[tuple[str, ...]] = ("output", "error")

    input: str = input_option()
    output: Optional[str] = option(
        "The reconstructed reflectance to write (GeoTIFF, int16 x 10000, the student's bands).",
        None,
        role="output_raster",
    )
    error: Optional[str] = option(
        "The error raster to write: spectral angle in degrees and RMSE in reflectance.",
        None,
        role="output_raster",
    )
    model: str = model_option()
    overlap: Optional[int] = overlap_option()
    batch: int = batch_option()
    device: str = device_option()
    bands: Optional[str] = bands_option()
    scale: Optional[float] = scale_option()
    nodata: Optional[float] = nodata_option()
