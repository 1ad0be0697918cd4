"""``hyperkd:aligntohls``: the six bands that the teacher of the students sees."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingOutputDefinition,
    QgsProcessingOutputNumber,
)

from ..messages import tr
from . import parameters
from .engine_algorithm import EngineAlgorithm

MODE = "MODE"
OUTPUT = "OUTPUT"


class AlignToHlsAlgorithm(EngineAlgorithm):
    """Makes the six bands of HLS from the many of a hyperspectral raster."""

    NAME = "aligntohls"
    KIND = "align"
    GROUP = "prepare"
    FIELDS = ("input", "mode", "output")
    STYLES = {OUTPUT: "hls"}

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Align to HLS")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Makes the six HLS bands, the input of Prithvi, from a hyperspectral raster.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        words = tr("hyperspectral,hls,landsat,sentinel-2,prithvi,resample,multispectral,enmap")
        return words.split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Makes the six bands of the Harmonized Landsat and Sentinel-2 data set from "
                "a hyperspectral raster: blue, green, red, near infrared and two of short-wave "
                "infrared. These are the input of the foundation model Prithvi, the teacher of "
                "the students.</p>"
                "<h3>Hyperspectral raster</h3>"
                "<p>Any raster with band wavelengths (nm or µm) that cover 450 to 2290 nm.</p>"
                "<h3>Resampling method</h3>"
                "<p><i>range_mean</i>: the mean of all good bands in its range, as in the "
                "training of the students. <i>srf_gaussian</i>: weighted by a bell-shaped "
                "response. <i>nearest</i>: the one band nearest to its centre.</p>"
                "<h3>HLS bands</h3>"
                "<p>Reflectance times 10000 in a GeoTIFF with the grid of the input, shown in "
                "true colour. A pixel that lacks a band that is needed has no data.</p>"
            )
            + parameters.band_overrides_help()
        )

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return [
            QgsProcessingOutputNumber("VALID_PIXELS", tr("Pixels with data")),
        ]
