"""What bfloat16 may cost a network, whichever processor computes it.

bfloat16 keeps 8 bits of a number: rounding changes it by up to 2^-9 of itself. Processors
differ in where they round. Some round a sum once, others after every few terms; some fuse
operations and skip a rounding. None of this can be chosen, so an answer in bfloat16 is not
compared with a number found on one machine, but with what the same rounding does to this
very network: a float64 run whose weights, inputs and layers' inputs and outputs are rounded
to bfloat16. See ``assert_rounding_alone``.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final, Optional

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

# The reference rounds layers. Between them lie about as many operations that round as well
# (sums, products with the mask, activations, attention), so twice the variance is expected; a
# processor that rounds within sums adds as much again. That makes the root of three to four,
# in root mean square; three leaves room for chance.
SLACK: Final = 3.0
# So is a network's typical output. A single output, or a single pixel of it, differs by a few
# roundings that many pixels share, in the network as in the reference: its ratio is one of two
# such numbers, and the largest of hundreds was seen between 2 and 6, on other processors at
# other outputs. What is computed wrongly is off by hundreds.
LARGEST: Final = 4 * SLACK

Call = Callable[[nn.Module, Tensor, Tensor], Tensor]


def rounded(value: Tensor) -> Tensor:
    """Round to bfloat16 and keep the type."""
    return value.to(torch.bfloat16).to(value.dtype)


def with_rounded_layers(model: nn.Module) -> nn.Module:
    """Return a copy whose weights, and whose layers' inputs and outputs, are rounded."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for value in (*model.parameters(), *model.buffers()):
            value.copy_(rounded(value))
    for layer in model.modules():
        if not list(layer.children()):
            layer.register_forward_pre_hook(lambda _, given: tuple(map(rounded, given)))
            layer.register_forward_hook(lambda _, given, answer: rounded(answer))
    return model


@torch.no_grad()
def excess(
    model: nn.Module, call: Call, pixels: Tensor, valid: Tensor, half: Tensor
) -> tuple[float, float]:
    """Return by how much ``half`` deviates more than rounding explains.

    Args:
        model: the network in float32.
        call: computes ``(B, K, H, W)`` from a network, pixels and mask.
        half: what was computed in bfloat16.

    Returns:
        Deviations in those of the reference: the root mean square of the median output, and
        the worse of the root mean square and the largest deviation of the worst output.
    """
    exact = copy.deepcopy(model).double()
    whole = call(exact, pixels.double(), valid.double())
    reference = call(with_rounded_layers(exact), rounded(pixels.double()), valid.double())
    apart, allowed = ((each - whole).transpose(0, 1).flatten(1) for each in (half, reference))
    mean = (apart.square().mean(1) / allowed.square().mean(1)).sqrt()
    largest = apart.abs().amax(1) / allowed.abs().amax(1)
    return float(mean.median()), float(torch.maximum(mean, largest).max())


def assert_rounding_alone(
    model: nn.Module, call: Call, pixels: Tensor, valid: Tensor, half: Tensor
) -> None:
    """Fail where a bfloat16 answer is further from float64 than rounding explains.

    Args:
        model, call, pixels, valid, half: as in ``excess``.
    """
    typical, worst = excess(model, call, pixels, valid, half)
    assert typical < SLACK and worst < LARGEST, (typical, worst)


class OtherProcessor(TorchDispatchMode):
    """Compute what is bfloat16 as another processor may.

    Every operation is computed in float64 and rounded at its end. Strided convolutions give
    zeros: on processors with AMX those of oneDNN 3.12 are wrong.

    Args:
        block: products of matrices and convolutions are rounded after this many terms too;
            32 are a row of AMX's tiles. None: at their end alone.
    """

    def __init__(self, block: Optional[int] = None) -> None:
        super().__init__()
        self.block = block

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = tree_leaves((args, kwargs))
        halves = any(isinstance(v, Tensor) and v.dtype == torch.bfloat16 for v in given)
        views = any(answer.alias_info is not None for answer in func._schema.returns)
        if not halves or views or func is torch.ops.aten._to_copy.default:
            return func(*args, **(kwargs or {}))
        args, kwargs = tree_map(_wide, (args, kwargs or {}))
        if func is torch.ops.aten.convolution.default and max(args[3]) > 1:
            return torch.zeros_like(func(*args)).bfloat16()
        terms = None if self.block is None else _terms(func, args, self.block)
        if terms is not None:
            total = next(terms).bfloat16()
            for term in terms:
                total = (total.double() + term).bfloat16()
            return total
        return tree_map(_narrow, func(*args, **kwargs))


def _wide(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def _narrow(value: Any) -> Any:
    return value.bfloat16() if isinstance(value, Tensor) and value.is_floating_point() else value


def _terms(func: Any, args: Any, block: int) -> Optional[Iterator[Tensor]]:
    """Return parts of a matrix product or convolution, whose sum it is; None of others."""
    aten = torch.ops.aten
    if func is aten.addmm.default:
        bias, left, right = args
        parts = zip(left.split(block, 1), right.split(block, 0))
        return itertools.chain([bias], (one @ other for one, other in parts))
    if func is not aten.convolution.default:
        return None
    image, weight, bias, *how, groups = args
    split = image.unflatten(1, (groups, -1)).split(block, 2)
    return (
        func(part.flatten(1, 2), kernel, bias if not k else None, *how, groups)
        for k, (part, kernel) in enumerate(zip(split, weight.split(block, 1)))
    )
