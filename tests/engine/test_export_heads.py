"""Export of fine-tuned models: ONNX computes what torch computes, folded or not."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from hyperkd.jobs.info import info
from hyperkd.models.bundle import open_bundle
from hyperkd.models.card import ModelCard
from hyperkd.requests.prepare_options import InfoJob
from hyperkd.requests.train_options import ExportJob
from hyperkd.spectral.affine import Affine
from hyperkd.spectral.sensors import canonical_bands

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from hyperkd.models.nets.heads import DenseHead, DenseModel, HeadConfig  # noqa: E402
from hyperkd.models.nets.student import Student  # noqa: E402
from hyperkd.models.sizes import StudentConfig  # noqa: E402
from hyperkd.training.common.checkpoint import architecture, save_checkpoint  # noqa: E402
from hyperkd.training.export import export, export_model  # noqa: E402
from tests.reports import SilentReport  # noqa: E402

CLASSES = tuple(
    {"name": name, "value": value, "color": f"#0000{value:02d}"}
    for name, value in (("water", 10), ("forest", 20), ("field", 30))
)
TARGETS = (
    {"name": "carbon", "unit": "%", "minimum": 0.5, "maximum": 6.0},
    {"name": "clay", "unit": "g/kg", "minimum": 10.0, "maximum": 400.0},
)


def make(task: str, patch: int, **sizes: bool) -> tuple[DenseModel, ModelCard]:
    """A model in which every path counts, as after fine-tuning."""
    torch.manual_seed(0)
    config = StudentConfig(218, patch, 16, 32, 1, 4, 24, 1, 2, 8, 4 * patch)
    generator = np.random.default_rng(0)
    mean, std = generator.uniform(0.05, 0.4, 218), generator.uniform(0.02, 0.2, 218)
    answers = {"classes": CLASSES} if task == "classification" else {"targets": TARGETS}
    count = len(next(iter(answers.values())))
    head = HeadConfig.fitting(config, task, count, hidden=24, **sizes)
    units = ([2.0, 180.0], [1.5, 90.0]) if task == "regression" else (None, None)
    model = DenseModel(Student(config, mean.tolist(), std.tolist()), DenseHead(head, *units))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    card = ModelCard(
        name="short",
        task=task,
        bands=canonical_bands(),
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
        patch_px=patch,
        tile_px=4 * patch,
        receptive_field_px=4 * patch,
        embedding_dim=32,
        licence="GPL-2.0-or-later",
        created="2025-01-31",
        architecture=architecture("short", config, head),
        **answers,
    )
    return model.eval(), card


@pytest.fixture(scope="module", params=[("classification", 4), ("regression", 8)])
def exported(request, tmp_path_factory):
    """The model and its one file: written by the job from the checkpoint, or directly."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("export")
    path = folder / "short.onnx"
    model, card = make(*request.param)
    if card.task == "classification":
        save_checkpoint(folder / "short.safetensors", model, card)
        export(
            ExportJob(checkpoint=str(folder / "short.safetensors"), output=str(path)),
            SilentReport(),
        )
    else:
        export_model(model, card, path)
    return model, card, path


def compute(network: bytes, pixels, valid) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    feed = {"pixels": np.float32(pixels), "valid": np.float32(valid)}
    (output,) = session.run(None, feed)
    return output


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize(("rows", "cols"), [(4, 4), (1, 3), (5, 2)])
def test_onnx_equals_torch(exported, batch, rows, cols):
    """Sizes in patches; heads do not need an even number of them."""
    model, card, path = exported
    rows, cols = rows * card.patch_px, cols * card.patch_px
    generator = np.random.default_rng(batch * rows)
    pixels = generator.random((batch, 218, rows, cols), dtype=np.float32)
    valid = np.float32(generator.random((batch, 1, rows, cols)) < 0.7)
    valid[0, :, : card.patch_px, : card.patch_px] = 0  # a token without a valid pixel
    with torch.no_grad():
        expected = model(torch.from_numpy(pixels), torch.from_numpy(valid)).numpy()
    got = compute(open_bundle(path).network(card.outputs[0]), pixels, valid)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 1e-4 * np.abs(expected).max()


def test_the_graph_holds_the_head_and_no_decoder(exported):
    _, card, path = exported
    bundle = open_bundle(path)
    assert bundle.outputs == card.outputs
    names = {tensor.name for tensor in bundle.graph.graph.initializer}
    assert {"student.stem.weight", "head.linear.weight", "head.components.weight"} <= names
    assert not any("unpatch" in name or "decoder" in name for name in names)
    readers = [node for node in bundle.graph.graph.node if "pixels" in node.input]
    assert sorted(node.input[1] for node in readers if node.op_type == "Conv") == [
        "head.components.weight", "head.linear.weight", "student.stem.weight",
    ]  # fmt: skip
    assert {node.op_type for node in readers} <= {"Conv", "Shape"}


def test_the_card_is_the_models_with_a_self_test(exported):
    _, card, path = exported
    written = open_bundle(path).card
    assert {**json.loads(written.to_json()), "self_test": None} == json.loads(card.to_json())
    assert set(written.self_test.outputs) == set(card.outputs)


