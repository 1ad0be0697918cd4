"""The job ``quantize``: what becomes of the numbers, what it costs, and what it refuses."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper

from hyperkd.errors import HyperKDError
from hyperkd.inference.backends.onnxruntime_backend import open_session, self_test
from hyperkd.inference.backends.onnxruntime_quantiser import to_float16, to_int8
from hyperkd.inference.embed import embed
from hyperkd.inference.predict import predict, predict_at
from hyperkd.models.bundle import Bundle, open_bundle
from hyperkd.models.card import CARD_KEY
from hyperkd.models.quantisable_nodes import float32_nodes, prepared, weight_products
from hyperkd.models.seal import SEAL_KEY
from hyperkd.quantisation import quantize_model
from hyperkd.quantisation.quantize_model import quantize
from hyperkd.raster.open_raster import open_raster
from hyperkd.requests.predict_options import EmbedJob, PredictJob
from hyperkd.requests.quantize_options import QuantizeJob
from hyperkd.requests.shared_options import TileOptions
from hyperkd.spectral.affine import Affine
from hyperkd.types import Window
from tests.engine.inference_factories import CENTRES, TILE, make_model
from tests.engine.quantisation_factories import BANDS, CLASSES, make_blocks, with_graph
from tests.factories import make_raster
from tests.label_factories import make_classes
from tests.reports import SilentReport

METHODS = ("dynamic", "static", "float16")
SIZE = 24


def scene(path: Path, seed: int = 0, *, size: int = SIZE, bright: float = 1.0) -> str:
    """Write a scene of smooth spectra with a corner without data."""
    random = np.random.default_rng(seed)
    data = random.integers(200, 5000, (BANDS, size, size)).astype(np.float64) * bright
    data = data.astype(np.int16)
    data[:, :5, :5] = -32768
    return str(make_raster(path, data, wavelengths=CENTRES, fwhm=10.0))


def tiles(count: int, seed: int = 0) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return reflectance tiles and masks."""
    random = np.random.default_rng(seed)
    return [
        (
            random.uniform(0.02, 0.5, (1, BANDS, TILE, TILE)).astype(np.float32),
            (random.random((1, 1, TILE, TILE)) < 0.9).astype(np.float32),
        )
        for _ in range(count)
    ]


def smaller(bundle: Bundle, method: str) -> Bundle:
    """Return the model made smaller, without the job around it."""
    if method == "float16":
        return with_graph(bundle, to_float16(bundle.graph))
    return with_graph(bundle, to_int8(bundle.graph, iter(tiles(3)) if method == "static" else None))


def run(bundle: Bundle, output: str, pixels: Any, valid: Any, first: Any = None) -> NDArray[Any]:
    return open_session(bundle.network(output, first)).run(pixels, valid)


@pytest.fixture
def job(tmp_path: Path) -> Any:
    """Run the job on a classification model and one scene; fields can be replaced."""

    def call(**fields: Any) -> dict[str, Any]:
        defaults = {
            "model": fields.pop("model", None) or make_blocks(tmp_path / "m.onnx"),
            "output": str(tmp_path / "small.onnx"),
            "input": fields.pop("input", None) or [scene(tmp_path / "scene.tif")],
            "loss": 5.0,
        }
        report = fields.pop("report", SilentReport())
        return quantize(QuantizeJob(**{**defaults, **fields}), report)

    return call


# --- the graph ------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["classification", "regression", "pretrain"])
@pytest.mark.parametrize("method", METHODS)
def test_the_folded_model_is_the_unfolded_one(tmp_path: Path, method: str, task: str) -> None:
    """A power of two as the scale changes no bit, so not even a rounding may differ."""
    bundle = smaller(open_bundle(make_blocks(tmp_path / "m.onnx", task)), method)
    stored = Affine.diagonal(np.full(BANDS, 2.0**-13), np.zeros(BANDS))
    for output in bundle.outputs:
        for pixels, valid in tiles(2, seed=5):
            expected = run(bundle, output, pixels, valid)
            folded = run(bundle, output, pixels * np.float32(2**13), valid, stored)
            np.testing.assert_array_equal(folded, expected)


