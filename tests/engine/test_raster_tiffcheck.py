"""A TIFF is whole where all that its directories name lies in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal

from hyperkd.raster.tiff.integrity import is_whole

gdal.UseExceptions()

LAYOUTS = {
    "strips": [],
    "tiles": ["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64", "COMPRESS=DEFLATE"],
    "bands": ["TILED=YES", "INTERLEAVE=BAND", "COMPRESS=DEFLATE", "PREDICTOR=3"],
    "big": ["BIGTIFF=YES", "TILED=YES", "COMPRESS=DEFLATE"],
    "motorola": ["ENDIANNESS=BIG", "TILED=YES"],
    "sparse": ["SPARSE_OK=YES", "TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64"],
}


def write(path: Path, options: list[str], rows: int = 150) -> None:
    data = np.random.default_rng(0).random((3, rows, 170), dtype=np.float32)
    dataset = gdal.GetDriverByName("GTiff").Create(
        str(path), 170, 150, 3, gdal.GDT_Float32, options
    )
    dataset.SetMetadata({"about": "x" * 300})
    dataset.WriteRaster(0, 0, 170, rows, data.tobytes())
    del dataset


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_is_whole_until_something_that_it_names_is_cut_off(
    tmp_path: Path, layout: str
) -> None:
    path, cut = tmp_path / "whole.tif", tmp_path / "cut.tif"
    write(path, LAYOUTS[layout], rows=40 if layout == "sparse" else 150)
    assert is_whole(str(path))
    content = path.read_bytes()
    for length in [0, 1, 5, 8, 15, *(len(content) * part // 16 for part in range(1, 16))]:
        cut.write_bytes(content[:length])
        assert not is_whole(str(cut)), length
    # Nothing that can be read differs where a file counts as whole though its end is missing.
    for missing in (1, 2, 5, 20, 100):
        cut.write_bytes(content[:-missing])
        if is_whole(str(cut)):
            assert gdal.Open(str(cut)).ReadRaster() == gdal.Open(str(path)).ReadRaster()


def test_a_cloud_optimised_file_with_overviews_is_walked_through(tmp_path: Path) -> None:
    plain, path, cut = (tmp_path / name for name in ("plain.tif", "cog.tif", "cut.tif"))
    write(plain, [])
    options = ["OVERVIEWS=IGNORE_EXISTING", "BLOCKSIZE=128", "COMPRESS=DEFLATE"]
    gdal.GetDriverByName("COG").CreateCopy(str(path), gdal.Open(str(plain)), 0, options)
    assert is_whole(str(path))
    content = path.read_bytes()
    cut.write_bytes(content[:-100])
    assert not is_whole(str(cut))


@pytest.mark.parametrize("content", [b"", b"II", b"II*\0\0\0\0\0", b"II*\0\1\1\1\1", b"PK\3\4" * 9])
def test_what_is_no_tiff_is_not_whole(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tif"
    path.write_bytes(content)
    assert not is_whole(str(path))
