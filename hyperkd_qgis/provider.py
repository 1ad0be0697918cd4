"""The Processing provider ``hyperkd``."""

from __future__ import annotations

from qgis.core import QgsApplication, QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from . import workflows
from .algorithms.align_to_hls import AlignToHlsAlgorithm
from .algorithms.anomaly import AnomalyAlgorithm
from .algorithms.classify import ClassifyAlgorithm
from .algorithms.cluster import ClusterAlgorithm
from .algorithms.detect import DetectAlgorithm
from .algorithms.distill import DistillAlgorithm
from .algorithms.embed import EmbedAlgorithm
from .algorithms.evaluate import EvaluateAlgorithm
from .algorithms.export_model import ExportAlgorithm
from .algorithms.finetune import FinetuneAlgorithm
from .algorithms.first_look import FirstLookAlgorithm
from .algorithms.import_product import ImportProductAlgorithm
from .algorithms.inspect_raster import InspectAlgorithm
from .algorithms.model_info import ModelInfoAlgorithm
from .algorithms.quantize import QuantizeAlgorithm
from .algorithms.reconstruct import ReconstructAlgorithm
from .algorithms.regress import RegressAlgorithm
from .algorithms.restore import RestoreAlgorithm
from .algorithms.setup_engine import SetupEngineAlgorithm
from .algorithms.similarity import SimilarityAlgorithm
from .messages import tr
from .paths import icon_path, metadata

ALGORITHMS = (
    InspectAlgorithm,
    ImportProductAlgorithm,
    AlignToHlsAlgorithm,
    RestoreAlgorithm,
    FirstLookAlgorithm,
    EmbedAlgorithm,
    ReconstructAlgorithm,
    ClassifyAlgorithm,
    RegressAlgorithm,
    AnomalyAlgorithm,
    SimilarityAlgorithm,
    ClusterAlgorithm,
    DetectAlgorithm,
    FinetuneAlgorithm,
    DistillAlgorithm,
    ExportAlgorithm,
    QuantizeAlgorithm,
    EvaluateAlgorithm,
    ModelInfoAlgorithm,
    SetupEngineAlgorithm,
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
        """Add all algorithms; Processing calls this.

        The first call comes before Processing knows this provider, so that the steps of the
        models are unknown and their outputs cannot be told: the plugin refreshes at once, and
        the models wait for that.
        """
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())
        if QgsApplication.processingRegistry().providerById(self.id()) is not None:
            for workflow in workflows.load():
                self.addAlgorithm(workflow)
