"""What a class raster says about its classes: names and colours, in any of GDAL's forms."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from osgeo import gdal

from hyperkd.raster.gdal.opening import open_dataset
from hyperkd.raster.gdal.restrictions import restricted
from hyperkd.raster.parsing import DAMAGED, parsing
from hyperkd.raster.texts import Texts


@dataclass(frozen=True)
class Legend:
    """The legend of a raster.

    Attributes:
        bands: description of each band, or an empty string.
        names: names by pixel value.
        colours: ``#rrggbb`` by pixel value.
        notes: what is odd about its texts, one sentence each.
    """

    bands: tuple[str, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    colours: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@restricted()
def read_legend(path: str) -> Legend:
    """Return the legend of a raster's first band: attribute table, category names, colours.

    The attribute table counts most, because only it can name values above 255.

    Raises:
        HyperKDError: as ``open_dataset`` does.
    """
    dataset, _ = open_dataset(path)
    with parsing(path, "bad_labels", DAMAGED):
        return _legend(dataset, Texts(os.path.basename(path)))


def _legend(dataset: Any, texts: Texts) -> Legend:
    band = dataset.GetRasterBand(1)
    band.GetMetadata()  # GDAL 3.6 finds names in a sidecar only after it was read for something
    names: dict[int, str] = {
        value: texts.read(name)
        for value, name in enumerate(band.GetRasterCategoryNames() or ())
        if name
    }
    colours: dict[int, str] = {}
    table = band.GetRasterColorTable()
    if table is not None:
        entries = ((value, table.GetColorEntry(value)) for value in range(table.GetCount()))
        # GDAL gives values without a colour black, which is then not the colour of a class.
        colours = {value: _hex(*rgba[:3]) for value, rgba in entries if any(rgba[:3])}
    attributes = band.GetDefaultRAT()
    if attributes is not None:
        _add_attributes(attributes, names, colours, texts)
    bands = tuple(
        texts.read(dataset.GetRasterBand(number + 1).GetDescription())
        for number in range(dataset.RasterCount)
    )
    return Legend(bands, names, colours, texts.notes)


def _add_attributes(
    table: Any, names: dict[int, str], colours: dict[int, str], texts: Texts
) -> None:
    column = {table.GetUsageOfCol(i): i for i in range(table.GetColumnCount())}
    value_column = column.get(gdal.GFU_MinMax, column.get(gdal.GFU_Min))
    if value_column is None:
        return
    shades = [column.get(usage) for usage in (gdal.GFU_Red, gdal.GFU_Green, gdal.GFU_Blue)]
    for row in range(table.GetRowCount()):
        value = int(table.GetValueAsInt(row, value_column))
        if gdal.GFU_Name in column and table.GetValueAsString(row, column[gdal.GFU_Name]):
            names[value] = texts.read(table.GetValueAsString(row, column[gdal.GFU_Name]))
        if None not in shades:
            colours[value] = _hex(*(table.GetValueAsInt(row, shade) for shade in shades))


def _hex(red: int, green: int, blue: int) -> str:
    return f"#{red & 255:02x}{green & 255:02x}{blue & 255:02x}"
