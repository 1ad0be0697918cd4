"""Dense heads: what each of their paths sees, and what it can never see."""

from __future__ import annotations

import contextlib
import copy
import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional  # noqa: E402

from hyperkd.models.nets.heads import DenseHead, DenseModel, HeadConfig  # noqa: E402
from hyperkd.models.nets.student import Student  # noqa: E402
from hyperkd.models.sizes import StudentConfig  # noqa: E402
from tests.engine.half_precision import OtherProcessor, assert_rounding_alone  # noqa: E402

NANO = StudentConfig(
    bands=5, patch=2, stem=6, dim=16, depth=2, heads=2,
    decoder_dim=8, decoder_depth=1, decoder_heads=2, rank=3, tile=8,
)  # fmt: skip
MEAN, STD = [0.1, 0.2, 0.3, 0.2, 0.1], [0.02, 0.05, 0.1, 0.2, 0.01]
TASKS = ("classification", "regression")
ANSWERS = {"classification": {}, "regression": {"target_mean": [1, -20], "target_std": [0.5, 8]}}


def make(task="classification", config=NANO, shaken=0.3, **sizes) -> DenseModel:
    """A model in which every path counts."""
    torch.manual_seed(0)
    sizes = HeadConfig.fitting(config, task, 2, components=6, hidden=8, **sizes)
    head = DenseHead(sizes, **ANSWERS[task])
    model = DenseModel(Student(config, MEAN, STD), head).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(shaken * torch.randn(parameter.shape))
    return model


