"""Pixel interleaved TIFF files read row by row: the same values as GDAL's, or GDAL itself."""

from __future__ import annotations

import struct
import threading
import zlib

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.inference.predict import predict, predict_at
from hyperkd.inference.tiling.block_reader import PieceReader
from hyperkd.inference.tiling.blocks import PieceMesh
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.source import iterate_stripes
from hyperkd.raster.tiff import deflate
from hyperkd.raster.tiff.deflate import RowStreams, read_deflated_tiff
from hyperkd.requests.predict_options import PredictJob
from hyperkd.requests.shared_options import TileOptions
from hyperkd.types import Window
from tests.engine.inference_factories import CENTRES, Recorder, make_model
from tests.factories import make_raster

gdal = pytest.importorskip("osgeo.gdal")

BANDS, HEIGHT, WIDTH = 5, 150, 101
PIXEL = ("TILED=YES", "BLOCKXSIZE=48", "BLOCKYSIZE=64", "COMPRESS=DEFLATE", "INTERLEAVE=PIXEL")


def values(dtype="int16", seed=0):
    generator = np.random.default_rng(seed)
    found = generator.integers(0, 200, (BANDS, HEIGHT, WIDTH)).astype(dtype)
    if dtype not in ("uint8", "uint16"):
        found -= 50  # differences between pixels wrap around
    if np.dtype(dtype).itemsize > 1:
        found *= 40
    return found


def scene(path, data=None, *, options=PIXEL, **more):
    data = values() if data is None else data
    more = {"wavelengths": CENTRES, "fwhm": 10.0, "nodata": None, **more}
    return make_raster(path, data, options=options, **more)


def streams_of(path, dtype, nodata=None):
    file = read_deflated_tiff(str(path), BANDS, np.dtype(dtype), [nodata] * BANDS)
    assert file is not None
    return RowStreams(file)


def windows(count, seed=1):
    generator = np.random.default_rng(seed)
    for _ in range(count):
        width, height = generator.integers(1, (WIDTH, HEIGHT))
        yield Window(
            int(generator.integers(0, WIDTH - width + 1)),
            int(generator.integers(0, HEIGHT - height + 1)),
            int(width),
            int(height),
        )


# --- the same values --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "more"),
    [
        *((dtype, ()) for dtype in ("uint8", "int16", "uint16", "int32", "float32", "float64")),
        *((dtype, ("PREDICTOR=2",)) for dtype in ("uint8", "int16", "uint16", "int32")),
        ("int16", ("BIGTIFF=YES",)),
    ],
)
def test_windows_in_any_order_hold_what_was_written(tmp_path, dtype, more):
    data = values(dtype)
    streams = streams_of(scene(tmp_path / "scene.tif", data, options=(*PIXEL, *more)), dtype)
    for window in windows(25):
        rows, cols = window.slices()
        bands = [4, 0, 2]
        out = np.zeros((3, window.height, window.width), dtype)
        streams.read(window, bands, out)
        np.testing.assert_array_equal(out, data[bands, rows, cols])
    streams.close()


def test_a_cog_is_read_row_by_row(tmp_path):
    plain = scene(tmp_path / "plain.tif")
    gdal.Translate(
        str(tmp_path / "cog.tif"),
        str(plain),
        format="COG",
        creationOptions=["COMPRESS=DEFLATE", "BLOCKSIZE=128", "PREDICTOR=YES"],
    )
    with open_raster(str(tmp_path / "cog.tif")) as source:
        assert (source.block_shape, source.interleave) == ((128, 128), "pixel")
        source.stream(True)
        assert (source.block_shape, source.streamed) == ((1, 128), True)
        np.testing.assert_array_equal(source.read(source.grid.window), values())
        source.stream(False)
        assert (source.block_shape, source.streamed) == ((128, 128), False)


@pytest.mark.parametrize("nodata", [None, -7])
def test_blocks_that_were_never_written_are_nodata(tmp_path, nodata):
    options = [*PIXEL, "SPARSE_OK=TRUE"]
    file = gdal.GetDriverByName("GTiff").Create(
        str(tmp_path / "sparse.tif"), WIDTH, HEIGHT, BANDS, gdal.GDT_Int16, options
    )
    for number in range(BANDS):
        if nodata is not None:
            file.GetRasterBand(number + 1).SetNoDataValue(nodata)
        file.GetRasterBand(number + 1).WriteRaster(
            *(60, 70, 2, 2), b"\x07\0" * 4, buf_xsize=2, buf_ysize=2, buf_type=gdal.GDT_Int16
        )
    del file
    streams = streams_of(tmp_path / "sparse.tif", "int16", nodata)
    assert min(streams.file.sizes) == 0 < max(streams.file.sizes)
    out = np.ones((BANDS, HEIGHT, WIDTH), np.int16)
    streams.read(Window(0, 0, WIDTH, HEIGHT), range(BANDS), out)
    whole = gdal.Open(str(tmp_path / "sparse.tif")).ReadRaster()
    np.testing.assert_array_equal(out.ravel(), np.frombuffer(whole, np.int16))


