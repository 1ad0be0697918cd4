"""Make ``.venv`` from QGIS's Python and keep it right: the engine editable, extras by task."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hyperkd_qgis.env import pins, torch_build
from tools.machine import (
    BUILD,
    ROOT,
    Interpreter,
    SetupError,
    clean_environment,
    command_to_type,
    run,
)

VENV = ROOT / ".venv"

# What a task needs beside the base. The demo does without torch on purpose:
# inference must never need it, and it is by far the largest download.
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "demo": ("onnx", "synth"),
    "demo with labels": ("onnx", "assess", "synth", "train"),
    "link": ("onnx", "assess"),
    "bench": ("onnx", "assess", "synth", "train"),
    "test": ("onnx", "assess", "synth", "train", "dev", "dev-train"),
    "test without torch": ("onnx", "assess", "synth", "dev"),
    "check": ("onnx", "assess", "synth", "train", "dev"),
}

# Modules by which we see that an extra is really there.
WITNESSES: Mapping[str, tuple[str, ...]] = {
    "": ("numpy", "safetensors"),
    "onnx": ("onnxruntime", "onnx"),
    "synth": ("prosail", "scipy"),
    "assess": ("sklearn",),
    "train": ("torch", "onnxscript"),
    "dev": (
        "pytest",
        "pytest_timeout",
        "xdist",
        "h5py",
        "hypothesis",
        "skimage",
        "ruff",
        "mypy",
        "bandit",
        "detect_secrets",
    ),
    "dev-train": ("torchmetrics",),
}

# What decides whether an environment is up to date: the requirements, and the
# version that the editable installation records.
SOURCES = ("pyproject.toml", "engine/hyperkd/__init__.py")

PROBE = """
import importlib.util, json, sys
import numpy, hyperkd
print(json.dumps({
    "prefix": sys.prefix,
    "numpy": numpy.__version__,
    "engine": hyperkd.__file__,
    "absent": [name for name in sys.argv[1:] if importlib.util.find_spec(name) is None],
}))
"""

# Prints the version of torch, or nothing.
_TORCH = """
from importlib import metadata
try:
    print(metadata.version("torch"))
except metadata.PackageNotFoundError:
    pass
"""

PIP_ATTEMPTS = 3


def venv_python(folder: Path = VENV) -> Path:
    """Return the path of the interpreter inside a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def constraints(system_numpy: str) -> str:
    """Return pip constraints that keep numpy the one that QGIS's libraries were built for.

    GDAL's bindings, and scipy where the distribution ships it, are compiled
    against the system's numpy: a numpy 2 in front of them crashes on import.
    A system that has numpy 2 already keeps that.
    """
    # A local version (1.26.4+mkl) is not on any index; its public part is.
    return f"numpy=={system_numpy.partition('+')[0]}\n"


