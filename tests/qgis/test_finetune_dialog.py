"""The fine-tuning and distillation windows, with stand-ins for the engine and the real one."""

from __future__ import annotations

import gc
import json

import pytest

from tests.qgis.beats import ATTEMPTS, LIMIT_S, longest_pause
from tests.qgis.keyboard import letters_given_twice


@pytest.fixture(autouse=True)
def own_folders(plugin, monkeypatch, tmp_path):
    """Give each test its own jobs and models."""
    monkeypatch.setenv("HYPERKD_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("HYPERKD_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()


@pytest.fixture
def project(plugin):
    """Return the project, empty before and after."""
    from qgis.core import QgsProject

    QgsProject.instance().clear()
    yield QgsProject.instance()
    QgsProject.instance().clear()


@pytest.fixture
def layers(project, write_raster, tmp_path):
    """Return a scene of 24 bands and labels of two classes, both in the project."""
    from qgis.core import (
        QgsCategorizedSymbolRenderer,
        QgsFeature,
        QgsGeometry,
        QgsMarkerSymbol,
        QgsPointXY,
        QgsRasterLayer,
        QgsRendererCategory,
        QgsVectorLayer,
    )

    path = write_raster(tmp_path / "scene.tif", [[1.0] * 8] * 8, bands=24)
    scene = QgsRasterLayer(str(path), "Scene of today")
    fields = "field=note:string&field=cover:string&field=share:double&field=age:integer"
    labels = QgsVectorLayer(f"Point?{fields}", "Ground truth", "memory")
    features = []
    for number in range(8):
        feature = QgsFeature(labels.fields())
        point = QgsPointXY(300015 + 30 * number, 5799985)
        feature.setGeometry(QgsGeometry.fromPointXY(point))
        feature.setAttributes(["x", "water" if number < 4 else "wood", number / 8, number])
        features.append(feature)
    labels.dataProvider().addFeatures(features)
    categories = [
        QgsRendererCategory(value, QgsMarkerSymbol.createSimple({"color": colour}), value)
        for value, colour in (("water", "#0000ff"), ("wood", "#00aa00"))
    ]
    labels.setRenderer(QgsCategorizedSymbolRenderer("cover", categories))
    project.addMapLayers([scene, labels])
    return scene, labels


@pytest.fixture
def open_dialog(plugin):
    """Return an opener of dialogs; they are removed at the end."""
    from qgis.PyQt import sip

    from hyperkd_qgis.runner.background import BackgroundJobs

    made = []

    def opener(kind="finetune", jobs=None):
        from hyperkd_qgis.ui.distill_dialog import DistillDialog
        from hyperkd_qgis.ui.finetune_dialog import FinetuneDialog

        jobs = jobs or BackgroundJobs()
        if jobs not in made:
            made.insert(0, jobs)
        dialog = FinetuneDialog(jobs) if kind == "finetune" else DistillDialog(jobs, list)
        made.append(dialog)
        dialog.show()
        return dialog

    yield opener
    for each in reversed(made):
        sip.delete(each)


# An engine that finds labels and trains in some rounds, told by its job alone.
_TRAINS = """
hello()
if job["job"] == "labels":
    say("done", summary=dict(
        classes=[
            dict(name="water", value="water", colour="#0000ff", pixels=96, features=6),
            dict(name="rock", value="rock", colour="#888888", pixels=4, features=1),
        ], targets=[], scenes=[], notes=["Odd."], refusal="", problems=[
            dict(code="undeclared_label_nodata", severity="warning", scene="a.gpkg",
                 message="2 of 9 features hold -9999.", hint="Declare it."),
            dict(code="class_name_variants", severity="note", scene="a.gpkg",
                 message="2 names are one class.", hint=""),
        ],
        split=dict(method="polygons", buffer_px=2),
        parts=dict(train=80, validation=0, test=20, left_out=4),
    ))
    sys.exit(0)
if job["job"] == "predict":
    open(job["output"], "wb").write(open(job["input"], "rb").read())
    say("done", summary=dict(task="classification", model="trees", model_sha256="0"))
    sys.exit(0)
control = arguments[arguments.index("--control") + 1]
say("stage", name="Training")
for step in range(1, 200):
    open(os.path.join(control, "alive"), "w").close()
    wish = os.path.join(control, "wish")
    said = open(wish).read() if os.path.exists(wish) else "run"
    if said == "cancel":
        say("error", code="cancelled", message="", hint="", context={})
        sys.exit(5)
    if said != "pause":
        say("progress", done=step, total=200, unit="epochs")
        say("metric", step=step, values=dict(loss=1 / step, validation_accuracy=step / 200))
    if said == "stop" or step == LAST:
        break
    time.sleep(0.05)
report = job.get("report")
if report:
    os.makedirs(report, exist_ok=True)
    open(os.path.join(report, "report.html"), "w").write("<html></html>")
    def value(*ends):
        return dict(zip(("value", "low", "high"), ends))
    def method(name, accuracy, f1):
        return dict(name=name, overall_accuracy=value(accuracy, 0.7, 0.8), macro_f1=value(f1),
            model_minus_method=dict(overall_accuracy=value(-0.1, -0.2, 0.1),
                                    macro_f1=value(-0.2, -0.3, -0.1)))
    def row(name, color, f1, users, producers, truth, mapped):
        return dict(name=name, color=color, f1=value(f1), users_accuracy=value(users),
            producers_accuracy=value(producers), reference_pixels=truth, mapped_pixels=mapped)
    figures = dict(assessment=dict(pixels=40, overall=dict(
        overall_accuracy=value(0.75, 0.7, 0.8)), classes=[
        row("water", "#0000ff", 0.9, 0.95, 0.86, 22, 20),
        row("roof", "#dd5500", 0.2, 1.0, 0.1, 10, 1),
        row("wood", "#00aa00", 0.6, 0.5, 1.0, 8, 19)],
        confusion=dict(pixels=[[19, 1, 0], [0, 1, 0], [3, 8, 8]])), comparisons=[dict(methods=[
        method("HyperKD", 0.75, 0.55), method("RBF SVM", 0.76, 0.3),
        method("random forest", 0.74, 0.85)])])
    json.dump(figures, open(os.path.join(report, "report.json"), "w"))
open(job["output"], "w").write("model")
forest = job["output"].replace(".onnx", "-random-forest.onnx")
if job.get("save_baselines"):
    open(forest, "w").write("forest")
say("done", summary=dict(output=job["output"], model="trees", labelled_pixels=100, tune="frozen",
    notes=["Few labels."],
    baselines={"random forest": forest}, task="classification",
    stopped_early=said == "stop", report="/r.html"))
"""


def trains(fake_python, use_engine, last=200):
    use_engine(fake_python(_TRAINS.replace("LAST", str(last))))


# --- what is asked for -------------------------------------------------------------------


def test_scenes_labels_and_colours_are_found_in_the_project(open_dialog, layers):
    scene, labels = layers
    dialog = open_dialog()
    data = dialog.data
    assert [layer.name() for layer in data.scenes.layers()] == ["Scene of today"]
    assert data.layer.currentLayer() is labels
    assert data.field.currentField() == "cover"  # its style is categorised by it
    assert data.values() == {
        "input": [scene.source()],
        "task": "classification",
        "field": ["cover"],
        "colours": ["water=#0000ff", "wood=#00aa00"],
    }
    assert not data.selected_only.isEnabled()
    data.task.setCurrentIndex(data.task.findData("regression"))
    assert data.targets.isVisible()
    assert not data.field.isVisible()
    targets = [data.targets.itemText(index) for index in range(data.targets.count())]
    assert targets == ["share", "age"]
    data.targets.setCheckedItems(["share"])
    assert data.values()["field"] == ["share"]
    assert data.values()["colours"] == []


def test_reals_that_are_whole_numbers_can_be_classes(open_dialog, layers):
    from qgis.core import NULL, QgsField
    from qgis.PyQt.QtCore import QVariant

    _, labels = layers
    dialog = open_dialog()
    box = dialog.data.field
    dialog.data.table.setRowCount(2)

    def offered():
        return [box.itemText(index) for index in range(box.count())]

    assert offered() == ["note", "cover", "age"]
    provider = labels.dataProvider()
    provider.addAttributes([QgsField("code", QVariant.Double), QgsField("void", QVariant.Double)])
    labels.updateFields()
    index = labels.fields().indexOf("code")
    codes = [NULL, *(float(number % 2) for number in range(1, 8))]
    provider.changeAttributeValues(
        {each.id(): {index: code} for each, code in zip(labels.getFeatures(), codes)}
    )
    labels.updateFields()
    assert box.currentField() == "cover"
    labels.startEditing()
    labels.addAttribute(QgsField("kind", QVariant.String))
    assert offered() == ["note", "cover", "age", "code", "kind"]
    assert box.currentField() == "cover"
    assert dialog.data.table.rowCount() == 2  # nothing else was chosen
    labels.rollBack()
    box.setField("code")
    assert dialog.data.fields() == ["code"]
    assert dialog.data.table.rowCount() == 0


def test_maps_and_rasters_that_cannot_be_read_are_no_scenes(
    open_dialog, layers, project, write_raster, tmp_path
):
    from qgis.core import QgsRasterLayer

    dialog = open_dialog()
    small = write_raster(tmp_path / "dem.tif", [[1.0, 2.0]], bands=1)
    gone = write_raster(tmp_path / "gone.tif", [[1.0, 2.0]], bands=24)
    lost = QgsRasterLayer(str(gone), "Lost scene")
    gone.unlink()
    project.addMapLayers([QgsRasterLayer(str(small), "Heights"), lost])
    listed = dialog.data.scenes.list
    names = [listed.item(index).text() for index in range(listed.count())]
    assert names == ["Scene of today", "Lost scene"]
    assert "is gone" in listed.item(1).toolTip()
    assert len(dialog.data.scenes.layers()) == 1
    project.removeMapLayer(lost.id())
    assert listed.count() == 1
    other = write_raster(tmp_path / "other.tif", [[1.0, 2.0]], bands=24)
    dialog.data.scenes.add_files([str(other)])
    assert len(dialog.data.scenes.paths()) == 2


def test_files_that_are_no_scenes_are_left_out_with_the_reason(
    open_dialog, layers, write_raster, tmp_path
):
    dialog = open_dialog()
    text = tmp_path / "notes.txt"
    text.write_text("not a raster")
    small = write_raster(tmp_path / "dem.tif", [[1.0, 2.0]], bands=1)
    good = write_raster(tmp_path / "good.tif", [[1.0, 2.0]], bands=24)
    dialog.data.scenes.add_files([str(text), str(small), str(good)])
    assert dialog.message.text() == (
        "notes.txt was left out: it cannot be read as a raster. "
        "dem.tif was left out: a scene has 5 bands or more, this has 1."
    )
    assert dialog.data.scenes.paths()[1:] == [str(good)]


def test_the_selection_of_the_labels_is_followed(open_dialog, layers, project):
    from qgis.core import QgsVectorLayer

    _, labels = layers
    dialog = open_dialog()
    box = dialog.data.selected_only
    labels.selectByExpression("cover = 'water'")
    assert box.isEnabled()
    assert not box.isChecked()  # nobody has asked for it
    box.setChecked(True)
    dialog.data.table.setRowCount(2)
    labels.selectByExpression("cover = 'wood'")
    assert box.isChecked()
    assert dialog.data.table.rowCount() == 0  # the check was of others
    labels.removeSelection()
    assert not box.isEnabled()
    assert not box.isChecked()

    other = QgsVectorLayer("Point?field=kind:string", "Other labels", "memory")
    project.addMapLayer(other)
    dialog.data.layer.setLayer(other)
    labels.selectAll()
    assert not box.isEnabled()
    dialog.data.layer.setLayer(labels)
    assert box.isEnabled()
    assert box.isChecked()
    project.removeMapLayer(labels.id())
    assert dialog.data.layer.currentLayer() is other
    assert not box.isEnabled()


def test_what_is_missing_is_said_and_nothing_starts(open_dialog, layers, project):
    scene, labels = layers
    dialog = open_dialog()
    for button in (dialog.data.check_button, dialog.train_button):
        button.click()
        assert dialog.message.text().startswith("HyperKD has no engine yet.")
        dialog.message.clear()
    dialog.settings.output.setFilePath("/nowhere/model.onnx")
    dialog.train_button.click()
    assert dialog.message.text() == "There is no folder /nowhere."
    project.removeMapLayer(labels.id())
    dialog.train_button.click()
    assert dialog.message.text().startswith("Choose a layer with labels")
    project.removeMapLayer(scene.id())
    dialog.train_button.click()
    assert dialog.message.text() == "Tick at least one scene."
    assert dialog._jobs.jobs == []


def test_the_likeliest_field_is_proposed(open_dialog, layers, project):
    from qgis.core import QgsVectorLayer

    dialog = open_dialog()
    assert dialog.data.field.currentField() == "cover"  # that of the style
    for fields, expected in (
        (["fid:integer", "code:integer", "kind:string"], "kind"),
        (["fid:integer", "code:integer"], "code"),
        (["fid:integer"], "fid"),
    ):
        told = "&".join(f"field={field}" for field in fields)
        other = QgsVectorLayer(f"Point?{told}", f"Labels {expected}", "memory")
        project.addMapLayer(other)
        dialog.data.layer.setLayer(other)
        assert dialog.data.field.currentField() == expected


def test_a_field_that_numbers_the_features_is_doubted(open_dialog, layers):
    dialog = open_dialog()
    each = {"value": "1", "colour": "#000000", "pixels": 9}
    summary = {"classes": [{**each, "name": str(n), "features": 1} for n in range(3)]}
    dialog.data.show_check(summary)
    assert dialog.data.notes.text().startswith(
        "Every feature has its own class. Does the field “cover” hold the classes"
    )
    summary["classes"][0]["features"] = 2
    dialog.data.show_check(summary)
    assert "has its own class" not in dialog.data.notes.text()


def test_the_table_has_its_heads_and_the_empty_list_says_what_to_do(open_dialog, project):
    dialog = open_dialog()
    table = dialog.data.table
    heads = [table.horizontalHeaderItem(column).text() for column in range(table.columnCount())]
    assert heads == ["Colour", "Class", "Pixels", "Features", "Remark"]
    lines = dialog.data.scenes.list
    empty = lines.viewport().grab().toImage()
    lines._hint = ""
    assert lines.viewport().grab().toImage() != empty


def test_a_missing_engine_is_told_until_there_is_one(plugin, layers, fake_python, use_engine):
    from qgis.PyQt import sip

    from hyperkd_qgis.runner.background import BackgroundJobs
    from hyperkd_qgis.ui.distill_dialog import DistillDialog
    from hyperkd_qgis.ui.engine_banner import EngineBanner
    from hyperkd_qgis.ui.finetune_dialog import FinetuneDialog

    pressed, jobs = [], BackgroundJobs()
    dialogs = [
        FinetuneDialog(jobs, None, lambda: pressed.append("finetune")),
        DistillDialog(jobs, list, None, lambda: pressed.append("distill")),
    ]
    for dialog in dialogs:
        dialog.show()
        banner = dialog.findChild(EngineBanner)
        assert banner.frame.isVisible()
        assert banner.text.text().startswith("HyperKD has no engine yet.")
        banner.button.click()
    assert pressed == ["finetune", "distill"]
    use_engine(fake_python(""))
    for dialog in dialogs:
        banner = dialog.findChild(EngineBanner)
        banner.look()
        assert not banner.frame.isVisible()
        sip.delete(dialog)
    sip.delete(jobs)


def test_the_model_is_proposed_beside_the_scene_named_after_the_labels(
    open_dialog, layers, project, tmp_path
):
    dialog = open_dialog()
    output = dialog.settings.output
    assert output.filePath() == str(tmp_path / "Ground truth.onnx")
    (tmp_path / "Ground truth.onnx").touch()
    layers[1].setName("Trees: 2/3")
    dialog.data.changed.emit()
    assert output.filePath() == str(tmp_path / "Trees 23.onnx")
    layers[1].setName("cover")  # as a shipped model is called
    dialog.data.changed.emit()
    assert output.filePath() == str(tmp_path / "cover model.onnx")
    output.setFilePath(str(tmp_path / "mine.onnx"))
    layers[1].setName("Others")
    dialog.data.changed.emit()
    assert output.filePath() == str(tmp_path / "mine.onnx")


def test_a_saved_project_keeps_its_models_beside_it(open_dialog, layers, project, tmp_path):
    home = tmp_path / "project"
    home.mkdir()
    project.setFileName(str(home / "p.qgz"))
    assert open_dialog().settings.output.filePath() == str(home / "Ground truth.onnx")


def test_settings_become_fields_of_the_job(open_dialog, layers, tmp_path):
    dialog = open_dialog()
    page = dialog.settings
    page.output.setFilePath(str(tmp_path / "trees"))
    page.student.setCurrentText("/data/mine.safetensors")
    page.split.setCurrentIndex(page.split.findData("polygons"))
    page.expert.set_values({"epochs": 7, "learning_rate": 1e-5, "unit": "%; t/ha"})
    values = page.values()
    assert values["output"] == str(tmp_path / "trees.onnx")
    assert values["report"] == str(tmp_path / "trees-report")
    assert values["student"] == "/data/mine.safetensors"
    assert values["split"] == "polygons"
    assert (values["epochs"], values["learning_rate"]) == (7, 1e-5)
    assert values["unit"] == ["%", "t/ha"]
    assert values["buffer"] is None
    page.student.setCurrentIndex(page.student.findData("scratch"))
    assert page.values()["student"] == "scratch"
    assert "tiny" in [page.student.itemData(index) for index in range(page.student.count())]


def test_a_student_that_came_meanwhile_can_be_started_from(open_dialog, layers, tmp_path):
    """What is chosen, or written, stays, and a check of the labels with it."""
    dialog = open_dialog()
    page, box = dialog.settings, dialog.settings.student
    changes = []
    page.changed.connect(lambda: changes.append(page.values()["student"]))

    def reopen():
        dialog.close()
        dialog.show()
        dialog.tabs.setCurrentIndex(0)
        dialog.tabs.setCurrentIndex(1)

    first = page.values()["student"]
    reopen()
    assert page.values()["student"] == first
    for name in ("aspen", "zelkova"):
        (tmp_path / "models" / f"{name}.safetensors").touch()
    reopen()
    assert {"aspen", "tiny", "zelkova"} <= {box.itemData(index) for index in range(box.count())}
    assert page.values()["student"] == first
    box.setCurrentIndex(box.findData("zelkova"))
    (tmp_path / "models" / "aspen.safetensors").unlink()
    reopen()
    assert page.values()["student"] == "zelkova"
    assert box.currentData() == "zelkova"
    box.setEditText("/data/mine.safetensors")
    reopen()
    assert page.values()["student"] == "/data/mine.safetensors"
    assert changes == ["zelkova"]


# --- labels ------------------------------------------------------------------------------


def test_a_check_shows_classes_and_the_split(open_dialog, layers, fake_python, use_engine, wait):
    trains(fake_python, use_engine)
    dialog = open_dialog()
    dialog.data.check_button.click()
    assert not dialog.data.check_button.isEnabled()
    wait(lambda: dialog.data.table.rowCount() == 2)
    table = dialog.data.table
    rows = [[table.item(row, column).text() for column in range(5)] for row in range(2)]
    assert rows == [
        ["", "water", "96", "6", ""],
        ["", "rock", "4", "1", "few features: hard to test"],
    ]
    assert table.item(0, 0).background().color().name() == "#0000ff"
    notes = dialog.data.notes.text()
    assert notes.startswith(
        "2 of 9 features hold -9999. Declare it.\n2 names are one class.\n"
        "80 pixels for training, 20 for testing; 4 near the border are not used. The split keeps "
        "whole features together."
    )
    assert "Odd." in notes
    assert dialog.data.check_button.isEnabled()
    assert dialog.message.text() == ""
    # another choice makes it out of date
    dialog.data.field.setField("note")
    assert table.rowCount() == 0


def test_a_second_check_shows_its_classes_too(
    open_dialog, layers, project, fake_python, use_engine, wait, write_raster, tmp_path
):
    """The split of the first check leaves the project; the classes of the second stay."""
    split = write_raster(tmp_path / "split.tif", [[1.0, 2.0]], bands=1)
    scenes = f"scenes=[dict(path='scene.tif', map={str(split)!r})]"
    use_engine(fake_python(_TRAINS.replace("scenes=[]", scenes)))
    dialog = open_dialog()

    def check():
        dialog.data.check_button.click()
        wait(dialog.data.check_button.isEnabled)
        return dialog.data.table.rowCount()

    def splits():
        return [layer for layer in project.mapLayers().values() if layer.name() == "Split: scene"]

    assert check() == 2
    (first,) = [layer.id() for layer in splits()]
    assert check() == 2
    (second,) = splits()
    assert second.id() != first
    project.removeMapLayer(second.id())
    assert dialog.data.table.rowCount() == 2
    project.removeMapLayer(layers[0].id())
    assert dialog.data.table.rowCount() == 0


def test_a_scene_that_leaves_the_project_during_a_check_is_missed(
    open_dialog, layers, project, fake_python, use_engine, wait
):
    trains(fake_python, use_engine)
    dialog = open_dialog()
    dialog.data.check_button.click()
    project.removeMapLayer(layers[0].id())
    wait(dialog.data.check_button.isEnabled)
    assert dialog.message.text() == "Tick at least one scene."


def test_a_check_of_an_empty_selection_says_so(open_dialog, layers, fake_python, use_engine, wait):
    trains(fake_python, use_engine)
    _, labels = layers
    dialog = open_dialog()
    dialog.data.selected_only.setChecked(True)
    dialog.data.check_button.click()
    wait(lambda: "no features to use" in dialog.message.text())
    assert dialog.data.check_button.isEnabled()


# --- training ----------------------------------------------------------------------------


def start(dialog, tmp_path, wait):
    dialog.settings.output.setFilePath(str(tmp_path / "trees.onnx"))
    dialog.train_button.click()
    wait(lambda: dialog.training.job is not None)
    wait(lambda: "loss" in dialog.training.curves.series)
    return dialog.training.job


def test_a_training_goes_from_labels_to_its_result(
    open_dialog, layers, fake_python, use_engine, wait, tmp_path
):
    trains(fake_python, use_engine, last=60)
    scene, labels = layers
    labels.selectByExpression("cover = 'water'")
    dialog = open_dialog()
    assert dialog.data.selected_only.isChecked()
    job = start(dialog, tmp_path, wait)
    assert dialog.tabs.currentIndex() == 2
    given = json.loads((job.folder / "job.json").read_text())
    assert given["input"] == [scene.source()]
    assert given["labels"] == ["labels.gpkg"]
    assert given["preview"] == "preview.tif"
    assert given["colours"] == ["water=#0000ff", "wood=#00aa00"]
    from osgeo import ogr

    dataset = ogr.Open(str(job.folder / "labels.gpkg"))
    assert dataset.GetLayer(0).GetFeatureCount() == 4
    wait(lambda: job.is_over and dialog.tabs.currentIndex() == 3)
    text = dialog.result.text.toPlainText()
    assert "Overall accuracy 0.750 (0.700 – 0.800)" in " ".join(text.split())
    assert (
        "75 % of 40 test pixels are correct (between 70 % and 80 %); the weakest class is roof "
        "(F1 0.20); random forest is better (Macro F1 0.85 against 0.55): use it for the map."
    ) in text
    assert (
        "Weakest class, roof: 1 of its 10 test pixels are mapped as roof, 8 as wood. Of the test "
        "pixels mapped as roof, 100 % are correct."
    ) in text
    assert "Trained classification layer only" in " ".join(text.split())
    assert "wood 0.60 0.50 1.00 8 19" in " ".join(text.split())
    assert "wood 3 8 8" in " ".join(text.split())
    assert "Few labels." in text
    assert dialog.result.report == tmp_path / "trees-report" / "report.html"
    assert dialog.result.map_button.isEnabled()
    assert dialog.training.bar.value() == dialog.training.bar.maximum()
    assert dialog.training.state.text() == "Done."
    assert dialog.message.text() == ""  # no longer that it goes on


def test_the_next_training_is_offered_a_file_of_its_own(
    open_dialog, layers, fake_python, use_engine, wait, tmp_path
):
    trains(fake_python, use_engine, last=2)
    dialog = open_dialog()
    output = dialog.settings.output
    start(dialog, tmp_path, wait)
    for number in (2, 3):
        wait(lambda: dialog.training.job.is_over and dialog.tabs.currentIndex() == 3)
        assert output.filePath() == str(tmp_path / f"trees-{number}.onnx")
        dialog.train_button.click()
        wait(lambda: dialog.training.job.fields["output"] == output.filePath())
    output.setFilePath(str(tmp_path / "mine.onnx"))
    wait(lambda: dialog.training.job.is_over and dialog.tabs.currentIndex() == 3)
    assert output.filePath() == str(tmp_path / "mine.onnx")  # chosen meanwhile


def test_a_training_is_paused_and_stopped_with_its_best(
    open_dialog, layers, fake_python, use_engine, wait, tmp_path
):
    trains(fake_python, use_engine)
    dialog = open_dialog()
    job = start(dialog, tmp_path, wait)
    view = dialog.training
    assert "epochs" in view.state.text()
    view.pause_button.click()
    assert view.state.text() == "Paused."
    assert view.pause_button.text() == "&Continue"
    view.pause_button.click()
    assert view.pause_button.text() == "&Pause"
    view.stop_button.click()
    assert view.state.text() == "Stopping…"
    assert not view.stop_button.isEnabled()
    wait(lambda: job.is_over)
    assert view.state.text() == "Stopped early, with the best model so far."
    assert dialog.tabs.currentIndex() == 3


def test_a_training_is_cancelled_after_a_question(
    open_dialog, layers, fake_python, use_engine, wait, tmp_path, monkeypatch
):
    from qgis.PyQt.QtWidgets import QMessageBox

    trains(fake_python, use_engine)
    dialog = open_dialog()
    job = start(dialog, tmp_path, wait)
    monkeypatch.setattr(QMessageBox, "question", lambda *given: given[-1])  # what Return gives
    dialog.training.cancel_button.click()
    assert job.state == "running"
    monkeypatch.setattr(QMessageBox, "question", lambda *given: QMessageBox.StandardButton.Yes)
    dialog.training.cancel_button.click()
    wait(lambda: job.is_over)
    assert dialog.training.state.text() == "Cancelled. No model was written."
    assert dialog.tabs.currentIndex() == 2
    assert dialog.train_button.isEnabled()


def test_another_window_and_another_qgis_find_the_training(
    open_dialog, layers, fake_python, use_engine, wait, tmp_path
):
    from hyperkd_qgis.runner.background import BackgroundJobs

    trains(fake_python, use_engine)
    dialog = open_dialog()
    job = start(dialog, tmp_path, wait)
    count = len(dialog.training.curves.series["loss"].values)
    dialog.close()
    again = open_dialog(jobs=dialog._jobs)
    assert again.training.job is job
    assert len(again.training.curves.series["loss"].values) >= count
    assert again.tabs.currentIndex() == 2
    other = BackgroundJobs()
    other.find()
    later = open_dialog(jobs=other)
    wait(lambda: "loss" in later.training.curves.series)
    assert later.training.curves.series["loss"].values[0] == 1.0
    later.training.stop_button.click()
    wait(lambda: job.is_over and later.training.job.is_over)
    assert later.tabs.currentIndex() == 3


def test_a_preview_of_an_earlier_session_adds_no_layer(
    open_dialog, project, write_raster, monkeypatch, tmp_path
):
    from hyperkd_qgis.runner.background import BackgroundJobs
    from hyperkd_qgis.ui import finetune_dialog
    from tests.qgis.test_window import job_folder

    monkeypatch.setattr(finetune_dialog, "iface", object())
    path = str(write_raster(tmp_path / "preview.tif", [[1.0] * 8] * 8, bands=1))
    hello = {"event": "hello", "protocol": 1}
    preview = {"event": "artifact", "role": "preview", "path": path}
    job_folder(tmp_path / "jobs", "a", [hello, preview])
    jobs = BackgroundJobs()
    (job,) = jobs.find()
    early = open_dialog(jobs=jobs)  # it hears what was said while that is read
    jobs._poll()
    late = open_dialog(jobs=jobs)  # it is told what was said
    assert early.training.preview.pixmap() is not None
    assert late.training.preview.pixmap() is not None
    assert list(project.mapLayers().values()) == []
    with (job.folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(preview) + "\n")
    jobs._poll()
    assert [each.name() for each in project.mapLayers().values()] == ["Preview while training"]


def test_a_training_that_slept_goes_on_in_its_window(
    open_dialog, project, fake_python, use_engine, tmp_path
):
    from hyperkd_qgis.runner.background import BackgroundJobs
    from tests.qgis.test_window import job_folder

    trains(fake_python, use_engine)
    job_folder(tmp_path / "jobs", "a", [{"event": "hello", "protocol": 1}], alive_s=100)
    jobs = BackgroundJobs()
    (job,) = jobs.find()
    dialog = open_dialog(jobs=jobs)
    jobs._poll()
    assert "Interrupted" in dialog.training.state.text()
    assert dialog.again_button.isVisible()
    (job.folder / "alive").touch()
    dialog.again_button.click()
    assert "still runs" in dialog.message.text()
    assert dialog.training.state.text() == "Starting the engine"
    assert not dialog.again_button.isVisible()
    assert dialog.training.cancel_button.isEnabled()
    assert not dialog.train_button.isEnabled()
    assert jobs.jobs == [job]


def test_an_interrupted_training_is_started_again_with_its_labels(
    open_dialog, layers, fake_python, use_engine, wait, tmp_path
):
    import os
    import signal

    trains(fake_python, use_engine)
    dialog = open_dialog()
    job = start(dialog, tmp_path, wait)
    assert not dialog.again_button.isVisible()
    os.kill(json.loads((job.folder / "info.json").read_text())["pid"], signal.SIGKILL)
    wait(lambda: job.is_over)
    assert "Interrupted" in dialog.training.state.text()
    assert dialog.again_button.isVisible()
    dialog.again_button.click()
    new = dialog.training.job
    assert new is not job
    assert (new.folder / "labels.gpkg").is_file()
    assert not job.folder.exists()
    wait(lambda: "loss" in dialog.training.curves.series)
    new.wish("cancel")
    wait(lambda: new.is_over)


# --- the result --------------------------------------------------------------------------


def row_of(table, row):
    return [table.item(row, column).text() for column in range(table.columnCount() - 2)]


def test_each_method_maps_the_scenes_by_its_own_button(
    open_dialog, layers, fake_python, use_engine, wait, tmp_path, project
):
    trains(fake_python, use_engine, last=5)
    dialog = open_dialog()
    job = start(dialog, tmp_path, wait)
    assert json.loads((job.folder / "job.json").read_text())["save_baselines"] is True
    wait(lambda: job.is_over and dialog.tabs.currentIndex() == 3)
    table = dialog.result.comparison
    assert [table.horizontalHeaderItem(k).text() for k in range(3)] == [
        *("Method", "Overall accuracy", "Macro F1"),
    ]
    assert [row_of(table, row) for row in range(3)] == [
        ["HyperKD", "0.750 (0.700 – 0.800)", "0.550"],
        ["support vector machine (RBF)", "0.760 (0.700 – 0.800)", "0.300"],
        ["random forest", "0.740 (0.700 – 0.800)", "0.850"],
    ]
    buttons = [table.cellWidget(row, 3) for row in range(3)]
    assert [button.isEnabled() for button in buttons] == [True, False, True]
    assert "Train again" in buttons[1].toolTip()
    gc.collect()
    buttons[2].click()
    assert not buttons[0].isEnabled()  # one thing at a time
    wait(lambda: "is in the project" in dialog.result.message.text())
    (made,) = [each for each in project.mapLayers().values() if "forest" in each.name()]
    assert made.name() == "scene-trees-random-forest"
    given = json.loads(made.metadata().history()[-1])
    assert given["model"] == str(tmp_path / "trees-random-forest.onnx")
    assert [button.isEnabled() for button in buttons] == [True, False, True]


def test_a_result_without_a_comparison_has_no_table(open_dialog, plugin, tmp_path):
    page = open_dialog().result
    page.show_result({"output": str(tmp_path / "trees.onnx"), "model": "trees"}, {"input": []})
    assert not page.comparison.isVisibleTo(page)
    text = " ".join(page.text.toPlainText().split())
    assert text.startswith("trees Training Model")


def figures_of(key, *methods):
    """Return figures whose comparison holds differences of one key."""
    rows = [{"name": "HyperKD", key: {"value": 2.0}}]
    for name, value, low, high in methods:
        apart = {key: {"value": 2.0 - value, "low": low, "high": high}}
        rows.append({"name": name, key: {"value": value}, "model_minus_method": apart})
    target = {"name": "cover", "unit": "%", "r2": {"value": 0.8}, "rmse": {"value": 2.0}}
    return {"assessment": {"targets": [target]}, "comparisons": [{"methods": rows}]}


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-1.0, -0.5, "it beats partial least squares (PLSR), the best classical model."),
        (0.5, 1.0, "partial least squares (PLSR) is better (RMSE 1.00 against 2.00): use it"),
        (-0.5, 1.0, "is neither clearly better nor worse (RMSE 1.00 against 2.00)."),
        (None, None, "too few places to tell whether partial least squares (PLSR) is better"),
    ],
)
def test_the_verdict_on_values_follows_the_interval(plugin, low, high, words):
    from hyperkd_qgis.ui.result_text import verdict

    text = verdict(figures_of("rmse", ("random forest", 1.5, 0.1, 0.2), ("PLSR", 1.0, low, high)))
    assert text.startswith("Cover: R² 0.80, mean error (RMSE) 2.000 %; ")
    assert words in text


