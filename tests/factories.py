"""Small rasters made to order: one knob per thing that differs between real files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, osr

gdal.UseExceptions()

UTM_33N = 32633
GEOTRANSFORM = (366000.0, 30.0, 0.0, 5810000.0, 0.0, -30.0)
WAVELENGTHS_NM = (450.0, 550.0, 650.0, 860.0, 1600.0, 2200.0)

_GDAL_TYPES = {
    "uint8": gdal.GDT_Byte,
    "uint16": gdal.GDT_UInt16,
    "int16": gdal.GDT_Int16,
    "int32": gdal.GDT_Int32,
    "float32": gdal.GDT_Float32,
    "float64": gdal.GDT_Float64,
    "complex64": gdal.GDT_CFloat32,
}
_ENVI_TYPES = {"uint8": 1, "int16": 2, "int32": 3, "float32": 4, "float64": 5, "uint16": 12}


def spectra(
    bands: int = 6, height: int = 5, width: int = 7, dtype: str = "int16", unit: float = 1e-4
) -> NDArray[Any]:
    """Return plausible reflectances ``(band, row, col)``, every value different.

    Args:
        bands, height, width: the shape.
        dtype: the stored dtype.
        unit: reflectance of one stored unit.
    """
    steps = np.arange(bands * height * width, dtype=np.float64).reshape(bands, height, width)
    reflectance = 0.05 + 0.4 * steps / steps.size
    values = reflectance / unit
    return (values if dtype.startswith("f") else np.rint(values)).astype(dtype)


def wkt(epsg: int) -> str:
    """Return a coordinate reference system as WKT."""
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(epsg)
    return str(reference.ExportToWkt(["FORMAT=WKT2_2019"]))


def texts(values: Any, count: int) -> list[Optional[str]]:
    """Return one text per band: of a sequence each, of a single value the same."""
    if values is None or isinstance(values, (str, int, float)):
        values = [values] * count
    return [None if value is None else str(value) for value in values]


def make_raster(
    path: Path,
    data: Optional[NDArray[Any]] = None,
    *,
    wavelengths: Any = WAVELENGTHS_NM,
    units: Any = "Nanometers",
    fwhm: Any = None,
    bbl: Any = None,
    where: str = "",
    keys: Optional[Mapping[str, str]] = None,
    descriptions: Optional[Sequence[str]] = None,
    scale: Any = 1e-4,
    offset: Any = None,
    nodata: Any = -32768,
    unit_type: str = "",
    epsg: Optional[int] = UTM_33N,
    geotransform: Optional[Sequence[float]] = GEOTRANSFORM,
    gcps: Sequence[tuple[float, float, float, float]] = (),
    metadata: Optional[Mapping[str, Mapping[str, str]]] = None,
    options: Sequence[str] = (),
    mask: Optional[NDArray[Any]] = None,
    alpha: bool = False,
    palette: bool = False,
    driver: str = "GTiff",
) -> Path:
    """Write a raster with GDAL and return its path.

    Args:
        path: the file.
        data: ``(band, row, col)`` stored values; default: ``spectra()``.
        wavelengths, units, fwhm, bbl: one value for all bands or one per band;
            None leaves the item (or a band's item) out.
        where: the domain of the band items (``""`` the default one), or
            ``dataset`` or ``dataset:DOMAIN`` for lists in the dataset.
        keys: other keys for ``wavelength``, ``wavelength_units``, ``fwhm``, ``bbl``.
        descriptions: band names.
        scale, offset, nodata: one value for all bands or one per band, None for none.
        unit_type: the unit of stored values.
        epsg: coordinate reference system, or None.
        geotransform: six numbers, or None.
        gcps: ground control points ``(pixel, line, x, y)``.
        metadata: more dataset items by domain.
        options: creation options.
        mask: ``(row, col)`` uint8, written as the dataset's mask.
        alpha: whether the last band is called alpha.
        palette: whether the first band gets a colour table.
        driver: GDAL's name of the format.
    """
    data = spectra() if data is None else data
    count, height, width = data.shape
    dataset = gdal.GetDriverByName(driver).Create(
        str(path), width, height, count, _GDAL_TYPES[str(data.dtype)], list(options)
    )
    if epsg is not None and not gcps:
        dataset.SetProjection(wkt(epsg))
    if geotransform is not None and not gcps:
        dataset.SetGeoTransform([float(value) for value in geotransform])
    if gcps:
        points = [gdal.GCP(x, y, 0, pixel, line) for pixel, line, x, y in gcps]
        dataset.SetGCPs(points, wkt(epsg or UTM_33N))
    for domain, items in (metadata or {}).items():
        dataset.SetMetadata(dict(items), domain)
    columns = {
        "wavelength": texts(wavelengths, count),
        "wavelength_units": texts(units, count) if wavelengths is not None else [None] * count,
        "fwhm": texts(fwhm, count),
        "bbl": texts(bbl, count),
    }
    columns = {(keys or {}).get(key, key): values for key, values in columns.items()}
    if where.startswith("dataset"):
        _write_lists(dataset, where.partition(":")[2], columns)
    scales, offsets, nodatas = (
        texts(scale, count),
        texts(offset, count),
        texts(nodata, count),
    )
    for index in range(count):
        band = dataset.GetRasterBand(index + 1)
        if not where.startswith("dataset"):
            for key, values in columns.items():
                if values[index] is not None:
                    band.SetMetadataItem(key, values[index], where)
        if descriptions is not None:
            band.SetDescription(descriptions[index])
        if scales[index] is not None:
            band.SetScale(float(scales[index]))
        if offsets[index] is not None:
            band.SetOffset(float(offsets[index]))
        if nodatas[index] is not None:
            band.SetNoDataValue(float(nodatas[index]))
        if unit_type:
            band.SetUnitType(unit_type)
    if palette:
        table = gdal.ColorTable()
        table.SetColorEntry(1, (255, 0, 0, 255))
        dataset.GetRasterBand(1).SetColorTable(table)
    if alpha:
        dataset.GetRasterBand(count).SetColorInterpretation(gdal.GCI_AlphaBand)
    dataset.WriteRaster(
        0,
        0,
        width,
        height,
        np.ascontiguousarray(data),
        buf_xsize=width,
        buf_ysize=height,
        buf_type=_GDAL_TYPES[str(data.dtype)],
    )
    if mask is not None:
        with_mask = np.ascontiguousarray(mask.astype(np.uint8) * 255)
        dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
        band = dataset.GetRasterBand(1)
        band.GetMaskBand().WriteRaster(
            0,
            0,
            width,
            height,
            with_mask,
            buf_xsize=width,
            buf_ysize=height,
            buf_type=gdal.GDT_Byte,
        )
    dataset.FlushCache()
    del dataset
    return path


def _write_lists(dataset: Any, domain: str, columns: Mapping[str, list[Optional[str]]]) -> None:
    for key, values in columns.items():
        if key.lower().replace(" ", "_").endswith("units"):
            if values[0] is not None:
                dataset.SetMetadataItem(key, values[0], domain)
        elif any(value is not None for value in values):
            dataset.SetMetadataItem(key, "{" + ", ".join(v or "" for v in values) + "}", domain)


def make_envi(
    path: Path,
    data: Optional[NDArray[Any]] = None,
    *,
    interleave: str = "bsq",
    wavelengths: Optional[Sequence[Any]] = WAVELENGTHS_NM,
    units: Optional[str] = "Nanometers",
    big_endian: bool = False,
    header_offset: int = 0,
    header: str = "",
) -> Path:
    """Write an ENVI file byte by byte, with its header, and return the path of its data.

    Args:
        path: the data file; the header is ``<path>.hdr``.
        data: ``(band, row, col)`` stored values; default: ``spectra()``.
        interleave: ``bsq``, ``bil`` or ``bip``.
        wavelengths: the list, or None to leave it out.
        units: ``wavelength units``, or None to leave them out.
        big_endian: whether the bytes are in network order.
        header_offset: bytes before the first pixel.
        header: more lines.
    """
    data = spectra() if data is None else data
    count, height, width = data.shape
    axes = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (1, 2, 0)}[interleave]
    stored = data.astype(data.dtype.newbyteorder(">" if big_endian else "<"))
    path.write_bytes(b"\x7f" * header_offset + stored.transpose(axes).tobytes())
    lines = [
        *("ENVI", f"samples = {width}", f"lines = {height}", f"bands = {count}"),
        *(f"header offset = {header_offset}", f"data type = {_ENVI_TYPES[str(data.dtype)]}"),
        *(f"interleave = {interleave}", f"byte order = {int(big_endian)}"),
    ]
    if wavelengths is not None:
        lines.append("wavelength = {" + ", ".join(str(value) for value in wavelengths) + "}")
    if units is not None:
        lines.append(f"wavelength units = {units}")
    Path(f"{path}.hdr").write_text("\n".join([*lines, header, ""]), encoding="utf-8")
    return path


def make_vrt(path: Path, sources: Sequence[Path]) -> Path:
    """Write a VRT that stacks the bands of rasters with their metadata, and return its path."""
    separate: Any = gdal.GetDriverByName("VRT").CreateCopy(str(path), gdal.Open(str(sources[0])))
    for source in sources[1:]:
        other = gdal.Open(str(source))
        for number in range(1, other.RasterCount + 1):
            band = other.GetRasterBand(number)
            separate.AddBand(band.DataType)
            added = separate.GetRasterBand(separate.RasterCount)
            added.SetMetadata(band.GetMetadata())
            if band.GetNoDataValue() is not None:
                added.SetNoDataValue(band.GetNoDataValue())
            if band.GetScale() is not None:
                added.SetScale(band.GetScale())
            added.SetMetadataItem("source_0", _simple_source(source, number), "new_vrt_sources")
    separate.FlushCache()
    del separate
    return path


def _simple_source(source: Path, band: int) -> str:
    return (
        f'<SimpleSource><SourceFilename relativeToVRT="0">{source}</SourceFilename>'
        f"<SourceBand>{band}</SourceBand></SimpleSource>"
    )
