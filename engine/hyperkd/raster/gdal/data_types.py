"""GDAL's data types and numpy's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import numpy as np
from osgeo import gdal

DTYPES: Mapping[int, np.dtype[Any]] = {
    getattr(gdal, f"GDT_{name}"): np.dtype(dtype)
    for name, dtype in {
        "Byte": np.uint8,
        "Int8": np.int8,  # from GDAL 3.7
        "UInt16": np.uint16,
        "Int16": np.int16,
        "UInt32": np.uint32,
        "Int32": np.int32,
        "UInt64": np.uint64,
        "Int64": np.int64,
        "Float16": np.float32,  # from GDAL 3.11; older ones call these Float32 of 16 bits
        "Float32": np.float32,
        "Float64": np.float64,
    }.items()
    if hasattr(gdal, f"GDT_{name}")
}
GDAL_TYPES: Mapping[np.dtype[Any], int] = {dtype: code for code, dtype in DTYPES.items()}


def is_signed_byte(band: Any) -> bool:
    """Return whether a band's bytes have a sign, as GDAL before 3.7 says of what is int8 now."""
    if band.DataType != gdal.GDT_Byte:
        return False
    return bool(band.GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE") == "SIGNEDBYTE")


def dtype_of(band: Any) -> Optional[np.dtype[Any]]:
    """Return the dtype of a band's values, None where they are no real numbers."""
    return np.dtype(np.int8) if is_signed_byte(band) else DTYPES.get(band.DataType)