def test_numbers_are_written_as_the_language_writes_them(plugin):
    from qgis.PyQt.QtCore import QLocale

    from hyperkd_qgis.metric_text import number, percent, with_interval

    before = QLocale()
    QLocale.setDefault(QLocale("de_DE"))
    try:
        assert (number(0.75), number(None), number(True)) == ("0,750", "–", "–")
        assert with_interval({"value": 0.5, "low": 0.25, "high": 0.75}) == "0,500 (0,250 – 0,750)"
        assert percent(0.123, 1) == "12,3 %"
    finally:
        QLocale.setDefault(before)


def test_choices_are_shown_in_words_and_kept_as_values(open_dialog, layers):
    from qgis.PyQt.QtWidgets import QComboBox

    fold = open_dialog().settings.expert
    assert fold.values()["class_weights"] == "sqrt"
    shown = [box.currentText() for box in fold.findChildren(QComboBox)]
    assert "moderate" in shown and "automatic" in shown and "sqrt" not in shown
    fold.set_values({"class_weights": "balanced"})
    assert fold.values()["class_weights"] == "balanced"
    assert "strong: all classes equal" in [
        box.currentText() for box in fold.findChildren(QComboBox)
    ]


@pytest.fixture
def map_scenes(open_dialog, project, fake_python, use_engine, wait, tmp_path):
    """Return a function that maps scenes and returns the jobs of the maps by layer name."""
    trains(fake_python, use_engine)
    page = open_dialog().result

    def run(scenes, **told):
        fields = {"input": [str(scene) for scene in scenes], **told}
        page.show_result({"output": str(tmp_path / "trees.onnx"), "model": "trees"}, fields)
        page.map_button.click()
        wait(page.map_button.isEnabled)
        return {
            layer.name(): json.loads(layer.metadata().history()[-1])
            for layer in project.mapLayers().values()
        }

    return run


