"""docs/tutorial.md, done by a new user: a fresh profile, the real zip, the real engine."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.qgis import started
from tests.qgis.test_engine_setup import pinned
from tests.qgis.tutorial_session import STEPS
from tests.qgis.wheels import packed_again
from tools import plugin as assembly
from tools import translations
from tools.machine import ROOT

# Most of it is for machines that have other things to do.
_LIMIT_S = 600
_SESSION = Path(__file__).with_name("tutorial_session.py")
PAGE = ROOT / "docs" / "tutorial.md"
# What stands in bold on the page is on the screen; this much of it is QGIS's own.
OF_QGIS = {
    "Add Layer",
    "Install from ZIP",
    "Install Plugin",
    "Layer",
    "Manage and Install Plugins…",
    "Plugins",
    "Processing Toolbox",
    "Selected features only",
    "Properties",
    "Metadata",
}


def headings() -> list[str]:
    return re.findall(r"^## (\d.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_page_has_the_steps_that_are_tested():
    assert headings() == list(STEPS)


def test_its_pictures_are_there_and_small():
    found = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert len(found) >= 6
    for description, path in found:
        picture = PAGE.parent / path
        assert len(description) > 20, path
        assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n", path
        assert picture.stat().st_size < 400_000, path


def test_what_it_tells_to_press_is_on_the_screen():
    texts = {text.replace("&", "").strip() for text in translations.texts()}
    texts |= {text.rstrip("…") for text in texts}
    pressed = set(re.findall(r"\*\*([^*]+)\*\*", PAGE.read_text(encoding="utf-8")))
    words = {word.strip() for each in pressed for word in each.split("›")}
    assert len(words) >= 12
    assert sorted(words - texts - OF_QGIS - {"HyperKD"}) == []


@pytest.fixture(scope="module")
def journey(tmp_path_factory):
    """Return what a new user found at each step."""
    for module in ("onnx", "onnxruntime", "torch"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"the engine needs {module} for this")
    from tests.qgis.landscape import COLOURS, write_polygons, write_scene

    folder = tmp_path_factory.mktemp("journey")
    told = {
        "zip": str(assembly.package(ROOT, folder)),
        "python": sys.executable,
        "wheels": _wheels(folder / "wheels"),
        "scene": str(write_scene(folder / "scene.tif")),
        "labels": str(write_polygons(folder / "labels.gpkg")),
        "colours": json.dumps(COLOURS),
        "work": str(folder),
        "result": str(folder / "result.json"),
    }
    command, more = _qgis(folder)
    # Neither the developer's engine nor the checkout's: a new user has none.
    variables = {**started.environment(folder, told), **more}
    said = started.run(command, variables, folder / "said.txt", _LIMIT_S)
    return started.found_by(folder / "result.json", said)


def _wheels(folder: Path) -> str:
    """Fill a folder with all that the engine needs; "" where this Python has other versions."""
    pins = {**pinned("inference"), **pinned("training")}
    if any(metadata.version(name).partition("+")[0] != pins[name] for name in pins):
        return ""
    folder.mkdir()
    packed_again(folder, list(pins))
    return str(folder)


def _qgis(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return what starts a QGIS with a fresh profile: its own window where Xvfb is, else ours."""
    if started.program() is None or not started.has_screen():
        profiles = str(folder / "profiles")
        variables = {"QT_QPA_PLATFORM": "offscreen", "QGIS_CUSTOM_CONFIG_PATH": profiles}
        return [sys.executable, str(_SESSION)], variables
    return started.on_a_screen(_SESSION, folder)


@pytest.mark.slow
@pytest.mark.timeout(_LIMIT_S + 60)
def test_the_whole_journey(journey):
    """One test, because one QGIS makes the whole journey."""
    assert list(journey) == list(STEPS)
    installed = journey["1. Install the plugin"]
    assert installed["folder"]
    assert "/profiles/" in installed["module"].replace(os.sep, "/")
    assert [text.replace("&", "") for text in installed["menu"]] == [
        "First look",
        "Fine-tune a model…",
        "Map a scene…",
        "Models…",
        "Distil a student…",
        "Engine…",
        "Tutorial",
    ]
    assert installed["algorithms"] == 30
    assert "HyperKD has no engine yet. Set it up under Plugins" in installed["says"]
    engine = journey["2. Set up the engine"]
    assert "The engine is not set up yet." in engine["before"]
    if engine["set_up"]:
        assert "The engine is set up: inference, fine-tuning" in engine["after"]
    assert engine["report"].startswith("This interpreter can run HyperKD.")
    assert engine["says"] == ""
    assert journey["3. Open a scene"] == {"bands": 218, "features": 32}
    tuned = journey["4. Fine-tune on polygons"]
    assert tuned["errors"] == ""
    assert tuned["classes"] == {"water": "#2166ac", "wood": "#1b7837", "field": "#dfc27d"}
    assert "pixels for training" in tuned["split"]
    assert "Overall accuracy 1.000" in " ".join(tuned["page"].split())
    classified = journey["5. Classify"]
    assert classified["said"].endswith("is in the project.")
    assert classified["legend"] == tuned["classes"]
    assert any("cover" in line for line in classified["history"])
    assert classified["stored"] == "The model is in the store as “landcover”."
    again = journey["6. Classify another scene"]["map"]
    (opened,) = journey["7. Open the report"]["opened"]
    assert Path(opened).name == "report.html"
    assert "Confusion matrix" in Path(opened).read_text(encoding="utf-8")
    _compare(classified["source"], again)


def _compare(mapped: str, again: str) -> None:
    """Compare two maps with each other and with the truth."""
    from osgeo import gdal

    from tests.qgis.landscape import CLASSES, truth

    values = gdal.Open(mapped).ReadAsArray()
    assert (values == gdal.Open(again).ReadAsArray()).all()
    dataset = gdal.Open(mapped)
    band = dataset.GetRasterBand(1)
    band.GetMetadata()  # GDAL 3.6 reads the names of the sidecar with something else of it
    names = band.GetRasterCategoryNames()
    right = [names[value] == CLASSES[true] for value, true in zip(values.flat, truth().flat)]
    assert sum(right) >= 0.98 * len(right)