# --- what GDAL reads itself -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "dtype", "more"),
    [
        (("COMPRESS=LZW",), "int16", {}),
        (("COMPRESS=NONE",), "int16", {}),
        (("INTERLEAVE=BAND",), "int16", {}),
        (("BLOCKYSIZE=16",), "int16", {}),
        (("TILED=NO", "BLOCKYSIZE=64"), "int16", {}),
        (("PREDICTOR=3",), "float32", {}),
        (("ENDIANNESS=BIG",), "int16", {}),
        (("NBITS=13",), "uint16", {}),
        ((), "int16", {"alpha": True, "wavelengths": CENTRES[:4]}),
    ],
)
def test_other_files_are_left_to_gdal(tmp_path, options, dtype, more):
    given = dict(option.split("=") for option in (*PIXEL, *options))
    wavelengths = more.pop("wavelengths", CENTRES)
    path = scene(
        tmp_path / "scene.tif",
        values(dtype),
        options=[f"{name}={value}" for name, value in given.items()],
        wavelengths=[*wavelengths, *(BANDS - len(wavelengths)) * [None]],
        **more,
    )
    with open_raster(str(path)) as source:
        before = source.block_shape
        source.stream(True)
        assert not source.streamed
        assert source.block_shape == before
        bands = len(source.bands)
        np.testing.assert_array_equal(source.read(source.grid.window), values(dtype)[:bands])


def test_what_is_no_tiff_is_no_stream(tmp_path):
    for name, content in {
        "empty.tif": b"",
        "text.tif": b"II is how this text begins.",
        "short.tif": b"II*\0\x08\0\0\0\xff",
        "far.tif": b"II*\0" + struct.pack("<I", 10**9),
        "many.tif": b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 324, 4, 2**31, 4),
        "none.tif": b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 258, 3, 0, 0),
        "beyond.tif": b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**64 - 1),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert read_deflated_tiff(str(tmp_path / name), 1, np.dtype("int16"), [None]) is None
    assert read_deflated_tiff("/vsizip/scene.zip/scene.tif", 1, np.dtype("int16"), [None]) is None


