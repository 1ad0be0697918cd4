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
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
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
from .parameters import INPUT, is_path, missing_file, not_a_number


class EngineAlgorithm(QgsProcessingAlgorithm):
    """Runs one job of the engine.

    Attributes:
        NAME: the algorithm's id after the colon, which models and scripts rely on.
        KIND: the job.
        GROUP: the id of its group in the toolbox, ``prepare`` or ``run``.
        STYLES: how each output raster looks, by parameter.
    """

    NAME: ClassVar[str]
    KIND: ClassVar[str]
    GROUP: ClassVar[str]
    STYLES: ClassVar[Mapping[str, str]] = {}

    def __init__(self) -> None:
        super().__init__()
        self._fields: dict[str, Any] = {}
        self._engine: Optional[Engine] = None
        self._subject = ""

    def createInstance(self) -> EngineAlgorithm:
        """Return a fresh algorithm for one run."""
        return type(self)()

    def name(self) -> str:
        """Return the part of the id after the colon."""
        return self.NAME

    def group(self) -> str:
        """Return the group as the toolbox shows it."""
        return {"prepare": tr("Prepare"), "run": tr("Run")}[self.GROUP]

    def groupId(self) -> str:
        """Return the group's id."""
        return self.GROUP

    def icon(self) -> QIcon:
        """Return the icon."""
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        """Return the path of the icon."""
        return icon_path(self.NAME)

    def helpUrl(self) -> str:
        """Return the page in the manual."""
        homepage = metadata().get("homepage", "").rstrip("/")
        return f"{homepage}/blob/main/docs/qgis.md#{self.NAME}" if homepage else ""

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
        self._subject = self._subject_of(parameters, context)
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
        for definition in self.destinationParameterDefinitions():
            path = self._output(definition, parameters, context)
            if path:
                results[definition.name()] = path
        # QGIS takes a relative path from its own folder, the engine from that of the job file.
        targets = {name.lower(): os.path.abspath(path) for name, path in results.items()}
        fields = {**self._fields, **targets}
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

    def _subject_of(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """Return what the run is about, for the names of its layers."""
        return self.parameterAsRasterLayer(parameters, INPUT, context).name()

    def _problem(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """Return what is wrong with the parameters as a sentence, or an empty string."""
        problems = (
            self._problem_of(definition, parameters, context)
            for definition in self.parameterDefinitions()
        )
        return next(filter(None, problems), "")

    def _problem_of(
        self,
        definition: QgsProcessingParameterDefinition,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
    ) -> str:
        name = definition.name()
        if definition.isDestination():
            good, problem = definition.isSupportedOutputValue(parameters.get(name), context)
            return "" if good else problem
        text = self.parameterAsString(parameters, name, context)
        if isinstance(definition, QgsProcessingParameterFile):
            return missing_file(name, text)
        if isinstance(definition, QgsProcessingParameterNumber):
            # QGIS lets any text pass where a number may be left out.
            return not_a_number(name, text)
        if not isinstance(definition, QgsProcessingParameterRasterLayer):
            return ""
        layer = self.parameterAsRasterLayer(parameters, name, context)
        if layer is None or not layer.isValid():
            return tr(
                "The raster {source} cannot be opened. Check that the file exists and is a raster."
            ).format(source=text)
        try:
            raster_source(layer)
        except UnusableLayerError as error:
            return str(error)
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
            if definition.allowMultiple():
                return self.parameterAsEnumStrings(parameters, name, context)
            return self.parameterAsEnumString(parameters, name, context)
        if isinstance(definition, QgsProcessingParameterNumber):
            # Not set arrives as None, a null variant or an empty string.
            if parameters.get(name) == NULL or not text:
                return None
            if definition.dataType() == QgsProcessingParameterNumber.Type.Integer:
                return self.parameterAsInt(parameters, name, context)
            return self.parameterAsDouble(parameters, name, context)
        # A file that is left empty is the engine's default.
        return (os.path.abspath(text) if is_path(name, text) else text) or None

    def _output(
        self,
        definition: QgsProcessingParameterDefinition,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
    ) -> str:
        if isinstance(definition, QgsProcessingParameterFileDestination):
            return self.parameterAsFileOutput(parameters, definition.name(), context)
        return self.parameterAsOutputLayer(parameters, definition.name(), context)

    def _style(
        self, results: Mapping[str, str], context: QgsProcessingContext, feedback: Any
    ) -> None:
        for name, style in self.STYLES.items():
            path = results.get(name)
            if path is None:
                continue
            try:
                write_style(path, style)
            except OSError as error:
                feedback.pushWarning(str(error))
            description = self.parameterDefinition(name).description()
            style_on_load(context, path, description, f"{description}: {self._subject}")

    def _summary(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Return the declared outputs that the engine's summary holds in lower case."""
        names = [definition.name() for definition in self.outputDefinitions()]
        return {
            name: _output_value(summary[name.lower()]) for name in names if name.lower() in summary
        }


def _output_value(value: Any) -> Any:
    """Return a value of the summary as Processing has it: a list is a text of lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else value


def _write_log(run: Run) -> None:
    """Keep what the engine said on standard error where a bug report finds it."""
    if run.log:
        level = Qgis.MessageLevel.Info
        if isinstance(run.ending, (Failed, Crashed)):
            level = Qgis.MessageLevel.Critical
        QgsMessageLog.logMessage(run.log, messages.LOG_TAG, level, False)
