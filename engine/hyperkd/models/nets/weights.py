"""Tensors from a PyTorch file, without running what may hide in it.

The only place that calls ``torch.load``. Such a file is a ZIP archive with a
pickle inside, and a pickle is a program; so everything but plain tensors and
containers is refused before it is read.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Union

import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint

from hyperkd.errors import HyperKDError

# Training scripts put the tensors under one of these, next to their own state.
_WRAPPERS: Final = ("state_dict", "model_state", "model")
_DEEPEST_WRAPPER: Final = 3  # a file could wrap itself
_PICKLE_START: Final = b"\x80"  # of every pickle of protocol 2 and later
_AGAIN: Final = "Copy or download it again."


def read_tensors(path: Union[str, Path]) -> dict[str, Tensor]:
    """Read the tensors of a file that ``torch.save`` made.

    Args:
        path: the file; a wrapping ``{"state_dict": ...}``, ``{"model_state":
            ...}`` or ``{"model": ...}`` is taken off.

    Returns:
        Tensors by the names in the file. They are mapped from it, so copy
        them before the file may change.

    Raises:
        HyperKDError: ``bad_model`` where the file is missing, cut short,
            damaged or holds other things than tensors; ``untrusted_model``
            where it holds Python objects or programs.
    """
    name = Path(path).name
    _require_sound_archive(path, name)
    try:
        foreign = get_unsafe_globals_in_checkpoint(os.fspath(path))
    except Exception as error:
        raise _damaged(name, error) from error
    if foreign:
        raise HyperKDError(
            "untrusted_model",
            f"{name} holds Python objects, which could run any program: {', '.join(foreign)}.",
            "Take the published file, or save the state dict alone, without objects beside it.",
            objects=list(foreign),
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise _damaged(name, error) from error
    return _tensors(content, name)


def _require_sound_archive(path: Union[str, Path], name: str) -> None:
    """Check the container: torch itself does not notice a flipped bit."""
    try:
        with open(path, "rb") as file:
            start = file.read(1)
    except OSError as error:
        raise HyperKDError(
            "bad_model", f"Cannot read {path}: {error.strerror}.", "Check the path."
        ) from error
    if not zipfile.is_zipfile(path):
        if start == _PICKLE_START:
            raise HyperKDError(
                "untrusted_model",
                f"{name} is a bare pickle, which could run any program.",
                "Take the published file; torch has not written bare pickles since 2020.",
            )
        raise HyperKDError(
            "bad_model", f"{name} is not a PyTorch file, or it is cut short.", _AGAIN
        )
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            problem, hint = _foreign(members)
            damaged = None if problem else archive.testzip()
    # The last two: names that are not text, and parts that claim to be encrypted.
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError) as error:
        raise _damaged(name, error) from error
    if problem:
        raise HyperKDError("untrusted_model", f"{name} is {problem}.", hint)
    if damaged is not None:
        raise HyperKDError("bad_model", f"{name} is damaged in its part {damaged}.", _AGAIN)


def _foreign(members: Sequence[zipfile.ZipInfo]) -> tuple[str, str]:
    """Return what an archive is that must not be read, and what to do, or two empty texts."""
    if any("/code/" in each.filename for each in members):
        return "a TorchScript program, not a file of weights", "Take the file of weights."
    # Torch stores without compression, and a compressed part could unpack to any size.
    packed = [each.filename for each in members if each.compress_type != zipfile.ZIP_STORED]
    if packed:
        return f"a compressed archive ({packed[0]}), which PyTorch does not write", _AGAIN
    return "", ""


def _tensors(content: Any, name: str) -> dict[str, Tensor]:
    """Take the wrapper off and refuse everything that is not a tensor with a name."""
    for _ in range(_DEEPEST_WRAPPER):
        if isinstance(content, Mapping):
            inner = [content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)]
            content = inner[0] if inner else content
    if not isinstance(content, Mapping):
        raise HyperKDError(
            "bad_model",
            f"{name} holds a {type(content).__name__} instead of named tensors.",
            "Save the network's state dict.",
        )
    strange = [
        f"{key} ({type(value).__name__})"
        for key, value in content.items()
        if not (isinstance(key, str) and isinstance(value, Tensor))
    ]
    if strange:
        raise HyperKDError(
            "bad_model",
            f"{name} holds other things than tensors: {', '.join(strange[:5])}.",
            f"Save the network's state dict, alone or under one of: {', '.join(_WRAPPERS)}.",
        )
    return dict(content)


def _damaged(name: str, error: Exception) -> HyperKDError:
    reason = (str(error).splitlines() or [""])[0]
    return HyperKDError("bad_model", f"{name} is damaged: {reason}.".replace("..", "."), _AGAIN)
