"""Where training starts from: components of the data instead of random numbers.

A student that begins with random weights spends its first thousands of steps on
what linear algebra knows: which bands go together, which patterns patches
consist of, and how an interpolated token is best turned into spectra. Here those
parts are computed; gradient descent refines them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from hyperkd.models.nets.student import Student
from hyperkd.training.common.crops import CropSampler
from hyperkd.training.pretrain.train_loop import Masked, draw

_TILES_AT_ONCE = 8
_RIDGE = 1e-3  # share of the mean square; keeps nearly dependent tokens from large weights
_SMALLEST = 1e-9  # of the largest component; below lies rounding


def start_from_components(
    student: Student,
    sampler: CropSampler,
    generator: np.random.Generator,
    mask_ratio: float,
    tile_count: int = 128,
) -> None:
    """Set stem, patch embedding, bridge and head of ``student`` from the training data.

    Afterwards the tokens are the principal components of patches, exactly: the
    stem holds each spectral component with both signs, and GELU(x) - GELU(-x) = x.
    The head is the least-squares map from the decoder's tokens to hidden patches.

    Args:
        student: changed in place; its blocks must still be as they were made.
        sampler: where it will be trained.
        mask_ratio: fraction of hidden tokens.
        tile_count: number of tiles that each of three passes is computed from.
    """

    def batches() -> Iterator[Masked]:
        for _ in range(0, tile_count, _TILES_AT_ONCE):
            device = student.mean.device
            yield draw(sampler, generator, _TILES_AT_ONCE, mask_ratio, student, device)

    with torch.no_grad():
        power, spectra = _components(
            _normal_patches(student, masked).flatten(0, 2) for masked in batches()
        )
        kept = min(student.config.stem // 2, len(power))
        spectra_in = spectra[:, :kept]
        pattern_power, patterns = _components(
            (_normal_patches(student, masked) @ spectra_in).flatten(1) for masked in batches()
        )
        _set_embedding(student, power[:kept].sqrt(), spectra_in, pattern_power.sqrt(), patterns)
        _set_spectra(student, power.sqrt(), spectra)
        _set_head(student, power.sqrt(), spectra, batches())


def _normal_patches(student: Student, masked: Masked) -> Tensor:
    """Return the patches without an invalid pixel, normalised: ``(K, P, P, C)`` float64."""
    whole = masked.valid.flatten(2).all(2)
    return student.normalise(masked.patches[whole]).double()


def _components(batches: Iterator[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the mean square along each principal component of rows, and the components.

    Mean squares fall; components are the columns.
    """
    total, count = torch.zeros(()), 0
    for rows in batches:
        total = total + rows.T @ rows
        count += len(rows)
    power, vectors = torch.linalg.eigh(total / count)
    power = power.flip(0)
    return power.clamp(min=_SMALLEST * float(power[0])), vectors.flip(1)


def _set_embedding(
    student: Student, sizes: Tensor, spectra: Tensor, pattern_sizes: Tensor, patterns: Tensor
) -> None:
    """Make the tokens the principal components of patches, scaled to one another's size.

    Roots of the sizes are taken: with the full size, strong components would hide the
    others from the norms; without any, the last ones, which are noise, would count as much.
    """
    patch, half = student.config.patch, len(sizes)
    rows = (spectra / sizes.sqrt()).T
    student.stem.weight.zero_()
    student.stem.weight[: 2 * half, :, 0, 0] = torch.cat((rows, -rows)).float()
    student.stem.bias.zero_()

    kept = min(student.config.dim, len(pattern_sizes))
    scale = pattern_sizes[:kept].rsqrt()
    scale = scale / (scale * pattern_sizes[:kept]).square().mean().sqrt()
    kernel = (patterns[:, :kept] * scale).T.reshape(kept, patch, patch, half) * sizes.sqrt()
    kernel = kernel.permute(0, 3, 1, 2)
    student.patches.weight.zero_()
    student.patches.weight[:kept, : 2 * half] = torch.cat((kernel, -kernel), 1).float()
    torch.nn.init.eye_(student.bridge.weight)


def _set_spectra(student: Student, sizes: Tensor, spectra: Tensor) -> None:
    """Let each channel of the head mean one spectral component, of unit size."""
    rank = min(student.config.rank, len(sizes))
    student.spectra.weight.zero_()
    student.spectra.weight[:, :rank, 0, 0] = (spectra * sizes)[:, :rank].float()


def _set_head(student: Student, sizes: Tensor, spectra: Tensor, batches: Iterator[Masked]) -> None:
    """Fit the map from the decoder's tokens to the components of hidden patches."""
    rank = min(student.config.rank, len(sizes))
    to_components = (spectra / sizes)[:, :rank]
    seen: list[Tensor] = []
    hook = student.unpatch.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    left = right = torch.zeros(())
    for masked in batches:
        masked.predict(student)
        patches, valid = masked.hidden()
        whole = valid.flatten(2).all(2)
        tokens = seen.pop()[whole].double()
        tokens = torch.cat((tokens, torch.ones_like(tokens[:, :1])), 1)
        truth = student.normalise(patches[whole]).double() @ to_components
        left = left + tokens.T @ tokens
        right = right + tokens.T @ truth.flatten(1)
    hook.remove()
    left = left + _RIDGE * left.diagonal().mean() * torch.eye(len(left)).to(left)
    solution = torch.linalg.solve(left, right)
    patch = student.config.patch
    full = torch.zeros(len(solution), patch, patch, student.config.rank).to(solution)
    full[..., :rank] = solution.unflatten(1, (patch, patch, rank))
    student.unpatch.weight.copy_(full[:-1].flatten(1).T)
    student.unpatch.bias.copy_(full[-1].flatten())
