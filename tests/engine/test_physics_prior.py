"""Fractions of covers by a fixed network, in fine-tuning: read, chosen, kept, exported."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

from hyperkd.errors import HyperKDError  # noqa: E402
from hyperkd.models.bundle import open_bundle  # noqa: E402
from hyperkd.models.card import CARD_KEY, ModelCard  # noqa: E402
from hyperkd.models.nets.heads import DenseHead, DenseModel, HeadConfig  # noqa: E402
from hyperkd.models.nets.spectral_net import SpectralFractions, SpectralNet  # noqa: E402
from hyperkd.models.onnx_graph import PRESENT, cut, with_constants, with_present  # noqa: E402
from hyperkd.models.seal import sealed  # noqa: E402
from hyperkd.models.spectral_onnx import spectral_graph  # noqa: E402
from hyperkd.requests.finetune_options import FinetuneJob  # noqa: E402
from hyperkd.spectral.affine import Affine  # noqa: E402
from hyperkd.training import export  # noqa: E402
from hyperkd.training.common.checkpoint import (  # noqa: E402
    architecture,
    load_checkpoint,
    save_checkpoint,
)
from hyperkd.training.finetune import physics_network  # noqa: E402
from hyperkd.training.finetune.finetune_job import finetune  # noqa: E402
from hyperkd.training.finetune.fit import fit  # noqa: E402
from hyperkd.training.finetune.head import mlp_ensemble  # noqa: E402
from hyperkd.training.finetune.head.fit_head import HeadFit, HeadSearch  # noqa: E402
from hyperkd.training.finetune.head.hyperparameter_search import (  # noqa: E402
    HeadInputs,
    Hyperparameters,
    search_hyperparameters,
)
from hyperkd.training.finetune.head.tasks import Classification, task_of  # noqa: E402
from hyperkd.training.finetune.physics_network import load_physics  # noqa: E402
from hyperkd.training.finetune.pixel_features import read_features  # noqa: E402
from hyperkd.types import Wavelengths  # noqa: E402
from tests import factories  # noqa: E402
from tests import finetune_factories as make  # noqa: E402
from tests.engine import known_graph  # noqa: E402
from tests.engine.spectral_scenes import some_density  # noqa: E402
from tests.factories import WAVELENGTHS_NM  # noqa: E402
from tests.reports import SilentReport  # noqa: E402

torch.set_num_threads(1)
BANDS = Wavelengths(WAVELENGTHS_NM)
COVERS = 4
WIDTHS = (7, 6, 5, COVERS)


def write_network(
    path: Path, *, bends: bool = False, bands: Wavelengths = BANDS, missing: float = 0.5
) -> str:
    """Write a network for single spectra of random weights, of which every one matters.

    Args:
        bends: whether its first fraction tells how far a band lies from 0.3, above or below.
    """
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    mean, std = generator.uniform(0.1, 0.3, len(bands)), generator.uniform(0.05, 0.1, len(bands))
    network = SpectralNet(mean.tolist(), std.tolist(), COVERS, WIDTHS[:-1])
    weights = {name: value.double().numpy() for name, value in network.state_dict().items()}
    for layer in range(len(WIDTHS) - 2):
        weights[f"hidden.{layer}.bias"] = generator.uniform(0.2, 0.5, WIDTHS[layer + 1])
    if bends:
        for place, sign in ((0, 1.0), (1, -1.0)):
            weights["spectrum.weight"][place] = 0
            weights["spectrum.weight"][place, 2] = 10 * sign * std[2]
            weights["spectrum.bias"][place] = 10 * sign * (mean[2] - 0.3)
            weights["present.weight"][place] = 0
            for layer in (0, 1):
                weights[f"hidden.{layer}.weight"][place] = np.eye(
                    weights[f"hidden.{layer}.weight"].shape[1]
                )[place]
                weights[f"hidden.{layer}.bias"][place] = 0
        weights["answer.weight"][:] = 0
        weights["answer.weight"][0, :2] = 3
        weights["answer.bias"][:] = (-2.4, 0, 0, 0)
    targets = tuple(
        {"name": f"c{n}", "unit": "", "minimum": 0.0, "maximum": 1.0} for n in range(COVERS)
    )
    card = ModelCard(
        name=path.stem, task="regression", bands=bands, mean=tuple(mean.tolist()),
        std=tuple(std.tolist()), patch_px=1, tile_px=16, receptive_field_px=1,
        embedding_dim=WIDTHS[-2], licence="CC0-1.0", created="2025-01-31", targets=targets,
        has_spread=True, has_applicability=True, has_embedding=True, missing_bands=missing,
    )  # fmt: skip
    graph = spectral_graph(weights, np.ones(COVERS), some_density(generator, len(bands)))
    graph.metadata_props.add(key=CARD_KEY, value=card.to_json())
    path.write_bytes(sealed(graph))
    return str(path)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_network(tmp_path_factory.mktemp("network") / "small.onnx")


@pytest.fixture(scope="module")
def bending(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_network(tmp_path_factory.mktemp("network") / "bending.onnx", bends=True)


def of_onnx(path: str, reflectance: NDArray[Any], present: NDArray[Any]) -> NDArray[Any]:
    """Return the fractions ``(n, F)`` as onnxruntime computes them in the network's own file."""
    bundle = open_bundle(path)
    graph = cut(bundle.graph, "fractions", "fractions")
    constants = with_present(bundle.graph.graph.initializer, present, "the network")
    assert any(tensor.name == PRESENT for tensor in constants)
    session = onnxruntime.InferenceSession(
        with_constants(graph, constants), providers=["CPUExecutionProvider"]
    )
    image = np.float32(reflectance.T[None, :, :, None])
    valid = np.ones((1, 1, len(reflectance), 1), np.float32)
    (found,) = session.run(None, {"pixels": image, "valid": valid})
    return found[0, :, :, 0].T