@pytest.mark.parametrize("method", ["dynamic", "static"])
def test_weights_become_seven_bits_with_a_scale_per_column(tmp_path: Path, method: str) -> None:
    bundle = open_bundle(make_blocks(tmp_path / "m.onnx"))
    before = {t.name: numpy_helper.to_array(t) for t in bundle.graph.graph.initializer}
    graph = smaller(bundle, method).graph.graph
    after = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    stored = {name: each for name, each in after.items() if each.dtype == np.int8 and each.ndim > 1}
    assert sorted(stored) == ["contract_quantized", "expand_quantized"]
    for name, whole in stored.items():
        weight = before[name.replace("_quantized", ".weight")].T
        scale = after[name.replace("_quantized", "_scale")]
        assert scale.shape == (weight.shape[1],)
        assert np.abs(whole).max() == 64
        assert np.abs(whole * scale - weight).max() <= scale.max() / 2 * (1 + 1e-5)
    # What reads the pixels, the patches and the head keep every bit.
    for name in ("stem.weight", "linear.weight", "patches.weight", "far.weight"):
        np.testing.assert_array_equal(after[name], before[name])


def test_dynamic_numbers_are_those_of_the_definition(tmp_path: Path) -> None:
    """uint8 between the least and largest value of the batch, times int8, summed exactly."""
    bundle = open_bundle(make_blocks(tmp_path / "m.onnx", "pretrain"))
    made = smaller(bundle, "dynamic")
    after = {t.name: numpy_helper.to_array(t) for t in made.graph.graph.initializer}
    ((pixels, valid),) = tiles(1, seed=9)

    def product(values: NDArray[Any], name: str) -> NDArray[Any]:
        low, high = min(values.min(), 0.0), max(values.max(), 0.0)
        scale = np.float32((high - low) / 255)
        zero = np.clip(np.rint(-low / scale), 0, 255)
        whole = np.clip(np.rint(values / scale) + zero, 0, 255) - zero
        weight = after[f"{name}_quantized"].astype(np.float64)
        return whole @ weight * scale * after[f"{name}_scale"]

    # What enters the products is taken from the very run: a last bit, which depends on the
    # processor, decides to which step a value is rounded.
    probe = ModelProto()
    probe.CopyFrom(made.graph)
    names = ["placed", "hidden", "tokens"]
    for name in names:
        probe.graph.output.add().name = name
        probe.graph.output[-1].type.tensor_type.elem_type = TensorProto.FLOAT
    session = onnxruntime.InferenceSession(probe.SerializeToString())
    placed, hidden, tokens = session.run(names, {"pixels": pixels, "valid": valid})
    expected = np.tanh(product(placed, "expand") + after["expand.bias"])
    np.testing.assert_allclose(hidden, expected, rtol=0, atol=2e-6)
    expected = np.moveaxis(placed + product(hidden, "contract"), 3, 1)
    np.testing.assert_allclose(tokens, expected, rtol=0, atol=2e-6)


