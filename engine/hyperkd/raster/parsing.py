"""A file that cannot be understood ends in a coded error, wherever its reader stumbles."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from xml.etree.ElementTree import ParseError  # nosec B405

from hyperkd.errors import HyperKDError

# What parsing raises on data that is not as expected; RuntimeError is GDAL's.
PARSING_ERRORS: Final = (
    *(RuntimeError, ValueError, LookupError, ArithmeticError, EOFError),
    *(ParseError, zlib.error, zipfile.BadZipFile),
)
DAMAGED: Final = (
    "The file is damaged or was cut short, or a file it refers to is missing; copy or download "
    "it again."
)


@contextmanager
def parsing(path: str, code: str, hint: str) -> Iterator[None]:
    """Turn what a reader of a damaged file raises into ``code``.

    Args:
        code: of the refusal.
    """
    try:
        yield
    except PARSING_ERRORS as error:
        reason = str(error).replace(f"{path}: ", "").strip().rstrip(".") or type(error).__name__
        raise HyperKDError(
            code, f"{path} cannot be understood: {reason}.", hint, path=path
        ) from error
