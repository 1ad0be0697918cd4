"""``hyperkd models fetch``: a published model into the store, checked by what it must be."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Optional

from hyperkd.errors import HyperKDError
from hyperkd.jobs.model_files import teacher_version
from hyperkd.jobs.models_command import now, open_store, summary_of
from hyperkd.locks import FileLock
from hyperkd.models.store.download import download, forget
from hyperkd.models.store.https import HttpsSettings
from hyperkd.models.store.model_store import CHECKSUM, CONTENT, FILE_KINDS, Record, Store, checksum
from hyperkd.models.store.published import Published, find_published
from hyperkd.requests.models_options import ModelsFetchJob
from hyperkd.types import Reporter


def fetch(request: ModelsFetchJob, report: Reporter) -> dict[str, Any]:
    """Bring a published model into the store; one that is there already is left alone.

    Raises:
        HyperKDError: ``bad_job`` for an unknown name, a revision that is not a full
            commit, or a file without a checksum unless ``unverified``;
            ``bad_model`` where another file came than the published one; else
            as ``download``.
    """
    model, target = find_published(request.name), open_store(request.store)
    commit = _hexadecimal("revision", request.revision or model.revision, 40)
    expected = _expected(model, request.sha256, request.unverified)
    known = target.find(model.name)
    state = None if known is None else target.state(known)
    if known is not None and not request.replace and state == "ready":
        if known.sha256 == expected or (expected is None and known.revision == commit):
            report.log("info", f"{model.name} is in the model store already.")
            return summary_of(target, known, report)
    # A record whose file is gone protects nothing.
    target.require_free(model.name, request.replace or state == "missing")
    target.make()
    suffix = Path(model.file).suffix
    part, url = target.part(model.name, commit, suffix), model.url(commit, request.endpoint)
    claim = FileLock(str(part))  # two transfers would write into one file
    try:
        download(
            url,
            part,
            report,
            title=f"Fetching {model.name}",
            size=model.bytes if expected == model.sha256 else None,
            network=HttpsSettings(request.proxy, request.ca_file),
        )
        digest, checks = _arrived(part, model, expected, report)
        return _take(part, target, model, digest, checks, url, commit, report)
    finally:
        claim.release()


def _take(
    part: Path,
    target: Store,
    model: Published,
    digest: str,
    checks: tuple[str, ...],
    url: str,
    commit: str,
    report: Reporter,
) -> dict[str, Any]:
    """Put a file that was fetched in its place."""
    suffix = Path(model.file).suffix
    record = Record(
        name=model.name,
        kind=FILE_KINDS[suffix],
        file=model.name + suffix,
        bytes=part.stat().st_size,
        sha256=digest,
        licence=model.licence,
        added=now(),
        url=url,
        revision=commit,
        checks=checks,
    )
    target.write(record, lambda: _move(part, target.path(record)))
    for left in target.parts(model.name):  # of other revisions
        forget(left)
    forget(part)  # the notes about the download
    return summary_of(target, record, report)


def _expected(model: Published, sha256: Optional[str], unverified: bool) -> Optional[str]:
    """Return the checksum that the file must have, or None where the user does without."""
    if sha256 is not None:
        return _hexadecimal("sha256", sha256, 64)
    if model.sha256 is None and not unverified:
        raise HyperKDError(
            "bad_job",
            f"HyperKD knows no checksum of {model.name}.",
            f"Give the one that its page states (sha256; {model.repository} on the hub, file "
            f"{model.file}), or accept the file without one (unverified).",
        )
    return None if unverified else model.sha256


def _arrived(
    part: Path, model: Published, expected: Optional[str], report: Reporter
) -> tuple[str, tuple[str, ...]]:
    """Check a finished download; a file that is wrong is removed.

    Raises:
        HyperKDError: ``bad_model`` or ``untrusted_model``.
    """
    report.stage(f"Verifying {model.name}")
    digest = checksum(part, report)
    wrong: Optional[HyperKDError] = None
    version: Optional[str] = None
    if expected not in (None, digest):
        wrong = HyperKDError(
            "bad_model",
            f"The file that came is not {model.name}: its SHA-256 is {digest}, expected is "
            f"{expected}.",
            "It was removed. Fetch again; if that does not help, the publisher changed the file, "
            "or something on the way changes it.",
        )
    else:
        try:
            version = teacher_version(part, report)
        except HyperKDError as error:
            # Raised again below: the traceback would keep the file open on Windows.
            wrong = HyperKDError(error.code, error.message, error.hint, **error.context)
    if wrong is None and version not in (None, model.name):
        wrong = HyperKDError(
            "bad_model", f"The file holds {version} instead of {model.name}.", "It was removed."
        )
    if wrong is not None:
        forget(part)
        raise wrong
    if expected is None:
        report.log(
            "warning", f"{model.name} has no published checksum; the file that came has {digest}."
        )
    checks = (CHECKSUM,) * (expected is not None) + (CONTENT,) * (version is not None)
    return digest, checks


def _move(part: Path, path: Path) -> None:
    try:
        os.replace(part, path)
    except OSError as error:
        raise HyperKDError(
            "unwritable_output",
            f"Cannot put the model in its place {path}: {error.strerror}.",
            "Close the programs that use it and fetch again; nothing is transferred again.",
        ) from error


def _hexadecimal(field: str, value: str, digits: int) -> str:
    if not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", value):
        raise HyperKDError(
            "bad_job",
            f"{field!r} must be {digits} hexadecimal digits, but is {value!r}.",
            "A branch or a short commit can mean another file tomorrow: give the full one."
            if field == "revision"
            else "Copy it from the page of the file.",
            key=field,
        )
    return value.lower()