@pytest.fixture
def scenes_of_one_name(write_raster, tmp_path):
    """Return two scenes in two folders; the first band of each holds its number."""
    scenes = [tmp_path / folder / "scene.tif" for folder in "ab"]
    for number, path in enumerate(scenes):
        path.parent.mkdir()
        write_raster(path, [[number + 1.0] * 2] * 2, bands=1)
    return scenes


def test_scenes_of_one_name_get_maps_of_their_own(map_scenes, scenes_of_one_name, tmp_path):
    made = map_scenes(scenes_of_one_name)
    assert sorted(made) == ["a-scene-trees", "b-scene-trees"]
    for folder in "ab":
        given = made[f"{folder}-scene-trees"]
        assert given["input"] == str(tmp_path / folder / "scene.tif")
        assert (tmp_path / f"{folder}-scene-trees.tif").read_bytes() == (
            tmp_path / folder / "scene.tif"
        ).read_bytes()


def test_a_map_replaces_only_what_the_button_itself_has_made(
    map_scenes, scenes_of_one_name, tmp_path
):
    scene = scenes_of_one_name[0]
    (tmp_path / "scene-trees.tif").write_text("mine")
    assert list(map_scenes([scene])) == ["scene-trees-2"]
    map_scenes([scene])
    assert (tmp_path / "scene-trees.tif").read_text() == "mine"
    assert not (tmp_path / "scene-trees-3.tif").exists()