def test_static_takes_its_ranges_from_the_calibration_tiles(tmp_path: Path) -> None:
    bundle = open_bundle(make_blocks(tmp_path / "m.onnx"))
    made = smaller(bundle, "static")
    after = {t.name: numpy_helper.to_array(t) for t in made.graph.graph.initializer}
    # tanh(...) of the tiles lies within -1 and 1 and nearly reaches both.
    assert float(after["hidden_scale"]) == pytest.approx(2 / 255, rel=0.02)
    assert after["hidden_zero_point"].dtype == np.uint8
    kinds = {node.op_type for node in made.graph.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear", "MatMul"} <= kinds
    assert "DynamicQuantizeLinear" not in kinds


@pytest.mark.parametrize("method", METHODS)
def test_the_smaller_model_is_close_to_the_original(tmp_path: Path, method: str) -> None:
    bundle = open_bundle(make_blocks(tmp_path / "m.onnx", "regression"))
    made = smaller(bundle, method)
    allowed = 2e-3 if method == "float16" else 5e-2
    for pixels, valid in tiles(2, seed=3):
        expected, got = (run(each, "values", pixels, valid) for each in (bundle, made))
        off = np.sqrt(((got - expected) ** 2).mean(axis=(0, 2, 3))) / expected.std(axis=(0, 2, 3))
        assert 0 < off.max() < allowed


def test_float16_keeps_positions_and_targets_in_float32(tmp_path: Path) -> None:
    bundle = open_bundle(make_blocks(tmp_path / "m.onnx", "regression"))
    ready = prepared(bundle.graph)
    names = {node.name: node for node in ready.graph.node}
    kept = {names[name].output[0] for name in float32_nodes(ready)}
    assert kept >= {"angle", "sine", "position", "scaled", "values"}
    assert not kept & {"patches", "placed", "expanded", "mixed", "far"}
    graph = to_float16(bundle.graph).graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    assert kinds["patches.weight"] == kinds["expand"] == TensorProto.FLOAT16
    assert kinds["stem.weight"] == kinds["linear.weight"] == TensorProto.FLOAT
    assert kinds["std"] == kinds["frequency"] == TensorProto.FLOAT


def test_float16_never_becomes_float32_and_float16_again(tmp_path: Path) -> None:
    graph = to_float16(open_bundle(make_blocks(tmp_path / "m.onnx", "regression")).graph).graph
    casts = {node.output[0]: node for node in graph.node if node.op_type == "Cast"}
    pairs = [name for name, node in casts.items() if node.input[0] in casts]
    assert pairs == []
    assert len({name for node in graph.node for name in node.output}) == sum(
        len(node.output) for node in graph.node
    )


def test_only_products_with_constant_weights_count(tmp_path: Path) -> None:
    bundle = open_bundle(make_blocks(tmp_path / "m.onnx"))
    assert weight_products(bundle.graph) == []  # they lie behind a Transpose
    assert [name.split()[1] for name in weight_products(prepared(bundle.graph))] == ["MatMul"] * 2


def test_the_quantiser_has_nothing_to_complain_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        smaller(open_bundle(make_blocks(tmp_path / "m.onnx")), "static")
    assert caplog.records == []


# --- the job --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_the_card_tells_what_was_done_and_what_it_cost(
    job: Any, tmp_path: Path, method: str
) -> None:
    others = [scene(tmp_path / "other.tif", 1)] if method == "static" else []
    report = SilentReport()
    summary = job(method=method, calibration=others, report=report)
    parent, made = open_bundle(tmp_path / "m.onnx"), open_bundle(tmp_path / "small.onnx")
    card, told = made.card, made.card.quantisation
    assert told is not None
    assert card.name == ("toy-float16" if method == "float16" else "toy-int8")
    assert card.parents == (hashlib.sha256((tmp_path / "m.onnx").read_bytes()).hexdigest(),)
    assert (card.classes, card.task, card.temperature) == (CLASSES, "classification", 1.0)
    assert told["kind"] == method
    assert told["calibration" if method == "static" else "scenes"] == (
        {"scenes": 1, "tiles": 9} if method == "static" else 1
    )
    assert ("calibration" in told) == (method == "static")
    # The loss is the share of pixels whose class differs, counted here once more.
    changed = pixels = 0
    with open_raster(str(tmp_path / "scene.tif")) as source:
        for row in range(0, SIZE, TILE):
            for col in range(0, SIZE, TILE):
                stored = source.read_tile(Window(col, row, TILE, TILE))
                values = np.where(stored.valid, stored.data * np.float32(1e-4), 0)[None]
                mask = stored.valid[None, None].astype(np.float32)
                classes = [
                    run(each, "logits", values.astype(np.float32), mask)[0].argmax(0)[stored.valid]
                    for each in (parent, made)
                ]
                changed += int((classes[0] != classes[1]).sum())
                pixels += classes[0].size
    assert pixels == SIZE**2 - 25
    assert told["loss"] == {
        "value": pytest.approx(100 * changed / pixels, rel=1e-5),
        "measure": "pixels with another class, percent",
        "pixels": pixels,
        "accepted": 5.0,
    }
    assert summary["loss"] == told["loss"]["value"]
    assert summary["bytes"] == (tmp_path / "small.onnx").stat().st_size
    assert (summary["speed"] is None) == (method == "float16")
    assert report.artifacts == [("output", str(tmp_path / "small.onnx"))]
    keys = {entry.key: entry.value for entry in made.graph.metadata_props}
    assert set(keys) == {CARD_KEY, SEAL_KEY, "tile_size"}
    # The self-test is new, and holds.
    assert card.self_test is not None
    assert card.self_test.tolerance >= (2e-2 if method == "float16" else 5e-3)
    assert self_test(made, "logits") == 0.0


