"""Which teacher a name or a path means."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

from hyperkd.errors import HyperKDError
from hyperkd.models.store.model_store import Record, Store
from hyperkd.models.store.published import find_published, published
from hyperkd.training.teacher.prithvi_features import LoadedTeacher, load_teacher
from hyperkd.training.teacher.standin import load_stand_in

UNVERIFIED: Final = "unverified"

_STAND_IN_SUFFIX: Final = ".safetensors"


def find_teacher(name_or_path: str) -> LoadedTeacher:
    """Load the teacher that a name of the model store or a path means.

    Raises:
        HyperKDError: ``bad_model`` where there is no such teacher or the file holds
            something else, and as ``load_teacher`` and ``load_stand_in``.
    """
    path = _resolve(name_or_path)
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        raise HyperKDError(
            "bad_model",
            f"{path.name} is a student, not a teacher.",
            "Give the published .pt file of a Prithvi, or a stand-in teacher (.safetensors).",
        )
    if suffix == _STAND_IN_SUFFIX:
        return load_stand_in(path)
    loaded = load_teacher(path)
    known = find_published(loaded.version.name)
    # Tensors of the right shapes can hold anything; a stated checksum decides.
    kind = loaded.kind if known.sha256 in (None, loaded.sha256) else UNVERIFIED
    return dataclasses.replace(loaded, kind=kind, licence=known.licence)


def _resolve(name_or_path: str) -> Path:
    store = Store()
    record = store.find(name_or_path)
    if record is not None:
        return store.path(record)
    path = Path(name_or_path)
    if path.is_file():
        return path
    wanted = name_or_path.lower().replace("_", "-")
    for model in published():
        if wanted in (model.name, *model.aliases):
            stored = store.find(model.name)
            if stored is not None:
                return store.path(stored)
            raise HyperKDError(
                "bad_model",
                f"The teacher {model.name} is not in the model store.",
                f"Fetch it with: hyperkd models fetch {model.name}",
            )
    known = [
        each.name
        for each in store.records()
        if isinstance(each, Record) and not each.file.endswith(".onnx")
    ]
    raise HyperKDError(
        "bad_model",
        f"There is no teacher {name_or_path!r}.",
        "Give the path of a published .pt file or of a stand-in teacher, none, or a name: "
        f"{', '.join(known) or 'the model store holds none'}.",
    )