def tiles(batch=2, rows=8, cols=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.rand(batch, 5, rows, cols, generator=generator)
    valid = (torch.rand(batch, 1, rows, cols, generator=generator) < 0.8).float()
    return pixels, valid


def changed_pixels(model, tokens, pixels, valid, row, col) -> torch.Tensor:
    """Where the answer changes when one pixel's spectrum does and the tokens do not."""
    other = pixels.clone()
    other[:, :, row, col] += 0.1
    apart = model.from_tokens(tokens, other, valid) - model.from_tokens(tokens, pixels, valid)
    return apart.abs().amax((0, 1)) > 0


@pytest.mark.parametrize("task", TASKS)
def test_a_new_head_answers_nothing_yet(task):
    head = DenseHead(HeadConfig.fitting(NANO, task, 2), **ANSWERS[task])
    pixels, valid = tiles()
    answer = DenseModel(Student(NANO, MEAN, STD), head).eval()(pixels, valid)
    expected = torch.tensor(ANSWERS[task].get("target_mean", [0.0, 0.0]))
    assert torch.equal(answer, expected[:, None, None].expand(2, 2, 8, 12).float())


@pytest.mark.parametrize("task", TASKS)
def test_a_head_can_be_a_linear_model_exactly(task):
    """From any state: what the other paths had learnt is forgotten."""
    model = make(task).double()
    pixels, valid = (tensor.double() for tensor in tiles())
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    bias = torch.randn(2, generator=generator, dtype=torch.float64)
    model.head.start_from_linear(weight, bias)
    spectra = (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    expected = torch.einsum("kc,bchw->bkhw", weight, spectra) + bias[:, None, None]
    chosen = valid.bool().expand(-1, 2, -1, -1)
    torch.testing.assert_close(model(pixels, valid)[chosen], expected[chosen], rtol=1e-6, atol=1e-6)


def test_linear_weights_of_other_bands_are_refused():
    with pytest.raises(ValueError, match=r"weight \(2, 4\) and bias \(2,\) for 2 outputs and 5"):
        make().head.start_from_linear(torch.zeros(2, 4), torch.zeros(2))


@pytest.mark.parametrize("task", TASKS)
def test_what_an_invalid_pixel_holds_never_matters(task):
    model, (pixels, valid) = make(task), tiles()
    garbage = torch.where(valid > 0, pixels, torch.full_like(pixels, -32768.0))
    assert torch.equal(model(pixels, valid), model(garbage, valid))


def test_a_token_without_a_valid_pixel_never_matters():
    model, (pixels, valid) = make(), tiles()
    valid[:, :, 2:4, 6:8] = 0  # token (1, 3)
    tokens = model.encode(pixels, valid)
    expected = model.from_tokens(tokens, pixels, valid)
    tokens[:, :, 1, 3] = 1e6
    assert torch.equal(model.from_tokens(tokens, pixels, valid), expected)
    assert model(pixels, torch.zeros_like(valid)).isfinite().all()


def test_the_spectral_path_sees_the_pixel_and_its_eight_neighbours():
    model, (pixels, _) = make(), tiles()
    valid = torch.ones_like(pixels[:, :1])
    tokens = model.encode(pixels, valid)
    expected = torch.zeros(8, 12, dtype=torch.bool)
    expected[3:6, 6:9] = True
    assert torch.equal(changed_pixels(model, tokens, pixels, valid, 4, 7), expected)


@pytest.mark.parametrize("neighbours", [False, True])
def test_a_head_sees_no_more_than_it_is_told_to(neighbours):
    """Without tokens the encoder has no part, and without neighbours only the pixel has."""
    model, (pixels, _) = make(neighbours=neighbours, tokens=False), tiles()
    model.student = None
    valid = torch.ones_like(pixels[:, :1])
    other = pixels.clone()
    other[:, :, 4, 7] += 0.1
    normal = [(each - 0.2) / 0.1 for each in (pixels, other)]
    answers = [model.head(None, each, valid) for each in normal]
    reach = model.head.config.reach_px // 2
    expected = torch.zeros(8, 12, dtype=torch.bool)
    expected[4 - reach : 5 + reach, 7 - reach : 8 + reach] = True
    assert torch.equal((answers[0] - answers[1]).abs().amax((0, 1)) > 0, expected)


def test_the_neighbours_are_a_mean_of_the_valid_ones():
    head, valid = make().head, torch.ones(1, 1, 3, 4)
    valid[..., 0, 0] = valid[..., 2, 2] = 0
    components = torch.arange(12.0).view(1, 1, 3, 4) * valid
    apart = head.neighbour_difference(components, valid)[0, 0]
    assert float(apart[1, 1]) == pytest.approx((1 + 2 + 4 + 5 + 6 + 8 + 9) / 7 - 5, rel=1e-5)
    assert float(apart[0, 3]) == pytest.approx((2 + 3 + 6 + 7) / 4 - 3, rel=1e-5)
    assert float(apart[2, 2]) == 0  # not valid itself


def test_the_committee_answers_with_the_sum_of_members_that_do_not_talk():
    """Each member alone, the others silenced: the answers beyond the linear ones add up."""
    model, (pixels, valid) = make(neighbours=False, tokens=False).double(), tiles()
    head, spectra = model.head, pixels.double()
    zero = head.linear(spectra) * valid + head.answer.bias.detach()[:, None, None]
    whole = head.merge(None, spectra, valid.double()) - zero
    weight, total = head.answer.weight.detach().clone(), torch.zeros_like(whole)
    size, members = head.config.hidden, head.config.members
    assert members > 1
    for member in range(members):
        own = slice(member * size, (member + 1) * size)
        with torch.no_grad():
            head.answer.weight.zero_()
            head.answer.weight[:, own] = weight[:, own]
            head.spectral.weight[: member * size] = 7.0  # what the others do does not matter
            total += head.merge(None, spectra, valid.double()) - zero
    torch.testing.assert_close(total, whole)


def test_tokens_come_to_pixels_as_the_embedding_does():
    model, (pixels, _) = make(), tiles()
    valid = torch.ones_like(pixels[:, :1])
    tokens = model.encode(pixels, valid)
    torch.testing.assert_close(
        model.head.at_pixels(tokens, valid), model.student.embedding(pixels, valid)
    )


def test_beside_an_empty_token_only_the_others_count():
    """Bilinear weights 9, 3, 3, 1 of 16 without the last: 9, 3, 3 of 15."""
    head, valid = make().head, torch.ones(1, 1, 4, 4)
    valid[:, :, 2:, 2:] = 0
    tokens = torch.tensor([[[[1.0, 2.0], [4.0, 1e9]]]])
    assert head.at_pixels(tokens, valid)[0, 0, 1, 1] == pytest.approx((9 + 6 + 12) / 15)
    assert head.at_pixels(tokens, valid)[0, 0, 0, 0] == 1


def test_a_window_with_the_tokens_at_its_pixels_gives_the_answer_of_the_tile():
    model = make().double()
    pixels, valid = (tensor.double() for tensor in tiles())
    head = model.head
    features = head.at_pixels(model.encode(pixels, valid), valid)
    window = (..., slice(2, 5), slice(6, 9))
    normal = model.student.normalise_image(pixels)
    merged = head.merge(head.context(features[window]), normal[window], valid[window])
    torch.testing.assert_close(merged[..., 1, 1], model(pixels, valid)[..., 3, 7])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("rows", "cols"), [(2, 2), (8, 8), (6, 10), (16, 4)])
def test_kept_tokens_give_the_answer_of_the_whole_model(task, rows, cols):
    """On any multiple of the patch."""
    model, (pixels, valid) = make(task), tiles(3, rows, cols)
    tokens = model.encode(pixels, valid)
    assert tokens.shape == (3, 16, rows // 2, cols // 2)
    whole = model(pixels, valid)
    assert whole.shape == (3, 2, rows, cols)
    assert torch.equal(model.from_tokens(tokens, pixels, valid), whole)
    each = [model(p[None], v[None])[0] for p, v in zip(pixels, valid)]
    torch.testing.assert_close(torch.stack(each), whole, rtol=1e-4, atol=1e-4)


def test_values_are_in_the_targets_units():
    model = make("regression")
    pixels, valid = tiles()
    values = model(pixels, valid)
    model.head.target_mean += torch.tensor([3.0, 0.0])
    model.head.target_std *= torch.tensor([1.0, 2.0])
    again = model(pixels, valid)
    torch.testing.assert_close(again[:, 0], values[:, 0] + 3)
    torch.testing.assert_close(again[:, 1] + 20, 2 * (values[:, 1] + 20))


@pytest.mark.parametrize("path", ["spectrum", "neighbours", "tokens"])
def test_every_path_can_learn_what_only_it_sees(path):
    """Classes that no linear model of the pixel tells apart; a head starts at chance."""
    torch.manual_seed(1)
    student = Student(NANO, [0.0] * 5, [1.0] * 5)
    model = DenseModel(student, DenseHead(HeadConfig.fitting(NANO, TASKS[0], 2, hidden=16)))
    generator = torch.Generator().manual_seed(2)
    pixels = torch.rand(16, 5, 8, 8, generator=generator) * 2 - 1
    tokens = torch.rand(16, 16, 4, 4, generator=generator) * 2 - 1
    valid = torch.ones(16, 1, 8, 8)
    truth = {
        "spectrum": pixels[:, 0] * pixels[:, 1],
        "neighbours": functional.avg_pool2d(pixels[:, 2:3], 3, 1, 1)[:, 0],
        "tokens": model.head.at_pixels(tokens[:, 4:5], valid)[:, 0],
    }[path] > 0
    optimiser = torch.optim.Adam(model.head.parameters(), 0.02)
    for step in range(150):
        answer = model.from_tokens(tokens, pixels, valid)
        loss = functional.cross_entropy(answer, truth.long())
        if step == 0:
            assert float(loss.detach()) == pytest.approx(np.log(2), abs=1e-6)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    right = (model.eval().from_tokens(tokens, pixels, valid).argmax(1) == truth).float().mean()
    assert right > 0.85


# This processor, and two that are not at hand.
PROCESSORS = {
    "own": contextlib.nullcontext,
    "sums": OtherProcessor,
    "terms": lambda: OtherProcessor(1),
}


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("patch", [4, 8, 16])
@pytest.mark.parametrize("task", TASKS)
def test_half_precision_stays_close(task, patch, processor):
    """As close as rounding lets it, on every processor; see half_precision.py."""
    model = make(task, dataclasses.replace(NANO, patch=patch), shaken=0.1)
    pixels, valid = tiles(2, 32, 48)
    with torch.no_grad(), PROCESSORS[processor]():
        half = copy.deepcopy(model).bfloat16()(pixels.bfloat16(), valid.bfloat16())
    assert_rounding_alone(model, DenseModel.__call__, pixels, valid, half)


def test_the_decoder_is_left_behind_and_the_rest_is_shared():
    student = Student(NANO, MEAN, STD).eval()
    model = DenseModel(student, DenseHead(HeadConfig.fitting(NANO, TASKS[0], 3)))
    names = {name.split(".")[1] for name in model.state_dict() if name.startswith("student.")}
    assert names == {"mean", "std", "stem", "patches", "blocks", "norm"}
    assert model.student.blocks is student.blocks and model.student.stem is student.stem
    assert not model.student.training
    pixels, valid = tiles()
    assert torch.equal(model.encode(pixels, valid), student.tokens(pixels, valid))
    assert not any(tensor.is_meta for tensor in model.state_dict().values())


def test_a_head_for_another_student_is_refused():
    head = DenseHead(HeadConfig(TASKS[0], 2, bands=5, dim=16, patch=4))
    with pytest.raises(ValueError, match="does not fit the student"):
        DenseModel(Student(NANO, MEAN, STD), head)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"task": "pretrain"}, "the task is 'pretrain', known are classification, regression"),
        ({"outputs": 0}, "impossible sizes of a head"),
        ({"dropout": 1.0}, "impossible sizes of a head"),
    ],
)
def test_impossible_heads_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        HeadConfig(**{"task": TASKS[0], "outputs": 2, "bands": 5, "dim": 16, "patch": 2, **values})


@pytest.mark.parametrize(
    ("task", "values", "message"),
    [
        ("regression", {"target_mean": [1.0]}, "for 2 targets"),
        ("regression", {"target_std": [1.0, 0.0]}, "for 2 targets"),
        ("classification", {"target_std": [1.0, 2.0]}, "has no target mean and std"),
    ],
)
def test_target_statistics_must_fit(task, values, message):
    with pytest.raises(ValueError, match=message):
        DenseHead(HeadConfig.fitting(NANO, task, 2), **values)
