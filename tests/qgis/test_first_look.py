"""*First look*: one press shows what covers a scene, and whatever goes wrong says what to do."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

from tests.qgis.interface import press, texts

NAMES = ("built", "bare soil", "herbaceous", "water", "cloud")
COLOURS = ("#c8283c", "#b08050", "#a6d854", "#3070d0", "#a0a0a0")
LAYERS = (
    "Dominant cover: town",
    "Fractions as colours: town",
    "Uncertainty: town",
    "Fractions: town",
)
SENTENCE = (
    "First look, “town”: mostly herbaceous (50 %) and built (40 %); median standard error 0.50."
)

# Copies what the real engine has made of the scene.
REPLAY = """\
import shutil
hello()
say("stage", name="Looking")
say("progress", done=1, total=2)
json.dump(job, open({kept!r}, "w"))
for role in ("dominant", "composite", "uncertainty", "fractions"):
    for more in ("", ".aux.xml"):  # where the names of classes are
        if os.path.exists({made!r} + "/" + role + ".tif" + more):
            shutil.copy({made!r} + "/" + role + ".tif" + more, job[role] + more)
say("done", summary=json.load(open({made!r} + "/summary.json")))
"""
REFUSE = """\
hello()
say("error", code={code!r}, message="The scale is not known.", hint="Give it.", context={{}})
sys.exit(2)
"""
WAIT = """\
hello()
say("progress", done=1, total=4)
time.sleep(60)
"""


@pytest.fixture
def town(tmp_path) -> Path:
    """Return a scene that is half herbaceous, the rest built and soil, in 5 bands of light."""
    import numpy as np

    from tests.factories import make_raster

    data = np.zeros((5, 10, 10), np.int16)
    data[2, :5], data[0, 5:9], data[1, 9:] = 10000, 10000, 10000
    data += np.arange(100, dtype=np.int16).reshape(10, 10) // 50
    names = [480.0, 560.0, 660.0, 860.0, 1600.0]
    return make_raster(tmp_path / "town.tif", data, wavelengths=names, fwhm=10.0)


@pytest.fixture
def covers(tmp_path) -> str:
    """Return a model that takes each band for the fraction of a cover."""
    from tests.engine.inference_factories import make_model

    path, about = tmp_path / "covers.onnx", {"names": NAMES, "colours": COLOURS}
    centres = (480.0, 560.0, 660.0, 860.0, 1600.0)
    return str(make_model(path, task="regression", centres=centres, **about))


@pytest.fixture
def made(town, covers, tmp_path) -> Path:
    """Return a folder with what the engine makes of the scene."""
    from hyperkd.inference.first_look import first_look
    from hyperkd.requests.predict_options import FirstLookJob
    from tests.reports import SilentReport

    folder = tmp_path / "made"
    folder.mkdir()
    roles = FirstLookJob.needs_one_of
    files = {role: str(folder / f"{role}.tif") for role in roles}
    summary = first_look(FirstLookJob(input=str(town), model=covers, **files), SilentReport())
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return folder


@pytest.fixture
def replaying(made, fake_python, use_engine, tmp_path) -> Path:
    """Choose an engine that has done it before; return where it keeps the job."""
    kept = tmp_path / "kept.json"
    use_engine(fake_python(REPLAY.format(made=str(made), kept=str(kept))))
    return kept


@pytest.fixture
def project(plugin):
    from qgis.core import QgsProject

    project = QgsProject.instance()
    project.clear()
    yield project
    project.clear()


@pytest.fixture
def scene(project, interface, town, covers, monkeypatch):
    """Return the scene's layer, in the project and active; a model for it counts as cover."""
    from qgis.core import QgsRasterLayer

    from hyperkd_qgis.ui import look_at_scene

    check = look_at_scene.model_problem
    monkeypatch.setattr(look_at_scene, "model_problem", lambda _, *given: check(covers, *given))
    layer = QgsRasterLayer(str(town), "town")
    project.addMapLayer(layer)
    interface.layer = layer
    return layer


