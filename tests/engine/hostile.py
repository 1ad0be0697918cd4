"""Hostile rasters, labels and products: files whose content reaches beyond themselves.

Each form is written into a folder of its own and asks for the address it is given.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable
from xml.sax.saxutils import escape

import numpy as np
import pytest

from tests.factories import make_envi, make_raster
from tests.label_factories import make_vector
from tests.products import STEM, write_emit, write_enmap

CLASS = {"class": "text"}
SIZE = 'rasterXSize="7" rasterYSize="5"'
BANDS = range(1, 7)


@dataclass(frozen=True)
class Form:
    """One way to lead a program somewhere.

    Attributes:
        name: what it is, for the test's id.
        job: ``raster``, ``labels`` or ``product``: what is done with it.
        make: writes it into a folder and returns what the user would choose;
            the second argument is ``http://host:port``.
    """

    name: str
    job: str
    make: Callable[[Path, str], str] = field(compare=False)


def _band(number: int, inner: str) -> str:
    return (
        f'<VRTRasterBand dataType="Int16" band="{number}">'
        f'<Metadata><MDI key="wavelength">{400 + 100 * number}</MDI>'
        f'<MDI key="wavelength_units">Nanometers</MDI></Metadata><Scale>1e-4</Scale>{inner}'
        "</VRTRasterBand>"
    )


def _simple(source: str, band: str = "1", kind: str = "SimpleSource") -> str:
    return (
        f"<{kind}><SourceFilename>{source}</SourceFilename><SourceBand>{band}</SourceBand></{kind}>"
    )


def vrt(inner: str, extra: str = "", size: str = SIZE) -> str:
    """Return a VRT of six bands with the same content."""
    return f"<VRTDataset {size}>{''.join(_band(n, inner) for n in BANDS)}{extra}</VRTDataset>"


def text(name: str, content: Callable[[str], str]) -> Callable[[Path, str], str]:
    """Return a maker of one text file."""

    def make(folder: Path, url: str) -> str:
        (folder / name).write_text(content(url))
        return str(folder / name)

    return make


def given(name: Callable[[str], str]) -> Callable[[Path, str], str]:
    """Return a maker of a name alone."""
    return lambda folder, url: name(url)


def beside(suffix: str, content: Callable[[str], str]) -> Callable[[Path, str], str]:
    """Return a maker of a plain GeoTIFF with a file beside it."""

    def make(folder: Path, url: str) -> str:
        path = make_raster(folder / "scene.tif")
        Path(f"{path}{suffix}").write_text(content(url))
        return str(path)

    return make


def _vrt_in_vrt(folder: Path, url: str) -> str:
    (folder / "inner.bin").write_text(vrt(_simple(f"/vsicurl/{url}/a.tif")))
    (folder / "scene.vrt").write_text(
        vrt(
            '<SimpleSource><SourceFilename relativeToVRT="1">inner.bin</SourceFilename>'
            "<SourceBand>1</SourceBand></SimpleSource>"
        )
    )
    return str(folder / "scene.vrt")


def _vrt_in_zip(folder: Path, url: str) -> str:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("scene.vrt", vrt(_simple(f"/vsicurl/{url}/a.tif")))
    return f"/vsizip/{folder / 'a.zip'}/scene.vrt"


def _warped(url: str) -> str:
    return (
        f'<VRTDataset {SIZE} subClass="VRTWarpedDataset"><VRTRasterBand dataType="Int16" '
        'band="1" subClass="VRTWarpedRasterBand"/><BlockXSize>7</BlockXSize><BlockYSize>5'
        "</BlockYSize><GDALWarpOptions><WarpMemoryLimit>1e6</WarpMemoryLimit>"
        f"<SourceDataset>{url}/a.tif</SourceDataset><BandList><BandMapping src='1' dst='1'/>"
        "</BandList></GDALWarpOptions></VRTDataset>"
    )


def _enmap(part: str) -> Callable[[Path, str], str]:
    def make(folder: Path, url: str) -> str:
        product = write_enmap(folder)
        image = product / f"{STEM}-{part}.TIF"
        image.unlink()
        image.write_text(
            vrt(_simple(f"/vsicurl/{url}/a.tif"), size='rasterXSize="4" rasterYSize="3"')
        )
        return str(product)

    return make


def _enmap_zip(folder: Path, url: str) -> str:
    product = Path(_enmap("SPECTRAL_IMAGE")(folder, url))
    with zipfile.ZipFile(folder / "product.zip", "w") as archive:
        for file in product.iterdir():
            archive.write(file, file.name)
    return str(folder / "product.zip")


def _desis(folder: Path, url: str) -> str:
    product = folder / "DESIS"
    product.mkdir()
    (product / "DESIS-HSI-L2A-SPECTRAL_IMAGE.tif").write_text(vrt(_simple(f"{url}/a.tif")))
    return str(product)


def _emit(folder: Path, url: str) -> str:
    h5py = pytest.importorskip("h5py", reason="builds the EMIT file")
    table = np.ones((3, 4), np.int32)
    write_emit(folder / "emit.nc", table, table)
    with h5py.File(folder / "emit.nc", "r+") as file:
        file.attrs["spatial_ref"] = f"{url}/crs"
    return str(folder / "emit.nc")


def _geojson(crs: Mapping[str, object]) -> Callable[[str], str]:
    def content(url: str) -> str:
        return json.dumps(
            {
                "type": "FeatureCollection",
                "crs": json.loads(json.dumps(crs).replace("URL", url)),
                "features": [
                    {
                        "type": "Feature",
                        "properties": {"class": "a"},
                        "geometry": {"type": "Point", "coordinates": [1, 2]},
                    }
                ],
            }
        )

    return content


def _ogr_vrt(source: Callable[[str], str]) -> Callable[[str], str]:
    return lambda url: (
        '<OGRVRTDataSource><OGRVRTLayer name="labels"><SrcDataSource relativeToVRT="0">'
        f"{escape(source(url))}</SrcDataSource><SrcLayer>x</SrcLayer></OGRVRTLayer>"
        "</OGRVRTDataSource>"
    )


def _view(expression: str) -> Callable[[Path, str], str]:
    """Return a maker of a GeoPackage whose labels are computed by its own SQL."""

    def make(folder: Path, url: str) -> str:
        path = Path(make_vector(folder / "labels.gpkg", [("POINT(1 2)", {"class": "a"})], CLASS))
        with sqlite3.connect(path) as database:
            # The triggers call functions that only GDAL knows.
            for (name,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall():
                database.execute(f'DROP TRIGGER "{name}"')
            database.execute("ALTER TABLE labels RENAME TO hidden")
            database.execute(
                f"CREATE VIEW labels AS SELECT fid, geom, {expression.replace('URL', url)} "
                "AS class FROM hidden"
            )
        database.close()
        return str(path)

    return make


def _journalled(open_elsewhere: bool) -> Callable[[Path, str], str]:
    """Return a maker of a GeoPackage in the mode in which QGIS edits: SQLite's WAL."""

    def make(folder: Path, url: str) -> str:
        path = Path(make_vector(folder / "labels.gpkg", [("POINT(1 2)", {"class": "a"})], CLASS))
        script = (
            "import os, sqlite3, sys\n"
            "database = sqlite3.connect(sys.argv[1])\n"
            "database.execute('PRAGMA journal_mode = WAL')\n"
            "database.execute('CREATE TABLE other (a)')\n"
            "database.commit()\n" + ("os._exit(0)\n" if open_elsewhere else "database.close()\n")
        )
        subprocess.run([sys.executable, "-c", script, str(path)], check=True)
        assert Path(f"{path}-wal").exists() == open_elsewhere
        return str(path)

    return make


