"""Making the engine's environment: complete or not at all, and a sentence for every failure."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.qgis.wheels import packed_again, tiny_wheel

ROOT = Path(__file__).resolve().parents[2]
MODULES = {
    "onnxruntime": "onnxruntime",
    "onnx": "onnx",
    "safetensors": "safetensors",
    "scikit-learn": "sklearn",
    "torch": "torch",
    "onnxscript": "onnxscript",
}


def pinned(tier: str) -> dict[str, str]:
    """Return the versions that the list of a tier pins for this Python."""
    from packaging.requirements import Requirement

    from hyperkd_qgis.env.pins import TIERS

    lines = [line for line in TIERS[tier].text.splitlines() if not line.startswith("#")]
    found = [Requirement(line) for line in lines if line]
    return {
        each.name: str(next(iter(each.specifier)).version)
        for each in found
        if each.marker is None or each.marker.evaluate()
    }


@pytest.fixture
def listener(plugin):
    """Return a listener that keeps what it hears; ``cancel_at`` is a text that cancels."""
    from hyperkd_qgis.env.request import SetupListener

    class Recorder(SetupListener):
        def __init__(self):
            self.lines, self.stages, self.percents = [], [], []
            self.cancel_at, self.cancelled_at = "", 0.0

        def line(self, text):
            self.lines.append(text)
            if self.cancel_at and self.cancel_at in text and not self.cancelled_at:
                self.cancelled_at = time.monotonic()

        def stage(self, text):
            self.stages.append(text)

        def progress(self, percent):
            self.percents.append(percent)

        def is_cancelled(self):
            return bool(self.cancelled_at)

    return Recorder()


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "engines"


@pytest.fixture
def wheels(plugin, tmp_path, monkeypatch) -> Path:
    """Return a folder with a tiny wheel of everything that inference needs.

    The settings of pip on this machine, constraints above all, have no say in it.
    """
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_CONSTRAINT", raising=False)
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, version in pinned("inference").items():
        tiny_wheel(folder, name, version, MODULES[name])
    return folder


@pytest.fixture
def no_student(plugin, monkeypatch):
    """Leave out the last check: tiny packages cannot read a student."""
    from hyperkd_qgis.env import verify

    fine = verify.Finding("hyperkd", True, "0.0.0")
    monkeypatch.setattr(verify, "_engine_reads_a_student", lambda engine, ear: fine)


def setup(listener, **values):
    from hyperkd_qgis.env.request import Request
    from hyperkd_qgis.env.setup import set_up

    return set_up(Request(**values), listener)


def folders(root: Path) -> list[str]:
    """Return what lies in the folder of environments, the cache and the log aside."""
    if not root.is_dir():
        return []
    return sorted(path.name for path in root.iterdir() if path.name not in ("cache", "setup.log"))


# A Python that answers our question and makes an environment of itself; the pip of that
# environment does as the test says. The answer of each step is a line of shell.
_SHELL_PYTHON = """\
#!/bin/sh
case "$*" in
  *sys.version_info*) echo '{answer}' ;;
  *"-m venv"*) {venv} ;;
  *"-m ensurepip"*) {ensurepip} ;;
  *_vendor.certifi*) echo 'OWN AUTHORITIES' ;;
  *"-m pip"*) {pip} ;;
  *probe.py*) {probe} ;;
