"""The model of traits: what is true of mixtures, its network, graph, errors and maps."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
pytest.importorskip("prosail")
gdal = pytest.importorskip("osgeo.gdal")
pytest.importorskip("onnx")

import hyperkd  # noqa: E402
from hyperkd.errors import HyperKDError  # noqa: E402
from hyperkd.inference.backends.onnxruntime_backend import open_session  # noqa: E402
from hyperkd.inference.model_test import try_model  # noqa: E402
from hyperkd.inference.predict import predict  # noqa: E402
from hyperkd.models.bundle import open_bundle  # noqa: E402
from hyperkd.models.nets.spectral_net import SpectralNet  # noqa: E402
from hyperkd.models.trait_onnx import DOES_NOT_APPLY, TraitScale  # noqa: E402
from hyperkd.requests.models_options import ModelsTestJob  # noqa: E402
from hyperkd.requests.predict_options import PredictJob  # noqa: E402
from hyperkd.spectral.missing_bands import bridged  # noqa: E402
from hyperkd.spectral.sensors import sensor_bands  # noqa: E402
from hyperkd.synth import covers  # noqa: E402
from hyperkd.synth.endmembers import (  # noqa: E402
    COVER_NAMES,
    HERB,
    SOIL,
    TRAIT_NAMES,
    TRAIT_UNITS,
    TREES,
    WATER,
)
from hyperkd.synth.free_canopies import draw_free_canopies  # noqa: E402
from hyperkd.synth.scene_draw import draw_scene  # noqa: E402
from hyperkd.synth.sensor import fine_responses  # noqa: E402
from hyperkd.training.physics import fit_density as fit_density_module  # noqa: E402
from hyperkd.training.physics.fit_traits import (  # noqa: E402
    LEAST_SHARE,
    LOGARITHMIC,
    SELDOM,
    TRAITS,
    VARIED,
    FittedTraits,
    PredictedTraits,
    applicable,
    fit_traits,
    losses,
    predicted,
)
from hyperkd.training.physics.simulated_spectra import (  # noqa: E402
    CANOPY,
    PART_NAMES,
    PART_OF_TRAIT,
    VISIBLE_SOIL,
    WATER_BODY,
    Spectra,
    free_canopy_spectra,
    joined,
    pure_spectra,
    scene_spectra,
)
from hyperkd.training.physics.spectral_batches import SpectralBatches, Variation  # noqa: E402
from hyperkd.training.physics.traits_file import TITLES, write_traits  # noqa: E402
from tests.engine.spectral_scenes import (  # noqa: E402
    CENTRE_NM,
    GOOD,
    SIDE,
    read,
    scene,
    some_density,
    stored_values,
)
from tests.label_factories import make_vector, square  # noqa: E402
from tests.reports import SilentReport  # noqa: E402

LAI, MOISTURE = TRAIT_NAMES.index("lai"), TRAIT_NAMES.index("soil_moisture")
DRY_MATTER = TRAIT_NAMES.index("dry_matter")
SEED = 3
# What the file tells of what the network learns.
TOLD = [TRAIT_NAMES.index(name) for name in TITLES]
TELLS, UNITS = len(TOLD), [TRAIT_UNITS[name] for name in TITLES]
NOTHING = dict.fromkeys(Variation.__dataclass_fields__, 0.0)


@pytest.fixture(scope="module")
def spectra() -> tuple[Spectra, Spectra]:
    report = SilentReport()
    pure = joined(pure_spectra([1, 2], report), free_canopy_spectra([1], report))
    return scene_spectra([SEED], report), pure


@pytest.fixture(autouse=True)
def few_spectra_for_densities(monkeypatch: pytest.MonkeyPatch) -> None:
    """A density of as many as a training takes is ten seconds of each test."""
    monkeypatch.setattr(fit_density_module, "_TRAINED", 4096)
    monkeypatch.setattr(fit_density_module, "_HELD_OUT", 2048)


def batches(spectra: tuple[Spectra, Spectra], seed: int = 0, **how: Any) -> SpectralBatches:
    return SpectralBatches(*spectra, replace(VARIED, **how), seed, range(3), SELDOM)


# --- what is true ------------------------------------------------------------------------


def test_a_trait_is_known_exactly_where_its_part_has_a_share(
    spectra: tuple[Spectra, Spectra],
) -> None:
    for each in spectra:
        assert each.shares.shape == (len(each.reflectance), len(PART_NAMES))
        assert 0 <= each.shares.min() and each.shares.max() <= 1 + 1e-5
        assert np.array_equal(np.isfinite(each.traits), each.shares[:, PART_OF_TRAIT] > 0)


def test_soil_is_seen_through_a_canopy_by_its_leaf_area(spectra: tuple[Spectra, Spectra]) -> None:
    _, pure = spectra
    plants = (pure.shares[:, CANOPY] == 1) & (pure.shares[:, VISIBLE_SOIL] > 0)
    assert plants.any()
    seen = np.exp(-0.5 * pure.traits[plants, LAI])
    np.testing.assert_allclose(pure.shares[plants, VISIBLE_SOIL], seen, rtol=1e-5)
    bare = (pure.fractions[:, SOIL] == 1) & np.isfinite(pure.traits[:, MOISTURE])
    assert (pure.shares[bare] == [0, 1, 0]).all()
    assert (pure.shares[pure.fractions[:, WATER] == 1] == [0, 0, 1]).all()


def test_a_pixel_of_one_canopy_has_its_dry_matter(spectra: tuple[Spectra, Spectra]) -> None:
    scenes, _ = spectra
    draw = draw_scene(SEED)
    needles = scenes.traits[scenes.fractions[:, TREES] > 0.999, DRY_MATTER]
    forests = [draw.canopies[each].dry_matter for each in (covers.BROADLEAF, covers.NEEDLELEAF)]
    assert min(forests) - 1e-6 <= needles.min() and needles.max() <= max(forests) + 1e-6
    assert {f"{value:.5f}" for value in forests} & {f"{value:.5f}" for value in needles}


def test_traits_of_free_canopies_are_independent() -> None:
    drawn = draw_free_canopies(range(6), fine_responses(sensor_bands("enmap")))
    assert set(drawn.cover.tolist()) == {HERB, TREES}
    leaves = drawn.traits[::3, 1:4]
    assert np.abs(np.corrcoef(np.log(leaves.T)) - np.eye(3)).max() < 0.2
    again = draw_free_canopies([5], fine_responses(sensor_bands("enmap")))
    assert np.array_equal(again.spectra, drawn.spectra[-len(again.spectra) :])


def plain(monkeypatch: pytest.MonkeyPatch, drawn: SpectralBatches) -> SpectralBatches:
    """Return what draws spectra as no sensor changes them."""
    for name, value in (("_gain", 1), ("_stray", 0), ("_haze", 0), ("_deviation", 0)):
        monkeypatch.setattr(drawn, name, torch.full_like(getattr(drawn, name), value))
    return drawn


def test_a_mixture_has_the_mean_over_the_parts_that_have_a_trait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bands that hold shares, and traits times shares, are mixed as reflectance is."""
    generator, count = np.random.default_rng(0), 60
    shares = generator.uniform(0, 1, (count, len(PART_NAMES))).astype(np.float32)
    shares[generator.random(shares.shape) < 0.3] = 0
    of_trait = shares[:, PART_OF_TRAIT]
    traits = np.where(of_trait > 0, generator.uniform(1, 5, of_trait.shape), np.nan)
    traits = traits.astype(np.float32)
    reflectance = np.zeros((count, GOOD.size), np.float32)
    reflectance[:, : len(PART_NAMES)] = shares
    reflectance[:, 10 : 10 + TRAITS] = np.nan_to_num(traits) * of_trait
    fractions = np.eye(len(COVER_NAMES), dtype=np.float32)[np.arange(count) % len(COVER_NAMES)]
    made = Spectra(reflectance, fractions, shares, traits)
    how = {**NOTHING, "scenes": 0.5, "endmember": 0.7, "pair": 0.7, "meadow": 0.3}
    drawn = plain(monkeypatch, batches((made, made), **how))
    mixed, _, parts, found = drawn.draw_traits(500)
    np.testing.assert_allclose(parts, mixed[:, : len(PART_NAMES)], atol=1e-6)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = mixed[:, 10 : 10 + TRAITS].numpy() / parts[:, PART_OF_TRAIT].numpy()
    clear = parts[:, PART_OF_TRAIT].numpy() > 0.01
    np.testing.assert_allclose(found.numpy()[clear], expected[clear], rtol=1e-4)
    assert np.isnan(found.numpy()[parts[:, PART_OF_TRAIT].numpy() == 0]).all()


