"""Presets and patches: sizes that fit, and the same identities for every patch."""

from __future__ import annotations

import contextlib
import copy
import dataclasses

import numpy as np
import pytest

from hyperkd.errors import HyperKDError

torch = pytest.importorskip("torch")

from hyperkd.models.nets.student import Student, take_patches  # noqa: E402
from hyperkd.models.sizes import (  # noqa: E402
    PATCHES,
    PRESETS,
    StudentConfig,  # noqa: E402
    preset,
)
from tests.engine.half_precision import OtherProcessor, assert_rounding_alone  # noqa: E402

SHORT = StudentConfig(
    bands=5, patch=4, stem=6, dim=16, depth=2, heads=2,
    decoder_dim=8, decoder_depth=1, decoder_heads=2, rank=3, tile=32,
)  # fmt: skip
# This processor, and two that are not at hand.
PROCESSORS = {
    "own": contextlib.nullcontext,
    "sums": OtherProcessor,
    "tiles": lambda: OtherProcessor(32),
}
MEAN, STD = [0.1, 0.2, 0.3, 0.2, 0.1], [0.02, 0.05, 0.1, 0.2, 0.01]


@pytest.fixture(params=PATCHES)
def student(request):
    torch.manual_seed(0)
    student = Student(dataclasses.replace(SHORT, patch=request.param), MEAN, STD).eval()
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return student


def tiles(rows, cols, batch=2):
    generator = torch.Generator().manual_seed(rows * cols)
    pixels = torch.rand(batch, 5, rows, cols, generator=generator)
    valid = (torch.rand(batch, 1, rows, cols, generator=generator) < 0.8).float()
    return pixels, valid


def size(config: StudentConfig) -> int:
    with torch.device("meta"):
        student = Student(config, [0.0] * config.bands, [1.0] * config.bands)
    return sum(parameter.numel() for parameter in student.parameters())


@pytest.mark.parametrize("patch", [None, *PATCHES])
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_have_sizes_that_divide(name, patch):
    config = preset(name, patch)
    assert config.patch == (patch or PRESETS[name].patch)
    assert dataclasses.replace(config, patch=PRESETS[name].patch) == PRESETS[name]
    assert config.bands == 218
    assert config.dim % (4 * config.heads) == 0 and config.decoder_dim % 4 == 0
    assert config.decoder_dim % config.decoder_heads == 0
    assert config.tile % (2 * config.patch) == 0


@pytest.mark.parametrize(
    ("name", "count"),
    [("tiny", 1_277_850), ("small", 26_316_890), ("base", 101_098_970), ("paper", 145_594_842)],
)
def test_presets_have_the_size_they_are_described_with(name, count):
    assert size(preset(name, None)) == count


