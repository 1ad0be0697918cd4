"""The whole way, from QGIS through the real engine to a finished layer, and its rude ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from inspect import signature
from pathlib import Path

import pytest

from tests.products import enmap_cube, write_enmap
from tests.qgis.beats import shortest
from tools.machine import find_interpreter, find_qgis_process

# As the plugin's band table has it: bands without any data do not make a pixel invalid.
_NODATA = -32768


@pytest.fixture
def tile(one_potsdam) -> Path:
    """Return one EnMAP tile of 32 x 32 pixels, half the size of the student's own."""
    return one_potsdam.tile(128, 0)


@pytest.fixture
def large(tile, tmp_path) -> Path:
    """Return a scene that takes the engine some seconds: a tile, blown up."""
    from osgeo import gdal

    path = tmp_path / "large.vrt"
    gdal.Translate(str(path), str(tile), format="VRT", width=800, height=800)
    return path


@pytest.fixture(scope="session")
def qgis_process(plugin_folder, tmp_path_factory):
    """Return a caller of ``qgis_process`` with a fresh profile that has our plugin enabled."""
    program = find_qgis_process(find_interpreter()[0])
    environment = {
        **os.environ,
        "QGIS_CUSTOM_CONFIG_PATH": str(tmp_path_factory.mktemp("process-profile")),
        "QGIS_PLUGINPATH": str(plugin_folder),
        "QT_QPA_PLATFORM": "offscreen",
        "HYPERKD_ENGINE_PYTHON": sys.executable,
    }

    def call(*arguments, check=True, **variables):
        return subprocess.run(
            [program, *map(str, arguments)],
            env={**environment, **variables},
            capture_output=True,
            text=True,
            check=check,
        )

    call("plugins", "enable", "hyperkd_qgis")
    call.start = lambda *arguments: subprocess.Popen(
        [program, *map(str, arguments)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return call


def read(path):
    """Return ``(bands, rows, cols)``, the grid and the nodata value of a raster."""
    from osgeo import gdal

    dataset = gdal.Open(str(path))
    grid = (dataset.GetGeoTransform(), dataset.GetProjection(), dataset.RasterXSize)
    return dataset.ReadAsArray(), grid, dataset.GetRasterBand(1).GetNoDataValue()


def centre_nm(path) -> list[float]:
    """Return the wavelengths that the bands of a raster tell."""
    from osgeo import gdal

    dataset = gdal.Open(str(path))
    bands = (dataset.GetRasterBand(number + 1) for number in range(dataset.RasterCount))
    return [float(band.GetMetadataItem("wavelength")) for band in bands]


@pytest.fixture
def bare(tile, tmp_path) -> tuple[Path, Path]:
    """Return a scene in EnMAP's order that tells nothing of its bands, and one that tells all.

    The second has the preset's values too, so that both must give the same.
    """
    import csv

    import numpy as np
    from osgeo import gdal

    stored, (geotransform, projection, _), _ = read(tile)
    stored = stored[np.argsort(centre_nm(tile), kind="stable")].astype(np.int16)
    preset = Path(__file__).resolve().parents[2] / "engine/hyperkd/spectral/enmap.csv"
    with preset.open(encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    paths = tmp_path / "bare.tif", tmp_path / "complete.tif"
    for path in paths:
        dataset = gdal.GetDriverByName("GTiff").Create(str(path), 32, 32, 224, gdal.GDT_Int16)
        dataset.SetGeoTransform(geotransform)
        dataset.SetProjection(projection)
        for number, row in enumerate(rows, 1):
            band = dataset.GetRasterBand(number)
            band.WriteArray(stored[number - 1])
            if path.stem == "complete":
                band.SetMetadataItem("wavelength", row["centre_nm"])
                band.SetMetadataItem("wavelength_units", "nm")
                band.SetMetadataItem("bbl", row["good"])
                band.SetScale(1e-4)
                band.SetNoDataValue(_NODATA)
        dataset = None
    return paths


def children(parent: int) -> list[int]:
    """Return the running processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, above = stat.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(above) == parent and state != "Z":
            found.append(int(stat.parent.name))
    return found


def wait_until(condition, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


# --- qgis_process ----------------------------------------------------------------------


def test_embed_fills_every_valid_pixel(qgis_process, real_engine, tile, tmp_path):
    import numpy as np

    output = tmp_path / "embedding.tif"
    answer = qgis_process(
        *("--json", "run", "hyperkd:embed", "--"),
        *(f"INPUT={tile}", f"OUTPUT={output}", "COMPONENTS=5", "DEVICE=cpu"),
    )
    results = json.loads(answer.stdout)["results"]
    assert results["OUTPUT"] == str(output)
    assert results["PROVIDER"] == "CPUExecutionProvider"
    assert results["SKIPPED_TILES"] == 0
    stored, grid, _ = read(tile)
    embedding, embedding_grid, nodata = read(output)
    assert embedding_grid == grid
    assert embedding.shape == (5, 32, 32)
    assert np.isnan(nodata)
    valid = (stored != _NODATA).sum(axis=0) == 218
    assert valid.any()
    assert np.isfinite(embedding[:, valid]).all()
    assert np.isnan(embedding[:, ~valid]).all()
    # principal components: each explains less than the one before
    assert (np.diff(embedding[:, valid].var(axis=1)) < 0).all()
    assert output.with_suffix(".qml").is_file()


def test_reconstruct_gives_reflectance_and_its_error(qgis_process, real_engine, tile, tmp_path):
    import numpy as np

    output, error = tmp_path / "reconstruction.tif", tmp_path / "error.tif"
    qgis_process(
        *("run", "hyperkd:reconstruct", "--"), f"INPUT={tile}", f"OUTPUT={output}", f"ERROR={error}"
    )
    stored, grid, _ = read(tile)
    reconstruction, reconstruction_grid, _ = read(output)
    (angle_deg, rmse), error_grid, _ = read(error)
    assert grid == reconstruction_grid == error_grid
    good = [band for band in range(224) if (stored[band] != _NODATA).any()]
    # The tile's bands are not in the order of their wavelengths; the student's are.
    from osgeo import gdal

    dataset = gdal.Open(str(tile))
    centre_nm = [float(dataset.GetRasterBand(i + 1).GetMetadataItem("wavelength")) for i in good]
    scene = stored[good][np.argsort(centre_nm)] * 1e-4
    guess = reconstruction * 1e-4
    valid = np.isfinite(rmse)
    assert valid.all()
    # What the two rasters say must agree; int16 steps of 1e-4 are the only difference.
    assert np.sqrt(((guess - scene) ** 2).mean(axis=0)) == pytest.approx(rmse, abs=2e-4)
    cosine = (guess * scene).sum(0) / np.sqrt((guess**2).sum(0) * (scene**2).sum(0))
    assert np.degrees(np.arccos(cosine)) == pytest.approx(angle_deg, abs=0.1)


def test_a_refusal_of_the_engine_is_the_message(qgis_process, real_engine, write_raster, tmp_path):
    raster = write_raster(tmp_path / "photo.tif", [[1.0] * 40] * 40, bands=12)
    answer = qgis_process(
        *("run", "hyperkd:embed", "--", f"INPUT={raster}", f"OUTPUT={tmp_path}/e.tif"), check=False
    )
    assert answer.returncode == 1
    assert "photo.tif (12 bands" in answer.stderr
    assert "no wavelengths" in answer.stderr
    assert "Traceback" not in answer.stdout + answer.stderr
    assert not list(tmp_path.glob("e.*"))


def test_without_an_engine_qgis_process_says_what_to_do(qgis_process, tile, tmp_path):
    answer = qgis_process(
        *("run", "hyperkd:embed", "--", f"INPUT={tile}", f"OUTPUT={tmp_path}/e.tif"),
        check=False,
        HYPERKD_ENGINE_PYTHON="/nowhere/python",
    )
    assert answer.returncode == 1
    assert "interpreter /nowhere/python" in answer.stderr
    assert "does not exist. Choose another one" in answer.stderr


def test_inspect_reports_and_tells_models_whether_the_student_can_use_it(
    qgis_process, real_engine, tile, tmp_path
):
    report = tmp_path / "report.html"
    answer = qgis_process(
        *("--json", "run", "hyperkd:inspect", "--", f"INPUT={tile}", f"OUTPUT={report}")
    )
    results = json.loads(answer.stdout)["results"]
    assert results == {
        "OUTPUT": str(report),
        "SUITS": True,
        "GOOD_BANDS": 218,
        "USED_BANDS": 218,
        "PROBLEMS": "",
    }
    html = report.read_text(encoding="utf-8")
    assert f"<h1>Inspection of {tile.name}</h1>" in html
    assert "The student tiny can use it." in html


def test_import_of_an_enmap_product_applies_its_masks(qgis_process, real_engine, tmp_path):
    import numpy as np

    product = write_enmap(tmp_path)
    output = tmp_path / "scene.tif"
    (metadata,) = product.glob("*METADATA.XML")
    answer = qgis_process(
        *("--json", "run", "hyperkd:importproduct", "--"),
        *(f"PRODUCT={metadata}", "MASK=cloud", "MASK=snow", f"OUTPUT={output}"),
    )
    results = json.loads(answer.stdout)["results"]
    assert results == {
        "OUTPUT": str(output),
        "BANDS": 6,
        "GOOD_BANDS": 5,
        "VALID_PIXELS": 9,
        "MASKED_PIXELS": 2,
        "PROBLEMS": "",
    }
    expected = enmap_cube()
    expected[:, 0, 1] = expected[:, 1, 3] = _NODATA
    imported, _, nodata = read(output)
    assert np.array_equal(imported, expected)
    assert nodata == _NODATA
    assert output.with_suffix(".qml").is_file()


def test_import_takes_folder_and_zip_and_shows_true_colour(plugin, real_engine, tile, tmp_path):
    import shutil

    import numpy as np
    import processing
    from qgis.core import QgsRasterLayer

    product = write_enmap(tmp_path)
    archive = shutil.make_archive(str(tmp_path / "delivery"), "zip", tmp_path, product.name)
    for path in (product, archive):
        parameters = {"PRODUCT": str(path), "OUTPUT": "TEMPORARY_OUTPUT"}
        output = processing.run("hyperkd:importproduct", parameters)["OUTPUT"]
        assert np.array_equal(read(output)[0], enmap_cube())
    parameters = {"PRODUCT": str(tile), "OUTPUT": str(tmp_path / "scene.tif")}
    processing.run("hyperkd:importproduct", parameters)
    renderer = QgsRasterLayer(str(tmp_path / "scene.tif"), "scene").renderer()
    shown = (renderer.redBand(), renderer.greenBand(), renderer.blueBand())
    assert [centre_nm(tile)[band - 1] for band in shown] == pytest.approx([660, 560, 480], abs=4)


def test_align_gives_the_means_of_the_bands_in_each_range(
    qgis_process, real_engine, tile, tmp_path
):
    import numpy as np

    output = tmp_path / "hls.tif"
    answer = qgis_process(
        *("--json", "run", "hyperkd:aligntohls", "--"),
        *(f"INPUT={tile}", f"OUTPUT={output}", "SCALE=0.0002"),
    )
    results = json.loads(answer.stdout)["results"]
    aligned, grid, _ = read(output)
    stored, tile_grid, _ = read(tile)
    assert grid == tile_grid
    centres = np.array(centre_nm(tile))
    red = stored[(centres >= 640) & (centres <= 670)].mean(axis=0)
    valid = aligned[2] != -9999
    assert results["VALID_PIXELS"] == valid.sum() == valid.size
    # SCALE says twice what the file says, and is believed
    assert aligned[2] == pytest.approx(2 * red, abs=0.51)


def test_a_raster_without_wavelengths_works_once_its_sensor_is_told(
    qgis_process, real_engine, bare, tmp_path
):
    """The coded sentence of the engine says what is missing, and BANDS provides it."""
    import numpy as np

    bare_scene, complete_scene = bare
    output = tmp_path / "hls.tif"
    run = ("--json", "run", "hyperkd:aligntohls", "--", f"OUTPUT={output}")
    refused = qgis_process(*run, f"INPUT={bare_scene}", check=False)
    assert refused.returncode == 1
    assert "bare.tif (224 bands" in refused.stderr
    assert "no wavelengths" in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    assert not list(tmp_path.glob("hls*"))
    qgis_process(*run, f"INPUT={bare_scene}", "BANDS=enmap")
    told = read(output)[0]
    qgis_process(*run, f"INPUT={complete_scene}")
    assert (told != -9999).any()
    assert np.array_equal(told, read(output)[0])


def test_a_guess_of_the_engine_reaches_the_message_bar_and_the_written_file(
    plugin, real_engine, bare, tmp_path, monkeypatch
):
    import processing
    from osgeo import gdal
    from qgis.gui import QgsMessageBar

    from hyperkd_qgis import messages

    bar = QgsMessageBar()

    class Window:
        def messageBar(self):  # noqa: N802 - QGIS's own name
            return bar

    monkeypatch.setattr(messages, "iface", Window())
    output, scene = tmp_path / "hls.tif", bare[1]
    dataset = gdal.Open(str(scene), gdal.GA_Update)
    for number in range(1, dataset.RasterCount + 1):
        dataset.GetRasterBand(number).SetScale(1)
    dataset = None
    parameters = {"INPUT": str(scene), "OUTPUT": str(output)}
    results = processing.run("hyperkd:aligntohls", parameters)
    said = "The file declares no scale; its int16 values are taken as reflectance x 10000"
    assert results["PROBLEMS"].startswith(said)
    item = bar.currentItem()
    assert (item.text(), item.duration()) == (f"complete: {results['PROBLEMS']}", 0)
    written = json.loads(gdal.Open(str(output)).GetMetadataItem("HYPERKD_PROBLEMS"))
    assert [each["code"] for each in written] == ["inferred_scale"]
    # A scale that is told is no guess.
    bar.clearWidgets()
    assert processing.run("hyperkd:aligntohls", {**parameters, "SCALE": 1e-4})["PROBLEMS"] == ""
    assert bar.currentItem() is None


def test_an_unknown_sensor_is_refused_by_the_engine(plugin, real_engine, tile):
    import processing
    from qgis.core import QgsProcessingException

    parameters = {"INPUT": str(tile), "BANDS": "enmapp", "OUTPUT": "TEMPORARY_OUTPUT"}
    with pytest.raises(QgsProcessingException, match="no sensor preset .enmapp.*enmap, enmap-202"):
        processing.run("hyperkd:aligntohls", parameters)


@pytest.mark.parametrize(("nodata", "valid_pixels"), [(0, 8), (-1, 16), (None, 16)])
def test_nodata_of_zero_is_believed(plugin, real_engine, tmp_path, nodata, valid_pixels):
    import numpy as np
    import processing
    from osgeo import gdal

    path = tmp_path / "half.tif"
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), 4, 4, 224, gdal.GDT_Int16)
    dataset.SetGeoTransform((300000.0, 30.0, 0.0, 5800000.0, 0.0, -30.0))
    half = np.repeat([[0], [0], [2000], [2000]], 4, axis=1)
    for number in range(224):
        dataset.GetRasterBand(number + 1).WriteArray(half)
    dataset.FlushCache()
    parameters = {"INPUT": str(path), "BANDS": "enmap", "OUTPUT": "TEMPORARY_OUTPUT"}
    results = processing.run("hyperkd:aligntohls", {**parameters, "NODATA": nodata})
    assert results["VALID_PIXELS"] == valid_pixels


def test_a_broken_product_is_refused_with_its_reason(plugin, real_engine, tmp_path):
    import processing
    from qgis.core import QgsProcessingException

    product = write_enmap(tmp_path)
    (image,) = product.glob("*SPECTRAL_IMAGE.TIF")
    image.write_bytes(b"")
    parameters = {"PRODUCT": str(product), "OUTPUT": str(tmp_path / "scene.tif")}
    with pytest.raises(QgsProcessingException, match=r"is empty \(0 bytes\)"):
        processing.run("hyperkd:importproduct", parameters)
    assert not list(tmp_path.glob("scene*"))


def test_help_names_parameters_and_outputs(qgis_process):
    text = qgis_process("help", "hyperkd:reconstruct").stdout
    for name in ("INPUT", "MODEL", "OVERLAP", "BATCH", "DEVICE", "ERROR", "OUTPUT", "PROVIDER"):
        assert f"\n{name}: " in text


# --- other callers ---------------------------------------------------------------------


def test_a_batch_of_three_gives_what_three_runs_give(plugin, real_engine, one_potsdam, tmp_path):
    """Also proves that neighbouring runs share no state: the order does not matter."""
    import numpy as np
    import processing

    tiles = one_potsdam.images[:3]
    results = [
        processing.run(
            "hyperkd:embed", {"INPUT": str(each), "COMPONENTS": 0, "OUTPUT": "TEMPORARY_OUTPUT"}
        )["OUTPUT"]
        for each in (*tiles, tiles[0])
    ]
    assert len(set(results)) == 4
    first, second, third, again = (read(path)[0] for path in results)
    assert np.array_equal(first, again, equal_nan=True)
    assert not np.array_equal(first, second, equal_nan=True)
    assert not np.array_equal(second, third, equal_nan=True)


def test_the_batch_window_imports_each_product_with_its_own_masks(
    plugin, real_engine, feedback, tmp_path
):
    """The rows come from QGIS's own window, and run as it runs them."""
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog
    from qgis.core import QgsApplication, QgsProcessingContext

    products = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        products.append(write_enmap(tmp_path / name))
    registry = QgsApplication.processingRegistry()
    dialog = BatchAlgorithmDialog(registry.createAlgorithmById("hyperkd:importproduct"))
    panel, context = dialog.mainWidget(), QgsProcessingContext()
    panel.addRow()
    assert panel.batchRowCount() == 2
    rows = [(products[0], ["cloud", "snow"]), (products[1], [])]
    for row, (product, mask) in enumerate(rows):
        for name, value in (("PRODUCT", str(product)), ("MASK", mask)):
            column = panel.parameter_to_column[name]
            panel.wrappers[row][column].setParameterValue(value, context)
        column = panel.parameter_to_column["OUTPUT"]
        panel.tblParameters.cellWidget(row + 1, column).setValue(str(tmp_path / f"{row}.tif"))
    masked = []
    # Newer QGIS wants the context, older does not take it.
    wanted = [context] if "context" in signature(panel.parametersForRow).parameters else []
    for row in range(2):
        parameters, good = panel.parametersForRow(row, *wanted)
        assert good
        results, good = dialog.algorithm().run(parameters, QgsProcessingContext(), feedback)
        assert good
        masked.append(results["MASKED_PIXELS"])
    dialog.close()
    assert masked == [2, 0]
    assert [(read(tmp_path / f"{row}.tif")[0] == _NODATA).sum() for row in (0, 1)] == [27, 17]


def test_a_model_imports_inspects_and_aligns(plugin, real_engine, tile, tmp_path):
    """What each step declares is what the next one takes."""
    import processing
    from qgis.core import (
        QgsProcessingModelAlgorithm,
        QgsProcessingModelChildAlgorithm,
        QgsProcessingModelChildParameterSource,
        QgsProcessingModelOutput,
        QgsProcessingModelParameter,
        QgsProcessingParameterFile,
    )

    source = QgsProcessingModelChildParameterSource
    model = QgsProcessingModelAlgorithm("Prepare", "tests")
    parameter = QgsProcessingParameterFile("product", "Product")
    model.addModelParameter(parameter, QgsProcessingModelParameter("product"))

    def add(child, algorithm, sources, output=None):
        step = QgsProcessingModelChildAlgorithm(algorithm)
        step.setChildId(child)
        for name, given in sources.items():
            step.addParameterSources(name, [given])
        if output:
            final = QgsProcessingModelOutput(output, output)
            final.setChildId(child)
            final.setChildOutputName("OUTPUT")
            step.setModelOutputs({output: final})
        model.addChildAlgorithm(step)

    imported = source.fromChildOutput("import", "OUTPUT")
    add("import", "hyperkd:importproduct", {"PRODUCT": source.fromModelParameter("product")})
    add("inspect", "hyperkd:inspect", {"INPUT": imported}, "report")
    mode = source.fromStaticValue("nearest")
    add("align", "hyperkd:aligntohls", {"INPUT": imported, "MODE": mode}, "hls")
    path = tmp_path / "model.model3"
    assert model.toFile(str(path))
    loaded = QgsProcessingModelAlgorithm()
    assert loaded.fromFile(str(path))
    loaded.initAlgorithm()
    types = {each.name(): each.type() for each in loaded.destinationParameterDefinitions()}
    # A model made by QGIS 3.26 or newer calls its results "hls", an older one "align:hls".
    hls, report = sorted(types, key=lambda name: name.rpartition(":")[2])
    assert types == {hls: "rasterDestination", report: "fileDestination"}
    assert {hls, report} in ({"hls", "report"}, {"align:hls", "inspect:report"})
    outputs = {hls: str(tmp_path / "hls.tif"), report: "TEMPORARY_OUTPUT"}
    results = processing.run(loaded, {"product": str(tile), **outputs})
    children = results["CHILD_RESULTS"]
    assert children["import"]["GOOD_BANDS"] == children["inspect"]["GOOD_BANDS"] == 218
    assert children["inspect"]["SUITS"] is True
    assert results[report].endswith(".html")
    assert Path(results[report]).is_file()
    assert read(tmp_path / "hls.tif")[0].shape == (6, 32, 32)


def test_inside_a_model_its_output_feeds_the_next_step(plugin, real_engine, tile, tmp_path):
    """Embed, then a QGIS algorithm on the result, from a model file in ``qgis_process`` style."""
    import numpy as np
    import processing
    from qgis.core import (
        QgsProcessingModelAlgorithm,
        QgsProcessingModelChildAlgorithm,
        QgsProcessingModelChildParameterSource,
        QgsProcessingModelOutput,
        QgsProcessingModelParameter,
        QgsProcessingParameterRasterLayer,
    )

    source = QgsProcessingModelChildParameterSource
    model = QgsProcessingModelAlgorithm("Scene statistics", "tests")
    scene = QgsProcessingModelParameter("scene")
    model.addModelParameter(QgsProcessingParameterRasterLayer("scene", "Scene"), scene)
    embed = QgsProcessingModelChildAlgorithm("hyperkd:embed")
    embed.setChildId("embed")
    embed.addParameterSources("INPUT", [source.fromModelParameter("scene")])
    embed.addParameterSources("COMPONENTS", [source.fromStaticValue(3)])
    final = QgsProcessingModelOutput("embedding", "My embedding")
    final.setChildId("embed")
    final.setChildOutputName("OUTPUT")
    embed.setModelOutputs({"embedding": final})
    model.addChildAlgorithm(embed)
    statistics = QgsProcessingModelChildAlgorithm("native:rasterlayerstatistics")
    statistics.setChildId("statistics")
    statistics.addParameterSources("INPUT", [source.fromChildOutput("embed", "OUTPUT")])
    statistics.addParameterSources("BAND", [source.fromStaticValue(1)])
    model.addChildAlgorithm(statistics)
    path = tmp_path / "model.model3"
    assert model.toFile(str(path))
    loaded = QgsProcessingModelAlgorithm()
    assert loaded.fromFile(str(path))
    loaded.initAlgorithm()
    (destination,) = loaded.destinationParameterDefinitions()
    output = tmp_path / "embedding.tif"
    results = processing.run(loaded, {"scene": str(tile), destination.name(): str(output)})
    embedding, _, _ = read(output)
    assert embedding.shape == (3, 32, 32)
    assert results["CHILD_RESULTS"]["statistics"]["MAX"] == pytest.approx(np.nanmax(embedding[0]))
    assert results["CHILD_RESULTS"]["embed"]["PROVIDER"] == "CPUExecutionProvider"


# --- rude ends -------------------------------------------------------------------------


def test_a_killed_engine_leaves_nothing(plugin, real_engine, feedback, large, tmp_path):
    import processing
    from qgis.core import QgsProcessingException

    output = tmp_path / "embedding.tif"
    killed, halves = [], []

    def kill(step):
        begun = any(tmp_path.glob("embedding*.part*"))
        if begun and not killed:
            halves.append(begun)
            killed.extend(children(os.getpid()))
            for child in killed:
                os.kill(child, signal.SIGKILL)

    feedback.progressChanged.connect(kill)
    with pytest.raises(QgsProcessingException, match=r"The engine was killed .*No output"):
        processing.run(
            "hyperkd:embed", {"INPUT": str(large), "OUTPUT": str(output)}, feedback=feedback
        )
    assert len(killed) == 1
    assert halves == [True], "there was nothing to leave behind"
    assert list(tmp_path.glob("embedding*")) == []
    assert children(os.getpid()) == []


def test_cancel_ends_the_engine_within_a_second(plugin, real_engine, large, tmp_path):
    import processing
    from qgis.core import QgsProcessingFeedback

    output = tmp_path / "embedding.tif"

    def cancelled_run():
        feedback = QgsProcessingFeedback()
        cancelled = []

        def cancel(step):
            if step > 10 and not cancelled:
                cancelled.append(time.monotonic())
                feedback.cancel()

        feedback.progressChanged.connect(cancel)
        results = processing.run(
            "hyperkd:embed", {"INPUT": str(large), "OUTPUT": str(output)}, feedback=feedback
        )
        took = time.monotonic() - cancelled[0]
        assert results == {}
        assert list(tmp_path.glob("embedding*")) == []
        assert children(os.getpid()) == []
        return took

    assert shortest(cancelled_run, 1) < 1


def test_a_killed_qgis_leaves_no_orphan_and_no_output(
    qgis_process, real_engine, large, tmp_path, alive
):
    """``kill -9`` on ``qgis_process`` in mid-run: the engine sees its input close and leaves."""
    output = tmp_path / "embedding.tif"
    parent = qgis_process.start("run", "hyperkd:embed", "--", f"INPUT={large}", f"OUTPUT={output}")
    part = tmp_path / "embedding.tif.part"
    assert wait_until(part.exists, 60), "the engine never began to write"
    (engine,) = children(parent.pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert wait_until(lambda: not alive(engine), 5), "an orphan lives on"
    assert list(tmp_path.glob("embedding*")) == []
