"""What a user presses works: real buttons in a started QGIS, and what it says afterwards."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.factories import GEOTRANSFORM
from tests.qgis import started
from tests.qgis.pressed_session import STEPS

_LIMIT_S = 240
_SESSION = Path(__file__).with_name("pressed_session.py")

pytestmark = pytest.mark.timeout(_LIMIT_S + 60)


@pytest.fixture(scope="module")
def pressed(tmp_path_factory, plugin_folder):
    """Return what a user found in each step; one QGIS takes all of them."""
    if started.program() is None:
        pytest.skip("QGIS's own program is not on the path")
    folder = tmp_path_factory.mktemp("pressed")
    told = {
        **told_of(folder),
        "work": str(folder),
        "result": str(folder / "result.json"),
        "pictures": os.environ.get("HYPERKD_PICTURES", ""),
    }
    command, more = started.on_a_screen(_SESSION, folder)
    variables = {
        **started.environment(folder, told),
        "HYPERKD_ENGINE_PYTHON": sys.executable,
        "QGIS_PLUGINPATH": str(plugin_folder),
        "LANG": "C.UTF-8",
        **more,
    }
    said = started.run(command, variables, folder / "said.txt", _LIMIT_S)
    return started.found_by(folder / "result.json", said)


def told_of(folder: Path) -> dict[str, str]:
    """Return the files that the user has: a scene and a model for it; one with EnMAP's bands."""
    from tests.engine.inference_factories import CENTRES, make_model
    from tests.factories import make_raster
    from tests.qgis.landscape import write_scene

    scene = make_raster(folder / "potsdam.tif", _quarters(), wavelengths=list(CENTRES), fwhm=10.0)
    return {
        "scene": str(scene),
        "model": str(make_model(folder / "brightest.onnx")),
        "land": str(write_scene(folder / "land.tif")),
    }


def _quarters():
    """Return a scene whose quarters are brightest in four of five bands."""
    import numpy as np

    data = np.random.default_rng(0).integers(500, 600, (5, 64, 64)).astype(np.int16)
    for band in range(4):
        rows, cols = divmod(band, 2)
        data[band, 32 * rows : 32 * rows + 32, 32 * cols : 32 * cols + 32] += 4000
    return data


def test_all_steps_were_done(pressed):
    assert list(pressed) == list(STEPS)
    assert pressed["prepare"]["platform"] == ("xcb" if started.has_screen() else "offscreen")


@pytest.mark.parametrize(
    "step", ["run_hyperkd_on_a_layer", "run_a_model_on_a_layer", "run_a_workflow", "run_a_batch"]
)
def test_what_is_pressed_runs_and_complains_of_nothing(pressed, step):
    found = pressed[step]
    assert "Execution completed in" in found["log"]
    assert "not correctly generated" not in found["log"]
    assert not found["red"]
    assert found["messages"] == []


def test_inspect_describes_a_scene_that_no_student_suits(pressed):
    # Newer QGIS lists results without quotes.
    assert re.search("'?SUITS'?: False", pressed["run_hyperkd_on_a_layer"]["log"])


def test_run_on_layer_brings_the_model_along(pressed):
    found = pressed["run_a_model_on_a_layer"]
    assert "brightest" in found["opened"]
    assert found["made"] == ["Class map: potsdam"]
    assert found["tree"] == [["HyperKD", "Class map: potsdam", True], ["", "potsdam", True]]


def test_results_of_a_workflow_lie_on_top_and_are_seen(pressed):
    """The group was unticked and lay below the scene; the results are named after what they are."""
    found = pressed["run_a_workflow"]
    assert sorted(found["made"]) == ["Areas of the classes: potsdam", "Class map: potsdam"]
    assert found["tree"] == [
        ["HyperKD", "Areas of the classes: potsdam", True],
        ["HyperKD", "Class map: potsdam", True],
        ["HyperKD", "Class map: potsdam", True],
        ["", "potsdam", True],
    ]
    columns = ["class", "hectares", "percent", "pixels", "value"]
    names = [f"class {number}" for number in range(4)]
    area_ha = round(1024 * abs(GEOTRANSFORM[1] * GEOTRANSFORM[5]) / 10_000, 4)
    rows = [[name, area_ha, 25.0, 1024, value] for value, name in enumerate(names, 1)]
    assert found["table"] == [columns, *rows]


def test_the_one_model_that_fits_is_proposed_in_a_batch(pressed):
    assert pressed["run_a_batch"]["alone"] == "brightest"
    assert pressed["run_a_batch"]["output"]


def test_a_step_in_the_designer_takes_a_model_or_what_another_step_makes(pressed):
    found = pressed["choose_a_model_in_the_designer"]
    from_step = "'Model' from algorithm 'Tuning'"
    assert found["listed"] == ["brightest", from_step]
    named, given = found["named"][0], found["given"][0]
    assert named[1:] == ["brightest", "", ""]
    assert given[1:] == [None, "tuning", "OUTPUT"]
    assert found["kept"] == found["given"]
    assert found["shown"] == from_step


def test_show_log_opens_the_log_at_the_plugins_tab(pressed):
    found = pressed["show_the_log"]
    assert found["told"] == ["HyperKD Something is odd."]
    assert (found["opened"], found["tab"]) == (True, "HyperKD")


def test_a_first_look_is_one_click(pressed):
    found = pressed["take_a_first_look"]
    assert found["running"] == ["HyperKD First look at “land”…"]
    told = [text for text in found["told"] if text.startswith("HyperKD")]
    assert len(told) == 1 and told[0].startswith("HyperKD First look, “land”: mostly ")
    group = "First look: land"
    assert found["tree"] == [
        [group, "Dominant cover: land", True],
        [group, "Fractions as colours: land", False],
        [group, "Uncertainty: land", False],
        [group, "Fractions: land", False],
        [group, "land", False],
    ]
    assert found["active"]
    assert found["seen"] == group