def _plain_layer(driver: str, suffix: str) -> Callable[[Path, str], str]:
    return lambda folder, url: str(
        make_vector(
            folder / f"labels.{suffix}", [("POINT(1 2)", {"class": "a"})], CLASS, driver=driver
        )
    )


def _kml(folder: Path, url: str) -> str:
    (folder / "labels.kml").write_text(
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><NetworkLink><Link><href>'
        f"{url}/n.kml</href></Link></NetworkLink><Placemark><name>a</name><styleUrl>{url}/s.kml#a"
        "</styleUrl><Point><coordinates>1,2</coordinates></Point></Placemark></Document></kml>"
    )
    return str(folder / "labels.kml")


def _kmz(folder: Path, url: str) -> str:
    _kml(folder, url)
    with zipfile.ZipFile(folder / "labels.kmz", "w") as archive:
        archive.write(folder / "labels.kml", "doc.kml")
    return str(folder / "labels.kmz")


def _gml(url: str) -> str:
    return (
        f'<!DOCTYPE a [<!ENTITY x SYSTEM "{url}/entity">]>'
        '<gml:FeatureCollection xmlns:gml="http://www.opengis.net/gml" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="x {url}/wfs?service=WFS&amp;request=DescribeFeatureType'
        '&amp;typeName=x"><gml:featureMember><x><class>&x;</class></x></gml:featureMember>'
        "</gml:FeatureCollection>"
    )


