"""In somebody's Python session GDAL, the environment and child processes stay as they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from osgeo import gdal

from hyperkd.raster.gdal import probe
from tests.factories import make_raster

ROOT = Path(__file__).resolve().parents[2]
GRANDCHILD = "import os; print({k: v for k, v in os.environ.items() if 'proxy' in k.lower()})"
# Everything of a session that the import of the engine used to change.
SESSION = """
import json, os, subprocess, sys
from osgeo import gdal, ogr, osr

GRANDCHILD, scene, output, labels = sys.argv[1:]
OPTIONS = ("GDAL_HTTP_PROXY", "CPL_VSIL_CURL_ALLOWED_FILENAME", "GDAL_VRT_ENABLE_PYTHON")

def state():
    return {
        "environment": dict(os.environ),
        "of C": subprocess.run(["env"], capture_output=True, text=True).stdout,
        "grandchild": subprocess.run([sys.executable, "-c", GRANDCHILD], capture_output=True,
                                     text=True).stdout,
        "drivers": [gdal.GetDriver(i).ShortName for i in range(gdal.GetDriverCount())],
        "options": [gdal.GetConfigOption(name) for name in OPTIONS],
        "raises": [module.GetUseExceptions() for module in (gdal, ogr, osr)],
        "cache": gdal.GetCacheMax(),
        "network": osr.GetPROJEnableNetwork(),
    }

if RAISING:
    gdal.UseExceptions()
gdal.SetConfigOption("GDAL_VRT_ENABLE_PYTHON", "YES")
gdal.SetThreadLocalConfigOption("GDAL_HTTP_PROXY", "http://proxy.example.org:3128")
before = state()

import warnings
warnings.simplefilter("error")
import numpy as np
from hyperkd.errors import HyperKDError
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.gdal.vector_pixels import VectorLayer
from hyperkd.raster.open_raster import limit_block_cache, open_raster
from hyperkd.raster.sink import RasterSpec

from hyperkd.raster.gdal.restrictions import DEAD_PROXY

unguarded, guarded = [], set()

def watch(holder, name):
    call = getattr(holder, name)
    def watched(*arguments, **more):
        inside = gdal.GetThreadLocalConfigOption("GDAL_HTTP_PROXY") == DEAD_PROXY
        guarded.add(name) if inside else unguarded.append(name)
        return call(*arguments, **more)
    setattr(holder, name, watched)
    return lambda: setattr(holder, name, call)

undo = [watch(*each) for each in ((gdal, "OpenEx"), (gdal, "IdentifyDriverEx"),
    (gdal.Dataset, "ReadRaster"), (gdal.Dataset, "WriteRaster"), (gdal.Driver, "Create"),
    (gdal.Driver, "CreateCopy"), (ogr.Layer, "GetNextFeature"), (gdal, "VSIFOpenL"))]

limit_block_cache(2**20)
with open_raster(scene) as source:
    tile = source.read_tile(source.grid.window)
    during = state()
    other = source.reopen()
    other.read(source.grid.window)
    other.close()
    spec = RasterSpec(source.grid, 6, source.dtype, bands=source.bands, layout="cog")
    with create_raster(output, spec) as sink:
        sink.write(source.grid.window, tile.data)
    with VectorLayer(labels) as layer:
        marked = sum(len(feature.rows) for feature in layer.features(source.grid, ["class"]))
try:
    open_raster(output + ".gone")
    code = ""
except HyperKDError as error:
    code = error.code
after = state()
[each() for each in undo]
changed = {name: (before[name], during[name], after[name]) for name in before
           if not before[name] == during[name] == after[name]}
warnings.simplefilter("default")
try:  # the user's own use of GDAL, and its own way to fail
    fails = "None" if gdal.Open(output + ".gone") is None else "opened"
except RuntimeError:
    fails = "raises"
same = open_raster(output).read(source.grid.window) == tile.data
print(json.dumps({"changed": changed, "code": code, "fails": fails, "same": bool(same.all()),
                  "marked": marked, "before": before, "unguarded": unguarded,
                  "guarded": sorted(guarded)}))
