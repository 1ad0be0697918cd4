from __future__ import annotations

import json

import numpy as np
import pytest

import hyperkd
from hyperkd.errors import HyperKDError
from hyperkd.inference import prepared
from hyperkd.inference.embed import embed
from hyperkd.inference.reconstruct import reconstruct
from hyperkd.raster.memory import MemoryRaster
from hyperkd.requests.predict_options import EmbedJob, ReconstructJob
from hyperkd.types import GridSpec
from tests.engine.inference_factories import CENTRES, Recorder, band_table, make_student

gdal = pytest.importorskip("osgeo.gdal")

GEOTRANSFORM = (368000.0, 30.0, 0.0, 5800000.0, 0.0, -30.0)


@pytest.fixture
def student(tmp_path):
    return make_student(tmp_path / "toy.onnx")


@pytest.fixture
def scene(monkeypatch):
    """Put a raster in memory in the place of the input file; returns what puts it there."""

    def put(data, table=None, **options):
        height, width = data.shape[1:]
        grid = GridSpec(width, height, GEOTRANSFORM)
        source = MemoryRaster(
            data, table or band_table(), grid, path="/far/away/scene.tif", **options
        )
        monkeypatch.setattr(prepared, "open_scene", lambda path, options, report: source)
        return source

    return put


def digital_numbers(height, width, bands=5, seed=0, holes=0.1):
    generator = np.random.default_rng(seed)
    data = generator.integers(-200, 9000, (bands, height, width)).astype(np.int16)
    hole = generator.random((height, width)) < holes
    hole[0, 0] = False
    data[:, hole] = -32768
    return data, hole


def run_embed(model, output, report=None, **fields):
    fields = {"components": 0, "overlap": None, "batch": 3, "device": "cpu", **fields}
    report = report or Recorder()
    return embed(EmbedJob(input="scene", output=str(output), model=model, **fields), report)


def run_reconstruct(model, output, error, report=None, **fields):
    fields = {"overlap": None, "batch": 3, "device": "cpu", **fields}
    paths = {"output": output and str(output), "error": error and str(error)}
    return reconstruct(
        ReconstructJob(input="scene", model=model, **paths, **fields), report or Recorder()
    )


def read(path):
    """Return the data set (to look at its metadata) and its stored values."""
    dataset = gdal.Open(str(path))
    kind = dataset.GetRasterBand(1).DataType
    if gdal.GetDataTypeName(kind) == "Float16":  # from GDAL 3.11 on
        kind = gdal.GDT_Float32
    dtype = {gdal.GDT_Float32: np.float32, gdal.GDT_Int16: np.int16}[kind]
    buffer = dataset.ReadRaster(
        buf_xsize=dataset.RasterXSize,
        buf_ysize=dataset.RasterYSize,
        buf_type=kind,
    )
    shape = (dataset.RasterCount, dataset.RasterYSize, dataset.RasterXSize)
    return dataset, np.frombuffer(buffer, dtype).reshape(shape)


# embed


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (8, 8), (21, 34)])
def test_the_embedding_of_the_identity_student_is_the_reflectance(tmp_path, student, scene, shape):
    data, hole = digital_numbers(*shape)
    scene(data)
    summary = run_embed(student, tmp_path / "e.tif")
    dataset, values = read(tmp_path / "e.tif")
    np.testing.assert_allclose(values[:, ~hole], data[:, ~hole] * 1e-4, rtol=1e-6, atol=1e-9)
    assert np.isnan(values[:, hole]).all()
    assert dataset.GetGeoTransform() == GEOTRANSFORM
    assert np.isnan(dataset.GetRasterBand(1).GetNoDataValue())
    assert [dataset.GetRasterBand(i).GetDescription() for i in (1, 5)] == [
        "embedding 1",
        "embedding 5",
    ]
    assert summary["bands"] == 5
    assert (summary["height"], summary["width"]) == shape
    assert set(summary["seconds"]) >= {"read", "prepare", "compute", "blend", "write"}
    assert set(summary["cpu_seconds"]) == set(summary["seconds"])


