"""Debian roots with a newer QGIS: make them, keep them, and run the tests inside.

A root is a folder that holds a whole Debian. All that is mounted for it is mounted in a
namespace of its own, which the kernel takes away with its last process: whatever ends the
run, ``kill -9`` included, no mount and no process stays.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tools.machine import BUILD, ROOT, SetupError, run

# What a root is made of: Debian's name for it, and what that brings.
SUITES: Mapping[str, str] = {
    "trixie": "Debian 13: QGIS 3.40, GDAL 3.10, Python 3.13, numpy 2.2",
    "testing": "Debian testing: QGIS 3.44, GDAL 3.13, numpy 2.4",
}
# The second line is what the tests use besides.
PACKAGES = (
    *("qgis", "python3-qgis", "qgis-providers", "python3-gdal", "python3-venv"),
    *("ca-certificates", "openssl", "xvfb", "xauth"),
)
# Where roots are kept, 3 GB each.
ROOTS_VARIABLE = "HYPERKD_ROOTS"
# The mirror that debootstrap takes instead of its own choice.
MIRROR_VARIABLE = "HYPERKD_DEBIAN_MIRROR"

# What debootstrap says where it does not reach its mirror.
NO_MIRROR = "Failed getting release file"

# Where the checkout is copied to, and what of it stays between runs.
CHECKOUT = "hyperkd"
KEPT = frozenset({".venv", "build"})
# What the copy does without.
LEFT_OUT = frozenset({".git", "dist", *KEPT})

# Mounts what is given as pairs of places, outside and inside, until "--". Runs in the
# namespace; the rest of its arguments is the command that runs inside the root.
ENTER = """
root=$1; shift
while [ "$1" != -- ]; do
    mount --bind "$1" "$root$2"
    mount -o remount,bind,ro "$root$2"
    shift 2
done
shift
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/shm"
mount -t tmpfs tmpfs "$root/dev/shm"
exec chroot "$root" "$@"
"""
# The first ends the second with build.py, the second everything inside.
NAMESPACE = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
)

# The variables that lead to the network, and on which pip and apt depend.
_NETWORK = re.compile(r"PIP_.*|(HTTPS?|ALL|NO|FTP)_PROXY|SSL_CERT_FILE|(REQUESTS|CURL)_CA_BUNDLE")


class RootUnavailable(SetupError):
    """No root can be made on this machine; build.py ends with status 77, as a skipped test."""


def place(suite: str) -> Path:
    """Return the folder of a root."""
    return Path(os.environ.get(ROOTS_VARIABLE) or BUILD / "roots").absolute() / suite


def run_tests(suite: str, arguments: Sequence[str]) -> int:
    """Run ``build.py test`` with arguments in a root, made where it is missing.

    Raises:
        RootUnavailable: this machine lacks what a root needs; the text says what.
        SetupError: a step failed on a machine that has all of it.
    """
    started = time.monotonic()
    with _alone(suite):
        root = ensure(suite)
        copy_checkout(root / CHECKOUT)
        made = time.monotonic()
        print(f"{suite}: {SUITES[suite]}, in {root}", flush=True)
        status = enter(root, ["python3", "build.py", "test", *arguments])
    minutes = [f"{seconds / 60:.1f}" for seconds in (made - started, time.monotonic() - made)]
    print(f"{suite}: {minutes[0]} minutes for the root, {minutes[1]} for the tests", flush=True)
    return status


@contextmanager
def _alone(suite: str) -> Iterator[None]:
    """Keep a root to one run: two would copy over each other's checkout."""
    reason = obstacle()
    if reason:
        raise RootUnavailable(f"There is no Debian root to test in: {reason}.")
    import fcntl  # Linux's, as obstacle() saw

    folder = place(suite).parent
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{suite}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SetupError(f"Another run uses the root {place(suite)}.") from error
        yield


def obstacle() -> str:
    """Return why no root can be made or entered here, in words; empty where one can."""
    absent = [name for name in ("debootstrap", "unshare", "setpriv") if not shutil.which(name)]
    if absent:
        return "this machine has no " + " and no ".join(absent)
    if os.geteuid() != 0:
        return "making and entering one takes the rights of root"
    return "" if may_mount() else "this machine lets root mount nothing"


