"""Running a student on a raster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Optional

from hyperkd.requests.option import Job, option
from hyperkd.requests.shared_options import (
    SceneOptions,
    input_option,
    model_option,
    tuned_model_option,
)


def dominant_option() -> Any:
    """Declare the map of the covers with the largest fractions."""
    return option(
        "The class map to write (GeoTIFF) of the cover with the largest fraction, where the model "
        "gives fractions of covers.",
        None,
        role="output_raster",
    )


@dataclass(frozen=True)
class PredictJob(SceneOptions, Job):
    """Map classes or values with a fine-tuned model."""

    kind: ClassVar[str] = "predict"
    target: ClassVar[str] = "hyperkd.inference.predict:predict"
    summary: ClassVar[str] = "Write a map of classes or values with a fine-tuned model."

    input: str = input_option()
    output: str = option(
        "The map to write (GeoTIFF): classes as uint8, or values as float32.",
        role="output_raster",
    )
    model: str = tuned_model_option()
    probabilities: Optional[str] = option(
        "The class probabilities to write (GeoTIFF, one band per class).",
        None,
        role="output_raster",
    )
    probability_type: str = option(
        "How probabilities are stored: bytes in steps of 0.004, or as they are.",
        "uint8",
        choices=("uint8", "float32"),
    )
    uncertainty: Optional[str] = option(
        "The uncertainty to write (GeoTIFF): of classes the margin between the two most probable "
        "ones and the entropy of all, of values their standard error where the model knows it.",
        None,
        role="output_raster",
    )
    applicability: Optional[str] = option(
        "The applicability to write (GeoTIFF), where the model knows it: how like a pixel is to "
        "what the model learned from, from 0 (unlike) to 1; below 0.5 do not rely on its values.",
        None,
        role="output_raster",
    )
    dominant: Optional[str] = dominant_option()


@dataclass(frozen=True)
class FirstLookJob(SceneOptions, Job):
    """See what covers a scene, before the first label."""

    kind: ClassVar[str] = "firstlook"
    target: ClassVar[str] = "hyperkd.inference.first_look:first_look"
    summary: ClassVar[str] = "Write what covers a scene: fractions, their picture, and their error."
    needs_one_of: ClassVar[tuple[str, ...]] = ("dominant", "composite", "uncertainty", "fractions")

    input: str = input_option()
    dominant: Optional[str] = dominant_option()
    composite: Optional[str] = option(
        "The picture of the fractions to write (GeoTIFF): three sums of fractions, to be shown as "
        "red, green and blue; each cover counts in the band that its own colour is strongest in.",
        None,
        role="output_raster",
    )
    uncertainty: Optional[str] = option(
        "The standard error to write (GeoTIFF, one band) of the largest fraction.",
        None,
        role="output_raster",
    )
    fractions: Optional[str] = option(
        "The fractions of all covers to write (GeoTIFF, one band per cover).",
        None,
        role="output_raster",
    )
    model: str = option(
        "A model for fractions of covers: the name of a shipped or stored model, or the path of "
        "an .onnx file.",
        "cover",
        role="model",
    )


@dataclass(frozen=True)
class EmbedJob(SceneOptions, Job):
    """Turn each pixel's neighbourhood into an embedding."""

    kind: ClassVar[str] = "embed"
    target: ClassVar[str] = "hyperkd.inference.embed:embed"
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
    dtype: str = option(
        "Data type of the values; float16 has 3 digits and takes half the space.",
        "float32",
        choices=("float32", "float16"),
    )


@dataclass(frozen=True)
class ReconstructJob(SceneOptions, Job):
    """Predict each patch's spectra from its surroundings, and how wrong that is."""

    kind: ClassVar[str] = "reconstruct"
    target: ClassVar[str] = "hyperkd.inference.reconstruct:reconstruct"
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
