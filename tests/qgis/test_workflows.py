"""The shipped Processing models: listed, complete, and run by the real engine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.engine.inference_factories import CENTRES, make_model
from tests.factories import GEOTRANSFORM, make_raster

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "resources" / "models"
# What scripts rely on: ids, inputs, and results as <step>:<name>.
WORKFLOWS = {
    "preparescene": (
        ["product"],
        {
            "import:scene": "outputRaster",
            "inspect:report": "outputHtml",
            "align:hls": "outputRaster",
        },
    ),
    "explorescene": (
        ["scene"],
        {
            "reconstruct:error": "outputRaster",
            "anomaly:score": "outputRaster",
            "anomaly:marks": "outputRaster",
        },
    ),
    "findplaces": (
        ["scene", "places", "least"],
        {"similarity:likeness": "outputRaster", "alike:places": "outputRaster"},
    ),
    "labelstomap": (
        ["scene", "labels", "field"],
        {
            "finetune:model": "outputFile",
            "finetune:report": "outputFolder",
            "card:page": "outputHtml",
            "classify:map": "outputRaster",
        },
    ),
    "classmap": (
        ["scene", "model"],
        {
            "classify:map": "outputRaster",
            "areas:table": "outputVector",
        },
    ),
    "checkedmap": (
        ["scene", "model", "labels", "field"],
        {"classify:map": "outputRaster", "evaluate:report": "outputFolder"},
    ),
    "mosaicmap": (["scenes", "model"], {"classify:map": "outputRaster"}),
    "clusterpolygons": (
        ["scene", "clusters", "pixels"],
        {
            "embed:image": "outputRaster",
            "cluster:map": "outputRaster",
            "vectorise:polygons": "outputVector",
        },
    ),
    "valuesmap": (
        ["scene", "model"],
        {"regress:map": "outputRaster", "statistics:page": "outputHtml"},
    ),
    "newstudent": (
        ["scenes", "hours", "loss"],
        {
            "distill:checkpoint": "outputFile",
            "export:student": "outputFile",
            "quantize:smaller": "outputFile",
        },
    ),
}
# What every workflow that reads a scene as it is asks for, folded away: what is known of it better
# than the file says. A product is imported by what its own metadata says.
KNOWN_BETTER = ["accept", "bands", "nodata", "scale"]
READS_SCENES = sorted(set(WORKFLOWS) - {"preparescene"})
# Makes the environment that the others run in, and is hidden from models by its flags.
NO_STEP = {"setupengine"}
# Whole as they are: no shipped workflow has a step before or after them yet.
ALONE = {"firstlook", "restore", "detect"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_files_are_of_the_version_that_names_results_by_their_steps(name):
    """QGIS 3.26 and newer would call "align:hls" of a model that it made itself "hls"."""
    options = ElementTree.parse(FOLDER / f"{name}.model3").getroot().findall("Option")
    told = {option.get("name"): option.get("value") for option in options}
    assert told["model_name"] == name
    assert told.get("internal_version", "Version1") == "Version1"


def _canonical(path) -> str:
    """Return a model without what QGIS derives from its steps and from its help."""
    root = ElementTree.parse(path).getroot()
    definitions = root.find("Option[@name='parameterDefinitions']")
    for each in list(definitions):
        each.remove(each.find("Option[@name='help']"))
        if ":" in each.get("name"):
            definitions.remove(each)
    # Attributes have no order in the files.
    return ElementTree.canonicalize(ElementTree.tostring(root, "unicode"), strip_text=True)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_files_are_as_qgis_writes_them(plugin, tmp_path, name):
    """The files are the source: one that was edited by hand must be one that QGIS reads whole.

    A newer QGIS writes a newer version; there it is read again, which must lose nothing.
    """
    from qgis.core import Qgis, QgsProcessingModelAlgorithm

    model, again = QgsProcessingModelAlgorithm(), QgsProcessingModelAlgorithm()
    assert model.fromFile(str(FOLDER / f"{name}.model3"))
    assert model.toFile(str(tmp_path / "again.model3"))
    assert again.fromFile(str(tmp_path / "again.model3"))
    assert again.asPythonCode(_class(), 4) == model.asPythonCode(_class(), 4)
    assert again.helpContent() == model.helpContent()
    if Qgis.QGIS_VERSION_INT < 32600:
        written = _canonical(tmp_path / "again.model3")
        assert written == _canonical(FOLDER / f"{name}.model3")


def _class():
    from qgis.core import QgsProcessing

    return QgsProcessing.PythonOutputType.PythonQgsProcessingAlgorithmSubclass


def read(path):
    from osgeo import gdal

    return gdal.Open(str(path)).ReadAsArray()


# --- what is listed ----------------------------------------------------------------------


def test_every_shipped_model_is_an_algorithm(registry):
    found = {path.stem for path in FOLDER.glob("*.model3")}
    assert found == set(WORKFLOWS)
    for name in WORKFLOWS:
        algorithm = registry.algorithmById(f"hyperkd:{name}")
        assert algorithm.group() == "Workflows"
        assert algorithm.displayName() != name
        assert os.path.isfile(algorithm.svgIconPath())
        assert algorithm.shortHelpString()


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_a_dialog_shows_is_what_the_toolbox_shows(registry, name):
    """Dialogs, batches and runs work on a copy, and on a copy of that."""
    import gc

    listed = registry.algorithmById(f"hyperkd:{name}")
    copy = registry.createAlgorithmById(f"hyperkd:{name}").create()
    gc.collect()
    for method in (
        "id", "displayName", "shortDescription", "shortHelpString", "helpUrl", "group",
        "groupId", "svgIconPath", "sourceFilePath",
    ):  # fmt: skip
        assert getattr(copy, method)() == getattr(listed, method)(), method
    assert copy.helpUrl().endswith("#workflows")
    assert copy.provider() is listed.provider()
    assert _said(copy) == _said(listed)


def _said(algorithm) -> list:
    definitions = algorithm.parameterDefinitions()
    return [(each.name(), each.description(), each.help()) for each in definitions]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_inputs_and_results_are_listed_right_after_loading(registry, name):
    """The steps of a model are unknown while its provider is being added."""
    inputs, results = WORKFLOWS[name]
    inputs = [*inputs, *(KNOWN_BETTER if name in READS_SCENES else ())]
    algorithm = registry.algorithmById(f"hyperkd:{name}")
    definitions = algorithm.parameterDefinitions()
    given = [each.name() for each in definitions if not each.isDestination()]
    assert sorted(given) == sorted(inputs)
    made = {each.name(): each.type() for each in algorithm.outputDefinitions()}
    assert {key: value for key, value in made.items() if ":" in key} == results
    assert {each.name() for each in algorithm.destinationParameterDefinitions()} == set(results)
    assert algorithm.canExecute()[0]


@pytest.mark.parametrize("name", READS_SCENES)
@pytest.mark.parametrize("known", KNOWN_BETTER)
def test_what_is_known_better_reaches_every_step_that_can_use_it(registry, name, known):
    """A severe problem could be accepted in no workflow, and no scale be named."""
    workflow = registry.algorithmById(f"hyperkd:{name}")
    asked = workflow.parameterDefinition(known).toVariantMap()
    wanted = 0
    for child in workflow.childAlgorithms().values():
        step = child.algorithm()
        own = step.parameterDefinition(known.upper())
        if own is None or step.provider().id() != "hyperkd":
            continue
        wanted += 1
        (source,) = child.parameterSources()[known.upper()]
        assert source.parameterName() == known
        told = own.toVariantMap()
        differing = {key for key in told if (told[key] or None) != (asked.get(key) or None)}
        assert differing <= {"name", "help", "flags"}
        assert own.help() == workflow.helpContent()[known]
    assert wanted


@pytest.mark.parametrize("name", READS_SCENES)
def test_the_help_begins_with_what_everybody_must_give(registry, name):
    workflow = registry.algorithmById(f"hyperkd:{name}")
    text = workflow.shortHelpString()
    asked = WORKFLOWS[name][0]
    places = [
        text.index(f"<h3>{workflow.parameterDefinition(each).description()}</h3>")
        for each in [*asked, *KNOWN_BETTER]
    ]
    assert max(places[: len(asked)]) < min(places[len(asked) :])


def test_every_algorithm_is_a_step_of_a_shipped_model(registry):
    own = {each.id() for each in registry.providerById("hyperkd").algorithms()}
    own -= {f"hyperkd:{name}" for name in {*WORKFLOWS, *NO_STEP, *ALONE}}
    steps = set()
    for name in WORKFLOWS:
        children = registry.algorithmById(f"hyperkd:{name}").childAlgorithms().values()
        steps |= {child.algorithmId() for child in children}
    assert own - steps == set()


def test_they_are_loaded_again_when_their_steps_appear(plugin, registry):
    """QGIS may load GDAL's algorithms after ours."""
    plugin._provider.refreshAlgorithms()
    before = registry.algorithmById("hyperkd:mosaicmap")
    plugin._refresh_workflows("somebody")
    assert registry.algorithmById("hyperkd:mosaicmap") is before
    plugin._refresh_workflows("gdal")
    assert registry.algorithmById("hyperkd:mosaicmap").outputDefinitions()


