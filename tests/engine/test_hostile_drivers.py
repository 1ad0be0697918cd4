"""GDAL keeps the drivers of hyperspectral rasters and labels: no other may write or load."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.label_overview import overview
from hyperkd.raster.gdal import restrictions as safety
from hyperkd.raster.gdal.local_names import require_local
from hyperkd.raster.open_raster import open_raster
from hyperkd.requests.evaluate_options import LabelsJob
from tests.factories import make_raster
from tests.reports import SilentReport

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "engine" / "hyperkd"
OPEN = {*safety.RASTER_DRIVERS, *safety.VECTOR_DRIVERS, "Memory"}


def run(code: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stdout


def test_the_process_has_the_open_drivers_alone() -> None:
    safety.close_gdal()
    found = {gdal.GetDriver(index).ShortName for index in range(gdal.GetDriverCount())}
    assert found <= OPEN
    needed = {"GTiff", "COG", "ENVI", "VRT", "HFA", "netCDF", "GPKG", "GeoJSON", "ESRI Shapefile"}
    assert needed <= found


def test_drivers_that_come_back_go_again() -> None:
    gdal.AllRegister()
    assert gdal.GetDriverByName("MRF") is not None
    safety.close_gdal()
    assert gdal.GetDriverByName("MRF") is None
    assert gdal.GetDriverByName("GTiff") is not None


def test_the_page_lists_what_is_open() -> None:
    page = (ROOT / "docs" / "drivers.md").read_text()
    upper, _, closed = page.partition("## What is closed")
    listed = set(
        re.findall(
            r"`([A-Za-z0-9 ]+)`",
            "\n".join(line.split("|")[1] for line in upper.splitlines() if line.startswith("| `")),
        )
    )
    assert listed == OPEN - {"Memory"}
    assert "MRF" in closed


def test_every_open_goes_through_the_modules_that_close_gdal() -> None:
    opening = re.compile(r"\b(?:gdal|ogr)\.(?:Open\w*|IdentifyDriver\w*)\(")
    where = {
        path.name
        for path in ENGINE.rglob("*.py")
        if opening.search(path.read_text(encoding="utf-8"))
    }
    assert where == {
        *("opening.py", "vector_layers.py", "multidim.py", "local_names.py"),
        *("probe_child.py", "geotiff.py", "indirect_formats.py"),
    }
    for name in where - {"local_names.py"}:  # the others call it
        text = (ENGINE / "raster" / "gdal" / name).read_text(encoding="utf-8")
        assert "restrictions" in text, name
    # It takes files and web addresses for reference systems.
    assert not [p for p in ENGINE.rglob("*.py") if ".SetFromUserInput(" in p.read_text("utf-8")]


MINE = {
    "GDAL_VRT_ENABLE_PYTHON": "YES",
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "/vsicurl/http://example.org/a.tif",
    "GDAL_HTTP_PROXY": "http://127.0.0.1:9",
}
CLOSED = ["NO", "/vsicurl/none", safety.DEAD_PROXY]
SHOW = f"""
from osgeo import gdal
def show():
    for name in {list(MINE)!r}:
        print(gdal.GetConfigOption(name))