def test_maps_know_what_the_training_was_told_of_its_scenes(map_scenes, scenes_of_one_name):
    told = {"bands": "enmap", "scale": 0.0001, "nodata": -32768.0}
    (given,) = map_scenes(scenes_of_one_name[:1], **told, epochs=5).values()
    assert {name: given[name] for name in told} == told
    assert "epochs" not in given


def test_the_window_is_never_stopped_while_it_trains(
    open_dialog, layers, fake_python, use_engine, wait, tmp_path
):
    trains(fake_python, use_engine, last=20)
    dialogs = [open_dialog() for _ in range(ATTEMPTS)]

    def train():
        job = start(dialogs.pop(), tmp_path, wait)
        wait(lambda: job.is_over)

    assert longest_pause(train) < LIMIT_S


@pytest.mark.parametrize("kind", ["finetune", "distill"])
def test_everything_is_reached_with_the_keyboard(open_dialog, layers, kind):
    """Every label with a letter has a buddy, and no letter is given twice on a page."""
    assert letters_given_twice(open_dialog(kind)) == []


# --- distillation ------------------------------------------------------------------------


def test_a_distillation_asks_for_scenes_teacher_size_and_budget(
    open_dialog, layers, fake_python, use_engine, wait, tmp_path
):
    scene, _ = layers
    rows = [
        {"name": "prithvi-a", "kind": "teacher", "status": "ready", "bytes": 4_000_000,
         "licence": "Apache-2.0", "path": str(tmp_path / "a.pt"), "url": "https://x"},
        {"name": "prithvi-b", "kind": "teacher", "status": "not fetched", "bytes": 1_326_000_000,
         "licence": "Apache-2.0", "path": None, "url": None},
    ]  # fmt: skip
    (tmp_path / "a.pt").touch()
    listing = f"""
hello()
if job["job"] == "models_list":
    say("done", summary=dict(models={rows!r}))
    sys.exit(0)
"""
    trainer = _TRAINS.replace("LAST", "6").replace("hello()", "", 1)
    use_engine(fake_python(listing + trainer))
    dialog = open_dialog("distill")
    wait(lambda: dialog.teacher.count() == 3)
    texts = [dialog.teacher.itemText(index) for index in range(3)]
    assert texts[1] == "prithvi-a (Apache-2.0; here)"
    assert texts[2] == "prithvi-b (Apache-2.0; not here, 1326.0 MB to download)"
    assert not dialog.teacher.model().item(2).isEnabled()
    assert dialog.preset.itemData(0) == "tiny"
    assert dialog.hours.text() == "no limit"
    assert "hours" not in dialog.values()
    dialog.hours.setValue(2.5)
    dialog.teacher.setCurrentIndex(1)
    dialog.output.setFilePath(str(tmp_path / "mine"))
    dialog.expert.set_values({"seed": 3})
    dialog.train_button.click()
    wait(lambda: dialog.training.job is not None)
    job = dialog.training.job
    given = json.loads((job.folder / "job.json").read_text())
    assert given["job"] == "distill"
    assert given["input"] == [scene.source()]
    assert (given["teacher"], given["preset"], given["seed"]) == ("prithvi-a", "tiny", 3)
    assert given["hours"] == 2.5
    assert given["output"] == str(tmp_path / "mine.safetensors")
    wait(lambda: job.is_over)
    assert dialog.message.text() == ""  # no longer that it goes on
    assert dialog.report_button.isEnabled()
    assert dialog.store_button.isEnabled()
    assert not dialog.again_button.isVisible()