def test_a_model_that_cannot_be_read_is_left_out_and_named(plugin, monkeypatch, tmp_path):
    from qgis.core import QgsApplication

    from hyperkd_qgis import workflows

    (tmp_path / "broken.model3").write_text("nothing")
    monkeypatch.setattr(workflows, "workflows_folder", lambda: tmp_path)
    logged = []
    log = QgsApplication.messageLog()
    log.messageReceived.connect(lambda *message: logged.append(message[0]))
    assert workflows.load() == []
    assert any("broken.model3" in text for text in logged)


# --- what they make ----------------------------------------------------------------------


def test_a_scene_becomes_a_class_map_and_a_table_of_areas(
    plugin, real_engine, spectral, classifier, tmp_path
):
    import processing
    from osgeo import ogr

    scene = spectral("scene")
    processing.run(
        "hyperkd:classmap",
        {
            "scene": str(scene),
            "model": classifier,
            "classify:map": str(tmp_path / "map.tif"),
            "areas:table": str(tmp_path / "areas.csv"),
        },
    )
    expected = read(scene).argmax(axis=0) + 1
    assert (read(tmp_path / "map.tif") == expected).all()
    assert (tmp_path / "map.qml").is_file()
    dataset = ogr.Open(str(tmp_path / "areas.csv"))
    rows = {int(row["value"]): row for row in dataset.GetLayer(0)}
    assert {row["class"] for row in rows.values()} == {f"class {value - 1}" for value in rows}
    pixels = int((expected == 1).sum())
    pixel_ha = abs(GEOTRANSFORM[1] * GEOTRANSFORM[5]) / 10_000
    assert int(rows[1]["pixels"]) == pixels
    assert float(rows[1]["hectares"]) == pytest.approx(pixels * pixel_ha, abs=1e-4)
    assert float(rows[1]["percent"]) == pytest.approx(100 * pixels / expected.size, abs=0.01)


