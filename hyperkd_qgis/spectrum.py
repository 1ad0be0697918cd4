"""What QGIS itself knows of a raster's wavelengths, compared with what a model needs.

Milliseconds, for checks before a run. It finds wavelengths only where QGIS shows them; the
engine looks in more places. So silence means nothing, and only a clear mismatch is told.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Optional

from qgis.core import QgsRasterLayer

from .messages import tr
from .modelfile import Card

# "reconstruction 660.5 nm", or "band 48 (660.2 Nanometers)" as ENVI files have it.
_IN_NAME = re.compile(r"(\d+(?:\.\d+)?)\s*(nm|nanomet(?:er|re)s|µm|um|micromet(?:er|re)s)\b", re.I)
_BAND = re.compile(r"<td[^>]*>[^<]*?(\d+)</td><td><ul>(.*?)</ul>", re.S)
_ITEM = re.compile(r"<li>([^<=]+)=([^<]*)</li>")
# A model's band is beyond the raster for certain where none of its bands is that near; the
# engine refuses where more than a tenth of a model's bands lie beyond.
_FAR_NM = 40.0
# A raster with fewer bands is a photo, a map or an elevation model, whatever it says.
_LEAST_BANDS = 4
_MISSING_SHARE = 0.15


def centres_nm(layer: QgsRasterLayer) -> dict[int, float]:
    """Return the wavelengths of the bands that tell one, by band from 1; bad bands left out."""
    found: dict[int, float] = {}
    for band in range(1, layer.bandCount() + 1):
        match = _IN_NAME.search(layer.bandName(band))
        if match:
            found[band] = _as_nm(float(match.group(1)), match.group(2))
    provider = layer.dataProvider()
    html = provider.htmlMetadata() if provider is not None else ""
    for number, listed in _BAND.findall(html):
        items = {name.strip().lower(): unescape(value) for name, value in _ITEM.findall(listed)}
        centre = _number(items.get("wavelength"))
        if items.get("bbl", "1").strip() == "0":
            found.pop(int(number), None)
        elif centre is not None:
            unit = items.get("wavelength_units", "nm" if centre >= 100 else "µm")
            found[int(number)] = _as_nm(centre, unit)
    return found


def mismatch(layer: QgsRasterLayer, card: Card) -> str:
    """Say that a raster lacks too much of what a model needs; an empty string where it may do."""
    count, needed = layer.bandCount(), len(card.get("bands", {}).get("centre_nm", []))
    if count < _LEAST_BANDS and needed > 2 * count:
        one = tr(
            "“{layer}” has 1 band. HyperKD needs a hyperspectral scene: {model} reads {needed} "
            "bands."
        )
        several = tr(
            "“{layer}” has {count} bands. HyperKD needs a hyperspectral scene: {model} reads "
            "{needed} bands."
        )
        text, model = one if count == 1 else several, card.get("name", "?")
        return text.format(layer=layer.name(), count=count, model=model, needed=needed)
    have = sorted(centres_nm(layer).values())
    wanted = card.get("bands", {}).get("centre_nm", [])
    # Few wavelengths among many bands: the names mean something else.
    if not wanted or len(have) < max(1, layer.bandCount() // 2):
        return ""
    far = [each for each in wanted if min(abs(each - one) for one in have) > _FAR_NM]
    # Some models know how to do without more.
    if len(far) <= max(_MISSING_SHARE, card.get("missing_bands", 0.0)) * len(wanted):
        return ""
    return tr(
        "“{layer}” covers {first:.0f} to {last:.0f} nm, but {model} needs {needed_first:.0f} to "
        "{needed_last:.0f} nm: {missing} of its {count} bands are missing, for instance at "
        "{example:.0f} nm. Choose a scene of another sensor, or a model made for this one."
    ).format(
        layer=layer.name(),
        first=have[0],
        last=have[-1],
        model=card.get("name", "?"),
        needed_first=min(wanted),
        needed_last=max(wanted),
        missing=len(far),
        count=len(wanted),
        example=far[len(far) // 2],
    )


def _as_nm(value: float, unit: str) -> float:
    return value * 1000.0 if unit.strip().lower()[:1] in ("µ", "u", "m") else value


def _number(text: Optional[str]) -> Optional[float]:
    try:
        value = float(text) if text else 0.0
    except ValueError:
        return None
    return value if value > 0 else None
