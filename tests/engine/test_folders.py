"""The folders of the user on each system, and the variables that name others."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperkd import folders

_VARIABLES = ("XDG_DATA_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "HYPERKD_MODELS", "HYPERKD_CACHE")


@pytest.mark.parametrize(
    ("system", "variables", "models", "cache"),
    [
        ("Linux", {}, "home/.local/share/HyperKD/models", "home/.cache/hyperkd"),
        (
            "Linux",
            {"XDG_DATA_HOME": "{}/data", "XDG_CACHE_HOME": "{}/c"},
            "data/HyperKD/models",
            "c/hyperkd",
        ),
        (
            "Linux",
            {"XDG_DATA_HOME": "relative"},
            "home/.local/share/HyperKD/models",
            "home/.cache/hyperkd",
        ),
        (
            "Darwin",
            {},
            "home/Library/Application Support/HyperKD/models",
            "home/Library/Caches/HyperKD",
        ),
        ("Windows", {"LOCALAPPDATA": "{}/local"}, "local/HyperKD/models", "local/HyperKD/cache"),
        ("Windows", {}, "home/AppData/Local/HyperKD/models", "home/AppData/Local/HyperKD/cache"),
        ("Windows", {"HYPERKD_MODELS": "{}/mine", "HYPERKD_CACHE": "{}/tmp"}, "mine", "tmp"),
    ],
)
def test_the_folders_of_each_system(
    system: str,
    variables: dict[str, str],
    models: str,
    cache: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(folders.platform, "system", lambda: system)
    monkeypatch.setattr(folders.Path, "home", lambda: tmp_path / "home")
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    assert folders.models_folder() == tmp_path / models
    assert folders.cache_folder() == tmp_path / cache
