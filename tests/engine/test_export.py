"""Export: ONNX computes what torch computes, for any batch and any tile."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.models.bundle import open_bundle
from hyperkd.models.card import ModelCard
from hyperkd.requests.train_options import ExportJob
from hyperkd.spectral.sensors import canonical_bands

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from hyperkd.models.nets.student import Student  # noqa: E402
from hyperkd.models.sizes import StudentConfig  # noqa: E402
from hyperkd.training import export as module  # noqa: E402
from hyperkd.training.common.checkpoint import architecture, save_checkpoint  # noqa: E402
from hyperkd.training.export import export, export_model  # noqa: E402
from tests.reports import SilentReport  # noqa: E402

# The tiny student's shape with fewer blocks, so that the export is quick.
SHORT = StudentConfig(218, 4, 16, 32, 1, 4, 24, 1, 2, 8, 32)


def make(patch: int = 4) -> tuple[Student, ModelCard]:
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    mean, std = generator.uniform(0.05, 0.4, 218), generator.uniform(0.02, 0.2, 218)
    config = dataclasses.replace(SHORT, patch=patch)
    student = Student(config, mean.tolist(), std.tolist()).eval()
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    card = ModelCard(
        name="short",
        task="pretrain",
        bands=canonical_bands(),
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
        patch_px=patch,
        tile_px=32,
        receptive_field_px=32,
        embedding_dim=32,
        licence="GPL-2.0-or-later",
        created="2025-01-31",
        architecture=architecture("short", config),
    )
    return student, card


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The student, its checkpoint, and the model that the job ``export`` makes of it."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("export")
    student, card = make()
    save_checkpoint(folder / "short.safetensors", student, card)
    report = SilentReport()
    path = folder / "short.onnx"
    summary = export(
        ExportJob(checkpoint=str(folder / "short.safetensors"), output=str(path)), report
    )
    return student, path, summary, report


def compute(network: bytes, pixels, valid) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"pixels": pixels, "valid": valid})
    return output


@pytest.mark.parametrize("output", ["embedding", "reconstruction"])
@pytest.mark.parametrize(
    ("batch", "rows", "cols"),
    [(1, 32, 32), (7, 32, 32), (1, 4, 4), (7, 20, 12), (1, 48, 16), (7, 48, 16), (2, 64, 64)],
)
def test_onnx_equals_torch(exported, output, batch, rows, cols):
    student, path, _, _ = exported
    generator = np.random.default_rng(batch * rows)
    pixels = generator.random((batch, 218, rows, cols), dtype=np.float32)
    valid = np.float32(generator.random((batch, 1, rows, cols)) < 0.9)
    function = student.embedding if output == "embedding" else student.reconstruct
    with torch.no_grad():
        expected = function(torch.from_numpy(pixels), torch.from_numpy(valid)).numpy()
    got = compute(open_bundle(path).network(output), pixels, valid)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 1e-4 * np.abs(expected).max()


def test_another_patch_exports(tmp_path):
    """The largest; an encoder with patches of 8 is exported in test_export_heads.py."""
    patch = 16
    student, card = make(patch)
    export_model(student, card, tmp_path / "m.onnx")
    bundle = open_bundle(tmp_path / "m.onnx")
    generator = np.random.default_rng(patch)
    for batch, rows, cols in ((7, 2, 2), (1, 3, 1), (2, 2, 5)):
        size = (rows * patch, cols * patch)
        pixels = generator.random((batch, 218, *size), dtype=np.float32)
        valid = np.float32(generator.random((batch, 1, *size)) < 0.9)
        for output, function in (
            ("embedding", student.embedding), ("reconstruction", student.reconstruct),
        ):  # fmt: skip
            with torch.no_grad():
                expected = function(torch.from_numpy(pixels), torch.from_numpy(valid)).numpy()
            got = compute(bundle.network(output), pixels, valid)
            assert np.abs(got - expected).max() < 1e-4 * np.abs(expected).max()


def test_what_an_invalid_pixel_holds_never_matters_in_onnx(exported):
    _, path, _, _ = exported
    bundle = open_bundle(path)
    pixels, valid = bundle.card.self_test.inputs(218, 32)
    garbage = np.where(valid > 0, pixels, np.float32(-32768))
    for output in bundle.outputs:
        network = bundle.network(output)
        np.testing.assert_array_equal(
            compute(network, pixels, valid), compute(network, garbage, valid)
        )


def test_the_job_tells_what_it_did(exported):
    _, path, summary, report = exported
    assert summary == {
        "output": str(path), "model": "short", "bytes": path.stat().st_size,
    }  # fmt: skip
    assert report.stages == ["Loading the checkpoint", "Exporting to ONNX"]
    assert report.artifacts == [("output", str(path))]
    assert sorted(p.name for p in path.parent.iterdir()) == ["short.onnx", "short.safetensors"]


def test_the_card_is_the_checkpoints_with_a_self_test(exported):
    _, path, _, _ = exported
    card, original = open_bundle(path).card, make()[1]
    written = {**json.loads(card.to_json()), "self_test": None}
    assert written == json.loads(original.to_json())
    assert set(card.self_test.outputs) == {"embedding", "reconstruction"}
    assert all(len(probe.indices) == 16 for probe in card.self_test.outputs.values())


def test_the_graph_is_what_the_engine_relies_on(exported):
    student, path, _, _ = exported
    model = onnx.load(str(path))
    assert [value.name for value in model.graph.input] == ["pixels", "valid"]
    assert [value.name for value in model.graph.output] == ["embedding", "reconstruction"]
    assert (model.ir_version, model.opset_import[0].version) == (9, 20)
    assert len(model.opset_import) == 1 and not model.functions
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    weight, bias = student.folded_stem()
    np.testing.assert_array_equal(tensors["stem.weight"], weight.detach())
    np.testing.assert_array_equal(tensors["stem.bias"], bias.detach())
    users = [node.op_type for node in model.graph.node if "stem.weight" in node.input]
    assert users == ["Conv"]


def test_the_file_names_no_machine(exported):
    content = exported[1].read_bytes()
    assert b"site-packages" not in content and b".py" not in content


def test_deepness_keys_are_written_where_they_mean_the_same(exported):
    metadata = {entry.key: entry.value for entry in onnx.load(str(exported[1])).metadata_props}
    assert metadata["resolution"] == "3000.0"
    assert metadata["tile_size"] == "32"
    assert metadata["tiles_overlap"] == "25"
    assert "model_type" not in metadata


def test_an_unwritable_output_is_refused_before_the_work(exported, tmp_path):
    checkpoint = exported[1].with_suffix(".safetensors")
    report = SilentReport()
    with pytest.raises(HyperKDError, match="there is no folder") as caught:
        export(
            ExportJob(checkpoint=str(checkpoint), output=str(tmp_path / "none" / "m.onnx")), report
        )
    assert caught.value.code == "unwritable_output"
    assert report.stages == []


def test_a_checkpoint_that_is_none_is_refused_and_leaves_no_file(tmp_path):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"no checkpoint")
    with pytest.raises(HyperKDError, match="is not a safetensors checkpoint") as caught:
        export(ExportJob(checkpoint=str(bad), output=str(tmp_path / "m.onnx")), SilentReport())
    assert caught.value.code == "bad_model"
    assert [path.name for path in tmp_path.iterdir()] == ["bad.safetensors"]


def test_a_graph_that_deviates_from_torch_is_not_written(exported, tmp_path, monkeypatch):
    student, path, _, _ = exported
    model = onnx.load(str(path))
    for tensor in model.graph.initializer:
        if tensor.name == "norm.bias":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.full(32, 0.1, np.float32), "norm.bias"))
    model.ClearField("metadata_props")
    monkeypatch.setattr(module, "_to_onnx", lambda deployed, card: model)
    with pytest.raises(RuntimeError, match="onnxruntime's embedding differs from torch's by"):
        export_model(student, make()[1], tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []
