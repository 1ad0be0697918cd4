"""The folder of links and the zip of the plugin."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from tools import plugin
from tools.machine import SetupError

METADATA = "[general]\n" + "".join(f"{key}=x\n" for key in plugin.REQUIRED_METADATA).replace(
    "version=x", "version=1.2.3", 1
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a small repository with what ships and what must not."""
    root = tmp_path / "repository"
    for name, text in {
        "metadata.txt": METADATA,
        "LICENSE": "GPL",
        "hyperkd_qgis/__init__.py": "",
        "hyperkd_qgis/algorithms/embed.py": "x = 1\n",
        "hyperkd_qgis/__pycache__/a.cpython-311.pyc": "no",
        "engine/__main__.py": "",
        "engine/hyperkd/cli.py": "y = 2\n",
        "engine/hyperkd.egg-info/PKG-INFO": "no",
        "engine/hyperkd/.hidden": "no",
        "resources/icons/hyperkd.svg": "<svg/>",
        "resources/students/tiny.onnx": "weights",
        "tests/test_x.py": "no",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_the_zip_holds_what_ships_and_nothing_else(repository: Path) -> None:
    path = plugin.package(repository)
    assert path == repository / "dist" / "hyperkd_qgis-1.2.3.zip"
    assert names(path) == [
        "hyperkd_qgis/LICENSE",
        "hyperkd_qgis/__init__.py",
        "hyperkd_qgis/algorithms/embed.py",
        "hyperkd_qgis/engine/__main__.py",
        "hyperkd_qgis/engine/hyperkd/cli.py",
        "hyperkd_qgis/metadata.txt",
        "hyperkd_qgis/resources/icons/hyperkd.svg",
        "hyperkd_qgis/resources/students/tiny.onnx",
    ]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_equal_files_give_an_equal_zip(repository: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(repository, copy, copy_function=shutil.copyfile)  # other times
    (copy / "hyperkd_qgis/__init__.py").chmod(0o755)
    assert plugin.package(repository).read_bytes() == plugin.package(copy).read_bytes()


def test_a_zip_that_would_be_refused_is_not_left_behind(repository: Path) -> None:
    (repository / "engine/hyperkd/run.sh").write_text("")
    (repository / "engine/__main__.py").unlink()
    (repository / "metadata.txt").write_text(METADATA.replace("about=x\n", ""))
    with pytest.raises(SetupError) as caught:
        plugin.package(repository)
    assert str(caught.value).splitlines() == [
        "The zip would be refused:",
        "  hyperkd_qgis/engine/hyperkd/run.sh is of a kind that is not accepted",
        "  engine/__main__.py is missing",
        "  metadata.txt lacks about",
    ]
    assert list((repository / "dist").iterdir()) == []


def test_a_zip_over_the_limit_is_refused(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "MAXIMUM_ZIP_BYTES", 100)
    with pytest.raises(SetupError, match=r"it has \d+ bytes, the limit is 100"):
        plugin.package(repository)


def test_links_lead_into_the_repository(repository: Path, tmp_path: Path) -> None:
    folder = plugin.link(tmp_path / "plugins", repository)
    assert folder == tmp_path / "plugins" / "hyperkd_qgis"
    assert sorted(path.name for path in folder.iterdir()) == [
        ".linked",
        "LICENSE",
        "__init__.py",
        "algorithms",
        "engine",
        "metadata.txt",
        "resources",
    ]
    assert (folder / "engine").resolve() == repository / "engine"
    (repository / "hyperkd_qgis/new.py").write_text("")
    assert (plugin.link(tmp_path / "plugins", repository) / "new.py").exists()
    assert (repository / "engine/hyperkd/cli.py").read_text() == "y = 2\n"


def test_an_installed_copy_is_never_replaced(repository: Path, tmp_path: Path) -> None:
    installed = tmp_path / "plugins" / "hyperkd_qgis"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("the user's")
    with pytest.raises(SetupError, match="holds an installed copy of the plugin"):
        plugin.link(tmp_path / "plugins", repository)
    assert (installed / "__init__.py").read_text() == "the user's"


def test_an_entry_of_the_package_may_not_hide_one_of_the_repository(repository: Path) -> None:
    (repository / "hyperkd_qgis/engine").mkdir()
    with pytest.raises(SetupError, match="hyperkd_qgis/engine hides engine"):
        plugin.entries(repository)


def test_the_real_plugin_can_be_packed(tmp_path: Path) -> None:
    path = plugin.package(destination=tmp_path)
    inside = names(path)
    assert "hyperkd_qgis/resources/students/tiny.onnx" in inside
    assert "hyperkd_qgis/engine/hyperkd/jobs/schema.json" in inside
    assert "hyperkd_qgis/engine/hyperkd/spectral/enmap.csv" in inside
    assert path.stat().st_size <= 25 * 1024 * 1024