def test_half_floats_take_16_bits_and_stop_at_their_largest_number(tmp_path, scene):
    mixing = np.zeros((5, 5, 3, 3))
    mixing[range(5), range(5), 1, 1] = (1, 1, 1, 1e6, -1e6)
    data, hole = digital_numbers(20, 30)
    data[:, ~hole] = np.maximum(data[:, ~hole], 1000)  # 0.1 times 10^6 is beyond float16
    scene(data)
    run_embed(make_student(tmp_path / "m.onnx", mixing=mixing), tmp_path / "e.tif", dtype="float16")
    dataset, values = read(tmp_path / "e.tif")
    band = dataset.GetRasterBand(1)
    new = gdal.GetDataTypeName(band.DataType) == "Float16"  # from GDAL 3.11 on
    assert new or band.GetMetadataItem("NBITS", "IMAGE_STRUCTURE") == "16"
    exact = (data * 1e-4)[:3][:, ~hole]
    np.testing.assert_allclose(values[:3][:, ~hole], exact, rtol=2**-11)
    assert (values[:3][:, ~hole] == values[:3][:, ~hole].astype(np.float16)).all()
    assert (values[3][~hole] == 65504).all()
    assert (values[4][~hole] == -65504).all()
    assert np.isnan(values[:, hole]).all()


def test_the_engine_equals_one_run_of_the_whole_array_through_the_unfolded_network(tmp_path, scene):
    """A scene of one tile, a student that looks around, a scale and an offset per band."""
    from hyperkd.inference.backends.onnxruntime_backend import open_session
    from hyperkd.models.bundle import open_bundle

    mixing = np.random.default_rng(5).normal(size=(7, 5, 3, 3))
    model = make_student(tmp_path / "mix.onnx", mixing=mixing)
    scale, offset = np.linspace(1e-4, 3e-4, 5), np.linspace(-0.1, 0.2, 5)
    data, hole = digital_numbers(8, 8)
    scene(data, band_table(scale=scale, offset=offset))
    run_embed(model, tmp_path / "e.tif")

    reflectance = data * scale[:, None, None] + offset[:, None, None]
    reflectance[:, hole] = 0
    expected = open_session(open_bundle(model).network("embedding")).run(
        reflectance[None].astype(np.float32), (~hole)[None, None].astype(np.float32)
    )[0]
    values = read(tmp_path / "e.tif")[1]
    scale_of_values = np.abs(expected).max()
    np.testing.assert_allclose(
        values[:, ~hole], expected[:, ~hole], rtol=0, atol=1e-5 * scale_of_values
    )


def test_the_order_of_the_bands_and_bad_bands_change_nothing(tmp_path, student, scene):
    data, _ = digital_numbers(13, 17)
    scene(data)
    run_embed(student, tmp_path / "sorted.tif")

    # Shuffled, with a bad band of nodata only, and one beyond what the student needs.
    order = [3, 0, 4, 2, 1]
    shuffled = np.concatenate([data[order], np.full((1, 13, 17), -32768, np.int16), data[:1]])
    centres = [CENTRES[i] for i in order] + [535.0, 900.0]
    source = scene(shuffled, band_table(centres, bad=[5]))
    reads = []
    original = source.read_tile

    def read_tile(window, bands=None, out=None):
        reads.append(tuple(bands))
        return original(window, bands, out)

    source.read_tile = read_tile
    run_embed(student, tmp_path / "shuffled.tif")
    assert set(reads) == {(1, 4, 3, 0, 2)}  # by wavelength, so that sums have the same order
    np.testing.assert_array_equal(
        read(tmp_path / "shuffled.tif")[1], read(tmp_path / "sorted.tif")[1]
    )


