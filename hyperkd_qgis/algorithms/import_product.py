"""``hyperkd:importproduct``: one GeoTIFF from what a mission's ground segment delivers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingOutputDefinition, QgsProcessingOutputNumber

from ..messages import tr
from .engine_algorithm import EngineAlgorithm
from .parameters import PRODUCT

MASK = "MASK"
OUTPUT = "OUTPUT"


class ImportProductAlgorithm(EngineAlgorithm):
    """Turns a delivered product into a raster that describes itself."""

    NAME = "importproduct"
    KIND = "import"
    GROUP = "prepare"
    FIELDS = ("product", "mask", "output")
    STYLES = {OUTPUT: "true_colour"}

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Import product")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr(
            "Writes an EnMAP, PRISMA, EMIT, DESIS or Tanager product as one self-describing "
            "GeoTIFF."
        )

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        words = tr(
            "hyperspectral,enmap,prisma,emit,desis,tanager,aviris,l2a,l2d,he5,netcdf,zip,tar,"
            "cloud mask,quality"
        )
        return words.split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return tr(
            "<p>Writes a delivered product as one GeoTIFF with its wavelengths, band widths, "
            "bad bands, gain and offset, so that every program reads it correctly. Stored "
            "values and the grid stay as they are.</p>"
            "<h3>Product</h3>"
            "<p>Choose the file, or write the path of the product's folder.<br>"
            "EnMAP L2A: the .tar.gz or .zip as downloaded, the folder or the …-METADATA.XML.<br>"
            "DESIS L2A: the .zip, the folder or the …-METADATA.xml.<br>"
            "PRISMA L2D: the .he5.<br>"
            "EMIT L2A: the .nc; its pixels are put on the map grid.<br>"
            "Tanager: the .h5 with surface reflectance, ortho or basic.<br>"
            "AVIRIS-3 and -5: the …_RFL_ORT.nc.</p>"
            "<p>Any raster or netCDF file with wavelengths can be imported too.</p>"
            "<h3>Pixels to leave out</h3>"
            "<p>Clouds, their shadows, haze, snow, water and others, as far as the product's "
            "quality layers tell them; of EMIT these are in the EMIT_L2A_MASK file, which must "
            "lie beside. They become no data in all bands. What the product calls invalid has "
            "no data in any case.</p>"
            "<h3>Imported scene</h3>"
            "<p>The GeoTIFF, shown in true colour.</p>"
        )

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return [
            QgsProcessingOutputNumber("BANDS", tr("Bands")),
            QgsProcessingOutputNumber("GOOD_BANDS", tr("Good bands")),
            QgsProcessingOutputNumber("VALID_PIXELS", tr("Pixels with data")),
            QgsProcessingOutputNumber("MASKED_PIXELS", tr("Pixels left out")),
        ]

    def _subject_of(self, values: dict[str, Any], context: QgsProcessingContext) -> str:
        path = Path(self.parameterAsString(values, PRODUCT, context))
        return path.name if path.is_dir() else path.stem.partition("-METADATA")[0]
