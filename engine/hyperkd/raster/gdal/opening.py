"""Opening a file with GDAL, and what it says about itself; see ``reader``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional

import numpy as np
from osgeo import gdal

from hyperkd.engine_process import in_engine_process
from hyperkd.errors import HyperKDError
from hyperkd.problems import Problem
from hyperkd.raster.bands.band_table import BandMetadata, RasterMetadata
from hyperkd.raster.gdal.gdal_errors import GDAL_ERRORS
from hyperkd.raster.gdal.indirect_formats import require_open_formats, require_open_overviews
from hyperkd.raster.gdal.local_names import (
    CONNECTION,
    convert_hint,
    is_vrt,
    local_sources,
    met_closed_network,
    on_network,
    require_local,
    require_regular,
    unknown_format,
)
from hyperkd.raster.gdal.probe import require_sound
from hyperkd.raster.gdal.restrictions import RASTER_DRIVERS, present, restricted
from hyperkd.raster.parsing import DAMAGED, parsing
from hyperkd.raster.texts import Texts, decoded
from hyperkd.types import GridSpec

_CORRECT_GRID = "Correct it, or remove the .aux.xml beside the raster if it holds it."
_ARCHIVE = re.compile(
    r"^/vsi(?:zip|tar|gzip|subfile/\d+_\d+,)(?:(?<=,)|/)(?P<rest>.+)$", re.IGNORECASE
)
_ENDING = re.compile(r"^(?P<path>.+?\.(?:zip|tar\.gz|tgz|tar|gz))(?:/|$)", re.IGNORECASE)
_ENVI_SUFFIXES = ("", ".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".bin")


def set_cache(size: int) -> None:
    """Let GDAL keep at most ``size`` bytes of decoded blocks, in the engine's process.

    In somebody's Python session the size is theirs.
    """
    if in_engine_process():
        gdal.SetCacheMax(int(size))


@restricted()
def open_dataset(path: str) -> tuple[Any, str]:
    """Return the open dataset and the path it was opened by.

    Raises:
        HyperKDError: ``unreadable_raster``, ``empty_raster`` or ``unsupported_raster``.
    """
    path = _data_file(path)
    require_local(path)
    require_regular(path)
    status = gdal.VSIStatL(path)
    if status is None and not CONNECTION.search(path):
        raise HyperKDError(
            "unreadable_raster", f"There is no file {path}.", "Check the path.", path=path
        )
    if status is not None and status.IsDirectory():
        raise HyperKDError(
            "unreadable_raster",
            f"{path} is a folder, not a raster.",
            "Give the image file in it; a product's folder is for hyperkd import.",
            path=path,
        )
    if status is not None and status.size == 0:
        raise HyperKDError(
            "empty_raster",
            f"{path} is an empty file of 0 bytes.",
            "Copy or download it again.",
            path=path,
        )
    sources = local_sources(path)
    require_open_formats(sources)
    for name in sources:
        require_sound(name)
    try:
        dataset = gdal.OpenEx(
            path,
            gdal.OF_RASTER | gdal.OF_VERBOSE_ERROR,
            allowed_drivers=present(RASTER_DRIVERS),
        )
        if dataset is None:  # without exceptions, see reader
            raise RuntimeError(gdal.GetLastErrorMsg())
        require_open_overviews(path, dataset)
    except GDAL_ERRORS as error:
        raise _unreadable(path, str(error)) from error
    # GDAL looks at a damaged .aux.xml when first asked, not when it opens the raster.
    with parsing(path, "unreadable_raster", DAMAGED):
        _require_bands(path, dataset)
        _require_whole(path, dataset)
    return dataset, path


def _unreadable(path: str, reason: str) -> HyperKDError:
    closed = unknown_format(path)
    if closed is not None:
        return closed
    if met_closed_network(reason):
        return on_network(path, reason.strip())
    reason = reason.replace(f"{path}: ", "").strip().rstrip(".")
    return HyperKDError(
        "unreadable_raster",
        f"{path} cannot be opened as a raster: {reason}.",
        "Check the path and that the file is a complete raster of a format GDAL reads. "
        + convert_hint(),
        path=path,
    )


def _data_file(path: str) -> str:
    """Return the file that holds the pixels where the user picked an ENVI header."""
    stem, suffix = os.path.splitext(path)
    if suffix.lower() != ".hdr" or not os.path.isfile(path):
        return path
    for ending in _ENVI_SUFFIXES:
        if os.path.isfile(stem + ending):
            return stem + ending
    raise HyperKDError(
        "unreadable_raster",
        f"{path} is a header, and there is no data file beside it.",
        "Give the file that holds the pixels.",
        path=path,
    )


def _require_bands(path: str, dataset: Any) -> None:
    parts = [decoded(name) for name, _ in dataset.GetSubDatasets()]
    if dataset.RasterCount == 0 and parts:
        raise HyperKDError(
            "unsupported_raster",
            f"{path} is a container of {len(parts)} rasters, for instance {parts[0]}, and holds "
            "no image with wavelengths that HyperKD knows.",
            "Give one of its parts, with a band table as CSV where it has no wavelengths.",
            path=path,
            parts=parts,
        )
    if dataset.RasterCount == 0:
        raise HyperKDError(
            "empty_raster", f"{path} has no bands.", "Choose another raster.", path=path
        )


def _require_whole(path: str, dataset: Any) -> None:
    """Refuse a raw file that is shorter than its header promises.

    GDAL fills what lies behind the end with 0, without a word.
    """
    expected, actual = _promised_bytes(path, dataset), gdal.VSIStatL(path).size
    if expected is not None and actual < expected:
        raise HyperKDError(
            "unreadable_raster",
            f"{path} has {actual} bytes, its header promises {expected}.",
            "The file was cut short; copy or download it again.",
            path=path,
        )


def _longer_than_promised(path: str, dataset: Any) -> tuple[Problem, ...]:
    """Return the problem of a raw file with bytes that its header does not know of."""
    expected, actual = _promised_bytes(path, dataset), gdal.VSIStatL(path).size
    if expected is None or actual <= expected or dataset.GetDriver().ShortName != "ENVI":
        return ()
    return (
        Problem(
            "longer_than_header",
            f"{os.path.basename(path)} has {actual} bytes, its header tells of {expected}: a "
            "header offset, bands, lines or the data type may be wrong.",
            "Compare the header with what wrote the file; with a wrong one all pixels are shifted.",
            values={"bytes": actual, "expected": expected},
        ),
    )


def _promised_bytes(path: str, dataset: Any) -> Optional[int]:
    """Return how long the header of a raw file says it is; of EHdr without its offset."""
    driver, first = dataset.GetDriver().ShortName, dataset.GetRasterBand(1)
    if driver not in ("ENVI", "EHdr") or first.GetMetadataItem("NBITS", "IMAGE_STRUCTURE"):
        return None
    header = _domains(dataset, Texts(path)).get("ENVI", {})
    if header.get("file_compression", "0").strip() != "0":
        return None
    bits = sum(
        gdal.GetDataTypeSize(dataset.GetRasterBand(number + 1).DataType)
        for number in range(dataset.RasterCount)
    )
    offset = re.match(r"\s*\d+", header.get("header_offset", ""))
    pixels = int(dataset.RasterXSize) * int(dataset.RasterYSize)
    return pixels * int(bits) // 8 + (int(offset.group()) if offset else 0)


@restricted()
def files_of(dataset: Any) -> list[str]:
    """Return the files that a dataset is read from, sources of VRTs within VRTs too.

    GDAL lists the sources of one VRT only.

    Raises:
        HyperKDError: ``unsupported_raster`` where one of them lies on a network.
    """
    found = _file_names(dataset)
    for name in found:  # it grows meanwhile
        if name == dataset.GetDescription() or not is_vrt(name):
            continue
        local_sources(name)
        try:
            inner = gdal.OpenEx(name, gdal.OF_RASTER, allowed_drivers=["VRT"])
        except GDAL_ERRORS:  # reading the pixels will report what is wrong with it
            continue
        found.extend(other for other in _file_names(inner) if other not in found)
    return found


def _file_names(dataset: Any) -> list[str]:
    return [os.fsdecode(name) for name in dataset.GetFileList() or ()]


def stamp(names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return size and time of change of the files that exist, and of archives they lie in."""
    stamps = {}
    for name in names:
        path = _archive_of(name)
        if os.path.isfile(path):
            status = os.stat(path)
            stamps[path] = (status.st_size, status.st_mtime_ns)
    return stamps


