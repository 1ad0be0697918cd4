"""Dense heads: classes or quantities of every pixel, from its spectrum and its surroundings.

A token describes a square of several pixels; at 30 m the spectrum of the single
pixel often says more. A head therefore adds three paths:

1. linear: the pixel's normalised spectrum, one weight per band. With nothing
   else the head is multinomial logistic or linear regression, exactly, and it
   can start from the weights of one (``DenseHead.start_from_linear``);
2. components: a few linear combinations of the spectrum, and what differs between
   them and their mean over the pixel and its eight neighbours;
3. physics: the fractions of covers that a fixed network, taught by simulated truth, sees;
4. tokens: the encoder's features, brought back to pixels bilinearly.

The last three also enter a committee of small perceptrons, whose mean is added. All but
the first start at zero: training adds to the linear answer what the others know better.

Shapes: B tiles, C bands, R components, F fractions by the fixed network, D width of the
tokens, P the patch size, M members, S hidden channels of a member, K outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Optional

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperkd.models.nets.encoder import Convolution, Encoder
from hyperkd.models.nets.spectral_net import SpectralFractions
from hyperkd.models.sizes import StudentConfig

TASKS: Final = ("classification", "regression")

_SMALLEST = 1e-6  # of the largest weight; below lies rounding
_NEIGHBOURS: Final = 3  # side of the square around a pixel, in pixels


@dataclass(frozen=True)
class HeadConfig:
    """Sizes of a dense head.

    Attributes:
        task: ``classification`` or ``regression``.
        outputs: K, classes or targets.
        bands: C, spectral bands of its input.
        dim: D, width of the tokens.
        patch: P, side of one token's square in pixels.
        components: R, linear combinations of the bands.
        hidden: S, channels of each member.
        members: M, perceptrons of the ensemble, whose outputs are averaged.
        dropout: fraction of the members' channels that training drops.
        neighbours: whether the neighbouring pixels are an input.
        tokens: whether the tokens are an input; without them the encoder is not computed.
        physics: F, fractions by the fixed network that are an input; 0 without.
    """

    task: str
    outputs: int
    bands: int
    dim: int
    patch: int
    components: int = 32
    hidden: int = 32
    members: int = 4
    dropout: float = 0.1
    neighbours: bool = True
    tokens: bool = True
    physics: int = 0

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"the task is {self.task!r}, known are {', '.join(TASKS)}")
        sizes = (
            *(self.outputs, self.bands, self.dim, self.patch),
            *(self.components, self.hidden, self.members),
        )
        if min(sizes) < 1 or self.physics < 0 or not 0 <= self.dropout < 1:
            raise ValueError(f"impossible sizes of a head: {self}")

    @classmethod
    def fitting(cls, student: StudentConfig, task: str, outputs: int, **sizes: Any) -> HeadConfig:
        """Return the sizes of a head for a student; ``sizes`` are those behind ``patch``."""
        return cls(task, outputs, student.bands, student.dim, student.patch, **sizes)

    @property
    def reach_px(self) -> int:
        """Side of the square of pixels that it reads besides the tokens."""
        return _NEIGHBOURS if self.neighbours else 1

    def to_dict(self) -> Mapping[str, Any]:
        """Return the sizes as JSON-serialisable values, for the card."""
        sizes = asdict(self)
        if not self.physics:  # as heads were described before there were such features
            del sizes["physics"]
        return sizes


class DenseHead(nn.Module):
    """A linear model and an MLP ensemble on the components and tokens of every pixel.

    Args:
        target_mean, target_std: ``(K,)`` mean and standard deviation of each target in
            its unit, of a regression; the paths compute ``(value - mean) / std``.

    Attributes:
        target_low, target_high: ``(K,)`` between which the values of a regression are kept;
            infinite at first.
    """

    target_mean: Tensor
    target_std: Tensor
    target_low: Tensor
    target_high: Tensor

    def __init__(
        self,
        config: HeadConfig,
        target_mean: Optional[Sequence[float]] = None,
        target_std: Optional[Sequence[float]] = None,
    ) -> None:
        super().__init__()
        self.config = config
        wide = config.members * config.hidden
        self.linear = Convolution(config.bands, config.outputs, 1)
        self.components = Convolution(config.bands, config.components, 1)
        self.spectral = Convolution(config.components, wide, 1)
        # Of what these give, the first K channels are part of the answer at once.
        if config.neighbours:
            self.beside = nn.Conv2d(config.components, config.outputs + wide, 1, bias=False)
        if config.tokens:
            self.context = nn.Conv2d(config.dim, config.outputs + wide, 1, bias=False)
        if config.physics:
            self.physics = nn.Conv2d(config.physics, config.outputs + wide, 1, bias=False)
        self.mix = Convolution(wide, wide, 1, groups=config.members)
        self.dropout = nn.Dropout(config.dropout)
        self.answer = Convolution(wide, config.outputs, 1)
        if config.task == "regression":
            outputs = config.outputs
            mean = [0.0] * outputs if target_mean is None else target_mean
            std = [1.0] * outputs if target_std is None else target_std
            if not len(mean) == len(std) == outputs or min(std) <= 0:
                raise ValueError(f"target mean {mean} and std {std} for {outputs} targets")
            self.register_buffer("target_mean", torch.as_tensor(mean, dtype=torch.float32))
            self.register_buffer("target_std", torch.as_tensor(std, dtype=torch.float32))
            self.register_buffer("target_low", torch.full((outputs,), -torch.inf))
            self.register_buffer("target_high", torch.full((outputs,), torch.inf))
        elif target_mean is not None or target_std is not None:
            raise ValueError("a classification has no target mean and std")
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        outputs = self.config.outputs
        for layer in (self.components, self.spectral, self.mix):
            nn.init.xavier_uniform_(layer.weight.flatten(1))
            nn.init.zeros_(layer.bias)
        for entrance in self._entrances():
            nn.init.xavier_uniform_(entrance.weight.flatten(1))
            nn.init.zeros_(entrance.weight[:outputs])
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)

    def _entrances(self) -> tuple[nn.Conv2d, ...]:
        beside = (self.beside,) if self.config.neighbours else ()
        context = (self.context,) if self.config.tokens else ()
        return (*beside, *context, *((self.physics,) if self.config.physics else ()))

    def first_layers(self) -> tuple[Convolution, ...]:
        """Return the layers that read the pixels, 1 x 1 all; an export folds into them."""
        return self.linear, self.components

    def forward(
        self,
        tokens: Optional[Tensor],
        pixels: Tensor,
        valid: Tensor,
        physics: Optional[Tensor] = None,
    ) -> Tensor:
        """Answer for every pixel.

        Args:
            tokens: ``(B, D, H / P, W / P)``; None where they are no input.
            pixels: ``(B, C, H, W)`` *normalised* reflectance.
            valid: ``(B, 1, H, W)``, 1 where the pixel carries a spectrum, else 0.
            physics: ``(B, F, H, W)`` fractions by the fixed network; None where they are no input.

        Returns:
            ``(B, K, H, W)``: logits, or values in the targets' units. What an invalid
            pixel holds reaches none of them, and neither does a token without a
            valid pixel.
        """
        context = None
        if self.config.tokens and tokens is not None:
            # Both are linear, and there are fewer tokens than pixels: the convolution first.
            context = self.at_pixels(self.context(tokens), valid)
        return self.merge(context, pixels, valid, physics)

    def merge(
        self,
        context: Optional[Tensor],
        pixels: Tensor,
        valid: Tensor,
        physics: Optional[Tensor] = None,
    ) -> Tensor:
        """Answer for pixels whose surroundings are known.

        For sparse labels, small windows around them do instead of tiles: the answer of a
        pixel depends on it and its eight neighbours alone.

        Args:
            context: ``(B, K + M S, H, W)``: ``self.context`` of tokens brought to pixels, or
                None where they are no input.
            pixels, valid, physics: as in ``forward``; H and W are any.

        Returns:
            ``(B, K, H, W)`` as ``forward``.
        """
        outputs = self.config.outputs
        components = self.components(pixels) * valid
        answer = self.linear(pixels) * valid
        hidden = self.spectral(components)
        both = [] if context is None else [context]
        if self.config.neighbours:
            both.append(self.beside(self.neighbour_difference(components, valid)))
        if self.config.physics and physics is not None:
            both.append(self.physics(physics) * valid)
        for entering in both:
            answer = answer + entering[:, :outputs]
            hidden = hidden + entering[:, outputs:]
        hidden = self.dropout(functional.gelu(hidden))
        hidden = self.dropout(functional.gelu(self.mix(hidden)))
        answer = answer + self.answer(hidden)
        if self.config.task == "classification":
            return answer
        values = answer * self.target_std[:, None, None] + self.target_mean[:, None, None]
        low, high = self.target_low[:, None, None], self.target_high[:, None, None]
        return torch.minimum(torch.maximum(values, low), high)

    def neighbour_difference(self, components: Tensor, valid: Tensor) -> Tensor:
        """Return the mean over a pixel's valid neighbours and itself, less the pixel.

        Args:
            components: ``(B, R, H, W)``, 0 where a pixel is not valid.
            valid: ``(B, 1, H, W)``.
        """
        size, margin = _NEIGHBOURS, _NEIGHBOURS // 2
        total = functional.avg_pool2d(components, size, 1, margin)
        count = functional.avg_pool2d(valid, size, 1, margin)
        return (total / count.clamp(min=_SMALLEST) - components) * valid

    def at_pixels(self, tokens: Tensor, valid: Tensor) -> Tensor:
        """Bring ``(B, ., H / P, W / P)`` to ``(B, ., H, W)``; see ``tokens_at_pixels``."""
        return tokens_at_pixels(tokens, valid, self.config.patch)

    @torch.no_grad()
    def start_from_linear(self, weight: Tensor, bias: Tensor) -> None:
        """Make the head answer ``weight @ spectrum + bias`` of normalised spectra, and no more.

        Args:
            weight: ``(K, C)`` for normalised reflectance.
            bias: ``(K,)``.
                Both give logits, or values in the targets' units.
        """
        outputs, bands = self.config.outputs, self.config.bands
        if weight.shape != (outputs, bands) or bias.shape != (outputs,):
            raise ValueError(
                f"weight {tuple(weight.shape)} and bias {tuple(bias.shape)} "
                f"for {outputs} outputs and {bands} bands"
            )
        weight, bias = weight.to(self.linear.weight), bias.to(self.linear.weight)
        if self.config.task == "regression":
            weight = weight / self.target_std[:, None]
            bias = (bias - self.target_mean) / self.target_std
        self.linear.weight.copy_(weight[:, :, None, None])
        self.linear.bias.copy_(bias)
        for entrance in self._entrances():
            nn.init.zeros_(entrance.weight[:outputs])
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)


def tokens_at_pixels(tokens: Tensor, valid: Tensor, patch: int) -> Tensor:
    """Bring ``(B, ., H / P, W / P)`` to ``(B, ., H, W)`` bilinearly, without empty tokens."""

    def upsample(image: Tensor) -> Tensor:
        return functional.interpolate(
            image, scale_factor=float(patch), mode="bilinear", align_corners=False
        )

    filled = functional.max_pool2d(valid, patch)
    return upsample(tokens * filled) / upsample(filled).clamp(min=_SMALLEST)


class DenseModel(nn.Module):
    """A student's encoder with a dense head; pixels are reflectance (0 to 1).

    Args:
        student: the encoder, whose parts become parts of this model; a decoder is left
            behind.
        head: what answers for each pixel.
        physics: the fixed network whose fractions the head takes; None where it takes none.
    """

    def __init__(
        self, student: Encoder, head: DenseHead, physics: Optional[SpectralFractions] = None
    ) -> None:
        super().__init__()
        config, sizes = student.config, head.config
        if (config.bands, config.dim, config.patch) != (sizes.bands, sizes.dim, sizes.patch):
            raise ValueError(f"the head {sizes} does not fit the student {config}")
        if sizes.physics != (physics.widths[-1] if physics else 0):
            raise ValueError(f"the head {sizes} does not fit the fractions of {physics}")
        self.student = student.encoder()
        self.head = head
        self.physics = physics

    def forward(self, pixels: Tensor, valid: Tensor) -> Tensor:
        """Map reflectance ``(B, C, H, W)`` and ``valid`` (B, 1, H, W) to ``(B, K, H, W)``.

        H and W are multiples of P. See ``DenseHead.forward``.
        """
        tokens = self.encode(pixels, valid) if self.head.config.tokens else None
        return self.from_tokens(tokens, pixels, valid)

    def encode(self, pixels: Tensor, valid: Tensor) -> Tensor:
        """Return the tokens ``(B, D, H / P, W / P)``; of a frozen encoder they can be kept."""
        return self.student.tokens(pixels, valid)

    def from_tokens(self, tokens: Optional[Tensor], pixels: Tensor, valid: Tensor) -> Tensor:
        """Answer as ``forward`` does, with the tokens already there."""
        physics = self.physics(pixels) if self.physics is not None else None
        answer: Tensor = self.head(tokens, self.student.normalise_image(pixels), valid, physics)
        return answer