def fingerprint(interpreter: Interpreter, root: Path = ROOT) -> str:
    """Return a hash of everything that should lead to a new installation."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((root / name).read_bytes())
    base = os.path.realpath(interpreter.executable)
    version = ".".join(map(str, interpreter.python))
    digest.update(f"{base} {version} {constraints(interpreter.numpy)}{root}".encode())
    return digest.hexdigest()


def problem(folder: Path, interpreter: Interpreter, extras: Iterable[str]) -> str:
    """Return what is wrong with an environment, or an empty string.

    The stamp alone is never trusted: the interpreter has to start, and to find
    the engine of this checkout and a module of every extra.
    """
    wanted = [name for extra in ("", *extras) for name in WITNESSES[extra]]
    try:
        answer = subprocess.run(
            [str(venv_python(folder)), "-I", "-c", PROBE, *wanted],
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            env=clean_environment(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"its Python does not start ({error.__class__.__name__})"
    if answer.returncode != 0:
        return (answer.stderr.strip().splitlines() or [f"status {answer.returncode}"])[-1]
    found = json.loads(answer.stdout.strip().splitlines()[-1])
    if found["absent"]:
        return "it lacks " + ", ".join(found["absent"])
    if not Path(found["engine"]).resolve().is_relative_to(ROOT):
        return f"it has another hyperkd, {found['engine']}"
    if constraints(found["numpy"]) != constraints(interpreter.numpy):
        return f"it has numpy {found['numpy']} beside the system's {interpreter.numpy}"
    return ""


def _read_stamp(folder: Path) -> dict[str, object]:
    try:
        stamp = json.loads((folder / "hyperkd-stamp.json").read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def is_current(folder: Path, key: str, extras: Iterable[str]) -> bool:
    """Return whether the last completed installation was this one, extras included."""
    stamp = _read_stamp(folder)
    installed = stamp.get("extras")
    return stamp.get("key") == key and isinstance(installed, list) and set(extras) <= set(installed)


def ensure(task: str, interpreter: Interpreter) -> Path:
    """Return the Python of ``.venv`` with everything a task needs, installing what is missing.

    Raises:
        SetupError: the environment cannot be made or filled.
    """
    extras = EXTRAS[task]
    key = fingerprint(interpreter)
    if is_current(VENV, key, extras) and not problem(VENV, interpreter, extras):
        return venv_python()
    stamp = _read_stamp(VENV)
    if stamp.get("key") == key and not problem(VENV, interpreter, ()):
        # A later, smaller task must not forget what an earlier one installed.
        known = stamp.get("extras")
        extras = tuple(dict.fromkeys([*(known if isinstance(known, list) else ()), *extras]))
    else:
        create(interpreter)
    (VENV / "hyperkd-stamp.json").unlink(missing_ok=True)
    install(interpreter, extras)
    wrong = problem(VENV, interpreter, extras)
    if wrong:
        raise SetupError(f"{VENV} was installed, but {wrong}.\nDelete that folder and start again.")
    stamp_text = json.dumps({"key": key, "extras": sorted(extras)}, indent=2) + "\n"
    (VENV / "hyperkd-stamp.json").write_text(stamp_text)
    return venv_python()


def create(interpreter: Interpreter) -> None:
    """Make ``.venv`` anew from QGIS's Python, with its site packages in sight."""
    print(f"making {VENV.name} from {interpreter.executable}", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    made = run([interpreter.executable, "-m", "venv", "--system-site-packages", VENV])
    if made != 0:
        raise SetupError(
            f"{interpreter.executable} cannot make a virtual environment (status {made}).\n"
            f"Type this command, then start again:\n\n  {command_to_type(('python3-venv',))}\n"
        )


def install(interpreter: Interpreter, extras: Sequence[str]) -> None:
    """Install the engine editable with extras into ``.venv``."""
    BUILD.mkdir(exist_ok=True)
    pinned = BUILD / "constraints.txt"
    pinned.write_text(constraints(interpreter.numpy))
    print(f"installing the engine with {', '.join(extras)} (some minutes)", flush=True)
    # -qq: pip warns about every index that lacks a package. Editable installs
    # from pyproject.toml alone came with pip 21.3; a newer pip costs nothing.
    pip(["install", "-qq", "pip>=21.3"])
    if "train" in extras:
        install_torch(interpreter, pinned)
    pip(["install", "-qq", "-c", pinned, "-e", f"{ROOT}[{','.join(extras)}]"])


def install_torch(interpreter: Interpreter, pinned: Path) -> None:
    """Install PyTorch's build for the processor where there is no NVIDIA GPU, and say what comes.

    Where the package index has that build anyhow, the engine's own installation brings it.
    Where nobody has it, so does it bring the one for GPUs.
    """
    version = pins.torch_version(interpreter.python[:2])
    index = pins.torch_index("cpu")
    if not index or _said([venv_python(), "-c", _TORCH]).partition("+")[0].strip() == version:
        return
    gpu = torch_build.nvidia_gpu()
    if gpu:
        print(f"PyTorch for NVIDIA GPUs is installed, since this machine has a {gpu}", flush=True)
        return
    ask: list[str | Path] = [venv_python(), "-m", "pip"]
    source = torch_build.find_source(lambda more: _said([*ask, *more]), version, "cpu", index)
    if source in (torch_build.CONFIGURED, torch_build.PYTORCH):
        # For torch and what it needs alone: the rest comes from where it always does.
        more = [] if source == torch_build.CONFIGURED else ["--extra-index-url", index]
        pip(["install", "-qq", "-c", pinned, f"torch=={version}+cpu", *more])
        return
    print(
        f"There is no NVIDIA GPU here, but PyTorch's build for the processor is not available: "
        f"{index} does not answer, or has no {version}. The build for GPUs, which runs here too, "
        f"comes instead: about {pins.TIERS['training'].download_mb['gpu'] / 1000:.1f} GB to "
        "download. To avoid that, stop now (Ctrl+C) and name a mirror of that index in "
        f"{pins.TORCH_INDEX_VARIABLE}, or a folder with the wheel in PIP_FIND_LINKS.",
        flush=True,
    )


def _pip_environment() -> dict[str, str]:
    environment = clean_environment({"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"})
    # Nothing outside the checkout is written, pip's cache included.
    environment.setdefault("PIP_CACHE_DIR", str(BUILD / "cache" / "pip"))
    return environment


def _said(command: Sequence[str | Path]) -> str:
    """Return what a program wrote, to standard error where to standard output nothing."""
    try:
        answer = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            timeout=300,
            stdin=subprocess.DEVNULL,
            env=_pip_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""
    return answer.stdout or answer.stderr


def pip(arguments: Sequence[str | Path]) -> None:
    """Run pip in ``.venv``, again where it fails: most failures are a network's bad moment.

    Raises:
        SetupError: it failed ``PIP_ATTEMPTS`` times.
    """
    environment = _pip_environment()
    command = [venv_python(), "-m", "pip", *arguments]
    for attempt in range(PIP_ATTEMPTS):
        if attempt:
            print(f"pip failed; attempt {attempt + 1} of {PIP_ATTEMPTS}", flush=True)
            time.sleep(5 * attempt)
        if run(command, environment=environment) == 0:
            return
    names = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "PIP_INDEX_URL", "PIP_CERT")
    given = [name for name in names if os.environ.get(name) or os.environ.get(name.lower())]
    raise SetupError(
        f"pip failed {PIP_ATTEMPTS} times; its reason stands above.\n"
        "Behind a proxy set HTTPS_PROXY (and NO_PROXY), with a mirror PIP_INDEX_URL, with a\n"
        f"company certificate PIP_CERT. Set now: {', '.join(given) or 'none of these'}.\n"
        f"To try by hand: {' '.join(str(part) for part in command)}"
    )
