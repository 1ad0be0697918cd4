"""Algorithms as QGIS sees them: what they say, refuse, hand over and show; no real engine."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.qgis.model_files import card, write_model

GROUPS = {
    "hyperkd:inspect": "Prepare",
    "hyperkd:importproduct": "Prepare",
    "hyperkd:aligntohls": "Prepare",
    "hyperkd:restore": "Prepare",
    "hyperkd:firstlook": "Run",
    "hyperkd:embed": "Run",
    "hyperkd:reconstruct": "Run",
    "hyperkd:classify": "Run",
    "hyperkd:regress": "Run",
    "hyperkd:anomaly": "Run",
    "hyperkd:similarity": "Run",
    "hyperkd:cluster": "Run",
    "hyperkd:detect": "Run",
    "hyperkd:finetune": "Train",
    "hyperkd:distill": "Train",
    "hyperkd:export": "Train",
    "hyperkd:quantize": "Train",
    "hyperkd:evaluate": "Assess",
    "hyperkd:modelinfo": "Models",
    "hyperkd:setupengine": "Models",
}
IDS = tuple(GROUPS)
# Those that run a job.
WITH_ENGINE = tuple(
    each for each in IDS if each not in ("hyperkd:setupengine", "hyperkd:modelinfo")
)
# What they write when nobody says otherwise, where it is not OUTPUT.
LOOKS = ["COMPOSITE", "DOMINANT", "FRACTIONS", "UNCERTAINTY"]
WRITTEN = {"hyperkd:reconstruct": ["ERROR"], "hyperkd:firstlook": LOOKS}
# Those whose model is not tiny by default, and a model that will do.
MODELS = {
    "hyperkd:classify": {"MODEL": "classes"},
    "hyperkd:regress": {"MODEL": "values"},
    "hyperkd:firstlook": {"MODEL": "cover"},
}
# Those that read a raster, whose bands, scale and nodata may be told.
WITH_INPUT = tuple(
    each
    for each in WITH_ENGINE
    if each.partition(":")[2]
    not in ("importproduct", "export", "quantize", "evaluate", "finetune", "distill", "similarity")
)
MANUAL = Path(__file__).resolve().parents[2] / "docs" / "qgis.md"


@pytest.fixture(autouse=True)
def own_store(plugin, monkeypatch, tmp_path):
    """Give each test a model store of its own, with a model for each task."""
    store = tmp_path / "models"
    store.mkdir()
    monkeypatch.setenv("HYPERKD_MODELS", str(store))
    write_model(store / "my-own.onnx", card())
    write_model(store / "classes.onnx", card("classification"))
    write_model(store / "values.onnx", card("regression"))
    return store


@pytest.fixture
def check(registry, use_engine):
    """Return ``checkParameterValues`` of an algorithm, for parameters by name."""
    from qgis.core import QgsProcessingContext

    use_engine(Path(sys.executable))
    context = QgsProcessingContext()

    def run(identifier, **parameters):
        algorithm = registry.algorithmById(identifier)
        given = {"OUTPUT": "TEMPORARY_OUTPUT", **MODELS.get(identifier, {}), **parameters}
        return algorithm.checkParameterValues(given, context)

    return run


# What a run with every kind of event looks like; the outputs are copies of one raster.
_WORKS = """
import shutil
hello()
say("stage", name="Embedding")
say("progress", done=1, total=4, unit="tiles")
say("log", level="info", message="slowly")
say("log", level="warning", message="3 bad bands")
say("someday")
say("progress", done=4, total=4, unit="tiles")
json.dump(job, open({seen!r}, "w"))
for role in ("output", "error"):
    if role in job:
        shutil.copy({raster!r}, job[role])