esac
"""
# A probe that finds everything.
_TELLS_ALL = (
    "shift 4; for name in python $*; do "
    'echo "{\\"name\\": \\"$name\\", \\"version\\": \\"1\\"}"; done'
)
_ANSWER = {
    "version": "3.11.2",
    "prefix": "/usr",
    "numpy": "1.24.2",
    "gdal": "3.6.2",
    "venv": True,
    "pip": False,
    "ensurepip": True,
    "ssl": True,
}


@pytest.fixture
def shell_python(plugin, monkeypatch, tmp_path):
    """Return a maker of a QGIS whose Python is a shell script."""
    from hyperkd_qgis.env import base_python

    def make(*, answer=None, **steps):
        path = tmp_path / "shell-python"
        known = {
            "answer": json.dumps({**_ANSWER, **(answer or {})}),
            "venv": f'for last; do :; done; mkdir -p "$last/bin"; cp {path} "$last/bin/python"',
            "ensurepip": "true",
            "pip": "true",
            "probe": "exit 1",
        }
        path.write_text(_SHELL_PYTHON.format(**{**known, **steps}))
        path.chmod(0o755)
        monkeypatch.setattr(base_python, "candidates", lambda: [path])
        return path

    return make


def refused(listener, **values) -> str:
    """Return the code of a set-up that fails; its sentence is the last of ``listener.lines``."""
    from hyperkd_qgis.env.request import SetupFailed

    with pytest.raises(SetupFailed) as caught:
        setup(listener, **values)
    listener.lines.append(str(caught.value))
    return caught.value.reason.code


# --- the list ---------------------------------------------------------------------------


def test_the_pins_agree_with_the_bounds_of_the_engine(plugin):
    """One list: pyproject.toml says what is allowed, the plugin which of it was tried."""
    import tomllib
    from packaging.requirements import Requirement

    from hyperkd_qgis.env.pins import TIERS

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    allowed: dict[str, list[Requirement]] = {}
    for text in (*project["dependencies"], *extras["onnx"], *extras["assess"], *extras["train"]):
        allowed.setdefault(Requirement(text).name, []).append(Requirement(text))
    wanted = {
        "inference": {"onnxruntime", "onnx", "safetensors", "scikit-learn"},
        "training": {"torch", "onnxscript"},
    }
    for tier, names in wanted.items():
        lines = [line for line in TIERS[tier].text.splitlines() if not line.startswith("#")]
        found = [Requirement(line) for line in lines if line]
        assert {each.name for each in found} == names
        for each in found:
            (pin,) = each.specifier
            assert pin.operator == "=="
            branch = re.search(r'"(3\.\d+)"', str(each.marker)) if each.marker else None
            python = branch[1] if branch else "3.11"
            bounds = [
                bound.specifier
                for bound in allowed[each.name]
                if bound.marker is None or bound.marker.evaluate({"python_version": python})
            ]
            assert bounds
            assert all(pin.version in bound for bound in bounds), each


def test_every_supported_python_has_exactly_one_pin_of_each(plugin):
    from packaging.requirements import Requirement

    from hyperkd_qgis.env.pins import TIERS

    for tier in TIERS.values():
        lines = [line for line in tier.text.splitlines() if line and not line.startswith("#")]
        found = [Requirement(line) for line in lines]
        for branch in ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14"):
            names = [
                each.name
                for each in found
                if each.marker is None or each.marker.evaluate({"python_version": branch})
            ]
            assert sorted(names) == sorted({each.name for each in found}), branch


def test_another_list_another_build_another_tier_is_another_fingerprint(plugin, monkeypatch):
    from hyperkd_qgis.env import pins

    both = ("inference", "training")
    found = {
        pins.fingerprint(tiers, compute)
        for tiers in (("inference",), both)
        for compute in pins.COMPUTE
    }
    assert len(found) == 4
    before = pins.fingerprint(both, "cpu")
    monkeypatch.setattr(pins.Tier, "text", property(lambda self: "# a remark\nonnx==1\n"))
    changed = pins.fingerprint(both, "cpu")
    monkeypatch.setattr(pins.Tier, "text", property(lambda self: "# another\nonnx==1\n"))
    assert pins.fingerprint(both, "cpu") == changed != before


@pytest.mark.parametrize(
    ("compute", "platform", "version", "build"),
    [
        ("cpu", "linux", (3, 11), "cpu"),
        ("gpu", "linux", (3, 11), ""),
        ("cpu", "win32", (3, 11), ""),
        ("gpu", "win32", (3, 12), "cu130"),
        ("gpu", "win32", (3, 9), "cu128"),
        ("cpu", "darwin", (3, 11), ""),
    ],
)
def test_pytorchs_index_is_asked_only_for_what_the_package_index_lacks(
    plugin, compute, platform, version, build
):
    from hyperkd_qgis.env.pins import TORCH_INDEX, torch_index, with_build

    index = torch_index(compute, platform, version)
    assert index == (TORCH_INDEX + build if build else "")
    text = with_build('torch==2.13.0; python_version >= "3.10"\nonnxscript==1\n', index)
    suffix = f"+{build}" if build else ""
    assert text.splitlines() == [
        f'torch==2.13.0{suffix}; python_version >= "3.10"',
        "onnxscript==1",
    ]


def test_the_index_of_pytorch_can_be_a_mirror(plugin, monkeypatch):
    from hyperkd_qgis.env.pins import TORCH_INDEX_VARIABLE, torch_index, torch_version

    monkeypatch.setenv(TORCH_INDEX_VARIABLE, "http://mirror.example.org/torch/")
    assert torch_index("cpu", "linux") == "http://mirror.example.org/torch/cpu"
    assert (torch_version((3, 9)), torch_version((3, 13))) == ("2.8.0", "2.13.0")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the package index has that build")
@pytest.mark.parametrize(
    ("configured", "own", "code"),
    [("2.13.0", "", "no_build"), ("2.13.0", "2.13.0+cpu", ""), ("2.13.0+cpu", "", "")],
)
def test_a_build_for_gpus_is_never_fetched_for_the_processor(
    shell_python, no_student, listener, root, tmp_path, configured, own, code
):
    """Where only that is to be had, the set-up ends before it, and says how large it is."""
    said = tmp_path / "asked"
    shell_python(
        pip=f'echo "$*" >> {said}; case "$*" in\n'
        f"    *--index-url\\ *index\\ versions*|*index\\ versions*--index-url*) "
        f"echo 'Available versions: {own}' ;;\n"
        f"    *index\\ versions*) echo 'Available versions: {configured}' ;; esac",
        probe=_TELLS_ALL,
    )
    if not code:
        made = setup(listener, tiers=("training",))
        assert made.tiers == ("inference", "training")
        last = said.read_text().splitlines()[-1]
        assert ("--extra-index-url" in last) == bool(own)
        return
    assert refused(listener, tiers=("training",)) == code
    assert "torch 2.13.0+cpu is not available" in listener.lines[-1]
    assert "about 2.8 GB to download and 7.0 GB on the disk" in listener.lines[-1]
    assert "HYPERKD_TORCH_INDEX" in listener.lines[-1]
    asked = [line for line in said.read_text().splitlines() if " index versions " in line]
    assert len(asked) == 2 and not [line for line in asked if "install" in line]
    assert "training.txt" not in said.read_text()


def test_tiers_build_on_each_other(plugin):
    from hyperkd_qgis.env.pins import cumulative, requirements

    assert cumulative(["training"]) == ("inference", "training")
    assert cumulative(["inference"]) == ("inference",)
    with pytest.raises(ValueError, match="no tier is called gaming"):
        cumulative(["gaming"])
    assert "onnxruntime-gpu[cuda,cudnn]==" in requirements("inference", "gpu")
    assert "\nonnxruntime==" not in requirements("inference", "gpu")
    assert requirements("training", "gpu") == requirements("training", "cpu")


# --- which environment holds -------------------------------------------------------------


def stamp(root: Path, name: str, **values) -> Path:
    """Write an environment with nothing in it but its stamp and its interpreter."""
    import platform

    from hyperkd_qgis.env.managed import Environment, venv_python
    from hyperkd_qgis.env.pins import fingerprint

    folder = root / name
    venv_python(folder).parent.mkdir(parents=True)
    venv_python(folder).symlink_to(sys.executable)
    known = {
        "base": sys.base_prefix,
        "python_version": platform.python_version(),
        "tiers": ("inference",),
        "compute": "cpu",
        "pins": fingerprint(("inference",), "cpu"),
        "made": "2026-01-01T00:00:00+00:00",
    }
    Environment(folder=folder, **{**known, **values}).write()
    return folder


def test_the_newest_complete_environment_of_this_python_holds(plugin, root):
    from hyperkd_qgis import settings
    from hyperkd_qgis.env import managed

    assert managed.find() is None
    (root / "3.11-half" / "bin").mkdir(parents=True)
    old = stamp(root, "3.11-old")
    new = stamp(root, "3.11-new", made="2026-02-01T00:00:00+00:00")
    stamp(root, "3.11-other", base="/opt/other-qgis", made="2027-01-01T00:00:00+00:00")
    stamp(root, "3.11-unknown", tiers=("gaming",), made="2027-01-01T00:00:00+00:00")
    (root / "3.11-damaged").mkdir()
    (root / "3.11-damaged" / managed.STAMP).write_text("{")
    assert managed.find().folder == new
    assert settings.interpreter() == settings.Interpreter(
        managed.venv_python(new), "managed", managed.find()
    )
    assert settings.problem() == ""
    assert managed.remove(new)
    assert managed.find().folder == old
    assert not new.exists()


def test_a_choice_goes_before_the_managed_environment(plugin, root, use_engine):
    from hyperkd_qgis import settings

    stamp(root, "3.11-made")
    use_engine(Path("/named/python"))
    assert settings.interpreter().origin == "environment"


def test_an_environment_of_another_python_is_named_and_not_started(plugin, root):
    from qgis.core import QgsApplication

    stamp(root, "3.9-old", python_version="3.9.18")
    algorithm = QgsApplication.processingRegistry().algorithmById("hyperkd:embed")
    can, reason = algorithm.canExecute()
    assert not can
    assert reason.startswith("HyperKD's engine was set up for Python 3.9.18, but QGIS now has ")
    assert "hyperkd:setupengine" in reason
    # one that fits goes before, however old it is
    stamp(root, "3.11-older", made="2020-01-01T00:00:00+00:00")
    assert algorithm.canExecute() == (True, "")


def test_an_upgraded_list_keeps_the_environment_and_says_so(plugin, root):
    from hyperkd_qgis import settings
    from hyperkd_qgis.env import managed

    stamp(root, "3.11-made", pins="0123456789abcdef")
    assert not managed.find().is_current
    assert managed.find().fits
    assert settings.problem() == ""


def test_leftovers_are_what_nobody_works_on(plugin, root):
    from hyperkd_qgis.env import managed

    stamp(root, "3.11-complete")
    ours = ("3.11-half_old", "tmp-half_old")
    # What a user keeps in the folder that HYPERKD_ENGINES names is nobody's to remove.
    foreign = ("cache", "project", "3.11", "3.11-backup-of-mine", "tmp-notes")
    for name in (*ours, *foreign, "3.11-running_"):
        (root / name).mkdir()
    (root / "3.11-a_link__").symlink_to(root / "project")
    for name in (*ours, *foreign, "3.11-complete"):
        os.utime(root / name, (1, 1))
    assert [path.name for path in managed.leftovers(root)] == list(ours)


@pytest.mark.parametrize(
    ("platform", "files", "executable", "expected"),
    [
        ("linux", ["bin/python3.11", "bin/python3"], "bin/qgis", 2),
        ("win32", ["python.exe", "python3.exe"], "bin/qgis-bin.exe", 2),
        ("darwin", ["MacOS/bin/python3", "MacOS/QGIS"], "MacOS/QGIS", 1),
        ("linux", ["bin/qgis"], "bin/qgis", 0),
    ],
)
def test_qgis_python_is_looked_for_where_each_system_has_it(
    plugin, tmp_path, platform, files, executable, expected
):
    from hyperkd_qgis.env.base_python import candidates

    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    found = candidates(
        platform=platform,
        prefix=str(tmp_path),
        executable=str(tmp_path / executable),
        version=(3, 11),
    )
    assert found == [tmp_path / each for each in files[:expected]]


# --- a whole set-up ----------------------------------------------------------------------


def test_a_folder_of_wheels_is_enough(no_student, listener, wheels, root, monkeypatch):
    from hyperkd_qgis import settings
    from hyperkd_qgis.env import managed

    # Neither the network nor the user's configuration of pip has a say.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_TARGET", str(root / "elsewhere"))
    made = setup(listener, wheels=wheels)
    assert settings.interpreter().path == made.python
    assert settings.problem() == ""
    assert made.is_current
    assert made.fits
    assert dict(made.packages) | {"python": "", "hyperkd": "", "numpy": "", "osgeo.gdal": ""} == {
        **{MODULES[name]: version for name, version in pinned("inference").items()},
        **{"python": "", "hyperkd": "", "numpy": "", "osgeo.gdal": ""},
    }
    assert folders(root) == [made.folder.name]
    assert listener.percents == sorted(listener.percents)
    assert listener.percents[-1] == 100
    assert listener.stages[0] == "Looking for QGIS's Python"
    # numpy and GDAL are those of QGIS: nothing of them was installed beside it
    code = "import numpy, osgeo, onnx; print(numpy.__file__, osgeo.__file__, onnx.__file__)"
    answer = subprocess.run(
        [made.python, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    numpy, osgeo, onnx = (Path(each) for each in answer.stdout.split())
    assert made.folder not in numpy.parents
    assert made.folder not in osgeo.parents
    assert made.folder in onnx.parents
    # a second one takes its place, and the first goes
    again = setup(listener, wheels=wheels)
    assert again.folder != made.folder
    assert managed.find() == again
    assert folders(root) == [again.folder.name]
    assert "== Checking the packages" in (root / "setup.log").read_text()


def test_an_environment_in_which_a_training_runs_is_not_removed(
    no_student, shell_python, listener, root, tmp_path, monkeypatch
):
    from hyperkd_qgis.env import managed

    monkeypatch.setenv("HYPERKD_JOBS", str(tmp_path / "jobs"))
    old = stamp(root, "3.11-old", base="/usr", python_version="3.11.2")
    folder = tmp_path / "jobs" / "training"
    folder.mkdir(parents=True)
    (folder / "alive").touch()
    (folder / "info.json").write_text(json.dumps({"python": str(old / "bin" / "python")}))
    shell_python(probe=_TELLS_ALL)
    made = setup(listener)
    assert old.exists()
    assert any("is still in use" in line for line in listener.lines)
    os.utime(folder / "alive", (1, 1))
    again = setup(listener)
    assert not old.exists()
    assert not made.folder.exists()
    assert managed.environments(root) == [again]


def test_a_missing_wheel_is_named_and_what_was_there_stays(no_student, listener, wheels, root):
    from hyperkd_qgis.env import managed

    before = stamp(root, "3.11-before")
    next(wheels.glob("safetensors-*")).unlink()
    assert refused(listener, wheels=wheels) == "not_there"
    version = pinned("inference")["safetensors"]
    assert f"has no safetensors=={version} for this Python" in listener.lines[-1]
    assert folders(root) == ["3.11-before"]
    assert managed.find().folder == before


def test_a_package_that_cannot_be_imported_fails_the_set_up(no_student, listener, wheels, root):
    version = pinned("inference")["onnx"]
    body = "raise ImportError('DLL load failed while importing onnx_cpp2py_export')"
    tiny_wheel(wheels, "onnx", version, "onnx", body)
    assert refused(listener, wheels=wheels) == "dll"
    assert "Visual C++ Redistributable" in listener.lines[-1]
    assert folders(root) == []


def test_a_package_that_takes_the_process_along_is_named(plugin, shell_python, listener, root):
    told = '{"name": "python", "version": "3.11.2"}\\n{"name": "numpy", "version": "1"}'
    shell_python(probe=f"printf '{told}\\n'; kill -ILL $$")
    assert refused(listener) == "unknown"
    assert "osgeo.gdal: Importing it ended the interpreter" in listener.lines[-1]
    assert folders(root) == []


def test_cancel_in_the_middle_leaves_nothing_and_is_quick(shell_python, listener, root):
    from hyperkd_qgis.env.request import SetupCancelled

    shell_python(pip="echo Collecting onnx; exec sleep 60")
    listener.cancel_at = "Collecting onnx"
    with pytest.raises(SetupCancelled):
        setup(listener)
    assert time.monotonic() - listener.cancelled_at < 1
    assert folders(root) == []


def test_where_fine_tuning_fails_inference_stands(no_student, listener, wheels, root):
    from hyperkd_qgis.env import managed

    assert refused(listener, wheels=wheels, tiers=("training",)) == "not_there"
    assert "has no torch==" in listener.lines[-1]
    made = managed.find()
    assert made.tiers == ("inference",)
    assert folders(root) == [made.folder.name]
    for name, version in pinned("training").items():
        tiny_wheel(wheels, name, version, MODULES[name])
    more = setup(listener, wheels=wheels, tiers=("training",))
    assert more.tiers == ("inference", "training")
    assert folders(root) == [more.folder.name]


@pytest.fixture
def pins_of_this_interpreter(plugin, monkeypatch, tmp_path):
    """Pin the versions that run these tests, whatever the list of the plugin says.

    Wheels can be packed again of what is installed alone.
    """
    from importlib import metadata

    folder = tmp_path / "requirements"
    folder.mkdir()
    names = list(pinned("inference"))
    lines = [f"{name}=={metadata.version(name)}\n" for name in names]
    (folder / "inference.txt").write_text("".join(lines), encoding="ascii")
    monkeypatch.setattr("hyperkd_qgis.env.pins.FOLDER", folder)


@pytest.mark.slow
def test_the_real_packages_from_a_folder_run_the_real_engine(
    listener, root, tmp_path, pins_of_this_interpreter
):
    """Everything as a user without a network has it; the wheels are those of this interpreter."""
    import processing

    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    pins = pinned("inference")
    packed_again(folder, list(pins))
    made = setup(listener, wheels=folder)
    assert made.packages["onnxruntime"] == pins["onnxruntime"]
    assert made.packages["hyperkd"]
    # the environment is found without any setting, and a real algorithm runs in it
    raster = tmp_path / "scene.tif"
    _ramp(raster)
    told = {"BANDS": "enmap", "SCALE": 1e-4, "OUTPUT": str(tmp_path / "report.html")}
    results = processing.run("hyperkd:inspect", {"INPUT": str(raster), **told})
    assert results["SUITS"] is True


def _ramp(path: Path) -> None:
    import numpy as np
    from osgeo import gdal

    dataset = gdal.GetDriverByName("GTiff").Create(str(path), 16, 16, 224, gdal.GDT_Int16)
    for band in range(224):
        values = np.arange(256, dtype=np.int16).reshape(16, 16) + 10 * band + 100
        dataset.GetRasterBand(band + 1).WriteArray(values)
    dataset.FlushCache()


# --- the algorithm -----------------------------------------------------------------------


def test_the_algorithm_sets_up_without_a_window(no_student, wheels, root, feedback):
    import processing
    from qgis.core import QgsApplication

    from hyperkd_qgis.env import managed

    results = processing.run("hyperkd:setupengine", {"WHEELS": str(wheels)}, feedback=feedback)
    made = managed.find()
    assert results["PYTHON"] == str(made.python)
    pins = pinned("inference")
    assert f"onnxruntime {pins['onnxruntime']}" in results["PACKAGES"].splitlines()
    assert feedback.steps[-1] == 100
    assert ("stage", "Fetching the packages") in feedback.said
    algorithm = QgsApplication.processingRegistry().algorithmById("hyperkd:embed")
    assert algorithm.canExecute() == (True, "")


def test_the_algorithm_fails_with_a_sentence(shell_python, feedback, root):
    import processing
    from qgis.core import QgsProcessingException

    shell_python(answer={"venv": False})
    with pytest.raises(QgsProcessingException, match=r"cannot make virtual .* python3-venv"):
        processing.run("hyperkd:setupengine", {}, feedback=feedback)
    with pytest.raises(QgsProcessingException, match=r"There is no folder /nowhere"):
        processing.run("hyperkd:setupengine", {"WHEELS": "/nowhere"}, feedback=feedback)


def test_a_cancelled_algorithm_leaves_nothing(shell_python, feedback, root):
    import processing

    shell_python(pip="echo Collecting; exec sleep 60")
    feedback.progressChanged.connect(lambda step: step >= 8 and feedback.cancel())
    assert processing.run("hyperkd:setupengine", {}, feedback=feedback) == {}
    assert folders(root) == []


# --- what can go wrong -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "code", "sentence"),
    [
        ("ERROR: HTTP error 407 Proxy Authentication Required", "proxy_password", "Network"),
        ("ProxyError('Cannot connect to proxy.', ...)", "proxy", "refused or did not answer"),
        ("SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'))", "certificate", "M"),
        ("ERROR: [Errno 28] No space left on device", "disk", "no space left"),
        ("OSError: [Errno 30] Read-only file system: 'x'", "folder", "cannot be written"),
        ("PermissionError: [WinError 5] Access is denied", "folder", "virus scanner"),
        ("NewConnectionError(... Name or service not known)", "no_network", "cannot be reached"),
        ("ERROR: No matching distribution found for onnx==1.0", "not_there", "no onnx==1.0"),
        (
            "    The user requested torch==2.13.0\n    The user requested (constraint) torch<2.12\n"
            "ERROR: Cannot install torch==2.13.0 because these package versions have conflicting "
            "dependencies.\nERROR: ResolutionImpossible: for help visit https://pip.pypa.io/",
            "conflict",
            "No torch==2.13.0 fits pip's settings on this machine (constraints: torch<2.12).",
        ),
        ("Missing dependencies for SOCKS support.", "socks", "SOCKS"),
        ("zipfile.BadZipFile: File is not a zip file", "hash", "damaged"),
        ("something nobody has seen", "unknown", "something nobody has seen"),
    ],
)
def test_what_pip_says_becomes_a_sentence(
    shell_python, listener, root, monkeypatch, said, code, sentence
):
    from hyperkd_qgis.env import steps

    monkeypatch.setattr(steps, "PAUSE_S", 0.1)
    shell_python(pip=f"cat <<'END'\n{said}\nEND\nexit 1")
    assert refused(listener) == code
    assert sentence in listener.lines[-1]
    assert "Traceback" not in listener.lines[-1]
    assert folders(root) == []


def test_a_broken_connection_is_tried_again(
    shell_python, no_student, listener, monkeypatch, tmp_path
):
    from hyperkd_qgis.env import steps

    monkeypatch.setattr(steps, "PAUSE_S", 0.1)
    counter = tmp_path / "count"
    shell_python(
        pip=f"echo x >> {counter}; [ $(wc -l < {counter}) = 2 ] || "
        "{ echo 'ReadTimeoutError(...)'; exit 1; }",
        probe=_TELLS_ALL,
    )
    made = setup(listener)
    assert made.packages["onnxruntime"] == "1"
    assert counter.read_text().split() == ["x", "x"]
    assert "The connection broke; trying once more." in listener.lines


@pytest.mark.parametrize(
    "answer", [{"venv": False}, {"ensurepip": False, "pip": False}], ids=["venv", "pip"]
)
def test_a_python_without_venv_or_pip_says_what_to_install(shell_python, listener, root, answer):
    shell_python(answer=answer)
    assert refused(listener) == "venv"
    assert "python3-venv" in listener.lines[-1]
    assert folders(root) == []


def test_without_ensurepip_the_systems_pip_serves(shell_python, no_student, listener):
    shell_python(
        answer={"ensurepip": False, "pip": True},
        ensurepip="exit 1",
        probe=_TELLS_ALL,
    )
    assert setup(listener).packages["onnx"] == "1"


def test_a_qgis_without_a_python_of_its_own_is_told(shell_python, listener, root):
    shell_python(answer={"gdal": ""})
    assert refused(listener) == "no_base"
    assert "interpreter that you already have" in listener.lines[-1]
    assert folders(root) == []


def test_a_full_disk_is_told_before_anything_is_fetched(shell_python, listener, root, monkeypatch):
    from collections import namedtuple

    from hyperkd_qgis.env import steps

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(steps.shutil, "disk_usage", lambda path: usage(10**9, 10**9, 5_000_000))
    shell_python()
    assert refused(listener) == "disk"
    assert f"{root} has 5 MB free; about " in listener.lines[-1]
    assert "HYPERKD_ENGINES" in listener.lines[-1]
    assert folders(root) == []


def test_a_folder_that_cannot_be_made_is_told(shell_python, listener, tmp_path):
    (tmp_path / "file").touch()
    shell_python()
    root = tmp_path / "file" / "engines"
    assert refused(listener, root=root) == "folder"
    assert f"{root} cannot be written: " in listener.lines[-1]


def test_a_read_only_folder_is_told(shell_python, listener, root, monkeypatch):
    import tempfile

    def mkdtemp(**options):
        raise PermissionError(13, "Permission denied", str(root))

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    shell_python()
    assert refused(listener) == "folder"
    assert "HYPERKD_ENGINES" in listener.lines[-1]


def test_a_folder_of_wheels_that_is_not_there_is_named(shell_python, listener, root, tmp_path):
    shell_python()
    assert refused(listener, wheels=tmp_path / "nowhere") == "no_wheels"
    assert f"There is no folder {tmp_path / 'nowhere'}." in listener.lines[-1]
    assert folders(root) == []


# --- the network of QGIS -----------------------------------------------------------------


@pytest.fixture
def proxy(qgis):
    """Return a setter of QGIS's proxy, and set it back at the end."""
    from qgis.core import QgsNetworkAccessManager
    from qgis.PyQt.QtNetwork import QNetworkProxy

    manager = QgsNetworkAccessManager.instance()
    before = manager.fallbackProxy(), manager.excludeList(), manager.noProxyList()

    def choose(kind, host="proxy.example", port=3128, user="", password="", excluded=()):
        proxy = QNetworkProxy(getattr(QNetworkProxy.ProxyType, kind), host, port, user, password)
        manager.setFallbackProxyAndExcludes(proxy, list(excluded), [])

    yield choose
    manager.setFallbackProxyAndExcludes(*before)