def may_mount() -> bool:
    """Return whether this process may mount something in a namespace of its own."""
    tried = subprocess.run(
        [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return tried.returncode == 0


def ensure(suite: str) -> Path:
    """Return a root that is complete, made anew where it is missing or of other packages."""
    root = place(suite)
    stamp = root / "hyperkd-root.txt"
    wanted = " ".join(PACKAGES) + "\n"
    if stamp.is_file() and stamp.read_text() == wanted:
        return root
    print(f"making a Debian root in {root} (about ten minutes, 3 GB)", flush=True)
    for folder in (root, root.with_name(suite + ".part")):
        if folder.exists():
            shutil.rmtree(folder)
    _make(suite, folder)
    (folder / stamp.name).write_text(wanted)
    folder.rename(root)
    return root


def _make(suite: str, folder: Path) -> None:
    """Fill a folder with a Debian that has QGIS.

    Raises:
        RootUnavailable: no mirror of Debian is reached.
        SetupError: a step failed.
    """
    log = folder.with_name(suite + ".log")
    # Files need not be on the disk before the next is unpacked: a root that was not
    # finished is thrown away. A mirror that stands still is signed as well as any.
    apt = ["apt-get", "-qq", "-o", "DPkg::Options::=--force-unsafe-io"]
    apt += ["-o", "Acquire::Retries=3", "-o", "Acquire::Check-Valid-Until=false"]
    bare: list[str | Path] = [*NAMESPACE, "debootstrap", "--variant=minbase", suite, folder]
    mirror = os.environ.get(MIRROR_VARIABLE)
    if mirror:
        bare.append(mirror)
    with log.open("w") as file:

        def check(status: int) -> None:
            if status != 0:
                file.flush()
                said = log.read_text(errors="replace")
                if NO_MIRROR in said:
                    raise RootUnavailable(
                        f"There is no Debian root to test in: no mirror is reached ({log}).\n"
                        f"Behind a proxy set http_proxy; {MIRROR_VARIABLE} names another mirror."
                    )
                end = "\n".join(said.splitlines()[-15:])
                raise SetupError(f"Making the root {folder} failed; {log} ends with\n{end}")

        check(run(bare, log=file))
        check(enter(folder, [*apt, "update"], log=file))
        install = [*apt, "install", "-y", "--no-install-recommends", *PACKAGES]
        check(enter(folder, install, log=file))
        check(enter(folder, [*apt, "clean"], log=file))


def copy_checkout(target: Path) -> None:
    """Copy this checkout, changes included; the copy keeps its ``.venv`` and ``build``."""
    target.mkdir(exist_ok=True)
    for old in target.iterdir():
        if old.name not in KEPT:
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    for path in ROOT.iterdir():
        if path.is_dir() and path.name not in LEFT_OUT:
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(path, target / path.name, symlinks=True, ignore=ignored)
        elif path.is_file() and path.name not in LEFT_OUT:
            shutil.copy2(path, target / path.name)


def enter(root: Path, command: Sequence[str | Path], *, log: IO[str] | None = None) -> int:
    """Run a command in the copied checkout inside a root and return its exit status.

    Where a log is given the root is being made: of this machine it sees nothing but how names
    are resolved, for packages want to replace what would be mounted.
    """
    variables = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        **network_variables(os.environ),
    }
    pairs = [(path, path) for path in ("/etc/resolv.conf", "/etc/hosts") if Path(path).exists()]
    if log is None:
        pairs += mounts(variables)
    for source, inside in pairs:
        target = root / inside.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir(exist_ok=True) if Path(source).is_dir() else target.touch()
    (root / CHECKOUT).mkdir(exist_ok=True)
    settings = [f"{name}={value}" for name, value in variables.items()]
    return run(
        [
            *(*NAMESPACE, "sh", "-ec", ENTER, "sh", root),
            *(part for pair in pairs for part in pair),
            *("--", "env", "-i", "-C", f"/{CHECKOUT}", *settings, *command),
        ],
        log=log,
    )


def network_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that say how the network is reached, for pip above all."""
    return {k: v for k, v in environment.items() if _NETWORK.fullmatch(k.upper())}


def mounts(variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what of this machine a root sees: pairs of a place here and the place there.

    That is how pip is set up, with the certificates and wheels that its settings name, and
    the folder of real scenes.
    """
    settings = [path for path in pip_files() if path.is_file()]
    texts = [*variables.values(), *(path.read_text(encoding="utf-8") for path in settings)]
    named = [path for text in texts for path in named_places(text)]
    pairs = {str(path): str(path) for path in (*settings, *named) if path.exists()}
    home = str(Path.home())
    pairs = {k: v.replace(home, "/root", 1) if v.startswith(home) else v for k, v in pairs.items()}
    shared = Path(os.environ.get("HYPERKD_SHARED", ROOT.parent / "shared"))
    if shared.is_dir():
        pairs[str(shared)] = "/shared"
    return list(pairs.items())


def pip_files() -> Iterable[Path]:
    """Return where pip keeps its settings on this machine."""
    yield Path("/etc/pip.conf")
    for folder in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep):
        yield Path(folder) / "pip/pip.conf"
    yield Path.home() / ".pip/pip.conf"
    yield Path.home() / ".config/pip/pip.conf"


def named_places(text: str) -> list[Path]:
    """Return the files and folders that a setting of pip names, those of local indexes too."""
    found = []
    for word in re.split(r"[\s=,]+", text):
        if word.startswith("file:///"):
            # An index's pages lie beside the files that they lead to.
            found.append(Path(word[len("file://") :]).parent)
        elif word.startswith("/"):
            found.append(Path(word))
    return found
