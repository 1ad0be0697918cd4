"""Where the real EnMAP tiles of Potsdam lie, and what is said where they are not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[1]
POTSDAM = Path(os.environ.get("HYPERKD_SHARED", ROOT.parent / "shared")) / "data" / "potsdam"


def absence(folder: Path, consequence: str) -> Optional[str]:
    """Return one sentence about a folder without tiles, or None where it has some."""
    if any(folder.glob("*.tif")):
        return None
    return (
        f"There are no real EnMAP tiles in {folder}, so {consequence}; "
        "HYPERKD_SHARED names the folder that holds data/potsdam."
    )


def require(folder: Path) -> None:
    """End with a sentence where a folder has no tiles.

    Raises:
        SystemExit: there are none.
    """
    sentence = absence(folder, "there is nothing to measure")
    if sentence is not None:
        raise SystemExit(sentence)
