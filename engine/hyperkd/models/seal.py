"""The seal of a model file: a checksum of what was written, which neither format keeps itself.

A flipped bit in the weights of an ONNX or safetensors file changes answers a little and
nothing notices. The seal of an ONNX file is its last entry of metadata and tells the
checksum of all bytes before it; files without one, of earlier versions, are read too.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from onnx import ModelProto

SEAL_KEY: Final = "hyperkd.sha256"
# Of the card in the header of a checkpoint; SEAL_KEY is that of its tensors.
CARD_SEAL_KEY: Final = "hyperkd.card.sha256"

_BLOCK: Final = 1 << 22


def sealed(model: ModelProto) -> bytes:
    """Return the content of a model's file with a seal; one that it has already is taken off."""
    kept = [entry for entry in model.metadata_props if entry.key != SEAL_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    content: bytes = model.SerializeToString()
    return content + _seal(hashlib.sha256(content).hexdigest())


def digest_of(model: ModelProto, content: bytes) -> tuple[str, bool]:
    """Return the SHA-256 of ``content``, and whether it is what was sealed, if it was at all.

    Args:
        model: what ``content`` is parsed as.
        content: of a model's file.
    """
    stated = [str(entry.value) for entry in model.metadata_props if entry.key == SEAL_KEY]
    if not stated:
        return hashlib.sha256(content).hexdigest(), True
    end = len(content) - len(_seal(stated[-1]))
    digest = hashlib.sha256(memoryview(content)[:end])
    intact = digest.hexdigest() == stated[-1]
    digest.update(memoryview(content)[end:])
    return digest.hexdigest(), intact


def tensors_digest(checkpoint: BinaryIO) -> str:
    """Return the SHA-256 of names and values in a safetensors file, hexadecimal.

    The file begins with the length of its header, 8 bytes, and the header, which is JSON;
    the values of each tensor lie behind it, between its two offsets.
    """
    start = 8 + int.from_bytes(checkpoint.read(8), "little")
    header = json.loads(checkpoint.read(start - 8))
    header.pop("__metadata__", None)
    digest = hashlib.sha256()
    for name, described in sorted(header.items()):
        digest.update(name.encode())
        first, end = described["data_offsets"]
        checkpoint.seek(start + first)
        for position in range(first, end, _BLOCK):
            digest.update(checkpoint.read(min(_BLOCK, end - position)))
    return digest.hexdigest()


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text as hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def _seal(digest: str) -> bytes:
    """Return one entry of metadata; appended to a file of protobuf it becomes its last one."""
    from onnx import ModelProto

    tail = ModelProto()
    tail.metadata_props.add(key=SEAL_KEY, value=digest)
    content: bytes = tail.SerializeToString()
    return content
