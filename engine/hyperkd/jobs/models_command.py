"""``hyperkd models``: what the model store does for the user, for a person and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.jobs.model_files import examine
from hyperkd.models.bundle import open_bundle
from hyperkd.models.store.download import kept_bytes
from hyperkd.models.store.model_store import (
    CHECKSUM,
    CONTENT,
    FILE_KINDS,
    Record,
    Store,
    checksum,
    copy,
)
from hyperkd.models.store.published import Published, find_published, published
from hyperkd.models.store.registry import resolve, shipped_models
from hyperkd.requests.models_options import (
    ModelsAddJob,
    ModelsListJob,
    ModelsRemoveJob,
    ModelsVerifyJob,
)
from hyperkd.types import Reporter


def list_models(request: ModelsListJob, report: Reporter) -> dict[str, Any]:
    """Return every model that is shipped, stored or published; ``text`` is the same as a table."""
    target = open_store(request.store)
    rows = [*_shipped(), *_stored(target)]
    present = {row["name"] for row in rows}
    rows += [_remote(model, target) for model in published() if model.name not in present]
    table = [("NAME", "KIND", "SIZE", "LICENCE", "STATUS")]
    for row in rows:
        unchecked = row["status"] == "ready" and not row["checks"]
        status = row["status"] + " (never verified)" * unchecked
        size = "?" if row["bytes"] is None else f"{row['bytes'] / 1e6:.1f} MB"
        table.append((row["name"], row["kind"], size, row["licence"] or "?", status))
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(r, widths)).rstrip() for r in table]
    text = "\n".join([*lines, f"Model store: {target.folder}"])
    return {"store": str(target.folder), "models": rows, "text": text}


def add(request: ModelsAddJob, report: Reporter) -> dict[str, Any]:
    """Check a model file and take it into the store.

    Raises:
        HyperKDError: ``bad_job`` where the name is taken or the file is of no
            known kind, ``bad_model`` or ``untrusted_model`` where it is not a sound
            model, ``input_changed`` where it changed on the way.
    """
    source, target = Path(request.file), open_store(request.store)
    suffix = {".pth": ".pt"}.get(source.suffix.lower(), source.suffix.lower())
    if suffix not in FILE_KINDS:
        raise HyperKDError(
            "bad_job",
            f"{source.name} is not a model file.",
            f"Give a file that ends in {', '.join(FILE_KINDS)}.",
        )
    if not source.is_file():
        raise HyperKDError("bad_model", f"There is no file {source}.", "Check the path.")
    if request.name is not None:
        _require_free(target, request.name, request.replace)
    report.stage(f"Checking {source.name}")
    digest = checksum(source, report)
    chosen, licence, checks = examine(source, suffix, digest, report)
    chosen = request.name or chosen
    _require_free(target, chosen, request.replace)
    target.make()
    report.stage(f"Copying {source.name}")
    record = Record(
        name=chosen,
        kind=FILE_KINDS[suffix],
        file=chosen + suffix,
        bytes=source.stat().st_size,
        sha256=digest,
        licence=licence,
        added=now(),
        checks=checks,
    )
    part = AtomicFile(target.path(record))
    try:
        if not (request.link and part.link(source)):
            if copy(source, Path(part.temporary), report) != digest:
                raise HyperKDError(
                    "input_changed",
                    f"{source} changed while it was copied.",
                    "Start again when nothing writes to it.",
                )
        target.write(record, part.commit)
    finally:
        part.abort()
    return summary_of(target, record, report)


def verify(request: ModelsVerifyJob, report: Reporter) -> dict[str, Any]:
    """Compare a stored model with its record, and look into it again; nothing is changed.

    Raises:
        HyperKDError: ``bad_model`` where there is no such model, or it is not what came.
    """
    if request.name in shipped_models():
        open_bundle(resolve(request.name))
        text = (
            f"{request.name} is sound. It is shipped with HyperKD, which keeps no checksum of it."
        )
        return {"name": request.name, "checks": [CONTENT], "text": text}
    target = open_store(request.store)
    record = target.find(request.name) or target.find(_canonical(request.name))
    if record is None:
        raise _unknown(request.name, target)
    report.stage(f"Verifying {record.name}")
    target.verify(record, report)
    path = target.path(record)
    _, _, checks = examine(path, path.suffix, record.sha256, report)
    text = f"{record.name} is the file that came on {record.added}: SHA-256 {record.sha256}."
    if CHECKSUM not in {*checks, *record.checks}:
        text += " The checksum of the original is unknown."
    if CONTENT not in checks:
        text += " Its tensors were not checked, because PyTorch is not installed."
    return {"name": record.name, "sha256": record.sha256, "checks": list(checks), "text": text}


def remove(request: ModelsRemoveJob, report: Reporter) -> dict[str, Any]:
    """Remove a stored model, its record, and what an unfinished download of it left.

    Raises:
        HyperKDError: ``bad_job`` for a shipped model, ``bad_model`` where there is no
            such model, ``unwritable_output`` where a file cannot be removed.
    """
    target = open_store(request.store)
    if request.name in shipped_models() and not target.files(request.name):
        raise HyperKDError(
            "bad_job",
            f"{request.name} is shipped with HyperKD and stays.",
            "Give a model of the model store.",
        )
    chosen = request.name if target.files(request.name) else _canonical(request.name)
    files = target.files(chosen)
    if not files:
        raise _unknown(request.name, target)
    freed = sum(path.stat().st_size for path in files)
    for path in files:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise HyperKDError(
                "unwritable_output",
                f"Cannot remove {path}: {error.strerror}.",
                "Close the programs that use the model, and remove it again.",
            ) from error
    removed = [path.name for path in files]
    text = f"Removed {', '.join(removed)} ({freed / 1e6:.1f} MB) from {target.folder}."
    return {"name": chosen, "removed": removed, "bytes": freed, "text": text}


def open_store(folder: Optional[str]) -> Store:
    """Open a store, and complete what a killed process left."""
    target = Store(folder)
    target.recover()
    return target


def _unknown(name: str, target: Store) -> HyperKDError:
    names = [each.name for each in target.records() if isinstance(each, Record)]
    return HyperKDError(
        "bad_model",
        f"There is no model {name!r} in the model store {target.folder}.",
        f"It has {', '.join([*shipped_models(), *names])}.",
        known=names,
    )


def _shipped() -> Iterator[dict[str, Any]]:
    for name in shipped_models():
        path = resolve(name)
        status, licence = "shipped", ""
        try:
            licence = open_bundle(path).card.licence
        except HyperKDError as error:
            # Without the package onnx the model is there all the same.
            status = "shipped" if error.code == "missing_dependency" else error.message
        yield _row(name, "student", status, path.stat().st_size, licence, path=str(path))


def _stored(target: Store) -> Iterator[dict[str, Any]]:
    for record in target.records():
        if isinstance(record, HyperKDError):
            name = Path(record.context["path"]).stem
            yield _row(name, "?", "damaged record", None, "", path=record.context["path"])
        else:
            values = asdict(record)
            values["path"] = str(target.folder / values.pop("file"))
            yield _row(status=target.state(record), **values)


def _remote(model: Published, target: Store) -> dict[str, Any]:
    here = max(map(kept_bytes, target.parts(model.name)), default=0)
    status = f"{here / 1e6:.1f} MB fetched" if here else "not fetched"
    return _row(
        model.name,
        "teacher",
        status,
        model.bytes,
        model.licence,
        sha256=model.sha256,
        revision=model.revision,
    )


def _row(
    name: str, kind: str, status: str, bytes: Optional[int], licence: str, **more: Any
) -> dict[str, Any]:
    blank = dict.fromkeys(("path", "sha256", "url", "revision", "added"))
    row = {"name": name, "kind": kind, "status": status, "bytes": bytes, "licence": licence}
    return {**row, **blank, "checks": (), **more}


def _require_free(target: Store, name: str, replace: bool) -> None:
    if name in shipped_models():
        raise HyperKDError(
            "bad_job",
            f"{name} is the name of a shipped model.",
            "Give the model another name.",
        )
    target.require_free(name, replace)


def summary_of(target: Store, record: Record, report: Reporter) -> dict[str, Any]:
    """Tell where a stored model is, and return what is known of it."""
    path = str(target.path(record))
    report.artifact("model", path)
    return {
        **{key: value for key, value in asdict(record).items() if key != "file"},
        "path": path,
        "text": f"{record.name}: {path}",
    }


def _canonical(name: str) -> str:
    """Return the published name that an alias means, or the name itself."""
    try:
        return find_published(name).name
    except HyperKDError:
        return name


def now() -> str:
    """Return this moment as records state it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
