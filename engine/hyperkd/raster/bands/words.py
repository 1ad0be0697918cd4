"""What a file says in words about its values: units, descriptions, its name, keys of cameras.

Words go stale: reflectance keeps the description of the radiance that it was made from. So a
unit decides, and everything else is only held against the numbers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Optional

from hyperkd.errors import HyperKDError
from hyperkd.raster.bands.band_table import RasterMetadata

RADIANCE, COUNTS, RRS, REFLECTANCE = "radiance", "counts", "Rrs", "reflectance"
UNIT_OF_BAND: Final = "the unit of band"
CAMERA: Final = "the header"  # where the keys of a camera stand
CALLED: Final = {
    RADIANCE: "radiance",
    COUNTS: "counts of a detector",
    RRS: "remote sensing reflectance per steradian (Rrs)",
    REFLECTANCE: "reflectance",
}

_LONGEST: Final = 80
# Letters end a word here, digits and underscores do not: f080611t01p00r06rdn_c, Rrs_442,
# Headwall's raw_0_rd_rf_or.
_WORDS: Final = {
    RADIANCE: re.compile(
        r"radiance|(?<![a-z])(rdn|rad)(?![a-z])|(?<![a-z0-9])l1[abcgrt]?(?![a-z0-9])"
        r"|level[ _-]?1(?![0-9])|strahldichte"
    ),
    COUNTS: re.compile(
        r"(?<![a-z])(dn|dns|raw|counts?|uncalibrated)(?![a-z])|digital (number|count)"
    ),
    REFLECTANCE: re.compile(
        r"reflectance|(?<![a-z])(rfl?|refl?|boa|hdrf|hcrf|brf|sref|rho[stw]?|albedo|corr|atcor"
        r"|flaash|quac|acolite)(?![a-z])|(?<![a-z0-9])l2[a-d]?(?![a-z0-9])"
    ),
}
_RRS: Final = re.compile(
    r"(?<![a-z])(rrs|nlw)(?![a-z])|remote[ _-]sensing[ _-]reflectance|(water[ _-]?leaving.*sr)"
)
_PER_STERADIAN: Final = re.compile(
    r"(1|per)?[ /(]*(sr|str|ster|steradians?)[ )]*([\^*]*[-−⁻][1¹])?", re.IGNORECASE
)
_POWER: Final = re.compile(
    r"(?<![a-z])(micro|milli|nano|[mnuµμ])?w(att)?s?[ )]*[-/*·.^(]*[ (]*"
    r"(c?m|n?m|[uµμ]m|sr|str|ster)(?![a-z]*[g-lo-r])"
)
# What describes the values, among many keys that do not.
_KEYS: Final = {
    *("description", "title", "summary", "long_name", "standard_name", "product_type"),
    *("processing_level", "product_level", "level", "tifftag_imagedescription", "imagedescription"),
}
_UNIT_KEYS: Final = {"data_units", "data_unit", "units", "unit", "radiance_units"}
# A header of raw data names how it was exposed; one of reflectance may still do.
_CAMERA: Final = {"tint", "fps", "integration_time", "exposure", "shutter", "frame_period"}
_MISSION: Final = re.compile(
    r"(ENMAP|DESIS|PRS|EMIT|HISUI|EO1|TANAGER|AVIRIS|AV3|ANG)(?=[-_0-9]).*?"
    r"(?<![A-Z0-9])(L[01][A-Z]{0,2})(?![A-Z0-9])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Saying:
    """What one text of a file says that its values are.

    Attributes:
        kind: ``RADIANCE``, ``COUNTS``, ``RRS`` or ``REFLECTANCE``.
        where: how to call the text, for instance ``the description``.
        text: the text, shortened.
        is_unit: whether it is a unit, of the bands or of the whole file.
    """

    kind: str
    where: str
    text: str
    is_unit: bool = False

    def __str__(self) -> str:
        where = self.where[:1].upper() + self.where[1:]
        return f"{where} says {self.text!r}: {CALLED[self.kind]}"


def kind_of_unit(unit: str) -> str:
    """Return what values of a unit are, or an empty string where it does not tell."""
    plain = " ".join(unit.lower().split())
    squeezed = plain.replace(" ", "")
    if ("sr" in squeezed and "w" in squeezed) or _POWER.search(plain) or "radiance" in plain:
        return "" if "reflectance" in plain else RADIANCE
    if plain in ("sr", "str"):  # may as well be short for surface reflectance
        return ""
    if _PER_STERADIAN.fullmatch(plain) or _RRS.search(plain):
        return RRS
    if plain in ("dn", "dns", "raw", "count", "counts", "digital number", "digital numbers"):
        return COUNTS
    return REFLECTANCE if "reflectance" in plain else ""


def kinds_of_text(text: str) -> set[str]:
    """Return all that a description or a name may say about the values."""
    plain = text.lower()
    found = {RRS} if _RRS.search(plain) else set()
    plain = _RRS.sub(" ", plain)
    found |= {kind for kind, words in _WORDS.items() if words.search(plain)}
    if _POWER.search(plain) and "sr" in plain:
        found.add(RADIANCE)
    return found


def sayings(metadata: RasterMetadata) -> list[Saying]:
    """Return what the texts of a raster say, the units of its bands first.

    A text that speaks of reflectance and of something else says how it was made: reflectance.
    """
    found = []
    units = [(number, band.unit) for number, band in enumerate(metadata.bands, 1) if band.unit]
    for number, unit in units:
        kind = kind_of_unit(unit)
        if kind:
            found.append(Saying(kind, f"{UNIT_OF_BAND} {number}", unit[:_LONGEST], True))
            break
    for where, text, is_unit in _texts(metadata):
        kinds = {kind_of_unit(text)} - {""} if is_unit else kinds_of_text(text)
        kind = next((k for k in (RRS, REFLECTANCE, RADIANCE, COUNTS) if k in kinds), "")
        if kind:
            shown = " ".join(text.split())
            found.append(Saying(kind, where, shown[:_LONGEST], is_unit))
    camera = sorted(_plain(key) for key in metadata.domains.get("ENVI", {}))
    named = [key for key in camera if key in _CAMERA]
    if named:
        found.append(Saying(COUNTS, CAMERA, ", ".join(named)))
    return found


def _texts(metadata: RasterMetadata) -> Iterator[tuple[str, str, bool]]:
    """Yield where a text stands, the text, and whether it is a unit."""
    yield "the file name", os.path.splitext(os.path.basename(metadata.path))[0], False
    for domain in ("", "ENVI"):
        for key, text in sorted(metadata.domains.get(domain, {}).items()):
            plain = _plain(key)
            if plain in _KEYS or plain in _UNIT_KEYS:
                is_unit = plain in _UNIT_KEYS
                where = "header's unit" if is_unit else plain.replace("_", " ")
                yield f"the {where}", text, is_unit
    if metadata.bands:
        first = metadata.bands[0]
        if first.description:
            yield "the name of band 1", first.description, False
        for key, text in sorted(first.domains.get("", {}).items()):
            if _plain(key) in _KEYS:
                yield f"the {_plain(key).replace('_', ' ')} of band 1", text, False


def _plain(key: str) -> str:
    # GDAL calls the attributes of netCDF files variable#attribute.
    return re.sub(r"[\s-]+", "_", key.rpartition("#")[2].strip().lower())


def level_of_product(path: str) -> Optional[tuple[str, str]]:
    """Return mission and level of a delivered image below level 2 by its name, or None."""
    name = os.path.splitext(os.path.basename(path))[0]
    match = _MISSION.match(name)
    if match is None or REFLECTANCE in kinds_of_text(name):
        return None
    return match.group(1).upper(), match.group(2).upper()


def refuse_level(path: str) -> None:
    """Refuse a delivered image that is no surface reflectance by its name.

    Raises:
        HyperKDError: ``bad_product``.
    """
    found = level_of_product(path)
    if found is None:
        return
    mission, level = found
    raise HyperKDError(
        "bad_product",
        f"{os.path.basename(path)} is a {mission} product of level {level}, which holds radiance "
        "or counts, not surface reflectance.",
        "Order the scene as surface reflectance (L2A), or correct it for the atmosphere. If it "
        "is reflectance all the same, give the scale, or another name.",
        level=level,
    )