def test_with_labels_the_loss_is_one_of_accuracy(job: Any, tmp_path: Path) -> None:
    """The truth is the float32 model's own map with a column of errors: its accuracy is known."""
    model, image = make_blocks(tmp_path / "m.onnx"), scene(tmp_path / "scene.tif")
    rows, cols = np.mgrid[:SIZE, :SIZE].reshape(2, -1)
    with open_raster(image) as source:
        logits = predict_at(
            source, model, (rows, cols), options=TileOptions(device="cpu"), report=SilentReport()
        )
    truth = np.where(np.isnan(logits[:, 0]), 0, np.nan_to_num(logits).argmax(1) + 1)
    truth = truth.reshape(SIZE, SIZE).astype(np.uint8)
    wrong = truth[:, -2] % 3 + 1
    truth[:, -2] = np.where(truth[:, -2] > 0, wrong, 0)
    labels = make_classes(tmp_path / "labels.tif", truth, nodata=0)
    summary = job(model=model, input=[image], labels=[labels])
    told = summary["quantisation"]["labels"]
    labelled = SIZE**2 - 25
    assert told["pixels"] == labelled
    assert told["before"]["overall_accuracy"] == pytest.approx(1 - SIZE / labelled)
    lost = told["right_to_wrong"] - told["wrong_to_right"]
    after = told["before"]["overall_accuracy"] - lost / labelled
    assert told["after"]["overall_accuracy"] == pytest.approx(after)
    assert summary["loss"] == pytest.approx(100 * lost / labelled, abs=1e-4)
    assert summary["measure"] == "overall accuracy, percentage points"


@pytest.mark.parametrize("method", ["dynamic", "float16"])
def test_predict_takes_a_smaller_model(job: Any, tmp_path: Path, method: str) -> None:
    job(method=method)
    image, output = str(tmp_path / "scene.tif"), tmp_path / "map.tif"
    summary = predict(
        PredictJob(
            input=image, output=str(output), model=str(tmp_path / "small.onnx"), device="cpu"
        ),
        SilentReport(),
    )
    assert sum(summary["classes"].values()) == SIZE**2 - 25
    rows, cols = np.mgrid[:SIZE, :SIZE].reshape(2, -1)
    with open_raster(image) as source:
        before, after = (
            predict_at(
                source,
                str(path),
                (rows, cols),
                options=TileOptions(device="cpu"),
                report=SilentReport(),
            )
            for path in (tmp_path / "m.onnx", tmp_path / "small.onnx")
        )
    seen = ~np.isnan(before[:, 0])
    counts = np.bincount(after[seen].argmax(1), minlength=3)
    assert list(summary["classes"].values()) == counts.tolist()
    assert (before[seen].argmax(1) == after[seen].argmax(1)).mean() > 0.95


def test_embed_takes_a_smaller_student(job: Any, tmp_path: Path) -> None:
    """Its tokens are found, so that components are computed from them."""
    summary = job(model=make_blocks(tmp_path / "s.onnx", "pretrain"))
    assert set(summary["quantisation"]["outputs"]) == {"embedding", "reconstruction"}
    assert summary["measure"] == "variance missed, percent"
    assert 0 < summary["loss"] < 0.5
    small = tmp_path / "small.onnx"
    assert open_bundle(small).has_tokens
    done = embed(
        EmbedJob(
            input=str(tmp_path / "scene.tif"),
            output=str(tmp_path / "e.tif"),
            model=str(small),
            components=3,
            device="cpu",
        ),
        SilentReport(),
    )
    assert len(done["explained_variance"]) == 3


# --- refusals -------------------------------------------------------------------------------


def refused(job: Any, code: str, words: str, **fields: Any) -> HyperKDError:
    with pytest.raises(HyperKDError, match=words) as caught:
        job(**fields)
    assert caught.value.code == code
    return caught.value