def test_traits_come_with_the_spectra_that_fractions_come_with(
    spectra: tuple[Spectra, Spectra],
) -> None:
    reflectance, present, _ = batches(spectra, 4).draw(100)
    same, told, shares, traits = batches(spectra, 4).draw_traits(100)
    assert torch.equal(reflectance, same) and torch.equal(present, told)
    assert shares.shape == (100, len(PART_NAMES)) and traits.shape == (100, TRAITS)
    assert traits.dtype == torch.float32


# --- training ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted() -> FittedTraits:
    """Return a network of random weights for which each trait applies to some spectra."""
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    mean, std = generator.uniform(0.1, 0.3, GOOD.size), generator.uniform(0.05, 0.1, GOOD.size)
    made = SpectralNet(mean.tolist(), std.tolist(), TRAITS + len(PART_NAMES), (16, 12, 8)).eval()
    low = np.array([0.5, 10, 0.005, 0.002, 0.02, 1, 1])
    scale = TraitScale(
        centre=np.where(LOGARITHMIC, np.log(low * 4), low * 4),
        spread=generator.uniform(0.5, 1.5, TRAITS),
        logarithmic=LOGARITHMIC,
        low=low.astype(np.float32).astype(float),
        high=(low * 12).astype(np.float32).astype(float),
        error_scale=generator.uniform(0.5, 2, TRAITS),
        part=PART_OF_TRAIT,
        least_share=LEAST_SHARE,
    )
    values = torch.from_numpy(stored_values().reshape(GOOD.size, -1).T * np.float32(1e-4))
    with torch.no_grad():
        made.answer.weight[:] *= 8
        logits = made(values.clamp(min=0), torch.ones(1, GOOD.size))[0][:, TRAITS:]
        made.answer.bias[TRAITS:] += scale.least_logit - logits.median(dim=0).values
    return FittedTraits(made, scale, some_density(generator))


