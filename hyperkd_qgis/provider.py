"""The Processing provider ``hyperkd``."""

from __future__ import annotations

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .algorithms.align_to_hls import AlignToHlsAlgorithm
from .algorithms.embed import EmbedAlgorithm
from .algorithms.import_product import ImportProductAlgorithm
from .algorithms.inspect_raster import InspectAlgorithm
from .algorithms.reconstruct import ReconstructAlgorithm
from .messages import tr
from .paths import icon_path, metadata

ALGORITHMS = (
    InspectAlgorithm,
    ImportProductAlgorithm,
    AlignToHlsAlgorithm,
    EmbedAlgorithm,
    ReconstructAlgorithm,
)


class HyperKDProvider(QgsProcessingProvider):
    """Lists the algorithms of HyperKD, whether an engine is set up or not."""

    def id(self) -> str:
        """Return the part before the colon in the ids of the algorithms."""
        return "hyperkd"

    def name(self) -> str:
        """Return the short name that the toolbox shows."""
        return "HyperKD"

    def longName(self) -> str:
        """Return the long name."""
        return tr("HyperKD: hyperspectral students")

    def versionInfo(self) -> str:
        """Return the version of the plugin."""
        return metadata().get("version", "")

    def icon(self) -> QIcon:
        """Return the icon that the toolbox shows."""
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        """Return the path of the icon."""
        return icon_path("hyperkd")

    def supportedOutputRasterLayerExtensions(self) -> list[str]:
        """Return what the engine writes: GeoTIFF alone."""
        return ["tif", "tiff"]

    def supportsNonFileBasedOutput(self) -> bool:
        """Return False: the engine writes files, not memory layers or database tables."""
        return False

    def loadAlgorithms(self) -> None:
        """Add all algorithms; Processing calls this."""
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())
