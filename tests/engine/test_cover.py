"""The model of land covers: its spectra, network, graph, missing bands and maps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("prosail")
gdal = pytest.importorskip("osgeo.gdal")
onnx = pytest.importorskip("onnx")

import hyperkd  # noqa: E402
from hyperkd.errors import HyperKDError  # noqa: E402
from hyperkd.inference.backends.onnxruntime_backend import open_session  # noqa: E402
from hyperkd.inference.predict import predict  # noqa: E402
from hyperkd.models.bundle import open_bundle  # noqa: E402
from hyperkd.models.card import CARD_KEY  # noqa: E402
from hyperkd.models.nets.spectral_net import SpectralNet  # noqa: E402
from hyperkd.models.onnx_graph import PRESENT  # noqa: E402
from hyperkd.models.seal import sealed  # noqa: E402
from hyperkd.models.spectral_density import KNOWN  # noqa: E402
from hyperkd.requests.predict_options import PredictJob  # noqa: E402
from hyperkd.spectral.missing_bands import bridged, bridging  # noqa: E402
from hyperkd.synth.endmembers import COVER_NAMES, WATER  # noqa: E402
from hyperkd.training.physics import fit_density as fit_density_module  # noqa: E402
from hyperkd.training.physics.cover_file import write_cover  # noqa: E402
from hyperkd.training.physics.fit_cover import (  # noqa: E402
    FittedCover,
    fit_cover,
    losses,
    predicted,
)
from hyperkd.training.physics.fit_density import fit_density  # noqa: E402
from hyperkd.training.physics.simulated_spectra import (  # noqa: E402
    Spectra,
    pure_spectra,
    scene_spectra,
)
from hyperkd.training.physics.spectral_batches import (  # noqa: E402
    USUAL,
    SpectralBatches,
    Variation,
)
from tests.engine.spectral_scenes import (  # noqa: E402
    CENTRE_NM,
    GOOD,
    read,
    scene,
    some_density,
)
from tests.label_factories import make_vector, square  # noqa: E402
from tests.reports import SilentReport  # noqa: E402

COVERS = len(COVER_NAMES)
MISSING = ((0.0, 0.1), (0.5, 0.2))


@pytest.fixture(scope="module")
def spectra() -> tuple[Spectra, Spectra]:
    report = SilentReport()
    return scene_spectra([3], report), pure_spectra([1, 2], report)


@pytest.fixture(autouse=True)
def few_spectra_for_densities(monkeypatch: pytest.MonkeyPatch) -> None:
    """A density of as many as a training takes is ten seconds of each test."""
    monkeypatch.setattr(fit_density_module, "_TRAINED", 4096)
    monkeypatch.setattr(fit_density_module, "_HELD_OUT", 2048)


def batches(spectra: tuple[Spectra, Spectra], seed: int = 0, **how: Any) -> SpectralBatches:
    return SpectralBatches(*spectra, replace(USUAL, **how), seed, range(3))


@pytest.fixture(scope="module")
def network() -> FittedCover:
    """Return a network of random weights; every one of them matters."""
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    mean, std = generator.uniform(0.1, 0.3, GOOD.size), generator.uniform(0.05, 0.1, GOOD.size)
    made = SpectralNet(mean.tolist(), std.tolist(), COVERS, (16, 12, 8))
    return FittedCover(made.eval(), generator.uniform(0.5, 2, COVERS), some_density(generator))


@pytest.fixture(scope="module")
def model(network: FittedCover, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cover") / "cover.onnx"
    write_cover(path, network, {}, {}, MISSING)
    return path


# --- spectra -----------------------------------------------------------------------------


def test_fractions_of_spectra_sum_to_one(spectra: tuple[Spectra, Spectra]) -> None:
    scenes, pure = spectra
    for each in spectra:
        assert each.reflectance.shape == (len(each.fractions), GOOD.size)
        np.testing.assert_allclose(each.fractions.sum(axis=1), 1, atol=1e-5)
        assert 0 <= each.fractions.min()
    assert set(np.unique(pure.fractions)) == {0, 1}
    assert set(pure.dominant) == set(range(COVERS))
    assert len(set(scenes.dominant)) >= 4


def test_the_same_seed_draws_the_same_batch_and_another_one_another(
    spectra: tuple[Spectra, Spectra],
) -> None:
    one, same, other = (batches(spectra, seed).draw(64) for seed in (5, 5, 6))
    for first, second in zip(one, same):
        assert torch.equal(first, second)
    assert not torch.equal(one[0], other[0])
    assert one[0].dtype == torch.float32


def test_a_batch_has_fractions_that_sum_to_one_and_bands_in_every_spectrum(
    spectra: tuple[Spectra, Spectra],
) -> None:
    reflectance, present, fractions = batches(spectra).draw(2000)
    np.testing.assert_allclose(fractions.sum(1).numpy(), 1, atol=1e-5)
    assert torch.isfinite(reflectance).all()
    assert set(np.unique(present.numpy())) == {0, 1}
    share = present.numpy().mean(axis=1)
    assert share.min() > 0.4 and (share == 1).any()


def test_without_variation_a_batch_is_the_spectra_themselves(
    spectra: tuple[Spectra, Spectra], monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = dict.fromkeys(Variation.__dataclass_fields__, 0.0)
    drawn = batches(spectra, **{**nothing, "scenes": 1.0})
    for name, value in (("_gain", 1), ("_stray", 0), ("_haze", 0), ("_deviation", 0)):
        monkeypatch.setattr(drawn, name, torch.full_like(getattr(drawn, name), value))
    reflectance, present, fractions = drawn.draw(50)
    assert (present == 1).all()
    known = {row.tobytes(): place for place, row in enumerate(spectra[0].reflectance)}
    places = [known[row.tobytes()] for row in reflectance.numpy()]
    assert np.array_equal(spectra[0].fractions[places], fractions.numpy())


def test_missing_bands_lie_on_the_line_between_the_others() -> None:
    centre = np.array([500.0, 400.0, 700.0, 600.0, 800.0])
    values = np.array([[5.0, 4.0, 7.0, 9.0, 8.0], [5.0, 1.0, 9.0, 6.0, 1.0]], np.float32)
    present = np.array([[1, 1, 1, 0, 0], [1, 0, 0, 1, 0]], bool)
    expected = np.array([[5, 4, 7, 6, 7], [5, 5, 6, 6, 6]], np.float32)
    assert np.array_equal(bridged(values, present, centre), expected)
    for row, has, wanted in zip(values, present, expected):
        line = bridging(has, centre)
        np.testing.assert_allclose(line.apply(row.astype(np.float64)), wanted, rtol=1e-12)


# --- training ----------------------------------------------------------------------------


def test_training_gives_the_same_network_for_the_same_seed_and_learns(
    spectra: tuple[Spectra, Spectra],
) -> None:
    def train(steps: int) -> FittedCover:
        return fit_cover(
            batches(spectra), batches(spectra, 1), steps=steps, seed=0, report=SilentReport()
        )

    first, second = train(12), train(12)
    for one, other in zip(first.weights().values(), second.weights().values()):
        assert np.array_equal(one, other)
    assert np.array_equal(first.error_scale, second.error_scale)
    assert np.array_equal(first.density.mean, second.density.mean)
    reflectance, present, truth = batches(spectra, 2).draw(2000)
    loss, _ = losses(first.network, reflectance, present, truth)
    known, _ = losses(train(1).network, reflectance, present, truth)
    assert loss < 0.97 * known


def test_errors_hold_as_many_true_values_as_they_say(spectra: tuple[Spectra, Spectra]) -> None:
    held_out = batches(spectra, 1)
    fitted = fit_cover(batches(spectra), held_out, steps=15, seed=0, report=SilentReport())
    reflectance, present, truth = held_out.draw(8000)
    fractions, error = predicted(fitted, reflectance, present)
    true = truth.numpy()
    matters = np.maximum(true, fractions) > 0.05
    within = [(np.abs(true - fractions) <= error)[m, k].mean() for k, m in enumerate(matters.T)]
    np.testing.assert_allclose(within, 0.6827, atol=0.05)


def test_errors_do_not_change_the_features(network: FittedCover) -> None:
    reflectance, truth = torch.rand(8, GOOD.size), torch.eye(COVERS)
    _, errors = losses(network.network, reflectance, torch.ones(1, GOOD.size), truth)
    gradients = torch.autograd.grad(errors, list(network.network.parameters()), allow_unused=True)
    names = [name for name, _ in network.network.named_parameters()]
    moved = {name for name, value in zip(names, gradients) if value is not None}
    assert moved == {"error.weight", "error.bias"}


# --- the file ----------------------------------------------------------------------------


@pytest.mark.parametrize("lacking", [slice(0, 0), slice(0, 9), slice(100, 160)])
def test_the_graph_gives_what_the_network_gives(
    network: FittedCover, model: Path, lacking: slice
) -> None:
    generator = np.random.default_rng(1)
    spectra = generator.uniform(0, 0.5, (GOOD.size, 3, 5)).astype(np.float32)
    present = np.ones(GOOD.size, bool)
    present[lacking] = False
    session = open_session(open_bundle(model).network("values", None, present))
    valid = np.ones((1, 1, 3, 5), np.float32)
    got = session.run(spectra[None], valid)[0].reshape(2 * COVERS + 1, -1).T
    flat = spectra.reshape(GOOD.size, -1).T.copy()
    told = torch.from_numpy(present[None].astype(np.float32))
    fractions, error = predicted(network, torch.from_numpy(flat), told)
    known = network.density.applicability(flat.astype(np.float64))
    expected = np.concatenate([fractions, error, known[:, None]], axis=1)
    np.testing.assert_allclose(got, expected, atol=2e-5)
    np.testing.assert_allclose(got[:, :COVERS].sum(axis=1), 1, atol=1e-5)
    assert 0 < np.ptp(known)
    session = open_session(open_bundle(model).network("embedding", None, present))
    features = network.network.embed(torch.from_numpy(flat), told).detach().numpy()
    got = session.run(spectra[None], valid)[0].reshape(features.shape[1], -1).T
    np.testing.assert_allclose(got, features, atol=2e-5)


def test_a_density_knows_what_it_was_fitted_to_and_little_else(
    spectra: tuple[Spectra, Spectra],
) -> None:
    held_out = batches(spectra, 1)
    density = fit_density(batches(spectra), held_out, 0)
    others = batches(spectra, 2).draw(2000)[0].double().numpy()
    known = density.applicability(others)
    assert known.shape == (2000,) and known.min() >= 0 and known.max() <= 1
    assert np.mean(known < KNOWN) < 0.1
    assert 0.9 < np.median(known) < 0.99
    sunlight = (CENTRE_NM / 480) ** -2.0 * (1 - 0.8 * (abs(CENTRE_NM - 1130) < 25))
    for unlike in (others * sunlight, others[:, ::-1], np.full((2, GOOD.size), 3.0)):
        assert np.mean(density.applicability(unlike) < KNOWN) > 0.7


def test_applicability_is_a_half_at_the_limits(network: FittedCover) -> None:
    density = network.density
    low, high = density.brightness
    flat = np.linspace(low, high, 5)[:, None] * np.ones((1, GOOD.size))
    easy = replace(density, limit=-1e9)
    np.testing.assert_allclose(
        easy.applicability(flat)[[0, 2, 4]], [0.5, 1 / (1 + np.exp(-10)), 0.5], atol=1e-12
    )
    value = float(density.log_density(flat[1:2])[0])
    assert replace(density, limit=value).applicability(flat[1:2])[0] == pytest.approx(0.5)
    usual = replace(density, limit=value - density.width).applicability(flat[1:2])[0]
    assert usual == pytest.approx(0.95)


def test_the_card_tells_what_the_model_is(model: Path) -> None:
    card = open_bundle(model).card
    assert (card.task, card.has_spread, card.missing_bands, card.is_fractions) == (
        "regression", True, 0.5, True,
    )  # fmt: skip
    assert [target["name"] for target in card.targets] == list(COVER_NAMES)
    assert card.self_test is not None


# --- maps --------------------------------------------------------------------------------


def test_maps_are_fractions_their_errors_and_the_largest(model: Path, tmp_path: Path) -> None:
    names = ("output", "uncertainty", "dominant", "applicability")
    files = {name: str(tmp_path / f"{name}.tif") for name in names}
    raster = scene(tmp_path / "scene.tif", np.arange(GOOD.size))
    summary = predict(PredictJob(input=raster, model=str(model), **files), SilentReport())
    fractions, errors, largest, known = (read(tmp_path / f"{name}.tif") for name in files)
    assert fractions.shape == errors.shape == (COVERS, 16, 16)
    assert np.isnan(fractions[:, 3, 4]).all() and np.isnan(errors[:, 3, 4]).all()
    valid = np.isfinite(fractions[0])
    assert np.count_nonzero(valid) == 255
    np.testing.assert_allclose(fractions[:, valid].sum(axis=0), 1, atol=1e-5)
    assert known.shape == (1, 16, 16) and np.array_equal(np.isfinite(known[0]), valid)
    assert 0 <= known[0][valid].min() and known[0][valid].max() <= 1
    assert summary["unlike_training"] == pytest.approx(np.mean(known[0][valid] < 0.5), abs=1e-6)
    assert largest[0, 3, 4] == 0
    assert np.array_equal(largest[0][valid], fractions[:, valid].argmax(axis=0) + 1)
    counted = np.bincount(largest[largest > 0], minlength=COVERS + 1)[1:]
    assert list(summary["dominant"].values()) == counted.tolist()
    dataset = gdal.Open(files["dominant"])
    assert dataset.GetRasterBand(1).GetColorTable().GetColorEntry(WATER + 1)[:3] == (48, 112, 208)
    bands = gdal.Open(files["output"])
    assert [bands.GetRasterBand(n + 1).GetDescription() for n in range(COVERS)] == list(COVER_NAMES)
    errors_file = gdal.Open(files["uncertainty"])  # must outlive its bands
    assert errors_file.GetRasterBand(1).GetDescription() == "standard error of built"


def test_missing_bands_are_told_to_the_network_and_to_the_user(
    network: FittedCover, model: Path, tmp_path: Path
) -> None:
    gap = (CENTRE_NM > 1300) & (CENTRE_NM < 1500) | (CENTRE_NM > 2400)
    keep = np.flatnonzero(~gap)
    raster, output = scene(tmp_path / "scene.tif", keep), tmp_path / "out.tif"
    report = SilentReport()
    said: list[str] = []
    report.log = lambda level, message: said.append(message)  # type: ignore[method-assign]
    predict(PredictJob(input=raster, model=str(model), output=str(output)), report)
    stored = np.zeros((GOOD.size, 16, 16), np.float32)
    values = np.random.default_rng(2).uniform(200, 5000, stored.shape).astype(np.int16)
    stored = values.reshape(GOOD.size, -1).T.astype(np.float32) * np.float32(1e-4)
    present = np.broadcast_to(~gap, stored.shape)
    filled = bridged(stored, present, CENTRE_NM)
    expected, _ = predicted(
        network, torch.from_numpy(filled), torch.from_numpy(present[:1].astype(np.float32))
    )
    got = read(output).reshape(COVERS, -1).T
    valid = np.isfinite(got[:, 0])
    np.testing.assert_allclose(got[valid], expected[valid], atol=1e-4)
    told = next(message for message in said if "knows how to do without" in message)
    assert told.startswith(f"The file lacks {gap.sum()} of the 218 bands of cover")
    assert "times as large" in told


def test_too_few_bands_are_refused(model: Path, tmp_path: Path) -> None:
    raster = scene(tmp_path / "scene.tif", np.flatnonzero(CENTRE_NM < 1000))
    job = PredictJob(input=raster, model=str(model), output=str(tmp_path / "out.tif"))
    with pytest.raises(HyperKDError, match="At most 50% may be missing") as caught:
        predict(job, SilentReport())
    assert caught.value.code == "band_mismatch"


def test_a_scene_that_is_unlike_the_training_is_told(network: FittedCover, tmp_path: Path) -> None:
    raster, output = scene(tmp_path / "scene.tif", np.arange(GOOD.size)), tmp_path / "out.tif"
    said: list[str] = []
    report = SilentReport()
    report.log = lambda level, message: said.append(f"{level}: {message}")  # type: ignore[method-assign]
    for limit, share in ((-1e9, 0), (1e9, 100)):
        model = tmp_path / "cover.onnx"
        density = replace(network.density, limit=limit, brightness=(-9.0, 9.0))
        write_cover(model, replace(network, density=density), {}, {}, MISSING)
        job = PredictJob(input=raster, model=str(model), output=str(output))
        assert predict(job, SilentReport())["unlike_training"] == share / 100
        predict(job, report)
    told = [message for message in said if "unlike everything" in message]
    assert len(told) == 1
    assert told[0].startswith(
        "warning: 100% of the pixels are unlike everything that cover learned"
    )


def test_a_pixel_has_an_embedding_of_its_own(
    network: FittedCover, model: Path, tmp_path: Path
) -> None:
    raster = scene(tmp_path / "scene.tif", np.arange(GOOD.size))
    hyperkd.embed(model, raster, tmp_path / "out.tif", components=0)
    got = read(tmp_path / "out.tif")
    values = np.random.default_rng(2).uniform(200, 5000, (GOOD.size, 16, 16)).astype(np.int16)
    flat = torch.from_numpy(values.reshape(GOOD.size, -1).T * np.float32(1e-4))
    features = network.network.embed(flat, torch.ones(1, GOOD.size)).detach().numpy()
    valid = np.isfinite(got[0])
    assert np.count_nonzero(valid) == 255
    np.testing.assert_allclose(got[:, valid].T, features[valid.ravel()], atol=1e-4)


@pytest.mark.parametrize("name", ["probabilities", "applicability"])
def test_what_a_model_does_not_know_is_refused(name: str, model: Path, tmp_path: Path) -> None:
    raster = scene(tmp_path / "scene.tif", np.arange(GOOD.size))
    plain = onnx.load(str(model))
    if name == "applicability":
        model = without_applicability(plain, tmp_path / "plain.onnx")
    files = {"output": str(tmp_path / "out.tif"), name: str(tmp_path / "p.tif")}
    with pytest.raises(HyperKDError, match=f"has no {name}") as caught:
        predict(PredictJob(input=raster, model=str(model), **files), SilentReport())
    assert caught.value.code == "bad_job"
    assert not (tmp_path / "out.tif").exists()


def without_applicability(graph: Any, path: Path) -> Path:
    """Write a model whose answer is the fractions and their errors alone."""
    answer = next(node for node in graph.graph.node if node.output[0] == "values")
    del answer.input[2]
    graph.graph.output[0].type.tensor_type.shape.dim[1].dim_value -= 1
    for entry in graph.metadata_props:
        if entry.key == CARD_KEY:
            card = {**json.loads(entry.value), "has_applicability": False, "self_test": None}
            entry.value = json.dumps(card)
    path.write_bytes(sealed(graph))
    return path


# --- beside the map ----------------------------------------------------------------------


def test_values_at_pixels_are_those_of_the_map_without_errors(model: Path, tmp_path: Path) -> None:
    raster, output = scene(tmp_path / "scene.tif", np.arange(GOOD.size)), tmp_path / "out.tif"
    predict(PredictJob(input=raster, model=str(model), output=str(output)), SilentReport())
    loaded = hyperkd.load_model(model)
    with hyperkd.open(raster) as opened:
        found = loaded.at(opened, [0, 3, 9], [1, 4, 7])
    assert found.shape == (3, COVERS)
    np.testing.assert_array_equal(found, read(output)[:, [0, 3, 9], [1, 4, 7]].T)


def test_fractions_can_be_assessed(model: Path, tmp_path: Path) -> None:
    raster = scene(tmp_path / "scene.tif", np.arange(GOOD.size))
    fields = dict.fromkeys(COVER_NAMES, "number")
    features = [
        (square(4 * col, 4 * row, 2, 2), dict.fromkeys(fields, 0.1 + 0.02 * (row + col)))
        for row in range(4)
        for col in range(4)
    ]
    labels = make_vector(tmp_path / "labels.gpkg", features, fields)
    hyperkd.evaluate(model, raster, labels, field=list(fields), report_folder=tmp_path / "report")
    found = json.loads((tmp_path / "report" / "report.json").read_text())
    assert len(found["assessment"]["targets"]) == COVERS


def changed(model: Path, path: Path, **fields: Any) -> Path:
    graph = onnx.load(str(model))
    for entry in graph.metadata_props:
        if entry.key == CARD_KEY:
            entry.value = json.dumps({**json.loads(entry.value), **fields})
    path.write_bytes(sealed(graph))
    return path


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("missing_error", "x"),
        ("missing_error", [[0.0, "x"]]),
        ("missing_error", [[0.1, 1.0]]),
        ("missing_error", [[0.0, 0.0]]),
        ("missing_error", [[0.0, 1.0], [0.0, 2.0]]),
        ("missing_error", [[0.0, 1.0, 2.0]]),
        ("missing_bands", 1.0),
        ("missing_bands", [0.5]),
        ("has_spread", "yes"),
        ("has_spread", False),
        ("has_applicability", 1),
        ("has_applicability", False),
        ("has_embedding", False),
    ],
)
def test_a_card_that_cannot_be_is_refused(
    model: Path, tmp_path: Path, field: str, value: Any
) -> None:
    with pytest.raises(HyperKDError) as caught:
        open_bundle(changed(model, tmp_path / "odd.onnx", **{field: value}))
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize("count", [255, 256])
def test_a_class_map_has_room_for_255_covers(model: Path, count: int) -> None:
    card = open_bundle(model).card
    targets = tuple({**card.targets[0], "name": f"cover {number}"} for number in range(count))
    if count == 255:
        assert replace(card, targets=targets).is_fractions
    else:
        with pytest.raises(HyperKDError, match="at most 255 covers"):
            replace(card, targets=targets)


def test_a_network_that_cannot_be_told_of_missing_bands_is_refused(
    model: Path, tmp_path: Path
) -> None:
    graph = onnx.load(str(model))
    for node in graph.graph.node:
        for place, name in enumerate(node.input):
            if name == PRESENT:
                node.input[place] = "other"
    for tensor in graph.graph.initializer:
        if tensor.name == PRESENT:
            tensor.name = "other"
    (tmp_path / "odd.onnx").write_bytes(sealed(graph))
    raster, output = scene(tmp_path / "scene.tif", np.arange(GOOD.size)), tmp_path / "out.tif"
    job = PredictJob(input=raster, model=str(tmp_path / "odd.onnx"), output=str(output))
    with pytest.raises(HyperKDError, match="nothing tells its network") as caught:
        predict(job, SilentReport())
    assert caught.value.code == "bad_model"
    assert not output.exists()
