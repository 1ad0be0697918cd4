"""A small EnMAP product with the structure that its documentation gives."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import numpy as np
from osgeo import gdal, osr

STEM = "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20231116T140614Z"
CENTRES = [418.24, 423.87, 902.26, 905.11, 1010.5, 1390.8]
WIDTHS = [7.0, 6.7, 11.0, 10.1, 10.5, 11.8]


def enmap_xml(level: str = "L2A", empty: Optional[int] = 6, gain: str = "0.0001") -> str:
    """Return a small METADATA.XML of ``len(CENTRES)`` bands."""
    bands = "".join(
        f'<bandID number="{i}"><wavelengthCenterOfBand>{c}</wavelengthCenterOfBand>'
        f"<FWHMOfBand>{w}</FWHMOfBand><GainOfBand>{gain}</GainOfBand>"
        f"<OffsetOfBand>0.02</OffsetOfBand></bandID>"
        for i, (c, w) in enumerate(zip(CENTRES, WIDTHS), 1)
    )
    statistics = "".join(
        f'<bandID number="{i}"><mean>{"-1000000" if i == empty else "812.5"}</mean>'
        f"<stdDeviation>{'0' if i == empty else '40'}</stdDeviation></bandID>"
        for i in range(1, len(CENTRES) + 1)
    )
    return (
        f"<level_X><metadata><schema><versionSchema>00.02.00</versionSchema></schema></metadata>"
        f"<base><level>{level}</level><temporalCoverage><startTime>2022-07-24T10:45:26Z"
        f"</startTime></temporalCoverage></base><specific><widthOfOrthoScene>4"
        f"</widthOfOrthoScene><heightOfOrthoScene>3</heightOfOrthoScene><qualityFlag>"
        f"<cloudCover>12</cloudCover></qualityFlag><bandCharacterisation>{bands}"
        f"</bandCharacterisation></specific><product><bandStatistics>{statistics}"
        f"</bandStatistics></product></level_X>"
    )


def write_tif(path: Path, values: np.ndarray, nodata: Optional[float] = None) -> None:
    """Write ``(band, row, col)`` without any band metadata, as EnMAP delivers it."""
    kinds = {"int16": gdal.GDT_Int16, "uint8": gdal.GDT_Byte}
    count, rows, cols = values.shape
    dataset = gdal.GetDriverByName("GTiff").Create(
        str(path), cols, rows, count, kinds[values.dtype.name]
    )
    dataset.SetGeoTransform((365000.0, 30.0, 0.0, 5807000.0, 0.0, -30.0))
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(32633)
    dataset.SetProjection(reference.ExportToWkt())
    if nodata is not None:
        for band in range(1, count + 1):
            dataset.GetRasterBand(band).SetNoDataValue(nodata)
    dataset.WriteRaster(0, 0, cols, rows, values.tobytes(), cols, rows, kinds[values.dtype.name])
    dataset = None


def enmap_cube() -> np.ndarray:
    """Return DN of 6 bands on 3 x 4 pixels; band 6 and the pixel (0, 0) are nodata."""
    cube = (100 * np.arange(1, 7)[:, None, None] + np.arange(12).reshape(3, 4)).astype(np.int16)
    cube[:, 0, 0] = -32768
    cube[5] = -32768
    return cube


def write_enmap(parent: Path) -> Path:
    """Write a small but complete EnMAP product into ``parent``; return its folder."""
    folder = parent / STEM
    folder.mkdir()
    (folder / f"{STEM}-METADATA.XML").write_text(enmap_xml())
    write_tif(folder / f"{STEM}-SPECTRAL_IMAGE.TIF", enmap_cube(), -32768)
    layers: dict[str, np.ndarray] = {
        name: np.zeros((1, 3, 4), np.uint8)
        for name in ("CLOUD", "CLOUDSHADOW", "HAZE", "CIRRUS", "SNOW")
    }
    layers["CLOUD"][0, 0, 1] = 1
    layers["CLOUDSHADOW"][0, 0, 2] = 1
    layers["HAZE"][0, 0, 3] = 1
    layers["CIRRUS"][0, 1, :3] = (1, 2, 3)
    layers["SNOW"][0, 1, 3] = 1
    layers["CLASSES"] = np.full((1, 3, 4), 1, np.uint8)
    layers["CLASSES"][0, 2, :2] = (2, 3)
    for name, values in layers.items():
        write_tif(folder / f"{STEM}-QL_QUALITY_{name}.TIF", values)
    pixels = np.zeros((6, 3, 4), np.uint8)
    pixels[:, 0, 0] = 255
    pixels[3, 2, 3] = 1
    write_tif(folder / f"{STEM}-QL_PIXELMASK.TIF", pixels)
    return folder
