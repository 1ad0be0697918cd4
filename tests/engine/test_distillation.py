"""Distillation: what the teacher is shown, which tokens meet, and what is left of it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hyperkd.errors import HyperKDError  # noqa: E402
from hyperkd.models.nets.student import Student  # noqa: E402
from hyperkd.requests.distill_options import DistillJob  # noqa: E402
from hyperkd.spectral.sensors import canonical_bands  # noqa: E402
from hyperkd.training.common.crops import CropSampler  # noqa: E402
from hyperkd.training.common.masked_batch import Masked, Tiles  # noqa: E402
from hyperkd.training.common.pooling import chosen_shares, pool, pooling_matrix  # noqa: E402
from hyperkd.training.pretrain.objective import Draws, Objective  # noqa: E402
from hyperkd.training.pretrain.token_distillation import (  # noqa: E402
    Aligner,
    Distiller,
    feature_distance,
    relation_distance,
)
from hyperkd.training.pretrain.token_masking import visible_count  # noqa: E402
from hyperkd.training.teacher.prithvi_features import recorded  # noqa: E402
from tests.engine.training_factories import (  # noqa: E402
    BANDS,
    COUNT,
    NANO,
    make_distillation,
    make_recipe,
    make_student,
    make_teacher,
    smooth_scene,
)

TILE = 16


def tiles(batch=3, seed=0, bands=COUNT) -> Tiles:
    generator = np.random.default_rng(seed)
    pixels = generator.integers(100, 6000, (batch, TILE, TILE, bands), dtype=np.int16)
    return Tiles(torch.from_numpy(pixels), torch.ones(batch, TILE, TILE, dtype=torch.bool))


def masked(batch: Tiles, patch=4, seed=0) -> Masked:
    tokens = (TILE // patch) ** 2
    order = torch.from_numpy(np.random.default_rng(seed).random((len(batch), tokens)))
    return Masked.cut(batch, order.argsort(dim=1), visible_count(tokens, 0.75), patch)


def distill(student: Student, teacher, batch: Tiles, shuffle_seed=0, **changes):
    """Return the loss, the distiller and what the student's layers gave."""
    torch.manual_seed(7)
    distiller = Distiller(student, teacher, make_distillation(**changes), TILE)
    hidden = masked(batch, student.config.patch)
    with recorded(distiller.layers) as seen:
        hidden.predict(student)
    six = Aligner(BANDS, "range_mean")(batch)
    noise = torch.from_numpy(np.random.default_rng(shuffle_seed).random((len(batch), 16)))
    return distiller(seen, batch, hidden, six, noise), distiller, list(seen)


# --- alignment ---------------------------------------------------------------------------


def test_the_teacher_is_shown_the_mean_of_the_bands_in_each_range():
    batch = tiles(bands=218)
    six = Aligner(canonical_bands(), "range_mean")(batch)
    centre = canonical_bands().centre_nm
    ranges = [(450, 510), (530, 590), (640, 670), (850, 880), (1570, 1650), (2110, 2290)]
    counts = []
    for band, (first, last) in enumerate(ranges):
        inside = (centre >= first) & (centre <= last)
        counts.append(int(inside.sum()))
        expected = batch.pixels[..., inside].float().mean(-1) * 1e-4
        torch.testing.assert_close(six[:, band], expected)
    assert counts == [12, 12, 5, 4, 7, 21]  # shortwave infrared 1 is not empty


def test_the_alignment_is_a_part_of_the_step():
    """Changing one pixel in the bands of a range changes the teacher's view, others do not."""
    batch = tiles()
    aligner = Aligner(BANDS, "range_mean")
    before = aligner(batch)
    batch.pixels[0, 3, 3, 5] += 1000  # 1600 nm
    after = aligner(batch)
    assert float((after - before)[0, 4, 3, 3]) == pytest.approx(0.1, rel=1e-4)
    batch.pixels[0, 3, 3, 4] += 1000  # 1000 nm lies in no range
    torch.testing.assert_close(aligner(batch), after, rtol=0, atol=0)


def test_other_ways_to_align_differ():
    batch = tiles(bands=218)
    six = [Aligner(canonical_bands(), mode)(batch) for mode in ("range_mean", "nearest")]
    assert not torch.allclose(six[0], six[1], atol=1e-3)


# --- which tokens meet -------------------------------------------------------------------