@pytest.fixture
def look(window, interface, wait):
    """Return what presses the button and waits until nothing runs."""

    def run() -> list[str]:
        (action,) = [each for _, each in interface.menu if each.text() == "First &look"]
        action.trigger()
        gc.collect()
        wait(lambda: not window._looks._running)
        return texts(interface)

    return run


def tree(project) -> list[tuple[str, str, bool]]:
    nodes = project.layerTreeRoot().findLayers()
    return [(node.parent().name(), node.name(), node.isVisible()) for node in nodes]


def layer_called(project, name):
    (layer,) = project.mapLayersByName(name)
    return layer


# --- one press ---------------------------------------------------------------------------


def test_one_press_shows_what_covers_the_scene(look, scene, project, interface, replaying):
    before = scene.renderer().type()
    assert look() == [SENTENCE]
    group = "First look: town"
    assert tree(project) == [(group, LAYERS[0], True)] + [
        (group, name, False) for name in (*LAYERS[1:], "town")
    ]
    assert interface.layer is scene
    assert interface.scrolled == group
    assert all(each.isValid() for each in project.mapLayers().values())
    job = json.loads(replaying.read_text())
    assert (job["job"], job["model"]) == ("firstlook", "cover")
    assert Path(job["input"]).name == "town.tif"
    styles = scene.styleManager()
    assert styles.currentStyle() == "Natural colour" and len(styles.styles()) == 2
    renderer = scene.renderer()
    bands = (renderer.redBand(), renderer.greenBand(), renderer.blueBand())
    assert bands == (3, 2, 1)
    assert renderer.redContrastEnhancement().maximumValue() == pytest.approx(0.99, abs=0.02)
    styles.setCurrentStyle(styles.styles()[0] if styles.styles()[0] != "Natural colour" else "")
    assert scene.renderer().type() == before


def test_each_layer_says_what_its_colours_mean(look, scene, project, replaying):
    look()
    dominant, composite, error, fractions = (layer_called(project, name) for name in LAYERS)
    shown = [(each.label, each.color.name()) for each in dominant.renderer().classes()]
    # Neither water nor cloud, which do not occur.
    assert shown == [("built", "#c8283c"), ("bare soil", "#b08050"), ("herbaceous", "#a6d854")]
    bands = [composite.bandName(band) for band in (1, 2, 3)]
    assert ["built, bare soil" in bands[0], "herbaceous" in bands[1], "water" in bands[2]] == [
        True
    ] * 3
    bounds = composite.renderer().redContrastEnhancement()
    assert (bounds.minimumValue(), bounds.maximumValue()) == (0.0, 0.7)
    assert (error.renderer().classificationMin(), error.renderer().classificationMax()) == (0, 0.5)
    assert fractions.renderer().band() == 3  # herbaceous, of which there is most
    for layer in (dominant, composite, error, fractions):
        assert "hyperkd:firstlook" in layer.metadata().history()[0]


def test_a_second_look_takes_the_place_of_the_first(look, scene, project, interface, replaying):
    from qgis.core import QgsRasterLayer

    look()
    root = project.layerTreeRoot()
    group = root.findGroup("First look: town")
    group.setName("mine")
    own = QgsRasterLayer(scene.source(), "own")
    project.addMapLayer(own, False)
    group.addLayer(own)
    first = set(project.mapLayers())
    interface.bar.clearWidgets()
    assert look() == [SENTENCE]
    assert [name for _, name, _ in tree(project)] == [*LAYERS, "town", "own"]
    assert {group for group, _, _ in tree(project)} == {"mine"}
    assert len(set(project.mapLayers()) & first) == 2  # the scene, and what the user put there


def test_a_result_stands_for_its_scene(look, scene, project, interface, replaying):
    look()
    interface.layer = layer_called(project, LAYERS[0])
    look()
    assert [name for _, name, _ in tree(project)] == [*LAYERS, "town"]
    assert Path(json.loads(replaying.read_text())["input"]).name == "town.tif"