@pytest.mark.parametrize("overlap", [0, 3])
def test_principal_components_are_those_of_the_scene(tmp_path, student, scene, overlap):
    generator = np.random.default_rng(2)
    factors = generator.normal(size=(2, 20 * 30)) * [[1500.0], [400.0]]
    data = generator.normal(size=(5, 2)) @ factors + 3000
    data = (data + generator.normal(size=data.shape) * 20).reshape(5, 20, 30).astype(np.int16)
    hole = generator.random((20, 30)) < 0.2
    data[:, hole] = -32768
    scene(data)
    summary = run_embed(student, tmp_path / "pc.tif", components=3, overlap=overlap)

    reflectance = (data * 1e-4).astype(np.float64)
    sample = reflectance[:, ~hole]  # each pixel once, however many tiles it lies in
    variance, directions = np.linalg.eigh(np.cov(sample))
    variance, directions = variance[::-1], directions[:, ::-1]
    expected = directions[:, :3].T @ (reflectance[:, ~hole] - sample.mean(axis=1)[:, None])
    dataset, values = read(tmp_path / "pc.tif")
    got = values[:, ~hole]
    sign = np.sign((got * expected).sum(axis=1))[:, None]
    np.testing.assert_allclose(got, sign * expected, atol=2e-5)
    assert np.isnan(values[:, hole]).all()
    share = variance[:3] / variance.sum()
    np.testing.assert_allclose(summary["explained_variance"], share, atol=1e-5)
    assert dataset.GetRasterBand(2).GetDescription() == f"principal component 2 ({share[1]:.1%})"


def test_components_take_one_pass_of_the_network(tmp_path, student, scene):
    data, _ = digital_numbers(60, 70, holes=0.0)
    scene(data)
    report = Recorder()
    whole = run_embed(student, tmp_path / "e.tif")["tiles"]
    summary = run_embed(student, tmp_path / "pc.tif", components=2, report=report)
    assert summary["tiles"] == whole
    assert report.stages == ["Opening", "Embedding", "Writing the components"]
    assert (whole, whole, "tiles") in report.progresses
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.tif", "pc.tif", "toy.onnx"]


def test_one_valid_pixel_anywhere_is_enough(tmp_path, student, scene):
    data = np.full((5, 40, 40), -32768, np.int16)
    data[:, 38, 3] = 1000
    scene(data)
    report = Recorder()
    run_embed(student, tmp_path / "pc.tif", components=1, report=report)
    values = read(tmp_path / "pc.tif")[1]
    assert np.argwhere(~np.isnan(values[0])).tolist() == [[38, 3]]
    assert values[0, 38, 3] == pytest.approx(0.0, abs=1e-6)
    assert report.progresses[-1][0] == report.progresses[-1][1]


@pytest.mark.parametrize("components", [0, 2])
def test_a_scene_without_a_valid_pixel_leaves_no_file(tmp_path, student, scene, components):
    scene(np.full((5, 20, 20), -32768, np.int16))
    with pytest.raises(HyperKDError, match="has no valid pixel") as caught:
        run_embed(student, tmp_path / "e.tif", components=components)
    assert caught.value.code == "no_valid_pixels"
    assert [path.name for path in tmp_path.iterdir()] == ["toy.onnx"]


def test_more_components_than_dimensions_are_refused_with_both_numbers(tmp_path, student, scene):
    scene(digital_numbers(8, 8)[0])
    message = "6 components were asked for, but the embedding of toy has 5 dimensions"
    with pytest.raises(HyperKDError, match=message) as caught:
        run_embed(student, tmp_path / "e.tif", components=6)
    assert caught.value.code == "bad_job"


def test_the_output_tells_how_it_was_made_and_names_no_folder(tmp_path, student, scene):
    scene(digital_numbers(8, 8)[0])
    summary = run_embed(student, tmp_path / "e.tif", components=2, overlap=3)
    metadata = read(tmp_path / "e.tif")[0].GetMetadata()
    assert metadata["HYPERKD_MODEL"] == "toy"
    assert metadata["HYPERKD_MODEL_SHA256"] == summary["model_sha256"]
    assert len(summary["model_sha256"]) == 64
    assert metadata["HYPERKD_VERSION"] == hyperkd.__version__
    assert metadata["HYPERKD_INPUT"] == "scene.tif"
    assert json.loads(metadata["HYPERKD_SETTINGS"]) == {"components": 2, "overlap": 3}
    assert "/" not in "".join(metadata.values())


