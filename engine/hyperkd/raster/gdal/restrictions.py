"""What GDAL may do for the engine: few formats, no network, no code from data files.

A driver of GDAL is a program that a file chooses by its content, whatever its name
says. Some write where the file tells them to, load a library or ask a server.

In the engine's own process all drivers are taken away but those listed here, which read
the file itself and its companions; drivers that open other files, VRT above all, find no
others either, and neither GDAL nor a library below it finds a network. In somebody else's
Python session GDAL stays as it is for everybody else: each call that the engine makes names
the drivers, options that close the network hold for its thread until it returns, and what
a file names is looked at before it is opened (``indirect_formats``). ``docs/drivers.md``
tells users.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from osgeo import gdal, osr

from hyperkd.engine_process import in_engine_process
from hyperkd.raster.gdal.gdal_errors import gdal_raising

# What hyperspectral rasters and class rasters come in. Not here: MRF and FITS write
# where the file says; PCIDSK, ERS, DIMAP and other formats of products name
# further files that any driver then opens; WMS, WCS, WMTS, HTTP and the like are services.
RASTER_DRIVERS: Final = (
    *("GTiff", "COG", "ENVI", "EHdr", "HFA", "VRT", "PNG", "JP2OpenJPEG", "MEM"),
    *("netCDF", "HDF5", "HDF5Image"),
)
ARRAY_DRIVERS: Final = ("netCDF", "HDF5")
# What people draw labels into. Not here: OGR_VRT, ODBC, PGeo and MSSQLSpatial load a
# library that the file names, GPSBabel starts a program, GML writes beside the file and
# asks servers for its schema.
VECTOR_DRIVERS: Final = (
    *("GPKG", "SQLite", "ESRI Shapefile", "GeoJSON", "GeoJSONSeq", "FlatGeobuf", "CSV"),
    *("KML", "LIBKML", "OpenFileGDB"),
)
# Features in memory while a polygon is burned; from GDAL 3.11 on MEM holds them too.
_WORKING_DRIVERS: Final = ("Memory",)
_OPEN: Final = frozenset((*RASTER_DRIVERS, *VECTOR_DRIVERS, *_WORKING_DRIVERS))

# No proxy has this scheme: curl refuses it before it connects, and names it in its error.
DEAD_PROXY: Final = "nowhere://network-is-closed"
_OPTIONS: Final[Mapping[str, str]] = {
    # A VRT may carry code in Python, or name a module.
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_VRT_PYTHON_TRUSTED_MODULES": "",
    # /vsicurl/ and its relatives may open this one only, which does not exist.
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "/vsicurl/none",
    "GDAL_HTTP_PROXY": DEAD_PROXY,
    "GDAL_HTTPS_PROXY": DEAD_PROXY,
    "GDAL_HTTP_MAX_RETRY": "0",
    "CPL_ALLOW_VSISTDIN": "NO",
    # GDAL would write one beside each .gz that it reads.
    "CPL_VSIL_GZIP_WRITE_PROPERTIES": "NO",
    "GML_DOWNLOAD_SCHEMA": "NO",
    "GML_ALLOW_REMOTE_SCHEMA": "NO",
    # SQL that a GeoPackage or SpatiaLite file carries in its views.
    "OGR_SQLITE_ALLOW_EXTERNAL_ACCESS": "NO",
    "OGR_SQLITE_LIST_VIRTUAL_OGR": "NO",
    "OGR_SQLITE_LOAD_EXTENSIONS": "",
    "OGR_GEOCODE_SERVICE": "none",
}
# Libraries below GDAL have a curl of their own (netCDF); it reads the environment of C.
_ENVIRONMENT: Final[Mapping[str, str]] = {
    **dict.fromkeys(("http_proxy", "https_proxy", "ftp_proxy", "all_proxy"), DEAD_PROXY),
    **dict.fromkeys(("HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY"), DEAD_PROXY),
    **dict.fromkeys(("no_proxy", "NO_PROXY", "SPATIALITE_SECURITY"), ""),
}

# The one thing that would leave the thread: since GDAL 3.10 a VRT is read by several.
_THREAD_OPTIONS: Final[Mapping[str, str]] = {**_OPTIONS, "VRT_NUM_THREADS": "1"}

_closed = {"drivers": -1}
_thread = threading.local()


@contextmanager
def restricted() -> Iterator[None]:
    """Let GDAL do no more than it may for what this thread asks of it; decorates functions too.

    Every call of GDAL that opens a file or reads from one stands inside, and GDAL raises
    its failures there.
    """
    if in_engine_process():
        close_gdal()
        yield
        return
    if getattr(_thread, "restricted", False):
        yield
        return
    before = {name: gdal.GetThreadLocalConfigOption(name) for name in _THREAD_OPTIONS}
    _thread.restricted = True
    try:
        for name, value in _THREAD_OPTIONS.items():
            gdal.SetThreadLocalConfigOption(name, value)
        with gdal_raising():
            yield
    finally:
        for name, old in before.items():
            gdal.SetThreadLocalConfigOption(name, old)
        _thread.restricted = False


def close_gdal() -> None:
    """Leave this process the drivers of this module only, and no way to a network.

    At the cost of one look it is done before every call: another library of the same
    process may have registered all drivers again.
    """
    if gdal.GetDriverCount() == _closed["drivers"]:
        return
    gdal.UseExceptions()
    for name, value in _OPTIONS.items():
        gdal.SetConfigOption(name, value)
    for name, value in _ENVIRONMENT.items():
        # Python's own copy, os.environ, stays: fetching models goes through the user's proxy.
        os.putenv(name, value)
    osr.SetPROJEnableNetwork(False)
    for index in reversed(range(gdal.GetDriverCount())):
        driver = gdal.GetDriver(index)
        if driver.ShortName not in _OPEN:
            driver.Deregister()
    _closed["drivers"] = gdal.GetDriverCount()


def present(names: tuple[str, ...]) -> list[str]:
    """Return which of some drivers this build of GDAL has."""
    return [name for name in names if gdal.GetDriverByName(name) is not None]


def compressing_threads() -> str:
    """Return GDAL's option for how many threads compress.

    Where the address space is limited GDAL may get none, and then waits for it for ever.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return "ALL_CPUS"
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return "ALL_CPUS" if limit == resource.RLIM_INFINITY else "1"


if in_engine_process():
    close_gdal()