def test_areas_without_metres_have_no_hectares_and_odd_names_stay_whole(
    plugin, real_engine, tmp_path
):
    """A name may look like a count, and degrees are no metres."""
    import numpy as np
    import processing
    from osgeo import ogr

    data = np.full((5, 8, 8), 500, np.int16)
    data[0, :, :6] = 4000
    data[1, :, 6:] = 4000
    scene = make_raster(
        tmp_path / "degrees.tif",
        data,
        wavelengths=list(CENTRES),
        fwhm=10.0,
        geotransform=(13.0, 0.001, 0.0, 52.5, 0.0, -0.001),
        epsg=4326,
    )
    model = make_model(tmp_path / "odd.onnx", names=["soil: 12", "a\\b 'c'", "x", "y", "z"])
    processing.run(
        "hyperkd:classmap",
        {
            "scene": str(scene),
            "model": str(model),
            "classify:map": str(tmp_path / "map.tif"),
            "areas:table": str(tmp_path / "areas.csv"),
        },
    )
    dataset = ogr.Open(str(tmp_path / "areas.csv"))
    rows = [(row["class"], row["hectares"], float(row["percent"])) for row in dataset.GetLayer(0)]
    assert rows == [("soil: 12", "", 75.0), ("a\\b 'c'", "", 25.0)]


@pytest.mark.parametrize("given", [{}, {"scale": 0.0001}, {"accept": ["raw_counts"]}])
def test_raw_counts_stop_a_workflow_unless_the_user_knows_better(
    plugin, real_engine, classifier, feedback, tmp_path, given
):
    import numpy as np
    import processing
    from qgis.core import QgsProcessingException

    wavelengths = sorted({*CENTRES, *np.linspace(420, 980, 15).round()})
    data = np.random.default_rng(0).integers(2000, 4095, (len(wavelengths), 32, 32))
    for band in range(len(data)):
        data[band, band] = 4095  # where twelve bits end
    scene = make_raster(
        tmp_path / "raw.tif", data.astype(np.uint16), wavelengths=wavelengths, fwhm=10.0, scale=None
    )
    values = {"scene": str(scene), "model": classifier, "classify:map": str(tmp_path / "map.tif")}
    if given:
        processing.run("hyperkd:classmap", {**values, **given})
        assert read(tmp_path / "map.tif").shape == (32, 32)
    else:
        with pytest.raises(QgsProcessingException) as caught:
            processing.run("hyperkd:classmap", values, feedback=feedback)
        # Newer QGIS puts the reason into the exception.
        said = [str(caught.value), *(text for _, text in feedback.said)]
        assert any("raw counts" in text for text in said), said
        assert not (tmp_path / "map.tif").exists()