def test_a_cancel_leaves_no_file(tmp_path, student, scene):
    scene(digital_numbers(40, 40)[0])
    with pytest.raises(HyperKDError, match="cancelled") as caught:
        run_embed(student, tmp_path / "e.tif", report=Recorder(cancel_after=8))
    assert caught.value.code == "cancelled"
    assert [path.name for path in tmp_path.iterdir()] == ["toy.onnx"]


@pytest.mark.parametrize("job", ["embed", "reconstruct"])
def test_an_input_that_changed_while_it_was_read_leaves_no_file(tmp_path, student, scene, job):
    source = scene(digital_numbers(20, 20)[0])

    def changed():
        raise HyperKDError("input_changed", "scene.tif changed while it was read.")

    source.check_unchanged = changed
    with pytest.raises(HyperKDError, match="changed while it was read") as caught:
        if job == "embed":
            run_embed(student, tmp_path / "e.tif")
        else:
            run_reconstruct(student, tmp_path / "r.tif", tmp_path / "x.tif")
    assert caught.value.code == "input_changed"
    assert [path.name for path in tmp_path.iterdir()] == ["toy.onnx"]


def test_a_machine_that_computes_something_else_is_found_out_before_the_job(tmp_path, scene):
    model = make_student(tmp_path / "odd.onnx", tamper=0.01)
    scene(digital_numbers(8, 8)[0])
    with pytest.raises(HyperKDError, match=r"self-test failed: embedding deviates by") as caught:
        run_embed(model, tmp_path / "e.tif")
    assert caught.value.code == "bad_model"
    assert not (tmp_path / "e.tif").exists()


def test_the_log_says_what_computes_and_that_the_self_test_passed(tmp_path, student, scene):
    scene(digital_numbers(8, 8)[0])
    report = Recorder()
    run_embed(student, tmp_path / "e.tif", report=report)
    text = "\n".join(f"{level}: {message}" for level, message in report.logs)
    assert "info: Running on the processor." in text
    assert "info: Self-test passed." in text
    assert "1 tile of 8 x 8 pixels" in text
    assert report.artifacts == [("output", str(tmp_path / "e.tif"))]


def test_a_raster_that_lacks_the_students_spectrum_is_refused(tmp_path, student, scene):
    data, _ = digital_numbers(8, 8, bands=3)
    scene(data, band_table((500.0, 510.0, 520.0)))
    with pytest.raises(HyperKDError, match="3 of the 5 bands of the model") as caught:
        run_embed(student, tmp_path / "e.tif")
    assert caught.value.code == "band_mismatch"


# reconstruct


def test_a_perfect_reconstruction_has_no_error_and_the_stored_values_of_the_input(
    tmp_path, student, scene
):
    data, hole = digital_numbers(19, 30)
    scene(data)
    summary = run_reconstruct(student, tmp_path / "r.tif", tmp_path / "x.tif")
    dataset, values = read(tmp_path / "r.tif")
    np.testing.assert_array_equal(values, data)
    band = dataset.GetRasterBand(2)
    assert (band.GetScale(), band.GetOffset(), band.GetNoDataValue()) == (1e-4, 0.0, -32768)
    assert band.GetMetadataItem("wavelength") == "510.0"
    assert band.GetMetadataItem("wavelength_units") == "Nanometers"
    assert band.GetMetadataItem("fwhm") == "10.0"
    assert dataset.GetGeoTransform() == GEOTRANSFORM

    errors, difference = read(tmp_path / "x.tif")
    assert [errors.GetRasterBand(i).GetDescription() for i in (1, 2)] == [
        "spectral angle (degrees)",
        "RMSE (reflectance)",
    ]
    assert np.isnan(difference[:, hole]).all()
    assert difference[0, ~hole].max() < 1e-3
    assert difference[1, ~hole].max() < 1e-6
    assert summary["mean_rmse"] == pytest.approx(0.0, abs=1e-6)


