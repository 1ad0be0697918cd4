"""A file that appears whole or not at all: written as ``<path>.part``, renamed at the end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from hyperkd.errors import HyperKDError
from hyperkd.files import create_new, is_special, require_regular
from hyperkd.locks import FileLock
from hyperkd.output_checks import require_unread, require_writable, write_refusal
from hyperkd.temporary_names import SUFFIX
from hyperkd.unfinished import is_tracked, track, untrack


class AtomicFile:
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
        self._held = FileLock(self.path)
        try:
            self._require_regular()
            self._remove()  # what a killed process left
            os.close(create_new(self.temporary))  # from now on nobody can put a link there
        except OSError as error:
            self._held.release()
            raise write_refusal(self.path, error) from error
        track(self, self.temporary, self._temporaries(), self._held.lock)

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
        if is_tracked(self):  # afterwards another job may be writing the same file
            self._remove()
            self._forget()

    def _forget(self) -> None:
        self._held.release()
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

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.abort()
