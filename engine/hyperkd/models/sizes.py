"""The students that can be trained by name.

The paper (HyperKD, arXiv 2508.09453) is quoted for a ViT masked autoencoder on
tiles of 224 x 224 pixels with 218 bands. Its teacher, Prithvi-100M, has patches of
16, a width of 768 in 12 blocks with 12 heads, and a decoder of 512 in 8 blocks with
16 heads, and hides three quarters of the patches.

``paper`` takes tile and bands from the paper. The patch of 16 and the sizes of
encoder and decoder are the teacher's: that the student shares them, and its share
of hidden patches, is our reading. Its stem and rank, and every size of ``tiny``,
``small`` and ``base``, are ours. What all students have beyond the paper is listed in
``hyperkd.models.nets.student``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Optional

from hyperkd.errors import HyperKDError


@dataclass(frozen=True)
class StudentConfig:
    """Sizes of a student.

    Attributes:
        bands: C, spectral bands of its input and reconstruction.
        patch: P, side of one token's square in pixels.
        stem: S, channels of the spectral stem.
        dim, depth, heads: width, blocks and attention heads of the encoder.
        decoder_dim, decoder_depth, decoder_heads: the same of the decoder.
        rank: channels from which the head makes spectra.
        tile: side of the training tile in pixels.
    """

    bands: int
    patch: int
    stem: int
    dim: int
    depth: int
    heads: int
    decoder_dim: int
    decoder_depth: int
    decoder_heads: int
    rank: int
    tile: int

    def to_dict(self) -> dict[str, Any]:
        """Return the sizes as JSON-serialisable values, for the card."""
        return asdict(self)


CANONICAL_BANDS: Final = 218
PATCHES: Final = (4, 8, 16)
# What a model is called that begins with random weights; a preset may follow.
SCRATCH: Final = "scratch"

PRESETS: Final[Mapping[str, StudentConfig]] = {
    # bands, patch, stem, dim, depth, heads, decoder dim, depth, heads, rank, tile
    "tiny": StudentConfig(CANONICAL_BANDS, 4, 64, 128, 4, 4, 96, 2, 4, 32, 64),
    "small": StudentConfig(CANONICAL_BANDS, 8, 96, 384, 12, 6, 192, 4, 6, 48, 128),
    "base": StudentConfig(CANONICAL_BANDS, 8, 128, 768, 12, 12, 384, 4, 12, 64, 128),
    "paper": StudentConfig(CANONICAL_BANDS, 16, 128, 768, 12, 12, 512, 8, 16, 64, 224),
}


def preset(name: str, patch: Optional[int]) -> StudentConfig:
    """Return the sizes of a preset, with its own patch or another one.

    Args:
        name: one of ``PRESETS``.
        patch: side of a token's square in pixels, one of ``PATCHES``; None keeps the
            preset's. A smaller patch sees finer detail and costs more: half the
            patch makes four times as many tokens.

    Raises:
        HyperKDError: ``bad_job`` for another patch.
    """
    if patch is None:
        return PRESETS[name]
    if patch not in PATCHES:
        raise HyperKDError(
            "bad_job",
            f"A student's patch cannot be {patch} pixels wide.",
            f"Choose one of {', '.join(map(str, PATCHES))}.",
        )
    return replace(PRESETS[name], patch=patch)


def sizes_of_scratch(name: str) -> Optional[str]:
    """Return the preset that ``scratch`` or ``scratch:<preset>`` names, None for a student.

    Raises:
        HyperKDError: ``bad_job`` where there is no such preset.
    """
    word, _, sizes = name.partition(":")
    if word != SCRATCH:
        return None
    sizes = sizes or next(iter(PRESETS))
    if sizes not in PRESETS:
        raise HyperKDError(
            "bad_job",
            f"There is no preset {sizes!r}.",
            f"Choose one of: {', '.join(PRESETS)}.",
            key="student",
        )
    return sizes
