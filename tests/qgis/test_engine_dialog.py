"""The engine's window: its state, a set-up, a check, and an interpreter of the user's."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.qgis.beats import LIMIT_S, longest_pause
from tests.qgis.test_engine_setup import MODULES, pinned, stamp
from tests.qgis.test_engine_setup import no_student as no_student
from tests.qgis.test_engine_setup import root as root
from tests.qgis.test_engine_setup import shell_python as shell_python
from tests.qgis.test_engine_setup import wheels as wheels
from tests.qgis.test_translation import in_german as in_german
from tests.qgis.wheels import tiny_wheel

# What the probe of a healthy interpreter prints, less one package.
_LACKS_ONNX = """\
#!{python} -I
import json, sys
print(json.dumps({{"name": "python", "version": "3.11.2"}}))
for name in sys.argv[sys.argv.index("numpy"):]:
    found = {{"name": name, "version": "1.26"}}
    if name == "onnx":
        found = {{"name": name, "error": "ModuleNotFoundError: No module named <onnx>"}}
    print(json.dumps(found))
"""


@pytest.fixture
def dialog(plugin):
    """Return an open dialog; it is closed at the end."""
    from qgis.PyQt import sip

    from hyperkd_qgis.ui.engine_dialog import EngineDialog

    made = EngineDialog()
    made.show()
    yield made
    made.close()
    # Its fold asks QGIS's settings in its destructor, so it must not outlive QGIS.
    sip.delete(made)


@pytest.fixture(autouse=True)
def no_choice_left(plugin):
    """Take back what a test has chosen."""
    from hyperkd_qgis import settings

    yield
    settings.choose_interpreter("")


def script(path: Path, text: str) -> Path:
    path.write_text(text.format(python=sys.executable))
    path.chmod(0o755)
    return path


def choose(box, data) -> None:
    box.setCurrentIndex(box.findData(data))


# --- what holds now ----------------------------------------------------------------------


def test_it_says_what_holds_now(plugin, use_engine, root):
    from hyperkd_qgis.ui.engine_dialog import EngineDialog

    empty = EngineDialog()
    assert "The engine is not set up yet." in empty.state.text()
    assert "Nothing is installed until you ask for it." in empty.state.text()
    assert empty.setup.start_button.text() == "&Set up"
    folder = stamp(root, "3.11-made")
    made = EngineDialog()
    assert "The engine is set up: inference." in made.state.text()
    assert str(folder) in made.state.text()
    assert made.setup.start_button.text() == "&Set up again"
    stamp(root, "3.11-newer", pins="0123456789abcdef", made="2026-05-01T00:00:00+00:00")
    upgraded = EngineDialog()
    assert "works, but this version of HyperKD needs other packages" in upgraded.state.text()
    stamp(root, "3.11-gone", made="2026-06-01T00:00:00+00:00")
    (root / "3.11-gone" / "bin" / "python").unlink()
    gone = EngineDialog()
    assert "The engine cannot be used." in gone.state.text()
    use_engine(Path("/some/python"))
    named = EngineDialog()
    assert named.origin.text() == "Named by the environment variable HYPERKD_ENGINE_PYTHON."
    # one that was opened before says the same when it is opened again
    empty.show()
    assert empty.state.text() == named.state.text()
    assert empty.origin.text() == named.origin.text()
    empty.close()
    assert "interpreter /some/python" in named.state.text()


def test_an_interpreter_of_the_users_is_stored_and_taken_back(plugin, use_engine, dialog):
    from hyperkd_qgis import settings

    use_engine(Path("/some/python"))
    assert settings.interpreter().origin == "environment"
    dialog.interpreter.setFilePath("/other/python")
    dialog.reject()
    assert settings.interpreter().origin == "environment"
    dialog.own_button.click()
    assert settings.interpreter() == settings.Interpreter(Path("/other/python"), "setting")
    assert "/other/python" in dialog.state.text()
    dialog.interpreter.setFilePath("")
    dialog.own_button.click()
    assert settings.interpreter().origin == "environment"


def test_sizes_are_named_before_anything_is_installed(dialog):
    from hyperkd_qgis.env.pins import TIERS

    texts = {}
    for compute in ("cpu", "gpu"):
        choose(dialog.setup.compute, compute)
        texts[compute] = dialog.setup.inference.text(), dialog.setup.training.text()
    inference, training = texts["cpu"]
    assert f"about {TIERS['inference'].download_mb['cpu']} MB to download" in inference
    assert f"{TIERS['training'].disk_mb['cpu']} MB on the disk" in training
    assert "2.8 GB to download, 7.0 GB on the disk" in texts["gpu"][1]
    assert not dialog.setup.training.isChecked()


# --- a set-up ----------------------------------------------------------------------------


def test_a_set_up_from_a_folder_of_wheels(no_student, dialog, wheels, wait):
    from hyperkd_qgis import settings

    setup = dialog.setup
    choose(setup.source, "wheels")
    assert setup.wheels.isVisible()
    setup.start_button.click()
    assert setup.stage.text() == "Choose the folder that holds the wheels."
    setup.wheels.setFilePath(str(wheels))
    setup.start_button.click()
    assert not setup.start_button.isEnabled()
    assert not setup.training.isEnabled()
    assert setup.cancel_button.isEnabled()
    assert setup.bar.isVisible()
    wait(setup.start_button.isEnabled)
    assert setup.stage.text() == "Done."
    assert not setup.bar.isVisible()
    assert "The engine is set up: inference." in dialog.state.text()
    assert "Successfully installed" in setup.log.toPlainText()
    assert settings.problem() == ""


def test_a_failure_is_a_sentence_and_can_be_tried_again(no_student, dialog, wheels, wait):
    name, version = "onnx", pinned("inference")["onnx"]
    wheel = next(wheels.glob("onnx-*"))
    wheel.unlink()
    setup = dialog.setup
    choose(setup.source, "wheels")
    setup.wheels.setFilePath(str(wheels))
    setup.start_button.click()
    wait(setup.start_button.isEnabled)
    assert f"The folder of wheels has no onnx=={version} for this Python." in setup.stage.text()
    assert setup.start_button.text() == "&Try again"
    assert "The engine is not set up yet." in dialog.state.text()
    tiny_wheel(wheels, name, version, MODULES[name])
    setup.start_button.click()
    wait(setup.start_button.isEnabled)
    assert setup.stage.text() == "Done."
    assert setup.start_button.text() == "&Set up again"


def test_cancel_is_quick_and_changes_nothing(shell_python, dialog, root, wait):
    shell_python(pip="echo Collecting onnx; exec sleep 60")
    setup = dialog.setup
    setup.start_button.click()
    wait(lambda: "Collecting onnx" in setup.log.toPlainText())
    started = time.monotonic()
    setup.cancel_button.click()
    wait(setup.start_button.isEnabled)
    assert time.monotonic() - started < 1
    assert setup.stage.text() == "Cancelled. Nothing has changed."
    assert [path.name for path in root.glob("3*")] == []


def test_a_set_up_goes_on_while_its_window_is_closed(shell_python, dialog, wait, tmp_path):
    """And the next window shows it, its log included."""
    from hyperkd_qgis.ui.engine_dialog import EngineDialog

    go = tmp_path / "go"
    shell_python(pip=f"echo Collecting; while [ ! -e {go} ]; do sleep 0.05; done; exit 1")
    dialog.setup.start_button.click()
    wait(lambda: "Collecting" in dialog.setup.log.toPlainText())
    dialog.close()
    other = EngineDialog()
    other.show()
    assert "Collecting" in other.setup.log.toPlainText()
    assert other.setup.stage.text() == "Fetching the packages"
    assert not other.setup.start_button.isEnabled()
    go.touch()
    wait(other.setup.start_button.isEnabled)
    assert other.setup.start_button.text() == "&Try again"
    other.close()
    third = EngineDialog()
    assert third.setup.start_button.isEnabled()
    assert third.setup.log.toPlainText() == ""


def test_a_set_up_never_stops_the_window(no_student, dialog, wheels, wait):
    """The longest pause between two turns of the event loop, while everything happens."""
    choose(dialog.setup.source, "wheels")
    dialog.setup.wheels.setFilePath(str(wheels))

    def set_up():
        dialog.setup.start_button.click()
        wait(dialog.setup.start_button.isEnabled)

    assert longest_pause(set_up) < LIMIT_S


# --- its size ----------------------------------------------------------------------------


def test_it_fits_on_a_small_screen_with_everything_unfolded(in_german):
    """German needs more room than English."""
    from qgis.gui import QgsCollapsibleGroupBox
    from qgis.PyQt import sip
    from qgis.PyQt.QtWidgets import QApplication

    from hyperkd_qgis.ui.engine_dialog import EngineDialog

    dialog = EngineDialog()
    dialog.show()
    screen = dialog.screen().availableGeometry()
    assert dialog.height() < screen.height()
    assert dialog.width() < screen.width()
    dialog.findChild(QgsCollapsibleGroupBox).setCollapsed(False)
    choose(dialog.setup.source, "wheels")
    dialog.resize(680, 400)
    QApplication.processEvents()
    assert dialog.height() == 400
    for button in (dialog.check_button, dialog.diagnostics_button):
        assert dialog.rect().contains(button.geometry())
    assert dialog.setup.log.height() >= 80  # what scrolls is not squeezed
    dialog.close()
    sip.delete(dialog)


# --- a check -----------------------------------------------------------------------------


def test_a_check_of_the_real_engine_says_that_it_works(dialog, real_engine, wait):
    dialog.interpreter.setFilePath(str(real_engine))
    dialog.check_button.click()
    assert not dialog.check_button.isEnabled()
    assert dialog.report.toPlainText() == "Checking…"
    wait(dialog.check_button.isEnabled)
    text = dialog.report.toPlainText()
    assert text.startswith("This interpreter can run HyperKD.")
    assert "✘" not in text
    for name in ("python", "numpy", "osgeo.gdal", "onnx", "onnxruntime", "safetensors", "hyperkd"):
        assert name in text


def test_a_missing_package_is_named(dialog, tmp_path, wait):
    dialog.interpreter.setFilePath(str(script(tmp_path / "python", _LACKS_ONNX)))
    dialog.check_button.click()
    wait(dialog.check_button.isEnabled)
    text = dialog.report.toPlainText()
    assert text.startswith("This interpreter cannot run HyperKD yet.")
    assert "ModuleNotFoundError: No module named <onnx>" in text
    assert "hyperkd" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#!/bin/sh\necho 'Python 2.7 is old' >&2\nexit 1\n", "Python 2.7 is old"),
        ("#!/bin/sh\necho hello\n", "is not a working Python"),
        ("no program at all", "is not a working Python"),
    ],
)
def test_what_is_no_python_is_named(dialog, tmp_path, wait, text, said):
    path = script(tmp_path / "python", text)
    dialog.interpreter.setFilePath(str(path))
    dialog.check_button.click()
    wait(dialog.check_button.isEnabled)
    shown = dialog.report.toPlainText()
    assert f"{path} is not a working Python" in shown
    assert said in shown


def test_a_check_without_an_engine_says_how_to_set_one_up(dialog):
    dialog.check_button.click()
    assert dialog.report.toPlainText().startswith("HyperKD has no engine yet. Set it up ")
    assert dialog.check_button.isEnabled()


def test_an_interpreter_that_does_not_exist_is_named(dialog, wait):
    dialog.interpreter.setFilePath("/nowhere/python")
    dialog.check_button.click()
    wait(dialog.check_button.isEnabled)
    assert "The interpreter /nowhere/python" in dialog.report.toPlainText()


def test_closing_the_dialog_ends_a_check_that_hangs(plugin, tmp_path, wait):
    from qgis.core import QgsApplication

    from hyperkd_qgis.ui.engine_dialog import EngineDialog

    pid_file = tmp_path / "pid"
    python = script(tmp_path / "python", f"#!/bin/sh\necho $$ > {pid_file}\nexec sleep 120\n")
    dialog = EngineDialog()
    dialog.interpreter.setFilePath(str(python))
    dialog.check_button.click()
    wait(lambda: pid_file.exists() and pid_file.read_text().strip())
    dialog.reject()
    pid = int(pid_file.read_text())
    wait(lambda: not Path(f"/proc/{pid}").exists(), 5)
    wait(lambda: QgsApplication.taskManager().countActiveTasks() == 0, 5)


def test_the_probe_tells_versions_and_reasons(plugin):
    from hyperkd_qgis.env import probe

    _, found, absent = probe.probe(("json", "no_such_package"))
    assert found == {"name": "json", "version": "2.0.9"}
    assert absent == {
        "name": "no_such_package",
        "error": "ModuleNotFoundError: No module named 'no_such_package'",
    }


# --- diagnostics -------------------------------------------------------------------------


def test_diagnostics_tell_enough_and_nothing_private(
    plugin, dialog, root, wait, monkeypatch, tmp_path
):
    from qgis.core import QgsApplication

    home = tmp_path / "annika-home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LOGNAME", "annika")
    monkeypatch.setenv("HYPERKD_ENGINES", str(home / "engines"))
    stamp(home / "engines", "3.11-made", packages={"onnxruntime": "1.2.3"})
    log = "Looking in indexes: https://annika:secret@host/simple\n"
    (home / "engines" / "setup.log").write_text(log)
    dialog.interpreter.setFilePath("/nowhere/python")
    dialog.check_button.click()
    wait(dialog.check_button.isEnabled)
    dialog.diagnostics_button.click()
    text = QgsApplication.clipboard().text()
    for expected in (
        "[QGIS]\nQGIS 3.",
        "interpreter: ~/engines/3.11-made/bin/python (there)",
        "onnxruntime 1.2.3",
        "python: FAILED ",
        "https://***@host/simple",
    ):
        assert expected in text
    assert "annika" not in text
    assert "secret" not in text
    assert text in dialog.report.toPlainText()
