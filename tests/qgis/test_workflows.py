"""The shipped Processing models: listed, complete, and run by the real engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.inference_factories import CENTRES, make_model, make_student
from tests.factories import GEOTRANSFORM, make_raster
from tools.machine import find_interpreter, find_qgis_process

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "resources" / "models"
# What scripts rely on: ids, inputs, and results as <step>:<name>.
WORKFLOWS = {
    "classmap": (
        ["scene", "model"],
        {
            "classify:map": "outputRaster",
            "areas:table": "outputVector",
        },
    ),
    "mosaicmap": (["scenes", "model"], {"classify:map": "outputRaster"}),
    "clusterpolygons": (
        ["scene", "clusters", "pixels"],
        {"cluster:map": "outputRaster", "vectorise:polygons": "outputVector"},
    ),
}


@pytest.fixture
def registry(plugin):
    from qgis.core import QgsApplication

    return QgsApplication.processingRegistry()


@pytest.fixture
def spectral(tmp_path):
    """Return a maker of scenes of 64 x 64 pixels for a toy model of five bands."""
    import numpy as np

    def make(name, shift=0):
        random = np.random.default_rng(shift)
        data = random.integers(500, 600, (5, 64, 64)).astype(np.int16)
        for quarter, (rows, cols) in enumerate(
            [(slice(32), slice(32)), (slice(32), slice(32, 64)), (slice(32, 64), slice(64))]
        ):
            data[(quarter + shift) % 5, rows, cols] += 4000
        left, step, *rest = GEOTRANSFORM
        return make_raster(
            tmp_path / f"{name}.tif",
            data,
            wavelengths=list(CENTRES),
            fwhm=10.0,
            geotransform=(left + 64 * step * shift, step, *rest),
        )

    return make


@pytest.fixture
def classifier(tmp_path) -> str:
    """Return a model that takes the brightest of five bands for the class."""
    return make_model(tmp_path / "brightest.onnx")


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
def test_inputs_and_results_are_listed_right_after_loading(registry, name):
    """The steps of a model are unknown while its provider is being added."""
    inputs, results = WORKFLOWS[name]
    algorithm = registry.algorithmById(f"hyperkd:{name}")
    definitions = algorithm.parameterDefinitions()
    given = [each.name() for each in definitions if not each.isDestination()]
    assert sorted(given) == sorted(inputs)
    made = {each.name(): each.type() for each in algorithm.outputDefinitions()}
    assert {key: value for key, value in made.items() if ":" in key} == results
    assert {each.name() for each in algorithm.destinationParameterDefinitions()} == set(results)
    assert algorithm.canExecute()[0]


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


def test_the_shipped_files_are_what_the_script_writes(registry, tmp_path):
    """Identifiers of comments aside, which are new each time."""
    from qgis.core import QgsProcessingModelAlgorithm

    from tools import workflows

    for path in workflows.write(tmp_path):
        made, shipped = QgsProcessingModelAlgorithm(), QgsProcessingModelAlgorithm()
        assert made.fromFile(str(path))
        assert shipped.fromFile(str(FOLDER / path.name))
        assert made.asPythonCode(_class(), 4) == shipped.asPythonCode(_class(), 4)
        assert made.helpContent() == shipped.helpContent()


def _class():
    from qgis.core import QgsProcessing

    return QgsProcessing.PythonOutputType.PythonQgsProcessingAlgorithmSubclass


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
    rows = {int(float(row["value"])): row for row in dataset.GetLayer(0)}
    assert float(rows[1]["m2"]) == (expected == 1).sum() * abs(GEOTRANSFORM[1] * GEOTRANSFORM[5])


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


def test_alike_surfaces_become_polygons(plugin, real_engine, shared, tmp_path):
    import processing
    from osgeo import ogr

    tile = shared / "data/potsdam/images/enmap_potsdam_tile_128_96.tif"
    results = processing.run(
        "hyperkd:clusterpolygons",
        {
            "scene": str(tile),
            "clusters": 4,
            "pixels": 9,
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


# --- every algorithm, headless, in a batch of three -----------------------------------------


@pytest.fixture(scope="module")
def headless(plugin_folder, tmp_path_factory):
    """Return a caller of ``qgis_process run`` with JSON results, and JSON input where it can.

    QGIS reads parameters as JSON from standard input from 3.24 on.
    """
    from qgis.core import Qgis

    program = find_qgis_process(find_interpreter()[0])
    environment = {
        **os.environ,
        "QGIS_CUSTOM_CONFIG_PATH": str(tmp_path_factory.mktemp("process-profile")),
        "QGIS_PLUGINPATH": str(plugin_folder),
        "QT_QPA_PLATFORM": "offscreen",
        "HYPERKD_ENGINE_PYTHON": sys.executable,
        "HYPERKD_MODELS": str(tmp_path_factory.mktemp("models")),
    }

    def call(*arguments, text=None):
        return subprocess.run(
            [program, *arguments],
            env=environment,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            check=False,
        )

    call("plugins", "enable", "hyperkd_qgis")

    def run(identifier, values):
        if Qgis.QGIS_VERSION_INT >= 32400:
            answer = call("run", identifier, "-", text=json.dumps({"inputs": values}))
        else:
            words = []
            for name, value in values.items():
                for item in value if isinstance(value, list) else [value]:
                    words.append(f"{name}={item}")
            answer = call("--json", "run", identifier, "--", *words)
        assert answer.returncode == 0, answer.stderr[-2000:]
        assert "Traceback" not in answer.stdout + answer.stderr
        return json.loads(answer.stdout)["results"]

    return run


@pytest.fixture
def places(tmp_path) -> Path:
    """Return three points with a class and a number, on the scenes of ``spectral``."""
    from tests.label_factories import make_vector, point

    features = [
        (point(col + 0.5, row + 0.5), {"cover": name, "share": share})
        for col, row, name, share in ((5, 5, "a", 0.1), (40, 8, "b", 0.5), (20, 50, "c", 0.9))
    ]
    return make_vector(tmp_path / "places.gpkg", features, {"cover": "text", "share": "number"})


def _cases(scene, folder, student, classifier, regressor, places):
    """Return a run of every algorithm that needs no training, and what it must make."""
    return {
        "inspect": ({"INPUT": scene, "MODEL": student, "OUTPUT": f"{folder}/r.html"}, "OUTPUT"),
        "importproduct": ({"PRODUCT": scene, "OUTPUT": f"{folder}/p.tif"}, "OUTPUT"),
        "embed": (
            {"INPUT": scene, "MODEL": student, "COMPONENTS": 2, "OUTPUT": f"{folder}/e.tif"},
            "OUTPUT",
        ),
        "reconstruct": ({"INPUT": scene, "MODEL": student, "ERROR": f"{folder}/x.tif"}, "ERROR"),
        "classify": ({"INPUT": scene, "MODEL": classifier, "OUTPUT": f"{folder}/c.tif"}, "OUTPUT"),
        "regress": ({"INPUT": scene, "MODEL": regressor, "OUTPUT": f"{folder}/v.tif"}, "OUTPUT"),
        "anomaly": (
            {
                "INPUT": scene,
                "MODEL": student,
                "OUTPUT": f"{folder}/a.tif",
                "MASK": f"{folder}/m.tif",
            },
            "MASK",
        ),
        "similarity": (
            {"INPUT": scene, "MODEL": student, "PLACES": places, "OUTPUT": f"{folder}/l.tif"},
            "OUTPUT",
        ),
        "cluster": (
            {"INPUT": scene, "MODEL": student, "CLASSES": 3, "OUTPUT": f"{folder}/k.tif"},
            "OUTPUT",
        ),
        "modelinfo": ({"MODEL": classifier, "OUTPUT": f"{folder}/i.html"}, "OUTPUT"),
        "classmap": (
            {"scene": scene, "model": classifier, "classify:map": f"{folder}/w.tif"},
            "classify:map",
        ),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "inspect", "importproduct", "embed", "reconstruct", "classify", "regress", "anomaly",
        "similarity", "cluster", "modelinfo", "classmap",
    ],
)  # fmt: skip
def test_every_algorithm_runs_headless_in_a_batch_of_three(
    plugin, headless, real_engine, spectral, classifier, places, tmp_path, name
):
    student = make_student(tmp_path / "student.onnx", gain=0.9)
    regressor = make_model(tmp_path / "regressor.onnx", task="regression")
    made = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        scene = str(spectral("scene", 0))
        values, output = _cases(scene, folder, student, classifier, regressor, places)[name]
        identifier = f"hyperkd:{name}"
        if number == 0:
            results = headless(identifier, values)
        else:
            import processing

            results = processing.run(identifier, values)
        assert results[output] == values[output]
        made.append(Path(values[output]))
    assert all(path.is_file() for path in made)
    if made[0].suffix == ".tif":
        import numpy as np

        first, second, third = (read(path) for path in made)
        assert np.array_equal(first, second, equal_nan=first.dtype.kind == "f")
        assert np.array_equal(second, third, equal_nan=first.dtype.kind == "f")