"""


def test_options_of_the_environment_do_not_open_it_again() -> None:
    code = (
        f"{SHOW}\nfrom hyperkd.engine_process import mark_engine_process\nmark_engine_process()\n"
        "import hyperkd.raster.gdal.restrictions\nshow()"
    )
    assert run(code, **MINE).splitlines() == CLOSED


def test_in_a_session_the_options_hold_for_the_engine_alone() -> None:
    code = (
        f"{SHOW}\nfrom hyperkd.raster.gdal.restrictions import restricted\nshow()\n"
        "with restricted(), restricted():\n    show()\nshow()"
    )
    mine = list(MINE.values())
    assert run(code, **MINE).splitlines() == [*mine, *CLOSED, *mine]


def test_the_proxy_of_the_user_stays_for_fetching_models() -> None:
    code = (
        "import os, urllib.request\nfrom hyperkd import engine_process\n"
        "engine_process.mark_engine_process()\nimport hyperkd.raster.gdal.restrictions\n"
        "print(os.environ['https_proxy'], urllib.request.getproxies()['https'])"
    )
    proxy = "http://proxy.example.org:3128"
    assert run(code, https_proxy=proxy) == f"{proxy} {proxy}\n"


def test_python_in_a_vrt_does_not_run(tmp_path: Path) -> None:
    part = make_raster(tmp_path / "part.tif")
    vrt = tmp_path / "scene.vrt"
    vrt.write_text(
        '<VRTDataset rasterXSize="7" rasterYSize="5"><VRTRasterBand dataType="Int16" band="1" '
        'subClass="VRTDerivedRasterBand"><Metadata><MDI key="wavelength">500</MDI>'
        '<MDI key="wavelength_units">nm</MDI></Metadata><Scale>1e-4</Scale>'
        "<PixelFunctionType>f</PixelFunctionType>"
        "<PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionCode><![CDATA[\n"
        "def f(in_ar, out_ar, *rest, **more):\n"
        f"    open({str(tmp_path / 'ran')!r}, 'w').close()\n"
        "]]></PixelFunctionCode><SimpleSource><SourceFilename relativeToVRT='1'>"
        f"{part.name}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    code = "import sys\nfrom hyperkd.cli import main\nsys.exit(0 * main(['info', sys.argv[1]]))"
    run(code, str(vrt), GDAL_VRT_ENABLE_PYTHON="YES")
    assert not (tmp_path / "ran").exists()


# --- the two that ran code ---


@pytest.mark.parametrize("name", ["scene.tif", "scene.mrf"])
@pytest.mark.parametrize("through", ["itself", "a VRT"])
def test_a_raster_cannot_write_files(tmp_path: Path, name: str, through: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".bashrc").write_text("echo hello\n")
    pixels = np.full((5, 24, 20), 0x2323, np.int16)
    source = make_raster(
        tmp_path / "source.tif", data=pixels, wavelengths=[500, 510, 520, 530, 540]
    )
    mrf = tmp_path / name
    mrf.write_text(
        f"<MRF_META><CachedSource><Source>{source}</Source></CachedSource><Raster>"
        '<Size x="20" y="24" c="5"/><PageSize x="20" y="24" c="1"/><Compression>NONE'
        f"</Compression><DataType>Int16</DataType><DataFile>{home / '.bashrc'}</DataFile>"
        f"<IndexFile>{home / 'scene.idx'}</IndexFile></Raster></MRF_META>"
    )
    chosen = mrf
    if through == "a VRT":
        chosen = tmp_path / "outer.vrt"
        bands = "".join(
            f'<VRTRasterBand dataType="Int16" band="{n}"><Metadata><MDI key="wavelength">{500 + n}'
            '</MDI><MDI key="wavelength_units">nm</MDI></Metadata><Scale>1e-4</Scale>'
            f'<SimpleSource><SourceFilename relativeToVRT="1">{name}</SourceFilename>'
            f"<SourceBand>{n}</SourceBand></SimpleSource></VRTRasterBand>"
            for n in range(1, 6)
        )
        chosen.write_text(f'<VRTDataset rasterXSize="20" rasterYSize="24">{bands}</VRTDataset>')
    with pytest.raises(HyperKDError) as caught, open_raster(str(chosen)) as raster:
        raster.read_tile(raster.grid.window)
    assert caught.value.code == "unsupported_raster"
    assert f"{mrf} is a file of the format MRF, which is closed" in caught.value.message
    assert "gdal_translate -of GTiff IN OUT.tif" in caught.value.hint
    assert [path.name for path in home.iterdir()] == [".bashrc"]
    assert (home / ".bashrc").read_text() == "echo hello\n"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="builds a library")
@pytest.mark.parametrize(
    "scheme",
    ["ODBC:DRIVER={};DBQ=x", "PGEO:DRIVER={};DBQ=x", "MSSQL:DRIVER={};server=x;database=y"],
)
@pytest.mark.parametrize("through", ["itself", "labels.vrt", "labels.gpkg"])
def test_a_label_file_cannot_load_a_library(tmp_path: Path, scheme: str, through: str) -> None:
    code = tmp_path / "evil.c"
    code.write_text(
        "#include <stdio.h>\n__attribute__((constructor)) static void go(void) {"
        f'FILE *f = fopen("{tmp_path / "ran"}", "w"); if (f) fclose(f);}}\n'
    )
    library = tmp_path / "evil.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(code)], check=True)
    chosen = scheme.format(library)
    if through != "itself":
        path = tmp_path / through
        path.write_text(
            '<OGRVRTDataSource><OGRVRTLayer name="labels"><SrcDataSource relativeToVRT="0">'
            f"{chosen}</SrcDataSource><SrcLayer>x</SrcLayer></OGRVRTLayer></OGRVRTDataSource>"
        )
        chosen = str(path)
    scene = str(make_raster(tmp_path / "scene.tif"))
    with pytest.raises(HyperKDError) as caught:
        overview(LabelsJob(input=(scene,), labels=(chosen,), task="classification"), SilentReport())
    assert not (tmp_path / "ran").exists()
    if through == "itself":
        assert caught.value.code == "unsupported_raster"
    else:
        assert caught.value.code == "bad_labels"
        assert "is a file of the format OGR VRT, which is closed" in caught.value.message
        assert "ogr2ogr -f GPKG OUT.gpkg IN" in caught.value.hint


# --- names ---


@pytest.mark.parametrize(
    "name",
    [
        "/data/vsis3tests/scene.tif",
        "/home/me/vsicurl.tif",
        "C:\\data\\scene.tif",
        "/vsizip//data/product.zip/scene.tif",
        "/vsizip/{/data/product.zip}/scene.tif",
        "/vsitar//data/product.tar.gz/scene.tif",
        "/vsizip//vsizip//data/outer.zip/inner.zip/scene.tif",
        "/vsimem/scene.tif",
        'NETCDF:"/data/a.nc":reflectance',
        'HDF5:"C:\\data\\a.h5"://cube',
        "vrt:///data/scene.tif?bands=1",
        "\\\\server\\share\\scene.tif",  # given by the user
    ],
)
def test_local_names_pass(name: str) -> None:
    require_local(name)


def test_a_file_may_not_lead_to_another_windows_share() -> None:
    inside = "\\\\server\\share\\scene.vrt"
    require_local("\\\\server\\share\\part.tif", inside=inside)
    with pytest.raises(HyperKDError, match=r"lies on a network \(\\\\evil\)") as caught:
        require_local("\\\\evil\\share\\part.tif", inside=inside)
    assert caught.value.code == "unsupported_raster"
    with pytest.raises(HyperKDError, match="lies on a network"):
        require_local("\\\\evil\\share\\part.tif", inside="/data/scene.vrt")
