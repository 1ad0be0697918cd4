"""Nothing leaves the machine, and nothing is written beside an input, whatever a file says."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from osgeo import gdal

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.label_overview import overview
from hyperkd.jobs.info import info
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.products.import_product import import_product
from hyperkd.raster.source import iterate_stripes
from hyperkd.requests.evaluate_options import LabelsJob
from hyperkd.requests.prepare_options import ImportJob, InfoJob
from tests.engine.hostile import FORMS, Form
from tests.factories import make_raster
from tests.reports import SilentReport

_SERVER = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0), backlog=64)
print(server.getsockname()[1], flush=True)
while True:
    client, _ = server.accept()
    client.settimeout(2)
    try:
        said = client.recv(200)
        client.sendall(b"HTTP/1.0 404 none\\r\\nContent-Length: 0\\r\\n\\r\\n")
    except OSError:
        said = b"?"
    client.close()
    print(said.split(b"\\r")[0], flush=True)
"""


class Server:
    """A server in a process of its own: GDAL may hold Python's lock while it waits."""

    def __init__(self, log: Path) -> None:
        self._log = log
        with log.open("w") as file:
            self.process = subprocess.Popen([sys.executable, "-c", _SERVER], stdout=file)
        while not (lines := log.read_text().splitlines()):
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{lines[0]}"

    def heard(self) -> list[str]:
        """Return the first line of each request so far."""
        return self._log.read_text().splitlines()[1:]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server") / "log")
    yield server
    server.process.kill()
    server.process.wait()


@pytest.fixture
def _clouds(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point every cloud at the server, as the environment of a user may."""
    host = server.url.partition("//")[2]
    for name, value in {
        "AWS_S3_ENDPOINT": host,
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_NO_SIGN_REQUEST": "YES",
        "GS_NO_SIGN_REQUEST": "YES",
        "CPL_GS_ENDPOINT": server.url,
        "AZURE_STORAGE_CONNECTION_STRING": (
            "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;"
            f"BlobEndpoint={server.url}/a"
        ),
        "OSS_ENDPOINT": host,
        "OSS_HTTPS": "NO",
        "OSS_VIRTUAL_HOSTING": "FALSE",
        "OSS_ACCESS_KEY_ID": "a",
        "OSS_SECRET_ACCESS_KEY": "b",
        "SWIFT_STORAGE_URL": server.url,
        "SWIFT_AUTH_TOKEN": "x",
        "OGR_GEOCODE_QUERY_TEMPLATE": f"{server.url}/geocode?q=%s",
    }.items():
        monkeypatch.setenv(name, value)


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return time and content of every file beneath a folder."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def attempt(form: Form, chosen: str, scene: Path, outputs: Path) -> list[str]:
    """Do with a file what users do; return the code of each refusal, or ``done``."""
    report: Any = SilentReport()
    endings = []

    @contextlib.contextmanager
    def ending() -> Iterator[None]:
        try:
            yield
            endings.append("done")
        except HyperKDError as error:
            assert error.message
            assert error.hint
            endings.append(error.code)

    if form.job == "labels":
        for task in ("classification", "regression"):
            with ending():
                overview(LabelsJob(input=(str(scene),), labels=(chosen,), task=task), report)
        return endings
    masks = ("cloud",) if form.job == "product" and "EnMAP" in form.name else ()
    with ending():
        info(InfoJob(path=chosen), report)
    with ending():
        output = str(outputs / "imported.tif")
        import_product(ImportJob(product=chosen, output=output, mask=masks), report)
    if form.job == "raster":
        with ending(), open_raster(chosen) as source:
            for window in iterate_stripes(source):
                source.read_tile(window)
    return endings


@pytest.mark.usefixtures("_clouds")
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_no_file_leads_to_a_network_or_writes_beside_itself(
    form: Form, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, outputs = tmp_path / "home", tmp_path / "outputs"
    inputs = home / "inputs"
    inputs.mkdir(parents=True)
    outputs.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(inputs)
    scene = make_raster(home / "scene.tif")
    chosen = form.make(inputs, server.url)
    before, heard = state(home), server.heard()

    endings = attempt(form, chosen, scene, outputs)

    assert server.heard() == heard
    assert state(home) == before
    assert set(endings) <= {
        *("done", "unsupported_raster", "unreadable_raster", "bad_labels", "bad_product"),
        *("no_labels", "no_valid_pixels"),
    }
    assert [path.name for path in outputs.iterdir()] in ([], ["imported.tif"])


@pytest.mark.usefixtures("_clouds")
def test_the_closed_gdal_asks_nobody_even_if_no_name_were_looked_at(
    server: Server, tmp_path: Path
) -> None:
    heard = server.heard()
    for number, form in enumerate(FORMS):
        folder = tmp_path / str(number)
        folder.mkdir()
        chosen = form.make(folder, server.url).partition("|")[0]
        for flags in (gdal.OF_RASTER, gdal.OF_VECTOR, gdal.OF_MULTIDIM_RASTER):
            with contextlib.suppress(RuntimeError):
                dataset = gdal.OpenEx(chosen, flags)
                if dataset is None or flags == gdal.OF_MULTIDIM_RASTER:
                    continue
                dataset.GetFileList()
                if dataset.RasterCount:
                    band = dataset.GetRasterBand(1)
                    band.ReadRaster()
                    band.GetMaskBand().ReadRaster()
                    band.GetOverviewCount()
                for index in range(dataset.GetLayerCount()):
                    dataset.GetLayer(index).GetNextFeature()
        assert server.heard() == heard, form.name


def test_the_server_hears_what_does_ask(server: Server) -> None:
    heard = len(server.heard())
    with pytest.raises(HTTPError):
        urlopen(f"{server.url}/asked")
    deadline = time.monotonic() + 5
    while len(server.heard()) == heard and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.heard()[heard:] == ["b'GET /asked HTTP/1.1'"]


def test_a_gdal_that_is_not_closed_would_ask(server: Server, tmp_path: Path) -> None:
    heard = len(server.heard())
    names = {"VRT source: curl", "warped VRT", "labels: http", "name: netcdf", "VRT in a VRT"}
    asked = [form for form in FORMS if form.name in names]
    assert len(asked) == len(names)
    for number, form in enumerate(asked):
        folder = tmp_path / str(number)
        folder.mkdir()
        chosen = form.make(folder, server.url)
        code = (
            "import sys\nfrom osgeo import gdal\ngdal.UseExceptions()\n"
            "dataset = gdal.OpenEx(sys.argv[1])\n"
            "dataset.RasterCount and dataset.GetRasterBand(1).ReadRaster()\n"
        )
        subprocess.run(
            [sys.executable, "-c", code, chosen],
            capture_output=True,
            timeout=60,
            env=dict(os.environ),  # not that of C, in which the network is closed
        )
    assert len(server.heard()) >= heard + len(names)