def test_a_loss_above_the_accepted_one_is_refused(job: Any, tmp_path: Path) -> None:
    (tmp_path / "small.onnx").write_bytes(b"an older model")
    random = [scene(tmp_path / f"{seed}.tif", seed) for seed in range(3)]
    error = refused(
        job,
        "quantisation_loss",
        r"^toy made dynamic loses [\d.e-]+ \(pixels with another class, percent, of 1653 pixels\); "
        "0 is accepted.",
        input=random,
        loss=0.0,
    )
    assert error.context["value"] > 0
    assert error.hint.endswith("With labels the loss of accuracy decides.")
    assert (tmp_path / "small.onnx").read_bytes() == b"an older model"
    assert not list(tmp_path.glob("*.part"))


def test_a_students_loss_is_not_said_to_depend_on_labels(job: Any, tmp_path: Path) -> None:
    model = make_blocks(tmp_path / "s.onnx", "pretrain")
    assert "labels" not in refused(job, "quantisation_loss", "loses", model=model, loss=0.0).hint


def test_numbers_that_are_not_finite_are_refused(job: Any, monkeypatch: Any) -> None:
    def broken(model: Any, tiles: Any) -> Any:
        made = to_int8(model, tiles)
        weight = next(t for t in made.graph.initializer if t.name == "far.weight")
        values = np.full(list(weight.dims), np.inf, np.float32)
        weight.CopyFrom(numpy_helper.from_array(values, "far.weight"))
        return made

    monkeypatch.setattr(quantize_model, "to_int8", broken)
    error = refused(job, "quantisation_loss", "loses numbers that are not finite", loss=100.0)
    assert error.context["value"] is None


def test_static_needs_calibration(job: Any) -> None:
    refused(job, "bad_job", "method static needs calibration rasters", method="static")


def test_calibration_is_for_static_alone(job: Any, tmp_path: Path) -> None:
    refused(
        job,
        "bad_job",
        "The method float16 takes no calibration rasters, but got 1",
        method="float16",
        calibration=[scene(tmp_path / "c.tif")],
    )


def test_without_a_scene_nothing_is_known(tmp_path: Path) -> None:
    with pytest.raises(HyperKDError, match="no scene on which the smaller model") as caught:
        quantize(
            QuantizeJob(
                model=make_blocks(tmp_path / "m.onnx"),
                output=str(tmp_path / "small.onnx"),
                input=[],
            ),
            SilentReport(),
        )
    assert caught.value.code == "bad_job"


def test_a_smaller_model_is_not_made_smaller_again(job: Any, tmp_path: Path) -> None:
    job()
    refused(
        job,
        "bad_job",
        "toy-int8 is dynamic already",
        model=str(tmp_path / "small.onnx"),
        output=str(tmp_path / "again.onnx"),
    )


def test_a_model_without_products_is_refused(job: Any, tmp_path: Path) -> None:
    model = make_model(tmp_path / "convolutions.onnx")
    refused(job, "bad_job", "no matrix products with weights", model=model)
    assert not (tmp_path / "small.onnx").exists()


def test_labels_judge_no_student(job: Any, tmp_path: Path) -> None:
    student = make_blocks(tmp_path / "s.onnx", "pretrain")
    labels = make_classes(tmp_path / "labels.tif", np.ones((SIZE, SIZE), np.uint8))
    refused(job, "bad_model", "student that was not fine-tuned", model=student, labels=[labels])


def test_bands_of_another_sensor_are_refused(job: Any, tmp_path: Path) -> None:
    data = np.full((5, 8, 8), 1000, np.int16)
    image = make_raster(tmp_path / "r.tif", data, wavelengths=[1500.0, 1510, 1520, 1530, 1540])
    with pytest.raises(HyperKDError) as caught:
        job(input=[str(image)])
    assert caught.value.code == "band_mismatch"


@pytest.mark.parametrize("checks", [0, 4])
def test_a_cancelled_job_leaves_nothing(job: Any, tmp_path: Path, checks: int) -> None:
    with pytest.raises(HyperKDError) as caught:
        job(report=SilentReport(cancel_after=checks))
    assert caught.value.code == "cancelled"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "scene.tif"]
