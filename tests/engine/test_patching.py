"""Patch embeddings are the convolutions that they stand for, in bfloat16 on a CPU too."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from hyperkd.models.nets.patch_embedding import embed_patches  # noqa: E402
from tests.engine.half_precision import OtherProcessor  # noqa: E402

# What rounding each of the three, pixels, weights and sums, may change: 2^-9 of itself.
ROUNDINGS = 3 * 2**-9
CASES = {
    "image": (nn.Conv2d, (16, 16), (2, 6, 32, 48)),
    "oblong": (nn.Conv2d, (2, 3), (1, 6, 4, 9)),
    "frames": (nn.Conv3d, (1, 16, 16), (2, 6, 3, 32, 16)),
    "tubes": (nn.Conv3d, (3, 4, 2), (1, 6, 6, 8, 4)),
}


@pytest.fixture(params=CASES)
def case(request):
    kind, kernel, shape = CASES[request.param]
    torch.manual_seed(0)
    return kind(6, 8, kernel, kernel), torch.randn(shape)


def test_float32_is_the_convolution_itself(case):
    layer, image = case
    assert torch.equal(embed_patches(layer, image), layer(image))


@pytest.mark.parametrize("mixed", [False, True])
def test_bfloat16_is_the_convolution_but_for_rounding(case, mixed):
    """Also where strided convolutions in bfloat16 give zeros, as with AMX; gradients too."""
    layer, image = case
    exact = copy.deepcopy(layer).double()
    expected = exact(image.double())
    # The terms of each sum without their signs: what rounding is a share of.
    with torch.no_grad():
        positive = copy.deepcopy(exact)
        for value in positive.parameters():
            value.abs_()
        allowed = ROUNDINGS * positive(image.double().abs())
    with OtherProcessor(), torch.autocast("cpu", enabled=mixed):
        half = layer if mixed else layer.bfloat16()
        got = embed_patches(half, image if mixed else image.bfloat16())
        assert got.dtype == torch.bfloat16 and got.shape == expected.shape
        got.float().square().sum().backward()
    assert ((got.double() - expected).abs() <= allowed).all()
    expected.square().sum().backward()
    one, other = (each.weight.grad.double().flatten() for each in (layer, exact))
    assert float((one - other).norm() / other.norm()) < 2**-6
