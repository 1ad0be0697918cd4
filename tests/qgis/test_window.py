"""What the plugin adds to QGIS's window, and that it takes all of it back."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.qgis.interface import press, texts
from tests.qgis.model_files import card, write_model
from tests.qgis.test_engine_setup import stamp

# --- menu, toolbar, unloading ------------------------------------------------------------


def test_unloading_takes_everything_back(plugin, interface):
    from qgis.core import QgsApplication
    from qgis.PyQt.QtCore import Qt
    from qgis.PyQt.QtWidgets import QApplication, QToolBar

    from hyperkd_qgis.plugin import HyperKDPlugin

    registry = QgsApplication.processingRegistry()
    before = sorted(each.id() for each in registry.providers())
    plugin.unload()
    try:
        other = HyperKDPlugin(interface)
        other.initGui()
        menu = [action.text().replace("&", "") for _, action in interface.menu]
        assert menu == [
            "First look",
            "Fine-tune a model…",
            "Map a scene…",
            "Models…",
            "Distil a student…",
            "Engine…",
            "Tutorial",
        ]
        (toolbar,) = interface.window.findChildren(QToolBar)
        texts = [action.iconText() for action in toolbar.actions()]
        assert texts == ["First look", "Fine-tune", "Map a scene", "Models"]
        assert toolbar.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        assert all(not action.icon().isNull() for action in toolbar.actions())
        assert len(interface.drops) == 1
        assert registry.providerById("hyperkd") is not None
        other.unload()
        QApplication.sendPostedEvents(None, 52)  # QEvent.DeferredDelete
        assert interface.menu == []
        assert interface.drops == []
        assert interface.layer_actions == []
        assert interface.window.findChildren(QToolBar) == []
        assert registry.providerById("hyperkd") is None
        other.unload()  # QGIS may do it twice
    finally:
        plugin.initProcessing()
    assert sorted(each.id() for each in registry.providers()) == before


def test_a_second_copy_of_the_plugin_changes_nothing(plugin):
    from qgis.core import QgsApplication

    from hyperkd_qgis.plugin import HyperKDPlugin

    other = HyperKDPlugin(None)
    other.initProcessing()
    other.unload()
    assert QgsApplication.processingRegistry().providerById("hyperkd") is not None


def test_loading_the_window_loads_no_dialog(plugin_folder, qgis):
    import subprocess
    import sys

    code = (
        "import sys, time; import qgis.core, qgis.gui, qgis.PyQt.QtWidgets;"
        f"sys.path.insert(0, {str(plugin_folder)!r}); started = time.process_time();"
        "import hyperkd_qgis.ui.window; print(time.process_time() - started);"
        "print(sorted(name for name in sys.modules if name.startswith('hyperkd_qgis.')"
        " and ('dialog' in name or 'background' in name)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    seconds, dialogs = answer.stdout.splitlines()
    assert float(seconds) < 0.2
    assert dialogs == "[]"


@pytest.mark.parametrize("name", ["engine", "models", "finetune", "distill"])
def test_every_entry_opens_its_window_once(window, interface, name):
    opener = getattr(window, f"show_{name}")
    opener()
    dialog = window._dialogs[name]
    assert dialog.isVisible()
    assert not dialog.isModal()
    dialog.close()
    opener()
    assert window._dialogs[name] is dialog
    assert dialog.isVisible()


# --- layers and files --------------------------------------------------------------------


def test_a_raster_layer_offers_algorithms_filled_in(window, interface, scene, monkeypatch):
    from qgis.core import QgsRasterLayer

    from hyperkd_qgis.ui import run_on_layer

    opened = []
    monkeypatch.setattr(run_on_layer, "open_algorithm", lambda *given: opened.append(given))
    interface.layer = QgsRasterLayer(str(scene), "Scene")
    menus = {menu for menu, _, _ in interface.layer_actions}
    assert menus == {"Run HyperKD", "Show as"}
    assert {kind for _, _, kind in interface.layer_actions} == {interface.layer.type()}
    for menu, action, _ in interface.layer_actions:
        if menu == "Run HyperKD" and action.text() != "First look":  # which opens none
            action.trigger()
    names = [identifier for identifier, _ in opened]
    assert names[0] == "hyperkd:classify"
    assert len(names) == 5
    assert all(given == {"INPUT": interface.layer.id()} for _, given in opened)


@pytest.mark.parametrize(
    ("title", "bands"),
    [
        ("Natural colour", (3, 2, 1)),
        ("Colour infrared", (4, 3, 2)),
        ("Short-wave infrared (SWIR)", (6, 5, 4)),
    ],
)
def test_a_scene_is_shown_in_the_light_that_is_asked_for(
    window, interface, write_raster, tmp_path, title, bands
):
    from qgis.core import QgsRasterLayer

    centres_nm = (485, 560, 655, 865, 1650, 2205)
    names = [f"band {number} ({nm} Nanometers)" for number, nm in enumerate(centres_nm, 1)]
    path = write_raster(tmp_path / "s.tif", [[1.0, 2.0], [3.0, 4.0]], bands=6, names=names)
    interface.layer = QgsRasterLayer(str(path), "Scene")
    show_as(interface, title)
    renderer = interface.layer.renderer()
    assert (renderer.redBand(), renderer.greenBand(), renderer.blueBand()) == bands
    assert interface.refreshed == [interface.layer.id()]
    assert texts(interface) == []


def test_a_raster_without_wavelengths_is_left_as_it_is(window, interface, scene):
    from qgis.core import QgsRasterLayer

    interface.layer = QgsRasterLayer(str(scene), "Photo")
    before = interface.layer.renderer()
    show_as(interface, "Natural colour")
    assert interface.layer.renderer() is before
    assert texts(interface) == ["“Photo” has no bands for this, or no wavelengths."]


def show_as(interface, title: str) -> None:
    (action,) = [each for _, each, _ in interface.layer_actions if each.text() == title]
    action.trigger()


def test_mapping_a_scene_asks_for_the_model_of_the_active_layer(
    window, interface, scene, monkeypatch
):
    from qgis.core import QgsRasterLayer

    from hyperkd_qgis.ui import run_on_layer

    opened = []
    monkeypatch.setattr(run_on_layer, "open_algorithm", lambda *given: opened.append(given))
    entry = next(action for _, action in interface.menu if "scene" in action.text())
    entry.trigger()
    interface.layer = QgsRasterLayer(str(scene), "Scene")
    entry.trigger()
    assert opened == [
        ("hyperkd:classify", {}),
        ("hyperkd:classify", {"INPUT": interface.layer.id()}),
    ]


def test_the_tutorial_opens_in_the_browser(window, interface, monkeypatch):
    from hyperkd_qgis.ui import window as module

    opened = []
    services = type("Services", (), {"openUrl": lambda url: opened.append(url.toString())})
    monkeypatch.setattr(module, "QDesktopServices", services)
    next(action for _, action in interface.menu if "Tutorial" in action.text()).trigger()
    assert [url.rpartition("/")[2] for url in opened] == ["tutorial.md"]
    assert opened[0].startswith("https://")


def test_a_dialog_of_processing_lives_until_it_is_closed(interface, monkeypatch):
    """Nobody else refers to its Python half, without which its Run button does nothing."""
    import gc
    import weakref

    from qgis.PyQt import sip
    from qgis.PyQt.QtWidgets import QDialog

    from hyperkd_qgis.ui import run_on_layer

    class Dialog(QDialog):
        """As Processing makes them: the window owns it, nobody its Python half."""

    made = []

    def create(identifier, parameters):
        dialog = Dialog()
        made.append(weakref.ref(dialog))
        return dialog

    monkeypatch.setattr(run_on_layer.processing, "createAlgorithmDialog", create, raising=False)
    run_on_layer.open_algorithm("hyperkd:classify", {})
    run_on_layer.open_algorithm("hyperkd:classify", {})
    gc.collect()
    first, second = (each() for each in made)
    assert first is not None and second is not None
    sip.delete(first)
    del first
    run_on_layer.open_algorithm("hyperkd:classify", {})
    gc.collect()
    assert made[0]() is None
    assert made[1]() is second
    for dialog in run_on_layer._open:
        sip.delete(dialog)
    run_on_layer._open.clear()


def test_a_model_that_is_dropped_onto_the_map_goes_to_the_store(window, interface, tmp_path):
    (handler,) = interface.drops
    model = write_model(tmp_path / "trees.onnx", card("classification"))
    other = tmp_path / "other.onnx"
    other.write_bytes(b"another maker's")
    taken = []
    handler._take = taken.append
    assert not handler.handleFileDrop(str(tmp_path / "scene.tif"))
    assert not handler.handleFileDrop(str(other))
    assert handler.handleFileDrop(str(model))
    assert taken == [str(model)]


# --- what is told ------------------------------------------------------------------------


def job_folder(root: Path, name: str, events: list[dict], alive_s: float = 0.0) -> None:
    import os

    folder = root / name
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(
        json.dumps({"protocol": 1, "job": "finetune", "task": "classification"})
    )
    info = {"title": f"Training {name}", "started": name, "python": "/x", "pid": 0}
    (folder / "info.json").write_text(json.dumps(info))
    (folder / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
    (folder / "alive").touch()
    os.utime(folder / "alive", (time.time() - alive_s, time.time() - alive_s))


def test_trainings_of_an_earlier_qgis_are_told(window, interface, tmp_path):
    hello = {"event": "hello", "protocol": 1}
    job_folder(tmp_path / "jobs", "a", [hello])
    job_folder(tmp_path / "jobs", "b", [hello], alive_s=100)
    job_folder(tmp_path / "jobs", "c", [hello, {"event": "done", "summary": {}}])
    window.look_around()
    window.jobs._poll()
    assert sorted(texts(interface)) == [
        "“Training a” is still running.",
        "“Training b” was interrupted.",
    ]
    window.look_around()
    window.jobs._poll()
    assert len(texts(interface)) == 2
    press(interface, "Show")
    dialog = window._dialogs["finetune"]
    assert dialog.isVisible()
    assert dialog.training.job.title in ("Training a", "Training b")


def test_an_interrupted_training_is_told_once_and_can_be_found(window, interface, tmp_path):
    from hyperkd_qgis.ui.window import Window

    job_folder(tmp_path / "jobs", "b", [{"event": "hello", "protocol": 1}], alive_s=100)
    window.look_around()
    window.jobs._poll()
    assert texts(interface) == ["“Training b” was interrupted."]
    interface.bar.clearWidgets()
    later = Window(interface)
    later.look_around()
    later.jobs._poll()
    assert texts(interface) == []
    assert later.show_finetune().training.job.was_interrupted
    later.close()


def test_a_finished_training_with_a_long_log_is_no_news(window, interface, tmp_path):
    hello = {"event": "hello", "protocol": 1}
    metrics = [{"event": "metric", "step": step, "values": {}} for step in range(9000)]
    job_folder(tmp_path / "jobs", "c", [hello, *metrics, {"event": "done", "summary": {}}])
    assert (tmp_path / "jobs" / "c" / "events.jsonl").stat().st_size > 256 * 1024
    window.look_around()
    for _ in range(3):
        window.jobs._poll()
    assert window.jobs.jobs[0].is_over
    assert texts(interface) == []


def test_a_window_that_is_opened_early_announces_no_old_training(window, interface, tmp_path):
    hello = {"event": "hello", "protocol": 1}
    failed = {"event": "error", "code": "no_labels", "message": "No.", "hint": "", "context": {}}
    job_folder(tmp_path / "jobs", "a", [hello, failed])
    job_folder(tmp_path / "jobs", "b", [hello, {"event": "done", "summary": {}}])
    window.show_finetune()
    window.jobs._poll()
    assert all(job.is_over for job in window.jobs.jobs)
    window.look_around()
    window.jobs._poll()
    assert texts(interface) == []


def test_a_training_that_ends_is_told_with_a_way_to_it(window, interface, tmp_path):
    hello = {"event": "hello", "protocol": 1}
    job_folder(tmp_path / "jobs", "a", [hello])
    (job,) = window.jobs.jobs
    window.jobs._poll()
    interface.bar.clearWidgets()
    events = tmp_path / "jobs" / "a" / "events.jsonl"
    with events.open("a") as file:
        summary = {"output": "/m.onnx", "model": "m"}
        file.write(json.dumps({"event": "done", "summary": summary}) + "\n")
    window.jobs._poll()
    assert texts(interface) == ["“Training a” is done."]
    press(interface, "Show")
    assert window._dialogs["finetune"].tabs.currentIndex() == 3


def test_a_new_user_is_told_how_to_begin(window, interface, fake_python, use_engine):
    window.invite()
    assert texts(interface) == [
        "Set up the engine to begin; “First look” then shows what covers a scene."
    ]
    press(interface, "Set up")
    assert window._dialogs["engine"].isVisible()
    interface.bar.clearWidgets()
    use_engine(fake_python(""))
    window.invite()
    assert texts(interface) == []


def test_an_engine_of_another_list_is_told(window, interface, tmp_path):
    window.look_around()
    assert texts(interface) == []
    stamp(tmp_path / "engines", "3.11-old", pins="0123456789abcdef")
    window.look_around()
    assert texts(interface) == ["This version of HyperKD needs other packages for its engine."]
    press(interface, "Engine…")
    assert window._dialogs["engine"].isVisible()


@pytest.mark.parametrize("show", ["show_finetune", "show_distill"])
def test_who_comes_to_train_finds_what_training_needs_ticked(window, show):
    from hyperkd_qgis.ui.engine_banner import EngineBanner

    getattr(window, show)().findChild(EngineBanner).button.click()
    assert window._dialogs["engine"].isVisible()
    assert window._dialogs["engine"].setup.training.isChecked()


def test_a_problem_stays_until_it_is_closed_and_leads_to_the_log(plugin, interface):
    from hyperkd_qgis.ui import notices

    notices.say("Something went wrong.", notices.PROBLEM)
    (item,) = interface.bar.items()
    assert item.duration() == 0
    press(interface, "Show log")
    assert interface.logs == ["opened"]


def test_without_a_window_a_message_goes_to_the_log(plugin, monkeypatch):
    from qgis.core import QgsApplication

    from hyperkd_qgis.ui import notices

    monkeypatch.setattr(notices, "iface", None)
    logged = []
    log = QgsApplication.messageLog()
    log.messageReceived.connect(lambda *message: logged.append(message[:2]))
    notices.say("All is well.", notices.SUCCESS)
    assert ("All is well.", "HyperKD") in logged