def told_of(found: PredictedTraits) -> PredictedTraits:
    """Return those traits that the model's file tells."""
    return PredictedTraits(found.values[:, TOLD], found.errors[:, TOLD], found.applies[:, TOLD])


@pytest.fixture(scope="module")
def model(fitted: FittedTraits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traits") / "traits.onnx"
    write_traits(path, fitted, {}, {}, ((0.0, 0.1), (0.5, 0.2)))
    return path


def test_training_gives_the_same_network_for_the_same_seed_and_learns(
    spectra: tuple[Spectra, Spectra],
) -> None:
    def train(steps: int) -> FittedTraits:
        return fit_traits(batches(spectra), batches(spectra, 1), steps, 0, SilentReport())

    first, second = train(15), train(15)
    for one, other in zip(first.weights().values(), second.weights().values()):
        assert np.array_equal(one, other)
    assert np.array_equal(first.scale.error_scale, second.scale.error_scale)
    assert (first.scale.low < first.scale.high).all()
    drawn = batches(spectra, 2).draw_traits(2000)
    after, before = (losses(each.network, each.scale, *drawn) for each in (first, train(1)))
    assert after["traits"] < 0.95 * before["traits"]
    assert after["shares"] < 0.95 * before["shares"]


def test_errors_hold_as_many_true_values_as_they_say(spectra: tuple[Spectra, Spectra]) -> None:
    held_out = batches(spectra, 1)
    made = fit_traits(batches(spectra), held_out, 15, 0, SilentReport())
    reflectance, present, shares, traits = held_out.draw_traits(12000)
    found = predicted(made, reflectance, present)
    told = applicable(shares).numpy() & found.applies
    close = np.abs(traits.numpy() - found.values) <= found.errors
    within = [c[t].mean() for c, t in zip(close.T, told.T) if t.sum() > 500]
    assert len(within) >= 4
    np.testing.assert_allclose(within, 0.6827, atol=0.06)


def test_what_does_not_apply_is_not_learned(fitted: FittedTraits) -> None:
    generator = torch.Generator().manual_seed(0)
    reflectance = torch.rand(6, GOOD.size, generator=generator)
    shares = torch.tensor([[1.0, 0, 0], [0.29, 0.31, 0], [0.3, 0, 0.7]] * 2)
    traits = torch.rand(6, TRAITS, generator=generator) + 1
    present = torch.ones(1, GOOD.size)
    known = applicable(shares)
    assert known[:3, [LAI, MOISTURE, -1]].tolist() == [
        [True, False, False],
        [False, True, False],
        [True, False, True],
    ]
    whole = losses(fitted.network, fitted.scale, reflectance, present, shares, traits)
    unknown = torch.where(known, traits, torch.nan)
    some = losses(fitted.network, fitted.scale, reflectance, present, shares, unknown)
    assert {name: value.item() for name, value in whole.items()} == {
        name: value.item() for name, value in some.items()
    }
    gradients = torch.autograd.grad(
        some["errors"], list(fitted.network.parameters()), allow_unused=True
    )
    names = [name for name, _ in fitted.network.named_parameters()]
    assert {name for name, value in zip(names, gradients) if value is not None} == {
        "error.weight",
        "error.bias",
    }


# --- the file ----------------------------------------------------------------------------


@pytest.mark.parametrize("lacking", [slice(0, 0), slice(100, 160)])
def test_the_graph_gives_what_the_network_gives(
    fitted: FittedTraits, model: Path, lacking: slice
) -> None:
    generator = np.random.default_rng(1)
    spectra = generator.uniform(0, 0.5, (GOOD.size, 12, 15)).astype(np.float32)
    present = np.ones(GOOD.size, bool)
    present[lacking] = False
    session = open_session(open_bundle(model).network("values", None, present))
    got = session.run(spectra[None], np.ones((1, 1, 12, 15), np.float32))[0]
    flat = spectra.reshape(GOOD.size, -1).T.copy()
    values, errors, known = np.split(got.reshape(2 * TELLS + 1, -1).T, [TELLS, 2 * TELLS], axis=1)
    found = told_of(
        predicted(
            fitted, torch.from_numpy(flat), torch.from_numpy(present[None].astype(np.float32))
        )
    )
    applicability = fitted.density.applicability(flat.astype(np.float64))
    np.testing.assert_allclose(known[:, 0], applicability, atol=2e-5)
    np.testing.assert_allclose(values, found.values, rtol=2e-4)
    assert np.array_equal(errors >= 0, found.applies)
    assert (errors[~found.applies] == DOES_NOT_APPLY).all()
    np.testing.assert_allclose(errors[found.applies], found.errors[found.applies], rtol=2e-4)
    low, high = fitted.scale.low[TOLD], fitted.scale.high[TOLD]
    assert (values >= low).all() and (values <= high).all()
    # At both ends too, or the bounds were not tested.
    assert (values == low).any() and (values == high).any()


def test_an_error_is_that_of_the_logarithm_times_the_trait(fitted: FittedTraits) -> None:
    reflectance = torch.full((1, GOOD.size), 0.2)
    found = predicted(fitted, reflectance, torch.ones(1, GOOD.size))
    with torch.no_grad():
        _, error = fitted.network(reflectance, torch.ones(1, GOOD.size))
    scale = fitted.scale
    relative = error[0, :TRAITS].double().numpy() * scale.spread * scale.error_scale
    expected = relative * np.where(LOGARITHMIC, found.values[0], 1)
    np.testing.assert_allclose(found.errors[0], np.minimum(expected, scale.largest_error))
    assert not LOGARITHMIC[MOISTURE] and LOGARITHMIC.sum() == TRAITS - 1


def test_even_an_absurd_spectrum_gives_numbers(model: Path) -> None:
    session = open_session(open_bundle(model).network("values", None, np.ones(GOOD.size, bool)))
    spectra = np.full((1, GOOD.size, 1, 3), [-300.0, 0.0, 3000.0], np.float32)
    assert np.isfinite(session.run(spectra, np.ones((1, 1, 1, 3), np.float32))).all()


def test_the_card_tells_what_the_model_is(fitted: FittedTraits, model: Path) -> None:
    card = open_bundle(model).card
    assert (card.name, card.task, card.has_spread, card.missing_bands, card.is_fractions) == (
        "traits", "regression", True, 0.5, False,
    )  # fmt: skip
    assert card.has_applicability and card.has_embedding
    assert [target["name"] for target in card.targets] == list(TITLES.values())
    assert [target["unit"] for target in card.targets] == UNITS
    assert [target["part"] for target in card.targets] == [
        PART_NAMES[PART_OF_TRAIT[place]] for place in TOLD
    ]
    assert PART_OF_TRAIT[-1] == WATER_BODY
    assert {target["least_part"] for target in card.targets} == {0.3}
    assert [target["maximum"] for target in card.targets] == fitted.scale.high[TOLD].tolist()
    assert try_model(ModelsTestJob(name=str(model)), SilentReport())["fine"]


# --- maps --------------------------------------------------------------------------------


def expected_map(fitted: FittedTraits) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return ``(T, 256)`` values and errors of the scene, NaN where none applies."""
    values = stored_values().reshape(GOOD.size, -1).T.astype(np.float32) * np.float32(1e-4)
    found = told_of(predicted(fitted, torch.from_numpy(values), torch.ones(1, GOOD.size)))
    return tuple(np.where(found.applies, each, np.nan).T for each in (found.values, found.errors))  # type: ignore[return-value]


def test_maps_hold_units_and_no_value_where_a_trait_does_not_apply(
    fitted: FittedTraits, model: Path, tmp_path: Path
) -> None:
    files = {name: str(tmp_path / f"{name}.tif") for name in ("output", "uncertainty")}
    raster = scene(tmp_path / "scene.tif", np.arange(GOOD.size))
    summary = predict(PredictJob(input=raster, model=str(model), **files), SilentReport())
    maps = [read(tmp_path / f"{name}.tif").reshape(TELLS, -1) for name in files]
    valid = np.arange(SIDE * SIDE) != 3 * SIDE + 4
    for got, wanted in zip(maps, expected_map(fitted)):
        assert np.isnan(got[:, ~valid]).all()
        missing = np.isnan(wanted[:, valid])
        assert 0 < missing.mean() < 1 and not missing.all(axis=1).any()
        np.testing.assert_allclose(got[:, valid], wanted[:, valid], rtol=1e-3)
    assert set(summary["beyond_training_range"].values()) == {0.0}
    dataset = gdal.Open(files["output"])
    told = [dataset.GetRasterBand(n + 1) for n in range(TELLS)]
    assert [band.GetDescription() for band in told] == list(TITLES.values())
    assert [band.GetUnitType() for band in told] == UNITS
    assert all(math.isnan(band.GetNoDataValue()) for band in told)


def test_a_scene_to_which_nothing_applies_is_a_map_without_values(
    fitted: FittedTraits, tmp_path: Path
) -> None:
    network = copy.deepcopy(fitted.network)
    with torch.no_grad():
        network.answer.bias[TRAITS:] = -1000
    model, output = tmp_path / "none.onnx", tmp_path / "out.tif"
    write_traits(model, replace(fitted, network=network), {}, {}, ((0.0, 0.1),))
    raster = scene(tmp_path / "scene.tif", np.arange(GOOD.size))
    summary = predict(
        PredictJob(input=raster, model=str(model), output=str(output)), SilentReport()
    )
    assert np.isnan(read(output)).all()
    assert set(summary["beyond_training_range"].values()) == {0.0}


def test_values_at_pixels_are_those_of_the_map(model: Path, tmp_path: Path) -> None:
    raster, output = scene(tmp_path / "scene.tif", np.arange(GOOD.size)), tmp_path / "out.tif"
    predict(PredictJob(input=raster, model=str(model), output=str(output)), SilentReport())
    rows, cols = np.divmod(np.arange(0, 256, 5), 16)
    with hyperkd.open(raster) as opened:
        found = hyperkd.load_model(model).at(opened, rows, cols)
    np.testing.assert_array_equal(found, read(output)[:, rows, cols].T)
    assert np.isnan(found).any() and np.isfinite(found).any()


def test_traits_have_no_largest_one(model: Path, tmp_path: Path) -> None:
    raster = scene(tmp_path / "scene.tif", np.arange(GOOD.size))
    files = {name: str(tmp_path / f"{name}.tif") for name in ("output", "dominant")}
    with pytest.raises(HyperKDError, match="has no dominant") as caught:
        predict(PredictJob(input=raster, model=str(model), **files), SilentReport())
    assert caught.value.code == "bad_job"


def labels(path: Path, places: NDArray[np.intp], truth: NDArray[Any]) -> str:
    """Write a label of one pixel at each place, with one value of each trait."""
    fields = dict.fromkeys(TITLES.values(), "number")
    features = [
        (square(place % SIDE, place // SIDE, 1, 1), dict(zip(fields, map(float, truth[:, place]))))
        for place in places
    ]
    return str(make_vector(path, features, fields))


def test_labels_of_what_is_not_told_do_not_count(
    fitted: FittedTraits, model: Path, tmp_path: Path
) -> None:
    raster = scene(tmp_path / "scene.tif", np.arange(GOOD.size))
    wanted, _ = expected_map(fitted)
    truth = np.nan_to_num(wanted, nan=1.0) * 1.1
    places = np.arange(0, 48)
    made = labels(tmp_path / "labels.gpkg", places, truth)
    done = hyperkd.evaluate(
        model, raster, made, field=list(TITLES.values()), report_folder=tmp_path / "report"
    )
    lost = np.isnan(wanted[LAI, places]).sum()
    said = f"traits tells no leaf area index at {lost} labels of it; these do not count."
    assert said in done.notes
    assert done.pixels == np.isfinite(wanted[LAI, places]).sum()


def test_labels_where_nothing_is_told_are_refused(
    fitted: FittedTraits, model: Path, tmp_path: Path
) -> None:
    raster = scene(tmp_path / "scene.tif", np.arange(GOOD.size))
    wanted, _ = expected_map(fitted)
    places = np.flatnonzero(np.isnan(wanted[LAI]))[:20]
    places = places[places != 3 * SIDE + 4]
    truth = np.broadcast_to(np.arange(1.0, wanted.shape[1] + 1), wanted.shape)
    made = labels(tmp_path / "labels.gpkg", places, truth)
    with pytest.raises(HyperKDError, match="tells no leaf area index at any") as caught:
        hyperkd.evaluate(
            model, raster, made, field=list(TITLES.values()), report_folder=tmp_path / "report"
        )
    assert caught.value.code == "no_labels"


def test_only_part_of_the_bands_is_enough(
    fitted: FittedTraits, model: Path, tmp_path: Path
) -> None:
    present = ~((CENTRE_NM > 1300) & (CENTRE_NM < 1500) | (CENTRE_NM > 2400))
    raster, output = scene(tmp_path / "scene.tif", np.flatnonzero(present)), tmp_path / "out.tif"
    predict(PredictJob(input=raster, model=str(model), output=str(output)), SilentReport())
    values = stored_values().reshape(GOOD.size, -1).T.astype(np.float32) * np.float32(1e-4)
    filled = bridged(values, np.broadcast_to(present, values.shape), CENTRE_NM)
    told = torch.from_numpy(present[None].astype(np.float32))
    found = told_of(predicted(fitted, torch.from_numpy(filled), told))
    got = read(output).reshape(TELLS, -1).T
    valid = np.arange(SIDE * SIDE) != 3 * SIDE + 4
    expected = np.where(found.applies, found.values, np.nan)
    np.testing.assert_allclose(got[valid], expected[valid], rtol=1e-3)
