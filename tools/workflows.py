"""Writes the Processing models that the plugin ships, ``resources/models/*.model3``.

Run it with the oldest QGIS that is supported, because a newer one may write what an older
one cannot read:

    QT_QPA_PLATFORM=offscreen .venv/bin/python -m tools.workflows

Ids of models, of their steps and of their outputs are what scripts rely on: they never
change.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsProcessing,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
)
from qgis.PyQt.QtCore import QPointF

from tools.machine import ROOT

FOLDER = ROOT / "resources" / "models"
SOURCE = QgsProcessingModelChildParameterSource
# How far steps lie apart in the designer.
_ACROSS, _DOWN = 220.0, 110.0


class Workflow:
    """A model while it is put together.

    Args:
        name: the part of its id after the colon.
        title: for the help.
        description: what it does, for the help.
    """

    def __init__(self, name: str, title: str, description: str) -> None:
        self.model = QgsProcessingModelAlgorithm(name, "HyperKD workflows")
        self.model.setHelpContent(
            {"ALG_DESC": description, "SHORT_DESCRIPTION": title, "ALG_VERSION": "1"}
        )
        self._help: dict[str, str] = dict(self.model.helpContent())
        self._parameters = 0
        self._steps = 0

    def parameter(self, definition: QgsProcessingParameterDefinition, text: str) -> Any:
        """Add an input and return it as a source for steps."""
        component = QgsProcessingModelParameter(definition.name())
        component.setPosition(QPointF(_ACROSS * self._parameters + 120, 60))
        self._parameters += 1
        self.model.addModelParameter(definition, component)
        self._help[definition.name()] = text
        self.model.setHelpContent(self._help)
        return SOURCE.fromModelParameter(definition.name())

    def step(
        self,
        child: str,
        algorithm: str,
        sources: Mapping[str, Any],
        outputs: Mapping[str, tuple[str, str]] = {},
    ) -> None:
        """Add a step.

        Args:
            child: its id.
            algorithm: what it runs.
            sources: its parameters: a source, or a value.
            outputs: results of the model: name, and for it the output of the step and a title.
        """
        step = QgsProcessingModelChildAlgorithm(algorithm)
        step.setChildId(child)
        step.setDescription(child)
        self._steps += 1
        step.setPosition(QPointF(_ACROSS * 0.8 + 60, _DOWN * self._steps + 90))
        for name, given in sources.items():
            source = given if isinstance(given, SOURCE) else SOURCE.fromStaticValue(given)
            step.addParameterSources(name, [source])
        made = {}
        for number, (name, (output, title)) in enumerate(outputs.items()):
            final = QgsProcessingModelOutput(name, title)
            final.setChildId(child)
            final.setChildOutputName(output)
            final.setPosition(QPointF(_ACROSS * 2 + 60, _DOWN * self._steps + 90 + 50 * number))
            made[name] = final
        step.setModelOutputs(made)
        self.model.addChildAlgorithm(step)


def result_of(child: str, output: str) -> Any:
    """Return an output of an earlier step."""
    return SOURCE.fromChildOutput(child, output)


def _scene() -> QgsProcessingParameterRasterLayer:
    return QgsProcessingParameterRasterLayer("scene", "Hyperspectral raster")


def _model() -> QgsProcessingParameterFile:
    return QgsProcessingParameterFile(
        "model", "Model (name or .onnx file)", fileFilter="ONNX (*.onnx);;*.* (*)"
    )


def class_map() -> Workflow:
    """Return: a scene to a styled class map, with a table of areas."""
    made = Workflow(
        "classmap",
        "Scene to class map and areas",
        "Classifies a scene with a fine-tuned model and measures the area of each class.",
    )
    scene = made.parameter(_scene(), "The scene.")
    model = made.parameter(_model(), "A model fine-tuned for classification.")
    made.step(
        "classify",
        "hyperkd:classify",
        {"INPUT": scene, "MODEL": model},
        {"map": ("OUTPUT", "Class map")},
    )
    made.step(
        "areas",
        "native:rasterlayeruniquevaluesreport",
        {"INPUT": result_of("classify", "OUTPUT"), "BAND": 1},
        {"table": ("OUTPUT_TABLE", "Areas of the classes")},
    )
    return made


def mosaic() -> Workflow:
    """Return: several scenes to one class map."""
    made = Workflow(
        "mosaicmap",
        "Several scenes to one class map",
        "Puts scenes of one sensor together as a virtual raster and classifies them as one, so "
        "that no seam is left where they meet.",
    )
    rasters = QgsProcessing.SourceType.TypeRaster
    scenes = made.parameter(
        QgsProcessingParameterMultipleLayers("scenes", "Hyperspectral rasters", rasters),
        "Scenes with the same bands in the same reference system.",
    )
    model = made.parameter(_model(), "A model fine-tuned for classification.")
    made.step("mosaic", "gdal:buildvirtualraster", {"INPUT": scenes, "SEPARATE": False})
    made.step(
        "classify",
        "hyperkd:classify",
        {"INPUT": result_of("mosaic", "OUTPUT"), "MODEL": model},
        {"map": ("OUTPUT", "Class map")},
    )
    return made


def segments() -> Workflow:
    """Return: clusters of a scene as polygons."""
    made = Workflow(
        "clusterpolygons",
        "Scene to polygons of alike surfaces",
        "Groups the pixels of a scene by a student's embedding, removes specks, and draws the "
        "groups as polygons: a first map without labels, and a start for drawing some.",
    )
    scene = made.parameter(_scene(), "The scene.")
    count = made.parameter(
        QgsProcessingParameterNumber(
            "clusters",
            "Clusters",
            type=QgsProcessingParameterNumber.Type.Integer,
            defaultValue=8,
            minValue=2,
            maxValue=254,
        ),
        "How many groups.",
    )
    least = made.parameter(
        QgsProcessingParameterNumber(
            "pixels",
            "Smallest group (pixels)",
            type=QgsProcessingParameterNumber.Type.Integer,
            defaultValue=9,
            minValue=1,
        ),
        "Smaller specks join what lies around them.",
    )
    made.step(
        "cluster",
        "hyperkd:cluster",
        {"INPUT": scene, "CLASSES": count},
        {"map": ("OUTPUT", "Cluster map")},
    )
    made.step(
        "sieve",
        "gdal:sieve",
        {
            "INPUT": result_of("cluster", "OUTPUT"),
            "THRESHOLD": least,
            "EIGHT_CONNECTEDNESS": False,
            "NO_MASK": False,
        },
    )
    made.step(
        "vectorise",
        "gdal:polygonize",
        {
            "INPUT": result_of("sieve", "OUTPUT"),
            "BAND": 1,
            "FIELD": "cluster",
            "EIGHT_CONNECTEDNESS": False,
        },
        {"polygons": ("OUTPUT", "Polygons of alike surfaces")},
    )
    return made


WORKFLOWS = (class_map, mosaic, segments)


def write(folder: Path) -> list[Path]:
    """Write all models and return their files; the algorithms they use must be loaded.

    Raises:
        OSError: one of them cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for make in WORKFLOWS:
        workflow = make()
        path = folder / f"{workflow.model.name()}.model3"
        if not workflow.model.toFile(str(path)):
            raise OSError(f"{path} cannot be written")
        paths.append(path)
    return paths


def main() -> int:
    """Start a QGIS without a window, load the algorithms, and write the models."""
    application = QgsApplication([], False)
    application.initQgis()
    sys.path.append(str(Path(QgsApplication.pkgDataPath()) / "python" / "plugins"))
    from processing.core.Processing import Processing

    from hyperkd_qgis import classFactory

    Processing.initialize()
    plugin = classFactory(None)
    plugin.initProcessing()
    for path in write(FOLDER):
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    plugin.unload()
    application.exitQgis()
    return 0


if __name__ == "__main__":
    sys.exit(main())
