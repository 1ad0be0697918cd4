"""Where HyperKD keeps files of the user: the model store, and caches that may be deleted."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Final

# Environment variables that name another folder, for the plugin, a cluster and tests.
MODELS_VARIABLE: Final = "HYPERKD_MODELS"
CACHE_VARIABLE: Final = "HYPERKD_CACHE"


def models_folder() -> Path:
    """Return the folder of the user's models, which need not exist; ``HYPERKD_MODELS`` wins."""
    chosen = os.environ.get(MODELS_VARIABLE)
    return Path(chosen).absolute() if chosen else data_folder() / "models"


def cache_folder() -> Path:
    """Return the folder of what can be computed again; ``HYPERKD_CACHE`` wins."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    system = platform.system()
    if system == "Windows":
        return _local_app_data() / "HyperKD" / "cache"
    if system == "Darwin":
        return Path.home() / "Library" / "Caches" / "HyperKD"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hyperkd"


def data_folder() -> Path:
    """Return the folder of what belongs to the user, which need not exist."""
    system = platform.system()
    if system == "Windows":
        base = _local_app_data()
    elif system == "Darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME", ""))
        # The specification of the variable says to ignore relative paths.
        base = data if data.is_absolute() else Path.home() / ".local" / "share"
    return base / "HyperKD"


def _local_app_data() -> Path:
    return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
