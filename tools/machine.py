"""Find the Python that imports QGIS and GDAL, and install QGIS where that is allowed."""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"

MINIMUM_PYTHON = (3, 9)

# The variable with which a user points at one interpreter and no other.
QGIS_PYTHON_VARIABLE = "HYPERKD_QGIS_PYTHON"

# Variables of the Python (or virtual environment) that started build.py. They
# would follow us into QGIS's Python and make it load the wrong modules.
FOREIGN_VARIABLES = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "VIRTUAL_ENV",
    "__PYVENV_LAUNCHER__",
    "QGIS_PLUGINPATH",
)

# What apt calls the things we need. python3-qgis does not depend on
# python3-gdal, and Debian keeps `python3 -m venv` in a package of its own.
APT_QGIS = ("qgis", "python3-qgis", "python3-gdal")
APT_VENV = ("python3-venv",)
# A screen in memory, on which the tests start QGIS itself.
APT_SCREEN = ("xvfb", "xauth")

# Runs in a candidate interpreter. A virtual environment answers with the
# interpreter it was made from, because .venv must not be made from itself.
PROBE = """
import importlib.util, json, sys
def version(module, get):
    try:
        return get(__import__(module, fromlist=["x"]))
    except Exception:
        return ""
print(json.dumps({
    "executable": getattr(sys, "_base_executable", "") or sys.executable,
    "virtual": sys.prefix != sys.base_prefix,
    "python": sys.version_info[:3],
    "qgis": version("qgis.core", lambda module: module.Qgis.QGIS_VERSION),
    "gdal": version("osgeo.gdal", lambda module: module.__version__),
    "numpy": version("numpy", lambda module: module.__version__),
    "venv": importlib.util.find_spec("ensurepip") is not None,
}))
"""


class SetupError(Exception):
    """Something is missing that only the user can put right; the text says how."""


@dataclass(frozen=True)
class Interpreter:
    """A Python and what it can import; an empty version means that it cannot."""

    executable: str
    python: tuple[int, ...]
    qgis: str = ""
    gdal: str = ""
    numpy: str = ""
    venv: bool = False

    def missing(self) -> str:
        """Return what this interpreter lacks, in words; empty where it has all."""
        if self.python[:2] < MINIMUM_PYTHON:
            return f"is Python {'.'.join(map(str, self.python))}, older than 3.9"
        absent = [
            name
            for name, found in (("qgis", self.qgis), ("osgeo", self.gdal), ("numpy", self.numpy))
            if not found
        ]
        return "cannot import " + " and ".join(absent) if absent else ""


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without the traces of its own Python."""
    environment = {k: v for k, v in os.environ.items() if k not in FOREIGN_VARIABLES}
    if not any(environment.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG")):
        # Qt turns file names with umlauts into question marks without a locale.
        environment["LANG"] = "C.UTF-8"
    # Tools and libraries keep caches; outside the checkout nothing is written.
    environment["XDG_CACHE_HOME"] = str(BUILD / "cache")
    # onnxruntime's official builds report to their maker unless this is set.
    environment["ORT_DISABLE_TELEMETRY"] = "1"
    environment.update(extra or {})
    return environment


def qgis_environment(
    interpreter: Interpreter, profile: Path, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of a QGIS that has no screen and keeps its own profile.

    Args:
        profile: folder for the profile; the user's own profile is never read or written.
        extra: further variables.
    """
    runtime = BUILD / "run"
    runtime.mkdir(parents=True, exist_ok=True)
    runtime.chmod(0o700)  # Qt refuses a runtime folder that others can read
    profile.mkdir(parents=True, exist_ok=True)
    # The Python inside QGIS takes its library from beside the first python3 on
    # PATH, which may be another one, for instance pyenv's.
    path = [str(Path(interpreter.executable).parent), os.environ.get("PATH", os.defpath)]
    return clean_environment(
        {
            "PATH": os.pathsep.join(path),
            "QT_QPA_PLATFORM": "offscreen",
            "QGIS_CUSTOM_CONFIG_PATH": str(profile),
            "XDG_RUNTIME_DIR": str(runtime),
            # QGIS and Qt keep more than the profile, and keep it in these.
            "XDG_CONFIG_HOME": str(profile / "config"),
            "XDG_DATA_HOME": str(profile / "data"),
            **(extra or {}),
        }
    )


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    log: IO[str] | None = None,
) -> int:
    """Run a command, with its output on this terminal or in a log, and return its exit status."""
    sys.stdout.flush()
    return subprocess.run(
        [str(part) for part in command],
        env=clean_environment() if environment is None else environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=None if log is None else subprocess.STDOUT,
        check=False,
    ).returncode


