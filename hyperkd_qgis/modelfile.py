"""Reads the card in a model's file, and finds the file of a model's name, in milliseconds.

Pure Python, and nothing of the engine: dialogs and checks must not wait for a process.
What is decided here is only what the user sees early; the engine checks everything again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Optional

from .cardcheck import LARGEST_CARD as _LARGEST_CARD
from .cardcheck import parse_card
from .env.managed import data_folder
from .paths import shipped_students
from .regular import open_regular

SUFFIXES = (".onnx", ".safetensors", ".pt")
_CARD_KEY = b"hyperkd.card"
_MODELS_VARIABLE = "HYPERKD_MODELS"
# A model has a graph and some dozens of entries of metadata.
_MOST_FIELDS = 10_000

# Of the exchange format ONNX: the number of ModelProto.metadata_props, and of the two
# texts in each of its entries.
_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Card = Mapping[str, Any]


def models_folder() -> Path:
    """Return the folder of the model store, as the engine finds it."""
    named = os.environ.get(_MODELS_VARIABLE, "")
    return Path(named).absolute() if named else data_folder() / "models"


def find_model(name_or_path: str) -> Optional[Path]:
    """Return the ONNX file that a name or a path means, or None where there is none."""
    for folder in (shipped_students(), models_folder()):
        path = folder / f"{name_or_path}.onnx"
        if os.path.basename(name_or_path) == name_or_path and path.is_file():
            return path
    path = Path(name_or_path)
    return path if path.is_file() else None


def local_models() -> list[Path]:
    """Return the ONNX files of the shipped and stored models, by name."""
    found = {path.stem: path for path in sorted(models_folder().glob("*.onnx"))}
    found.update((path.stem, path) for path in sorted(shipped_students().glob("*.onnx")))
    return [found[name] for name in sorted(found)]


def trainable_students() -> list[str]:
    """Return the names of students that can be trained: those whose checkpoint is here."""
    folders = (shipped_students(), models_folder())
    return sorted({path.stem for folder in folders for path in folder.glob("*.safetensors")})


def read_card(path: Path) -> Optional[Card]:
    """Return the card in a model's file, or None where it has none that can be read."""
    readers = {".onnx": _onnx_card, ".safetensors": _checkpoint_card}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        return None
    try:
        with open_regular(path) as file:
            text = reader(file)
        return None if text is None else parse_card(text)
    except (
        *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError),
        *(OSError, RecursionError, TypeError, ValueError),
    ):
        return None


def outputs_of(card: Card) -> tuple[str, ...]:
    """Return what a model of this card computes; the values of some are fractions of covers."""
    known: tuple[str, ...] = {
        "pretrain": ("embedding", "reconstruction"),
        "classification": ("logits",),
        "regression": ("values",),
    }.get(str(card.get("task")), ())
    targets = card.get("targets") or ()
    if known == ("values",) and targets and all("color" in each for each in targets):
        known = (*known, "fractions")
    return (*known, "embedding") if card.get("has_embedding") is True else known


def _onnx_card(file: BinaryIO) -> Optional[str]:
    for number, payload in _fields(file, os.fstat(file.fileno()).st_size):
        if number == _METADATA_PROPS and payload is not None:
            entry = dict(_entry(payload))
            if entry.get(_KEY) == _CARD_KEY:
                return entry.get(_VALUE, b"").decode("utf-8")
    return None


def _checkpoint_card(file: BinaryIO) -> Optional[str]:
    length = int.from_bytes(_exactly(file, 8), "little")
    if length > _LARGEST_CARD:
        return None
    header = json.loads(_exactly(file, length))
    text = header.get("__metadata__", {}).get(_CARD_KEY.decode())
    return text if isinstance(text, str) else None


def _fields(file: BinaryIO, size: int) -> Iterator[tuple[int, Optional[bytes]]]:
    """Yield the top fields of a protobuf message; only short texts are read, weights are skipped.

    Raises:
        ValueError: it is no such message.
        EOFError: it ends in the middle.
    """
    for _ in range(_MOST_FIELDS):
        if file.tell() >= size:
            return
        number, kind = divmod(_varint(file), 8)
        if kind == _VARINT:
            _varint(file)
            yield number, None
        elif kind in (_FIXED64, _FIXED32):
            file.seek(8 if kind == _FIXED64 else 4, os.SEEK_CUR)
            yield number, None
        elif kind == _BYTES:
            length = _varint(file)
            if number == _METADATA_PROPS and length <= _LARGEST_CARD:
                yield number, _exactly(file, length)
            else:
                file.seek(length, os.SEEK_CUR)
                yield number, None
        else:
            raise ValueError(f"no field of ONNX has the wire type {kind}")
    raise ValueError("no model has that many fields")


def _entry(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the texts of one entry by their number."""
    position = 0
    while position < len(payload):
        tag, position = _varint_in(payload, position)
        length, position = _varint_in(payload, position)
        if tag % 8 != _BYTES:
            raise ValueError("an entry of ONNX's metadata holds texts only")
        yield tag // 8, payload[position : position + length]
        position += length


def _varint(file: BinaryIO) -> int:
    value = shift = 0
    while True:
        byte = _exactly(file, 1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
        shift += 7
        if shift > 63:
            raise ValueError("no number of protobuf is that long")


def _varint_in(payload: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(payload) and shift <= 63:
        byte = payload[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("a number of protobuf breaks off")


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise EOFError
    return data
