"""Checkpoints: a network's tensors and its card in one safetensors file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, Final, Optional, Union

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.models.bundle import read_checkpoint_card, require_intact_tensors
from hyperkd.models.card import CARD_KEY, ModelCard
from hyperkd.models.nets.encoder import Encoder
from hyperkd.models.nets.heads import DenseHead, DenseModel, HeadConfig
from hyperkd.models.nets.spectral_net import SpectralFractions
from hyperkd.models.nets.student import Student
from hyperkd.models.seal import CARD_SEAL_KEY, SEAL_KEY, tensors_digest, text_digest
from hyperkd.models.sizes import StudentConfig
from hyperkd.models.tensors import require_shapes

Network = Union[Student, DenseModel]

STUDENT_FAMILY: Final = "hyperkd-student-1"
DENSE_FAMILY: Final = "hyperkd-dense-1"

# What no network reaches; a damaged or made-up card must not fill memory or run for hours.
_LARGEST_SIZE: Final = 1 << 16
_LARGEST_DEPTH: Final = 1 << 9


def architecture(
    preset: str,
    config: StudentConfig,
    head: Optional[HeadConfig] = None,
    physics: Optional[SpectralFractions] = None,
) -> dict[str, Any]:
    """Return what the card says about a network: a student, or its encoder with a head.

    Args:
        physics: the fixed network whose fractions the head takes.
    """
    if head is None:
        return {"family": STUDENT_FAMILY, "preset": preset, **config.to_dict()}
    sizes = {"preset": preset, **config.to_dict(), "head": head.to_dict()}
    widths = {} if physics is None else {"physics": list(physics.widths)}
    return {"family": DENSE_FAMILY, **sizes, **widths}


def save_checkpoint(path: Union[str, Path], model: Network, card: ModelCard) -> None:
    """Write a network; the old file stays until the new one is whole.

    Raises:
        ValueError: where the card describes another network.
        HyperKDError: ``unwritable_output`` and ``out_of_disk`` as ``AtomicFile``.
    """
    require_card_of(model, card)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    text = card.to_json()
    metadata = {CARD_KEY: text, CARD_SEAL_KEY: text_digest(text)}
    content = _sealed(save(tensors, metadata))
    with AtomicFile(path) as part:
        Path(part.temporary).write_bytes(content)


def load_checkpoint(path: Union[str, Path]) -> tuple[Network, ModelCard]:
    """Read a network; its tensors must be exactly those of its architecture.

    Returns:
        A ``Student`` for the task ``pretrain``, else a ``DenseModel``; and the card.

    Raises:
        HyperKDError: ``bad_model`` with the names of tensors that are missing,
            unexpected or misshapen, where the card describes no network of this
            version, or where a tensor changed since it was written; and as
            ``read_checkpoint_card``.
    """
    card = read_checkpoint_card(path)
    # Without memory for weights first: only a network of the file's own size gets any.
    with torch.device("meta"):
        described = _build(card).state_dict()
    tensors = _read_tensors(Path(path))
    require_shapes(
        {name: tuple(tensor.shape) for name, tensor in sorted(tensors.items())},
        {name: tuple(tensor.shape) for name, tensor in sorted(described.items())},
        f"{Path(path).name} does not hold the network that its card describes",
        "Take a checkpoint written by this version of HyperKD.",
    )
    model = _build(card)
    model.load_state_dict(tensors)
    return model.eval(), card


def _sealed(content: bytes) -> bytes:
    """Add the checksum of the tensors to the header of a safetensors file.

    Its metadata is sorted, so that the same network gives the same bytes.
    """
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    stated = {**header["__metadata__"], SEAL_KEY: tensors_digest(io.BytesIO(content))}
    header["__metadata__"] = dict(sorted(stated.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the tensors begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text + content[end:]


def _read_tensors(path: Path) -> dict[str, Tensor]:
    require_intact_tensors(path)
    with safe_open(path, framework="pt") as checkpoint:
        return {name: checkpoint.get_tensor(name) for name in checkpoint.keys()}  # noqa: SIM118


def load_student(path: Union[str, Path]) -> tuple[Student, ModelCard]:
    """Read a student, which is to be trained further.

    Raises:
        HyperKDError: as ``load_checkpoint``, and ``bad_model`` for a fine-tuned model,
            which has no decoder.
    """
    model, card = load_checkpoint(path)
    if not isinstance(model, Student):
        raise HyperKDError(
            "bad_model",
            f"{Path(path).name} holds a model fine-tuned for {card.task}, not a student.",
            "Give the checkpoint of a student, as hyperkd distill writes it.",
        )
    return model, card


def require_card_of(model: Network, card: ModelCard) -> None:
    """Refuse to write a card that describes another network than ``model``.

    Raises:
        ValueError: where task, family, sizes, classes or targets differ.
    """
    preset = str(card.architecture.get("preset"))
    if isinstance(model, Student):
        task, answers = "pretrain", 0
        expected = architecture(preset, model.config)
    else:
        head = model.head.config
        task, answers = head.task, head.outputs
        expected = architecture(preset, model.student.config, head, model.physics)
    described = (card.task, len(card.classes) + len(card.targets), dict(card.architecture))
    if described != (task, answers, expected):
        raise ValueError(
            f"the card describes {described}, the model is {(task, answers, expected)}"
        )


def _build(card: ModelCard) -> Network:
    """Make the network that a card describes; its weights are arbitrary."""
    family = STUDENT_FAMILY if card.task == "pretrain" else DENSE_FAMILY
    given = card.architecture.get("family")
    if given != family:
        raise HyperKDError(
            "bad_model",
            f"The checkpoint's architecture cannot be built: family {given!r}.",
            f"For the task {card.task} this version of HyperKD builds the family {family!r}.",
        )
    config = StudentConfig(**_settings(card.architecture, StudentConfig))
    if config.bands != len(card.bands):
        raise _impossible(f"{config.bands} bands, but the card names {len(card.bands)}")
    if card.task == "pretrain":
        return Student(config, card.mean, card.std)
    described = card.architecture.get("head")
    if not isinstance(described, Mapping):
        raise _impossible("there is no head")
    sizes = _settings(described, HeadConfig)
    answers = len(card.classes) + len(card.targets)
    if (sizes["task"], sizes["outputs"]) != (card.task, answers):
        raise _impossible(
            f"a head for {sizes['task']!r} with {sizes['outputs']} outputs, but the card "
            f"is that of a {card.task} with {answers}"
        )
    try:
        return DenseModel(
            Encoder(config, card.mean, card.std),
            DenseHead(HeadConfig(**sizes)),
            _physics(config.bands, card.architecture.get("physics")),
        )
    except ValueError as error:
        raise _impossible(str(error)) from error


def _physics(bands: int, widths: Any) -> Optional[SpectralFractions]:
    """Make the fixed network of a fine-tuned model, where the card describes one."""
    if widths is None:
        return None
    sensible = isinstance(widths, (list, tuple)) and 1 <= len(widths) <= _LARGEST_DEPTH
    if not sensible or not all(type(n) is int and 1 <= n <= _LARGEST_SIZE for n in widths):
        raise _impossible(f"wrong sizes physics {widths}")
    return SpectralFractions(bands, widths)


def _settings(values: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Return the fields of a dataclass of sizes; whole numbers must be positive and sensible.

    One that is 0 by default may be 0, or missing.
    """
    given: dict[str, Any] = {
        f.name: values.get(f.name, 0 if _may_be_zero(f) else None) for f in fields(kind)
    }
    wrong = []
    for each in fields(kind):
        value = given[each.name]
        largest = _LARGEST_DEPTH if each.name.endswith("depth") else _LARGEST_SIZE
        is_size = each.type == "int"
        least = 0 if _may_be_zero(each) else 1
        if type(value).__name__ != each.type or (is_size and not least <= value <= largest):
            wrong.append(each.name)
    if wrong:
        raise _impossible(f"wrong sizes {', '.join(wrong)}")
    return given


def _may_be_zero(size: Field[Any]) -> bool:
    return size.type == "int" and size.default == 0


def _impossible(what: str) -> HyperKDError:
    return HyperKDError(
        "bad_model",
        f"The checkpoint's architecture cannot be built: {what}.",
        "Take a checkpoint written by this version of HyperKD.",
    )
