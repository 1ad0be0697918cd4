"""Where real tiles and spectra lie, what is said where they do not, and what products lack."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("HYPERKD_SHARED", ROOT.parent / "shared")) / "data"
POTSDAM = DATA / "potsdam"
# Canopy and leaf spectra with leaf mass per area, by campaign.
ARCTIC = DATA / "spectra" / "ngee_arctic"
# What files of many products lack: both ranges of water vapour and both ends; 186 of EnMAP's
# 218 good bands are left.
GAPS_NM = ((0, 460), (1300, 1500), (1760, 2030), (2400, 9999))


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
