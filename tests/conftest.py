"""Fixtures and settings that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

ROOT = Path(__file__).resolve().parent.parent

# Bare `pytest` on a machine without a screen has to work too.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Nothing leaves the machine, from a test that imports onnxruntime by itself either.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# The models that a user has in store must not change what a test sees.
os.environ["HYPERKD_MODELS"] = str(ROOT / "build" / "models")
# What a machine remembers of self-tests that passed must not hide one that fails.
os.environ["HYPERKD_CACHE"] = os.path.join(os.devnull, "no-folder")

# A failure must be the same on every machine and in every run; `deep` looks further.
set_hypothesis_home_dir(str(ROOT / "build" / "hypothesis"))
_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("steady", derandomize=True, **_common)
settings.register_profile("deep", max_examples=2000, **_common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout, or where HYPERKD_SHARED points."""
    folder = Path(os.environ.get("HYPERKD_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data at {folder} (HYPERKD_SHARED names another folder)")
    return folder