"""


def session(code: str, *arguments: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**clean, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("raising", [False, True])
def test_a_session_stays_as_it_was(tmp_path: Path, raising: bool) -> None:
    scene = make_raster(tmp_path / "scene.tif")
    dataset = gdal.Open(str(scene))
    left, dx, _, top, _, dy = dataset.GetGeoTransform()
    x, y = left + 2 * dx, top + 2 * dy
    labels = tmp_path / "labels.geojson"
    square = [[x, y], [x + 2 * dx, y], [x + 2 * dx, y + 2 * dy], [x, y + 2 * dy], [x, y]]
    feature = {
        "type": "Feature",
        "properties": {"class": 1},
        "geometry": {"type": "Polygon", "coordinates": [square]},
    }
    authority = dataset.GetSpatialRef().GetAuthorityCode(None)
    system = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{authority}"}}
    labels.write_text(
        json.dumps({"type": "FeatureCollection", "crs": system, "features": [feature]})
    )
    code = SESSION.replace("RAISING", str(raising))
    told = session(code, GRANDCHILD, str(scene), str(tmp_path / "out.tif"), str(labels))
    found = json.loads(told.splitlines()[-1])
    assert found["changed"] == {}
    assert found["code"] == "unreadable_raster"
    assert found["fails"] == ("raises" if raising else "None")
    assert found["same"]
    assert found["marked"] == 4
    assert (len(found["guarded"]), found["unguarded"]) == (8, [])
    assert found["before"]["grandchild"] == "{}\n"
    assert {"MRF", "WMS", "HTTP"} <= set(found["before"]["drivers"])
    assert found["before"]["options"] == ["http://proxy.example.org:3128", None, "YES"]


@pytest.mark.parametrize(
    "tests",
    [
        "test_hostile_network.py::test_no_file_leads_to_a_network_or_writes_beside_itself",
        "test_hostile_drivers.py::test_a_raster_cannot_write_files",
        "test_hostile_drivers.py::test_a_label_file_cannot_load_a_library",
        "test_hostile_products.py",
    ],
)
def test_hostile_files_are_refused_in_a_session_too(tests: str) -> None:
    """The same tests, in a process whose GDAL has all drivers and the network."""
    told = session(
        "import sys, pytest\nsys.exit(pytest.main(sys.argv[1:]))",
        *("-q", "-p", "no:cacheprovider", str(ROOT / "tests" / "engine" / tests)),
        HYPERKD_TEST_AS_LIBRARY="1",
    )
    assert " passed" in told or "builds a library" in told
    assert "failed" not in told


PYTHON_VRT = """
import os, sys
from osgeo import gdal
gdal.SetConfigOption("GDAL_VRT_ENABLE_PYTHON", "YES")
from hyperkd.errors import HyperKDError
from hyperkd.raster.open_raster import open_raster
try:
    with open_raster(sys.argv[1]) as source:
        source.read(source.grid.window)
except HyperKDError as error:
    print(error.code)