# --- reading ---


def test_the_fractions_are_those_of_the_file(network: str) -> None:
    loaded, note = load_physics(network, BANDS)
    assert loaded is not None and note == ""
    assert (loaded.name, loaded.checksum) == ("small", open_bundle(network).sha256)
    reflectance = np.random.default_rng(1).uniform(0, 0.6, (50, 6)).astype(np.float32)
    found = loaded.of(reflectance)
    expected = of_onnx(network, reflectance, np.ones(6, bool))
    assert found.shape == (50, 4) and found.std(0).min() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert not any(weight.requires_grad for weight in loaded.fractions.parameters())


def test_the_network_is_told_of_bands_that_the_student_lacks(network: str) -> None:
    """They lie on the line between their neighbours, as in inference."""
    kept = np.array([True, True, False, True, True, True])
    loaded, _ = load_physics(network, BANDS.take(np.flatnonzero(kept)))
    assert loaded is not None
    reflectance = np.random.default_rng(1).uniform(0, 0.6, (20, 6))
    nm = BANDS.centre_nm
    at = (nm[2] - nm[1]) / (nm[3] - nm[1])
    bridged = reflectance.copy()
    bridged[:, 2] = (1 - at) * reflectance[:, 1] + at * reflectance[:, 3]
    found = loaded.of(np.float32(reflectance[:, kept]))
    supported = open_bundle(network)
    assert supported.card.missing_bands == 0.5
    told, untold = (of_onnx(network, bridged, each) for each in (kept, np.ones(6, bool)))
    # Whether the middle band counts as missing or as one between two others, the support says.
    assert min(np.abs(found - told).max(), np.abs(found - untold).max()) < 1e-5


def test_many_spectra_are_computed_in_pieces(network: str, monkeypatch: Any) -> None:
    loaded, _ = load_physics(network, BANDS)
    assert loaded is not None
    reflectance = np.random.default_rng(1).uniform(0, 0.6, (50, 6)).astype(np.float32)
    whole = loaded.of(reflectance)
    monkeypatch.setattr(physics_network, "_ROWS", 7)
    np.testing.assert_allclose(loaded.of(reflectance), whole, rtol=1e-6, atol=1e-6)


def test_none_is_none() -> None:
    assert load_physics("none", BANDS) == (None, "")


def test_the_usual_network_may_be_lacking_and_that_is_told(network: str, monkeypatch: Any) -> None:
    usual = FinetuneJob.physics
    monkeypatch.setattr(physics_network, "is_known", lambda name: False)
    found, note = load_physics(usual, BANDS)
    assert found is None and note.startswith(f"There is no model {usual} here")
    monkeypatch.setattr(physics_network, "is_known", lambda name: True)
    monkeypatch.setattr(physics_network, "resolve", lambda name: Path(network))
    assert load_physics(usual, BANDS)[0] is not None
    found, note = load_physics(usual, Wavelengths((450.0, 550.0)))
    assert found is None and note.startswith(f"The student lacks the bands of the model {usual}")


