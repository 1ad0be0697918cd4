"""Labels on their way from a layer of QGIS to the engine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.qgis.model_files import card, write_model

# Copies what it is given, so that the test can look at it after the run.
_KEEPS = """
import shutil
hello()
kept = dict(job)
for name in ("labels", "training_labels"):
    copies = []
    for number, path in enumerate(job.get(name, ())):
        target = os.path.join({folder!r}, f"{{name}}-{{number}}" + os.path.splitext(path)[1])
        shutil.copy(path, target)
        copies.append(target)
    if name in job:
        kept[name + "_copies"] = copies
if "places" in job:
    shutil.copy(job["places"], os.path.join({folder!r}, "places.gpkg"))
if "report" in job:
    os.makedirs(job["report"], exist_ok=True)
    open(os.path.join(job["report"], "report.html"), "w").write("<html></html>")
if str(job.get("output", "")).endswith(".tif"):
    shutil.copy(job["input"], job["output"])
json.dump(kept, open({seen!r}, "w"))
say("done", summary=dict(references=3, threshold=0.5, provider="CPU", tiles=1, skipped_tiles=0))
"""


@pytest.fixture(autouse=True)
def own_store(plugin, monkeypatch, tmp_path) -> Path:
    store = tmp_path / "models"
    store.mkdir()
    monkeypatch.setenv("HYPERKD_MODELS", str(store))
    write_model(store / "classes.onnx", card("classification"))
    return store


@pytest.fixture
def job(fake_python, use_engine, tmp_path):
    """Choose an engine that keeps its job; return how to read it."""
    seen = tmp_path / "seen.json"
    use_engine(fake_python(_KEEPS.format(folder=str(tmp_path), seen=str(seen))))
    return lambda: json.loads(seen.read_text(encoding="utf-8"))


@pytest.fixture
def labels(plugin):
    """Return a layer in memory of three classes, two features each, beside other fields."""
    from qgis.core import QgsFeature, QgsGeometry, QgsPointXY, QgsVectorLayer

    fields = "field=cover:string(20)&field=code:integer&field=share:double&field=fid:integer"
    layer = QgsVectorLayer(f"Point?crs=EPSG:32633&{fields}", "Ground truth", "memory")
    features = []
    for number, name in enumerate(("water", "wood", "grass", "water", "wood", "grass")):
        feature = QgsFeature(layer.fields())
        feature.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(300015 + 30 * number, 5799985)))
        feature.setAttributes([name, number % 3 + 1, number / 10, 7])
        features.append(feature)
    assert layer.dataProvider().addFeatures(features)[0]
    return layer


@pytest.fixture
def run(plugin, feedback, scene):
    """Return ``processing.run`` of a fine-tuning on the scene."""
    import processing

    def call(identifier="hyperkd:finetune", **values):
        known = {"INPUT": [str(scene)], "OUTPUT": str(scene.parent / "m.onnx")}
        if identifier == "hyperkd:finetune":
            known["TASK"] = "classification"
        return processing.run(identifier, {**known, **values}, feedback=feedback)

    return call


def table(path: str) -> list[dict]:
    """Return the features of a file with their geometry."""
    from osgeo import ogr

    dataset = ogr.Open(path)
    layer = dataset.GetLayer(0)
    rows = []
    for feature in layer:
        names = [feature.GetFieldDefnRef(i).GetName() for i in range(feature.GetFieldCount())]
        rows.append({name: feature.GetField(name) for name in names})
        rows[-1]["wkt"] = feature.GetGeometryRef().ExportToWkt()
    return rows


# --- features ----------------------------------------------------------------------------


def test_a_layer_in_memory_arrives_with_its_field_alone(run, job, labels, scene):
    run(LABELS=labels, FIELD="cover")
    given = job()
    assert given["job"] == "finetune"
    assert given["input"] == [str(scene)]
    assert given["field"] == ["cover"]
    assert given["task"] == "classification"
    rows = table(given["labels_copies"][0])
    assert [row["cover"] for row in rows] == ["water", "wood", "grass"] * 2
    assert [sorted(row) for row in rows] == [["cover", "wkt"]] * 6
    assert rows[1]["wkt"].startswith("POINT (300045 5799985")


def test_only_selected_features_arrive_where_that_was_asked_for(run, job, labels):
    from qgis.core import QgsProcessingFeatureSourceDefinition

    labels.selectByExpression("cover = 'wood'")
    chosen = QgsProcessingFeatureSourceDefinition(labels.id(), True)
    from qgis.core import QgsProject

    QgsProject.instance().addMapLayer(labels, False)
    try:
        run(LABELS=chosen, FIELD="cover")
        assert [row["cover"] for row in table(job()["labels_copies"][0])] == ["wood"] * 2
        run(LABELS=labels, FIELD="cover")
        assert len(table(job()["labels_copies"][0])) == 6
    finally:
        QgsProject.instance().takeMapLayer(labels)


def test_an_empty_selection_is_named(run, job, labels):
    from qgis.core import (
        QgsProcessingException,
        QgsProcessingFeatureSourceDefinition,
        QgsProject,
    )

    QgsProject.instance().addMapLayer(labels, False)
    try:
        chosen = QgsProcessingFeatureSourceDefinition(labels.id(), True)
        with pytest.raises(QgsProcessingException, match="has no features.*nothing selected"):
            run(LABELS=chosen, FIELD="cover")
    finally:
        QgsProject.instance().takeMapLayer(labels)


def test_edits_that_are_not_saved_count(run, job, labels):
    labels.startEditing()
    first = next(labels.getFeatures()).id()
    labels.changeAttributeValue(first, labels.fields().indexOf("cover"), "ice")
    run(LABELS=labels, FIELD="cover")
    assert table(job()["labels_copies"][0])[0]["cover"] == "ice"
    labels.rollBack()


def test_several_fields_are_several_targets(run, job, labels):
    run(LABELS=labels, FIELD=["share", "code"], TASK="regression", UNIT="%; t/ha")
    given = job()
    assert given["field"] == ["share", "code"]
    assert given["unit"] == ["%", "t/ha"]
    assert table(given["labels_copies"][0])[5]["share"] == 0.5
    assert given["colours"] == []


def test_a_field_called_like_the_key_of_a_geopackage_is_kept(run, job, labels):
    run(LABELS=labels, FIELD="fid")
    assert [row["fid"] for row in table(job()["labels_copies"][0])] == [7] * 6


@pytest.fixture
def labels_with_geom(labels):
    """Return the labels with a field that is called as GeoPackages call their geometry."""
    from qgis.core import QgsField
    from qgis.PyQt.QtCore import QVariant

    provider = labels.dataProvider()
    provider.addAttributes([QgsField("geom", QVariant.String)])
    labels.updateFields()
    index = labels.fields().indexOf("geom")
    provider.changeAttributeValues({each.id(): {index: "ice"} for each in labels.getFeatures()})
    return labels


def test_a_field_called_like_the_geometry_of_a_geopackage_is_kept(run, job, labels_with_geom):
    run(LABELS=labels_with_geom, FIELD="geom")
    rows = table(job()["labels_copies"][0])
    assert [row["geom"] for row in rows] == ["ice"] * 6
    assert rows[1]["wkt"].startswith("POINT (300045 5799985")


def test_a_window_keeps_a_field_called_like_the_geometry_too(labels_with_geom, wait):
    from qgis.core import QgsProcessingUtils

    from hyperkd_qgis.ui.label_export import LabelExport

    said = []
    export = LabelExport()
    export.ready.connect(said.append)
    export.failed.connect(said.append)
    export.start(labels_with_geom, ["geom"], False)
    wait(lambda: said)
    assert [row["geom"] for row in table(said[0])] == ["ice"] * 6
    # QGIS removes its own temporary files when it ends.
    assert said[0].startswith(QgsProcessingUtils.tempFolder())


def test_the_field_must_be_chosen_where_there_are_several(run, job, labels):
    from qgis.core import QgsProcessingException

    with pytest.raises(QgsProcessingException, match="Choose the field .*has cover, code, share"):
        run(LABELS=labels)


def test_without_labels_there_is_a_sentence(run, job):
    from qgis.core import QgsProcessingException

    with pytest.raises(QgsProcessingException, match="Choose labels: a layer of polygons"):
        run()


def test_class_rasters_do_as_well_and_join_features(run, job, labels, scene):
    run(LABEL_RASTERS=[str(scene)])
    assert job()["labels"] == [str(scene)]
    assert "label_rasters" not in job()
    run(LABEL_RASTERS=[str(scene)], LABELS=labels, FIELD="cover")
    given = job()["labels"]
    assert len(given) == 2
    assert given[0].endswith(".gpkg")
    assert given[1] == str(scene)


def test_scenes_may_be_several_and_none_is_refused(run, job, labels, scene, write_raster):
    from qgis.core import QgsProcessingException

    other = write_raster(scene.parent / "other.tif", [[1.0, 2.0]], bands=4)
    run(INPUT=[str(scene), str(other)], LABELS=labels, FIELD="cover")
    assert job()["input"] == [str(scene), str(other)]
    with pytest.raises(QgsProcessingException):
        run(INPUT=[], LABELS=labels, FIELD="cover")


# --- colours -----------------------------------------------------------------------------


def categorised(layer, field, categories):
    from qgis.core import QgsCategorizedSymbolRenderer, QgsMarkerSymbol, QgsRendererCategory

    made = [
        QgsRendererCategory(value, QgsMarkerSymbol.createSimple({"color": colour}), str(value))
        for value, colour in categories
    ]
    layer.setRenderer(QgsCategorizedSymbolRenderer(field, made))


def test_classes_get_the_colours_of_the_layers_style(run, job, labels):
    categorised(labels, "cover", [("water", "#0000ff"), ("wood", "#00aa00"), (None, "#999999")])
    run(LABELS=labels, FIELD="cover")
    assert job()["colours"] == ["water=#0000ff", "wood=#00aa00"]
    run(LABELS=labels, FIELD="code")
    assert job()["colours"] == []  # another field is categorised
    run(LABELS=labels, FIELD="cover", COLOURS="water=#111111; wood=#222222")
    assert job()["colours"] == ["water=#111111", "wood=#222222"]


def test_numbers_of_classes_are_whole(plugin, labels):
    from hyperkd_qgis.layers import class_colours

    categorised(labels, "code", [(1.0, "#0000ff"), (2, "#00aa00")])
    assert class_colours(labels, "code") == ["1=#0000ff", "2=#00aa00"]
    categorised(labels, '"code"', [([1, 2], "#0000ff")])
    assert class_colours(labels, "code") == ["1=#0000ff", "2=#0000ff"]


# --- what else the job gets --------------------------------------------------------------


def test_the_report_is_a_page_of_the_results(run, job, labels, tmp_path):
    results = run(LABELS=labels, FIELD="cover", REPORT=str(tmp_path / "report"))
    assert results["REPORT"] == str(tmp_path / "report")
    assert results["PAGE"] == str(tmp_path / "report" / "report.html")
    assert Path(results["PAGE"]).is_file()
    assert job()["report"] == str(tmp_path / "report")
    assert "PAGE" not in run(LABELS=labels, FIELD="cover", REPORT=None)


def test_evaluate_hands_over_training_labels_and_strata(run, job, labels, scene, tmp_path):
    results = run(
        "hyperkd:evaluate",
        MODEL="classes",
        LABELS=labels,
        FIELD="cover",
        TRAINING_LABELS=labels,
        STRATA=[str(scene)],
        REPORT=str(tmp_path / "report"),
    )
    given = job()
    assert (given["job"], given["model"]) == ("evaluate", "classes")
    assert given["strata"] == [str(scene)]
    assert len(table(given["training_labels_copies"][0])) == 6
    assert "code" in table(given["training_labels_copies"][0])[0]
    assert results["PAGE"].endswith("report.html")


def test_similarity_hands_over_its_places(plugin, job, labels, scene, tmp_path, feedback):
    import processing
    from qgis.core import QgsRasterLayer

    output = tmp_path / "like.tif"
    results = processing.run(
        "hyperkd:similarity",
        {"INPUT": str(scene), "PLACES": labels, "OUTPUT": str(output)},
        feedback=feedback,
    )
    assert job()["places"].endswith(".gpkg")
    assert len(table(str(tmp_path / "places.gpkg"))) == 6
    assert (results["REFERENCES"], results["THRESHOLD"]) == (3, 0.5)
    layer = QgsRasterLayer(str(output), "like")
    assert layer.renderer().classificationMax() == 1.0


def test_detect_hands_over_pixels_or_a_library(run, job, labels, scene, tmp_path):
    library = tmp_path / "lib.csv"
    library.write_text("nm,clay\n450,.1\n550,.2\n")
    common = {"INPUT": str(scene), "OUTPUT": str(tmp_path / "d.tif"), "MASK": None}
    run("hyperkd:detect", TARGET_PIXELS=labels, **common)
    given = job()
    assert given["target_pixels"].endswith(".gpkg")
    assert "target_spectrum" not in given
    assert given["method"] == "ace"
    assert "mask" not in given
    named = {"TARGET_SPECTRUM": str(library), "TARGET_NAME": "clay", "METHOD": "mf"}
    run("hyperkd:detect", **named, **common)
    given = job()
    assert (given["target_spectrum"], given["target_name"]) == (str(library), "clay")
    assert "target_pixels" not in given
    with pytest.raises(Exception, match="There is no file"):
        run("hyperkd:detect", TARGET_SPECTRUM="/no/such.sli", **common)


def test_distil_takes_lists_written_as_text(run, job, scene):
    run("hyperkd:distill", OUTPUT=str(scene.parent / "s.safetensors"), TEACHER_DEPTH="0.5; 1")
    given = job()
    assert given["teacher_depth"] == [0.5, 1.0]
    assert given["mask"] == ["cloud", "cloud_shadow"]
    assert given["teacher"] == "none"
    assert "cache" not in given
    assert given["resume"] is False


# --- what is there to train with ---------------------------------------------------------


def test_an_engine_without_pytorch_says_how_to_get_it(plugin, monkeypatch, tmp_path):
    from qgis.core import QgsApplication

    from tests.qgis.test_engine_setup import stamp

    root = tmp_path / "engines"
    stamp(root, "3.11-small")
    registry = QgsApplication.processingRegistry()
    for name in ("finetune", "distill", "export"):
        can, reason = registry.algorithmById(f"hyperkd:{name}").canExecute()
        assert not can
        assert "this needs PyTorch too" in reason
        assert "hyperkd:setupengine" in reason
    assert registry.algorithmById("hyperkd:classify").canExecute()[0]
    stamp(root, "3.11-large", tiers=("inference", "training"), made="2026-05-01T00:00:00+00:00")
    assert registry.algorithmById("hyperkd:finetune").canExecute()[0]


@pytest.mark.parametrize("identifier", ["hyperkd:finetune", "hyperkd:evaluate", "hyperkd:distill"])
def test_the_dialog_opens(plugin, use_engine, labels, scene, identifier):
    from processing.gui.AlgorithmDialog import AlgorithmDialog
    from qgis.core import QgsApplication, QgsProcessingContext, QgsProject, QgsRasterLayer

    use_engine(Path(sys.executable))
    project = QgsProject.instance()
    layer = QgsRasterLayer(str(scene), "Scene of today")
    project.addMapLayers([layer, labels])
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(identifier)
    dialog = AlgorithmDialog(algorithm)
    try:
        given = {"INPUT": [layer.id()], "LABELS": labels.id(), "FIELD": ["cover"]}
        given["TASK"] = "classification"
        if identifier == "hyperkd:evaluate":
            given["MODEL"] = "classes"
        names = [each.name() for each in algorithm.parameterDefinitions()]
        dialog.setParameters({name: value for name, value in given.items() if name in names})
        values = dialog.createProcessingParameters()
        context = QgsProcessingContext()
        context.setProject(project)
        assert algorithm.checkParameterValues(values, context) == (True, "")
    finally:
        dialog.close()
        project.takeMapLayer(labels)
        project.clear()
