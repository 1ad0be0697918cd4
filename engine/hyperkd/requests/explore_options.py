"""Looking at a scene with a student, without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional

from hyperkd.requests.option import Job, option
from hyperkd.requests.shared_options import (
    SceneOptions,
    input_option,
    margin_option,
    model_option,
    seed_option,
)


@dataclass(frozen=True)
class AnomalyJob(SceneOptions, Job):
    """Find pixels that a student reconstructs badly."""

    kind: ClassVar[str] = "anomaly"
    target: ClassVar[str] = "hyperkd.inference.anomaly:anomaly"
    summary: ClassVar[str] = (
        "Write an anomaly score for each pixel, and which pixels are anomalies."
    )

    input: str = input_option()
    output: str = option(
        "The anomaly score to write (GeoTIFF): the modified z-score of the reconstruction "
        "error, and that error.",
        role="output_raster",
    )
    mask: Optional[str] = option(
        "The anomaly mask to write (GeoTIFF): 1 as expected, 2 anomaly.",
        None,
        role="output_raster",
    )
    model: str = model_option()
    measure: str = option(
        "Error measure: the RMSE in reflectance, or the spectral angle, which ignores "
        "brightness and is mostly noise in dark pixels.",
        "rmse",
        choices=("rmse", "angle"),
    )
    threshold: float = option(
        "Score from which a pixel counts as an anomaly.", 3.5, minimum=0.1, maximum=1000.0
    )


@dataclass(frozen=True)
class SimilarityJob(SceneOptions, Job):
    """Find places similar to given ones."""

    kind: ClassVar[str] = "similarity"
    target: ClassVar[str] = "hyperkd.inference.similarity:similarity"
    summary: ClassVar[str] = "Write how similar each pixel is to given places."

    input: str = input_option()
    places: str = option(
        "Points, lines or polygons that mark what to look for (file.gpkg|layername=x names one "
        "layer).",
        role="input_file",
    )
    output: str = option(
        "The similarity to write (GeoTIFF), from -1 to 1, where 1 is identical.",
        role="output_raster",
    )
    model: str = model_option()
    margin: float = margin_option()
    seed: int = seed_option()


@dataclass(frozen=True)
class ClusterJob(SceneOptions, Job):
    """Group similar pixels."""

    kind: ClassVar[str] = "cluster"
    target: ClassVar[str] = "hyperkd.inference.cluster:cluster"
    summary: ClassVar[str] = "Write a map of clusters of pixels with similar embeddings."

    input: str = input_option()
    output: str = option(
        "The cluster map to write (GeoTIFF): 1 to the number of clusters, 0 no data.",
        role="output_raster",
    )
    model: str = model_option()
    classes: int = option("Number of clusters.", 8, minimum=2, maximum=254)
    seed: int = seed_option()