def test_the_group_is_seen_where_a_raster_lies_above(look, scene, project, replaying, town):
    from qgis.core import QgsRasterLayer

    project.addMapLayer(QgsRasterLayer(str(town), "above"))
    inner = project.layerTreeRoot().addGroup("archive")
    node = project.layerTreeRoot().findLayer(scene.id())
    inner.addChildNode(node.clone())
    node.parent().removeChildNode(node)
    look()
    assert [name for _, name, _ in tree(project)] == [*LAYERS, "town", "above"]


def test_the_button_explains_the_colours(look, scene, interface, monkeypatch, replaying):
    from hyperkd_qgis.ui import look_at_scene

    opened = []
    services = type("Services", (), {"openUrl": lambda url: opened.append(url.toString())})
    monkeypatch.setattr(look_at_scene, "QDesktopServices", services)
    look()
    press(interface, "What the colours mean")
    assert [url.rpartition("/")[2] for url in opened] == ["first-look.md"]


def test_what_is_odd_about_the_scene_is_told(look, scene, interface, made, replaying):
    summary = json.loads((made / "summary.json").read_text())
    notes = [
        {"severity": "warning", "message": f"Odd {n}.", "hint": "", "scene": "a"} for n in "ab"
    ]
    summary["problems"] = notes
    (made / "summary.json").write_text(json.dumps(summary))
    assert look() == [f"{SENTENCE} Odd a. Odd b."]
    assert interface.bar.items()[0].duration() == 0


def test_a_scene_that_the_model_does_not_know_is_told_first(look, scene, made, replaying):
    summary = json.loads((made / "summary.json").read_text())
    notes = [
        {"severity": "warning", "message": f"Odd {n}.", "hint": "", "scene": "a"} for n in "ab"
    ]
    about = {"unlike_training": 0.34, "problems": notes}
    (made / "summary.json").write_text(json.dumps({**summary, **about}))
    (text,) = look()
    assert text.startswith(f"{SENTENCE} 34 % of the pixels are unlike everything that the model")
    assert text.endswith(" Odd a. 1 more are in the log.")


def test_a_scene_without_visible_light_stays_as_it_is(look, scene, made, replaying):
    summary = json.loads((made / "summary.json").read_text())
    (made / "summary.json").write_text(json.dumps({**summary, "natural_colour": []}))
    look()
    assert len(scene.styleManager().styles()) == 1


# --- while it runs -----------------------------------------------------------------------


@pytest.fixture
def started(window, interface, scene, fake_python, use_engine, wait):
    """Start a look that does not end by itself, and return the message about it."""
    from qgis.PyQt.QtWidgets import QProgressBar

    use_engine(fake_python(WAIT))
    window.look_at_scene()
    (item,) = interface.bar.items()
    bar = item.findChild(QProgressBar)
    wait(lambda: bar.value() == 25)
    return item


def test_progress_is_seen_and_a_cancel_leaves_everything_as_it_was(
    started, window, interface, project, wait
):
    assert started.text() == "First look at “town”…"
    press(interface, "Cancel")
    wait(lambda: not window._looks._running)
    assert texts(interface) == ["First look, “town”: cancelled."]
    assert tree(project) == [("", "town", True)]


def test_a_second_press_starts_nothing_and_shows_it_again(started, window, interface, wait):
    interface.bar.clearWidgets()
    window.look_at_scene()
    assert texts(interface) == ["First look at “town”…"]
    assert len(window._looks._running) == 1
    press(interface, "Cancel")
    wait(lambda: not window._looks._running)


def test_a_scene_that_is_removed_meanwhile_gets_nothing(
    look, scene, interface, project, made, fake_python, use_engine, window, wait, tmp_path
):
    go = tmp_path / "go"
    waiting = f"hello()\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)\n"
    replay = REPLAY.format(made=str(made), kept=str(tmp_path / "kept.json"))
    use_engine(fake_python(waiting + replay))
    window.look_at_scene()
    interface.layer = None
    project.removeMapLayer(scene.id())
    go.touch()
    wait(lambda: not window._looks._running)
    (text,) = texts(interface)
    assert text.endswith("the scene is no longer in the project, so nothing was added.")
    assert project.mapLayers() == {}


