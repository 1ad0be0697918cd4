"""Removing the engine: exactly what set-up has made, after a question, and never under a job."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.qgis.test_engine_dialog import choose
from tests.qgis.test_engine_dialog import dialog as dialog
from tests.qgis.test_engine_dialog import no_choice_left as no_choice_left
from tests.qgis.test_engine_setup import no_student as no_student
from tests.qgis.test_engine_setup import root as root
from tests.qgis.test_engine_setup import stamp
from tests.qgis.test_engine_setup import wheels as wheels


@pytest.fixture
def questions(plugin, monkeypatch):
    """Answer every question with Yes and return their texts."""
    from qgis.PyQt.QtWidgets import QMessageBox

    asked = []

    def answer(parent, title, text, *buttons):
        asked.append(text)
        return QMessageBox.StandardButton.Yes

    monkeypatch.setattr(QMessageBox, "question", answer)
    return asked


@pytest.fixture
def press(plugin, root, wait):
    """Return what presses the button of a window and returns what it said at the end."""
    from qgis.PyQt import sip

    from hyperkd_qgis.ui.engine_dialog import EngineDialog

    made = []

    def press() -> str:
        window = EngineDialog()
        made.append(window)
        window.show()
        button = window.setup.remove_button
        assert button.isEnabled()
        button.click()
        wait(lambda: button._task is None)
        return window.setup.stage.text()

    yield press
    for window in made:
        window.close()
        sip.delete(window)


def listed(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_what_a_set_up_has_made_is_gone(no_student, dialog, wheels, root, questions, wait):
    setup = dialog.setup
    assert not setup.remove_button.isEnabled()  # there is nothing yet
    choose(setup.source, "wheels")
    setup.wheels.setFilePath(str(wheels))
    setup.start_button.click()
    assert not setup.remove_button.isEnabled()
    wait(setup.start_button.isEnabled)
    assert setup.stage.text() == "Done."
    size = sum(path.lstat().st_size for path in root.rglob("*") if not path.is_dir())
    setup.remove_button.click()
    assert not setup.remove_button.isEnabled()
    wait(lambda: not root.exists() and setup.remove_button._task is None)
    text = f"{size // 1_000_000} MB"
    assert questions[0].startswith(f"Remove HyperKD's engine? This deletes {text} in {root}: ")
    assert setup.stage.text() == f"The engine was removed; {text} are free again."
    assert "The engine is not set up yet." in dialog.state.text()
    assert setup.start_button.text() == "&Set up"
    assert not setup.remove_button.isEnabled()


def test_what_set_up_has_not_made_stays(press, questions, root, tmp_path):
    ours = [stamp(root, "3.11-ours0001"), root / "tmp-leftover", root / "cache" / "http-v2"]
    for folder in ours[1:]:
        folder.mkdir(parents=True)
    (ours[2] / "wheel").write_bytes(b"1234")
    os.utime(ours[1], (1, 1))
    (root / "setup.log").write_text("log")
    elsewhere = stamp(tmp_path, "elsewhere")
    (root / "3.11-linked01").symlink_to(elsewhere)
    stamp(root, "3.11-of_other", base="/opt/other-qgis")
    (root / "3.11-no_stamp").mkdir()
    (root / "3.11-no_stamp" / "hyperkd-engine.json").write_text("{")
    (root / "project").mkdir()
    (root / "project" / "map.qgz").write_text("mine")
    os.utime(root / "project", (1, 1))
    (root / "cache" / "mine.txt").write_text("mine")
    before = set(listed(tmp_path))
    assert press().startswith("The engine was removed; ")
    gone = before - set(listed(tmp_path))
    assert {path for path in gone if not path.startswith("engines/3.11-ours0001")} == {
        *("engines/tmp-leftover", "engines/setup.log"),
        *("engines/cache/http-v2", "engines/cache/http-v2/wheel"),
    }
    assert not ours[0].exists()
    assert (root / "cache" / "mine.txt").read_text() == "mine"
    assert (elsewhere / "hyperkd-engine.json").exists()


def test_no_is_the_answer_of_return_and_removes_nothing(press, root, monkeypatch):
    from qgis.PyQt.QtWidgets import QMessageBox

    stamp(root, "3.11-ours0001")
    before = listed(root)
    monkeypatch.setattr(QMessageBox, "question", lambda *given: given[-1])
    assert press() == "Nothing was removed."
    assert listed(root) == before


def busy_job(tmp_path, monkeypatch, folder):
    monkeypatch.setenv("HYPERKD_JOBS", str(tmp_path / "jobs"))
    job = tmp_path / "jobs" / "training"
    job.mkdir(parents=True)
    (job / "alive").touch()
    (job / "info.json").write_text(json.dumps({"python": str(folder / "bin" / "python")}))


def test_under_a_training_nothing_is_removed(press, questions, root, tmp_path, monkeypatch):
    busy_job(tmp_path, monkeypatch, stamp(root, "3.11-ours0001"))
    before = listed(root)
    assert press() == "A job runs in the engine. Wait until it has ended, or cancel it."
    assert (listed(root), questions) == (before, [])


def test_under_a_run_of_an_algorithm_nothing_is_removed(press, questions, root, monkeypatch):
    from hyperkd_qgis.runner import process

    folder = stamp(root, "3.11-ours0001")
    monkeypatch.setattr(process, "_running", [folder / "bin" / "python"])
    assert press() == "A job runs in the engine. Wait until it has ended, or cancel it."
    assert folder.exists()
    monkeypatch.setattr(process, "_running", [Path("/some/other/python")])
    assert press().startswith("The engine was removed; ")


def test_a_job_that_begins_while_the_question_stands_is_respected(
    press, root, tmp_path, monkeypatch
):
    from qgis.PyQt.QtWidgets import QMessageBox

    folder = stamp(root, "3.11-ours0001")

    def answer(*given):
        busy_job(tmp_path, monkeypatch, folder)
        return QMessageBox.StandardButton.Yes

    monkeypatch.setattr(QMessageBox, "question", answer)
    assert press().startswith("A job runs in the engine.")
    assert folder.exists()


def test_a_choice_that_led_into_it_is_taken_back(press, questions, root, monkeypatch):
    from hyperkd_qgis import settings

    folder = stamp(root, "3.11-ours0001")
    settings.choose_interpreter("/some/other/python")
    press()
    assert settings.chosen_interpreter() == "/some/other/python"
    folder = stamp(root, "3.11-ours0001")
    settings.choose_interpreter(str(folder / "bin" / "python"))
    press()
    assert settings.chosen_interpreter() == ""


def test_what_cannot_be_removed_is_named(press, questions, root, monkeypatch):
    from hyperkd_qgis.env import managed

    folder = stamp(root, "3.11-ours0001")
    monkeypatch.setattr(managed, "remove", lambda path: False)
    assert press() == f"{folder} cannot be removed yet: close other QGIS windows and try again."


def test_where_nothing_is_ours_it_says_so(press, questions, root):
    (root / "project").mkdir(parents=True)
    assert press() == f"There is nothing to remove in {root}."
    assert questions == []
