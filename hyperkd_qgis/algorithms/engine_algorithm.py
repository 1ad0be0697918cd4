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
    Qgis,
    QgsMessageLog,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputDefinition,
    QgsProcessingOutputHtml,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterRasterLayer,
    QgsRasterLayer,
)

from .. import messages, settings
from ..geopackage import write_features
from ..layers import (
    Provenance,
    UnusableLayerError,
    place_on_load,
    provenance_of,
    write_styles,
)
from ..layertree import RESULTS
from ..messages import tr
from ..paths import engine_folder
from ..runner.job_feedback import FeedbackListener
from ..runner.process import Engine, Run, run_job
from ..runner.protocol import Crashed, Done, Failed
from ..session_folder import session_folder
from .declare import JobParameters
from .fields import field_of, is_rasters, missing_raster, problem_of
from .help import CHECKPOINTS
from .model_check import model_problem
from .named_algorithm import NamedAlgorithm
from .parameters import BANDS, INPUT, MODEL, PROBLEMS


class EngineAlgorithm(NamedAlgorithm):
    """Runs one job of the engine.

    Attributes:
        KIND: the job.
        TIER: which packages the job needs, a name of ``env.pins.TIERS``.
        STYLES: how each output raster looks, by parameter.
        FIELDS: what is asked for at first sight, in this order; the job's other fields are
            folded away.
        UNASKED: outputs that are not written unless somebody asks.
        SUFFIX: of the file to write.
        OFFERS: which models to list, where not by ``NEEDS``.
        NEEDS: what the model must compute for this job, one of these; empty where any
            model will do.
        SUITS_ANY_SCENE: whether the job tells itself what a scene lacks for the model.
        FEATURES: parameters of features, and for each the parameter that names the fields
            of it that the job reads, if there is one.
        ALSO: parameters that are no field of the job, and the list that their values join.
        LEFT_OUT: fields of the job that this algorithm has no use for.
        FOLDER_PAGES: an HTML output, and for it the output folder and the page in it.
    """

    KIND: ClassVar[str]
    TIER: ClassVar[str] = "inference"
    STYLES: ClassVar[Mapping[str, str]] = {}
    FIELDS: ClassVar[tuple[str, ...]]
    UNASKED: ClassVar[tuple[str, ...]] = ()
    SUFFIX: ClassVar[str] = ""
    OFFERS: ClassVar[tuple[str, ...]] = ()
    NEEDS: ClassVar[tuple[str, ...]] = ()
    SUITS_ANY_SCENE: ClassVar[bool] = False
    FEATURES: ClassVar[Mapping[str, str]] = {}
    ALSO: ClassVar[Mapping[str, str]] = {}
    LEFT_OUT: ClassVar[frozenset[str]] = frozenset()
    FOLDER_PAGES: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def __init__(self) -> None:
        super().__init__()
        self._fields: dict[str, Any] = {}
        self._engine: Optional[Engine] = None
        self._subject = ""
        self._problems: list[str] = []

    def initAlgorithm(self, configuration: Optional[dict[str, Any]] = None) -> None:
        """Declare parameters and outputs: all fields of the job, what is written at the end.

        So a setting that the engine learns is there in QGIS too.
        """
        hidden = {*self.FIELDS, *self.LEFT_OUT}
        outputs = [name for name in self.FIELDS if self._job.is_output(name)]
        first = [name for name in self.FIELDS if name not in outputs]
        folded = [name for name in self._job.names if name not in hidden]
        for name in (*first, *folded, *outputs):
            for parameter in self.parameters_of(name):
                self.addParameter(parameter)
        for page in self.FOLDER_PAGES:
            self.addOutput(QgsProcessingOutputHtml(page, tr("The report's page")))
        for output in self.numbers():
            self.addOutput(output)
        if self._job.has("accept"):
            # QGIS ends a batch with a table of the texts and numbers of each run.
            self.addOutput(QgsProcessingOutputString(PROBLEMS, tr("Problems, one per line")))

    def parameters_of(self, name: str) -> list[QgsProcessingParameterDefinition]:
        """Return what asks for one field of the job."""
        offers = {"model": self.OFFERS or self.NEEDS, "student": (CHECKPOINTS,)}
        folded = name not in self.FIELDS
        made = self._job.make(name, folded=folded, suffix=self.SUFFIX, offer=offers.get(name, ()))
        if made.isDestination() and not folded:
            made.setCreateByDefault(name not in self.UNASKED)
        return [made]

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return []

    def canExecute(self) -> tuple[bool, str]:
        """Return whether an engine is set up, and otherwise what to do.

        QGIS asks often, so this looks for files and starts nothing.
        """
        if not (engine_folder() / "__main__.py").is_file():
            return False, messages.engine_folder_gone(str(engine_folder()))
        problem = settings.problem(self.TIER)
        return not problem, problem

    def checkParameterValues(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """Refuse what cannot work before anything is started."""
        good, problem = super().checkParameterValues(parameters, context)
        if good:
            problem = self._problem(parameters, context)
        else:
            # QGIS names the parameter alone, not the file that is missing.
            lists = filter(is_rasters, self.parameterDefinitions())
            values = (parameters.get(definition.name()) for definition in lists)
            problem = next(filter(None, map(missing_raster, values)), problem)
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
            name = definition.name().lower()
            if not definition.isDestination() and definition.name() not in self.ALSO:
                value = field_of(self, definition, parameters, context)
                self._fields[name] = self._listed(name, value)
        for name, field in self.ALSO.items():
            definition = self.parameterDefinition(name)
            value = field_of(self, definition, parameters, context)
            more = value if isinstance(value, list) else [value] if value else []
            self._fields[field] = [*self._fields[field], *more]
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
        for name, path in self._written(parameters, context).items():
            fields[name] = [path, *fields[name]] if self._job.is_list(name) else path
        run = run_job(self._engine, self.KIND, fields, FeedbackListener(feedback))
        _write_log(run)
        if isinstance(run.ending, Failed):
            raise QgsProcessingException(messages.failed(run.ending))
        if isinstance(run.ending, Crashed):
            raise QgsProcessingException(messages.crashed(run.ending))
        if not isinstance(run.ending, Done):
            return {}
        provenance = provenance_of(self.id(), fields, run.ending.summary, RESULTS)
        self._style(results, provenance, context, feedback)
        for name, (folder, page) in self.FOLDER_PAGES.items():
            if folder in results:
                results[name] = os.path.join(results[folder], page)
        self._problems = messages.problems(run.ending.summary)
        results.update(self._summary(run.ending.summary))
        if self._job.has("accept"):
            results[PROBLEMS] = messages.harmless("\n".join(self._problems))
        return results

    def postProcessAlgorithm(
        self, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Show what is odd about the scenes where it stays to be seen."""
        messages.show_problems(self._subject, self._problems)
        return {}

    def _subject_of(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """Return what the run is about, for the names of its layers."""
        layers = self._rasters(parameters, context)
        more = tr(" and {count} more").format(count=len(layers) - 1) if len(layers) > 1 else ""
        return layers[0].name() + more if layers else ""

    def _rasters(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> list[QgsRasterLayer]:
        """Return the scenes of a run."""
        definition = self.parameterDefinition(INPUT)
        if isinstance(definition, QgsProcessingParameterRasterLayer):
            layer = self.parameterAsRasterLayer(parameters, INPUT, context)
            return [] if layer is None else [layer]
        if definition is not None and is_rasters(definition):
            return list(self.parameterAsLayerList(parameters, INPUT, context))
        return []

    def _problem(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """Return what is wrong with the parameters as a sentence, or an empty string."""
        problems = (
            problem_of(self, definition, parameters, context)
            for definition in self.parameterDefinitions()
        )
        problem = next(filter(None, problems), "") or self._model_problem(parameters, context)
        return messages.harmless(problem)

    def _model_problem(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """Say that the model is none for this job or these scenes, as far as QGIS can tell."""
        if self.parameterDefinition(MODEL) is None:
            return ""
        text = self.parameterAsString(parameters, MODEL, context)
        bands = self.parameterDefinition(BANDS)
        # A band table is believed instead of the file.
        is_told = bands is not None and bool(self.parameterAsString(parameters, BANDS, context))
        is_free = self.SUITS_ANY_SCENE or is_told
        layers = [] if is_free else self._rasters(parameters, context)
        return model_problem(text, self.NEEDS, layers) if text else ""

    def _written(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, str]:
        """Write features for the engine and return the fields that name their files."""
        written: dict[str, str] = {}
        for name, naming in self.FEATURES.items():
            source = self.parameterAsSource(parameters, name, context)
            if source is None:
                continue
            fields = self.parameterAsFields(parameters, naming, context) if naming else []
            try:
                path = write_features(source, fields, session_folder("job-"))
            except UnusableLayerError as error:
                raise QgsProcessingException(str(error)) from error
            written[name.lower()] = str(path)
        return written

    @property
    def _job(self) -> JobParameters:
        return JobParameters(self.KIND)

    def _listed(self, name: str, value: Any) -> Any:
        """Return a value as the job takes it: several, or one."""
        if not self._job.is_list(name) or isinstance(value, list):
            return value
        if value is None:
            return []
        return self._job.items(name, value) if isinstance(value, str) else [value]

    def _output(
        self,
        definition: QgsProcessingParameterDefinition,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
    ) -> str:
        files = (QgsProcessingParameterFileDestination, QgsProcessingParameterFolderDestination)
        if isinstance(definition, files):
            return self.parameterAsFileOutput(parameters, definition.name(), context)
        return self.parameterAsOutputLayer(parameters, definition.name(), context)

    def _style(
        self,
        results: Mapping[str, str],
        provenance: Provenance,
        context: QgsProcessingContext,
        feedback: Any,
    ) -> None:
        made = [name for name in self.STYLES if name in results]
        for problem in write_styles({results[name]: self.STYLES[name] for name in made}):
            feedback.pushWarning(problem)
        # What is placed last lies on top: the first, the main result.
        for name in reversed(made):
            description = self.parameterDefinition(name).description()
            title = f"{description}: {self._subject}"
            place_on_load(context, results[name], (description,), title, provenance)

    def _summary(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Return the declared outputs that the engine's summary holds in lower case."""
        names = [definition.name() for definition in self.outputDefinitions()]
        return {
            name: _output_value(summary[name.lower()]) for name in names if name.lower() in summary
        }


def _output_value(value: Any) -> Any:
    """Return a value of the summary as Processing has it: a list or a table is a text of lines."""
    if isinstance(value, dict):
        return "\n".join(f"{name}: {item}" for name, item in value.items())
    return "\n".join(map(str, value)) if isinstance(value, list) else value


def _write_log(run: Run) -> None:
    """Keep what the engine said on standard error where a bug report finds it."""
    if run.log:
        level = Qgis.MessageLevel.Info
        if isinstance(run.ending, (Failed, Crashed)):
            level = Qgis.MessageLevel.Critical
        QgsMessageLog.logMessage(run.log, messages.LOG_TAG, level, False)
