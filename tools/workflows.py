"""Writes the Processing models that the plugin ships, ``resources/models/*.model3``.

Run it with the oldest QGIS that is supported, because a newer one may write what an older
one cannot read:

    QT_QPA_PLATFORM=offscreen .venv/bin/python -m tools.workflows

Ids of models, of their steps and of their outputs are what scripts rely on: they never
change. Together the models run every algorithm that can be a step of one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsProcessing,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
)

from tools.machine import ROOT
from tools.workflow import SOURCE, Workflow, marked, result_of

FOLDER = ROOT / "resources" / "models"
_GEOMETRIES = QgsProcessing.SourceType.TypeVectorAnyGeometry
_RASTERS = QgsProcessing.SourceType.TypeRaster
# Types of fields, as QVariant numbers them.
_WHOLE, _REAL, _TEXT = 2, 6, 10
# A step's results are variables of the steps after it. The classes come as lines of
# "name: pixels", from the value 1 on.
_NAME_OF_VALUE = (
    "regexp_replace(array_get(string_to_array(@classify_CLASSES, '\\n'), \"value\" - 1), "
    "': \\\\d+$', '')"
)
_MAPPED_PIXELS = "@count_TOTAL_PIXEL_COUNT - @count_NODATA_PIXEL_COUNT"


def _scene(made: Workflow) -> Any:
    definition = QgsProcessingParameterRasterLayer("scene", marked("Hyperspectral raster"))
    return made.parameter(definition, marked("The scene."))


def _scenes(made: Workflow, text: str) -> Any:
    title = marked("Hyperspectral rasters")
    return made.parameter(QgsProcessingParameterMultipleLayers("scenes", title, _RASTERS), text)


def _model(made: Workflow, text: str) -> Any:
    title, kinds = marked("Model (name or .onnx file)"), "ONNX (*.onnx);;*.* (*)"
    return made.parameter(QgsProcessingParameterFile("model", title, fileFilter=kinds), text)


def _labels(made: Workflow, text: str) -> tuple[Any, Any]:
    """Add labels and their field."""
    title = marked("Labels")
    definition = QgsProcessingParameterFeatureSource("labels", title, [_GEOMETRIES])
    field = QgsProcessingParameterField(
        "field", marked("Field of the labels"), parentLayerParameterName="labels"
    )
    return made.parameter(definition, text), made.parameter(field, marked("What they say."))


def _number(
    made: Workflow, name: str, title: str, text: str, default: float, **bounds: float
) -> Any:
    kinds = QgsProcessingParameterNumber.Type
    kind = kinds.Integer if isinstance(default, int) else kinds.Double
    definition = QgsProcessingParameterNumber(
        name, title, type=kind, defaultValue=default, **{f"{k}Value": v for k, v in bounds.items()}
    )
    return made.parameter(definition, text)


def prepare() -> Workflow:
    """Return: a delivered product to a scene, a report about it, and its HLS bands."""
    made = Workflow(
        "preparescene",
        marked("Product to scene, report and HLS bands"),
        marked(
            "Imports what a mission has delivered, reports what a student gets from it, and makes "
            "the six bands that the teacher Prithvi sees."
        ),
    )
    product = made.parameter(
        QgsProcessingParameterFile(
            "product", marked("Product (file or folder)"), fileFilter="*.* (*)"
        ),
        marked("A METADATA.XML, .zip, .he5 or .nc, or a folder."),
    )
    made.step(
        "import",
        "hyperkd:importproduct",
        {"PRODUCT": product},
        {"scene": ("OUTPUT", marked("Imported scene"))},
    )
    made.step(
        "inspect",
        "hyperkd:inspect",
        {"INPUT": result_of("import", "OUTPUT")},
        {"report": ("OUTPUT", marked("Inspection report"))},
    )
    made.step(
        "align",
        "hyperkd:aligntohls",
        {"INPUT": result_of("import", "OUTPUT")},
        {"hls": ("OUTPUT", marked("HLS bands"))},
    )
    return made


def explore() -> Workflow:
    """Return: what is unusual in a scene."""
    made = Workflow(
        "explorescene",
        marked("Find unusual places (workflow)"),
        marked("Maps how badly a student predicts each place, and marks the anomalies."),
    )
    scene = _scene(made)
    made.step(
        "reconstruct",
        "hyperkd:reconstruct",
        {"INPUT": scene},
        {"error": ("ERROR", marked("Reconstruction error"))},
    )
    made.step(
        "anomaly",
        "hyperkd:anomaly",
        {"INPUT": scene},
        {
            "score": ("OUTPUT", marked("Anomaly score")),
            "marks": ("MASK", marked("Anomalies")),
        },
    )
    return made


def find_places() -> Workflow:
    """Return: where a scene is like places that are marked."""
    made = Workflow(
        "findplaces",
        marked("Find places like mine (workflow)"),
        marked("Maps how like a scene is to marked places, and cuts out what is alike enough."),
    )
    scene = _scene(made)
    places = made.parameter(
        QgsProcessingParameterFeatureSource("places", marked("Places"), [_GEOMETRIES]),
        marked("Points, lines or polygons of what is looked for."),
    )
    _number(
        made,
        "least",
        marked("Least likeness"),
        marked("From which likeness on a pixel counts; 1 is the same."),
        0.8,
        min=-1.0,
        max=1.0,
    )
    made.step(
        "similarity",
        "hyperkd:similarity",
        {"INPUT": scene, "PLACES": places},
        {"likeness": ("OUTPUT", marked("Likeness"))},
    )
    made.step(
        "alike",
        "gdal:rastercalculator",
        {
            "INPUT_A": result_of("similarity", "OUTPUT"),
            "BAND_A": 1,
            "FORMULA": SOURCE.fromExpression("'A>=' || @least"),
            "RTYPE": 0,
        },
        {"places": ("OUTPUT", marked("Places that are alike"))},
    )
    return made


def train_and_map() -> Workflow:
    """Return: labels to a model, its report, its card and its map."""
    made = Workflow(
        "labelstomap",
        marked("Labels to model, report and class map"),
        marked(
            "Fine-tunes the shipped student on labels, tests it on those that were held out, and "
            "maps the scene with it."
        ),
    )
    scene = _scene(made)
    labels, field = _labels(made, marked("Polygons, lines or points with their class."))
    made.step(
        "finetune",
        "hyperkd:finetune",
        {"INPUT": scene, "LABELS": labels, "FIELD": field, "TASK": "classification"},
        {"model": ("OUTPUT", marked("Model")), "report": ("REPORT", marked("Report"))},
    )
    made.step(
        "card",
        "hyperkd:modelinfo",
        {"MODEL": result_of("finetune", "OUTPUT")},
        {"page": ("OUTPUT", marked("Card"))},
    )
    made.step(
        "classify",
        "hyperkd:classify",
        {"INPUT": scene, "MODEL": result_of("finetune", "OUTPUT")},
        {"map": ("OUTPUT", marked("Class map"))},
    )
    return made


def checked_map() -> Workflow:
    """Return: a class map with accuracies and areas from labels that were drawn at random."""
    made = Workflow(
        "checkedmap",
        marked("Scene to class map with tested areas"),
        marked(
            "Classifies a scene and estimates accuracies and areas of the whole map, with "
            "intervals, from labels that were drawn at random in the classes of such a map."
        ),
    )
    scene = _scene(made)
    model = _model(made, marked("A model fine-tuned for classification."))
    labels, field = _labels(made, marked("What is really there, at places drawn at random."))
    made.step(
        "classify",
        "hyperkd:classify",
        {"INPUT": scene, "MODEL": model},
        {"map": ("OUTPUT", marked("Class map"))},
    )
    made.step(
        "evaluate",
        "hyperkd:evaluate",
        {
            "INPUT": scene,
            "MODEL": model,
            "LABELS": labels,
            "FIELD": field,
            "STRATA": result_of("classify", "OUTPUT"),
        },
        {"report": ("REPORT", marked("Report"))},
    )
    return made


def values_map() -> Workflow:
    """Return: a map of values with its statistics."""
    made = Workflow(
        "valuesmap",
        marked("Scene to map of values and statistics"),
        marked("Maps what a model was fine-tuned to estimate, and describes its first quantity."),
    )
    scene = _scene(made)
    model = _model(made, marked("A model fine-tuned for regression."))
    made.step(
        "regress",
        "hyperkd:regress",
        {"INPUT": scene, "MODEL": model},
        {"map": ("OUTPUT", marked("Map of values"))},
    )
    made.step(
        "statistics",
        "native:rasterlayerstatistics",
        {"INPUT": result_of("regress", "OUTPUT"), "BAND": 1},
        {"page": ("OUTPUT_HTML_FILE", marked("Statistics"))},
    )
    return made


def new_student() -> Workflow:
    """Return: scenes to a student, and to a smaller one."""
    made = Workflow(
        "newstudent",
        marked("Scenes to student and quantised student"),
        marked(
            "Trains a tiny student on scenes without labels for some hours, exports it, and makes "
            "it smaller and faster."
        ),
    )
    scenes = _scenes(made, marked("The scenes to learn from."))
    hours = _number(
        made, "hours", marked("Budget (hours)"), marked("How long it trains."), 8.0, min=0.001
    )
    loss = _number(
        made,
        "loss",
        marked("Largest accepted loss (percent points)"),
        marked("Of the embedding's variance, by which the smaller student may differ."),
        2.0,
        min=0.0,
        max=100.0,
    )
    made.step(
        "distill",
        "hyperkd:distill",
        {"INPUT": scenes, "HOURS": hours},
        {"checkpoint": ("OUTPUT", marked("Checkpoint"))},
    )
    made.step(
        "export",
        "hyperkd:export",
        {"CHECKPOINT": result_of("distill", "OUTPUT")},
        {"student": ("OUTPUT", marked("Student"))},
    )
    made.step(
        "quantize",
        "hyperkd:quantize",
        {"MODEL": result_of("export", "OUTPUT"), "INPUT": scenes, "LOSS": loss},
        {"smaller": ("OUTPUT", marked("Smaller model"))},
    )
    return made


def class_map() -> Workflow:
    """Return: a scene to a styled class map, with a table of areas."""
    made = Workflow(
        "classmap",
        marked("Scene to class map and areas"),
        marked(
            "Classifies a scene with a fine-tuned model and lists the area of each class in "
            "hectares and in percent of what was mapped."
        ),
    )
    scene = _scene(made)
    model = _model(made, marked("A model fine-tuned for classification."))
    made.step(
        "classify",
        "hyperkd:classify",
        {"INPUT": scene, "MODEL": model},
        {"map": ("OUTPUT", marked("Class map"))},
    )
    made.step(
        "count",
        "native:rasterlayeruniquevaluesreport",
        {"INPUT": result_of("classify", "OUTPUT"), "BAND": 1},
    )
    columns = [
        ("class", _TEXT, _NAME_OF_VALUE),
        # Only where the reference system is in metres does the step before tell square metres.
        ("hectares", _REAL, "round(attribute($currentfeature, 'm2') / 10000, 4)"),
        ("percent", _REAL, f'round(100 * "count" / ({_MAPPED_PIXELS}), 2)'),
        ("pixels", _WHOLE, '"count"'),
        ("value", _WHOLE, '"value"'),
    ]
    made.step(
        "columns",
        "native:refactorfields",
        {
            "INPUT": result_of("count", "OUTPUT_TABLE"),
            "FIELDS_MAPPING": [
                {"name": name, "type": kind, "length": 0, "precision": 0, "expression": expression}
                for name, kind, expression in columns
            ],
        },
    )
    # Changes nothing, but its output may be left out, as scripts do that want the map alone.
    made.step(
        "areas",
        "native:filterbygeometry",
        {"INPUT": result_of("columns", "OUTPUT")},
        {"table": ("NO_GEOMETRY", marked("Areas of the classes"))},
    )
    return made


def mosaic() -> Workflow:
    """Return: several scenes to one class map."""
    made = Workflow(
        "mosaicmap",
        marked("Several scenes to one class map"),
        marked(
            "Puts scenes of one sensor together as a virtual raster and classifies them as one, "
            "so that no seam is left where they meet."
        ),
    )
    scenes = _scenes(made, marked("Scenes with the same bands in the same reference system."))
    model = _model(made, marked("A model fine-tuned for classification."))
    made.step("mosaic", "gdal:buildvirtualraster", {"INPUT": scenes, "SEPARATE": False})
    made.step(
        "classify",
        "hyperkd:classify",
        {"INPUT": result_of("mosaic", "OUTPUT"), "MODEL": model},
        {"map": ("OUTPUT", marked("Class map"))},
    )
    return made


def segments() -> Workflow:
    """Return: clusters of a scene as polygons."""
    made = Workflow(
        "clusterpolygons",
        marked("Scene to polygons of alike surfaces"),
        marked(
            "Groups the pixels of a scene by a student's embedding, removes specks, and draws the "
            "groups as polygons: a first map without labels, and a start for drawing some."
        ),
    )
    scene = _scene(made)
    count = _number(
        made, "clusters", marked("Clusters"), marked("How many groups."), 8, min=2, max=254
    )
    least = _number(
        made,
        "pixels",
        marked("Smallest group (pixels)"),
        marked("Smaller specks join what lies around them."),
        9,
        min=1,
    )
    made.step(
        "embed",
        "hyperkd:embed",
        {"INPUT": scene},
        {"image": ("OUTPUT", marked("Embedding"))},
    )
    made.step(
        "cluster",
        "hyperkd:cluster",
        {"INPUT": scene, "CLASSES": count},
        {"map": ("OUTPUT", marked("Cluster map"))},
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
        {"polygons": ("OUTPUT", marked("Polygons of alike surfaces"))},
    )
    return made


WORKFLOWS = (
    prepare,
    explore,
    find_places,
    segments,
    train_and_map,
    class_map,
    checked_map,
    mosaic,
    values_map,
    new_student,
)


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
