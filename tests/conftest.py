"""Fixtures and settings that all tests share."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

if TYPE_CHECKING:
    from tests.potsdam import Potsdam
    from tests.products import Delivery

ROOT = Path(__file__).resolve().parent.parent

# Bare `pytest` on a machine without a screen has to work too.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Two processes run tests, and each starts others: threads would only wait for each other, and
# OpenMP's burn the core while they wait. Small jobs take a fourth of the time with one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
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


def pytest_configure(config: pytest.Config) -> None:
    """Let two processes take the files in our order, not those with the most tests first."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first in their folder, so that both processes end together.

    The one with the most comes first of all: begun late, it would run alone at the end.
    """
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    folders = {folder: n for n, folder in enumerate(dict.fromkeys(i.path.parent for i in items))}
    items.sort(key=lambda item: (folders[item.path.parent], -slow[item.path]))


# Real data, which may not be passed on. Where it is, tests run on it in addition.
REAL = Path(os.environ.get("HYPERKD_SHARED", ROOT.parent / "shared")) / "data"
KINDS = ("simulated", "real") if (REAL / "potsdam").is_dir() else ("simulated",)


@pytest.fixture(scope="session")
def simulated_potsdam(tmp_path_factory: pytest.TempPathFactory) -> Potsdam:
    """Simulated EnMAP tiles of the structure of the real ones, with labels."""
    pytest.importorskip("osgeo.gdal")
    from tests.potsdam import write_potsdam

    return write_potsdam(tmp_path_factory.mktemp("potsdam"))


@pytest.fixture(params=KINDS)
def potsdam(request: pytest.FixtureRequest) -> Potsdam:
    """EnMAP tiles with labels: the simulated ones, and the real ones where they are."""
    return _potsdam(request, request.param)


@pytest.fixture
def one_potsdam(request: pytest.FixtureRequest) -> Potsdam:
    """The real EnMAP tiles where they are, else the simulated ones: for what takes long."""
    return _potsdam(request, KINDS[-1])


def _potsdam(request: pytest.FixtureRequest, kind: str) -> Potsdam:
    simulated: Potsdam = request.getfixturevalue("simulated_potsdam")
    return simulated if kind == "simulated" else type(simulated)(REAL / "potsdam", real=True)


@pytest.fixture(scope="session")
def known_graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where engines of ``quick_engine`` keep graphs, for all processes of this run."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "known-graphs"


@pytest.fixture(scope="session")
def simulated_delivery(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """Return a simulated EnMAP product whose images are empty, as one was delivered."""
    pytest.importorskip("osgeo.gdal")
    from tests.products import write_delivery

    return write_delivery(tmp_path_factory.mktemp("delivery"))


@pytest.fixture(params=KINDS)
def delivery(request: pytest.FixtureRequest, simulated_delivery: Delivery) -> Delivery:
    """Return an EnMAP product whose images are empty: simulated, and real where it is."""
    if request.param == "simulated":
        return simulated_delivery
    folder = REAL / "enmap_product"
    return type(simulated_delivery)(folder / "enmap_L2A.zip", folder / "bands_2022.xml", real=True)
