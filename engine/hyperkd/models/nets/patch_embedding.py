"""Patch embeddings: convolutions whose kernel and stride are one patch."""

from __future__ import annotations

from typing import Union

import torch
from torch import Tensor, nn
from torch.nn import functional


def embed_patches(layer: Union[nn.Conv2d, nn.Conv3d], image: Tensor) -> Tensor:
    """Apply ``layer``, whose kernel is its stride, to an image that its patches divide.

    In bfloat16 on a CPU the patches are cut out and multiplied with the weights. It is the
    same sum, but no strided convolution: oneDNN 3.12, which torch 2.13 brings, computes some
    of those wrongly and silently on processors with AMX (pytorch issue 169688).

    Args:
        layer: the convolution, without padding, dilation and groups.
        image: ``(B, C, H, W)``, or ``(B, C, T, H, W)`` for three dimensions.

    Returns:
        ``(B, D, H / P, W / P)``, or with the frames ``(B, D, T / K, H / P, W / P)``.
    """
    if not _multiplies_bfloat16_on_cpu(image):
        return layer(image)
    axes = len(layer.kernel_size)
    for axis, size in enumerate(layer.kernel_size):
        image = image.unflatten(2 + 2 * axis, (-1, size))
    counts = range(2, 2 + 2 * axes, 2)
    inside = range(3, 3 + 2 * axes, 2)
    patches = image.permute(0, *counts, 1, *inside).flatten(1 + axes)
    return functional.linear(patches, layer.weight.flatten(1), layer.bias).movedim(-1, 1)


def _multiplies_bfloat16_on_cpu(image: Tensor) -> bool:
    if image.device.type != "cpu":
        return False
    autocast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu")
    return torch.bfloat16 in (image.dtype, autocast)
