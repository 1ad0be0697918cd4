"""The model store's window, with the real engine and a store of the test's own."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from tests import shipped
from tests.qgis.beats import LIMIT_S, longest_pause
from tests.qgis.model_files import card, write_model

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "resources" / "students" / "tiny.onnx"


@pytest.fixture
def own_store(plugin, monkeypatch, tmp_path) -> Path:
    """Give each test a model store of its own."""
    store = tmp_path / "models"
    store.mkdir()
    monkeypatch.setenv("HYPERKD_MODELS", str(store))
    return store


@pytest.fixture
def open_dialog(own_store, wait):
    """Return an opener of dialogs, which waits for the list; they are removed at the end."""
    from qgis.PyQt import sip

    from hyperkd_qgis.ui.models_dialog import ModelsDialog

    made = []

    def opener():
        made.append(ModelsDialog())
        made[-1].show()
        wait(lambda: made[-1]._reading is None)
        return made[-1]

    yield opener
    for dialog in made:
        dialog.close()
        sip.delete(dialog)


@pytest.fixture
def mine(tmp_path) -> Path:
    """Return a model file that lies outside the store."""
    path = tmp_path / "mine.onnx"
    shutil.copyfile(TINY, path)
    return path


def names(dialog) -> list[str]:
    return [row.name for row in dialog.list.shown()]


def enabled(dialog) -> set[str]:
    return {name for name, button in dialog.buttons.items() if button.isEnabled()}


# --- the list ----------------------------------------------------------------------------


def test_without_an_engine_the_files_are_shown_and_what_to_do(open_dialog, own_store):
    write_model(own_store / "trees.onnx", card("classification", name="Trees"))
    dialog = open_dialog()
    assert names(dialog) == [*shipped.NAMES, "trees"]
    assert dialog.message.text().startswith("HyperKD has no engine yet.")
    assert dialog.list.select("tiny")
    assert "218 bands, 418 to 2446 nm" in dialog.card.toPlainText()
    assert dialog.list.select("trees")
    assert "Trees" in dialog.card.toPlainText()
    assert "water" in dialog.card.toPlainText()
    # what needs no engine works: saving a copy, and filling in the dialog of the algorithm
    assert enabled(dialog) == {"copy", "run"}


def test_shipped_own_and_published_models_are_listed(open_dialog, real_engine):
    dialog = open_dialog()
    rows = {row.name: row for row in dialog.list.shown()}
    assert rows["tiny"].origin == "shipped"
    assert rows["prithvi-eo-2.0-300m"].origin == "published"
    assert names(dialog)[: len(shipped.NAMES)] == shipped.NAMES
    assert dialog.message.text() == ""
    assert enabled(dialog) == {"add", "verify", "test", "copy", "run"}
    dialog.list.select("prithvi-eo-2.0-300m")
    text = dialog.card.toPlainText()
    assert "A teacher" in text
    assert "1326" in text
    assert rows["prithvi-eo-2.0-300m"].facts["licence"] in text
    assert enabled(dialog) == {"add", "fetch"}


def test_search_and_filter(open_dialog, own_store, real_engine):
    dialog = open_dialog()
    dialog.list.search.setText("PRITHVI 300m")
    assert names(dialog) == ["prithvi-eo-2.0-300m", "prithvi-eo-2.0-300m-tl"]
    dialog.list.search.setText("nothing like it")
    assert names(dialog) == []
    assert dialog.card.toPlainText() == ""
    assert enabled(dialog) == {"add"}
    dialog.list.search.clear()
    dialog.list.origin.setCurrentIndex(dialog.list.origin.findData("shipped"))
    assert names(dialog) == shipped.NAMES


# --- what changes while the window is closed ---------------------------------------------


def reopen(dialog, wait):
    dialog.close()
    dialog.show()
    wait(lambda: dialog._reading is None)


def test_an_engine_that_was_set_up_meanwhile_is_used(open_dialog, request, wait):
    dialog = open_dialog()
    assert dialog.message.text().startswith("HyperKD has no engine yet.")
    request.getfixturevalue("real_engine")
    reopen(dialog, wait)
    assert dialog.message.text() == ""
    assert "prithvi-eo-2.0-300m" in names(dialog)
    assert enabled(dialog) == {"add", "verify", "test", "copy", "run"}


def test_an_engine_that_is_gone_is_told(open_dialog, real_engine, monkeypatch, wait):
    dialog = open_dialog()
    monkeypatch.delenv("HYPERKD_ENGINE_PYTHON")
    reopen(dialog, wait)
    assert dialog.message.text().startswith("HyperKD has no engine yet.")
    assert names(dialog) == shipped.NAMES
    assert enabled(dialog) == {"copy", "run"}


def test_a_model_that_was_stored_meanwhile_is_listed(open_dialog, mine, real_engine, wait):
    """What is selected, and what the last action said, stay."""
    dialog, other = open_dialog(), open_dialog()
    dialog.list.select("prithvi-eo-2.0-300m")
    dialog.message.setText("Said before.")
    other.add_file(str(mine))
    wait(lambda: other._task is None)
    reopen(dialog, wait)
    assert "mine" in names(dialog)
    assert dialog.selected().name == "prithvi-eo-2.0-300m"
    assert dialog.message.text() == "Said before."


def test_returning_to_the_open_window_reads_what_has_changed(
    open_dialog, own_store, use_engine, fake_python, wait
):
    from qgis.PyQt.QtWidgets import QDialog

    asked = own_store.parent / "asked"
    listing = f"""
        open({str(asked)!r}, "a").write(job["job"] + " ")
        hello()
        say("done", summary=dict(models=[]))
    """
    use_engine(fake_python(listing))
    dialog, other = open_dialog(), QDialog()

    def return_to_it():
        for window in (other, dialog):
            window.show()
            window.activateWindow()
            wait(window.isActiveWindow)

    return_to_it()
    assert dialog._reading is None  # nothing has changed
    write_model(own_store / "trees.onnx", card("classification"))
    return_to_it()
    wait(lambda: dialog._reading is None)
    assert asked.read_text() == "models_list models_list "
    other.close()


def test_a_change_while_the_store_is_read_is_seen_after_it(
    open_dialog, own_store, use_engine, fake_python, wait
):
    """And the store is never read twice at once."""
    asked = own_store.parent / "asked"
    listing = f"""
        with open({str(asked)!r}, "a") as file:
            file.write("begin ")
        time.sleep(0.3)
        with open({str(asked)!r}, "a") as file:
            file.write("end ")
        hello()
        say("done", summary=dict(models=[]))
    """
    use_engine(fake_python(listing))
    dialog = open_dialog()
    for _ in range(3):
        dialog.refresh()
    wait(lambda: dialog._reading is None)
    assert asked.read_text() == "begin end " * 3


def test_a_file_is_added_while_the_store_is_read(open_dialog, mine, real_engine, wait):
    """One that is dropped onto the map opens the window, which begins to read."""
    dialog = open_dialog()
    dialog.refresh()
    dialog.add_file(str(mine))
    wait(lambda: "mine" in names(dialog))
    assert dialog.selected().name == "mine"


# --- actions -----------------------------------------------------------------------------


def test_a_dropped_file_is_added_verified_and_removed(
    open_dialog, own_store, real_engine, wait, tmp_path, monkeypatch, mine
):
    from qgis.PyQt.QtCore import QMimeData, QPointF, Qt, QUrl
    from qgis.PyQt.QtGui import QDragEnterEvent, QDropEvent
    from qgis.PyQt.QtWidgets import QApplication, QMessageBox

    dialog = open_dialog()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "scene.tif")), QUrl.fromLocalFile(str(mine))])
    place, copy = QPointF(50, 50), Qt.DropAction.CopyAction
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(place.toPoint(), copy, data, buttons, keys)
    QApplication.sendEvent(dialog, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(dialog, QDropEvent(place, copy, data, buttons, keys))
    assert enabled(dialog) == {"copy", "run"}  # one action at a time
    wait(lambda: dialog._task is None and "mine" in names(dialog))
    assert dialog.selected().name == "mine"
    assert dialog.selected().origin == "own"
    assert (own_store / "mine.onnx").read_bytes() == TINY.read_bytes()
    dialog.buttons["verify"].click()
    wait(lambda: dialog._task is None)
    assert dialog.message.text().startswith("mine is the file that came on ")
    # no is the answer that Return gives
    monkeypatch.setattr(QMessageBox, "question", lambda *given: given[-1])
    dialog.buttons["remove"].click()
    assert dialog._task is None
    monkeypatch.setattr(QMessageBox, "question", lambda *given: QMessageBox.StandardButton.Yes)
    dialog.buttons["remove"].click()
    wait(lambda: dialog._task is None and "mine" not in names(dialog))
    assert not (own_store / "mine.onnx").exists()
    assert dialog.selected().name == shipped.NAMES[0]


def test_what_is_no_model_is_refused_with_a_sentence(open_dialog, real_engine, wait, tmp_path):
    odd = tmp_path / "odd.onnx"
    odd.write_bytes(b"odd")
    dialog = open_dialog()
    dialog.add_file(str(odd))
    wait(lambda: dialog._task is None)
    assert "odd.onnx" in dialog.message.text()
    assert "Traceback" not in dialog.message.text()
    assert "odd" not in names(dialog)
    assert "add" in enabled(dialog)


def test_a_drag_of_something_else_is_left_alone(open_dialog):
    from qgis.PyQt.QtCore import QMimeData, QPoint, Qt, QUrl
    from qgis.PyQt.QtGui import QDragEnterEvent
    from qgis.PyQt.QtWidgets import QApplication

    dialog = open_dialog()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/x/scene.tif"), QUrl("https://host/model.onnx")])
    event = QDragEnterEvent(
        QPoint(5, 5),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    event.ignore()
    QApplication.sendEvent(dialog, event)
    assert not event.isAccepted()


def test_the_self_test_tells_the_time_per_megapixel(open_dialog, real_engine, wait):
    dialog = open_dialog()
    dialog.buttons["test"].click()
    wait(lambda: dialog._task is None)
    lines = dialog.message.text().splitlines()
    assert lines[0].startswith("tiny on this machine (")
    assert "self-test passed" in lines[1]
    assert "s per megapixel" in lines[1]


def test_fetch_shows_progress_and_can_be_cancelled(
    open_dialog, own_store, fake_python, use_engine, wait
):
    """And gets the proxy of QGIS; the stand-in writes down what it was given."""
    seen = own_store / "seen.txt"
    use_engine(
        fake_python(
            f"""
            hello()
            if job["job"] == "models_list":
                row = dict(name="prithvi", kind="teacher", status="not fetched", bytes=1326000000,
                           licence="Apache-2.0", path=None, url=None)
                say("done", summary=dict(models=[row]))
                sys.exit(0)
            open({str(seen)!r}, "w").write(json.dumps([job, os.environ.get("HTTPS_PROXY")]))
            say("stage", name="Fetching prithvi")
            say("progress", done=30, total=60, unit="MB")
            while True:
                time.sleep(0.1)
            """
        )
    )
    from qgis.core import QgsNetworkAccessManager
    from qgis.PyQt.QtNetwork import QNetworkProxy

    manager = QgsNetworkAccessManager.instance()
    before = manager.fallbackProxy(), manager.excludeList(), manager.noProxyList()
    proxy = QNetworkProxy(QNetworkProxy.ProxyType.HttpProxy, "proxy.example", 3128)
    manager.setFallbackProxyAndExcludes(proxy, [], [])
    try:
        dialog = open_dialog()
        assert names(dialog) == ["prithvi"]
        dialog.buttons["fetch"].click()
        wait(lambda: dialog.bar.value() == 50)
    finally:
        manager.setFallbackProxyAndExcludes(*before)
    assert dialog.message.text() == "Fetching prithvi…"
    job, address = json.loads(seen.read_text())
    assert (job["job"], job["name"]) == ("models_fetch", "prithvi")
    assert address == "http://proxy.example:3128"
    started = time.monotonic()
    dialog.cancel_button.click()
    wait(lambda: dialog._task is None)
    assert time.monotonic() - started < 1
    assert dialog.message.text() == "Cancelled."
    assert not dialog.bar.isVisible()


def test_a_copy_is_saved(open_dialog, wait, tmp_path):
    dialog = open_dialog()
    target = tmp_path / "copy.onnx"
    dialog.save_copy_as(TINY, str(target))
    wait(lambda: dialog.message.text() == f"Saved as {target}.")
    assert target.read_bytes() == TINY.read_bytes()
    dialog.save_copy_as(TINY, str(tmp_path / "no" / "copy.onnx"))
    wait(lambda: "cannot be written" in dialog.message.text())


@pytest.mark.parametrize(
    ("task", "identifier"),
    [
        ("pretrain", "hyperkd:embed"),
        ("classification", "hyperkd:classify"),
        ("regression", "hyperkd:regress"),
    ],
)
def test_run_on_layer_opens_the_algorithm_of_the_task(
    open_dialog, own_store, task, identifier, monkeypatch
):
    from hyperkd_qgis.ui import models_dialog

    write_model(own_store / "mine.onnx", card(task))
    opened = []
    monkeypatch.setattr(models_dialog, "open_algorithm", lambda *given: opened.append(given))
    dialog = open_dialog()
    dialog.list.select("mine")
    dialog.buttons["run"].click()
    assert opened == [(identifier, {"MODEL": "mine"})]


def test_an_engine_that_crashes_is_told_in_a_sentence(open_dialog, fake_python, use_engine, wait):
    use_engine(fake_python("hello()\nraise RuntimeError('a bug of ours')"))
    dialog = open_dialog()
    assert "failed with an internal error" in dialog.message.text()
    assert "tiny" in names(dialog)  # what lies here is shown all the same


def test_nothing_stops_the_window(open_dialog, real_engine, wait):
    def look_around():
        dialog = open_dialog()
        dialog.buttons["test"].click()
        wait(lambda: dialog._task is None)
        for name in names(dialog):
            dialog.list.select(name)

    assert longest_pause(look_around) < LIMIT_S
