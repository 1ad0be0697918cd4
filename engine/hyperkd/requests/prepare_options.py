"""Describing and preparing rasters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional

from hyperkd.requests.option import Job, option
from hyperkd.requests.shared_options import (
    QUALITY_MASKS,
    AcceptOptions,
    BandOptions,
    alignment_option,
    input_option,
    model_option,
    seed_option,
)


@dataclass(frozen=True)
class InfoJob(BandOptions, Job):
    """What a raster or a model is."""

    kind: ClassVar[str] = "info"
    target: ClassVar[str] = "hyperkd.jobs.info:info"
    summary: ClassVar[str] = "Describe a raster (bands, wavelengths, problems) or a model."
    answers: ClassVar[bool] = True

    path: str = option(
        "A raster, an .onnx model or a .safetensors checkpoint.",
        role="input_file",
        positional=True,
    )


@dataclass(frozen=True)
class InspectJob(BandOptions, Job):
    """Describe a raster in a readable report."""

    kind: ClassVar[str] = "inspect"
    target: ClassVar[str] = "hyperkd.evaluation.inspect_raster:inspect"
    summary: ClassVar[str] = "Write a report about a raster: bands, spectra, a student's input."

    input: str = input_option()
    output: str = option("The report to write (HTML).", role="output_file")
    model: str = model_option()


@dataclass(frozen=True)
class ImportJob(AcceptOptions, Job):
    """Turn a delivered product into one self-describing GeoTIFF."""

    kind: ClassVar[str] = "import"
    target: ClassVar[str] = "hyperkd.raster.products.import_product:import_product"
    summary: ClassVar[str] = "Write an EnMAP, PRISMA, EMIT, DESIS or Tanager product as a GeoTIFF."

    product: str = option(
        "The folder, zip, tar.gz or METADATA.XML of EnMAP or DESIS L2A, a PRISMA L2D .he5, an "
        "EMIT L2A .nc, a Tanager surface reflectance .h5, or any raster or netCDF file with "
        "wavelengths.",
        role="product",
        positional=True,
    )
    output: str = option("The GeoTIFF to write.", role="output_raster")
    mask: tuple[str, ...] = option(
        "Pixels to leave out, by the quality layers that the product brings.",
        (),
        choices=QUALITY_MASKS,
    )


@dataclass(frozen=True)
class AlignJob(BandOptions, Job):
    """Make the six bands of HLS that Prithvi takes as input."""

    kind: ClassVar[str] = "align"
    target: ClassVar[str] = "hyperkd.inference.align:align"
    summary: ClassVar[str] = "Write the six HLS bands that the teacher takes as input."

    input: str = input_option()
    output: str = option("The six-band raster to write (int16 x 10000).", role="output_raster")
    mode: str = alignment_option()


@dataclass(frozen=True)
class RestoreJob(BandOptions, Job):
    """Fill what a scene lacks in single bands, and leave all else as it is."""

    kind: ClassVar[str] = "restore"
    target: ClassVar[str] = "hyperkd.inference.restore:restore"
    summary: ClassVar[str] = "Fill bad bands, dead pixels and stripes of a raster."

    input: str = input_option()
    output: str = option(
        "The restored raster to write, in the type and scale of the input.", role="output_raster"
    )
    filled: Optional[str] = option(
        "A raster of the same bands to write: 1 where a value was filled, 0 where it is as "
        "measured.",
        None,
        role="output_raster",
    )
    vapour: bool = option(
        "Also fill bad bands in the two ranges of water vapour (1330 to 1490 and 1780 to 1990 nm).",
        False,
    )
    stripes: bool = option(
        "Also look for dead and clearly wrong columns of single bands, and fill them.", False
    )


@dataclass(frozen=True)
class SynthJob(Job):
    """Simulate an EnMAP-like scene with known truth."""

    kind: ClassVar[str] = "synth"
    target: ClassVar[str] = "hyperkd.synth.scene:synth"
    summary: ClassVar[str] = "Simulate an EnMAP-like scene, with truth layers beside it."

    output: str = option("The scene to write (GeoTIFF).", role="output_raster")
    width: int = option("Width in pixels.", 256, minimum=8, maximum=20000)
    height: int = option("Height in pixels.", 256, minimum=8, maximum=20000)
    seed: int = seed_option()
    border: float = option(
        "Fraction of the raster without data, as around the rotated footprint of a real scene.",
        0.1,
        minimum=0.0,
        maximum=0.5,
    )
    truth: bool = option("Write the truth layers beside the scene.", True)
