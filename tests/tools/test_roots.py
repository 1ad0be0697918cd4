"""What a Debian root sees of this machine, what is copied into it, and when none can be made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest

from tools import roots
from tools.machine import SetupError


def test_variables_that_lead_to_the_network_go_along_and_no_others() -> None:
    given = {
        "PIP_INDEX_URL": "https://mirror.invalid/simple",
        "PIP_CERT": "/etc/company.pem",
        "https_proxy": "http://proxy.invalid:1",
        "NO_PROXY": "localhost",
        "SSL_CERT_FILE": "/etc/company.pem",
    }
    others = {"PYTHONPATH": "/x", "VIRTUAL_ENV": "/y", "SECRET": "z", "MY_PIP_CERT": "no"}
    assert roots.network_variables({**given, **others}) == given


@pytest.mark.parametrize(
    ("setting", "places"),
    [
        ("[global]\ncert = /etc/company.pem\n", ["/etc/company.pem"]),
        ("/wheels /more", ["/wheels", "/more"]),
        # The pages of an index lie beside the files that they lead to.
        ("extra-index-url = file:///srv/index/simple", ["/srv/index"]),
        ("https://mirror.invalid/simple relative/path torch<=3", []),
    ],
)
def test_places_that_pip_is_told_are_found(setting: str, places: list[str]) -> None:
    assert [str(path) for path in roots.named_places(setting)] == places


def test_a_root_sees_how_pip_is_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, wheels = tmp_path / "home", tmp_path / "wheels"
    (home / ".config/pip").mkdir(parents=True)
    wheels.mkdir()
    settings = home / ".config/pip/pip.conf"
    settings.write_text(f"[global]\nfind-links = {wheels}\ncert = {tmp_path}/none.pem\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    monkeypatch.setenv("HYPERKD_SHARED", str(tmp_path / "none"))
    pairs = dict(roots.mounts({"PIP_CONSTRAINT": str(settings)}))
    assert pairs[str(settings)] == "/root/.config/pip/pip.conf"
    assert pairs[str(wheels)] == str(wheels)
    assert f"{tmp_path}/none.pem" not in pairs
    assert "/shared" not in pairs.values()
    monkeypatch.setenv("HYPERKD_SHARED", str(wheels))
    assert dict(roots.mounts({}))[str(wheels)] == "/shared"


def test_the_copy_follows_the_checkout_and_keeps_what_was_made_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for name in ("build.py", "engine/a.py", ".git/config", ".venv/x", "build/x", "dist/x"):
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("new")
    (source / "engine/__pycache__").mkdir()
    for name in ("gone.py", "gone/b.py", ".venv/kept", "build/kept"):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old")
    monkeypatch.setattr(roots, "ROOT", source)
    roots.copy_checkout(target)
    found = sorted(str(p.relative_to(target)) for p in target.rglob("*") if p.is_file())
    assert found == [".venv/kept", "build.py", "build/kept", "engine/a.py"]
    assert not (target / "engine/__pycache__").exists()


def test_a_machine_without_its_programs_or_rights_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roots.shutil, "which", lambda name: None if name == "debootstrap" else name)
    assert roots.obstacle() == "this machine has no debootstrap"
    monkeypatch.setattr(roots.shutil, "which", lambda name: name)
    monkeypatch.setattr(roots.os, "geteuid", lambda: 1000)
    assert roots.obstacle() == "making and entering one takes the rights of root"
    monkeypatch.setattr(roots.os, "geteuid", lambda: 0)
    monkeypatch.setattr(roots, "NAMESPACE", ("false",))
    assert roots.obstacle() == "this machine lets root mount nothing"


def test_without_a_mirror_there_is_no_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"text": "E: Failed getting release file http://mirror.invalid/dists/trixie/Release\n"}
    commands: list[list[str]] = []

    def fail(command: list[str], *, log: IO[str]) -> int:
        commands.append([str(word) for word in command])
        log.write(said["text"])
        return 1

    monkeypatch.setattr(roots, "run", fail)
    monkeypatch.setenv(roots.MIRROR_VARIABLE, "http://mirror.invalid/debian")
    monkeypatch.setenv(roots.ROOTS_VARIABLE, str(tmp_path))
    with pytest.raises(roots.RootUnavailable, match="no mirror is reached"):
        roots.ensure("trixie")
    assert commands[0][-1] == "http://mirror.invalid/debian"
    assert not (tmp_path / "trixie").exists()
    said["text"] = "E: Couldn't install the base system\n"
    monkeypatch.delenv(roots.MIRROR_VARIABLE)
    with pytest.raises(SetupError, match="failed;.*\n.*Couldn't install") as broken:
        roots.ensure("trixie")
    assert not isinstance(broken.value, roots.RootUnavailable)
    assert commands[1][-1] == str(tmp_path / "trixie.part")


def test_a_root_is_complete_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def fail(suite: str, folder: Path) -> None:
        folder.mkdir()
        raise SetupError("the mirror broke off")

    def make(suite: str, folder: Path) -> None:
        folder.mkdir()
        made.append(folder)

    monkeypatch.setenv(roots.ROOTS_VARIABLE, str(tmp_path))
    monkeypatch.setattr(roots, "_make", fail)
    with pytest.raises(SetupError, match="broke off"):
        roots.ensure("trixie")
    assert not (tmp_path / "trixie").exists()
    monkeypatch.setattr(roots, "_make", make)
    assert roots.ensure("trixie") == tmp_path / "trixie"
    assert roots.ensure("trixie") == tmp_path / "trixie"  # kept
    assert len(made) == 1
    monkeypatch.setattr(roots, "PACKAGES", ("qgis", "another"))
    roots.ensure("trixie")
    assert len(made) == 2


def test_a_run_leaves_no_mount_and_no_process_when_it_is_killed(tmp_path: Path) -> None:
    """Neither a handler nor a finally runs when build.py is killed; the kernel cleans up."""
    if shutil.which("setpriv") is None or os.geteuid() != 0 or not roots.may_mount():
        pytest.skip("this machine lets nobody mount")
    for name in ("proc", "seen"):
        (tmp_path / name).mkdir()
    # In an empty root nothing can be started, so all happens but the change into it.
    script = roots.ENTER.replace('exec chroot "$root"', "exec")
    assert script != roots.ENTER
    command = [*roots.NAMESPACE, "sh", "-ec", script, "sh", str(tmp_path)]
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("seen")
    shown = f"cat {tmp_path}/seen/file; readlink {tmp_path}/proc/self; sleep 300"
    command += [str(source), "/seen", "--", "sh", "-c", shown]
    code = f"import subprocess; subprocess.run({command!r})"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.read(4) == "seen"
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()  # not even meanwhile
    parent.kill()
    parent.wait()
    # The pipe ends when the last process that could write to it has gone.
    started = time.monotonic()
    parent.stdout.read()
    assert time.monotonic() - started < 30
    assert os.listdir(tmp_path / "proc") == [] == os.listdir(tmp_path / "seen")
