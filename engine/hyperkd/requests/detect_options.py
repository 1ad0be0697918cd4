"""Finding a target by its spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional

from hyperkd.requests.option import Job, option
from hyperkd.requests.shared_options import BandOptions, input_option, margin_option


@dataclass(frozen=True)
class DetectJob(BandOptions, Job):
    """Detect a target by its spectrum."""

    kind: ClassVar[str] = "detect"
    target: ClassVar[str] = "hyperkd.inference.detect:detect"
    summary: ClassVar[str] = (
        "Write how much each pixel resembles a target's spectrum, and which pixels are detections."
    )

    input: str = input_option()
    output: str = option(
        "The scores to write (GeoTIFF): 1 is the target in ace, mf and cem; sam is an angle in "
        "degrees.",
        role="output_raster",
    )
    target_spectrum: Optional[str] = option(
        "Spectral library with the target's spectrum (ENVI, text, USGS, ECOSTRESS, EnMAP-Box); "
        "library:name names one of several.",
        None,
        role="spectral_library",
    )
    target_name: Optional[str] = option(
        "Name of the target in the library, or its number (#1), where the library has several.",
        None,
    )
    target_pixels: Optional[str] = option(
        "Points, lines or polygons on the target in the scene, instead of a library; the mean of "
        "their pixels is the target (file.gpkg|layername=x names one layer).",
        None,
        role="input_file",
    )
    target_scale: Optional[float] = option(
        "Reflectance of a stored 1 in the library, where it does not say: 0.01 for percent.",
        None,
        minimum=1e-9,
        maximum=1000.0,
    )
    mask: Optional[str] = option(
        "The detections to write (GeoTIFF): 1 background, 2 target.", None, role="output_raster"
    )
    method: str = option(
        "Detector: the adaptive cosine estimator (ace), the matched filter (mf), constrained "
        "energy minimisation (cem), or the spectral angle (sam).",
        "ace",
        choices=("ace", "mf", "cem", "sam"),
    )
    false_alarms: float = option(
        "Fraction of the background's pixels that may be detected by mistake; the threshold "
        "follows from it.",
        1e-3,
        minimum=1e-7,
        maximum=0.1,
    )
    margin: float = margin_option()