def candidates() -> list[str]:
    """Return the interpreters that may be QGIS's, likeliest last resort last."""
    places = [sys.executable, "/usr/bin/python3"]
    if sys.platform == "darwin":
        places += sorted(glob.glob("/Applications/QGIS*.app/Contents/MacOS/bin/python3"))
        places += sorted(glob.glob("/Applications/QGIS*.app/Contents/MacOS/python"))
    elif sys.platform == "win32":
        for pattern in (
            r"C:\Program Files\QGIS *\bin\python-qgis*.bat",
            r"C:\OSGeo4W*\bin\python-qgis*.bat",
        ):
            places += sorted(glob.glob(pattern), reverse=True)
    places += [path for name in ("python3", "python") if (path := shutil.which(name))]
    return list(dict.fromkeys(place for place in places if place))


def probe(executable: str) -> Interpreter | str:
    """Ask an interpreter what it can import; return a sentence where it does not answer."""
    try:
        answer = subprocess.run(
            [executable, "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            env=clean_environment(),
            cwd=ROOT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not start ({error.__class__.__name__})"
    lines = answer.stdout.strip().splitlines()
    if answer.returncode != 0 or not lines:
        return f"ended with status {answer.returncode}"
    found = json.loads(lines[-1])
    if found.pop("virtual") and found["executable"] != executable:
        return probe(found["executable"])
    if executable.endswith(".bat"):
        found["executable"] = executable  # on Windows the .bat sets what QGIS's Python needs
    found["python"] = tuple(found["python"])
    return Interpreter(**found)


def find_interpreter(places: Sequence[str] | None = None) -> tuple[Interpreter | None, list[str]]:
    """Return the first interpreter that has QGIS, GDAL and numpy, and why others were passed by.

    Raises:
        SetupError: the user names an interpreter that does not do.
    """
    named = os.environ.get(QGIS_PYTHON_VARIABLE)
    if named:
        found = probe(named)
        reason = found if isinstance(found, str) else found.missing()
        if isinstance(found, str) or reason:
            raise SetupError(
                f"{QGIS_PYTHON_VARIABLE} names {named}, which {reason}.\n"
                "Name the Python that QGIS itself uses, or unset the variable."
            )
        return found, []
    passed_by: list[str] = []
    for place in candidates() if places is None else places:
        found = probe(place)
        reason = found if isinstance(found, str) else found.missing()
        if isinstance(found, Interpreter) and not reason:
            return found, passed_by
        passed_by.append(f"{place} {reason}")
    return None, passed_by


def find_qgis_process(interpreter: Interpreter) -> str | None:
    """Return the ``qgis_process`` that belongs to an interpreter, or None."""
    beside = Path(interpreter.executable).parent
    on_path = shutil.which("qgis_process")
    places = [beside / "qgis_process", *sorted(beside.glob("qgis_process-qgis*.bat"))]
    if on_path:
        places.append(Path(on_path))
    for place in places:
        # Debian's wrapper passes the GUI's options from /etc/default/qgis on,
        # and qgis_process takes --noversioncheck for a command. The program
        # itself lies beside it as qgis_process.bin.
        for program in (place.with_name(place.name + ".bin"), place):
            if program.is_file():
                return str(program)
    return None


def apt_command(packages: Sequence[str], *, sudo: Sequence[str]) -> list[list[str]]:
    """Return the two commands that install Debian packages without a question."""
    apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "Acquire::Retries=3"]
    # Another apt (unattended upgrades) may hold the lock for a while.
    wait = ["-o", "DPkg::Lock::Timeout=300"]
    return [
        [*apt, *wait, "update"],
        [*apt, *wait, "install", "-y", "--no-install-recommends", *packages],
    ]


def command_to_type(packages: Sequence[str]) -> str:
    """Return the one command that installs QGIS on this kind of machine."""
    if sys.platform == "darwin":
        return "brew install --cask qgis"
    if sys.platform == "win32":
        return "winget install --id OSGeo.QGIS"
    if shutil.which("apt-get"):
        return "sudo apt-get update && sudo apt-get install -y --no-install-recommends " + " ".join(
            packages
        )
    if shutil.which("dnf"):
        return "sudo dnf install -y qgis python3-qgis python3-gdal"
    if shutil.which("pacman"):
        return "sudo pacman -S --needed qgis python-gdal"
    return "conda create -y -n qgis -c conda-forge qgis && conda activate qgis"


def _superuser() -> list[str] | None:
    """Return the prefix with which a command may run as root unasked, or None."""
    if not sys.platform.startswith("linux") or not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        asked = subprocess.run(
            ["sudo", "-n", "true"], capture_output=True, stdin=subprocess.DEVNULL, check=False
        )
        if asked.returncode == 0:
            return ["sudo", "-n"]
    return None


def missing_packages(interpreter: Interpreter | None) -> list[str]:
    """Return the Debian packages that the demo and the tests still need."""
    if interpreter is None:
        return [*APT_QGIS, *APT_VENV]
    packages: list[str] = []
    if find_qgis_process(interpreter) is None:
        packages += APT_QGIS
    if not interpreter.venv:
        packages += APT_VENV
    return list(dict.fromkeys(packages))


def ensure_qgis() -> Interpreter:
    """Return QGIS's interpreter, after installing what is missing where that is allowed.

    Raises:
        SetupError: something is missing and may not be installed from here.
    """
    interpreter, passed_by = find_interpreter()
    packages = missing_packages(interpreter)
    if interpreter is not None and not packages:
        return interpreter
    what = "QGIS" if interpreter is None else " ".join(packages)
    looked = "".join(f"\n  {line}" for line in passed_by) if interpreter is None else ""
    advice = f"Type this command, then start again:\n\n  {command_to_type(packages)}\n"
    superuser = _superuser()
    if superuser is None:
        raise SetupError(f"{what} is missing on this machine.{looked}\n{advice}")
    print(f"installing with apt: {' '.join(packages)}", flush=True)
    update, install = apt_command(packages, sudo=superuser)
    # One broken third-party source fails the update although all we need is
    # there, so only the installation decides.
    run(update)
    status = run(install)
    interpreter, passed_by = find_interpreter()
    if status != 0 or interpreter is None or missing_packages(interpreter):
        looked = "".join(f"\n  {line}" for line in passed_by)
        raise SetupError(
            f"apt-get ended with status {status} and {what} is still missing.{looked}\n{advice}"
        )
    return interpreter


def ensure_screen() -> None:
    """Install Xvfb for the tests where it is missing and that is allowed; they do without it too.

    Without it QGIS's window is drawn by Qt alone, which leaves out the window system.
    """
    superuser = _superuser()
    if all(map(shutil.which, ("xvfb-run", "xauth"))) or superuser is None:
        return
    print(f"installing with apt: {' '.join(APT_SCREEN)}", flush=True)
    update, install = apt_command(APT_SCREEN, sudo=superuser)
    # The list of packages is mostly fresh: QGIS was installed from it.
    if run(install) != 0 and (run(update), run(install))[1] != 0:
        print("Xvfb could not be installed: QGIS is tested without it.", flush=True)
