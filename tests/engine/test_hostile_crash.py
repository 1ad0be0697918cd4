"""A library below GDAL that crashes or never returns ends in a coded error, not in silence."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal import probe
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.products.open_product import open_product
from tests.factories import make_raster
from tests.products import write_emit, write_prisma

h5py = pytest.importorskip("h5py", reason="builds the PRISMA and EMIT files")
# Of damaged files; with h5py 3.8 two of them crash HDF5 1.10.8.
SEEDS = (82, 134, 1, 2)
DEEP = int(os.environ.get("HYPERKD_FUZZ_FILES", "0"))


def child(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a file be opened by another program first."""
    script = folder / "child.py"
    script.write_text(code)
    monkeypatch.setattr(probe, "_CHILD", script)
    monkeypatch.setattr(probe, "_sound", set())
    return script


@pytest.mark.parametrize("name", ["x.he5", "x.nc"])
def test_a_crash_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    table = np.ones((3, 4), np.int32)
    if name.endswith("nc"):
        write_emit(tmp_path / name, table, table)
    else:
        write_prisma(tmp_path / name)
    child(tmp_path, "import os\nos.abort()\n", monkeypatch)
    for opening in (lambda path: open_product(path, ()), lambda path: open_raster(str(path))):
        with pytest.raises(HyperKDError, match=r"its library crashed \(exit status -6\)") as caught:
            opening(tmp_path / name)
        assert caught.value.code == "unreadable_raster"
        assert caught.value.hint == "The file is damaged; download it again."


def test_a_hang_is_told_within_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_prisma(tmp_path / "x.he5")
    child(tmp_path, "import time\ntime.sleep(600)\n", monkeypatch)
    monkeypatch.setattr(probe, "LIMIT_S", 0.5)
    start = time.monotonic()
    with pytest.raises(HyperKDError, match=r"did not open it within 0\.5 seconds") as caught:
        open_product(tmp_path / "x.he5", mask=())
    assert caught.value.code == "unreadable_raster"
    assert time.monotonic() - start < 30


def test_a_file_is_tried_once_and_again_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_prisma(tmp_path / "x.he5")
    log = tmp_path / "log"
    child(tmp_path, f"open({str(log)!r}, 'a').write('x')\n", monkeypatch)
    for _ in range(3):
        open_product(tmp_path / "x.he5", mask=()).source.close()
    assert log.read_text() == "x"
    os.utime(tmp_path / "x.he5", (1, 1))
    open_product(tmp_path / "x.he5", mask=()).source.close()
    assert log.read_text() == "xx"


def test_other_rasters_need_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child(tmp_path, "import os\nos.abort()\n", monkeypatch)
    open_raster(str(make_raster(tmp_path / "scene.tif"))).close()


def test_a_source_of_a_vrt_is_tried_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_prisma(tmp_path / "x.he5")
    (tmp_path / "scene.vrt").write_text(
        '<VRTDataset rasterXSize="5" rasterYSize="4"><VRTRasterBand dataType="Int16" band="1">'
        '<SimpleSource><SourceFilename relativeToVRT="0">'
        f'HDF5:"{tmp_path / "x.he5"}"://HDFEOS/SWATHS/PRS_L2D_HCO/Data_Fields/VNIR_Cube'
        "</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    child(tmp_path, "import os\nos.abort()\n", monkeypatch)
    with pytest.raises(HyperKDError, match="its library crashed"):
        open_raster(str(tmp_path / "scene.vrt"))


def damaged(folder: Path, seed: int) -> Path:
    """Write a product with some bytes that are wrong."""
    table = np.ones((3, 4), np.int32)
    write_prisma(folder / "p.he5")
    write_emit(folder / "e.nc", table, table)
    chance = random.Random(seed)
    path = folder / chance.choice(["p.he5", "e.nc"])
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 2, 4, 16, 64])):
        content[chance.randrange(len(content))] = chance.choice([0, 255, chance.randrange(256)])
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("seed", [*SEEDS, *range(1000, 1000 + DEEP)])
def test_damaged_products_end_in_a_code(tmp_path: Path, seed: int) -> None:
    path = damaged(tmp_path, seed)
    code = "import sys\nfrom hyperkd.cli import main\nsys.exit(main(sys.argv[1:]))"
    output = tmp_path / "imported.tif"
    done = subprocess.run(
        [sys.executable, "-c", code, "import", str(path), "--output", str(output)],
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "GDAL_CACHEMAX": "64"},
    )
    assert done.returncode in (0, 3, 4), done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or "error [" in done.stderr
    assert {item.name for item in tmp_path.iterdir()} <= {"p.he5", "e.nc", "imported.tif"}
