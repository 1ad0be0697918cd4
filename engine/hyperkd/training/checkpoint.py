"""Checkpoints: a student's tensors and its card in one safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Union

from safetensors.torch import load_file, save
from torch import Tensor

from hyperkd.errors import HyperKDError
from hyperkd.models.bundle import read_checkpoint_card
from hyperkd.models.card import CARD_KEY, ModelCard
from hyperkd.models.nets.student import Student, StudentConfig
from hyperkd.partial import PartialFile

_FAMILY = "hyperkd-student-1"


def architecture(preset: str, config: StudentConfig) -> dict[str, Any]:
    """Return what the card says about a student's network."""
    return {"family": _FAMILY, "preset": preset, **config.to_dict()}


def save_checkpoint(path: Union[str, Path], student: Student, card: ModelCard) -> None:
    """Write a student; the old file stays until the new one is whole.

    Raises:
        HyperKDError: ``unwritable_output`` and ``out_of_disk`` as ``PartialFile``.
    """
    tensors = {name: tensor.contiguous() for name, tensor in student.state_dict().items()}
    content = save(tensors, metadata={CARD_KEY: card.to_json()})
    with PartialFile(path) as part:
        Path(part.temporary).write_bytes(content)


def load_checkpoint(path: Union[str, Path]) -> tuple[Student, ModelCard]:
    """Read a student; its tensors must be exactly those of its architecture.

    Raises:
        HyperKDError: ``bad_model`` with the names of tensors that are missing,
            unexpected or misshapen, and as ``read_checkpoint_card``.
    """
    card = read_checkpoint_card(path)
    student = Student(_config(card), card.mean, card.std)
    tensors = load_file(path)
    _refuse_mismatch(Path(path).name, student.state_dict(), tensors)
    student.load_state_dict(tensors)
    return student.eval(), card


def _config(card: ModelCard) -> StudentConfig:
    sizes = {f.name: card.architecture.get(f.name) for f in fields(StudentConfig)}
    wrong = [name for name, size in sizes.items() if type(size) is not int or size < 1]
    family = card.architecture.get("family")
    if family != _FAMILY or wrong:
        raise HyperKDError(
            "bad_model",
            f"The checkpoint's architecture cannot be built: family {family!r}"
            + (f", wrong sizes {', '.join(wrong)}." if wrong else "."),
            f"This version of HyperKD builds the family {_FAMILY!r}.",
        )
    return StudentConfig(**{name: int(size or 0) for name, size in sizes.items()})


def _refuse_mismatch(
    name: str, expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]
) -> None:
    missing = sorted(set(expected) - set(tensors))
    unexpected = sorted(set(tensors) - set(expected))
    misshapen = [
        f"{key} {tuple(tensors[key].shape)} instead of {tuple(value.shape)}"
        for key, value in expected.items()
        if key in tensors and tensors[key].shape != value.shape
    ]
    problems = [
        f"{what} {', '.join(keys[:5])}{' and more' if len(keys) > 5 else ''}"
        for what, keys in (
            ("missing tensors:", missing),
            ("unexpected tensors:", unexpected),
            ("wrong shapes:", misshapen),
        )
        if keys
    ]
    if problems:
        raise HyperKDError(
            "bad_model",
            f"{name} does not hold the student that its card describes; {'; '.join(problems)}.",
            "Take a checkpoint written by this version of HyperKD.",
            missing=missing,
            unexpected=unexpected,
            misshapen=misshapen,
        )