def test_several_scenes_become_one_map(plugin, real_engine, spectral, classifier, tmp_path):
    import numpy as np
    import processing

    scenes = [spectral("a", 0), spectral("b", 1)]
    output = tmp_path / "map.tif"
    processing.run(
        "hyperkd:mosaicmap",
        {
            "scenes": [str(each) for each in scenes],
            "model": classifier,
            "classify:map": str(output),
        },
    )
    expected = np.concatenate([read(each).argmax(axis=0) + 1 for each in scenes], axis=1)
    assert (read(output) == expected).all()


def test_alike_surfaces_become_polygons(plugin, real_engine, one_potsdam, tmp_path):
    import processing
    from osgeo import ogr

    tile = one_potsdam.tile(128, 96)
    results = processing.run(
        "hyperkd:clusterpolygons",
        {
            "scene": str(tile),
            "clusters": 4,
            "pixels": 9,
            "embed:image": "TEMPORARY_OUTPUT",
            "cluster:map": "TEMPORARY_OUTPUT",
            "vectorise:polygons": str(tmp_path / "polygons.gpkg"),
        },
    )
    assert set(read(results["cluster:map"]).ravel()) == {1, 2, 3, 4}
    dataset = ogr.Open(str(tmp_path / "polygons.gpkg"))
    found = [(row["cluster"], row.GetGeometryRef().Area()) for row in dataset.GetLayer(0)]
    assert {cluster for cluster, _ in found} == {1, 2, 3, 4}
    assert sum(area for _, area in found) == pytest.approx(32 * 32 * 900)
    assert min(area for _, area in found) >= 9 * 900


def test_a_product_becomes_a_scene_a_report_and_hls_bands(plugin, real_engine, land, tmp_path):
    import processing

    results = processing.run(
        "hyperkd:preparescene",
        {
            "product": str(land / "scene.tif"),
            "import:scene": str(tmp_path / "scene.tif"),
            "inspect:report": str(tmp_path / "report.html"),
            "align:hls": str(tmp_path / "hls.tif"),
        },
    )
    assert read(results["align:hls"]).shape == (6, *read(results["import:scene"]).shape[1:])
    assert "nm" in Path(results["inspect:report"]).read_text(encoding="utf-8")


def test_it_runs_in_the_background_as_a_dialog_runs_it(
    plugin, registry, real_engine, spectral, classifier, feedback, tmp_path, wait
):
    """Its copy is in Python, and nobody but the task knows of it."""
    import gc

    from qgis.core import QgsApplication, QgsProcessingAlgRunnerTask, QgsProcessingContext

    ended, context = [], QgsProcessingContext()
    values = {
        "scene": str(spectral("scene")),
        "model": str(classifier),
        "classify:map": str(tmp_path / "map.tif"),
    }
    algorithm = registry.createAlgorithmById("hyperkd:classmap")
    task = QgsProcessingAlgRunnerTask(algorithm, values, context, feedback)
    del algorithm
    gc.collect()
    task.executed.connect(lambda *given: ended.append(given))
    QgsApplication.taskManager().addTask(task)
    wait(lambda: ended)
    [(is_fine, results)] = ended
    assert is_fine, feedback.said[-3:]
    assert results["classify:map"] == values["classify:map"]
    assert read(values["classify:map"]).shape == (64, 64)


def test_what_is_unusual_is_mapped(plugin, real_engine, land, tmp_path):
    import processing

    results = processing.run(
        "hyperkd:explorescene",
        {
            "scene": str(land / "scene.tif"),
            "reconstruct:error": str(tmp_path / "error.tif"),
            "anomaly:score": str(tmp_path / "score.tif"),
            "anomaly:marks": str(tmp_path / "marks.tif"),
        },
    )
    score, marks = read(results["anomaly:score"])[0], read(results["anomaly:marks"])
    assert ((score >= 3.5) == (marks == 2)).all()
    assert read(results["reconstruct:error"]).shape == (2, *marks.shape)


