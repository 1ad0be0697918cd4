"""The notebooks of the documents run from top to bottom and hold their pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine import quick_engine

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "notebooks"
NAMES = ("scene_to_map", "compare_students")

pytest.importorskip("torch", reason="notebooks train, which needs torch")


def cells(name: str) -> list[dict[str, Any]]:
    document = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in document["cells"] if cell["cell_type"] == "code"]


def test_these_are_all() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_shows_what_it_made(name: str) -> None:
    outputs = [output for cell in cells(name) for output in cell["outputs"]]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert (FOLDER / f"{name}.ipynb").stat().st_size < 1e6


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name: str, tmp_path: Path, known_graphs: Path) -> None:
    script = tmp_path / "notebook.py"
    script.write_text("\n\n".join("".join(cell["source"]) for cell in cells(name)))
    environment = {
        **os.environ,
        "MPLBACKEND": "Agg",
        "PYTHONPATH": str(FOLDER.parents[1] / "engine"),
    }
    answer = subprocess.run(
        [sys.executable, quick_engine.__file__, str(known_graphs), str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert (tmp_path / name).is_dir()
