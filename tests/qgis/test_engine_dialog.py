"""The dialog that chooses the engine's interpreter, and what its check finds."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

# What the probe of a healthy interpreter prints, less one package.
_LACKS_ONNX = """\
#!{python} -I
import json
print(json.dumps({{
    "python": {{"version": "3.11.2"}},
    "numpy": {{"version": "1.26"}},
    "onnx": {{"error": "ModuleNotFoundError: No module named <onnx>"}},
}}))
"""


@pytest.fixture
def dialog(plugin):
    """Return an open dialog; it is closed at the end."""
    from hyperkd_qgis.ui.engine_dialog import EngineDialog

    made = EngineDialog()
    made.show()
    yield made
    made.close()


@pytest.fixture
def wait(qgis):
    """Return a function that lets the window work until a condition holds."""
    from qgis.PyQt.QtWidgets import QApplication

    def run(condition, seconds=60.0):
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            QApplication.processEvents()
            time.sleep(0.01)
        assert condition()

    return run


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


def test_it_shows_what_is_chosen_and_by_whom(plugin, use_engine):
    from hyperkd_qgis.ui.engine_dialog import EngineDialog

    empty = EngineDialog()
    assert empty.interpreter.filePath() == ""
    assert empty.origin.text() == "No interpreter has been chosen yet."
    use_engine(Path("/some/python"))
    named = EngineDialog()
    assert named.interpreter.filePath() == "/some/python"
    assert named.origin.text() == "Named by the environment variable HYPERKD_ENGINE_PYTHON."


def test_saving_stores_a_new_choice_and_nothing_else(plugin, use_engine):
    from hyperkd_qgis import settings
    from hyperkd_qgis.ui.engine_dialog import EngineDialog

    use_engine(Path("/some/python"))
    untouched = EngineDialog()
    untouched.accept()
    assert settings.interpreter().origin == "environment"
    changed = EngineDialog()
    changed.interpreter.setFilePath("/other/python")
    changed.reject()
    assert settings.interpreter().origin == "environment"
    changed.accept()
    assert settings.interpreter() == settings.Interpreter(Path("/other/python"), "setting")
    cleared = EngineDialog()
    cleared.interpreter.setFilePath("")
    cleared.accept()
    assert settings.interpreter().origin == "environment"


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
        ("#!/bin/sh\necho hello\n", "is no Python that works"),
        ("no program at all", "is no Python that works"),
    ],
)
def test_what_is_no_python_is_named(dialog, tmp_path, wait, text, said):
    path = script(tmp_path / "python", text)
    dialog.interpreter.setFilePath(str(path))
    dialog.check_button.click()
    wait(dialog.check_button.isEnabled)
    shown = dialog.report.toPlainText()
    assert f"{path} is no Python that works" in shown
    assert said in shown


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


def test_the_probe_tells_versions_and_reasons(plugin, monkeypatch):
    from hyperkd_qgis.env import probe

    monkeypatch.setattr(probe, "NEEDED", ("json", "no_such_package"))
    found = probe.probe()
    assert found["json"] == {"version": "2.0.9"}
    assert found["no_such_package"] == {
        "error": "ModuleNotFoundError: No module named 'no_such_package'"
    }