def test_teachers_that_were_fetched_meanwhile_can_be_chosen(
    open_dialog, fake_python, use_engine, wait, tmp_path
):
    """Whether the window was closed or stayed open behind another; what is chosen stays."""
    from qgis.PyQt.QtWidgets import QDialog

    dialog, other = open_dialog("distill"), QDialog()
    assert dialog.teacher.count() == 1
    use_engine(
        fake_python(
            f"""
            from pathlib import Path
            hello()
            files = sorted(Path({str(tmp_path)!r}).glob("models/*"))
            rows = [dict(name=file.stem, kind="teacher", status="ready", bytes=1, path=str(file),
                         licence="MIT") for file in files]
            say("done", summary=dict(models=rows))
            """
        )
    )
    (tmp_path / "models" / "prithvi-b.pt").touch()
    dialog.close()
    dialog.show()
    wait(lambda: dialog.teacher.count() == 2)
    assert dialog.teacher.currentData() == "none"
    dialog.teacher.setCurrentIndex(1)
    other.show()
    other.activateWindow()
    wait(other.isActiveWindow)
    (tmp_path / "models" / "prithvi-a.pt").touch()
    dialog.activateWindow()
    wait(lambda: dialog.teacher.count() == 3)
    assert dialog.teacher.currentData() == "prithvi-b"
    other.close()


