"""Text from files: UTF-8, else Latin-1, never half-decoded."""

from __future__ import annotations

from typing import Any


class Texts:
    """Decodes the texts of one file, and remembers whether one was not UTF-8.

    GDAL hands over text that is not UTF-8 as bytes, or as surrogates that nothing can
    write again.

    Args:
        where: how the note calls the file.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._example = ""

    def read(self, value: Any) -> str:
        """Return a text that UTF-8 can hold; None is an empty one."""
        if value is None:
            return ""
        raw = value
        if isinstance(value, str):
            if value.isascii() or _encodes(value):
                return value
            raw = value.encode("utf-8", errors="surrogateescape" if _escaped(value) else "replace")
        try:
            return str(bytes(raw), "utf-8")
        except UnicodeDecodeError:
            text = str(bytes(raw), "latin-1")
            self._example = self._example or text
            return text

    @property
    def notes(self) -> tuple[str, ...]:
        """What to tell of the file: nothing, or that Latin-1 was taken for granted."""
        if not self._example:
            return ()
        return (
            f"Text of {self._where} is not UTF-8 and was read as Latin-1, for instance "
            f"{self._example[:60]!r}.",
        )


def decoded(value: Any) -> str:
    """Return a text of GDAL's that UTF-8 can hold, where nobody needs to be told."""
    return Texts("").read(value)


def _encodes(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _escaped(text: str) -> bool:
    return all(not "\ud800" <= c <= "\udfff" or "\udc80" <= c <= "\udcff" for c in text)
