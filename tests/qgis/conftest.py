"""A QGIS without a window, the plugin as it is installed, and engines that misbehave on demand."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import shutil
import stat
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import pytest

from tools import plugin as assembly

if TYPE_CHECKING:
    from tests.potsdam import Potsdam

NODATA = -32768.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests here where no QGIS is."""
    if importlib.util.find_spec("qgis") is None:
        here = Path(__file__).parent
        for item in items:
            if here in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="this interpreter has no QGIS"))


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of plugins that holds ours as it would be installed."""
    folder = tmp_path_factory.mktemp("plugins")
    assembly.link(folder)
    return folder


@pytest.fixture(scope="session")
def qgis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return the running QgsApplication, with a profile of its own."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ["QGIS_CUSTOM_CONFIG_PATH"] = str(tmp_path_factory.mktemp("profile"))
    from qgis.core import QgsApplication

    application = QgsApplication([], True)
    application.initQgis()
    sys.path.append(os.path.join(QgsApplication.pkgDataPath(), "python", "plugins"))
    from processing.core.Processing import Processing

    Processing.initialize()
    yield application
    application.exitQgis()


@pytest.fixture(scope="session")
def plugin(qgis: Any, plugin_folder: Path) -> Iterator[Any]:
    """Return the plugin, loaded as ``qgis_process`` loads it."""
    sys.path.insert(0, str(plugin_folder))
    # A test of another folder may have imported the plugin from the checkout.
    for name in [name for name in sys.modules if name.partition(".")[0] == assembly.NAME]:
        del sys.modules[name]
    import hyperkd_qgis

    loaded = hyperkd_qgis.classFactory(None)
    loaded.initProcessing()
    yield loaded
    loaded.unload()


@pytest.fixture(autouse=True)
def no_engine_from_outside(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Keep the developer's own choice of an engine, and the checkout's, out of the tests."""
    monkeypatch.delenv("HYPERKD_ENGINE_PYTHON", raising=False)
    monkeypatch.setenv("HYPERKD_ENGINES", str(tmp_path / "engines"))
    if "plugin" in request.fixturenames:
        request.getfixturevalue("plugin")
        monkeypatch.setattr("hyperkd_qgis.settings.checkout_python", lambda: Path("nowhere"))


_FAKE = """\
#!{python} -I
import json, os, signal, sys, time
signal.alarm(120)  # whatever happens to the test, its stand-ins do not live on
arguments = sys.argv[1:]
job_path = arguments[arguments.index("run") + 1]
job = json.load(open(job_path, encoding="utf-8"))
def say(event, **values):
    os.write(1, json.dumps(dict(values, event=event)).encode() + b"\\n")
def hello():
    say("hello", protocol=1, version="0.0.0", pid=os.getpid(), device="cpu")
{body}
"""


