"""What a user presses works: real buttons in a started QGIS, and what it says afterwards."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.qgis import started
from tests.qgis.pressed_session import STEPS
from tools import plugin as assembly

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
    """Return the files that the user has: a scene, and a model for it."""
    from tests.engine.inference_factories import CENTRES, make_model
    from tests.factories import make_raster

    scene = make_raster(
        folder / "potsdam.tif", _quarters(), wavelengths=list(CENTRES), fwhm=10.0
    )
    return {"scene": str(scene), "model": str(make_model(folder / "brightest.onnx"))}


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
    assert pressed["prepare"]["platform"] == "xcb" or shutil.which("xvfb-run") is None


def test_run_hyperkd_on_a_layer_runs(pressed):
    print(pressed["run_hyperkd_on_a_layer"])


def test_all(pressed):
    import pprint
    pprint.pprint(pressed)
    assert 0