def test_marked_places_lead_to_places_like_them(plugin, real_engine, land, tmp_path):
    import processing

    results = processing.run(
        "hyperkd:findplaces",
        {
            "scene": str(land / "scene.tif"),
            "places": str(land / "labels.gpkg"),
            "least": 0.9,
            "similarity:likeness": str(tmp_path / "likeness.tif"),
            "alike:places": str(tmp_path / "places.tif"),
        },
    )
    likeness = read(results["similarity:likeness"])
    assert ((likeness >= 0.9) == (read(results["alike:places"]) == 1)).all()
    assert 0 < (likeness >= 0.9).mean() < 1


def test_values_become_a_map_and_statistics(plugin, real_engine, spectral, tmp_path):
    import processing

    scene = spectral("scene")
    results = processing.run(
        "hyperkd:valuesmap",
        {
            "scene": str(scene),
            "model": str(make_model(tmp_path / "regressor.onnx", task="regression")),
            "regress:map": str(tmp_path / "map.tif"),
            "statistics:page": str(tmp_path / "page.html"),
        },
    )
    values = read(results["regress:map"])
    first = values if values.ndim == 2 else values[0]
    page = Path(results["statistics:page"]).read_text(encoding="utf-8")
    assert f"{first.max():.4g}"[:5] in page


def test_a_map_is_tested_with_labels_of_its_classes(
    plugin, real_engine, spectral, classifier, tmp_path
):
    import processing

    from tests.label_factories import make_vector, point

    scene = spectral("scene")
    truth = read(scene).argmax(axis=0)
    names = sorted({str(each.get("name")) for each in _card(classifier)["classes"]})
    features = [
        (point(col + 0.5, row + 0.5), {"cover": names[truth[row, col]]})
        for row in range(1, 64, 6)
        for col in range(1, 64, 6)
    ]
    labels = make_vector(tmp_path / "labels.gpkg", features, {"cover": "text"})
    results = processing.run(
        "hyperkd:checkedmap",
        {
            "scene": str(scene),
            "model": str(classifier),
            "labels": str(labels),
            "field": "cover",
            "classify:map": str(tmp_path / "map.tif"),
            "evaluate:report": str(tmp_path / "report"),
        },
    )
    report = json.loads((Path(results["evaluate:report"]) / "report.json").read_text())
    assert "area" in json.dumps(report)
    assert (Path(results["evaluate:report"]) / "report.html").is_file()


def _card(path):
    from hyperkd_qgis.modelfile import read_card

    return read_card(Path(path))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_labels_become_a_model_a_report_and_a_map(plugin, real_engine, land, tmp_path):
    pytest.importorskip("torch")
    import processing

    from tests.qgis.landscape import CLASSES, truth

    results = processing.run(
        "hyperkd:labelstomap",
        {
            "scene": str(land / "scene.tif"),
            "labels": str(land / "labels.gpkg"),
            "field": "cover",
            "finetune:model": str(tmp_path / "cover.onnx"),
            "finetune:report": str(tmp_path / "report"),
            "card:page": str(tmp_path / "card.html"),
            "classify:map": str(tmp_path / "map.tif"),
        },
    )
    order = [each["name"] for each in _card(results["finetune:model"])["classes"]]
    expected = [order.index(CLASSES[value]) + 1 for value in truth().flat]
    assert (read(results["classify:map"]).ravel() == expected).mean() > 0.98
    assert (Path(results["finetune:report"]) / "report.html").is_file()
    assert "water" in Path(results["card:page"]).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_scenes_become_a_student_and_a_smaller_one(plugin, quick_engine, land, tmp_path):
    pytest.importorskip("torch")
    import processing

    results = processing.run(
        "hyperkd:newstudent",
        {
            "scenes": [str(land / "scene.tif")],
            "hours": 0.001,
            "loss": 100.0,
            "distill:checkpoint": str(tmp_path / "student.safetensors"),
            "export:student": str(tmp_path / "again.onnx"),
            "quantize:smaller": str(tmp_path / "small.onnx"),
        },
    )
    student, small = Path(results["export:student"]), Path(results["quantize:smaller"])
    assert _card(student)["task"] == _card(small)["task"] == "pretrain"
    assert small.stat().st_size < student.stat().st_size
    assert Path(results["distill:checkpoint"]).is_file()
