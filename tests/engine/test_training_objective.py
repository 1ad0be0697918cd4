"""What a student is trained for: its parts, their weights, and what switches them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hyperkd.training.common.crops import CropSampler  # noqa: E402
from hyperkd.training.common.masked_batch import Masked, Tiles  # noqa: E402
from hyperkd.training.pretrain.gradient_balance import Balance, part_gradients, weighted_sum  # noqa: E402
from hyperkd.training.pretrain.mask_guide import token_scores  # noqa: E402
from hyperkd.training.pretrain.objective import Draws, Objective  # noqa: E402
from hyperkd.training.pretrain.token_masking import visible_count  # noqa: E402
from tests.engine.training_factories import (  # noqa: E402
    BANDS,
    COUNT,
    NANO,
    PLAIN,
    make_distillation,
    make_losses,
    make_masking,
    make_recipe,
    make_student,
    make_teacher,
    smooth_scene,
)

TILE = NANO.tile
ALL = make_recipe(losses=make_losses(angle=0.1, slope=0.1), distillation=make_distillation())


@pytest.fixture
def sampler():
    return CropSampler([smooth_scene(), smooth_scene(seed=1)], TILE)


def parts_of(recipe, sampler, progress=0.5, step=0, known=None, bfloat16=False):
    student = make_student()
    torch.manual_seed(3)
    objective = Objective(student, recipe, BANDS, TILE, make_teacher())
    draws = Draws.of_step(sampler, 0, step, 4, student)
    tiles = Tiles.read(sampler, draws.crops, "cpu")
    tiles = dataclasses.replace(tiles, known=known)
    return objective.parts(student, tiles, draws, progress, bfloat16)


# --- what an arm of the ablation switches ------------------------------------------------


def test_each_component_is_one_switch(sampler):
    names = {
        "plain": PLAIN,
        "distilled": dataclasses.replace(PLAIN, distillation=make_distillation()),
        "losses": dataclasses.replace(PLAIN, losses=make_losses()),
        "everything": ALL,
        "share 0": make_recipe(distillation=make_distillation(share=0.0)),
    }
    found = {name: list(parts_of(recipe, sampler)) for name, recipe in names.items()}
    assert found == {
        "plain": ["mse"],
        "distilled": ["mse", "features"],
        "losses": ["mse", "ssim", "kl"],
        "everything": ["mse", "ssim", "kl", "angle", "slope", "features"],
        "share 0": ["mse", "ssim", "kl"],
    }


def test_the_squared_error_is_the_same_whatever_else_is_on(sampler):
    """Arms are paired: same tiles, same random masks, same start."""
    unguided = make_masking(guided_share=0.0)
    plain = parts_of(PLAIN, sampler)["mse"]
    for recipe in (
        dataclasses.replace(ALL, masking=unguided),
        dataclasses.replace(PLAIN, masking=make_masking(score="random")),
        dataclasses.replace(PLAIN, losses=make_losses()),
    ):
        assert torch.equal(parts_of(recipe, sampler)["mse"], plain)
    # At the beginning of the ramp nothing is guided yet.
    assert torch.equal(parts_of(ALL, sampler, progress=0.0)["mse"], plain)
    assert not torch.equal(parts_of(ALL, sampler, progress=1.0)["mse"], plain)


def test_the_squared_error_in_units_of_its_patch(sampler):
    """Against numpy; the other parts stay what they are, in reflectance."""
    student = make_student()
    own = make_losses(norm_patches=True)
    draws = Draws.of_step(sampler, 0, 0, 4, student)
    tiles = Tiles.read(sampler, draws.crops, "cpu")
    found, plain = {}, {}
    for losses, parts in ((own, found), (make_losses(), plain)):
        objective = Objective(
            student,
            make_recipe(masking=make_masking(guided_share=0.0), losses=losses),
            BANDS,
            TILE,
            None,
        )
        masked, _ = objective.mask(tiles, draws, 0.0)
        hidden = student.normalise(masked.hidden()[0])
        parts.update(objective.reconstruction(student, tiles, draws, masked, 0.5 * hidden))
    truth = hidden.double().numpy()
    deviation = np.sqrt(truth.var((2, 3, 4), keepdims=True) + 1e-6)
    assert float(found["mse"]) == pytest.approx(((0.5 * truth / deviation) ** 2).mean(), rel=1e-5)
    assert float(plain["mse"]) == pytest.approx(((0.5 * truth) ** 2).mean(), rel=1e-5)
    assert torch.equal(found["ssim"], plain["ssim"]) and torch.equal(found["kl"], plain["kl"])


def test_a_recipe_that_distils_demands_a_teacher():
    with pytest.raises(ValueError, match="there is no teacher"):
        Objective(make_student(), ALL, BANDS, TILE, None)


# --- random numbers ----------------------------------------------------------------------


def test_draws_depend_on_seed_and_step_alone(sampler):
    student = make_student()
    first, again = (Draws.of_step(sampler, 4, 9, 6, student) for _ in range(2))
    for name in ("noise", "preference", "shuffle", "bands", "pixels"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert first.crops == again.crops
    other = Draws.of_step(sampler, 4, 10, 6, student)
    assert other.crops != first.crops and not torch.equal(other.noise, first.noise)
    assert sorted(first.bands.tolist()) == list(range(COUNT))
    assert sorted(first.pixels.tolist()) == list(range(16))


def test_a_chunk_is_a_part_of_the_batch(sampler):
    draws = Draws.of_step(sampler, 0, 0, 6, make_student())
    chunk = draws.chunk(2, 3, torch.device("cpu"))
    assert chunk.crops == draws.crops[2:5]
    assert torch.equal(chunk.noise, draws.noise[2:5])
    assert torch.equal(chunk.bands, draws.bands)


# --- the guided mask in the step ---------------------------------------------------------


def test_the_mask_follows_the_mean_of_the_teachers_bands(sampler):
    recipe = dataclasses.replace(PLAIN, masking=make_masking(guided_share=1.0, temperature=1e-3))
    student = make_student()
    objective = Objective(student, recipe, BANDS, TILE, None)
    draws = Draws.of_step(sampler, 0, 0, 8, student)
    tiles = Tiles.read(sampler, draws.crops, "cpu")
    masked, six = objective.mask(tiles, draws, 1.0)
    scores = token_scores(six.mean(1), tiles.valid, 4, "haar")
    seen = scores.gather(1, masked.order[:, : masked.visible])
    hidden = scores.gather(1, masked.order[:, masked.visible :])
    assert float(hidden.mean()) > 1.2 * float(seen.mean())
    assert masked.visible == visible_count(16, 0.75) == 4


# --- bands and pixels that do not count --------------------------------------------------


@pytest.mark.parametrize("part", ["mse", "ssim", "kl", "angle", "slope"])
def test_a_band_that_the_sensor_lacks_counts_in_no_part(part):
    """Its values are made up; changing them changes nothing of the reconstruction's loss."""
    found = []
    for value in (1000, 5000):
        scene = smooth_scene()
        scene.pixels[..., 6] = value
        sampler = CropSampler([scene], TILE)
        student = make_student()
        with torch.no_grad():
            student.stem.weight[:, 6] = 0  # the student must not see it either
        objective = Objective(
            student, dataclasses.replace(ALL, distillation=None), BANDS, TILE, None
        )
        draws = Draws.of_step(sampler, 0, 0, 4, student)
        known = torch.ones(4, COUNT)
        known[:, 6] = 0
        tiles = dataclasses.replace(Tiles.read(sampler, draws.crops, "cpu"), known=known)
        found.append(objective.parts(student, tiles, draws, 0.5)[part])
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-9)


