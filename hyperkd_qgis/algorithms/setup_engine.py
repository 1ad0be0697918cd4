"""``hyperkd:setupengine``: makes the engine's environment, for machines without a window."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
)

from ..env import pins
from ..messages import tr
from .help import with_help
from .named_algorithm import NamedAlgorithm

TRAINING = "TRAINING"
COMPUTE = "COMPUTE"
WHEELS = "WHEELS"


class SetupEngineAlgorithm(NamedAlgorithm):
    """Installs what the engine needs into an environment of its own."""

    NAME = "setupengine"
    GROUP = "models"

    def __init__(self) -> None:
        super().__init__()
        self._network: Any = None

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Set up engine")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr("install,packages,onnxruntime,torch,python,environment,dependencies").split(",")

    def flags(self) -> QgsProcessingAlgorithm.Flag:
        """Return flags: no step of a model, which would install at every run."""
        return super().flags() | QgsProcessingAlgorithm.Flag.FlagHideFromModeler

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Installs the packages that HyperKD's engine needs, apart from QGIS's own.")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return tr(
            "<p>Makes a separate Python environment for HyperKD's engine, from QGIS's Python. "
            "QGIS and its packages stay as they are. It is made beside an older one and takes "
            "its place only when it is complete. With a window, <i>Plugins › HyperKD › "
            "Engine…</i> does the same.</p><h3>Fine-tuning and distillation</h3><p>Also "
            "installs PyTorch, which is large. Running models does not need "
            "it.</p><h3>Computes on</h3><p><i>cpu</i> works everywhere; <i>gpu</i> is for an "
            "NVIDIA GPU and downloads some gigabytes.</p><h3>Folder of wheels</h3><p>For a "
            "machine without a network: every package is taken from this folder, and nothing "
            "else is asked. Without it, packages come from the package index, through the "
            "proxy and with the certificates that QGIS is set to.</p>"
        )

    def initAlgorithm(self, configuration: Optional[dict[str, Any]] = None) -> None:
        """Declare parameters and outputs."""
        self.addParameter(
            with_help(
                QgsProcessingParameterBoolean(
                    TRAINING, tr("Fine-tuning and distillation (PyTorch)"), defaultValue=False
                ),
                tr("Also installs PyTorch: some hundred MB, for a GPU some GB."),
            )
        )
        self.addParameter(
            with_help(
                QgsProcessingParameterEnum(
                    COMPUTE,
                    tr("Computes on"),
                    options=list(pins.COMPUTE),
                    defaultValue="cpu",
                    usesStaticStrings=True,
                ),
                tr("The processor, or an NVIDIA GPU."),
            )
        )
        self.addParameter(
            with_help(
                QgsProcessingParameterFile(
                    WHEELS,
                    tr("Folder of wheels"),
                    behavior=QgsProcessingParameterFile.Behavior.Folder,
                    optional=True,
                ),
                tr("Take every package from this folder and nothing from the network."),
            )
        )
        self.addOutput(QgsProcessingOutputString("PYTHON", tr("Interpreter of the engine")))
        self.addOutput(QgsProcessingOutputString("PACKAGES", tr("Packages, one per line")))

    def checkParameterValues(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """Refuse a folder that is not there."""
        good, problem = super().checkParameterValues(parameters, context)
        wheels = self.parameterAsString(parameters, WHEELS, context)
        if good and wheels and not Path(wheels).is_dir():
            return False, tr("There is no folder {path}.").format(path=wheels)
        return good, problem

    def prepareAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Read QGIS's network settings, which belong to the main thread."""
        # Loaded when somebody asks: QGIS imports this module at every start.
        from ..env.network import from_qgis

        self._network = from_qgis()
        return True

    def processAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Make the environment."""
        from ..env.request import Request, SetupCancelled, SetupFailed
        from ..env.setup import set_up
        from ..env.setup_feedback import FeedbackListener

        wheels = self.parameterAsString(parameters, WHEELS, context)
        training = self.parameterAsBoolean(parameters, TRAINING, context)
        request = Request(
            tiers=("training",) if training else ("inference",),
            compute=self.parameterAsEnumString(parameters, COMPUTE, context),
            wheels=Path(wheels).absolute() if wheels else None,
            network=self._network,
        )
        try:
            made = set_up(request, FeedbackListener(feedback))
        except SetupCancelled:
            return {}
        except SetupFailed as error:
            raise QgsProcessingException(error.reason.text) from error
        packages = "\n".join(f"{name} {version}" for name, version in made.packages.items())
        return {"PYTHON": str(made.python), "PACKAGES": packages}