say("done", summary={{
    "tiles": 12, "skipped_tiles": 3, "provider": "CPU", "other": 1, "suits": False,
    "good_bands": 4, "used_bands": 3, "problems": [
        {{"code": "rotated_grid", "severity": "note", "message": "It is rotated.", "hint": "",
         "scene": "a.tif"}},
        {{"code": "empty_bands", "severity": "warning", "message": "No <b>data</b>.", "hint": "",
         "scene": "a.tif"}},
        {{"code": "raw_counts", "severity": "warning", "message": "a.tif: Counts.",
         "hint": "Calibrate.", "scene": "a.tif"}},
    ],
    "valid_pixels": 90, "masked_pixels": 10,
}})
"""

BAND_NAMES = ("430.1 nm", "480.5 nm", "561.2 nm", "659.0 nm", "850 nm")


@pytest.fixture
def working_engine(fake_python, use_engine, write_raster, tmp_path):
    """Choose a stand-in whose outputs are copies of a raster; return how to read its job."""
    values = [[float(10 * row + col) for col in range(10)] for row in range(10)]
    raster = write_raster(tmp_path / "made.tif", values, bands=5, names=BAND_NAMES)
    seen = tmp_path / "seen.json"
    use_engine(fake_python(_WORKS.format(seen=str(seen), raster=str(raster))))
    return lambda: json.loads(seen.read_text(encoding="utf-8"))


@pytest.fixture
def run(registry, feedback):
    """Return ``processing.run`` with a feedback that records."""
    import processing

    return lambda identifier, **parameters: processing.run(
        identifier, {**MODELS.get(identifier, {}), **parameters}, feedback=feedback
    )


# --- without an engine ---------------------------------------------------------------


def test_the_provider_lists_its_algorithms_without_an_engine(registry):
    provider = registry.providerById("hyperkd")
    own = [each.id() for each in provider.algorithms() if each.groupId() != "workflows"]
    assert sorted(own) == sorted(IDS)
    assert not provider.icon().isNull()
    assert provider.versionInfo() == provider.algorithms()[0].provider().versionInfo() != ""


@pytest.mark.parametrize("identifier", IDS)
def test_every_algorithm_explains_itself(registry, identifier):
    from qgis.PyQt.QtGui import QTextDocument

    algorithm = registry.algorithmById(identifier)
    document = QTextDocument()
    document.setHtml(algorithm.shortHelpString())
    text = document.toPlainText()
    for definition in algorithm.parameterDefinitions():
        is_advanced = definition.flags() & definition.Flag.FlagAdvanced
        heading = definition.description().partition(" (")[0]
        assert is_advanced or heading in text.splitlines(), heading
        assert definition.help() or is_advanced, definition.name()
    assert algorithm.shortDescription().endswith(".")
    assert algorithm.group() == GROUPS[identifier]
    assert algorithm.groupId() == GROUPS[identifier].lower()
    assert os.path.isfile(algorithm.svgIconPath())
    assert len(algorithm.tags()) > 3
    assert algorithm.helpUrl().endswith(f"docs/qgis.md#{algorithm.name()}")
    assert f"\n## {algorithm.name()}\n" in MANUAL.read_text(encoding="utf-8")


@pytest.mark.parametrize("identifier", IDS)
def test_the_manual_explains_every_parameter(registry, identifier):
    algorithm = registry.algorithmById(identifier)
    text = MANUAL.read_text(encoding="utf-8")
    for definition in algorithm.parameterDefinitions():
        # The folded ones of a training are those of its command, which has a page of its own.
        if definition.flags() & definition.Flag.FlagAdvanced:
            assert definition.help()
        else:
            assert f"`{definition.name()}`" in text
    for output in algorithm.outputDefinitions():
        assert f"`{output.name()}`" in text


@pytest.mark.parametrize("identifier", WITH_ENGINE)
def test_without_an_engine_an_algorithm_says_what_to_do(registry, identifier):
    can, reason = registry.algorithmById(identifier).canExecute()
    assert not can
    assert reason.startswith("HyperKD has no engine yet.")
    assert "Plugins › HyperKD › Engine…" in reason
    assert "hyperkd:setupengine" in reason
    assert "HYPERKD_ENGINE_PYTHON" in reason


def test_the_engine_can_be_set_up_without_an_engine(registry):
    assert registry.algorithmById("hyperkd:setupengine").canExecute()[0]


def test_an_interpreter_that_is_gone_is_named(registry, use_engine, scene, run):
    from qgis.core import QgsProcessingException

    use_engine(Path("/nowhere/bin/python"))
    can, reason = registry.algorithmById("hyperkd:embed").canExecute()
    assert not can
    assert "interpreter /nowhere/bin/python" in reason
    assert "does not exist" in reason
    with pytest.raises(QgsProcessingException, match="/nowhere/bin/python.* does not exist"):
        run("hyperkd:embed", INPUT=str(scene), OUTPUT="TEMPORARY_OUTPUT")


def test_a_plugin_without_its_engine_says_so(registry, use_engine, monkeypatch, tmp_path):
    use_engine(Path(sys.executable))
    monkeypatch.setattr("hyperkd_qgis.algorithms.engine_algorithm.engine_folder", lambda: tmp_path)
    can, reason = registry.algorithmById("hyperkd:embed").canExecute()
    assert not can
    assert reason == (
        f"The plugin's engine is missing: there is no {tmp_path}. Install the plugin again."
    )


def test_the_setting_goes_before_the_environment_and_the_checkout(plugin, use_engine, monkeypatch):
    from hyperkd_qgis import settings

    assert settings.interpreter() is None
    monkeypatch.setattr("hyperkd_qgis.settings.checkout_python", lambda: Path(sys.executable))
    assert settings.interpreter() == settings.Interpreter(Path(sys.executable), "checkout")
    use_engine(Path("/from/environment"))
    assert settings.interpreter() == settings.Interpreter(Path("/from/environment"), "environment")
    settings.choose_interpreter("/from/setting")
    try:
        assert settings.interpreter() == settings.Interpreter(Path("/from/setting"), "setting")
    finally:
        settings.choose_interpreter("")
    assert settings.interpreter().origin == "environment"


def test_the_plugin_loads_quickly_and_without_anything_heavy(plugin_folder, qgis):
    """QGIS imports it at every start, for everybody, whatever is installed.

    Measured against what QGIS's own modules take here, in time of the processor: seconds
    would measure the machine.
    """
    code = (
        "import sys, time; import qgis.core, qgis.gui, qgis.PyQt.QtWidgets;"
        "qgis = started = time.process_time();"
        "already = set(sys.modules);"  # newer QGIS imports numpy by itself
        f"sys.path.insert(0, {str(plugin_folder)!r}); import hyperkd_qgis;"
        "plugin = hyperkd_qgis.classFactory(None); plugin.initProcessing();"
        "print((time.process_time() - started) / qgis);"
        "print(sorted({'numpy', 'osgeo', 'torch', 'onnx', 'onnxruntime', 'hyperkd',"
        " 'hyperkd_qgis.ui.engine_dialog', 'hyperkd_qgis.env.setup'}"
        " & (set(sys.modules) - already)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    share, heavy = answer.stdout.splitlines()
    assert float(share) < 1
    assert heavy == "[]"


# --- parameters that cannot work -------------------------------------------------------


def test_a_raster_that_is_no_file_is_refused(check):
    from qgis.core import QgsRasterLayer

    web = QgsRasterLayer("type=xyz&url=https://tiles.invalid/{z}/{x}/{y}.png", "Streets", "wms")
    assert check("hyperkd:embed", INPUT=web) == (
        False,
        "“Streets” comes from the provider “wms”; HyperKD reads raster files. "
        "Save the layer as a GeoTIFF first (right-click › Export › Save As…).",
    )


def test_a_layer_whose_file_is_gone_is_refused(check, scene):
    from qgis.core import QgsRasterLayer

    layer = QgsRasterLayer(str(scene), "Scene of today")
    scene.unlink()
    good, reason = check("hyperkd:embed", INPUT=layer)
    assert not good
    assert reason.startswith(f"The file of “Scene of today” is gone: there is no {scene}.")


def test_a_raster_in_memory_is_refused(check, scene):
    from osgeo import gdal
    from qgis.core import QgsRasterLayer

    gdal.Translate("/vsimem/scene.tif", str(scene))
    layer = QgsRasterLayer("/vsimem/scene.tif", "Scratch")
    assert layer.isValid()
    good, reason = check("hyperkd:embed", INPUT=layer)
    assert not good
    assert reason.startswith("“Scratch” lies in the memory of QGIS")
    gdal.Unlink("/vsimem/scene.tif")


@pytest.mark.parametrize(
    "location",
    [
        "/vsimem/zipped.zip/scene.tif",
        "/vsizip//vsimem/zipped.zip/scene.tif",
        "GTIFF_DIR:1:/vsimem/scene.tif",
    ],
)
def test_memory_is_recognised_behind_what_else_stands_before_it(plugin, location):
    from qgis.core import QgsRasterLayer

    from hyperkd_qgis.layers import UnusableLayerError, raster_source

    with pytest.raises(UnusableLayerError, match="“Scratch” lies in the memory of QGIS"):
        raster_source(QgsRasterLayer(location, "Scratch"))


@pytest.mark.parametrize(
    "location",
    [
        "/vsis3/bucket/scene.tif",
        "/vsicurl/https://data.invalid/scene.tif",
        "/vsi7z//data/archive.7z/scene.tif",
        "/vsizip//vsicurl/https://data.invalid/archive.zip/scene.tif",
        'NETCDF:"/data/cube.nc":reflectance',
    ],
)
def test_what_only_gdal_finds_reaches_the_engine_as_it_is(plugin, location, tmp_path, monkeypatch):
    from qgis.core import QgsRasterLayer

    from hyperkd_qgis.layers import raster_source

    # A file that is called as the key in the bucket, seen from where QGIS was started.
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "scene.tif").touch()
    monkeypatch.chdir(tmp_path)
    assert raster_source(QgsRasterLayer(location, "Scene")) == location


def test_an_archive_that_is_gone_is_refused_and_one_nearby_is_named_in_full(
    plugin, scene, tmp_path, monkeypatch
):
    import zipfile

    from qgis.core import QgsRasterLayer

    from hyperkd_qgis.layers import UnusableLayerError, raster_source

    path = tmp_path / "archive.zip"
    with pytest.raises(UnusableLayerError, match=f"is gone: there is no {path}"):
        raster_source(QgsRasterLayer(f"/vsizip/{path}", "Scene"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(scene, "scene.tif")
    monkeypatch.chdir(tmp_path)
    layer = QgsRasterLayer("/vsizip/archive.zip/scene.tif", "Scene")
    assert raster_source(layer) == f"/vsizip/{path}/scene.tif"


def test_a_missing_raster_is_refused(check, tmp_path):
    good, reason = check("hyperkd:embed", INPUT=str(tmp_path / "nothing.tif"))
    assert not good
    assert str(tmp_path / "nothing.tif") in reason


def test_what_is_no_raster_is_refused(check, tmp_path):
    path = tmp_path / "text.tif"
    path.write_text("no raster")
    good, reason = check("hyperkd:embed", INPUT=str(path))
    assert not good
    assert str(path) in reason


@pytest.mark.parametrize("model", ["missing.onnx", "folder/student", "/nowhere/student.onnx"])
def test_a_missing_student_is_refused(check, scene, model):
    assert check("hyperkd:embed", INPUT=str(scene), MODEL=model) == (
        False,
        f"There is no model {model}. Choose an .onnx file or a name.",
    )


@pytest.mark.parametrize("model", ["tiny", "my-own", "", None])
def test_a_student_may_be_a_name_or_left_out(check, scene, model):
    assert check("hyperkd:embed", INPUT=str(scene), MODEL=model) == (True, "")


@pytest.mark.parametrize("table", ["missing.csv", "folder/table", "/nowhere/bands.csv"])
@pytest.mark.parametrize("identifier", WITH_INPUT)
def test_a_missing_band_table_is_refused(check, scene, identifier, table):
    assert check(identifier, INPUT=str(scene), BANDS=table) == (
        False,
        f"There is no band table {table}. Choose a CSV file, or write enmap.",
    )


@pytest.mark.parametrize("sensor", ["enmap", "enmap-202", "", None])
def test_bands_may_be_a_sensor_or_left_out(check, scene, sensor):
    assert check("hyperkd:inspect", INPUT=str(scene), BANDS=sensor) == (True, "")


def test_a_missing_product_is_refused(check, tmp_path):
    path = tmp_path / "ENMAP01-METADATA.XML"
    assert check("hyperkd:importproduct", PRODUCT=str(path)) == (
        False,
        f"There is no product {path}. Choose its file, or write its folder's path.",
    )


@pytest.mark.parametrize("product", ["", None])
def test_a_product_must_be_given(check, product):
    good, reason = check("hyperkd:importproduct", PRODUCT=product)
    assert not good
    assert "PRODUCT" in reason


def test_an_unknown_mask_is_refused(check, tmp_path):
    good, reason = check("hyperkd:importproduct", PRODUCT=str(tmp_path), MASK=["cloud", "fog"])
    assert not good
    assert "MASK" in reason


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCALE", "much"),
        ("NODATA", "none"),
        ("NODATA", "nan"),
        ("SCALE", float("inf")),
        ("OVERLAP", "wide"),
        ("COMPONENTS", 1025),
        ("COMPONENTS", "-1"),
        ("COMPONENTS", "many"),
        ("BATCH", 0),
        ("OVERLAP", -1),
        ("DEVICE", "tpu"),
    ],
)
def test_values_out_of_bounds_are_refused(check, scene, name, value):
    good, reason = check("hyperkd:embed", INPUT=str(scene), **{name: value})
    assert not good
    assert name in reason


def test_reconstruct_wants_one_of_its_outputs(check, scene):
    assert check("hyperkd:reconstruct", INPUT=str(scene), OUTPUT=None) == (
        False,
        "Choose an output: the error, the reconstruction, or both.",
    )
    assert check("hyperkd:reconstruct", INPUT=str(scene), OUTPUT=None, ERROR="e.tif")[0]


def test_only_geotiff_is_offered_and_taken(registry, check, scene):
    provider = registry.providerById("hyperkd")
    assert provider.defaultRasterFileExtension() == "tif"
    assert provider.supportedOutputRasterLayerExtensions() == ["tif", "tiff"]
    good, reason = check("hyperkd:embed", INPUT=str(scene), OUTPUT="/tmp/embedding.img")
    assert not good
    assert "img" in reason


# --- what is handed over ---------------------------------------------------------------


def test_numbers_may_be_strings_and_what_is_not_set_is_left_out(run, working_engine, scene):
    run("hyperkd:embed", INPUT=str(scene), COMPONENTS="3", BATCH=2.0, OUTPUT="TEMPORARY_OUTPUT")
    job = working_engine()
    output = job.pop("output")
    assert output.endswith(".tif")
    assert job == {
        "protocol": 1,
        "job": "embed",
        "input": str(scene),
        "model": "tiny",
        "components": 3,
        "dtype": "float32",
        "batch": 2,
        "device": "auto",
        "unreadable": "fail",
        "format": "geotiff",
        "resume": False,
        "accept": [],
    }


@pytest.mark.parametrize("unset", [None, "", "NULL variant"])
def test_an_unset_overlap_is_the_engines_default(run, working_engine, scene, unset):
    from qgis.core import NULL

    value = NULL if unset == "NULL variant" else unset
    run("hyperkd:embed", INPUT=str(scene), OVERLAP=value, OUTPUT="TEMPORARY_OUTPUT")
    assert "overlap" not in working_engine()


def test_an_overlap_of_zero_is_not_unset(run, working_engine, scene):
    run("hyperkd:embed", INPUT=str(scene), OVERLAP=0, OUTPUT="TEMPORARY_OUTPUT")
    assert working_engine()["overlap"] == 0


def test_relative_paths_become_absolute(run, working_engine, scene, monkeypatch):
    """The engine reads relative paths from the folder of the job file."""
    monkeypatch.chdir(scene.parent)
    (scene.parent / "own.onnx").touch()
    run("hyperkd:embed", INPUT=scene.name, MODEL="own.onnx", OUTPUT="TEMPORARY_OUTPUT")
    job = working_engine()
    assert job["input"] == str(scene)
    assert job["model"] == str(scene.parent / "own.onnx")


def test_a_relative_output_lies_where_its_user_is(run, working_engine, scene, monkeypatch):
    """In the folder of the job file it would vanish with the job, and the run would succeed."""
    (scene.parent / "maps").mkdir()
    monkeypatch.chdir(scene.parent)
    run("hyperkd:reconstruct", INPUT=str(scene), OUTPUT="here.tif", ERROR="maps/there.tif")
    assert working_engine()["output"] == str(scene.parent / "here.tif")
    assert working_engine()["error"] == str(scene.parent / "maps" / "there.tif")
    assert (scene.parent / "here.tif").is_file()
    assert (scene.parent / "maps" / "there.tif").is_file()


def test_a_layer_of_the_project_is_found_by_its_name(run, working_engine, scene):
    from qgis.core import QgsProject, QgsRasterLayer

    layer = QgsRasterLayer(str(scene), "Scene of today")
    QgsProject.instance().addMapLayer(layer)
    try:
        run("hyperkd:embed", INPUT="Scene of today", OUTPUT="TEMPORARY_OUTPUT")
        assert working_engine()["input"] == str(scene)
    finally:
        QgsProject.instance().removeMapLayer(layer.id())


@pytest.mark.parametrize("inside", ["scene.tif", "folder/scene.tif"])
def test_a_raster_in_an_archive_keeps_its_whole_address(run, working_engine, scene, inside):
    import zipfile

    from qgis.core import QgsRasterLayer

    archive = scene.parent / "delivery.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.write(scene, inside)
    address = f"/vsizip/{archive}/{inside}"
    layer = QgsRasterLayer(address, "in an archive")
    run("hyperkd:embed", INPUT=layer, OUTPUT="TEMPORARY_OUTPUT")
    assert working_engine()["input"] == address


def test_only_the_outputs_that_were_asked_for_are_made(run, working_engine, scene, tmp_path):
    results = run("hyperkd:reconstruct", INPUT=str(scene), ERROR=str(tmp_path / "e.tif"))
    assert results.pop("PROBLEMS")
    assert results == {
        "ERROR": str(tmp_path / "e.tif"),
        "TILES": 12,
        "SKIPPED_TILES": 3,
        "PROVIDER": "CPU",
    }
    assert "output" not in working_engine()


_RUN = {"TILES": "outputNumber", "SKIPPED_TILES": "outputNumber", "PROVIDER": "outputString"}


@pytest.mark.parametrize(
    ("identifier", "results"),
    [
        (
            "hyperkd:inspect",
            {
                "OUTPUT": "outputHtml",
                "SUITS": "outputBoolean",
                "GOOD_BANDS": "outputNumber",
                "USED_BANDS": "outputNumber",
            },
        ),
        (
            "hyperkd:importproduct",
            {
                "OUTPUT": "outputRaster",
                "BANDS": "outputNumber",
                "GOOD_BANDS": "outputNumber",
                "VALID_PIXELS": "outputNumber",
                "MASKED_PIXELS": "outputNumber",
            },
        ),
        ("hyperkd:aligntohls", {"OUTPUT": "outputRaster", "VALID_PIXELS": "outputNumber"}),
        (
            "hyperkd:restore",
            {
                "OUTPUT": "outputRaster",
                "FILLED": "outputRaster",
                "VALID_PIXELS": "outputNumber",
                "LEFT_PIXELS": "outputNumber",
                "FILLED_VALUES": "outputNumber",
                "PREDICTED_VALUES": "outputNumber",
                "INTERPOLATED_VALUES": "outputNumber",
                "NOTES": "outputString",
            },
        ),
        (
            "hyperkd:firstlook",
            {
                **dict.fromkeys(LOOKS, "outputRaster"),
                "MEAN_FRACTIONS": "outputString",
                "DOMINANT_PIXELS": "outputString",
                **_RUN,
            },
        ),
        ("hyperkd:embed", {"OUTPUT": "outputRaster", **_RUN}),
        ("hyperkd:reconstruct", {"OUTPUT": "outputRaster", "ERROR": "outputRaster", **_RUN}),
        (
            "hyperkd:classify",
            {
                "OUTPUT": "outputRaster",
                "PROBABILITIES": "outputRaster",
                "UNCERTAINTY": "outputRaster",
                "CLASSES": "outputString",
                **_RUN,
            },
        ),
        (
            "hyperkd:regress",
            {
                "OUTPUT": "outputRaster",
                "UNCERTAINTY": "outputRaster",
                "DOMINANT": "outputRaster",
                "APPLICABILITY": "outputRaster",
                "BEYOND_TRAINING_RANGE": "outputString",
                **_RUN,
            },
        ),
        (
            "hyperkd:anomaly",
            {
                "OUTPUT": "outputRaster",
                "MASK": "outputRaster",
                "ANOMALIES": "outputNumber",
                "SHARE": "outputNumber",
                "MEDIAN_ERROR": "outputNumber",
                "THRESHOLD_ERROR": "outputNumber",
                **_RUN,
            },
        ),
        (
            "hyperkd:similarity",
            {
                "OUTPUT": "outputRaster",
                "REFERENCES": "outputNumber",
                "THRESHOLD": "outputNumber",
                **_RUN,
            },
        ),
        (
            "hyperkd:cluster",
            {
                "OUTPUT": "outputRaster",
                "CLUSTERS": "outputString",
                "EXPLAINED": "outputNumber",
                **_RUN,
            },
        ),
        (
            "hyperkd:detect",
            {
                "OUTPUT": "outputRaster",
                "MASK": "outputRaster",
                "DETECTIONS": "outputNumber",
                "SHARE": "outputNumber",
                "THRESHOLD": "outputNumber",
                "THRESHOLD_REASON": "outputString",
                "TARGET": "outputString",
            },
        ),
        (
            "hyperkd:finetune",
            {"OUTPUT": "outputFile", "REPORT": "outputFolder", "PAGE": "outputHtml"},
        ),
        ("hyperkd:distill", {"OUTPUT": "outputFile", "CACHE": "outputFolder"}),
        ("hyperkd:evaluate", {"REPORT": "outputFolder", "PAGE": "outputHtml"}),
        ("hyperkd:export", {"OUTPUT": "outputFile"}),
        (
            "hyperkd:quantize",
            {
                "OUTPUT": "outputFile",
                "LOSS": "outputNumber",
                "MEASURE": "outputString",
                "BYTES": "outputNumber",
                "BYTES_BEFORE": "outputNumber",
                "SPEED": "outputNumber",
            },
        ),
        (
            "hyperkd:modelinfo",
            {
                "OUTPUT": "outputHtml",
                "NAME": "outputString",
                "TASK": "outputString",
                "LICENCE": "outputString",
                "CLASSES": "outputString",
                "BANDS": "outputNumber",
            },
        ),
        ("hyperkd:setupengine", {"PYTHON": "outputString", "PACKAGES": "outputString"}),
    ],
)
def test_results_are_declared(registry, identifier, results):
    """A model offers the next step what is declared, and by its type."""
    algorithm = registry.algorithmById(identifier)
    if algorithm.parameterDefinition("ACCEPT") is not None:  # it opens a scene
        results = {**results, "PROBLEMS": "outputString"}
    assert {each.name(): each.type() for each in algorithm.outputDefinitions()} == results


def test_a_report_is_a_file_and_its_facts_are_results(run, working_engine, scene, tmp_path):
    report = tmp_path / "report.html"
    assert run("hyperkd:inspect", INPUT=str(scene), OUTPUT=str(report)) == {
        "OUTPUT": str(report),
        "SUITS": False,
        "GOOD_BANDS": 4,
        "USED_BANDS": 3,
        "PROBLEMS": "No ‹b>data‹/b>.\na.tif: Counts. Calibrate.",
    }
    job = working_engine()
    assert job == {
        "protocol": 1,
        "job": "inspect",
        "input": str(scene),
        "model": "tiny",
        "accept": [],
        "output": str(report),
    }
    assert [path.name for path in tmp_path.glob("report*")] == ["report.html"]


def test_a_temporary_report_has_the_suffix_that_browsers_want(run, working_engine, scene):
    output = run("hyperkd:inspect", INPUT=str(scene), OUTPUT="TEMPORARY_OUTPUT")["OUTPUT"]
    assert output.endswith(".html")
    assert working_engine()["output"] == output


@pytest.mark.parametrize("identifier", WITH_INPUT)
def test_bands_scale_and_nodata_reach_the_job(run, working_engine, scene, identifier, monkeypatch):
    monkeypatch.chdir(scene.parent)
    (scene.parent / "bands.csv").touch()
    output = {WRITTEN.get(identifier, ["OUTPUT"])[0]: "TEMPORARY_OUTPUT"}
    run(identifier, INPUT=str(scene), BANDS="enmap", SCALE="2.75e-5", NODATA=-9999.5, **output)
    job = working_engine()
    assert (job["bands"], job["scale"], job["nodata"]) == ("enmap", 2.75e-5, -9999.5)
    # 0 is a value, and a path is read from the folder of the caller
    run(identifier, INPUT=str(scene), BANDS="bands.csv", SCALE=1, NODATA=0, **output)
    job = working_engine()
    assert job["bands"] == str(scene.parent / "bands.csv")
    assert (job["scale"], job["nodata"]) == (1.0, 0.0)
    run(identifier, INPUT=str(scene), BANDS="", SCALE=None, NODATA="", **output)
    assert not {"bands", "scale", "nodata"} & set(working_engine())


@pytest.mark.parametrize("mask", [["cloud", "snow"], "cloud,snow"])
def test_masks_are_a_list_of_names(run, working_engine, scene, mask):
    run("hyperkd:importproduct", PRODUCT=str(scene), MASK=mask, OUTPUT="TEMPORARY_OUTPUT")
    assert working_engine()["mask"] == ["cloud", "snow"]


@pytest.mark.parametrize("unset", [None, [], "left out"])
def test_without_masks_the_list_is_empty(run, working_engine, scene, unset):
    masks = {} if unset == "left out" else {"MASK": unset}
    run("hyperkd:importproduct", PRODUCT=str(scene), OUTPUT="TEMPORARY_OUTPUT", **masks)
    assert working_engine()["mask"] == []


@pytest.mark.parametrize(
    ("identifier", "name", "ticked", "given"),
    [
        ("hyperkd:embed", "ACCEPT", "raw_counts", ["raw_counts"]),
        ("hyperkd:importproduct", "MASK", "cloud", ["cloud"]),
        ("hyperkd:distill", "MASK", "snow", ["cloud", "cloud_shadow", "snow"]),
    ],
)
def test_what_is_ticked_of_several_choices_has_a_name_and_is_taken(
    registry, identifier, name, ticked, given
):
    """QGIS 3.22 shows such choices as a list of empty rows, and refuses what is ticked there."""
    from processing.gui.AlgorithmDialog import AlgorithmDialog
    from qgis.core import QgsProcessingContext
    from qgis.PyQt.QtWidgets import QCheckBox

    algorithm = registry.createAlgorithmById(identifier)
    dialog = AlgorithmDialog(algorithm)
    try:
        (box,) = (each for each in dialog.findChildren(QCheckBox) if each.text() == ticked)
        box.click()
        value = dialog.mainWidget().wrappers[name].parameterValue()
    finally:
        dialog.close()
    assert sorted(value) == given
    definition = algorithm.parameterDefinition(name)
    assert definition.checkValueIsAcceptable(value, QgsProcessingContext())


def test_what_is_ticked_in_a_batch_has_a_name_and_is_taken(registry):
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog
    from qgis.core import QgsProcessingContext
    from qgis.PyQt.QtWidgets import QCheckBox

    algorithm = registry.createAlgorithmById("hyperkd:importproduct")
    dialog = BatchAlgorithmDialog(algorithm)
    try:
        panel = dialog.mainWidget()
        gc.collect()
        (box,) = (each for each in panel.findChildren(QCheckBox) if each.text() == "snow")
        box.click()
        value = panel.wrappers[0][panel.parameter_to_column["MASK"]].parameterValue()
    finally:
        dialog.close()
    assert value == ["snow"]
    definition = algorithm.parameterDefinition("MASK")
    assert definition.checkValueIsAcceptable(value, QgsProcessingContext())


def test_problems_stay_in_the_message_bar_with_a_way_to_the_log(
    run, working_engine, scene, monkeypatch
):
    from qgis.core import Qgis, QgsApplication
    from qgis.gui import QgsMessageBar
    from qgis.PyQt.QtWidgets import QMainWindow, QPushButton

    from hyperkd_qgis import messages

    bar, opened, logged = QgsMessageBar(), [], []

    class Window:
        def messageBar(self):  # noqa: N802 - QGIS's own name
            return bar

        def mainWindow(self):  # noqa: N802
            return QMainWindow()

        def openMessageLog(self):  # noqa: N802
            opened.append(True)

    log = QgsApplication.messageLog()
    log.messageReceived.connect(lambda *said: logged.append(said[0]))
    monkeypatch.setattr(messages, "iface", Window())
    # As two steps of a workflow do.
    run("hyperkd:embed", INPUT=str(scene), OUTPUT="TEMPORARY_OUTPUT")
    run("hyperkd:embed", INPUT=str(scene), OUTPUT="TEMPORARY_OUTPUT")
    (item,) = bar.items()
    assert (item.title(), item.level(), item.duration()) == (
        "HyperKD",
        Qgis.MessageLevel.Warning,
        0,
    )
    assert item.text().endswith(": No ‹b>data‹/b>. a.tif: Counts. Calibrate.")
    assert "No <b>data</b>." in logged and "a.tif: Counts. Calibrate." in logged
    item.findChild(QPushButton).click()
    assert opened == [True]


def test_a_product_may_be_a_folder_and_relative(run, working_engine, tmp_path, monkeypatch):
    (tmp_path / "ENMAP01-L2A").mkdir()
    monkeypatch.chdir(tmp_path)
    results = run("hyperkd:importproduct", PRODUCT="ENMAP01-L2A", OUTPUT="TEMPORARY_OUTPUT")
    assert working_engine()["product"] == str(tmp_path / "ENMAP01-L2A")
    assert (results["GOOD_BANDS"], results["VALID_PIXELS"], results["MASKED_PIXELS"]) == (4, 90, 10)


def test_progress_and_messages_reach_the_user(run, working_engine, feedback, scene):
    run("hyperkd:embed", INPUT=str(scene), OUTPUT="TEMPORARY_OUTPUT")
    assert [step for step in feedback.steps if step] == [25.0, 100.0]
    expected = [
        ("debug", "HyperKD engine 0.0.0"),
        ("stage", "Embedding"),
        ("info", "slowly"),
        ("warning", "3 bad bands"),
    ]
    assert [said for said in feedback.said if said in expected] == expected


@pytest.mark.parametrize("identifier", WITH_INPUT)
def test_the_dialog_opens_and_gives_valid_values(registry, working_engine, scene, identifier):
    from processing.gui.AlgorithmDialog import AlgorithmDialog
    from qgis.core import QgsProcessingContext, QgsProject, QgsRasterLayer

    layer = QgsRasterLayer(str(scene), "Scene of today")
    QgsProject.instance().addMapLayer(layer)
    dialog = AlgorithmDialog(registry.createAlgorithmById(identifier))
    try:
        if identifier in MODELS:
            dialog.setParameters({"INPUT": layer.id(), **MODELS[identifier]})
        values = dialog.createProcessingParameters()
        given = {name: value for name, value in values.items() if isinstance(value, (str, int))}
        expected = {
            "INPUT": layer.id(),
            "MODEL": "tiny",
            "DEVICE": "auto",
            "FORMAT": "geotiff",
            "MODE": "range_mean",
        }
        expected.update(MODELS.get(identifier, {}))
        assert {
            each: expected[each] for each in values if each in expected
        }.items() <= given.items()
        unset = {"OVERLAP", "BATCH", "MEMORY_MB", "SCALE", "NODATA"} & set(values)
        assert {"SCALE", "NODATA"} <= unset
        assert [values[name] for name in unset] == [None] * len(unset)
        assert not values["BANDS"]
        outputs = ("OUTPUT", "ERROR", *LOOKS)
        asked = sorted(name for name in outputs if values.get(name) is not None)
        assert asked == WRITTEN.get(identifier, ["OUTPUT"])
        algorithm = registry.createAlgorithmById(identifier)
        context = QgsProcessingContext()
        context.setProject(QgsProject.instance())
        assert algorithm.checkParameterValues(values, context) == (True, "")
    finally:
        dialog.close()
        QgsProject.instance().removeAllMapLayers()


def test_the_dialog_of_a_product_takes_a_folder_and_several_masks(registry, working_engine, scene):
    from processing.gui.AlgorithmDialog import AlgorithmDialog
    from qgis.core import QgsProcessingContext

    algorithm = registry.createAlgorithmById("hyperkd:importproduct")
    dialog = AlgorithmDialog(algorithm)
    try:
        dialog.setParameters({"PRODUCT": str(scene.parent)})
        assert not dialog.createProcessingParameters()["MASK"]
        dialog.setParameters({"PRODUCT": str(scene.parent), "MASK": ["cloud", "cloud_shadow"]})
        values = dialog.createProcessingParameters()
        assert values["PRODUCT"] == str(scene.parent)
        assert values["MASK"] == ["cloud", "cloud_shadow"]
        assert algorithm.checkParameterValues(values, QgsProcessingContext()) == (True, "")
    finally:
        dialog.close()


@pytest.mark.parametrize("scale", [1e-4, 2.75e-5, 1.0])
def test_the_dialog_keeps_the_digits_of_a_scale(registry, working_engine, scene, scale):
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    dialog = AlgorithmDialog(registry.createAlgorithmById("hyperkd:aligntohls"))
    try:
        dialog.setParameters({"INPUT": str(scene), "SCALE": scale, "NODATA": -32768})
        values = dialog.createProcessingParameters()
        assert (values["SCALE"], values["NODATA"]) == (pytest.approx(scale, rel=1e-9), -32768)
    finally:
        dialog.close()


# --- endings ---------------------------------------------------------------------------


def test_a_refusal_reads_as_message_and_hint(run, fake_python, use_engine, scene):
    from qgis.core import QgsProcessingException

    use_engine(
        fake_python(
            """
            hello()
            say("error", code="band_mismatch", message="7 bands.", hint="Use 218.", context={})
            sys.exit(3)
            """
        )
    )
    with pytest.raises(QgsProcessingException, match=r"^7 bands\. Use 218\.$"):
        run("hyperkd:embed", INPUT=str(scene), OUTPUT="TEMPORARY_OUTPUT")


def test_a_crash_is_a_sentence_and_the_traceback_is_in_the_log(run, fake_python, use_engine, scene):
    from qgis.core import QgsApplication, QgsProcessingException

    logged = []
    log = QgsApplication.messageLog()
    log.messageReceived.connect(lambda *message: logged.append(message[:2]))
    use_engine(fake_python("hello()\nraise RuntimeError('a bug of ours')"))
    with pytest.raises(QgsProcessingException) as caught:
        run("hyperkd:embed", INPUT=str(scene), OUTPUT="TEMPORARY_OUTPUT")
    assert str(caught.value) == (
        "The engine failed with an internal error (exit status 1). No output was written. The "
        "last messages of the engine are in the log: View › Panels › Log Messages › HyperKD."
    )
    ours = [text for text, tag in logged if tag == "HyperKD"]
    assert len(ours) == 1
    assert "Traceback" in ours[0]
    assert "RuntimeError: a bug of ours" in ours[0]


def test_a_killed_engine_fails_the_algorithm_and_keeps_the_old_output(
    run, fake_python, use_engine, scene, tmp_path
):
    from qgis.core import QgsProcessingException

    output = tmp_path / "embedding.tif"
    output.write_text("old")
    use_engine(
        fake_python(
            """
            hello()
            part = job["output"] + ".part"
            say("claim", path=part, files=[part], lock="")
            open(part, "w").write("half")
            os.kill(os.getpid(), signal.SIGKILL)
            """
        )
    )
    with pytest.raises(QgsProcessingException, match=r"was killed \(signal or code 9\).*memory"):
        run("hyperkd:embed", INPUT=str(scene), OUTPUT=str(output))
    assert output.read_text() == "old"
    assert sorted(path.name for path in tmp_path.glob("embedding*")) == ["embedding.tif"]


@pytest.mark.parametrize("resume", [False, True])
def test_what_a_killed_run_has_finished_is_kept_for_one_that_goes_on(
    run, fake_python, use_engine, scene, resume
):
    from qgis.core import QgsProcessingException

    use_engine(
        fake_python(
            """
            hello()
            part, rows = (job["output"] + end for end in (".part", ".part-rows"))
            say("claim", path=part, files=[part], lock="")
            say("claim", path=rows, files=[] if job.get("resume") else [rows], lock="")
            for path in (part, rows):
                open(path, "w").write("half")
            os.kill(os.getpid(), signal.SIGKILL)
            """
        )
    )
    output = scene.parent / "embedding.tif"
    with pytest.raises(QgsProcessingException, match="was killed"):
        run("hyperkd:embed", INPUT=str(scene), OUTPUT=str(output), RESUME=resume)
    assert not output.with_name("embedding.tif.part").exists()
    assert output.with_name("embedding.tif.part-rows").exists() is resume


def test_cancel_gives_nothing_and_leaves_nothing(run, feedback, fake_python, use_engine, scene):
    use_engine(
        fake_python(
            """
            hello()
            part = job["output"] + ".part"
            say("claim", path=part, files=[part], lock="")
            open(part, "w").write("half")
            say("progress", done=1, total=2, unit="tiles")
            while True:
                time.sleep(1)
            """
        )
    )
    feedback.progressChanged.connect(lambda step: feedback.cancel())
    started = time.monotonic()
    output = scene.parent / "embedding.tif"
    assert run("hyperkd:embed", INPUT=str(scene), OUTPUT=str(output)) == {}
    assert time.monotonic() - started < 1
    assert list(scene.parent.glob("embedding*")) == []


# --- how outputs look ------------------------------------------------------------------


def test_an_output_gets_its_style_as_a_file_beside_it(run, working_engine, scene, tmp_path):
    """Whoever opens the output later, in whatever project, sees the same picture."""
    from qgis.core import QgsRasterLayer

    output, error = tmp_path / "r.tif", tmp_path / "e.tif"
    run("hyperkd:reconstruct", INPUT=str(scene), OUTPUT=str(output), ERROR=str(error))
    assert sorted(path.name for path in tmp_path.glob("[er].qml")) == ["e.qml", "r.qml"]
    layer = QgsRasterLayer(str(output), "r")
    renderer = layer.renderer()
    assert renderer.type() == "multibandcolor"
    assert (renderer.redBand(), renderer.greenBand(), renderer.blueBand()) == (4, 3, 2)
    layer = QgsRasterLayer(str(error), "e")
    renderer = layer.renderer()
    assert renderer.type() == "singlebandpseudocolor"
    assert renderer.band() == 2  # the RMSE; the spectral angle would show water and shadow alone
    # 2 and 98 % of the values 0 to 198, as the histogram of QGIS sees them
    assert renderer.classificationMin() == pytest.approx(3.96, abs=0.01)
    assert renderer.classificationMax() == pytest.approx(192.06, abs=0.01)
    colours = [
        item.color.name() for item in renderer.shader().rasterShaderFunction().colorRampItemList()
    ]
    assert colours == ["#0d0887", "#7e03a8", "#cc4778", "#f89540", "#f0f921"]


def test_the_embedding_shows_its_first_three_bands(run, working_engine, scene, tmp_path):
    from qgis.core import QgsRasterLayer

    output = tmp_path / "e.tif"
    run("hyperkd:embed", INPUT=str(scene), OUTPUT=str(output))
    layer = QgsRasterLayer(str(output), "e")
    renderer = layer.renderer()
    bands = (renderer.redBand(), renderer.greenBand(), renderer.blueBand())
    assert bands == (1, 2, 3)
    blue = renderer.blueContrastEnhancement()
    # the third band holds the values times three
    assert blue.minimumValue() == pytest.approx(3 * 1.98, abs=0.01)
    assert blue.maximumValue() == pytest.approx(3 * 96.03, abs=0.01)


@pytest.fixture
def class_map(tmp_path):
    """Return a raster of two classes with names and colours, as the engine writes it."""
    import numpy as np
    from osgeo import gdal

    path = tmp_path / "classes.tif"
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), 3, 1, 1, gdal.GDT_Byte)
    band = dataset.GetRasterBand(1)
    band.SetNoDataValue(0)
    colours = gdal.ColorTable()
    for value, colour in enumerate(((0, 0, 0, 0), (10, 20, 200, 255), (30, 160, 40, 255))):
        colours.SetColorEntry(value, colour)
    band.SetColorTable(colours)  # before the first pixel, as GDAL 3.10 wants it
    band.SetCategoryNames(["", "water", "wood"])
    band.WriteArray(np.array([[0, 1, 2]], np.uint8))
    dataset.FlushCache()
    return path


def test_a_class_map_shows_names_and_colours(plugin, class_map):
    from qgis.core import QgsRasterLayer

    from hyperkd_qgis.layers import write_styles

    write_styles({str(class_map): "classes"})
    layer = QgsRasterLayer(str(class_map), "m")
    renderer = layer.renderer()
    assert renderer.type() == "paletted"
    classes = [(each.value, each.label, each.color.name()) for each in renderer.classes()]
    assert classes == [(1, "water", "#0a14c8"), (2, "wood", "#1ea028")]


@pytest.mark.parametrize(
    ("style", "band", "bounds"),
    [
        ("probabilities", 1, (0.0, 1.0)),
        ("uncertainty", 2, (0.0, 1.0)),
        ("score", 1, (0.0, 7.0)),
        ("similarity", 1, (0.0, 1.0)),
        ("values", 1, None),
    ],
)
def test_shares_are_shown_between_the_same_bounds_always(
    plugin, write_raster, tmp_path, style, band, bounds
):
    """So that two maps compare; only values in a unit are stretched."""
    from qgis.core import QgsRasterLayer

    from hyperkd_qgis.layers import write_styles

    values = [[float(10 * row + col) for col in range(10)] for row in range(10)]
    path = write_raster(tmp_path / "m.tif", values, bands=2)
    write_styles({str(path): style})
    layer = QgsRasterLayer(str(path), "m")
    renderer = layer.renderer()
    assert renderer.type() == "singlebandpseudocolor"
    assert renderer.band() == band
    found = renderer.classificationMin(), renderer.classificationMax()
    assert found == (pytest.approx((1.98, 96.03), abs=0.01) if bounds is None else bounds)


@pytest.mark.parametrize("bands", [1, 2])
def test_an_embedding_of_less_than_three_bands_is_grey(plugin, write_raster, tmp_path, bands):
    from qgis.core import QgsRasterLayer

    from hyperkd_qgis.layers import write_styles

    path = write_raster(tmp_path / "e.tif", [[1.0, 2.0]], bands=bands)
    write_styles({str(path): "embedding"})
    assert QgsRasterLayer(str(path), "e").renderer().type() == "singlebandgray"


def test_no_data_stays_transparent(run, fake_python, use_engine, scene, tmp_path):
    from qgis.core import QgsMapRendererParallelJob, QgsMapSettings, QgsRasterLayer
    from qgis.PyQt.QtCore import QSize
    from qgis.PyQt.QtGui import QColor

    output = tmp_path / "e.tif"
    use_engine(
        fake_python(
            f"""
            import shutil
            hello()
            shutil.copy({str(scene)!r}, job["error"])
            say("done", summary={{}})
            """
        )
    )
    run("hyperkd:reconstruct", INPUT=str(scene), ERROR=str(output))
    layer = QgsRasterLayer(str(output), "e")
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setExtent(layer.extent())
    settings.setOutputSize(QSize(20, 20))
    settings.setBackgroundColor(QColor(0, 0, 0, 0))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    assert image.pixelColor(15, 15).alpha() == 0
    assert image.pixelColor(5, 5).alpha() == 255


def test_six_bands_show_red_green_and_blue(run, fake_python, use_engine, write_raster, scene):
    from qgis.core import QgsRasterLayer

    raster = write_raster(scene.parent / "six.tif", [[1.0, 2.0]], bands=6)
    use_engine(
        fake_python(
            f"""
            import shutil
            hello()
            shutil.copy({str(raster)!r}, job["output"])
            say("done", summary={{"valid_pixels": 2}})
            """
        )
    )
    output = scene.parent / "hls.tif"
    results = run("hyperkd:aligntohls", INPUT=str(scene), MODE="nearest", OUTPUT=str(output))
    assert results == {"OUTPUT": str(output), "VALID_PIXELS": 2, "PROBLEMS": ""}
    renderer = QgsRasterLayer(str(output), "hls").renderer()
    bands = (renderer.redBand(), renderer.greenBand(), renderer.blueBand())
    assert bands == (3, 2, 1)


@pytest.mark.parametrize(
    ("names", "bands"),
    [
        (("EnMAP band 1 (470.2 nm)", "2 (555.1 nm)", "3 (662 nm)", "4 (2200.5 nm)"), (3, 2, 1)),
        # as ENVI files have it, from long to short
        (("a (661.0 Nanometers)", "b (556.2 Nanometers)", "c (478.9 Nanometers)"), (1, 2, 3)),
        (("VNIR 1", "VNIR 2", "VNIR 3", "SWIR 1", "SWIR 2"), (5, 3, 1)),
    ],
)
def test_true_colour_is_told_by_the_names_of_the_bands(
    run, fake_python, use_engine, write_raster, tmp_path, names, bands
):
    from qgis.core import QgsRasterLayer

    raster = write_raster(tmp_path / "made.tif", [[1.0, 2.0]], bands=len(names), names=names)
    use_engine(
        fake_python(
            f"""
            import shutil
            hello()
            shutil.copy({str(raster)!r}, job["output"])
            say("done", summary={{}})
            """
        )
    )
    output = tmp_path / "scene.tif"
    run("hyperkd:importproduct", PRODUCT=str(tmp_path), OUTPUT=str(output))
    renderer = QgsRasterLayer(str(output), "scene").renderer()
    assert (renderer.redBand(), renderer.greenBand(), renderer.blueBand()) == bands


@pytest.mark.parametrize(
    ("product", "name"),
    [
        ("ENMAP01-DT1", "ENMAP01-DT1"),
        ("ENMAP01-DT1-METADATA.XML", "ENMAP01-DT1"),
        ("ENMAP01-DT1-METADATA.XML.XML", "ENMAP01-DT1"),
        ("PRS_L2D.he5", "PRS_L2D"),
    ],
)
def test_an_import_is_named_after_its_product(registry, use_engine, tmp_path, product, name):
    from qgis.core import QgsProcessingContext, QgsProcessingFeedback

    use_engine(Path(sys.executable))
    path = tmp_path / product
    path.touch() if path.suffix else path.mkdir()
    algorithm = registry.createAlgorithmById("hyperkd:importproduct")
    context = QgsProcessingContext()
    parameters = {"PRODUCT": str(path), "OUTPUT": "TEMPORARY_OUTPUT"}
    assert algorithm.prepareAlgorithm(parameters, context, QgsProcessingFeedback())
    assert algorithm._subject == name


def test_loaded_outputs_are_styled_and_named_after_the_scene(registry, working_engine, scene):
    """What the dialog does: run in a thread, load in the main thread, style at the end.

    More than once, because Processing deletes each post-processor that it was given.
    """
    from processing.gui.Postprocessing import handleAlgorithmResults
    from qgis.core import (
        QgsProcessingAlgRunnerTask,
        QgsProcessingContext,
        QgsProcessingFeedback,
        QgsProject,
        QgsTaskManager,
    )
    from qgis.core import QgsProcessingOutputLayerDefinition as Output
    from qgis.PyQt.QtCore import QEventLoop

    project, manager = QgsProject.instance(), QgsTaskManager()
    made = []
    for _ in range(3):
        context, feedback = QgsProcessingContext(), QgsProcessingFeedback()
        context.setProject(project)
        parameters = {"INPUT": str(scene), "ERROR": Output("TEMPORARY_OUTPUT", project)}
        algorithm = registry.createAlgorithmById("hyperkd:reconstruct")
        task = QgsProcessingAlgRunnerTask(algorithm, parameters, context, feedback)
        finished, loop = [], QEventLoop()
        task.executed.connect(lambda good, _: (finished.append(good), loop.quit()))  # noqa: B023
        manager.addTask(task)
        loop.exec()
        assert finished == [True]
        gc.collect()
        assert handleAlgorithmResults(algorithm, context, feedback)
        del context
        made += [layer for layer in project.mapLayers().values() if layer not in made]
    layers = list(project.mapLayers().values())
    try:
        assert [layer.name() for layer in layers] == ["Reconstruction error: scene"] * 3
        renderers = [layer.renderer().type() for layer in layers]
        assert renderers == ["singlebandpseudocolor"] * 3
        # results lie together, the newest on top, and each says how it was made
        root = project.layerTreeRoot()
        assert [group.name() for group in root.findGroups()] == ["HyperKD"]
        nodes = root.findGroup("HyperKD").findLayers()
        assert [node.layerId() for node in nodes] == [each.id() for each in reversed(made)]
        metadata = layers[0].metadata()
        assert metadata.title() == "Reconstruction error: scene"
        assert "hyperkd:reconstruct" in metadata.abstract()
        assert any(str(scene) in line for line in metadata.history())
    finally:
        project.clear()


def test_a_name_that_somebody_chose_stays(plugin):
    from qgis.core import QgsProcessingContext, QgsProject

    from hyperkd_qgis.layers import Provenance, place_on_load

    context = QgsProcessingContext()
    details = QgsProcessingContext.LayerDetails("My result", QgsProject.instance(), "OUTPUT")
    context.addLayerToLoadOnCompletion("/data/e.tif", details)
    provenance = Provenance("group", "HyperKD")
    place_on_load(context, "/data/e.tif", ["Embedding"], "Embedding: scene", provenance)
    assert context.layerToLoadOnCompletionDetails("/data/e.tif").name == "My result"
    assert context.layerToLoadOnCompletionDetails("/data/e.tif").postProcessor() is not None
