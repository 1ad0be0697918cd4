"""What the engine says in English, in the user's language.

The engine writes whole sentences with numbers and names inside. One that is known here is
taken apart, translated, and put together again; any other one stays as it is.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Optional

from qgis.PyQt.QtCore import QCoreApplication


def marked(text: str) -> str:
    """Return a text that ``tools.translations`` collects."""
    return text


# Words in braces stand for what the engine fills in; tests compare them with what it writes.
SENTENCES = (
    marked("Running on the processor."),
    marked("Running on {place}."),
    marked("Self-test passed."),
    marked("Fold {number} of {total}."),
    marked("Training the final model on all labels."),
    marked(
        "Training and test labels are only {pixels} pixels apart ({wanted} would be safer, but "
        "too few labels would remain)."
    ),
    marked(
        "Training and test labels are only 1 pixel apart ({wanted} would be safer, but too few "
        "labels would remain)."
    ),
    marked(
        "Training and test labels may lie side by side ({wanted} would be safer, but too few "
        "labels would remain)."
    ),
    marked("Scores may be too high."),
    marked("Only {pixels} pixels from {places} places test the model."),
    marked("Only {pixels} pixels from 1 place test the model."),
    marked("Only 1 pixel from 1 place tests the model."),
    marked("For more reliable scores use cross-validation."),
    marked(
        "{count} of {pixels} labelled pixels lie within {buffer} px of another part and are left "
        "out."
    ),
    marked("No pixel of the {part} part is {classes}."),
    marked(
        "Pixels were split at random: test pixels lie beside training pixels, so the scores are "
        "optimistic."
    ),
    marked(
        "No reference pixel is {classes}: scores that need one are not defined, and averages over "
        "classes leave them out."
    ),
    marked(
        "No test pixel was mapped as {classes}: its F1 and IoU are 0, its user's accuracy is not "
        "defined."
    ),
    marked("Too few groups of labels for an interval ({count}; it takes {least})."),
    marked("Too few groups of labels of {name} for an interval ({count}; it takes {least})."),
    marked(
        "Fewer than {least} groups of labels are {classes}: no interval is given, and the scores "
        "are uncertain."
    ),
    marked("All labels of {name} are equal, so R² is not defined."),
    marked("Left out, because the scene has no data there: {count} pixels."),
    marked("Left out for contradicting labels: {count} pixels ({where})."),
    marked("Classes with fewer than {few} are left out: {classes}."),
    marked("Classes without a usable pixel are left out: {classes}."),
    marked("{name} lies outside every scene."),
    marked("{name} holds no label at the scenes."),
    marked("Of {all} training pixels, {count} are used, of each class in proportion."),
    marked("Classical models are trained and tested on {count} random pixels."),
    marked("The scenes have different bands, so there are no spectra."),
    marked("The scenes have different bands, so there are no spectra and no classical models."),
    marked("The scenes have different bands: no classical model is written."),
    marked("There is no training pixel of {classes}: no classical model is written."),
    marked("A split by {method} with a buffer of {buffer} px has no pixel of {what}."),
    marked("A split by {method} has no pixel of {what}."),
    marked("A buffer of {buffer} px would do."),
    marked(
        "Label these classes in more places that lie apart, merge them with others or leave them "
        "out, or choose another split."
    ),
    marked("There are no labels to split."),
    marked("Give labels."),
)


def translated(text: str) -> str:
    """Return what the engine said, one sentence or several, as the user reads it."""
    whole = _translated(text)
    if whole is not None:
        return whole
    parts = re.split(r"(?<=[.!]) (?=[A-Z])", text)
    return " ".join(_translated(part) or part for part in parts)


def _translated(text: str) -> Optional[str]:
    """Return a known sentence in the user's language, or None."""
    for source, pattern in _patterns():
        match = pattern.fullmatch(text)
        if match is not None:
            told = QCoreApplication.translate("HyperKD", source)
            return told.format(**match.groupdict())
    return None


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    found = []
    for source in SENTENCES:
        parts = re.split(r"\{(\w+)\}", source)
        text = "".join(
            # What is filled in is never the end of one sentence and the start of another.
            f"(?P<{part}>(?:(?!\\. [A-Z]).)+?)" if place % 2 else re.escape(part)
            for place, part in enumerate(parts)
        )
        found.append((source, re.compile(text)))
    return found