@pytest.fixture
def fake_python(tmp_path: Path) -> Callable[[str], Path]:
    """Return a maker of stand-ins for the engine's interpreter.

    The stand-in ignores what it is asked to run and executes the given lines, which
    may use ``job``, ``job_path``, ``arguments``, ``hello()`` and ``say(event, **values)``.
    """

    def make(body: str, name: str = "python") -> Path:
        path = tmp_path / name
        path.write_text(_FAKE.format(python=sys.executable, body=textwrap.dedent(body)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


@pytest.fixture
def use_engine(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Return a chooser of the engine's interpreter for this test."""
    return lambda python: monkeypatch.setenv("HYPERKD_ENGINE_PYTHON", str(python))


@pytest.fixture
def real_engine(use_engine: Callable[[Path], None]) -> Path:
    """Choose an interpreter that runs the real engine: the one of the tests."""
    for module in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"the engine needs {module} for this")
    use_engine(Path(sys.executable))
    return Path(sys.executable)


@pytest.fixture(scope="session")
def quick_python(known_graphs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an interpreter whose engine asks the exporter once for each kind of network."""
    from tests.engine.quick_engine import write_interpreter

    return write_interpreter(tmp_path_factory.mktemp("quick") / "python", known_graphs)


@pytest.fixture
def quick_engine(real_engine: Path, quick_python: Path, use_engine: Callable[[Path], None]) -> Path:
    """Choose the real engine, for jobs of which the export is not what is tested."""
    use_engine(quick_python)
    return quick_python


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Return a function that tells whether a process runs; a zombie does not."""

    def check(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    return check


@pytest.fixture
def write_raster() -> Callable[..., Path]:
    """Return a writer of GeoTIFFs whose band b holds the given rows times b."""

    def write(
        path: Path, rows: Sequence[Sequence[float]], bands: int, names: Sequence[str] = ()
    ) -> Path:
        import numpy as np
        from osgeo import gdal

        values = np.array(rows, np.float32)
        height, width = values.shape
        driver = gdal.GetDriverByName("GTiff")
        dataset = driver.Create(str(path), width, height, bands, gdal.GDT_Float32)
        dataset.SetGeoTransform((300000.0, 30.0, 0.0, 5800000.0, 0.0, -30.0))
        for number in range(1, bands + 1):
            band = dataset.GetRasterBand(number)
            band.SetNoDataValue(NODATA)
            band.WriteArray(np.where(values == NODATA, values, values * number))
            if names:
                band.SetDescription(names[number - 1])
        dataset.FlushCache()
        return path

    return write


@pytest.fixture
def scene(tmp_path: Path, write_raster: Callable[..., Path]) -> Path:
    """Return a small raster of four bands, one of its pixels without data."""
    return write_raster(tmp_path / "scene.tif", [[1.0, 2.0], [3.0, NODATA]], bands=4)


@pytest.fixture
def potsdam(potsdam: Potsdam, tmp_path: Path) -> Potsdam:
    """EnMAP tiles as elsewhere, but copies: QGIS writes statistics beside what it shows."""
    return dataclasses.replace(
        potsdam, folder=shutil.copytree(potsdam.folder, tmp_path / "potsdam")
    )


@pytest.fixture
def one_potsdam(one_potsdam: Potsdam, tmp_path: Path) -> Potsdam:
    """EnMAP tiles as elsewhere, but copies: QGIS writes statistics beside what it shows."""
    return dataclasses.replace(
        one_potsdam, folder=shutil.copytree(one_potsdam.folder, tmp_path / "potsdam")
    )


@pytest.fixture
def registry(plugin: Any) -> Any:
    """Return QGIS's registry, which lists the plugin's algorithms."""
    from qgis.core import QgsApplication

    return QgsApplication.processingRegistry()


@pytest.fixture
def spectral(tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of scenes of 64 x 64 pixels for a toy model of five bands."""
    import numpy as np

    from tests.engine.inference_factories import CENTRES
    from tests.factories import GEOTRANSFORM, make_raster

    def make(name: str, shift: int = 0) -> Path:
        random = np.random.default_rng(shift)
        data = random.integers(500, 600, (5, 64, 64)).astype(np.int16)
        for quarter, (rows, cols) in enumerate(
            [(slice(32), slice(32)), (slice(32), slice(32, 64)), (slice(32, 64), slice(64))]
        ):
            data[(quarter + shift) % 5, rows, cols] += 4000
        left, step, *rest = GEOTRANSFORM
        return make_raster(
            tmp_path / f"{name}.tif",
            data,
            wavelengths=list(CENTRES),
            fwhm=10.0,
            geotransform=(left + 64 * step * shift, step, *rest),
        )

    return make


@pytest.fixture
def classifier(tmp_path: Path) -> str:
    """Return a model that takes the brightest of five bands for the class."""
    from tests.engine.inference_factories import make_model

    return str(make_model(tmp_path / "brightest.onnx"))


@pytest.fixture(scope="module")
def land(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a scene that has the bands of EnMAP, and polygons on it."""
    from tests.qgis.landscape import write_polygons, write_scene

    folder = tmp_path_factory.mktemp("land")
    write_scene(folder / "scene.tif")
    write_polygons(folder / "labels.gpkg")
    return folder


@pytest.fixture
def wait(qgis: Any) -> Callable[..., None]:
    """Return a function that lets the event loop work until a condition holds."""
    from qgis.PyQt.QtWidgets import QApplication

    def run(condition: Callable[[], object], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            QApplication.processEvents()
            time.sleep(0.01)
        assert condition()

    return run


@pytest.fixture
def feedback(qgis: Any) -> Any:
    """Return a feedback that keeps what it was told, in ``said`` and ``steps``."""
    from qgis.core import QgsProcessingFeedback

    class Recorder(QgsProcessingFeedback):
        def __init__(self) -> None:
            super().__init__(False)
            self.said: list[tuple[str, str]] = []
            self.steps: list[float] = []
            self.progressChanged.connect(self.steps.append)

        def pushInfo(self, text: str) -> None:
            self.said.append(("info", text))

        def pushWarning(self, text: str) -> None:
            self.said.append(("warning", text))

        def pushDebugInfo(self, text: str) -> None:
            self.said.append(("debug", text))

        def reportError(self, text: str, fatalError: bool = False) -> None:
            self.said.append(("error", text))

        def setProgressText(self, text: str) -> None:
            self.said.append(("stage", text))

    return Recorder()


@pytest.fixture
def interface(plugin: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a window of QGIS without a QGIS around it."""
    from hyperkd_qgis import messages
    from hyperkd_qgis.ui import notices, run_on_layer
    from tests.qgis.interface import Interface

    monkeypatch.setenv("HYPERKD_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("HYPERKD_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    made = Interface()
    for module in (messages, notices, run_on_layer):
        monkeypatch.setattr(module, "iface", made)
    return made


@pytest.fixture
def window(interface: Any) -> Iterator[Any]:
    """Return the plugin's part of the window; what it opened is removed at the end."""
    from qgis.PyQt import sip

    from hyperkd_qgis.ui.window import Window

    made = Window(interface)
    yield made
    dialogs = list(made._dialogs.values())
    made.close()
    for dialog in dialogs:
        if not sip.isdeleted(dialog):
            sip.delete(dialog)