def test_a_usual_network_of_doubtful_name_stops_no_training(
    network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store may have had a model of this name before one was shipped."""

    def refuse(name: str) -> Path:
        raise HyperKDError("bad_model", "Two models have this name.", "Remove one.")

    monkeypatch.setattr(physics_network, "resolve", refuse)
    monkeypatch.setattr(physics_network, "is_known", lambda name: True)
    note = "Two models have this name. Its fractions were no candidates."
    assert load_physics(FinetuneJob.physics, BANDS) == (None, note)
    with pytest.raises(HyperKDError, match="Two models have this name"):
        load_physics("another", BANDS)


@pytest.mark.parametrize(
    ("name", "bands", "code", "message"),
    [
        ("nothing-of-this-name", BANDS, "bad_model", "There is no model"),
        ("tiny", BANDS, "bad_model", "is no network for single spectra"),
        (None, Wavelengths((450.0, 550.0)), "band_mismatch", "450"),
    ],
)
def test_another_network_than_the_usual_one_is_refused(
    network: str, name: str | None, bands: Wavelengths, code: str, message: str
) -> None:
    with pytest.raises(HyperKDError, match=message) as caught:
        load_physics(name or network, bands)
    assert caught.value.code == code


# --- choosing ---


def head_inputs(informative: str) -> HeadInputs:
    generator = np.random.default_rng(0)
    components, difference = (generator.normal(size=(400, 4)).astype(np.float32) for _ in "ab")
    physics = generator.dirichlet(np.ones(5), 400).astype(np.float32)
    source = {"components": components, "physics": physics}[informative]
    values = source[:, 0] / source[:, 0].std() + 0.3 * generator.normal(size=400)
    values = values > np.median(values)
    sizes, task = np.ones(4, np.float32), Classification(2, 0.0)
    return HeadInputs(
        components, difference, None, sizes, values.astype(np.int64), task, physics=physics
    )


@pytest.mark.parametrize("informative", ["components", "physics"])
def test_fractions_are_taken_where_folds_say_so_and_only_there(informative: str) -> None:
    inputs = head_inputs(informative)
    found = search_hyperparameters(
        inputs, np.arange(400) % 5, SilentReport(), balance=0.5, tokens=None,
        generator=np.random.default_rng(0),
    ).hyperparameters  # fmt: skip
    assert (found.physics > 0) == (informative == "physics")
    assert inputs.features(found).shape[1] == 4 + 5 * (informative == "physics")


# --- the head ---


def features_of(source: Any, labels: Any, part: NDArray[Any], physics: Any) -> Any:
    _, pixels = make.reader(source, labels, part)
    base = make_base()
    train, test = pixels.take(pixels.part != 2), pixels.take(pixels.part == 2)
    return read_features([source], train, test, base, 0, "cpu", SilentReport(), physics), train


def make_base() -> Any:
    from hyperkd.training.finetune.base_encoder import BaseEncoder

    return BaseEncoder(make.student().encoder().eval(), make.student_card(), "nano", None)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_head_is_what_was_trained(task: str, network: str, monkeypatch: Any) -> None:
    """Kept features and the assembled network agree, on all paths at once."""
    generator = np.random.default_rng(4)
    source = make.scene(make.noisy(16, 16))
    values = generator.integers(0, 3, (16, 16))
    if task == "regression":
        values = generator.normal(size=(2, 16, 16))
    labels = make.every_pixel(values)
    loaded, _ = load_physics(network, BANDS)
    features, pixels = features_of(source, labels, np.zeros((16, 16)), loaded)
    kept = []

    class Kept(mlp_ensemble.EnsembleTraining):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            kept.append(self)

    monkeypatch.setattr(mlp_ensemble, "EnsembleTraining", Kept)
    of_task, given = task_of(labels, 0.0, labels.values)
    head_fit = HeadFit(
        features, given, np.arange(256) % 5, of_task, make.request(class_weights="auto"),
        make.CONFIG, make.student_card(), SilentReport(),
    )  # fmt: skip
    found = Hyperparameters(0.3, 0.15, 0.5, 0.3, 0.1, 2.4)
    head = head_fit.train(HeadSearch(found, 3, 1.0, {}, [], False))
    assert head.config.physics == 4
    expected = kept[-1].outputs().mean(0)
    model = DenseModel(make.student().encoder().eval(), head, loaded.fractions)
    reader, _ = make.reader(source, labels, np.zeros((16, 16)))
    (tile,) = reader.read(SilentReport())
    with torch.no_grad():
        reflectance = torch.from_numpy(tile.pixels)[None] * 0.1 + 0.2
        whole = model(reflectance, torch.ones(1, 1, 16, 16))[0].numpy()
    np.testing.assert_allclose(whole[:, pixels.row, pixels.col].T, expected, rtol=1e-3, atol=2e-3)


def dense(**sizes: Any) -> tuple[DenseModel, ModelCard]:
    """A model with such fractions in which every path counts, and its card."""
    torch.manual_seed(0)
    head = HeadConfig.fitting(
        make.CONFIG, "classification", 3, components=4, hidden=5, members=2, physics=4, **sizes
    )
    physics = SpectralFractions(6, WIDTHS)
    model = DenseModel(make.student(), DenseHead(head), physics)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    classes = tuple({"name": n, "value": n, "color": "#000000"} for n in "abc")
    described = architecture("nano", make.CONFIG, head, physics)
    card = make.student_card(task="classification", classes=classes, architecture=described)
    return model.eval(), card


def test_what_an_invalid_pixel_holds_never_matters() -> None:
    model, _ = dense(tokens=False, neighbours=False)
    pixels, valid = torch.rand(1, 6, 4, 4), torch.ones(1, 1, 4, 4)
    valid[0, 0, 1, 2] = 0
    garbage = torch.where(valid > 0, pixels, torch.tensor(-32768.0))
    with torch.no_grad():
        assert torch.equal(model(pixels, valid), model(garbage, valid))
        # And that of a valid one does, by way of the fractions alone.
        torch.nn.init.zeros_(model.head.linear.weight)
        torch.nn.init.zeros_(model.head.components.weight)
        everywhere = torch.ones(1, 1, 4, 4)
        moved = (model(garbage, everywhere) - model(pixels, everywhere))[0].abs()
    assert moved[:, 1, 2].min() > 0
    moved[:, 1, 2] = 0
    assert moved.max() == 0


@pytest.mark.parametrize("width", [0, 3])
def test_a_head_for_other_fractions_is_refused(width: int) -> None:
    config = HeadConfig.fitting(make.CONFIG, "classification", 3, physics=width)
    with pytest.raises(ValueError, match="does not fit the fractions"):
        DenseModel(make.student(), DenseHead(config), SpectralFractions(6, WIDTHS))


# --- the checkpoint ---


def test_a_checkpoint_keeps_the_fixed_network(tmp_path: Path) -> None:
    model, card = dense()
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, model, card)
    loaded, again = load_checkpoint(path)
    assert isinstance(loaded, DenseModel) and loaded.physics is not None
    assert loaded.physics.widths == WIDTHS and json.loads(again.to_json())["architecture"][
        "physics"
    ] == list(WIDTHS)
    assert not any(weight.requires_grad for weight in loaded.physics.parameters())
    pixels, valid = torch.rand(1, 6, 16, 16), torch.ones(1, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(loaded(pixels, valid), model(pixels, valid))
    second = tmp_path / "again.safetensors"
    save_checkpoint(second, loaded, again)
    assert second.read_bytes() == path.read_bytes()


def test_a_head_without_such_fractions_is_described_as_before() -> None:
    config = HeadConfig.fitting(make.CONFIG, "classification", 3)
    assert "physics" not in config.to_dict()
    assert "physics" not in architecture("nano", make.CONFIG, config)


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ([], "wrong sizes physics"),
        ([7, 6, 5, 0], "wrong sizes physics"),
        ([7, 6, 5, True], "wrong sizes physics"),
        ([7, 6, 5, 1 << 20], "wrong sizes physics"),
        ("7654", "wrong sizes physics"),
        (7, "wrong sizes physics"),
        ([7, 6, 5, 3], "does not fit the fractions"),
        (None, "does not fit the fractions"),
        ([9, 6, 5, 4], "does not hold the network"),
    ],
)
def test_impossible_widths_in_a_card_are_refused(
    tmp_path: Path, monkeypatch: Any, widths: Any, message: str
) -> None:
    from hyperkd.training.common import checkpoint

    model, card = dense()
    wrong = dataclasses.replace(card, architecture={**card.architecture, "physics": widths})
    monkeypatch.setattr(checkpoint, "require_card_of", lambda model, card: None)
    save_checkpoint(tmp_path / "m.safetensors", model, wrong)
    with pytest.raises(HyperKDError, match=message) as caught:
        load_checkpoint(tmp_path / "m.safetensors")
    assert caught.value.code == "bad_model"


# --- the whole job ---


def bent_scene() -> tuple[NDArray[Any], NDArray[Any]]:
    """Reflectance, and classes: how far one band lies from 0.3, above or below."""
    generator = np.random.default_rng(2)
    classes = generator.integers(0, 2, (10, 12)).repeat(4, 0).repeat(4, 1)
    side = generator.choice([-1.0, 1.0], (10, 12)).repeat(4, 0).repeat(4, 1)
    reflectance = make.noisy(*classes.shape)
    off = 0.02 + 0.1 * classes + generator.uniform(0, 0.04, classes.shape)
    reflectance[2] = 0.3 + side * off
    return reflectance, classes


def labelled(folder: Path) -> dict[str, Any]:
    from osgeo import gdal

    reflectance, classes = bent_scene()
    make.save_student(folder)
    factories.make_raster(folder / "scene.tif", np.rint(1e4 * reflectance).astype(np.int16))
    driver = gdal.GetDriverByName("GTiff")
    dataset = driver.Create(str(folder / "labels.tif"), classes.shape[1], classes.shape[0], 1)
    dataset.SetProjection(factories.wkt(factories.UTM_33N))
    dataset.SetGeoTransform(factories.GEOTRANSFORM)
    dataset.GetRasterBand(1).WriteArray((classes + 1).astype(np.uint8))
    dataset.GetRasterBand(1).SetNoDataValue(0)
    dataset.FlushCache()
    return {
        "input": (str(folder / "scene.tif"),),
        "labels": (str(folder / "labels.tif"),),
        "task": "classification",
        "student": str(folder / "nano.safetensors"),
        "device": "cpu",
        "buffer": 0,
        "epochs": 1,
    }


@pytest.fixture(scope="module")
def trained(
    bending: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """A run of the job by the exporter itself: its folder, options and summary."""
    folder = tmp_path_factory.mktemp("trained")
    options = labelled(folder)
    told = finetune(
        FinetuneJob(
            **options, output=str(folder / "bent.onnx"), physics=bending,
            report=str(folder / "report"),
        ),
        SilentReport(),
    )  # fmt: skip
    return folder, options, told


def test_fractions_are_taken_where_spectra_alone_cannot_tell(trained: Any, bending: str) -> None:
    folder, _, told = trained
    assert told["linear"]["physics"] > 0
    assert told["metrics"]["test"]["overall_accuracy"]["value"] > 0.95
    card = open_bundle(folder / "bent.onnx").card
    assert card.training["physics"] == "bending"
    assert card.architecture["physics"] == list(WIDTHS)
    assert card.parents[1:] == (open_bundle(bending).sha256,)
    assert card.missing_bands == 0 and card.receptive_field_px == 1
    page = (folder / "report" / "report.html").read_text("utf-8")
    assert "fractions by the network bending" in page and str(bending) not in card.to_json()


def run(network: bytes, pixels: NDArray[Any], valid: NDArray[Any]) -> NDArray[Any]:
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"pixels": np.float32(pixels), "valid": np.float32(valid)})
    return found


def test_the_exported_file_answers_as_the_checkpoint_does_folded_or_not(trained: Any) -> None:
    folder = trained[0]
    model, _ = load_checkpoint(folder / "bent.safetensors")
    bundle = open_bundle(folder / "bent.onnx")
    generator = np.random.default_rng(3)
    stored = generator.integers(0, 6000, (2, 6, 16, 16))
    valid = np.float32(generator.random((2, 1, 16, 16)) < 0.8)
    with torch.no_grad():
        expected = model(torch.from_numpy(np.float32(1e-4 * stored)), torch.from_numpy(valid))
    largest = float(expected.abs().max())
    found = run(bundle.network("logits"), 1e-4 * stored, valid)
    assert np.abs(found - expected.numpy()).max() < 1e-4 * largest
    first = Affine(1e-4 * np.eye(6), np.zeros(6))
    folded = run(bundle.network("logits", first), stored, valid)
    assert np.abs(folded - found).max() < 1e-5 * largest
    readers = [node for node in bundle.graph.graph.node if "pixels" in node.input]
    assert sorted(node.input[1] for node in readers if node.op_type == "Conv") == [
        "head.components.weight", "head.linear.weight", "physics.layers.0.weight",
    ]  # fmt: skip


@pytest.fixture
def quick_export(monkeypatch: Any, known_graphs: Path) -> None:
    known_graph.keep_in(known_graphs)
    monkeypatch.setattr(export, "_to_onnx", known_graph.to_onnx)


def test_training_goes_on_from_such_a_model(
    trained: Any, bending: str, tmp_path: Path, quick_export: None
) -> None:
    folder, options, _ = trained
    options = {**options, "student": str(folder / "bent.onnx"), "baselines": False}
    output = str(tmp_path / "on.onnx")
    told = finetune(FinetuneJob(**options, output=output, physics=bending), SilentReport())
    assert told["linear"]["physics"] > 0
    first, second = (open_bundle(path).card for path in (folder / "bent.onnx", output))
    assert second.architecture == first.architecture and len(second.parents) == 2


def test_without_a_network_the_spectrum_is_all_there_is(
    trained: Any, tmp_path: Path, quick_export: None
) -> None:
    options = {**trained[1], "baselines": False}
    output = str(tmp_path / "without.onnx")
    told = finetune(FinetuneJob(**options, output=output, physics="none"), SilentReport())
    assert told["linear"]["physics"] == 0
    card = open_bundle(output).card
    assert card.training["physics"] is None and len(card.parents) == 1
    assert "physics" not in card.architecture and "physics" not in card.architecture["head"]


def test_a_network_that_is_not_there_is_refused_before_the_labels_are_read(
    trained: Any, tmp_path: Path
) -> None:
    options = {**trained[1], "labels": (str(tmp_path / "no-labels.tif"),)}
    output = str(tmp_path / "m.onnx")
    with pytest.raises(HyperKDError, match="There is no model 'unheard-of'"):
        finetune(FinetuneJob(**options, output=output, physics="unheard-of"), SilentReport())


# --- fitting ---


def fitted(student: str, physics: str, **options: Any) -> Any:
    reflectance, classes = bent_scene()
    labels = make.every_pixel((reflectance[0] > np.median(reflectance[0])).astype(np.int64))
    if options.pop("bent", False):
        labels = make.every_pixel(classes)
    part = np.zeros(classes.shape)
    part[:, -16:-8], part[:, -8:] = 1, 2
    split = make.split_at(labels, part)
    request = make.request(student, physics=physics, epochs=2, **options)
    report = SilentReport()
    return fit([make.scene(reflectance)], labels, split, request, report), report


def test_fractions_that_are_not_taken_leave_no_trace(bending: str, tmp_path: Path) -> None:
    """The model is the same to the last bit as one that never saw them."""
    student = make.save_student(tmp_path)
    one, other = (fitted(student, name)[0] for name in (bending, "none"))
    assert one.search.hyperparameters.physics == 0 and one.physics is None
    first, second = (each.model.state_dict() for each in (one, other))
    assert list(first) == list(second)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_fit_without_the_usual_network_says_so(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(physics_network, "is_known", lambda name: False)
    found, report = fitted(make.save_student(tmp_path), FinetuneJob.physics)
    told = "There is no model cover here, so its fractions were no candidates."
    assert told in found.notes and ("info", told) in report.logs


def test_the_fixed_network_stays_as_it_is_while_the_encoder_is_trained(
    bending: str, tmp_path: Path
) -> None:
    found, _ = fitted(make.save_student(tmp_path), bending, tune="full", bent=True)
    loaded, _ = load_physics(bending, BANDS)
    assert loaded is not None and found.physics is not None
    assert found.tune == "full" and found.model.head.config.physics == 4
    for before, after in zip(loaded.fractions.parameters(), found.model.physics.parameters()):
        assert torch.equal(before, after)