def test_teacher_and_student_see_the_same_tokens():
    student, teacher, batch = make_student(), make_teacher(patch=4), tiles()
    asked = []
    look = teacher.look
    teacher.look = lambda *given, **named: asked.append(given) or look(*given, **named)
    loss, distiller, seen = distill(student, teacher, batch)
    assert distiller.sees_visible
    assert torch.equal(asked[0][3], masked(batch).order[:, :4])
    # By hand: norm, projector, norm of the target, one minus the cosine, mean over tokens.
    target = look(asked[0][0], batch.valid, (3,), asked[0][3])[0]
    own = torch.nn.functional.layer_norm(seen[0], (16,))
    own = own @ distiller.projectors[0].weight.T + distiller.projectors[0].bias
    target = (target - target.mean(2, keepdim=True)) / target.std(2, keepdim=True, correction=0)
    cosine = (own * target).sum(2) / own.norm(dim=2) / target.norm(dim=2)
    torch.testing.assert_close(loss, (1 - cosine).mean(), rtol=1e-4, atol=1e-5)


def test_what_the_student_does_not_see_cannot_reach_the_loss():
    student, teacher, batch = make_student(), make_teacher(patch=4), tiles()
    expected = distill(student, teacher, batch)[0]
    hidden = masked(batch).order[0, -1]
    row, col = 4 * int(hidden // 4), 4 * int(hidden % 4)
    batch.pixels[0, row : row + 4, col : col + 4] = 3000
    assert torch.equal(distill(student, teacher, batch)[0], expected)
    # With the full view the teacher tells of it.
    full = distill(student, teacher, batch, view="full")[0]
    batch.pixels[0, row : row + 4, col : col + 4] = 500
    assert not torch.equal(distill(student, teacher, batch, view="full")[0], full)


def test_three_quarters_of_the_depth_of_both():
    student, teacher = make_student(), make_teacher()
    distiller = Distiller(student, teacher, make_distillation(), TILE)
    assert distiller.layers == (student.blocks[2],) and distiller.blocks == (3,)
    deep = Distiller(
        student, make_teacher(depth=12), make_distillation(layers=(0.5, 0.75, 1.0)), TILE
    )
    assert deep.blocks == (6, 9, 12)
    assert deep.layers == (student.blocks[1], student.blocks[2], student.blocks[3])
    assert len(deep.projectors) == 3


def test_smaller_patches_of_the_teacher_are_averaged_into_the_students():
    student, batch = make_student(dataclasses.replace(NANO, patch=8)), tiles()
    teacher = make_teacher(patch=4)
    distiller = Distiller(student, teacher, make_distillation(), TILE)
    order = masked(batch, 8).order[:, :1]
    six = Aligner(BANDS, "range_mean")(batch)
    found = distiller._targets(batch, order, six)[0]
    # Token 3 of the 2 x 2 grid holds tokens 10, 11, 14 and 15 of the 4 x 4 grid.
    assert distiller.parts[3].tolist() == [10, 11, 14, 15]
    keep = distiller.parts[order[:, 0]]
    expected = teacher.look(six, batch.valid, (3,), keep)[0].mean(1, keepdim=True)
    torch.testing.assert_close(found, expected)


def test_larger_patches_of_the_teacher_meet_the_mean_of_the_students_visible_tokens():
    student, teacher, batch = make_student(), make_teacher(patch=8), tiles()
    loss, distiller, seen = distill(student, teacher, batch)
    assert not distiller.sees_visible  # a patch of the teacher holds visible and hidden ones
    hidden = masked(batch)
    target = teacher.look(Aligner(BANDS, "range_mean")(batch), batch.valid, (3,))[0]  # (3, 4, 32)
    total, weights = 0.0, 0.0
    for tile in range(3):
        for cell in range(4):
            inside = [
                place
                for place, token in enumerate(hidden.order[tile, :4].tolist())
                if (token // 4 // 2, token % 4 // 2) == (cell // 2, cell % 2)
            ]
            if not inside:
                continue
            own = torch.nn.functional.layer_norm(seen[0][tile, inside].mean(0), (16,))
            own = distiller.projectors[0](own)
            other = torch.nn.functional.layer_norm(target[tile, cell], (32,))
            weight = len(inside) / 4  # of the cell's four tokens
            total += weight * (1 - torch.cosine_similarity(own, other, dim=0))
            weights += weight
    torch.testing.assert_close(loss, total / weights, rtol=1e-4, atol=1e-6)


def test_tokens_without_data_do_not_count():
    student, teacher, batch = make_student(), make_teacher(), tiles(batch=1)
    shown = masked(batch).order[0, :4].tolist()
    expected = []
    for keep in range(4):
        one = tiles(batch=1)
        for place, token in enumerate(shown):
            if place != keep:
                row, col = 4 * (token // 4), 4 * (token % 4)
                one.valid[0, row : row + 4, col : col + 4] = False
        expected.append(distill(student, teacher, one)[0])
    assert all(bool(each.isfinite()) and float(each.detach()) > 0 for each in expected)
    nothing = tiles(batch=1)
    nothing.valid[:] = False
    for distance in ("cosine", "smooth_l1", "relation"):
        loss = distill(student, teacher, nothing, distance=distance)[0]
        assert float(loss.detach()) == 0


# --- pooling -----------------------------------------------------------------------------


def test_pooling_shares_areas():
    same = pooling_matrix(16, 4, 4)
    assert torch.equal(same, torch.eye(16))
    halves = pooling_matrix(8, 4, 8)
    assert torch.equal(halves, torch.full((1, 4), 0.25))
    # Patches of 14 and 8 px on 56 px: the second cell takes 2 px of token 1, 8 of 2, 4 of 3.
    uneven = pooling_matrix(56, 8, 14)
    assert uneven.shape == (16, 49)
    torch.testing.assert_close(uneven.sum(1), torch.ones(16))
    line = uneven[4:8, 7 * 1 : 7 * 4].sum(0).view(3, 7).sum(1)
    torch.testing.assert_close(line / line.sum(), torch.tensor([2.0, 8.0, 4.0]) / 14)


def test_pooled_tokens_are_weighted_means():
    tokens = torch.tensor([[[1.0], [2.0], [30.0], [4.0]]])
    order = torch.tensor([[0, 1, 4, 5]])
    shares = chosen_shares(pooling_matrix(16, 4, 8), order)
    weight = torch.tensor([[1.0, 1.0, 0.0, 1.0]])
    means, counted = pool(tokens, weight, shares)
    assert means[0, 0, 0] == pytest.approx(7 / 3)
    assert counted[0].tolist() == [0.75, 0, 0, 0]
    assert means[0, 1:].abs().max() == 0


# --- distances ---------------------------------------------------------------------------


def test_distances_by_hand():
    own = torch.tensor([[[1.0, 0.0], [1.0, 1.0]]])
    other = torch.tensor([[[0.0, 3.0], [2.0, 2.0]]])
    weight = torch.ones(1, 2)
    assert float(feature_distance(own, other, weight, "cosine")) == pytest.approx(0.5)
    # Smooth L1: 0.5 x squared below 1, else the distance less 0.5.
    expected = ((0.5 + 2.5) / 2 + (0.5 + 0.5) / 2) / 2
    assert float(feature_distance(own, other, weight, "smooth_l1")) == pytest.approx(expected)
    first = torch.tensor([[1.0, 0.0]])
    assert float(feature_distance(own, other, first, "cosine")) == pytest.approx(1)
    # Unit vectors: (1, 0) and (0, 1) differ by 1 in both places, the others not at all.
    assert float(feature_distance(own, other, weight, "l1")) == pytest.approx(0.5)
    # Softmax of (0, 3) against that of (1, 0); that of equal features is equal.
    theirs, mine = torch.softmax(other[0, 0], 0), torch.softmax(own[0, 0], 0)
    expected = float((theirs * (theirs / mine).log()).sum()) / 2
    found = feature_distance(own, other, weight, "divergence")
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_without_a_projector_features_are_compared_as_they_are():
    student, teacher = make_student(), make_teacher(dim=NANO.dim)
    recipe = make_recipe(distillation=make_distillation(projector="none"))
    objective = Objective(student, recipe, BANDS, TILE, teacher)
    assert not list(objective.parameters())
    batch = tiles()
    draws = Draws.of_step(CropSampler([smooth_scene()], TILE), 0, 0, 3, student)
    loss = objective.parts(student, batch, draws, 0.5)["features"]
    loss.backward()
    assert 0 < float(loss.detach()) < 2 and float(student.stem.weight.grad.abs().max()) > 0
    with pytest.raises(HyperKDError, match="student is 16 wide and the teacher 32") as caught:
        Objective(student, recipe, BANDS, TILE, make_teacher())
    assert caught.value.code == "bad_job" and "relations" in caught.value.hint


def test_relations_by_hand_and_free_of_width_and_rotation():
    values = torch.tensor([[[0.0, 2.0], [1.0, 0.0]]])
    own = torch.zeros(1, 2, 3)
    logits = torch.tensor([[4.0, 0.0], [0.0, 1.0]]) / math.sqrt(2)
    theirs = torch.softmax(logits, 1)
    expected = (theirs * (theirs / 0.5).log()).sum(1).mean()
    weight = torch.ones(1, 2)
    torch.testing.assert_close(relation_distance(own, values, weight, 1), expected)
    turn = torch.linalg.qr(torch.randn(2, 2, generator=torch.manual_seed(0)))[0]
    assert float(relation_distance(values @ turn, values, weight, 1)) == pytest.approx(0, abs=1e-6)


def test_relations_leave_out_tokens_without_data():
    generator = torch.manual_seed(3)
    own, other = (
        torch.randn(1, 5, 8, generator=generator),
        torch.randn(1, 5, 6, generator=generator),
    )
    weight = torch.tensor([[1.0, 1.0, 0.0, 1.0, 0.0]])
    kept = weight[0] > 0
    expected = relation_distance(own[:, kept], other[:, kept], torch.ones(1, 3), 2)
    torch.testing.assert_close(relation_distance(own, other, weight, 2), expected)


@pytest.mark.parametrize(
    "distance", DistillJob.__dataclass_fields__["feature_distance"].metadata["choices"]
)
@pytest.mark.parametrize("patch", [4, 8, 2])
@pytest.mark.parametrize("view", ["visible", "full"])
def test_every_way_to_distil_reaches_the_student_and_never_the_teacher(distance, patch, view):
    student, teacher = make_student(), make_teacher(patch=patch)
    loss, distiller, _ = distill(student, teacher, tiles(), distance=distance, view=view)
    assert float(loss.detach()) > 0
    loss.backward()
    assert float(student.stem.weight.grad.abs().max()) > 0
    assert student.blocks[3].qkv.weight.grad is None  # beyond three quarters of the depth
    assert all(each.grad is None for each in teacher._encoder.parameters())
    assert len(distiller.projectors) == (0 if distance == "relation" else 1)
    for projector in distiller.projectors:
        assert float(projector.weight.grad.abs().max()) > 0


def test_learning_alone_brings_the_features_near():
    """The gradient points where it should: the loss falls when it is followed."""
    student, teacher, batch = make_student(), make_teacher(), tiles()
    distiller = Distiller(student, teacher, make_distillation(), TILE)
    optimiser = torch.optim.Adam([*student.parameters(), *distiller.parameters()], 3e-3)
    hidden, six = masked(batch), Aligner(BANDS, "range_mean")(batch)
    found = []
    for _ in range(40):
        optimiser.zero_grad()
        with recorded(distiller.layers) as seen:
            hidden.predict(student)
        loss = distiller(seen, batch, hidden, six, torch.zeros(3, 16))
        loss.backward()
        optimiser.step()
        found.append(float(loss.detach()))
    assert found[-1] < 0.3 * found[0]


# --- the controls, the schedule, the rest ------------------------------------------------


def test_shuffled_features_are_the_same_ones_elsewhere():
    student, teacher, batch = make_student(), make_teacher(), tiles()
    plain = distill(student, teacher, batch)[0]
    shuffled = distill(student, teacher, batch, shuffled=True)[0]
    again = distill(student, teacher, batch, shuffled=True)[0]
    other = distill(student, teacher, batch, shuffle_seed=1, shuffled=True)[0]
    assert torch.equal(shuffled, again)
    assert not torch.equal(shuffled, plain) and not torch.equal(shuffled, other)


def test_the_weight_falls_late_to_a_tenth():
    fade = make_distillation(late=0.1, late_from=0.5).fade
    assert [fade(progress) for progress in (0, 0.3, 0.5)] == [1, 1, 1]
    assert fade(0.75) == pytest.approx(0.55)
    assert fade(1.0) == pytest.approx(0.1)


def test_the_projector_is_trained_and_never_exported():
    student = make_student()
    names = set(student.state_dict())
    objective = Objective(
        student, make_recipe(distillation=make_distillation()), BANDS, TILE, make_teacher()
    )
    trained = dict(objective.named_parameters())
    assert set(trained) == {
        "distiller.projectors.0.weight",
        "distiller.projectors.0.bias",
    }
    sampler = CropSampler([smooth_scene()], TILE)
    draws = Draws.of_step(sampler, 0, 0, 2, student)
    parts = objective.parts(student, Tiles.read(sampler, draws.crops, "cpu"), draws, 0.5)
    assert set(parts) == {"mse", "ssim", "kl", "features"}
    parts["features"].backward()
    assert float(trained["distiller.projectors.0.weight"].grad.abs().max()) > 0
    assert set(student.state_dict()) == names
    assert not any("projector" in name or "distil" in name for name in names)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Distiller(make_student(), make_teacher(patch=14), make_distillation(), TILE),
            "Tiles of 16 px do not divide into the teacher's patches of 14 px",
        ),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(HyperKDError, match=message) as caught:
        make()
    assert caught.value.code == "bad_job" and caught.value.hint