def test_all_bands_known_is_the_same_as_not_saying_so(sampler):
    said, unsaid = (parts_of(ALL, sampler, known=known) for known in (torch.ones(4, COUNT), None))
    for name, value in unsaid.items():
        torch.testing.assert_close(said[name], value, rtol=1e-5, atol=1e-7)


def test_only_the_surroundings_of_hidden_pixels_count_in_the_similarity(sampler):
    """A perfect prediction has the similarity 1; visible patches are true whatever happens."""
    student = make_student()
    objective = Objective(
        student, dataclasses.replace(PLAIN, losses=make_losses()), BANDS, TILE, None
    )
    draws = Draws.of_step(sampler, 0, 0, 4, student)
    tiles = Tiles.read(sampler, draws.crops, "cpu")
    masked, _ = objective.mask(tiles, draws, 0.0)
    hidden, _ = masked.hidden()
    perfect = objective.reconstruction(student, tiles, draws, masked, student.normalise(hidden))
    for name, value in perfect.items():
        assert float(value.detach()) == pytest.approx(0, abs=1e-4), name
    flat = objective.reconstruction(student, tiles, draws, masked, torch.zeros_like(hidden))
    image = masked.paste(torch.cat((masked.patches[:, :4], student.mean.expand_as(hidden)), 1))
    assert torch.equal(image[:, :, 0, 0].shape and masked.paste(masked.patches), _whole(tiles))
    assert float(flat["ssim"].detach()) > 0.1