def test_info_tells_what_the_model_answers(exported):
    _, card, path = exported
    text = info(InfoJob(path=str(path)), SilentReport())["text"]
    lines = {
        "classification": [
            "  Outputs: logits",
            "  Temperature of the probabilities: 1",
            "  Class: name forest, value 20, color #000020",
        ],
        "regression": [
            "  Outputs: values",
            "  Target: name clay, unit g/kg, minimum 10, maximum 400",
        ],
    }[card.task]
    assert set(lines) <= set(text.splitlines())


def test_what_an_invalid_pixel_holds_never_matters_in_onnx(exported):
    _, card, path = exported
    bundle = open_bundle(path)
    pixels, valid = bundle.card.self_test.inputs(218, card.tile_px)
    garbage = np.where(valid > 0, pixels, np.float32(-32768))
    network = bundle.network(card.outputs[0])
    np.testing.assert_array_equal(compute(network, pixels, valid), compute(network, garbage, valid))


def test_an_answer_of_one_band_folds(exported):
    """A sensor with a single channel from which all bands are made: every path is folded."""
    _, card, path = exported
    bundle = open_bundle(path)
    first = Affine(np.linspace(1e-4, 3e-4, 218)[:, None], np.linspace(0, 0.1, 218))
    stored = np.random.default_rng(5).integers(0, 3000, (2, 1, card.tile_px, card.tile_px))
    reflectance = np.stack([first.apply(tile.astype(np.float64)) for tile in stored])
    valid = np.ones((2, 1, card.tile_px, card.tile_px))
    folded = compute(bundle.network(card.outputs[0], first), stored, valid)
    unfolded = compute(bundle.network(card.outputs[0]), reflectance, valid)
    assert np.abs(folded - unfolded).max() < 1e-5 * np.abs(unfolded).max()
    names = {
        t.name
        for t in onnx.load_from_string(bundle.network(card.outputs[0], first)).graph.initializer
    }
    assert not names & {"student.stem.weight", "head.linear.weight", "head.components.weight"}


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_potsdam_folded_equals_unfolded_with_shuffled_bands(exported, potsdam, dtype):
    from hyperkd.raster.open_raster import open_raster
    from hyperkd.spectral.preprocessing import input_map

    _, card, path = exported
    bundle, output = open_bundle(path), card.outputs[0]
    with open_raster(str(potsdam.tile(96, 96))) as source:
        tile = source.read_tile(source.grid.window)
        table = source.bands
    stored = tile.data.astype(np.int16)  # float32 in the file, of whole numbers
    np.testing.assert_array_equal(stored, tile.data)
    if dtype == np.float32:  # reflectance itself, as other programs write it
        stored = np.float32(stored * table.scale[:, None, None] + table.offset[:, None, None])
        table = dataclasses.replace(table, scale=np.ones(len(table)), offset=np.zeros(len(table)))
    plain = np.zeros(218), np.ones(218)
    affine, _ = input_map(table, card.bands, *plain)
    valid = np.ones((1, 1, 32, 32))
    unfolded = compute(bundle.network(output), affine.apply(stored.astype(float))[None], valid)
    shuffle = np.random.default_rng(2).permutation(len(table))
    shuffled, _ = input_map(table.take(shuffle), card.bands, *plain)
    for first, values in ((affine, stored), (shuffled, stored[shuffle])):
        folded = compute(bundle.network(output, first), values[None], valid)
        assert np.abs(folded - unfolded).max() < 1e-5 * np.abs(unfolded).max()


def test_a_linear_model_survives_export_and_folding(tmp_path):
    """Weights as regression on collinear bands finds them: large, of both signs.

    The head looks at no tokens, so nothing of the encoder is in the file.
    """
    model, card = make("classification", 8, tokens=False)
    generator = np.random.default_rng(6)
    weight, bias = 20 * generator.normal(size=(3, 218)), generator.normal(size=3)
    model.head.start_from_linear(torch.from_numpy(weight), torch.from_numpy(bias))
    path = tmp_path / "linear.onnx"
    export_model(model, card, path)
    first = Affine(1e-4 * np.eye(218), np.zeros(218))
    stored = generator.integers(0, 8000, (1, 218, 16, 16))
    spectra = (stored[0] * 1e-4 - np.array(card.mean)[:, None, None]) / np.array(card.std)[
        :, None, None
    ]
    expected = np.tensordot(weight, spectra, 1) + bias[:, None, None]
    bundle = open_bundle(path)
    assert not any(tensor.name.startswith("student.") for tensor in bundle.graph.graph.initializer)
    got = compute(bundle.network("logits", first), stored, np.ones((1, 1, 16, 16)))[0]
    assert np.abs(got - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_card_of_another_model_is_not_written(tmp_path):
    model, card = make("classification", 4)
    other = make("regression", 4)[1]
    for write in (export_model, lambda m, c, p: save_checkpoint(p, m, c)):
        with pytest.raises(ValueError, match="the card describes"):
            write(model, other, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []
