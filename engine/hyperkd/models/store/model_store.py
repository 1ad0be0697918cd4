"""The local model store: one folder, each model a file with a small JSON record."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Final, Optional, Union

from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.files import read_regular
from hyperkd.folders import MODELS_VARIABLE, models_folder
from hyperkd.locks import FileLock
from hyperkd.output_checks import make_folder
from hyperkd.temporary_names import SUFFIX
from hyperkd.types import Reporter

KINDS: Final = ("student", "teacher")
# The endings of the files that can be stored, and what they hold.
FILE_KINDS: Final[Mapping[str, str]] = {
    ".onnx": "student",
    ".safetensors": "student",
    ".pt": "teacher",
}
# What a record may say of how the file was checked when it came.
CHECKSUM: Final = "checksum"  # equal to the one its publisher or the user stated
CONTENT: Final = "content"  # the card of a student, or exactly the tensors of a teacher

_NOTED: Final = ".new"  # behind the name of a record whose model is being put in its place
_SCHEMA: Final = 1
_LONGEST_RECORD: Final = 1 << 20
_BLOCK: Final = 1 << 22
_NAME: Final = re.compile(r"\w(?:[\w.-]{0,62}\w)?")
# Files that Windows never makes, whatever follows the first dot.
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_OPTIONAL_TEXT: Final = (str, type(None))
_TYPES: Final[dict[str, Any]] = {
    "name": str,
    "kind": str,
    "file": str,
    "bytes": int,
    "sha256": str,
    "licence": str,
    "added": str,
    "url": _OPTIONAL_TEXT,
    "revision": _OPTIONAL_TEXT,
    "checks": list,
}


@dataclass(frozen=True)
class Record:
    """What the store knows of one model.

    Attributes:
        name: how commands call it.
        kind: one of ``KINDS``.
        file: its file in the store, a bare name.
        bytes, sha256: size and checksum when it came.
        licence: as its card or its publisher states it; may be empty.
        added: when it came, ISO 8601 in UTC.
        url, revision: where it was fetched from; None for a file that was added.
        checks: ``CHECKSUM``, ``CONTENT``, both or none.
    """

    name: str
    kind: str
    file: str
    bytes: int
    sha256: str
    licence: str
    added: str
    url: Optional[str] = None
    revision: Optional[str] = None
    checks: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the record as the text of its file."""
        return json.dumps({"schema": _SCHEMA, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, path: Path) -> Record:
        """Return the record in the file ``path``.

        Raises:
            HyperKDError: ``bad_model`` where it is damaged, or leads out of the store.
        """
        try:
            values = json.loads(text)
            if values.pop("schema") != _SCHEMA or set(values) != set(_TYPES):
                raise ValueError("other keys than expected")
            wrong = [key for key, kind in _TYPES.items() if not isinstance(values[key], kind)]
            if wrong:
                raise ValueError(f"wrong type of {', '.join(wrong)}")
            values["checks"] = tuple(values["checks"])
            record = cls(**values)
            if record.file not in [record.name + suffix for suffix in FILE_KINDS]:
                raise ValueError(f"it names the file {record.file}")
            if record.name != path.stem or record.kind not in KINDS:
                raise ValueError(f"it says {record.kind} {record.name}")
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise HyperKDError(
                "bad_model",
                f"The record {path.name} of the model store is damaged: {error}.",
                "Remove it and add or fetch the model again.",
                path=str(path),
            ) from error
        return record


class Store:
    """A folder of models.

    Args:
        folder: the folder, which need not exist yet; None takes ``models_folder``.
    """

    def __init__(self, folder: Optional[Union[str, Path]] = None) -> None:
        self.folder = models_folder() if folder is None else Path(folder)

    def records(self) -> Iterator[Union[Record, HyperKDError]]:
        """Yield every record in the order of names, or in its place why it cannot be read."""
        for path in sorted(self.folder.glob("*.json")):
            if path.name.endswith(SUFFIX + ".json"):  # notes beside an unfinished download
                continue
            try:
                yield self._read(path)
            except HyperKDError as error:
                yield error

    def find(self, name: str) -> Optional[Record]:
        """Return the record of a model, or None where the store has none of this name.

        Raises:
            HyperKDError: ``bad_model`` where its record is damaged.
        """
        path = self.folder / f"{name}.json"
        return self._read(path) if _NAME.fullmatch(name) and path.is_file() else None

    def path(self, record: Record) -> Path:
        """Return the file of a model."""
        return self.folder / record.file

    def part(self, name: str, revision: str, suffix: str) -> Path:
        """Return the unfinished file of a download; another revision has another one."""
        return self.folder / f"{name}@{revision[:12]}{suffix}{SUFFIX}"

    def parts(self, name: str) -> list[Path]:
        """Return the unfinished files of a model, of every revision."""
        return sorted(self.folder.glob(f"{name}@*{SUFFIX}"))

    def require_free(self, name: str, replace: bool) -> None:
        """Refuse a name that is not a name, or that another model has unless it is to be replaced.

        Raises:
            HyperKDError: ``bad_job``.
        """
        if (
            not _NAME.fullmatch(name)
            or _DEVICES.fullmatch(name)
            or name.lower().endswith((SUFFIX, *FILE_KINDS))
        ):
            raise HyperKDError(
                "bad_job",
                f"{name!r} is not a name for a model.",
                "Take up to 64 letters, digits, '-', '_' and '.', with a letter or digit at both "
                "ends, and no file ending.",
            )
        # Windows and macOS take Forest and forest for one file.
        files = [path for path in self.folder.glob("*") if path.is_file()]
        clash = [path.name for path in files if path.stem.casefold() == name.casefold()]
        if clash and (not replace or any(Path(other).stem != name for other in clash)):
            raise HyperKDError(
                "bad_job",
                f"The model store already has {' and '.join(sorted(clash))}.",
                "Give the model another name, or replace the one of exactly this name (replace).",
                clash=sorted(clash),
            )

    def make(self) -> None:
        """Make the folder.

        Raises:
            HyperKDError: ``unwritable_output``.
        """
        make_folder(
            self.folder, f"Choose another model store, by the option store or {MODELS_VARIABLE}."
        )

    def write(self, record: Record, move: Callable[[], object] = lambda: None) -> None:
        """Give a model its place, and its record; an older file of the name goes.

        The record waits under a name of its own before the model is moved: a process that is
        killed in between has written all that ``recover`` needs.

        Args:
            move: puts the file of the model in its place.

        Raises:
            HyperKDError: ``unwritable_output``, ``out_of_disk``, and what ``move`` raises.
        """
        noted = self._noted(record.name)
        claim = FileLock(str(noted), "record")
        try:
            with AtomicFile(noted) as part:
                Path(part.temporary).write_text(record.to_json(), encoding="utf-8")
            try:
                move()
            except BaseException:
                noted.unlink(missing_ok=True)
                raise
            self._settle(record)
        finally:
            claim.release()

    def recover(self) -> None:
        """Complete what a killed process has left between a model and its record."""
        for noted in sorted(self.folder.glob(f"*.json{_NOTED}")):
            with contextlib.suppress(HyperKDError, OSError):  # of a job that is at it just now
                claim = FileLock(str(noted), "record")
                try:
                    self._recover(noted)
                finally:
                    claim.release()

    def _recover(self, noted: Path) -> None:
        name = noted.name[: -len(f".json{_NOTED}")]
        try:
            text = read_regular(noted, _LONGEST_RECORD).decode()
            record = Record.from_json(text, noted.with_name(f"{name}.json"))
            path = self.path(record)
            whole = self.state(record) == "ready" and checksum(path) == record.sha256
        except (HyperKDError, UnicodeDecodeError):
            whole = False
        # Before the model was moved, the older one and its record are still a pair.
        if whole:
            self._settle(record)
        else:
            noted.unlink(missing_ok=True)

    def _settle(self, record: Record) -> None:
        try:
            os.replace(self._noted(record.name), self.folder / f"{record.name}.json")
        except OSError as error:
            raise HyperKDError(
                "unwritable_output",
                f"Cannot write the record of {record.name}: {error.strerror}.",
                "Close the programs that use the model store and try again.",
            ) from error
        for suffix in FILE_KINDS:
            if record.file != record.name + suffix:
                (self.folder / (record.name + suffix)).unlink(missing_ok=True)

    def _noted(self, name: str) -> Path:
        return self.folder / f"{name}.json{_NOTED}"

    def files(self, name: str) -> list[Path]:
        """Return everything that belongs to a model: its file, parts of it, at last its record."""
        if not _NAME.fullmatch(name):
            return []
        found = sorted(self.folder.glob(f"{name}@*{SUFFIX}*"))  # with the notes beside them
        record = self.folder / f"{name}.json"
        if record.is_file():
            # Without a record a file of this name is none of ours.
            own = [self.folder / (name + suffix) for suffix in FILE_KINDS]
            own += [path.with_name(path.name + SUFFIX) for path in (*own, self._noted(name))]
            found += [*(path for path in own if path.is_file()), record]
        return found

    def state(self, record: Record) -> str:
        """Return ``ready``, ``missing``, or ``changed`` where the file has another size."""
        path = self.path(record)
        if not path.is_file():
            return "missing"
        return "ready" if path.stat().st_size == record.bytes else "changed"

    def verify(self, record: Record, report: Reporter) -> None:
        """Compare the file of a model with its record.

        Raises:
            HyperKDError: ``bad_model`` where it is missing or not the file that came.
        """
        path, again = self.path(record), "Add or fetch it again, with the option replace."
        if not path.is_file():
            raise HyperKDError("bad_model", f"The file {path} of {record.name} is gone.", again)
        size = path.stat().st_size
        if size != record.bytes:
            raise HyperKDError(
                "bad_model",
                f"{record.file} has {size} bytes, but {record.bytes} are on record.",
                again,
            )
        digest = checksum(path, report)
        if digest != record.sha256:
            raise HyperKDError(
                "bad_model",
                f"{record.file} has changed: its SHA-256 is {digest}, on record is "
                f"{record.sha256}.",
                again,
            )

    @staticmethod
    def _read(path: Path) -> Record:
        try:
            text = read_regular(path, _LONGEST_RECORD).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise HyperKDError(
                "bad_model",
                f"The record {path.name} of the model store cannot be read: {error}.",
                "Remove it and add or fetch the model again.",
                path=str(path),
            ) from error
        return Record.from_json(text, path)


def checksum(path: Path, report: Optional[Reporter] = None) -> str:
    """Return the SHA-256 of a file.

    Raises:
        HyperKDError: ``cancelled``.
    """
    digest = hashlib.sha256()
    for block in _blocks(path, report):
        digest.update(block)
    return digest.hexdigest()


def copy(source: Path, target: Path, report: Reporter) -> str:
    """Copy a file and return the SHA-256 of what was copied.

    Raises:
        HyperKDError: ``cancelled``.
    """
    digest = hashlib.sha256()
    with target.open("wb") as file:
        for block in _blocks(source, report):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _blocks(path: Path, report: Optional[Reporter]) -> Iterator[bytes]:
    done, total = 0, path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if report is not None:
                report.check_cancelled()
            yield block
            done += len(block)
            if report is not None:
                report.progress(done / 1e6, total / 1e6, "MB")