def _whole(tiles: Tiles) -> torch.Tensor:
    return tiles.pixels.float().mul(1e-4).permute(0, 3, 1, 2)


def test_pasting_undoes_cutting():
    pixels = torch.from_numpy(
        np.random.default_rng(0).integers(0, 9999, (2, 8, 12, 3), dtype=np.int16)
    )
    tiles = Tiles(pixels, torch.ones(2, 8, 12, dtype=torch.bool))
    order = torch.stack([torch.randperm(6), torch.randperm(6)])
    masked = Masked.cut(tiles, order, 2, 4)
    assert torch.equal(masked.paste(masked.patches), _whole(tiles))


# --- weights -----------------------------------------------------------------------------


def test_weights_make_the_gradients_as_long_as_asked(sampler):
    """After the calibration each weighted part's gradient is its share of the squared error's."""
    student = make_student()
    torch.manual_seed(3)
    objective = Objective(student, ALL, BANDS, TILE, make_teacher())
    draws = Draws.of_step(sampler, 0, 0, 4, student)
    parts = objective.parts(student, Tiles.read(sampler, draws.crops, "cpu"), draws, 0.0)
    parameters = list(student.parameters())
    gradients = part_gradients(parts, parameters)

    def length(found, reached):
        return sum(float(g.square().sum()) for g, r in zip(found, reached) if r is not None) ** 0.5

    sizes = {
        name: (length(found, found), length(gradients["mse"], found))
        for name, found in gradients.items()
        if name != "mse"
    }
    balance = Balance(ALL, 1000)
    assert set(balance.weights.values()) == {0.1}
    balance.calibrate(sizes)
    for name, share in {"ssim": 0.2, "kl": 0.2, "angle": 0.1, "features": 0.5}.items():
        own, main = sizes[name]
        assert balance.weights[name] * own == pytest.approx(share * main)
    # Features reach no parameter beyond three quarters of the encoder.
    assert sizes["features"][1] < sizes["kl"][1]
    total = weighted_sum(parts, balance.at(0.0))
    expected = parts["mse"] + sum(balance.weights[name] * parts[name] for name in sizes)
    torch.testing.assert_close(total, expected)


@pytest.mark.parametrize(("steps", "at"), [(2000, 100), (200, 20), (15, 1), (3, 1)])
def test_weights_are_found_once_and_early(steps, at):
    balance = Balance(ALL, steps)
    assert [step for step in range(steps) if balance.due(step)][0] == at
    balance.calibrate({name: (0.0, 1.0) for name in balance.weights})
    assert set(balance.weights.values()) == {0.1}  # without a gradient nothing changes
    assert not any(balance.due(step) for step in range(steps))
    assert not Balance(PLAIN, steps).due(steps)


def test_only_the_weight_of_the_features_falls_late():
    balance = Balance(ALL, 100)
    early, late = balance.at(0.0), balance.at(1.0)
    assert late["features"] == pytest.approx(0.1 * early["features"])
    assert late["kl"] == early["kl"]


def test_bfloat16_leaves_the_losses_in_float32(sampler):
    half, whole = (parts_of(ALL, sampler, bfloat16=flag) for flag in (True, False))
    for name, value in half.items():
        assert value.dtype == torch.float32
        assert float(value.detach()) == pytest.approx(float(whole[name].detach()), rel=0.1)
