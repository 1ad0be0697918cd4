"""Band values in files beside a raster: ENVI headers, METADATA.XML, STAC items, a user's CSV."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Optional

from hyperkd.errors import HyperKDError
from hyperkd.files import read_regular
from hyperkd.raster.bands.band_values import BandSource, property_of, source_of_lists
from hyperkd.raster.products.desis import parse_desis
from hyperkd.raster.products.enmap import parse_l2a_bands
from hyperkd.raster.products.product_xml import MAX_METADATA, levels_in, mission_of, parse_xml
from hyperkd.raster.texts import Texts
from hyperkd.types import BandTable

_IMAGE = re.compile(r"^(?P<stem>.*)-SPECTRAL_IMAGE(_COG)?\.[A-Z0-9]+$", re.IGNORECASE)
_LEVEL = re.compile(rb"<level>\s*([^<\s]+)\s*</level>")
_MAX_TEXT = 64 * 2**20  # bytes of an ENVI header or a table of bands; real ones have 0.1 MB
_CSV_HINT = (
    "Write one row per band with a header line: wavelength_nm (or wavelength_um), and where "
    "known fwhm_nm, bbl, scale, offset."
)
_CSV_COLUMNS = {
    "scale": "scale",
    "gain": "scale",
    "offset": "offset",
    "good": "bbl",
    "unit": "units",
    "units": "units",
}


def find_sidecars(path: str, count: int) -> tuple[BandSource, ...]:
    """Return the band values of the known files beside a raster, a product's metadata first.

    Args:
        path: the raster.
        count: its number of bands.

    Raises:
        HyperKDError: ``bad_product`` where one of them says that it is not reflectance.
    """
    image = Path(path)
    sources = []
    for metadata in _product_metadata(image):
        sources.append(read_metadata(metadata, count))
    for header in _headers(image):
        sources.append(read_header(header, count))
    for item in _stac_items(image):
        sources.append(read_stac(item, image.name, count))
    return tuple(sources)


def sidecar_files(path: str) -> list[str]:
    """Return the paths of the known files beside a raster."""
    image = Path(path)
    found = (*_product_metadata(image), *_headers(image), *_stac_items(image))
    return [str(item) for item in found]


def _product_metadata(image: Path) -> list[Path]:
    match = _IMAGE.match(image.name)
    if match is None or not image.parent.is_dir():
        return []
    stem = (match.group("stem") + "-metadata").lower()
    names = {stem + ".xml", stem + ".xml.xml"}
    return sorted(item for item in image.parent.iterdir() if item.name.lower() in names)[:1]


def _headers(image: Path) -> list[Path]:
    candidates = [
        image.with_name(image.name + suffix) for suffix in (".hdr", ".HDR") if image.name
    ] + [image.with_suffix(suffix) for suffix in (".hdr", ".HDR") if image.name]
    return [candidate for candidate in candidates if candidate.is_file()][:1]


def _stac_items(image: Path) -> list[Path]:
    names = (f"{image.stem}.json", f"{image.name}.json", f"{image.name}.stac.json")
    return [item for name in names if (item := image.with_name(name)).is_file()][:1]


def _read(path: Path, most_bytes: int) -> bytes:
    try:
        return read_regular(path, most_bytes)
    except OSError as error:
        raise HyperKDError(
            "unreadable_raster",
            f"{path}, which describes the bands of the raster beside it, cannot be read: "
            f"{error.strerror}.",
            "Check that you may read it, or move it to another folder if it does not belong "
            "to the raster.",
            path=str(path),
        ) from error


def read_metadata(path: Path, count: int) -> BandSource:
    """Return the band values of a METADATA.XML of EnMAP or DESIS, or why they cannot be used.

    Raises:
        HyperKDError: ``bad_product`` where it says that the image is not reflectance.
    """
    content = _read(path, MAX_METADATA)
    try:
        root = parse_xml(content, path.name)
        desis = mission_of(root) == "DESIS"
        table = (parse_desis if desis else parse_l2a_bands)(root, path.name)
    except HyperKDError as error:
        level = _LEVEL.search(content)
        if level is not None and level.group(1) != b"L2A":
            raise
        return BandSource(ignored=(f"The sidecar {path.name} is ignored: {error.message}",))
    if len(table) != count:
        return BandSource(
            ignored=(
                f"The sidecar {path.name} has {len(table)} values for {count} bands and is "
                "ignored.",
            )
        )
    return source_of_table(table, count, f"sidecar {path.name}")


def read_stac(path: Path, image: str, count: int) -> BandSource:
    """Return the bands that a STAC item gives an image, in micrometres; other JSON has none.

    Raises:
        HyperKDError: ``bad_product`` where it says that the image is of level 0 or 1.
    """
    try:
        item = json.loads(_read(path, MAX_METADATA))
        assets = list(item["assets"].values()) if item["stac_version"] else []
        level = str(item["properties"].get("processing:level", ""))
        # The asset of this name first: others may have as many bands.
        assets.sort(key=lambda asset: str(asset.get("href", "")).rpartition("/")[2] != image)
        lists = [asset.get("bands") or asset.get("eo:bands") or () for asset in assets]
        bands = next((bands for bands in lists if len(bands) == count), ())
        columns = {
            column: tuple(str(b.get(f"eo:{key}", b.get(key, "")) or "") or None for b in bands)
            for column, key in (
                ("wavelength", "center_wavelength"),
                ("fwhm", "full_width_half_max"),
            )
        }
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # No STAC item.
        return BandSource()
    if levels_in(level) & {"L0", "L1", "L1A", "L1B", "L1C"}:
        raise HyperKDError(
            "bad_product",
            f"{path.name} says that {image} is of level {level}: no surface reflectance.",
            "HyperKD reads surface reflectance: take the Level 2A product of the scene.",
        )
    named = {column: texts for column, texts in columns.items() if any(texts)}
    if "wavelength" not in named:
        return BandSource()
    named["units"] = ("um",) * count
    return BandSource(named, dict.fromkeys(named, f"sidecar {path.name} bands"))


def read_header(path: Path, count: int) -> BandSource:
    """Return the band values of an ENVI header; an unreadable one has none."""
    text = Texts(path.name).read(_read(path, _MAX_TEXT))
    if not text.lstrip("\ufeff \r\n").upper().startswith("ENVI"):
        return BandSource()
    return source_of_lists(f"sidecar {path.name}", parse_header(text), count)


def parse_header(text: str) -> dict[str, str]:
    """Return the items of an ENVI header: keys in lower case, values as written."""
    items: dict[str, str] = {}
    key, value = "", ""
    for line in text.splitlines()[1:]:
        if key:
            value += " " + line.strip()
        elif "=" in line and not line.lstrip().startswith(";"):
            key, value = (part.strip() for part in line.split("=", 1))
        else:
            continue
        if value.startswith("{") and "}" not in value:
            continue  # a list over several lines
        items[key.lower()] = value
        key = ""
    return items


def source_of_table(table: BandTable, count: int, name: str) -> BandSource:
    """Return a band table as a source; scale and offset only where its origins name them.

    Raises:
        HyperKDError: ``band_mismatch`` where the table has another number of bands.
    """
    _require_count(len(table), count, name)
    columns = {
        "wavelength": tuple(repr(float(value)) for value in table.wavelengths.centre_nm),
        "units": ("nm",) * count,
        "bbl": tuple("1" if good else "0" for good in table.good),
    }
    if table.wavelengths.fwhm_nm is not None:
        columns["fwhm"] = tuple(repr(float(value)) for value in table.wavelengths.fwhm_nm)
    if "scale" in table.origins:
        columns["scale"] = tuple(repr(float(value)) for value in table.scale)
        columns["offset"] = tuple(repr(float(value)) for value in table.offset)
    named = {"units": "units", "bbl": "good", "offset": "scale"}
    origins = {}
    for column in columns:
        origin = table.origins.get(named.get(column, column))
        origins[column] = f"{name}: {origin}" if origin else name
    return BandSource(columns, origins)


def read_csv(path: str, count: int) -> BandSource:
    """Return the band values of a CSV file with a header line and one row per band.

    Commas, semicolons or tabs separate; with the latter two a decimal comma is
    understood. Columns: ``wavelength`` (``_nm``, ``_um``), ``units``, ``fwhm``,
    ``bbl`` or ``good``, ``scale`` or ``gain``, ``offset``; others are ignored.

    Raises:
        HyperKDError: ``bad_wavelengths`` where there is no such file or no
            wavelength column, ``band_mismatch`` where the number of rows differs.
    """
    name = f"band table {Path(path).name}"
    try:
        text = read_regular(path, _MAX_TEXT).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise HyperKDError(
            "bad_wavelengths", f"The {name} cannot be read: {error}.", _CSV_HINT, path=path
        ) from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    delimiter = next((mark for mark in ";\t" if lines and mark in lines[0]), ",")
    rows = list(csv.reader(lines, delimiter=delimiter))
    header = rows[0] if rows else []
    columns: dict[str, tuple[Optional[str], ...]] = {}
    for index, key in enumerate(header):
        column, unit = property_of(key)
        column = column or _CSV_COLUMNS.get(key.strip().lower())
        if column is None or column in columns:
            continue
        cells = [row[index].strip() if index < len(row) else "" for row in rows[1:]]
        if delimiter != ",":
            cells = [cell.replace(",", ".") for cell in cells]
        columns[column] = tuple(cell or None for cell in cells)
        if unit is not None:
            columns["units"] = (unit,) * len(cells)
    if "wavelength" not in columns:
        raise HyperKDError(
            "bad_wavelengths",
            f"The {name} has no column of wavelengths; its columns: {', '.join(header) or 'none'}.",
            _CSV_HINT,
            path=path,
        )
    _require_count(len(rows) - 1, count, name)
    return BandSource(columns, {column: name for column in columns})


def _require_count(rows: int, count: int, name: str) -> None:
    if rows != count:
        raise HyperKDError(
            "band_mismatch",
            f"The {name} describes {rows} bands, the raster has {count}.",
            "Give the table of this raster's bands, in their order.",
            table=rows,
            raster=count,
        )