def test_the_error_is_that_of_the_reconstruction_before_rounding(tmp_path, scene):
    """Twice as bright: no angle, and an RMSE that is the spectrum's own size."""
    model = make_student(tmp_path / "twice.onnx", gain=2.0)
    data, hole = digital_numbers(11, 9)
    scene(data, band_table(scale=1e-5, offset=0.1))
    summary = run_reconstruct(model, None, tmp_path / "x.tif")
    difference = read(tmp_path / "x.tif")[1][:, ~hole]
    reflectance = data[:, ~hole] * 1e-5 + 0.1
    np.testing.assert_allclose(difference[0], 0, atol=1e-3)
    size = np.sqrt((reflectance**2).mean(axis=0))
    np.testing.assert_allclose(difference[1], size, rtol=1e-5)
    assert summary["mean_rmse"] == pytest.approx(size.mean(), abs=1e-6)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["twice.onnx", "x.tif"]


def test_reflectance_beyond_int16_is_clipped_and_never_becomes_nodata(tmp_path, scene):
    model = make_student(tmp_path / "loud.onnx", gain=10.0)
    data = np.full((5, 4, 4), 100, np.int16)
    data[:, 0, 0], data[:4, 1, 1], data[:, 2, 2] = 9000, -9000, -32768
    scene(data)
    run_reconstruct(model, tmp_path / "r.tif", None)
    values = read(tmp_path / "r.tif")[1][0]
    assert values[0, 0] == 32767
    assert values[1, 1] == -32767
    assert values[2, 2] == -32768
    assert values[3, 3] == 1000


def test_a_black_spectrum_has_an_error_like_every_valid_pixel(tmp_path, student, scene):
    data, _ = digital_numbers(8, 8, holes=0.0)
    data[:, 4, 4] = 0
    scene(data)
    run_reconstruct(student, None, tmp_path / "x.tif")
    angle, rmse = read(tmp_path / "x.tif")[1]
    assert np.isfinite(angle).all()
    assert (angle[4, 4], rmse[4, 4]) == (0.0, 0.0)


def test_bands_that_the_raster_does_not_cover_do_not_count(tmp_path, scene):
    """The student has 12 bands, the raster lacks the last: its guess is not compared."""
    centres = np.arange(500.0, 620.0, 10.0)
    model = make_student(tmp_path / "wide.onnx", centres=centres, gain=2.0)
    data, hole = digital_numbers(8, 8, bands=11)
    scene(data, band_table(centres[:11]))
    summary = run_reconstruct(model, None, tmp_path / "x.tif")
    assert summary["support"]["extrapolated"] == 1
    rmse = read(tmp_path / "x.tif")[1][1, ~hole]
    expected = np.sqrt(((data[:, ~hole] * 1e-4) ** 2).mean(axis=0))
    np.testing.assert_allclose(rmse, expected, rtol=1e-5)


def test_nothing_to_write_is_refused(tmp_path, student, scene):
    scene(digital_numbers(8, 8)[0])
    with pytest.raises(HyperKDError, match="has nothing to write") as caught:
        run_reconstruct(student, None, None)
    assert caught.value.code == "bad_job"


def test_a_failure_leaves_neither_of_two_outputs(tmp_path, student, scene):
    scene(digital_numbers(40, 40)[0])
    with pytest.raises(HyperKDError, match="cancelled") as caught:
        run_reconstruct(
            student, tmp_path / "r.tif", tmp_path / "x.tif", report=Recorder(cancel_after=8)
        )
    assert caught.value.code == "cancelled"
    assert [path.name for path in tmp_path.iterdir()] == ["toy.onnx"]


@pytest.mark.parametrize("batch", [1, 4, 32])
def test_the_batch_size_changes_nothing(tmp_path, scene, batch):
    mixing = np.random.default_rng(5).normal(size=(7, 5, 3, 3))
    model = make_student(tmp_path / "mix.onnx", mixing=mixing)
    scene(digital_numbers(30, 50)[0])
    run_embed(model, tmp_path / "reference.tif", batch=7)
    run_embed(model, tmp_path / "e.tif", batch=batch)
    np.testing.assert_allclose(
        read(tmp_path / "e.tif")[1], read(tmp_path / "reference.tif")[1], rtol=1e-5, atol=1e-6
    )
