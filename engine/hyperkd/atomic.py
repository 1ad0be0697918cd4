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
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Callable, Protocol

from hyperkd.errors import HyperKDError
from hyperkd.files import create_new, is_special, require_regular
from hyperkd.locks import Claim, Scratch

SUFFIX = ".part"
ROWS_SUFFIX = ".part-rows"  # of the finished rows that a job can go on from
PLAIN_SUFFIX = ".plain"  # of a raster that a cloud optimised one is made from
_AUXILIARY = ".aux.xml"
# The longest that is put behind an output's name while it is written.
_LONGEST = f"{SUFFIX}{_AUXILIARY}"

# Told which files this process writes under temporary names, and the lock on them ("" where
# there is none); and at last, with no files, that it is done with them.
Listener = Callable[[str, Sequence[str], str], None]

_lock = threading.Lock()
_unfinished: dict[Unfinished, None] = {}
_read: Counter[str] = Counter()
_listeners: list[Listener] = []


class Unfinished(Protocol):
    """What has to be removed where the process ends before its time."""

    def abort(self) -> None:
        """Remove it."""


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
        try:
            self._require_regular()
            self._remove()  # what a killed process left
            os.close(create_new(self.temporary))  # from now on nobody can put a link there
        except OSError as error:
            self._claim.release()
            raise _refusal(self.path, error) from error
        track(self, self.temporary, self._temporaries(), self._claim.lock)

    def commit(self) -> None:
        """Give the file its final name; the older file is replaced in one step.

        Older companions are put aside first: a process that is killed in between leaves a
        file without companions, never one with those of another file.

        Raises:
            HyperKDError: ``unwritable_output`` where the older file cannot be
                replaced, for instance because another program holds it open.
        """
        aside: dict[str, str] = {}
        try:
            self._require_regular()
            for number, suffix in enumerate(self._companions):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self.path + suffix, self._aside(number))
                    aside[self._aside(number)] = self.path + suffix
            os.replace(self.temporary, self.path)
            aside.clear()
            for suffix in self._companions:
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self.temporary + suffix, self.path + suffix)
        except OSError as error:
            for old, name in aside.items():
                os.replace(old, name)
            self.abort()
            raise HyperKDError(
                "unwritable_output",
                f"Cannot replace {self.path}: {error.strerror}.",
                "Close the programs that use this file, or choose another output.",
                path=self.path,
            ) from error
        self._remove()
        self._forget()

    def link(self, source: str | os.PathLike[str]) -> bool:
        """Let the file be another name of ``source``; False where that cannot be."""
        os.unlink(self.temporary)
        try:
            os.link(source, self.temporary)
        except OSError:  # another volume, or a file system without links
            os.close(create_new(self.temporary))
            return False
        return True

    def abort(self) -> None:
        """Remove the temporary file; the older file stays as it was."""
        with _lock:
            mine = self in _unfinished
        if mine:  # afterwards another job may be writing the same file
            self._remove()
            self._forget()

    def _forget(self) -> None:
        self._claim.release()
        untrack(self, self.temporary)

    def _temporaries(self) -> list[str]:
        names = [self.temporary + suffix for suffix in ("", *self._companions)]
        return names + [self._aside(number) for number in range(len(self._companions))]

    def _aside(self, number: int) -> str:
        return f"{self.temporary}.old{number}"

    def _remove(self) -> None:
        for name in self._temporaries():
            # A folder, pipe or link of this name is none that this engine made.
            if not is_special(name, follow=False):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name)

    def _require_regular(self) -> None:
        """Raise OSError for a device, pipe or folder in the place of a file that is written."""
        for suffix in ("", *self._companions):
            require_regular(self.path + suffix)
            require_regular(self.temporary + suffix, follow=False)

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


def track(item: Unfinished, name: str, files: Sequence[str], lock: str) -> None:
    """Remember what has to go where the process ends before its time, until ``untrack``.

    Args:
        item: removes it.
        name: how listeners know it.
        files: the files, which listeners are told.
        lock: the lock on them, or an empty string.
    """
    with _lock:
        _unfinished[item] = None
    for listener in _listeners:
        listener(name, files, lock)


def untrack(item: Unfinished, name: str) -> None:
    """Take back a ``track``."""
    with _lock:
        known = item in _unfinished
        _unfinished.pop(item, None)
    for listener in _listeners if known else ():
        listener(name, (), "")


@contextlib.contextmanager
def told_to(listener: Listener) -> Iterator[None]:
    """Tell ``listener`` what is written under temporary names, while the context lasts."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextlib.contextmanager
def scratch_folder() -> Iterator[str]:
    """Make a folder that is removed at the end, however the process ends."""
    scratch = Scratch()
    with _lock:
        _unfinished[scratch] = None
    try:
        yield scratch.path
    finally:
        scratch.abort()
        with _lock:
            _unfinished.pop(scratch, None)


def abort_all() -> None:
    """Remove every unfinished file, for a process that ends at once; nobody is told."""
    _listeners.clear()
    with _lock:
        unfinished = tuple(_unfinished)
    for item in unfinished:
        # Windows refuses to remove a file that is still open; the others must go all the same.
        with contextlib.suppress(OSError):
            item.abort()


def derived_names(path: str) -> tuple[str, ...]:
    """Return the names beside an output that writing it may use; no other file may have them."""
    plain = path + PLAIN_SUFFIX
    return (
        *(path + suffix for suffix in (SUFFIX, _LONGEST, f"{SUFFIX}.old0", ROWS_SUFFIX)),
        *(path + suffix for suffix in (_AUXILIARY, PLAIN_SUFFIX)),
        *(plain + suffix for suffix in (_AUXILIARY, SUFFIX, _LONGEST, f"{SUFFIX}.old0")),
    )


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
    try:
        require_regular(path)
        require_regular(temporary, follow=False)
        with contextlib.suppress(FileNotFoundError):
            os.stat(path + _LONGEST)  # fails where such a name is too long
        with contextlib.suppress(FileExistsError):  # a killed process left it
            os.close(create_new(temporary))
            os.unlink(temporary)
    except OSError as error:
        raise _refusal(path, error) from error


def _refusal(path: str, error: OSError) -> HyperKDError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return HyperKDError(
            "out_of_disk",
            f"There is no space left for {path}.",
            "Free some disk space or choose another output folder.",
            path=path,
        )
    hint = "Choose a folder that you may write to."
    if error.errno == errno.EEXIST:
        hint = "Remove it, or choose another output."
    return _unwritable(path, f"{error.strerror}", hint)


def _unwritable(path: str, reason: str, hint: str) -> HyperKDError:
    return HyperKDError("unwritable_output", f"Cannot write {path}: {reason}.", hint, path=path)