def test_the_proxy_of_qgis_reaches_pip_and_its_password_no_log(
    plugin, proxy, shell_python, listener, root, monkeypatch, tmp_path
):
    from hyperkd_qgis.env import network, steps

    monkeypatch.setattr(steps, "PAUSE_S", 0.1)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    proxy("HttpProxy", user="anna", password="p@ss/word", excluded=["http://intranet.example/x"])
    found = network.from_qgis()
    seen = tmp_path / "seen"
    shell_python(pip=f"env > {seen}; echo \"via $HTTPS_PROXY\"; echo 'ProxyError'; exit 1")
    assert refused(listener, network=found) == "proxy"
    variables = dict(line.split("=", 1) for line in seen.read_text().splitlines() if "=" in line)
    address = "http://anna:p%40ss%2Fword@proxy.example:3128"
    assert variables["HTTPS_PROXY"] == variables["http_proxy"] == address
    assert variables["NO_PROXY"] == "intranet.example"
    # temporary files and the cache are on the volume of the environment
    assert Path(variables["TMPDIR"]).parent == root
    assert variables["PIP_CACHE_DIR"] == str(root / "cache")
    assert "via http://***@proxy.example:3128" in listener.lines
    everything = "\n".join(listener.lines) + (root / "setup.log").read_text()
    assert "p@ss" not in everything
    assert "p%40ss" not in everything
    assert found.summary.startswith("HTTP proxy of QGIS with a login")