def test_unloading_cancels_it_and_says_nothing(started, window, interface, wait):
    from qgis.core import QgsApplication

    (running,) = window._looks._running.values()
    task = running.task
    window._looks.close()
    wait(lambda: QgsApplication.taskManager().countActiveTasks() == 0)
    assert task.isCanceled()
    assert texts(interface) == []


# --- what goes wrong ---------------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch):
    """Return what dialogs were opened, and with what."""
    from hyperkd_qgis.ui import look_at_scene

    found = []
    monkeypatch.setattr(look_at_scene, "open_algorithm", lambda *given: found.append(given))
    return found


def test_a_refused_scene_says_what_to_do_and_leads_to_the_dialog(
    look, scene, interface, project, fake_python, use_engine, opened
):
    use_engine(fake_python(REFUSE.format(code="unknown_scale")))
    assert look() == ["First look, “town”: The scale is not known. Give it."]
    assert interface.bar.items()[0].duration() == 0
    press(interface, "Open the dialog…")
    assert opened == [("hyperkd:firstlook", {"INPUT": scene.id()})]
    assert tree(project) == [("", "town", True)]


def test_an_engine_that_lacks_a_package_leads_to_its_window(
    look, scene, window, interface, fake_python, use_engine
):
    use_engine(fake_python(REFUSE.format(code="missing_dependency")))
    look()
    press(interface, "Set up")
    assert window._dialogs["engine"].isVisible()


def test_a_crash_leads_to_the_log(look, scene, interface, fake_python, use_engine):
    use_engine(fake_python("hello()\nos.kill(os.getpid(), 9)\n"))
    (text,) = look()
    assert text.startswith("First look, “town”: The engine was killed")
    press(interface, "Show log")
    assert interface.logs == ["opened"]


def test_results_that_cannot_be_read_are_a_fault_and_not_a_silence(
    look, scene, interface, fake_python, use_engine
):
    use_engine(fake_python('hello()\nsay("done", summary={})\n'))
    (text,) = look()
    assert text.startswith("First look, “town”: ")
    assert "nothing" not in text


def test_without_an_engine_it_offers_to_set_one_up(window, interface, scene):
    window.look_at_scene()
    (text,) = texts(interface)
    assert text.startswith("HyperKD has no engine yet.")
    press(interface, "Set up")
    assert window._dialogs["engine"].isVisible()


def test_nothing_to_look_at(window, interface, project, opened):
    window.look_at_scene()
    assert texts(interface) == [
        "Open a hyperspectral scene first: Layer › Add Layer, or drop its file here."
    ]
    assert opened == []


def test_the_only_scene_is_taken_where_something_else_is_active(
    look, scene, project, interface, replaying, write_raster, tmp_path
):
    from qgis.core import QgsRasterLayer, QgsVectorLayer

    photo = write_raster(tmp_path / "photo.tif", [[1.0]], bands=3)
    project.addMapLayer(QgsRasterLayer(str(photo), "photo"))
    interface.layer = QgsVectorLayer("Point", "points", "memory")
    assert look() == [SENTENCE]


def test_of_several_scenes_one_is_chosen_in_the_dialog(
    window, interface, project, scene, town, opened
):
    from qgis.core import QgsRasterLayer

    project.addMapLayer(QgsRasterLayer(str(town), "other"))
    interface.layer = None
    window.look_at_scene()
    assert texts(interface) == ["Which scene? Select its layer, or choose it in the dialog."]
    assert opened == [("hyperkd:firstlook", {})]


def test_a_photo_is_refused_before_anything_is_started(
    window, interface, project, fake_python, use_engine, write_raster, tmp_path, opened
):
    from qgis.core import QgsRasterLayer

    use_engine(fake_python(""))
    photo = write_raster(tmp_path / "photo.tif", [[1.0]], bands=3)
    interface.layer = QgsRasterLayer(str(photo), "photo")
    project.addMapLayer(interface.layer)
    window.look_at_scene()
    (text,) = texts(interface)
    assert text == (
        "“photo” has 3 bands. HyperKD needs a hyperspectral scene: cover reads 218 bands."
    )
    press(interface, "Open the dialog…")
    assert opened == [("hyperkd:firstlook", {"INPUT": interface.layer.id()})]


