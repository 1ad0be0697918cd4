"""Whether a file is the model that it should be: students by their card, teachers by tensors."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Optional
from zipfile import is_zipfile

from hyperkd.errors import HyperKDError
from hyperkd.models.bundle import open_bundle, read_checkpoint_card, require_intact_tensors
from hyperkd.models.store.model_store import CHECKSUM, CONTENT
from hyperkd.models.store.published import published
from hyperkd.types import Reporter


def examine(
    path: Path, suffix: str, digest: str, report: Reporter
) -> tuple[str, str, tuple[str, ...]]:
    """Look into a model file.

    Args:
        suffix: which kind of file it is, a key of ``FILE_KINDS``.
        report: receives a warning for what could not be checked.

    Returns:
        A name for the model, its licence, and which checks it passed.

    Raises:
        HyperKDError: ``bad_model`` or ``untrusted_model``.
    """
    if suffix == ".onnx":
        return path.stem, open_bundle(path).card.licence, (CONTENT,)
    if suffix == ".safetensors":
        licence = read_checkpoint_card(path).licence
        require_intact_tensors(path)
        return path.stem, licence, (CONTENT,)
    known = {model.sha256: model for model in published()}.get(digest)
    version = teacher_version(path, report)
    if known is None and version is not None:
        report.log(
            "warning", f"{path.name} has the tensors of {version}, but no published checksum."
        )
    checks = (CHECKSUM,) * (known is not None) + (CONTENT,) * (version is not None)
    of_version = [model for model in published() if model.name == version]
    model = known or (of_version[0] if of_version else None)
    if model is None:
        return path.stem, "", checks
    # Only the published file is known to have the published licence.
    return model.name, model.licence if known else "", checks


def teacher_version(path: Path, report: Reporter) -> Optional[str]:
    """Return which version of Prithvi a file holds exactly, or None where torch is missing.

    Raises:
        HyperKDError: ``bad_model`` or ``untrusted_model``.
    """
    if find_spec("torch") is None:
        if not is_zipfile(path):
            raise HyperKDError(
                "bad_model",
                f"{path.name} is not a PyTorch file, or it is cut short.",
                "Take the published file.",
            )
        report.log("warning", "PyTorch is not installed, so the tensors were not checked.")
        return None
    from hyperkd.training.teacher.prithvi_features import read_teacher

    return read_teacher(path).version.name
