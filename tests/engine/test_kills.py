"""Jobs of a user that are killed, cancelled, out of disk, and started twice; in short.

The whole of it is ``python3 build.py bench kills``.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

if os.name != "posix":
    pytest.skip("limits and signals are POSIX's", allow_module_level=True)
pytest.importorskip("osgeo.gdal")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import kill_jobs as jobs  # noqa: E402
from bench_kills import Trial, measure  # noqa: E402

from tests.engine.inference_factories import CENTRES, make_model  # noqa: E402
from tests.factories import make_raster  # noqa: E402


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> dict[str, jobs.Job]:
    """Three jobs that take seconds."""
    import numpy as np

    folder = tmp_path_factory.mktemp("material")
    model, scene = folder / "model.onnx", folder / "scene.tif"
    make_model(model)
    values = np.random.default_rng(0).integers(500, 4000, (5, 200, 60)).astype(np.int16)
    make_raster(scene, values, wavelengths=CENTRES, fwhm=10.0)
    jobs._write_product(folder / "product")
    return {job.kind: job for job in jobs.quick_jobs(scene, model, folder / "product")}


@pytest.mark.parametrize("kind", ["predict", "import", "models_add"])
def test_nothing_is_half_written_and_nothing_of_others_removed(
    short: dict[str, jobs.Job], tmp_path: Path, kind: str
) -> None:
    row = measure(short[kind], tmp_path / kind, (2, 1, 1, 1), random.Random(kind))
    assert row["wrong"] == 0, row["what"]


def test_the_check_itself_finds_what_is_wrong(short: dict[str, jobs.Job], tmp_path: Path) -> None:
    trial = Trial(short["predict"], tmp_path)
    trial.whole_run()
    assert trial.wrong == []
    before = trial.state()
    (trial.folder / "map.tif").write_bytes((trial.folder / "map.tif").read_bytes()[:-400])
    (trial.folder / "map.tif.part2.rar").write_text("changed")
    (trial.folder / "something.else").touch()
    trial.check_interrupted("damage", before, killed=True)
    found = " ".join(trial.wrong)
    assert "map.tif is no whole file" in found
    assert "map.tif.part2.rar was touched" in found
    assert "something.else" in found
