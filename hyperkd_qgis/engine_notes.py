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
    marked("For firmer figures use cross-validation."),
    marked(
        "{count} of {pixels} labelled pixels lie within {buffer} px of another part and are left "
        "out."
    ),
    marked("No pixel of the {part} part is {classes}."),
    marked(
        "Pixels were dealt at random: test pixels lie beside training pixels, so the scores are "
        "optimistic."
    ),
    marked(
        "No reference pixel is {classes}: what would need one is not defined, and averages over "
        "classes leave it out."
    ),
    marked(
        "No test pixel was mapped as {classes}: its F1 and IoU are 0, its user's accuracy is not "
        "defined."
    ),
    marked("The labels are {count} groups; below {least} no interval can be given."),
    marked("The labels of {name} are {count} groups; below {least} no interval can be given."),
    marked(
        "Fewer than {least} groups of labels are {classes}: no interval is given, and the figures "
        "rest on little."
    ),
    marked("All labels of {name} are equal, so R² is not defined."),
    marked("Left out, because the scene has no data there: {count} pixels."),
    marked("Left out for contradicting labels: {count} pixels ({where})."),
    marked("Classes with fewer than {few} are left out: {classes}."),
    marked("Classes without a usable pixel are left out: {classes}."),
    marked(
        "{count} of {total} features hold {value} in the field {field} of {layer} (the others: "
        "{low} to {high}): it is taken as no label, and they are left out."
    ),
    marked(
        "{count} of {total} pixels hold {value} in {file} (the others: {low} to {high}): it is "
        "taken as no label, and they are left out."
    ),
    marked(
        "{count} features hold a text in the field {field} of {layer} that stands for no value, "
        "and are left out: {words}."
    ),
    marked(
        "Where that is wrong, give label_nodata the values that mean no label: no other is then "
        "left out."
    ),
    marked(
        "{count} of {total} features hold {value} in the field {field} of {layer}, which often "
        "means no label; here it counts as one."
    ),
    marked(
        "{count} of {total} pixels hold {value} in {file}, which often means no label; here it "
        "counts as one."
    ),
    marked("Where it means none, declare it: label_nodata {value}."),
    marked(
        "{count} features with the names {names} are one class: they differ in letter case, "
        "blanks or Unicode form alone."
    ),
    marked("Names of classes were decoded wrongly: {names}."),
    marked(
        "Choose the encoding in the layer's properties (QGIS: Source), or save the layer as UTF-8."
    ),
    marked("{name} lies outside every scene."),
    marked("{name} holds no label at the scenes."),
    marked("Of {all} pixels to learn from, {count} are taken, of each class in proportion."),
    marked("Classical models learn from and answer {count} random pixels."),
    marked("The scenes have different bands, so there are no spectra."),
    marked("The scenes have different bands, so there are no spectra and no classical models."),
    marked("The scenes have different bands: no classical model is written."),
    marked("No pixel teaches {classes}: no classical model is written."),
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
