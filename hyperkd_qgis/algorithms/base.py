"""What all algorithms that run a job have in common.

A parameter is called like the job's field in upper case, and an output like the
summary's, so that parameters become a job and its summary outputs without a table
of names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar, Optional

from qgis.core import (
    NULL,
    Qgis,
    QgsMessageLog,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
)
from qgis.PyQt.QtGui import QIcon

from .. import messages, settings
from ..layers import UnusableLayerError, raster_source, style_on_load, write_style
from ..messages import tr
from ..paths import engine_folder, icon_path, metadata
from ..runner.feedback import FeedbackListener
from ..runner.process import Engine, Run, run_job
from ..runner.protocol import Crashed, Done, Failed
from .parameters import INPUT, MODEL


class EngineAlgorithm(QgsProcessingAlgorithm):
    """Runs one job of the engine.

    Attributes:
        KIND: the job, which is also the algorithm's id.
        STYLES: how each output raster looks, by parameter.
    """

    KIND: ClassVar[str]
    STYLES: ClassVar[Mapping[str, str]]

    def __init__(self) -> None:
        super().__init__()
        self._fields: dict[str, Any] = {}
        self._engine: Optional[Engine] = None
        self._scene = ""

    def createInstance(self) -> EngineAlgorithm:
        """Return a fresh algorithm for one run."""
        return type(self)()

    def name(self) -> str:
        """Return the part of the id after the colon."""
        return self.KIND

    def group(self) -> str:
        """Return the group as the toolbox shows it."""
        return tr("Run")

    def groupId(self) -> str:
        """Return the group's id."""
        return "run"

    def icon(self) -> QIcon:
        """Return the icon."""
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        """Return the path of the icon."""
        return icon_path(self.KIND)

    def helpUrl(self) -> str:
        """Return the page in the manual."""
        homepage = metadata().get("homepage", "").rstrip("/")
        return f"{homepage}/blob/main/docs/qgis.md#{self.KIND}" if homepage else ""

    def canExecute(self) -> tuple[bool, str]:
        """Return whether an engine is set up, and otherwise what to do.

        QGIS asks often, so this looks for files and starts nothing.
        """
        if not (engine_folder() / "__main__.py").is_file():
            return False, messages.engine_folder_gone(str(engine_folder()))
        chosen = settings.interpreter()
        if chosen is None:
            return False, messages.no_engine()
        if not chosen.path.is_file():
            return False, messages.interpreter_gone(str(chosen.path))
        return True, ""

    def checkParameterValues(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """Refuse what cannot work before anything is started."""
        good, problem = super().checkParameterValues(parameters, context)
        if good:
            problem = self._problem(parameters, context)
        # Who calls from a script asks this, but not canExecute.
        return (False, problem) if problem else self.canExecute()

    def prepareAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Read layers and settings, which belong to the main thread."""
        problem = self._problem(parameters, context) or self.canExecute()[1]
        if problem:
            raise QgsProcessingException(problem)
        self._engine = settings.engine()
        self._scene = self.parameterAsRasterLayer(parameters, INPUT, context).name()
        for definition in self.parameterDefinitions():
            if not definition.isDestination():
                value = self._field(definition, parameters, context)
                self._fields[definition.name().lower()] = value
        return True

    def processAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Run the job and return the paths and numbers that it gave."""
        results: dict[str, Any] = {}
        for name in self._destinations():
            path = self.parameterAsOutputLayer(parameters, name, context)
            if path:
                results[name] = path
        fields = {**self._fields, **{name.lower(): path for name, path in results.items()}}
        run = run_job(
            self._engine, self.KIND, fields, FeedbackListener(feedback), list(results.values())
        )
        _write_log(run)
        if isinstance(run.ending, Failed):
            raise QgsProcessingException(messages.failed(run.ending))
        if isinstance(run.ending, Crashed):
            raise QgsProcessingException(messages.crashed(run.ending))
        if not isinstance(run.ending, Done):
            return {}
        self._style(results, context, feedback)
        return {**results, **self._summary(run.ending.summary)}

    def _destinations(self) -> list[str]:
        return [
            definition.name()
            for definition in self.parameterDefinitions()
            if isinstance(definition, QgsProcessingParameterRasterDestination)
        ]

    def _problem(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """Return what is wrong with the parameters as a sentence, or an empty string."""
        layer = self.parameterAsRasterLayer(parameters, INPUT, context)
        if layer is None or not layer.isValid():
            return tr(
                "The raster {source} cannot be opened. Check that the file exists and is a raster."
            ).format(source=self.parameterAsString(parameters, INPUT, context))
        try:
            raster_source(layer)
        except UnusableLayerError as error:
            return str(error)
        model = self.parameterAsString(parameters, MODEL, context)
        if _is_path(model) and not os.path.isfile(model):
            return tr("There is no student {path}. Choose an .onnx file or a name.").format(
                path=model
            )
        for name in self._destinations():
            definition = self.parameterDefinition(name)
            good, problem = definition.isSupportedOutputValue(parameters.get(name), context)
            if not good:
                return problem
        return ""

    def _field(
        self,
        definition: QgsProcessingParameterDefinition,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
    ) -> Any:
        name = definition.name()
        text = self.parameterAsString(parameters, name, context)
        if isinstance(definition, QgsProcessingParameterRasterLayer):
            return raster_source(self.parameterAsRasterLayer(parameters, name, context))
        if isinstance(definition, QgsProcessingParameterEnum):
            return self.parameterAsEnumString(parameters, name, context)
        if isinstance(definition, QgsProcessingParameterNumber):
            # Not set arrives as None, a null variant or an empty string.
            unset = parameters.get(name) == NULL or not text
            return None if unset else self.parameterAsInt(parameters, name, context)
        # A model that is left empty is the engine's default.
        return (os.path.abspath(text) if _is_path(text) else text) or None

    def _style(
        self, results: Mapping[str, str], context: QgsProcessingContext, feedback: Any
    ) -> None:
        for name, path in results.items():
            try:
                write_style(path, self.STYLES[name])
            except OSError as error:
                feedback.pushWarning(str(error))
            description = self.parameterDefinition(name).description()
            style_on_load(context, path, description, f"{description}: {self._scene}")

    def _summary(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Return the declared outputs that the engine's summary holds in lower case."""
        names = [definition.name() for definition in self.outputDefinitions()]
        return {name: summary[name.lower()] for name in names if name.lower() in summary}


def _is_path(model: str) -> bool:
    """Return whether a model is given by its file and not by its name."""
    return model.lower().endswith(".onnx") or os.path.basename(model) != model


def _write_log(run: Run) -> None:
    """Keep what the engine said on standard error where a bug report finds it."""
    if run.log:
        level = Qgis.MessageLevel.Info
        if isinstance(run.ending, (Failed, Crashed)):
            level = Qgis.MessageLevel.Critical
        QgsMessageLog.logMessage(run.log, messages.LOG_TAG, level, False)
