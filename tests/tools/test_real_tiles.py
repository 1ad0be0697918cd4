"""What the benchmarks say where there are no real tiles."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import real_tiles  # noqa: E402


def test_a_folder_without_tiles_is_told_in_one_sentence(tmp_path: Path) -> None:
    sentence = real_tiles.absence(tmp_path / "images", "nothing is measured")
    assert sentence == (
        f"There are no real EnMAP tiles in {tmp_path / 'images'}, so nothing is measured; "
        "HYPERKD_SHARED names the folder that holds data/potsdam."
    )
    with pytest.raises(SystemExit, match="so there is nothing to measure; HYPERKD_SHARED names"):
        real_tiles.require(tmp_path)
    (tmp_path / "a.tif").touch()
    assert real_tiles.absence(tmp_path, "nothing is measured") is None
    real_tiles.require(tmp_path)


def test_no_benchmark_finds_real_data_by_itself() -> None:
    """So that one variable names the folder for all, and each says where there is none."""
    users = set()
    for path in BENCHMARKS.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name != "real_tiles.py":
            assert not re.search(r'"shared"|HYPERKD_SHARED', text), path.name
        if re.search(r"^from real_tiles import .*(absence|require)", text, re.MULTILINE):
            users.add(path.name)
        else:
            assert "POTSDAM /" not in text, path.name
    assert users == {
        *(
            "bench_ablation.py",
            "bench_cover.py",
            "bench_detect.py",
            "bench_embedding.py",
            "bench_few_labels.py",
            "bench_finetune.py",
            "bench_restore.py",
        ),
        *("bench_synth.py", "bench_training.py", "bench_traits.py"),
        *("quantisation_models.py", "train_student.py"),
    }


@pytest.mark.parametrize("name", ["synth", "quantisation"])
def test_a_benchmark_of_real_tiles_alone_ends_with_the_sentence(name: str, tmp_path: Path) -> None:
    for module in ("prosail", "sklearn", "torch", "onnxruntime"):
        pytest.importorskip(module)
    done = subprocess.run(
        [sys.executable, BENCHMARKS / f"bench_{name}.py", "--quick", "--output", tmp_path / "o"],
        env={**os.environ, "HYPERKD_SHARED": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"There are no real EnMAP tiles in {tmp_path / 'data' / 'potsdam' / 'images'}, "
        "so there is nothing to measure; HYPERKD_SHARED names the folder that holds data/potsdam.\n"
    )