def _mrf(data: str) -> Callable[[str], str]:
    return lambda url: (
        "<MRF_META><CachedSource><Source>"
        f"{data.replace('URL', url)}</Source></CachedSource><Raster><Size x='7' y='5' c='6'/>"
        f"<DataFile>{data.replace('URL', url)}</DataFile></Raster></MRF_META>"
    )


def _pam(name: str) -> Callable[[str], str]:
    return lambda url: (
        '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">'
        f"{escape(name.replace('URL', url))}</MDI></Metadata></PAMDataset>"
    )


_ADDRESSES = {
    "http": "URL/a.tif",
    "curl": "/vsicurl/URL/a.tif",
    "curl with options": "/vsicurl?proxy=URL&list_dir=yes&url=URL/a.tif",
    "curl streaming": "/vsicurl_streaming/URL/a.tif",
    "s3": "/vsis3/bucket/a.tif",
    "s3 streaming": "/vsis3_streaming/bucket/a.tif",
    "gs": "/vsigs/bucket/a.tif",
    "azure": "/vsiaz/bucket/a.tif",
    "adls": "/vsiadls/bucket/a.tif",
    "oss": "/vsioss/bucket/a.tif",
    "swift": "/vsiswift/bucket/a.tif",
    "webhdfs": "/vsiwebhdfs/URL/webhdfs/v1/a.tif",
    "zip on curl": "/vsizip//vsicurl/URL/a.zip/a.tif",
    "zip on curl in braces": "/vsizip/{/vsicurl/URL/a.zip}/a.tif",
    "part of a file on curl": "/vsisubfile/0_1000,/vsicurl/URL/a.tif",
    "encrypted on curl": "/vsicrypt/key=abc,file=/vsicurl/URL/a.tif",
    "netcdf": 'NETCDF:"URL/a.nc":v',
    "netcdf without quotes": "NETCDF:URL/a.nc:v",
    "hdf5 on curl": 'HDF5:"/vsicurl/URL/a.h5"://v',
    "directory of a TIFF": "GTIFF_DIR:1:/vsicurl/URL/a.tif",
    "vrt": "vrt://URL/a.tif?bands=1",
    "derived": "DERIVED_SUBDATASET:AMPLITUDE:URL/a.tif",
    "derived on curl": "DERIVED_SUBDATASET:AMPLITUDE:/vsicurl/URL/a.tif",
    "fits": 'FITS:"URL/a.fits":1',
    "wms": "WMS:URL/wms?",
    "wmts": "WMTS:URL/wmts",
    "wcs": "WCS:URL/wcs?version=1.0.0&coverage=a",
    "ogc api": "OGCAPI:URL/api",
    "stacta": 'STACTA:"URL/stac.json"',
}
_LABEL_ADDRESSES = {
    "http": "URL/a.json",
    "curl": "/vsicurl/URL/a.gpkg",
    "geojson": "GeoJSON:URL/a.json",
    "geojson sequence": "GeoJSONSeq:URL/a.json",
    "esri json": "ESRIJSON:URL/a.json",
    "topojson": "TopoJSON:URL/a.json",
    "wfs": "WFS:URL/wfs",
    "oapif": "OAPIF:URL/api",
    "csw": "CSW:URL/csw",
    "elasticsearch": "ES:URL",
    "postgresql": "PG:host=127.0.0.1 port=PORT dbname=a",
    "mysql": "MYSQL:a,host=127.0.0.1,port=PORT",
    "mvt": "MVT:URL/0/0/0.pbf",
}