def test_a_layer_that_is_no_file_is_refused(window, interface, project, fake_python, use_engine):
    from qgis.core import QgsRasterLayer

    use_engine(fake_python(""))
    uri = "type=xyz&url=file:///nowhere/%7Bz%7D/%7Bx%7D/%7By%7D.png&zmax=1&zmin=0"
    interface.layer = QgsRasterLayer(uri, "web", "wms")
    window.look_at_scene()
    assert "comes from the provider “wms”" in texts(interface)[0]


# --- words -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fractions", "said"),
    [
        ({"water": 0.97, "trees": 0.03}, "mostly water (97 %);"),
        ({"trees": 0.3, "built": 0.41, "water": 0.29}, "mostly built (41 %) and trees (30 %);"),
        (
            {"trees": 0.2, "built": 0.3, "water": 0.15, "snow": 0.15, "mine": 0.2},
            "mostly built (30 %), trees (20 %) and mine (20 %);",
        ),
        ({"built": 0.55, "water": 0.04, "snow": 0.41}, "mostly built (55 %) and snow (41 %);"),
    ],
)
def test_the_sentence_names_the_covers_that_make_up_most(plugin, fractions, said):
    from hyperkd_qgis.cover_text import cover_sentence

    summary = {"mean_fractions": fractions, "median_standard_error": 0.081}
    assert cover_sentence(summary) == f"{said} median standard error 0.08."


# --- as an algorithm ---------------------------------------------------------------------


def test_the_algorithm_makes_what_is_asked_for(
    plugin, town, covers, made, real_engine, tmp_path, feedback
):
    import processing

    path = tmp_path / "dominant.tif"
    results = processing.run(
        "hyperkd:firstlook",
        {"INPUT": str(town), "MODEL": covers, "DOMINANT": str(path)},
        feedback=feedback,
    )
    assert results["DOMINANT"] == str(path)
    assert path.read_bytes() == (made / "dominant.tif").read_bytes()
    assert path.with_suffix(".qml").is_file()
    assert results["DOMINANT_PIXELS"].splitlines()[0] == "built: 40"
    assert "MEAN_FRACTIONS" not in results


def test_only_models_for_fractions_are_offered_and_taken(
    plugin, registry, town, fake_python, use_engine
):
    from qgis.core import QgsProcessingContext

    from hyperkd_qgis.algorithms.help import offer_of

    use_engine(fake_python(""))
    algorithm = registry.algorithmById("hyperkd:firstlook")
    assert offer_of(algorithm.parameterDefinition("MODEL")) == ["fractions"]
    assert algorithm.parameterDefinition("MODEL").defaultValue() == "cover"
    outputs = algorithm.destinationParameterDefinitions()
    assert [each.name() for each in outputs] == [
        "DOMINANT", "COMPOSITE", "UNCERTAINTY", "FRACTIONS",
    ]  # fmt: skip
    assert all(each.createByDefault() for each in outputs)
    given = {"INPUT": str(town), "MODEL": "tiny"}
    good, problem = algorithm.checkParameterValues(given, QgsProcessingContext())
    assert not good
    assert problem.endswith("this algorithm needs a model for fractions of covers.")


@pytest.mark.timeout(120)
def test_the_shipped_model_looks_at_a_simulated_scene(
    look, project, interface, real_engine, land, tmp_path
):
    import shutil

    from qgis.core import QgsRasterLayer

    path = shutil.copy(land / "scene.tif", tmp_path / "scene.tif")
    interface.layer = QgsRasterLayer(str(path), "scene")
    project.addMapLayer(interface.layer)
    (text,) = look()
    assert text.startswith("First look, “scene”: mostly ")
    assert [name for _, name, _ in tree(project)] == [
        *(name.replace("town", "scene") for name in LAYERS),
        "scene",
    ]
    fractions = layer_called(project, "Fractions: scene")
    assert fractions.bandCount() == 8
    assert interface.layer.styleManager().currentStyle() == "Natural colour"
