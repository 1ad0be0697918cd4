"""Inference jobs run where torch and QGIS cannot be imported, and leave training alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.sink import RasterSpec
from hyperkd.spectral.sensors import sensor_bands
from hyperkd.types import GridSpec

ENGINE = Path(__file__).resolve().parents[2] / "engine"

# Runs the engine with what an analyst's machine need not have made unimportable,
# and tells at the end what was loaded of what inference must not load.
CHILD = f"""
import sys
sys.path.insert(0, {str(ENGINE)!r})
banned = ("torch", "torchvision", "onnxscript", "prosail", "scipy", "qgis", "PyQt5", "PyQt6")
sys.modules.update(dict.fromkeys(banned))
from hyperkd.cli import main
status = main()
foreign = ("hyperkd.training", "hyperkd.models.nets", "hyperkd.synth")
print([name for name in sys.modules if name.startswith(foreign)], file=sys.stderr)
raise SystemExit(status)
"""


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """An EnMAP-like scene of 20 x 12 pixels, one of them without data."""
    bands = sensor_bands("enmap")
    values = np.random.default_rng(0).integers(100, 5000, (len(bands), 12, 20))
    values[:, 3, 4] = -32768
    values[~bands.good] = -32768
    grid = GridSpec(20, 12, (366000.0, 30.0, 0.0, 5810000.0, 0.0, -30.0))
    path = tmp_path / "scene.tif"
    with create_raster(
        str(path), RasterSpec(grid, len(bands), np.dtype(np.int16), nodata=-32768, bands=bands)
    ) as sink:
        sink.write(grid.window, values.astype(np.int16))
    return path


def run(folder: Path, **fields: Any) -> list[dict[str, Any]]:
    """Run a job and return its events."""
    (folder / "job.json").write_text(json.dumps({"protocol": 1, **fields}))
    result = subprocess.run(
        [sys.executable, "-I", "-c", CHILD, "run", str(folder / "job.json"), "--events", "json"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == "[]\n"
    return [json.loads(line) for line in result.stdout.splitlines()]


def values_of(path: Path) -> np.ndarray[Any, Any]:
    from osgeo import gdal

    array: np.ndarray[Any, Any] = gdal.Open(str(path)).ReadAsArray()
    return array


def test_embed(scene: Path, tmp_path: Path) -> None:
    events = run(tmp_path, job="embed", input="scene.tif", output="out.tif", components=3)
    assert events[-1]["event"] == "done"
    assert {"event": "artifact", "role": "output", "path": str(tmp_path / "out.tif")} in events
    missing = np.isnan(values_of(tmp_path / "out.tif"))
    assert missing.shape == (3, 12, 20)
    expected = np.zeros((12, 20), bool)
    expected[3, 4] = True
    np.testing.assert_array_equal(missing, np.broadcast_to(expected, missing.shape))


def test_reconstruct(scene: Path, tmp_path: Path) -> None:
    events = run(tmp_path, job="reconstruct", input="scene.tif", output="r.tif", error="e.tif")
    assert [event["role"] for event in events if event["event"] == "artifact"] == [
        "output",
        "error",
    ]
    with open_raster(str(tmp_path / "r.tif")) as source:
        assert len(source.bands) == 218
        tile = source.read_tile(source.grid.window)
    assert np.argwhere(~tile.valid).tolist() == [[3, 4]]


def test_info(scene: Path, tmp_path: Path) -> None:
    summary = run(tmp_path, job="info", path="scene.tif")[-1]["summary"]
    assert (summary["bands"], len(summary["bad_bands"])) == (224, 6)


def test_quantize(scene: Path, tmp_path: Path) -> None:
    # A scene of noise, which costs a model of 8 bits more than a real one.
    fields = {"model": "tiny", "input": ["scene.tif"], "output": "small.onnx", "loss": 20}
    events = run(tmp_path, job="quantize", method="float16", **fields)
    assert events[-1]["event"] == "done"
    assert events[-1]["summary"]["quantisation"]["kind"] == "float16"
    events = run(tmp_path, job="quantize", method="static", calibration=["scene.tif"], **fields)
    assert events[-1]["summary"]["quantisation"]["calibration"] == {"scenes": 1, "tiles": 1}