def _filled(name: str) -> Callable[[str], str]:
    return lambda url: name.replace("URL", url).replace("PORT", url.rpartition(":")[2])


FORMS: tuple[Form, ...] = (
    *(Form(f"name: {k}", "raster", given(_filled(v))) for k, v in _ADDRESSES.items()),
    *(
        Form(
            f"VRT source: {k}",
            "raster",
            text("scene.tif", lambda url, v=v: vrt(_simple(escape(_filled(v)(url))))),
        )
        for k, v in _ADDRESSES.items()
    ),
    *(
        Form(f"overview of a PAM file: {k}", "raster", beside(".aux.xml", _pam(v)))
        for k, v in _ADDRESSES.items()
    ),
    Form(
        "VRT without an ending",
        "raster",
        text("scene", lambda url: vrt(_simple(f"/vsicurl/{url}/a.tif"))),
    ),
    Form(
        "VRT with entities in its name",
        "raster",
        text("scene.vrt", lambda url: vrt(_simple(f"&#47;vsi&#99;url&#x2F;{url}/a.tif"))),
    ),
    Form("VRT in a VRT", "raster", _vrt_in_vrt),
    Form("VRT in a zip", "raster", _vrt_in_zip),
    Form("VRT as text", "raster", given(lambda url: vrt(_simple(f"/vsicurl/{url}/a.tif")))),
    Form(
        "VRT whose source is a VRT as text",
        "raster",
        text("scene.vrt", lambda url: vrt(_simple(escape(vrt(_simple(f"/vsicurl/{url}/a.tif")))))),
    ),
    Form("warped VRT", "raster", text("scene.vrt", _warped)),
    Form(
        "mask of a source",
        "raster",
        text("scene.vrt", lambda url: vrt(_simple(f"/vsicurl/{url}/a.tif", "mask,1"))),
    ),
    Form(
        "mask band",
        "raster",
        text(
            "scene.vrt",
            lambda url: vrt(
                "",
                '<MaskBand><VRTRasterBand dataType="Byte">'
                f"{_simple(f'/vsicurl/{url}/a.tif')}</VRTRasterBand></MaskBand>",
            ),
        ),
    ),
    Form(
        "complex source",
        "raster",
        text("scene.vrt", lambda url: vrt(_simple(f"/vsicurl/{url}/a.tif", kind="ComplexSource"))),
    ),
    Form(
        "overview of a VRT",
        "raster",
        text(
            "scene.vrt",
            lambda url: vrt(
                f"<Overview><SourceFilename>/vsicurl/{url}/a.tif</SourceFilename>"
                "<SourceBand>1</SourceBand></Overview>"
            ),
        ),
    ),
    Form(
        "reference system of a VRT",
        "raster",
        text("scene.vrt", lambda url: vrt("", f"<SRS>{url}/crs</SRS>")),
    ),
    Form("overview file that is a VRT", "raster", beside(".ovr", lambda u: vrt(_simple(u + "/a")))),
    Form("mask file that is a VRT", "raster", beside(".msk", lambda u: vrt(_simple(u + "/a")))),
    Form(
        "map service",
        "raster",
        text(
            "scene.xml",
            lambda u: (
                "<GDAL_WMS><Service name='TMS'>"
                f"<ServerUrl>{u}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service></GDAL_WMS>"
            ),
        ),
    ),
    Form(
        "coverage service",
        "raster",
        text(
            "scene.wcs",
            lambda u: (
                f"<WCS_GDAL><ServiceURL>{u}/wcs?</ServiceURL><CoverageName>a</CoverageName></WCS_GDAL>"
            ),
        ),
    ),
    Form("MRF", "raster", text("scene.tif", _mrf("URL/a.tif"))),
    Form("MRF on curl", "raster", text("scene.mrf", _mrf("/vsicurl/URL/a.tif"))),
    Form("EnMAP whose image is a VRT", "product", _enmap("SPECTRAL_IMAGE")),
    Form("EnMAP whose mask is a VRT", "product", _enmap("QL_QUALITY_CLOUD")),
    Form("EnMAP in a zip whose image is a VRT", "product", _enmap_zip),
    Form("DESIS whose image is a VRT", "product", _desis),
    Form("EMIT with a reference system at an address", "product", _emit),
    Form("PRISMA at an address", "product", given(lambda u: f"/vsicurl/{u}/a.he5")),
    *(Form(f"labels: {k}", "labels", given(_filled(v))) for k, v in _LABEL_ADDRESSES.items()),
    *(
        Form(f"OGR VRT: {k}", "labels", text("labels.gpkg", _ogr_vrt(_filled(v))))
        for k, v in _LABEL_ADDRESSES.items()
    ),
    *(
        Form(f"GeoJSON system: {json.dumps(crs)}", "labels", text("a.geojson", _geojson(crs)))
        for crs in (
            {"type": "link", "properties": {"href": "URL/crs"}},
            {"type": "link", "properties": {"href": "URL/crs", "type": "ogcwkt"}},
            {"type": "url", "properties": {"url": "URL/crs"}},
            {"type": "name", "properties": {"name": "URL/crs"}},
        )
    ),
    Form("KML with links", "labels", _kml),
    Form("KMZ with links", "labels", _kmz),
    Form("GML with a schema and entities", "labels", text("labels.gml", _gml)),
    Form(
        "raster of labels that is a VRT",
        "labels",
        text("labels.vrt", lambda u: vrt(_simple(f"/vsicurl/{u}/a.tif"))),
    ),
    Form("GeoPackage in WAL mode", "labels", _journalled(open_elsewhere=False)),
    Form("GeoPackage that is open elsewhere", "labels", _journalled(open_elsewhere=True)),
    *(
        Form(f"harmless {driver}", "labels", _plain_layer(driver, suffix))
        for driver, suffix in (
            ("GPKG", "gpkg"),
            ("SQLite", "sqlite"),
            ("ESRI Shapefile", "shp"),
            ("GeoJSON", "geojson"),
            ("FlatGeobuf", "fgb"),
            ("KML", "kml"),
        )
    ),
    Form("harmless GeoTIFF", "raster", lambda folder, url: str(make_raster(folder / "a.tif"))),
    Form("harmless ENVI", "raster", lambda folder, url: str(make_envi(folder / "a.bsq"))),
    Form("harmless EnMAP", "product", lambda folder, url: str(write_enmap(folder))),
    Form(
        "view that geocodes",
        "labels",
        _view("ogr_geocode('x', 'geometry', 'QUERY_TEMPLATE=URL/geocode?q=%s')"),
    ),
    Form("view that loads a library", "labels", _view("load_extension('/tmp/none.so')")),
    Form(
        "view that reads a raster",
        "labels",
        _view("gdal_get_pixel_value('/vsicurl/URL/a.tif', 1, 'pixel', 0, 0)"),
    ),
)