def _archive_of(name: str) -> str:
    """Return the outermost archive that GDAL's name leads into, a plain path as it is."""
    found = _ARCHIVE.match(name)
    if found is None:
        return name
    rest, depth = found.group("rest"), 0
    if rest.lower().startswith("/vsi"):
        return _archive_of(rest)
    for place, character in enumerate(rest if rest.startswith("{") else ""):
        depth += (character == "{") - (character == "}")
        if not depth:
            return _archive_of(rest[1:place])
    ended = _ENDING.match(rest)
    return ended.group("path") if ended else rest


@restricted()
def read_grid(dataset: Any) -> GridSpec:
    """Return size and geometry of a dataset, verbatim."""
    gcps = tuple(
        (p.GCPPixel, p.GCPLine, p.GCPX, p.GCPY, p.GCPZ, decoded(p.Id)) for p in dataset.GetGCPs()
    )
    transform = dataset.GetGeoTransform(can_return_null=True)
    if transform is not None and not np.isfinite(transform).all():
        raise HyperKDError(
            "unreadable_raster",
            f"The geotransform {tuple(transform)} of {dataset.GetDescription()} is not finite.",
            _CORRECT_GRID,
        )
    if transform is not None and transform[1] * transform[5] == transform[2] * transform[4]:
        raise HyperKDError(
            "unreadable_raster",
            f"The geotransform {tuple(transform)} of {dataset.GetDescription()} gives pixels "
            "without an area.",
            _CORRECT_GRID,
        )
    return GridSpec(
        width=int(dataset.RasterXSize),
        height=int(dataset.RasterYSize),
        # GDAL's default (0, 1, 0, 0, 0, 1) would be an invention.
        geotransform=transform,
        crs_wkt=_wkt(dataset.GetSpatialRef()),
        gcps=gcps,
        gcp_crs_wkt=_wkt(dataset.GetGCPSpatialRef()) if gcps else "",
    )


