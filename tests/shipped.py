"""The models that lie in the repository, by name; ``test_models_registry`` states them."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "resources" / "students"
NAMES = sorted(path.stem for path in FOLDER.glob("*.onnx"))