# --- the real engine ---------------------------------------------------------------------


@pytest.mark.slow
def test_the_real_engine_fine_tunes_from_labels_to_a_map(
    open_dialog, project, real_engine, one_potsdam, wait, tmp_path
):
    """The whole way of the window: check, train, report, map, store."""
    pytest.importorskip("torch")
    from osgeo import gdal
    from qgis.core import QgsFeature, QgsGeometry, QgsPointXY, QgsRasterLayer, QgsVectorLayer

    tile = one_potsdam.tile(128, 96)
    scene = QgsRasterLayer(str(tile), "Potsdam")
    truth = gdal.Open(str(one_potsdam.folder / "labels" / tile.name))
    values, (left, step, _, top, _, down) = truth.ReadAsArray(), truth.GetGeoTransform()
    labels = QgsVectorLayer("Point?crs=EPSG:32633&field=cover:string", "Truth", "memory")
    names = {1: "roof", 2: "pavement", 3: "low vegetation", 4: "tree", 5: "soil", 6: "water"}
    features = []
    for row in range(0, 32, 2):
        for col in range(0, 32, 2):
            if values[row, col] in (3, 4):
                feature = QgsFeature(labels.fields())
                x, y = left + (col + 0.5) * step, top + (row + 0.5) * down
                feature.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(x, y)))
                feature.setAttributes([names[int(values[row, col])]])
                features.append(feature)
    labels.dataProvider().addFeatures(features)
    project.addMapLayers([scene, labels])
    dialog = open_dialog()
    dialog.data.check_button.click()
    wait(lambda: dialog.data.table.rowCount() == 2, 120)
    classes = {dialog.data.table.item(row, 1).text() for row in range(2)}
    assert classes == {"low vegetation", "tree"}
    groups = [group.name() for group in project.layerTreeRoot().findGroups()]
    assert groups == ["HyperKD: fine-tuning"]
    dialog.settings.output.setFilePath(str(tmp_path / "trees.onnx"))
    dialog.settings.baselines.setChecked(False)
    dialog.settings.expert.set_values({"epochs": 5})
    dialog.train_button.click()
    wait(lambda: dialog.training.job is not None, 60)
    job = dialog.training.job
    wait(lambda: job.is_over, 280)
    assert job.ending.summary["classes"] == ["low vegetation", "tree"], job.errors()
    wait(lambda: dialog.tabs.currentIndex() == 3)
    assert dialog.result.report.is_file()
    dialog.result.map_button.click()
    wait(lambda: "is in the project" in dialog.result.message.text(), 120)
    (made,) = [each for each in project.mapLayers().values() if "trees" in each.name()]
    assert made.renderer().type() == "paletted"
    labels_shown = [each.label for each in made.renderer().classes()]
    assert labels_shown == ["low vegetation", "tree"]
    assert "predict" in made.metadata().abstract()
    dialog.result.store_button.click()
    wait(lambda: "in the store" in dialog.result.message.text(), 60)
    assert (tmp_path / "models" / "trees.onnx").is_file()


