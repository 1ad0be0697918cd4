"""The packaged zip in a fresh profile, run by ``qgis_process`` as a script would."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import plugin as assembly
from tools.machine import find_interpreter, find_qgis_process


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Return a folder of profiles in which the zip, and nothing else, is installed."""
    folder = tmp_path_factory.mktemp("profile")
    with zipfile.ZipFile(assembly.package(destination=tmp_path_factory.mktemp("zip"))) as archive:
        archive.extractall(folder / "profiles/default/python/plugins")
    return folder


@pytest.fixture(scope="module")
def script(installed, tmp_path_factory):
    """Return a caller of ``qgis_process`` that gives its answer."""
    program = find_qgis_process(find_interpreter()[0])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HYPERKD_")}
    kept.pop("QGIS_PLUGINPATH", None)
    environment = {
        **kept,
        "QGIS_CUSTOM_CONFIG_PATH": str(installed),
        "QT_QPA_PLATFORM": "offscreen",
        "HYPERKD_ENGINE_PYTHON": sys.executable,
        "HYPERKD_MODELS": str(tmp_path_factory.mktemp("models")),
    }

    def call(*arguments):
        answer = subprocess.run(
            [program, "--json", *map(str, arguments)],
            env=environment,
            cwd=installed,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said = answer.stdout + answer.stderr
        assert answer.returncode == 0, said[-2000:]
        assert "Traceback" not in said
        return answer.stdout

    call("plugins", "enable", assembly.NAME)
    return call


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    """Return a scene of three kinds of ground."""
    from tests.qgis.landscape import write_scene

    return write_scene(tmp_path_factory.mktemp("scene") / "scene.tif")


def run(script, algorithm, **values):
    """Run an algorithm and return its results."""
    words = [f"{name.replace('__', ':')}={value}" for name, value in values.items()]
    return json.loads(script("run", f"hyperkd:{algorithm}", "--", *words))["results"]


def read(path):
    from osgeo import gdal

    return gdal.Open(str(path)).ReadAsArray()


def test_a_fresh_profile_lists_what_the_zip_brings(script, installed):
    listed = json.loads(script("list"))["providers"]["hyperkd"]
    ids = set(listed["algorithms"])
    models = {path.stem for path in (assembly.ROOT / "resources/models").glob("*.model3")}
    assert {"hyperkd:embed", "hyperkd:classify", "hyperkd:finetune"} < ids
    assert {f"hyperkd:{name}" for name in models} < ids
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", listed["version"])


@pytest.mark.slow
def test_one_inference(script, real_engine, scene, tmp_path):
    import numpy as np

    results = run(script, "embed", INPUT=scene, OUTPUT=tmp_path / "e.tif")
    assert results["OUTPUT"] == str(tmp_path / "e.tif")
    values = read(results["OUTPUT"])
    assert values.shape[1:] == read(scene).shape[1:]
    assert np.isfinite(values).all() and values.std() > 0


@pytest.mark.slow
def test_one_workflow(script, real_engine, scene, tmp_path):
    """The names of results are the same for every QGIS."""
    import numpy as np

    paths = {
        name: tmp_path / f"{name}.tif"
        for name in ("reconstruct__error", "anomaly__score", "anomaly__marks")
    }
    results = run(script, "explorescene", scene=scene, **paths)
    for name, path in paths.items():
        assert results[name.replace("__", ":")] == str(path)
        assert read(path).shape[-2:] == read(scene).shape[1:]
    assert np.isfinite(read(paths["anomaly__score"])).any()


@pytest.mark.slow
def test_one_batch(script, real_engine, scene, tmp_path):
    """Three scenes, each called as the rows of a batch are; the same pixels give the same map."""
    import numpy as np

    made = []
    for number in range(3):
        copy = shutil.copy(scene, tmp_path / f"scene {number}.tif")
        path = tmp_path / f"error {number}.tif"
        assert run(script, "reconstruct", INPUT=copy, ERROR=path)["ERROR"] == str(path)
        made.append(read(path))
    assert np.isfinite(made[0]).any()
    assert all(np.array_equal(made[0], other, equal_nan=True) for other in made[1:])
