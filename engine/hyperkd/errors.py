"""The one error class of the engine, its stable codes and their exit statuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

EXIT_OK: Final = 0
EXIT_BUG: Final = 1
EXIT_BAD_JOB: Final = 2
EXIT_BAD_DATA: Final = 3
EXIT_MISSING: Final = 4
EXIT_CANCELLED: Final = 5

_LONGEST: Final = 20_000  # characters of a message; a list of a few hundred names is shorter

# A code is public API: scripts and the plugin match on it. Each has a sentence
# in docs/errors.md and a test that matches its message.
EXIT_STATUS: Final[Mapping[str, int]] = {
    # the request itself
    "bad_job": EXIT_BAD_JOB,
    "unwritable_output": EXIT_BAD_JOB,
    # the raster
    "unreadable_raster": EXIT_BAD_DATA,
    "empty_raster": EXIT_BAD_DATA,
    "no_valid_pixels": EXIT_BAD_DATA,
    "no_wavelengths": EXIT_BAD_DATA,
    "bad_wavelengths": EXIT_BAD_DATA,
    "bad_units": EXIT_BAD_DATA,
    "bad_scale": EXIT_BAD_DATA,
    "band_mismatch": EXIT_BAD_DATA,
    "unsupported_raster": EXIT_BAD_DATA,
    "bad_product": EXIT_BAD_DATA,
    "unaccepted_problem": EXIT_BAD_DATA,
    "input_changed": EXIT_BAD_DATA,
    # the labels
    "no_labels": EXIT_BAD_DATA,
    "bad_labels": EXIT_BAD_DATA,
    "class_missing_in_split": EXIT_BAD_DATA,
    # a spectral library
    "bad_library": EXIT_BAD_DATA,
    # the model
    "bad_model": EXIT_BAD_DATA,
    "untrusted_model": EXIT_BAD_DATA,
    "bad_training": EXIT_BAD_DATA,
    "quantisation_loss": EXIT_BAD_DATA,
    # the machine
    "missing_dependency": EXIT_MISSING,
    "download_failed": EXIT_MISSING,
    "out_of_disk": EXIT_MISSING,
    "out_of_memory": EXIT_MISSING,
    # the user
    "cancelled": EXIT_CANCELLED,
}


class HyperKDError(Exception):
    """A refusal the user can act on: what is wrong, with which values, and what to do.

    Args:
        code: one of the keys of ``EXIT_STATUS``.
        message: what is wrong, with the offending values.
        hint: what to do about it, as a full sentence.
        context: JSON-serialisable values for programs that read the event.
    """

    def __init__(self, code: str, message: str, hint: str = "", **context: Any) -> None:
        if code not in EXIT_STATUS:
            raise ValueError(f"unknown error code {code!r}")
        self.code = code
        self.message = _sound(message)
        self.hint = _sound(hint)
        super().__init__(self.message)
        self.context = context

    @property
    def exit_status(self) -> int:
        """The exit status of a process that ends with this error."""
        return EXIT_STATUS[self.code]

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


def _sound(text: str) -> str:
    """Return a text that can be written everywhere: values from files may hold anything."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 4 :]}"
    return text.encode(errors="backslashreplace").decode()
