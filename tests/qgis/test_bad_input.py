"""What can be wrong with a run, for every algorithm that starts the engine: a sentence each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.qgis.model_files import card, write_model
from tests.qgis.test_algorithms import WITH_ENGINE

# Those that read a raster that QGIS has as a layer.
ON_RASTERS = tuple(
    each for each in WITH_ENGINE if each not in ("hyperkd:importproduct", "hyperkd:export")
)
# Those that run a model on a raster; an inspection describes what does not fit.
WITH_MODEL = tuple(
    each
    for each in ON_RASTERS
    if each.partition(":")[2]
    not in ("inspect", "aligntohls", "restore", "detect", "finetune", "distill", "quantize")
)
_OTHER_VERSION = 'say("hello", protocol=99, version="9.0", pid=1, device="cpu"); time.sleep(60)'
_CRASH = (
    'hello(); open(next(job[each] for each in ("output", "report", "dominant") if job.get(each)), '
    '"a"); raise RuntimeError("boom")'
)


@pytest.fixture(autouse=True)
def own_store(plugin, monkeypatch, tmp_path):
    store = tmp_path / "models"
    store.mkdir()
    monkeypatch.setenv("HYPERKD_MODELS", str(store))
    write_model(store / "classes.onnx", card("classification"))
    write_model(store / "values.onnx", card("regression"))


@pytest.fixture
def values(registry, scene, tmp_path):
    """Return parameters of an algorithm that are all right, one by one replaced by the given."""
    from qgis.core import (
        QgsFeature,
        QgsGeometry,
        QgsPointXY,
        QgsProcessingParameterRasterLayer,
        QgsVectorLayer,
    )

    places = QgsVectorLayer("Point?field=cover:string", "Places", "memory")
    feature = QgsFeature(places.fields())
    feature.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(300015.0, 5799985.0)))
    feature.setAttributes(["a"])
    places.dataProvider().addFeatures([feature])
    checkpoint = tmp_path / "student.safetensors"
    checkpoint.touch()
    outputs = tmp_path / "made"
    outputs.mkdir()
    models = {
        "hyperkd:classify": "classes",
        "hyperkd:regress": "values",
        "hyperkd:evaluate": "classes",
        "hyperkd:quantize": "tiny",
        "hyperkd:firstlook": "cover",
    }

    def make(identifier, **changed):
        algorithm = registry.algorithmById(identifier)
        found = {
            "PLACES": places,
            "LABELS": places,
            "FIELD": ["cover"],
            "TASK": "classification",
            "PRODUCT": str(scene),
            "CHECKPOINT": str(checkpoint),
            "MODEL": models.get(identifier, "tiny"),
            "OUTPUT": str(outputs / "made.tif"),
            "REPORT": str(outputs / "report"),
            "ERROR": str(outputs / "error.tif"),
        }
        names = [each.name() for each in algorithm.parameterDefinitions()]
        given = {name: value for name, value in found.items() if name in names}
        if "OUTPUT" in given:
            suffix = getattr(algorithm.parameterDefinition("OUTPUT"), "defaultFileExtension", str)()
            given["OUTPUT"] = str(outputs / f"made.{suffix or 'tif'}")
        if identifier == "hyperkd:firstlook":
            given["DOMINANT"] = str(outputs / "dominant.tif")
        raster = changed.pop("raster", str(scene))
        if "INPUT" in names:
            one = isinstance(
                algorithm.parameterDefinition("INPUT"), QgsProcessingParameterRasterLayer
            )
            given["INPUT"] = raster if one else [raster]
        return {**given, **{name: value for name, value in changed.items() if name in names}}

    return make


@pytest.fixture
def problem(registry, values, use_engine):
    """Return what an algorithm says of parameters before it does anything."""
    from qgis.core import QgsProcessingContext

    use_engine(Path(sys.executable))
    context = QgsProcessingContext()

    def ask(identifier, **changed):
        algorithm = registry.algorithmById(identifier)
        good, text = algorithm.checkParameterValues(values(identifier, **changed), context)
        assert good == (not text)
        return text

    return ask


@pytest.mark.parametrize("identifier", WITH_ENGINE)
def test_the_parameters_of_these_tests_are_right(problem, identifier):
    assert problem(identifier) == ""


@pytest.mark.parametrize("identifier", ON_RASTERS)
def test_a_layer_that_is_missing(problem, identifier, tmp_path):
    text = problem(identifier, raster=str(tmp_path / "nothing.tif"))
    assert "nothing.tif" in text, text


@pytest.mark.parametrize("identifier", ON_RASTERS)
def test_a_layer_of_a_web_service(problem, identifier):
    from qgis.core import QgsRasterLayer

    web = QgsRasterLayer("type=xyz&url=https://tiles.invalid/{z}/{x}/{y}.png", "Streets", "wms")
    assert "“Streets” comes from the provider “wms”" in problem(identifier, raster=web)


@pytest.mark.parametrize("identifier", ON_RASTERS)
def test_a_layer_whose_file_is_gone(problem, identifier, write_raster, tmp_path):
    from qgis.core import QgsRasterLayer

    path = write_raster(tmp_path / "gone.tif", [[1.0, 2.0]], bands=4)
    layer = QgsRasterLayer(str(path), "Scene of today")
    path.unlink()
    assert "The file of “Scene of today” is gone" in problem(identifier, raster=layer)


@pytest.mark.parametrize("identifier", WITH_MODEL)
def test_a_model_for_other_bands(problem, identifier, tmp_path):
    import numpy as np

    from tests.factories import make_raster

    path = make_raster(
        tmp_path / "visible.tif",
        np.ones((30, 4, 4), np.int16),
        wavelengths=[400.0 + 10 * band for band in range(30)],
    )
    text = problem(identifier, raster=str(path))
    assert "covers 400 to 690 nm" in text
    assert "bands are missing" in text


@pytest.mark.parametrize("identifier", WITH_ENGINE)
def test_an_output_that_cannot_be_written(problem, identifier, tmp_path):
    """A folder inside a file: nobody may make that, whoever runs the tests."""
    (tmp_path / "file").touch()
    names = ("OUTPUT", "REPORT", "ERROR", "DOMINANT")
    outputs = {name: str(tmp_path / "file" / "made.tif") for name in names}
    text = problem(identifier, **outputs)
    assert text == f"{tmp_path / 'file' / 'made.tif'} cannot be written: choose another folder."


@pytest.mark.parametrize("identifier", WITH_ENGINE)
def test_an_engine_of_another_version(identifier, values, fake_python, use_engine):
    import processing
    from qgis.core import QgsProcessingException

    use_engine(fake_python(_OTHER_VERSION))
    with pytest.raises(QgsProcessingException, match="engine 9.0 speaks protocol 99") as caught:
        processing.run(identifier, values(identifier))
    assert "Install the plugin again" in str(caught.value)


@pytest.mark.parametrize("identifier", WITH_ENGINE)
def test_an_engine_that_crashes(identifier, values, fake_python, use_engine):
    import processing
    from qgis.core import QgsApplication, QgsProcessingException

    logged = []
    log = QgsApplication.messageLog()
    log.messageReceived.connect(lambda *message: logged.append(message[0]))
    use_engine(fake_python(_CRASH))
    with pytest.raises(QgsProcessingException, match="failed with an internal error") as caught:
        processing.run(identifier, values(identifier))
    assert "Traceback" not in str(caught.value)
    assert "boom" not in str(caught.value)
    assert any("RuntimeError: boom" in text for text in logged)
