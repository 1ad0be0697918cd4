"""Coordinate reference systems: their names, and whether two mean the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from osgeo import osr

from hyperkd.raster.gdal.gdal_errors import ogr_raising
from hyperkd.raster.gdal.restrictions import restricted
from hyperkd.raster.texts import decoded


@contextmanager
def raising() -> Iterator[None]:
    """Let gdal, ogr and osr raise for the time of one call; see ``restricted``."""
    with restricted(), ogr_raising():
        yield


@raising()
def same_crs(first_wkt: str, second_wkt: str) -> bool:
    """Return whether two coordinate reference systems mean the same for coordinates x, y."""
    if not first_wkt or not second_wkt:
        return first_wkt == second_wkt
    return bool(reference_of(first_wkt).IsSame(reference_of(second_wkt)))


@raising()
def crs_name(crs_wkt: str) -> str:
    """Return how people call a coordinate reference system."""
    return called(reference_of(crs_wkt)) if crs_wkt else "no coordinate reference system"


def reference_of(crs_wkt: str) -> Any:
    """Return the reference system of a raster, x before y."""
    reference = osr.SpatialReference()
    reference.ImportFromWkt(crs_wkt)
    # A geotransform gives x and y, whatever the order of axes in the system's definition.
    reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return reference


def known(reference: Any) -> Any:
    """Return a reference system, None where it is one of GeoPackage's two words for none.

    One whose names are not UTF-8 is written anew: PROJ and newer bindings stumble over them.
    """
    undefined = ("Undefined geographic SRS", "Undefined Cartesian SRS")
    if reference is None or reference.GetName() in undefined:
        return None
    text = reference.ExportToWkt()
    clean = decoded(text)
    if clean == text:
        return reference
    renamed = osr.SpatialReference()
    renamed.ImportFromWkt(clean)
    renamed.SetDataAxisToSRSAxisMapping(reference.GetDataAxisToSRSAxisMapping())
    return renamed


def called(reference: Any) -> str:
    """Return how people call a reference system."""
    authority, code = reference.GetAuthorityName(None), reference.GetAuthorityCode(None)
    return f"{authority}:{code}" if authority and code else decoded(reference.GetName())
