"""PNG files as GDAL reads them."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal

from hyperkd.raster.png import encode_png

gdal.UseExceptions()


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (64, 33)])
def test_gdal_reads_what_was_written(tmp_path, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    path = tmp_path / "image.png"
    path.write_bytes(encode_png(image))
    dataset = gdal.Open(str(path))
    assert dataset.GetDriver().ShortName == "PNG" and dataset.RasterCount == 3
    raw = dataset.ReadRaster(buf_type=gdal.GDT_Byte)
    np.testing.assert_array_equal(
        np.frombuffer(raw, np.uint8).reshape(3, *shape), image.transpose(2, 0, 1)
    )


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))]
)
def test_other_arrays_are_refused(image):
    with pytest.raises(ValueError, match="an RGB image of uint8 is needed"):
        encode_png(image)