"""


def vrt(folder: Path, body: str, root: str = "") -> Path:
    """Write a VRT with one band."""
    path = folder / "scene.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="7" rasterYSize="5" {root}><VRTRasterBand dataType="Int16" '
        'band="1" subClass="VRTDerivedRasterBand"><Metadata><MDI key="wavelength">500</MDI>'
        '<MDI key="wavelength_units">nm</MDI></Metadata><Scale>1e-4</Scale>'
        f"{body}</VRTRasterBand></VRTDataset>"
    )
    return path


def test_python_in_a_vrt_does_not_run_though_the_user_allows_it(tmp_path: Path) -> None:
    part = make_raster(tmp_path / "part.tif")
    path = vrt(
        tmp_path,
        "<PixelFunctionType>f</PixelFunctionType>"
        "<PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionCode><![CDATA[\n"
        "def f(in_ar, out_ar, *rest, **more):\n"
        f"    open({str(tmp_path / 'ran')!r}, 'w').close()\n"
        "]]></PixelFunctionCode><SimpleSource><SourceFilename relativeToVRT='1'>"
        f"{part.name}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>",
    )
    assert session(PYTHON_VRT, str(path)) == "unreadable_raster\n"
    assert not (tmp_path / "ran").exists()


def mrf(path: Path) -> Path:
    """Write a raster that copies a file over another where GDAL opens it."""
    path.write_text(
        f"<MRF_META><CachedSource><Source>{path.parent / 'source.tif'}</Source></CachedSource>"
        '<Raster><Size x="7" y="5" c="1"/><PageSize x="7" y="5" c="1"/><Compression>NONE'
        f"</Compression><DataType>Int16</DataType><DataFile>{path.parent / 'victim'}</DataFile>"
        f"<IndexFile>{path.parent / 'index'}</IndexFile></Raster></MRF_META>"
    )
    return path


@pytest.mark.parametrize(
    "place", ["mask", "overview", "metadata", "PAM", "unknown element", "kind"]
)
def test_no_file_leads_to_a_format_that_is_closed(tmp_path: Path, place: str) -> None:
    """Where GDAL opens a file by itself it takes any driver, which a session has."""
    make_raster(tmp_path / "source.tif")
    (tmp_path / "victim").write_text("untouched")
    scene = make_raster(tmp_path / "scene.tif")
    if place in ("mask", "overview"):
        mrf(tmp_path / ("scene.tif.msk" if place == "mask" else "scene.tif.ovr"))
    elif place == "metadata":
        dataset = gdal.Open(str(scene), gdal.GA_Update)
        dataset.SetMetadataItem("OVERVIEW_FILE", ":::BASE:::evil.tif", "OVERVIEWS")
        del dataset
        mrf(tmp_path / "evil.tif")
    elif place == "PAM":
        (tmp_path / "scene.tif.aux.xml").write_text(
            '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">'
            f"{mrf(tmp_path / 'evil.tif')}</MDI></Metadata></PAMDataset>"
        )
    elif place == "unknown element":
        name = mrf(tmp_path / "evil.tif").name
        scene = vrt(tmp_path, f"<Argument name='gain'>{name}</Argument>")
    else:
        scene = vrt(tmp_path, "", 'subClass="VRTProcessedDataset"')
    assert session(PYTHON_VRT, str(scene)) == "unsupported_raster\n"
    assert (tmp_path / "victim").read_text() == "untouched"
    assert not (tmp_path / "index").exists()


THREADS = """
import sys, threading
from osgeo import gdal
from hyperkd.raster.open_raster import open_raster
with open_raster(sys.argv[1]) as first:
    sources = [first.reopen() for _ in range(4)]
wrong = []
def work(source):
    try:
        for _ in range(200):
            source.read(source.grid.window)
        if gdal.GetThreadLocalConfigOption("GDAL_HTTP_PROXY") is not None:
            wrong.append("option")
    except Exception as error:
        wrong.append(repr(error))
threads = [threading.Thread(target=work, args=(source,)) for source in sources]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(wrong, gdal.GetUseExceptions())
"""


def test_several_threads_read_and_leave_no_trace(tmp_path: Path) -> None:
    assert session(THREADS, str(make_raster(tmp_path / "scene.tif"))) == "[] 0\n"


def test_within_qgis_the_first_look_takes_a_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows and macOS ``sys.executable`` is QGIS there, which would open a second window."""
    python = probe._interpreter("x.nc")
    assert python == sys.executable
    monkeypatch.setattr(sys, "executable", str(tmp_path / "qgis-bin.exe"))
    assert Path(probe._interpreter("x.nc")).name.startswith("python")
    monkeypatch.setattr(sys, "_base_executable", "")
    monkeypatch.setattr(sys, "exec_prefix", str(tmp_path))
    with pytest.raises(
        probe.HyperKDError, match=r"none was found beside .*qgis-bin\.exe"
    ) as caught:
        probe._interpreter("x.nc")
    assert caught.value.code == "missing_dependency"


def test_the_engine_marks_its_process() -> None:
    code = (
        "import contextlib, io, sys\nfrom hyperkd import cli, engine_process\n"
        "before = engine_process.in_engine_process()\n"
        "status = cli.main(['info', 'gone.tif'])\n"
        "from osgeo import gdal\n"
        "print(before, engine_process.in_engine_process(), gdal.GetDriverByName('MRF'), status,"
        " file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stderr.splitlines()[-1] == "False True None 3"