def test_a_socks_proxy_is_refused_with_a_way_out(plugin, proxy, shell_python, listener, root):
    from hyperkd_qgis.env import network

    proxy("Socks5Proxy")
    shell_python()
    assert refused(listener, network=network.from_qgis()) == "socks"
    assert "SOCKS proxy, which pip cannot use" in listener.lines[-1]
    assert folders(root) == []


def test_without_a_proxy_of_qgis_the_environment_is_left_alone(plugin, proxy):
    from hyperkd_qgis.env import network

    proxy("NoProxy")
    assert network.from_qgis().variables == {}


def test_the_certificates_of_qgis_and_pips_own_are_both_trusted(
    plugin, shell_python, listener, monkeypatch, tmp_path
):
    from hyperkd_qgis.env.network import Network

    monkeypatch.delenv("PIP_CERT", raising=False)
    seen = tmp_path / "seen"
    shell_python(pip=f'cat "$PIP_CERT" > {seen}; exit 1')
    refused(listener, network=Network(certificates="COMPANY AUTHORITY"))
    assert seen.read_text().split("\n")[:2] == ["COMPANY AUTHORITY", "OWN AUTHORITIES"]


def test_nothing_waits_for_an_answer_on_standard_input(plugin, shell_python, listener):
    shell_python(pip='read answer; echo "read: [$answer]"; exit 1')
    refused(listener)
    assert "read: []" in listener.lines