def test_the_paper_preset_is_what_the_paper_states():
    config = preset("paper", None)
    assert (config.tile, config.bands, config.patch) == (224, 218, 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tiny", 5), "A student's patch cannot be 5 pixels wide"),
        (("tiny", 0), "A student's patch cannot be 0 pixels wide"),
    ],
)
def test_unknown_presets_and_patches_are_refused(arguments, message):
    with pytest.raises(HyperKDError, match=message) as caught:
        preset(*arguments)
    assert caught.value.code == "bad_job"


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (2, 2), (3, 2), (1, 4)])
def test_any_multiple_of_the_patch_runs(student, rows, cols):
    """A tile alone, and as the valid corner of a larger one: the same."""
    patch = student.config.patch
    rows, cols = rows * patch, cols * patch
    pixels, valid = tiles(rows, cols)
    wide = [torch.nn.functional.pad(t, (0, 2 * patch, 0, patch)) for t in (pixels, valid)]
    alone, wider = student.embedding(pixels, valid), student.embedding(*wide)
    assert alone.shape[2:] == (rows, cols)
    # Bilinear: half a patch from the border the token beyond comes in.
    inside = (..., slice(rows - patch // 2), slice(cols - patch // 2))
    torch.testing.assert_close(alone[inside], wider[inside], rtol=1e-4, atol=1e-5)


def test_a_tile_that_does_not_divide_is_refused(student):
    patch = student.config.patch
    pixels, valid = tiles(2 * patch, 2 * patch + 1)
    for function in (student.embedding, student.reconstruct):
        with pytest.raises(ValueError, match=f"{2 * patch} x {2 * patch + 1} pixels do not divide"):
            function(pixels, valid)


@pytest.mark.parametrize(("rows", "cols"), [(3, 5), (4, 3), (1, 2), (1, 1)])
def test_an_odd_grid_is_one_with_nothing_beside_it(student, rows, cols):
    """3 x 5 tokens are reconstructed as 4 x 6 whose last row and column hold nothing."""
    patch = student.config.patch
    pixels, valid = tiles(rows * patch, cols * patch)
    beside = (0, cols % 2 * patch, 0, rows % 2 * patch)
    whole = student.reconstruct(*(torch.nn.functional.pad(t, beside) for t in (pixels, valid)))
    alone = student.reconstruct(pixels, valid)
    assert alone.shape == pixels.shape
    torch.testing.assert_close(alone, whole[..., : rows * patch, : cols * patch])


def test_what_an_invalid_pixel_holds_never_matters(student):
    pixels, valid = tiles(32, 48)
    patch = student.config.patch
    valid[:, :, :patch, :patch] = 0  # a whole token
    garbage = torch.where(valid > 0, pixels, torch.full_like(pixels, -32768.0))
    for function in (student.embedding, student.reconstruct):
        assert torch.equal(function(pixels, valid), function(garbage, valid))
        assert function(pixels, torch.zeros_like(valid)).isfinite().all()


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("function", [Student.embedding, Student.reconstruct])
def test_half_precision_stays_close(student, function, processor, mixed):
    """As close as rounding lets it, in bfloat16 or under autocast, on every processor."""
    pixels, valid = tiles(32, 48)
    with torch.no_grad(), PROCESSORS[processor](), torch.autocast("cpu", enabled=mixed):
        if mixed:
            half = function(student, pixels, valid)
        else:
            half = function(copy.deepcopy(student).bfloat16(), pixels.bfloat16(), valid.bfloat16())
    assert_rounding_alone(student, function, pixels, valid, half)


def test_half_precision_trains(student):
    """Gradients under autocast point where those of float32 do."""
    pixels, valid = tiles(32, 32)
    patch = student.config.patch
    order = torch.arange((32 // patch) ** 2).flip(0)[None].expand(2, -1)
    shown = order.shape[1] // 4
    cut = take_patches(student.normalise(pixels.permute(0, 2, 3, 1)).contiguous(), order, patch)
    mask = take_patches(valid.permute(0, 2, 3, 1).contiguous(), order, patch)
    gradients = []
    for enabled in (False, True):
        student.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            predicted = student.predict_hidden(
                cut[:, :shown], mask[:, :shown], order, (32 // patch, 32 // patch)
            )
        (predicted.float() - cut[:, shown:]).square().mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in student.parameters()]))
    cosine = torch.nn.functional.cosine_similarity(*gradients, dim=0)
    # Rounding turns a gradient by a few 2^-8, and 1 - cos of a small angle is half its square.
    assert 1 - float(cosine) < (4 * 2**-8) ** 2 / 2


@pytest.mark.parametrize("processor", PROCESSORS)
def test_the_shipped_student_in_half_precision_on_pixels_of_enmap(potsdam, processor):
    from hyperkd.models.store.registry import SHIPPED
    from hyperkd.raster.open_raster import open_raster
    from hyperkd.spectral.preprocessing import input_map
    from hyperkd.training.common.checkpoint import load_student

    student, card = load_student(SHIPPED / "tiny.safetensors")
    with open_raster(str(potsdam.tile(96, 96))) as source:
        stored = source.read_tile(source.grid.window).data
        reflectance, _ = input_map(source.bands, card.bands, np.zeros(218), np.ones(218))
    pixels = torch.from_numpy(reflectance.apply(stored.astype(float))).float()[None]
    valid = torch.ones(1, 1, 32, 32)
    for function in (Student.embedding, Student.reconstruct):
        with torch.no_grad(), PROCESSORS[processor](), torch.autocast("cpu"):
            half = function(student, pixels, valid)
        assert_rounding_alone(student, function, pixels, valid, half)


def test_one_wrong_output_of_many_is_noticed(student):
    pixels, valid = tiles(32, 48)
    with torch.no_grad(), torch.autocast("cpu"):
        half = student.reconstruct(pixels, valid)
    assert_rounding_alone(student, Student.reconstruct, pixels, valid, half)
    half[:, 2] = half[:, 2].mean()
    with pytest.raises(AssertionError):
        assert_rounding_alone(student, Student.reconstruct, pixels, valid, half)
