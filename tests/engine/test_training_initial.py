"""Where training starts from: what linear algebra promises has to hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hyperkd.models.nets.student import Student, take_patches  # noqa: E402
from hyperkd.models.sizes import StudentConfig  # noqa: E402
from hyperkd.training.common.crops import CropSampler, MemoryScene, band_statistics  # noqa: E402
from hyperkd.training.common.masked_batch import draw  # noqa: E402
from hyperkd.training.pretrain.initial_weights import start_from_components  # noqa: E402
from tests.engine.training_factories import reconstruction_loss  # noqa: E402

NANO = StudentConfig(
    bands=6, patch=2, stem=12, dim=24, depth=1, heads=2,
    decoder_dim=24, decoder_depth=1, decoder_heads=2, rank=6, tile=16,
)  # fmt: skip


def noisy_scene(side=48) -> MemoryScene:
    """Smooth mixtures of three spectra, and a little noise so that no component is empty."""
    generator = np.random.default_rng(0)
    ends = generator.uniform(500, 5000, (3, 6))
    row, col = np.mgrid[:side, :side] / side
    shares = np.stack((np.sin(5 * row + col) ** 2, np.cos(6 * col) ** 2, row * col), 2)
    pixels = shares @ ends + generator.normal(0, 30, (side, side, 6))
    return MemoryScene("noisy", np.int16(pixels), np.ones((side, side), bool))


@pytest.fixture
def sampler():
    torch.set_num_threads(1)
    return CropSampler([noisy_scene()], NANO.tile)


def make(config=NANO) -> Student:
    torch.manual_seed(0)
    mean, std = band_statistics([noisy_scene()])
    return Student(config, mean.tolist(), std.tolist())


def tiles(sampler, count=8, seed=5):
    pixels, valid = sampler.batch(np.random.default_rng(seed), count)
    image = torch.from_numpy(pixels).float().permute(0, 3, 1, 2) * 1e-4
    return image, torch.from_numpy(valid).float()[:, None]


def test_tokens_are_the_principal_components_of_patches(sampler):
    """All 24 components are kept, so the tokens are patches in rotated, rescaled axes."""
    student = make()
    start_from_components(student, sampler, np.random.default_rng(0), 0.75)
    image, valid = tiles(sampler)
    tokens = student.embed(image, valid).flatten(2).transpose(1, 2).flatten(0, 1).detach().double()
    order = torch.arange(64).expand(8, -1)
    patches = take_patches(image.permute(0, 2, 3, 1).contiguous(), order, 2)
    patches = student.normalise(patches).flatten(2).flatten(0, 1).double()
    solution = torch.linalg.lstsq(tokens, patches).solution
    torch.testing.assert_close(tokens @ solution, patches, rtol=0, atol=1e-3)
    # Components are uncorrelated, and the first are the largest.
    square = tokens.T @ tokens / len(tokens)
    sizes = square.diagonal().sqrt()
    correlation = square / sizes[:, None] / sizes - torch.eye(24)
    assert correlation.abs().mean() < 0.1
    assert sizes[0] == sizes.max() and sizes[:4].min() > sizes[-4:].max()


def test_invalid_pixels_still_contribute_nothing(sampler):
    student = make()
    start_from_components(student, sampler, np.random.default_rng(0), 0.75)
    image, valid = tiles(sampler)
    assert student.embed(image, torch.zeros_like(valid)).abs().max() == 0


def test_the_loss_at_the_start_is_far_below_that_of_the_mean(sampler):
    student = make()
    start_from_components(student, sampler, np.random.default_rng(0), 0.75)
    masked = draw(sampler, np.random.default_rng(9), 16, 0.75, student, torch.device("cpu"))
    assert reconstruction_loss(make(), masked) > 0.9
    assert reconstruction_loss(student, masked) < 0.4


def test_the_head_is_the_least_squares_one(sampler):
    """No step of gradient descent on the head alone makes the loss noticeably smaller."""
    student = make()
    start_from_components(student, sampler, np.random.default_rng(0), 0.75, tile_count=256)
    masked = draw(sampler, np.random.default_rng(9), 256, 0.75, student, torch.device("cpu"))
    optimiser = torch.optim.LBFGS(student.unpatch.parameters(), max_iter=20)

    def closure():
        optimiser.zero_grad()
        loss = reconstruction_loss(student, masked)
        loss.backward()
        return loss

    before = float(optimiser.step(closure).detach())
    assert reconstruction_loss(student, masked) > 0.9 * before


def test_the_same_generator_gives_the_same_start(sampler):
    students = make(), make()
    for student in students:
        start_from_components(student, sampler, np.random.default_rng(3), 0.75, tile_count=32)
    first, again = (student.state_dict() for student in students)
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize(
    "sizes", [{"stem": 4, "rank": 2}, {"stem": 30, "dim": 64, "rank": 9}, {"dim": 8, "stem": 5}]
)
def test_sizes_that_do_not_match_the_number_of_components_work(sampler, sizes):
    student = make(dataclasses.replace(NANO, **sizes))
    start_from_components(student, sampler, np.random.default_rng(0), 0.75, tile_count=64)
    masked = draw(sampler, np.random.default_rng(9), 16, 0.75, student, torch.device("cpu"))
    assert reconstruction_loss(student, masked) < 0.6


def test_patches_with_invalid_pixels_do_not_enter(sampler):
    """The same scene with a hole full of nonsense gives nearly the same components."""
    scene = noisy_scene()
    scene.pixels[10:14, 20:24] = 32000
    scene.valid[10:14, 20:24] = False
    student = make()
    start_from_components(student, CropSampler([scene], NANO.tile), np.random.default_rng(0), 0.75)
    masked = draw(sampler, np.random.default_rng(9), 16, 0.75, student, torch.device("cpu"))
    assert reconstruction_loss(student, masked) < 0.4