# --- what others may see -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://anna:secret@host/simple", "https://***@host/simple"),
        ("--index-url https://token@host/", "--index-url https://***@host/"),
        ("https://host/simple", "https://host/simple"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("password=hunter2; next", "password=***; next"),
        ("my p4ss everywhere", "my *** everywhere"),
        ("a@b is no address", "a@b is no address"),
        ("https://anna:pa/ss@host/simple", "https://***@host/simple"),
        ("HF_TOKEN=abc", "HF_TOKEN=***"),
        ("AWS_SECRET_ACCESS_KEY=abc/def+g", "AWS_SECRET_ACCESS_KEY=***"),
        ('{"token": "abc def", "x": 1}', '{"token": ***, "x": 1}'),
        ("{'api_key': 'abc'}", "{'api_key': ***}"),
        ("X-Amz-Signature=abcdef", "X-Amz-Signature=***"),
        ("sig=abcdef&sv=2", "sig=***&sv=2"),
        ("https://host/a?X-Amz-Credential=abc&x=1 next", "https://host/a?*** next"),
        ("the token is hf_abcdefghijklmnop.", "the token is ***."),
        ("design = 3, tokens: 64", "design = 3, tokens: 64"),
    ],
)
def test_credentials_are_scrubbed(plugin, text, expected):
    from hyperkd_qgis.env.scrub import scrub

    assert scrub(text, ["p4ss", ""]) == expected


def test_the_user_is_scrubbed(plugin, monkeypatch):
    from hyperkd_qgis.env.scrub import scrub

    monkeypatch.setenv("HOME", "/home/annika")
    monkeypatch.setenv("LOGNAME", "annika")
    text = "/home/annika/x /home/annika2/x annika@host mannikau"
    assert scrub(text) == "~/x /home/annika2/x <user>@host mannikau"