def _wkt(reference: Any) -> str:
    # WKT 2 keeps what WKT 1 cannot say, for instance dynamic datums.
    return "" if reference is None else decoded(reference.ExportToWkt(["FORMAT=WKT2_2019"]))


@restricted()
def read_metadata(path: str, dataset: Any, count: int, dtype: np.dtype[Any]) -> RasterMetadata:
    """Return what a dataset says about itself and its first ``count`` bands."""
    texts = Texts(os.path.basename(path))
    bands = []
    for number in range(1, count + 1):
        band = dataset.GetRasterBand(number)
        bands.append(
            BandMetadata(
                domains=_domains(band, texts),
                description=texts.read(band.GetDescription()),
                unit=texts.read(band.GetUnitType()),
                scale=band.GetScale(),
                offset=band.GetOffset(),
                nodata=band.GetNoDataValue(),
            )
        )
    domains = _domains(dataset, texts)
    notes = tuple(Problem("text_not_utf8", note) for note in texts.notes)
    notes += _longer_than_promised(path, dataset)
    return RasterMetadata(path, dtype, tuple(bands), domains, notes)


def _domains(holder: Any, texts: Texts) -> Mapping[str, Mapping[str, str]]:
    """Return the metadata items of a dataset or band by domain; the default one is ``""``."""
    names = {texts.read(name) for name in holder.GetMetadataDomainList() or ()} | {""}
    return {
        domain: {
            texts.read(key): texts.read(value) for key, value in holder.GetMetadata(domain).items()
        }
        for domain in sorted(names)
        if not domain.startswith("xml:")
    }
