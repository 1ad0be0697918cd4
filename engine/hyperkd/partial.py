"""Outputs appear whole or not at all: written as ``<path>.part``, renamed at the end.

The files that are being written are known here, so that a process that has to
end at once (``hyperkd.jobs.process``) can remove them all in one call.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import IO

from hyperkd.errors import HyperKDError

SUFFIX = ".part"
# The longest that is put behind an output's name while it is written.
_LONGEST = f"{SUFFIX}.aux.xml"

_lock = threading.Lock()
_unfinished: set[PartialFile] = set()
_read: Counter[str] = Counter()


class PartialFile:
    """An output file under its temporary name, until ``commit`` or ``abort``.

    A context manager: it commits on success and aborts on any exception. The
    caller writes the file called ``temporary`` by whatever means it has.

    Args:
        path: the file that ``commit`` makes, replacing an older one.
        companions: suffixes of files that the writing library may put beside
            it, for instance ``(".aux.xml",)``. They are renamed and removed
            with it; one that the older file had and the new one lacks goes.

    Raises:
        HyperKDError: ``unwritable_output`` or ``out_of_disk`` where the folder
            does not take a new file, or where another job is writing the same file;
            ``bad_job`` where the file is being read.
    """

    def __init__(self, path: str | os.PathLike[str], companions: Sequence[str] = ()) -> None:
        self.path = os.fspath(path)
        self.temporary = self.path + SUFFIX
        self._companions = tuple(companions)
        for name in (self.path, self.temporary):
            require_unread(name)
        require_writable(self.path)
        self._claim = Claim(self.path)
        self._remove()  # what a killed process left
        with _lock:
            _unfinished.add(self)

    def commit(self) -> None:
        """Give the file its final name; the older file is replaced in one step.

        Raises:
            HyperKDError: ``unwritable_output`` where the older file cannot be
                replaced, for instance because another program holds it open.
        """
        try:
            os.replace(self.temporary, self.path)
            for suffix in self._companions:
                if os.path.exists(self.temporary + suffix):
                    os.replace(self.temporary + suffix, self.path + suffix)
                else:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(self.path + suffix)
        except OSError as error:
            self.abort()
            raise HyperKDError(
                "unwritable_output",
                f"Cannot replace {self.path}: {error.strerror}.",
                "Close the programs that use this file, or choose another output.",
                path=self.path,
            ) from error
        self._forget()

    def abort(self) -> None:
        """Remove the temporary file; the older file stays as it was."""
        with _lock:
            mine = self in _unfinished
        if mine:  # afterwards another job may be writing the same file
            self._remove()
            self._forget()

    def _forget(self) -> None:
        self._claim.release()
        with _lock:
            _unfinished.discard(self)

    def _remove(self) -> None:
        for suffix in ("", *self._companions):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.temporary + suffix)

    def __enter__(self) -> PartialFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.abort()


class Claim:
    """The right to write a file, held by one job of this machine at a time.

    A lock of the operating system, which a killed process cannot leave behind. It is
    held on a file in the user's temporary folder, so that nothing is left beside
    the output either; where that folder cannot be written, every claim is granted.

    Args:
        path: the output.

    Raises:
        HyperKDError: ``unwritable_output`` where another job holds it.
    """

    def __init__(self, path: str) -> None:
        self._file: IO[bytes] | None = None
        self._path = ""
        # A folder that is missing, full, or without locks; HyperKDError is none of these.
        with contextlib.suppress(OSError):
            self._path = _claim_file(path)
            self._file = _locked(self._path)
            if self._file is None:
                raise HyperKDError(
                    "unwritable_output",
                    f"Another job is writing {path} at this moment.",
                    "Wait until it has finished, or choose another output.",
                    path=path,
                )

    def release(self) -> None:
        """Let others write the file; a second call does nothing."""
        if self._file is not None:
            if os.name != "nt":  # Windows removes no open file, and a lock there harms nobody
                os.unlink(self._path)
            self._file.close()
            self._file = None


def _claim_file(path: str) -> str:
    import hashlib
    import tempfile

    name = hashlib.sha256(os.path.normcase(os.path.realpath(path)).encode(errors="replace"))
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    folder = os.path.join(tempfile.gettempdir(), f"hyperkd-{user}")
    with contextlib.suppress(OSError):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    return os.path.join(folder, f"{name.hexdigest()}.lock")


def _locked(path: str) -> IO[bytes] | None:
    """Return an open file that is locked until it is closed, or None where another has it."""
    while True:
        file = open(path, "ab")  # noqa: SIM115 - the lock lasts as long as it is open
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
                return file
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                return None
            raise  # this folder knows no locks
        # Between opening and locking, the one who had it may have removed it.
        if os.path.exists(path) and os.path.samestat(os.stat(path), os.fstat(file.fileno())):
            return file
        file.close()


def abort_all() -> None:
    """Remove every unfinished file, for a process that ends at once."""
    with _lock:
        unfinished = tuple(_unfinished)
    for part in unfinished:
        # Windows refuses to remove a file that is still open; the others must go all the same.
        with contextlib.suppress(OSError):
            part.abort()


def protect(paths: Iterable[str]) -> None:
    """Name files that are being read: until ``release``, no output may replace them.

    A raster can consist of more files than the one the user names, for instance
    the sources of a VRT; only its reader knows them.
    """
    with _lock:
        _read.update(os.path.realpath(path) for path in paths)


def release(paths: Iterable[str]) -> None:
    """Take back one ``protect`` of the same paths."""
    with _lock:
        _read.subtract(os.path.realpath(path) for path in paths)


def same_file(first: str, second: str) -> bool:
    """Return whether two paths name one file, through links and relative paths too."""
    if os.path.exists(first) and os.path.exists(second):
        return os.path.samefile(first, second)
    return os.path.normcase(os.path.realpath(first)) == os.path.normcase(os.path.realpath(second))


def require_unread(path: str) -> None:
    """Refuse to write a file that is being read.

    Raises:
        HyperKDError: ``bad_job``.
    """
    with _lock:
        read = [other for other, count in _read.items() if count > 0]
    if any(same_file(path, other) for other in read):
        raise HyperKDError(
            "bad_job",
            f"{path} is read by this job: it is the input or one of its parts.",
            "Choose another output; a job never overwrites its own files.",
            path=path,
        )


def require_writable(path: str) -> None:
    """Refuse an output path that cannot be written, by trying to make its temporary file.

    Raises:
        HyperKDError: ``unwritable_output`` where the path is a folder or its
            folder is missing or refuses a new file; ``out_of_disk`` where the
            disk is full.
    """
    folder = os.path.dirname(path) or os.curdir
    if os.path.isdir(path):
        raise _unwritable(path, "it is a folder", "Give the name of a file.")
    if not os.path.isdir(folder):
        raise _unwritable(path, f"there is no folder {folder}", "Make the folder first.")
    temporary = path + SUFFIX
    existed = os.path.exists(temporary)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.stat(path + _LONGEST)  # fails where such a name is too long
        with open(temporary, "ab"):
            pass
        if not existed:
            os.unlink(temporary)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise HyperKDError(
                "out_of_disk",
                f"There is no space left for {path}.",
                "Free some disk space or choose another output folder.",
                path=path,
            ) from error
        raise _unwritable(
            path, f"{error.strerror}", "Choose a folder that you may write to."
        ) from error


def _unwritable(path: str, reason: str, hint: str) -> HyperKDError:
    return HyperKDError("unwritable_output", f"Cannot write {path}: {reason}.", hint, path=path)