def test_a_block_beyond_the_end_of_any_file_is_left_to_gdal(tmp_path, monkeypatch):
    path = str(scene(tmp_path / "scene.tif"))
    with open(path, "rb") as file:
        tags = dict(deflate._read_tags(file))
    tags[324] = (2**63, *tags[324][1:])
    monkeypatch.setattr(deflate, "_read_tags", lambda file: tags)
    assert read_deflated_tiff(path, BANDS, np.dtype("int16"), [None] * BANDS) is None


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [
        ("uint16", [-9999] * BANDS),
        ("uint16", [1e20] * BANDS),
        ("int32", [float("nan")] * BANDS),
        ("float32", [1e300] * BANDS),
        ("int16", [-1000, -2000, -3000, -4000, -5000]),
        ("int16", [-1000, None, -1000, -1000, -1000]),
    ],
)
def test_what_unwritten_blocks_hold_may_be_known_to_gdal_only(tmp_path, dtype, nodata):
    path = str(scene(tmp_path / "scene.tif", values(dtype)))
    with open(path, "rb") as file:
        tags = dict(deflate._read_tags(file))
    assert read_deflated_tiff(path, BANDS, np.dtype(dtype), nodata) is not None
    tags[325] = (0, *tags[325][1:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deflate, "_read_tags", lambda file: tags)
        assert read_deflated_tiff(path, BANDS, np.dtype(dtype), nodata) is None


# --- damage -----------------------------------------------------------------------------------


def block_of(path, col, row):
    dataset = gdal.Open(str(path))
    item = dataset.GetRasterBand(1).GetMetadataItem
    return tuple(int(item(f"BLOCK_{name}_{col}_{row}", "TIFF")) for name in ("OFFSET", "SIZE"))


def overwrite(path, position, content):
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(content)


def test_a_damaged_block_is_noticed_at_its_end_at_the_latest(tmp_path):
    path = scene(tmp_path / "scene.tif")
    offset, size = block_of(path, 1, 1)
    overwrite(path, offset + size - 4, b"\0\0\0\0")  # the checksum
    streams = streams_of(path, "int16")
    out = np.zeros((BANDS, 63, 48), np.int16)
    streams.read(Window(48, 64, 48, 63), range(BANDS), out)
    np.testing.assert_array_equal(out, values()[:, 64:127, 48:96])
    with pytest.raises(zlib.error):
        streams.read(Window(48, 127, 48, 1), range(BANDS), out[:, :1])

    overwrite(path, offset + size // 2, b"\xff" * (size // 2))
    with pytest.raises(zlib.error):
        streams.read(Window(0, 0, WIDTH, HEIGHT), [0], np.zeros((1, HEIGHT, WIDTH), np.int16))
    streams.close()


def test_a_block_cut_short_is_an_error(tmp_path):
    path = scene(tmp_path / "scene.tif")
    offset, size = block_of(path, 2, 2)
    with open(path, "r+b") as file:
        file.truncate(offset + size // 2)
    streams = streams_of(path, "int16")
    with pytest.raises(zlib.error, match="cut short"):
        streams.read(Window(0, 0, WIDTH, HEIGHT), [0], np.zeros((1, HEIGHT, WIDTH), np.int16))
    streams.close()


def test_a_block_that_ends_well_but_too_early_is_an_error(tmp_path):
    path = scene(tmp_path / "scene.tif")
    offset, size = block_of(path, 0, 0)
    overwrite(path, offset, zlib.compress(values()[0].tobytes()[:1000]).ljust(size, b"\0"))
    streams = streams_of(path, "int16")
    with pytest.raises(zlib.error, match="cut short"):
        streams.read(Window(0, 0, WIDTH, 64), [0], np.zeros((1, 64, WIDTH), np.int16))
    streams.close()


@pytest.fixture
def model(tmp_path):
    mixing = np.random.default_rng(5).normal(size=(4, 5, 3, 3))
    return make_model(tmp_path / "model.onnx", mixing=mixing)


def run(path, model, output, **fields):
    return predict(
        PredictJob(input=str(path), model=str(model), output=str(output), **fields), Recorder()
    )


def test_a_job_names_the_window_or_leaves_the_whole_block_out(tmp_path, model):
    path = scene(tmp_path / "scene.tif")
    offset, size = block_of(path, 1, 1)
    overwrite(path, offset + size - 4, b"\0\0\0\0")  # every pixel is right but nobody knows
    with pytest.raises(HyperKDError, match=r"at column 48, row 127 .*: .*data check") as caught:
        run(path, model, tmp_path / "map.tif")
    assert caught.value.code == "unreadable_raster"
    assert not (tmp_path / "map.tif").exists()

    # Rows above the damage cannot be told from rows that are wrong: all of the block goes.
    summary = run(path, model, tmp_path / "map.tif", unreadable="nodata")
    assert summary["unreadable_windows"] == [[48, 64, 48, 64]]

    overwrite(path, offset, b"\xff" * size)
    with open_raster(str(path)) as source:
        assert source.problems[-1].code == "damaged_windows"
        assert str(source.problems[-1]).endswith("windows cannot be read: the file is damaged.")
    with pytest.raises(HyperKDError, match="at column 48, row 64 "):
        run(path, model, tmp_path / "map.tif")
    summary = run(path, model, tmp_path / "map.tif", unreadable="nodata")
    assert summary["unreadable_windows"] == [[48, 64, 48, 64]]


def test_what_is_left_out_is_exactly_what_is_damaged(tmp_path):
    """Damage in the middle of a block, which GDAL does not always notice."""
    path = scene(tmp_path / "scene.tif")
    offset, size = block_of(path, 1, 1)
    overwrite(path, offset + size // 2, b"\0" * 20)
    with open_raster(str(path)) as source:
        source.stream(True, verified=True)
        for row in (0, 64, 100, 128):
            window = Window(0, row, 48, 20)
            np.testing.assert_array_equal(source.read(window), values()[:, row : row + 20, :48])
        for row in (64, 100, 127):
            with pytest.raises(HyperKDError, match="cannot be read"):
                source.read(Window(60, row, 5, 1))
        np.testing.assert_array_equal(
            source.read(Window(48, 40, 48, 24)), values()[:, 40:64, 48:96]
        )


# --- jobs -------------------------------------------------------------------------------------


def test_a_map_is_the_same_from_either_layout(tmp_path, model):
    data = values()
    data[:, 20:40, 30:90] = -32768
    pixel = scene(tmp_path / "pixel.tif", data, nodata=-32768)
    band = scene(tmp_path / "band.tif", data, nodata=-32768, options=("INTERLEAVE=BAND",))
    maps = []
    for path in (pixel, band):
        summary = run(path, model, tmp_path / "map.tif", probabilities=str(tmp_path / "p.tif"))
        assert summary["skipped_tiles"] > 0
        maps.append(gdal.Open(str(tmp_path / "p.tif")).ReadRaster())
    assert maps[0] == maps[1]


@pytest.mark.parametrize("before", [False, True])
def test_whoever_asks_for_some_pixels_gets_the_raster_back_as_it_was(tmp_path, model, before):
    with open_raster(str(scene(tmp_path / "scene.tif"))) as source:
        rows, cols = np.array([3, 140, 70]), np.array([100, 5, 60])
        source.stream(before)
        found = predict_at(
            source, str(model), (rows, cols), options=TileOptions(device="cpu"), report=Recorder()
        )
        assert np.isfinite(found).all()
        assert source.streamed == before
        with pytest.raises(ValueError, match="outside"):
            outside = (rows + HEIGHT, cols)
            predict_at(
                source, str(model), outside, options=TileOptions(device="cpu"), report=Recorder()
            )
        assert source.streamed == before


@pytest.fixture
def begun(monkeypatch):
    """Return the numbers of the blocks whose decoding was begun."""
    numbers = []
    begin = deflate._BlockStream.__init__

    def counted(stream, file, number):
        numbers.append(number)
        begin(stream, file, number)

    monkeypatch.setattr(deflate._BlockStream, "__init__", counted)
    return numbers


def test_stripes_are_streams_and_the_raster_is_read_as_before_afterwards(
    tmp_path, monkeypatch, begun
):
    monkeypatch.setattr("hyperkd.raster.source._STRIPE_BYTES", 10 * WIDTH * BANDS * 2 + 1)
    with open_raster(str(scene(tmp_path / "scene.tif"))) as source:
        begun.clear()
        windows = []
        for window in iterate_stripes(source):
            np.testing.assert_array_equal(
                source.read_tile(window).data, values()[(slice(None), *window.slices())]
            )
            windows.append(window)
        assert {window.height for window in windows[:-1]} == {10}
        assert windows[-1].row_end == HEIGHT
        assert sorted(begun) == list(range(9))
        assert not source.streamed
        stripes = iterate_stripes(source)
        next(stripes)
        assert source.streamed
        stripes.close()
        assert not source.streamed


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_each_block_is_decoded_once_by_however_many_threads(tmp_path, monkeypatch, begun, threads):
    with open_raster(str(scene(tmp_path / "scene.tif"))) as source:
        monkeypatch.setattr("hyperkd.inference.tiling.blocks._ROWS", 8)
        monkeypatch.setattr("hyperkd.inference.tiling.blocks._COLS", 48)
        begun.clear()
        source.stream(True)
        mesh = PieceMesh.over(source)
        assert (mesh.down, mesh.across) == (19, 3)
        with PieceReader(
            source,
            range(BANDS),
            mesh,
            range(mesh.down * mesh.across),
            threads=threads,
            capacity=2 * 16 * WIDTH * BANDS * 2,
            clock=Stopwatch(),
        ) as reader:
            for row in range(0, HEIGHT - 10):
                window = Window(0, row, WIDTH, 10)
                assert reader.wait(window, threading.Event())
                out = np.zeros((BANDS, 10, WIDTH), np.int16)
                reader.copy(window, out)
                np.testing.assert_array_equal(out, values()[:, row : row + 10])
                reader.release(row)
    assert sorted(begun) == list(range(9))


@pytest.mark.filterwarnings("error::ResourceWarning")
def test_no_file_stays_open(tmp_path):
    path = scene(tmp_path / "scene.tif")
    source = open_raster(str(path))
    source.stream(True)
    other = source.reopen()
    source.read(Window(0, 0, 10, 10))
    other.read(Window(50, 0, 10, 10))
    streams = source._streams
    assert len(streams._streams) == 2
    other.close()
    assert len(streams._streams) == 2  # shared
    source.close()
    assert not streams._streams