def test_colours_are_chosen_by_a_double_click_and_become_the_layers_style(
    open_dialog, layers, fake_python, use_engine, wait, monkeypatch
):
    from qgis.core import QgsSingleSymbolRenderer, QgsSymbol
    from qgis.PyQt.QtGui import QColor
    from qgis.PyQt.QtWidgets import QColorDialog

    trains(fake_python, use_engine)
    labels = layers[1]
    labels.setRenderer(QgsSingleSymbolRenderer(QgsSymbol.defaultSymbol(labels.geometryType())))
    page = open_dialog().data
    page.field.setField("cover")
    assert [page.table.horizontalHeaderItem(k).text() for k in (0, 4)] == ["Colour", "Remark"]
    assert page.style_button.isHidden()
    page.check_button.click()
    wait(lambda: page.table.rowCount() == 2)
    assert page.table.item(1, 0).background().color().name() == "#888888"
    monkeypatch.setattr(QColorDialog, "getColor", lambda *given: QColor("#ff00ff"))
    page.table.cellDoubleClicked.emit(1, 2)
    assert page.table.item(1, 0).background().color().name() == "#ff00ff"
    assert page.values()["colours"] == ["rock=#ff00ff"]
    page.style_button.click()
    colours = {
        each.label(): each.symbol().color().name() for each in labels.renderer().categories()
    }
    assert colours == {"water": "#0000ff", "rock": "#ff00ff"}
    assert labels.renderer().classAttribute() == "cover"
    assert page.values()["colours"] == ["water=#0000ff", "rock=#ff00ff"]
    page.field.setField("note")  # other values
    assert page.values()["colours"] == []


def test_a_colour_that_was_not_chosen_changes_nothing(
    open_dialog, layers, fake_python, use_engine, wait, monkeypatch
):
    from qgis.PyQt.QtGui import QColor
    from qgis.PyQt.QtWidgets import QColorDialog

    trains(fake_python, use_engine)
    page = open_dialog().data
    page.check_button.click()
    wait(lambda: page.table.rowCount() == 2)
    before = page.values()["colours"]
    monkeypatch.setattr(QColorDialog, "getColor", lambda *given: QColor())
    page.table.cellDoubleClicked.emit(0, 0)
    assert page.values()["colours"] == before
