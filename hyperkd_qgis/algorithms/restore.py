"""``hyperkd:restore``: what single bands of a scene lack, filled from space and spectrum."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingOutputDefinition,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
)

from ..messages import tr
from . import parameters
from .engine_algorithm import EngineAlgorithm

OUTPUT = "OUTPUT"


class RestoreAlgorithm(EngineAlgorithm):
    """Fills dead pixels, bad bands and stripes, and leaves every other value as it is."""

    NAME = "restore"
    KIND = "restore"
    GROUP = "prepare"
    FIELDS = ("input", "stripes", "vapour", "output", "filled")
    UNASKED = ("filled",)
    STYLES = {OUTPUT: "true_colour"}

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Restore scene")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Fills dead pixels, bad bands and stripes of a hyperspectral raster.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        words = tr(
            "hyperspectral,dead pixels,bad bands,stripes,destriping,fill,nodata,gaps,interpolate,"
            "enmap"
        )
        return words.split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Fills what single bands of a scene lack. A missing value is predicted from "
                "the other bands of its pixel, by what the scene itself teaches, and from its "
                "neighbours. A band that is missing everywhere lies on a line between the bands "
                "beside it. Every value that is there stays exactly as it is.</p>"
                "<h3>Hyperspectral raster</h3>"
                "<p>Any raster with band wavelengths (nm or µm) and a known scale to "
                "reflectance. Filled are values without data in single bands, and bands that "
                "are flagged as bad. Pixels that lack more than a quarter of their bands stay "
                "as they are.</p>"
                "<h3>Find stripes</h3>"
                "<p>Also fills columns of single bands that hold one number only, or that are "
                "clearly off. For scenes in sensor geometry; the run tells which columns of "
                "which bands were found.</p>"
                "<h3>Fill bands in water vapour</h3>"
                "<p>Bad bands from 1330 to 1490 nm and from 1780 to 1990 nm are left out "
                "otherwise: nothing was measured there, and a line says nothing about it.</p>"
                "<h3>Restored scene</h3>"
                "<p>A GeoTIFF in the type, scale and grid of the raster, shown in true colour. "
                "Restored bands are flagged as good; an item of the file names them.</p>"
                "<h3>Filled values</h3>"
                "<p>A raster of as many bands: 1 where a value was filled, 0 where it is as "
                "measured; not written unless you ask.</p>"
            )
            + parameters.band_overrides_help()
        )

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return [
            QgsProcessingOutputNumber("VALID_PIXELS", tr("Pixels with data")),
            QgsProcessingOutputNumber("LEFT_PIXELS", tr("Pixels that lack too much")),
            QgsProcessingOutputNumber("FILLED_VALUES", tr("Filled values")),
            QgsProcessingOutputNumber("PREDICTED_VALUES", tr("Values predicted from the scene")),
            QgsProcessingOutputNumber("INTERPOLATED_VALUES", tr("Interpolated values")),
            QgsProcessingOutputString("NOTES", tr("What was done, one sentence per line")),
        ]
