"""What a model's name means: a shipped model, one of the model store, or a path."""

from __future__ import annotations

from pathlib import Path
from typing import Union

from hyperkd.errors import HyperKDError
from hyperkd.models.store.model_store import Record, Store

# engine/hyperkd/models/store/registry.py -> the repository, or the plugin's folder in its zip.
SHIPPED = Path(__file__).resolve().parents[4] / "resources" / "students"


def shipped_models() -> tuple[str, ...]:
    """Return the names of the models that come with HyperKD."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.onnx")))


def is_known(name: str) -> bool:
    """Return whether a name means a shipped or a stored model, or a file."""
    return name in shipped_models() or Store().find(name) is not None or Path(name).is_file()


def resolve(name_or_path: Union[str, Path]) -> Path:
    """Return the file that a name or a path means; a name goes before a file of that name.

    Raises:
        HyperKDError: ``bad_model`` where there is neither such a model nor such a file, or the
            store has one of the name of a shipped model.
    """
    known = shipped_models()
    store, name = Store(), str(name_or_path)
    if name in known:
        record = store.find(name)
        if record is not None:
            raise HyperKDError(
                "bad_model",
                f"{record.name} is the name of a model that comes with HyperKD, and of one of "
                "the store that was there before.",
                f"For the store's give its path, {store.path(record)}; or remove it there "
                f"(hyperkd models remove {record.name}).",
            )
        return SHIPPED / f"{name}.onnx"
    store.recover()
    record = store.find(name)
    if record is not None:
        if store.state(record) == "changed":
            raise HyperKDError(
                "bad_model",
                f"The model {record.name} of the store differs from its record: its size is "
                f"not the {record.bytes} bytes on record.",
                "Add or fetch it again, with the option replace.",
            )
        return store.path(record)
    path = Path(name_or_path)
    if path.is_file():
        return path
    stored = [each for each in store.records() if isinstance(each, Record)]
    known += tuple(each.name for each in stored if each.file.endswith(".onnx"))
    raise HyperKDError(
        "bad_model",
        f"There is no model {name!r}.",
        f"Give the path of an .onnx file, or a name: {', '.join(known) or 'none is shipped'}.",
        known=list(known),
    )
