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


# What the engine says in the words of the command line, and in those of QGIS's dialogs.
IN_DIALOGS = {
    "If they are fill, declare it: --nodata {value}.": marked(
        "If they are fill, give {value} as “No-data value” in the advanced or expert settings."
    ),
    "If a detector has no data there, declare it: --nodata {value}.": marked(
        "If a detector has no data there, give {value} as “No-data value” in the advanced or "
        "expert settings."
    ),
    "If that is wrong, give the scale (--scale).": marked(
        "If that is wrong, give “Scale” in the advanced or expert settings."
    ),
    "Look at the spectra (hyperkd inspect).": marked("Look at the spectra (Inspect raster)."),
    "If you know better, accept it: --accept {code}.": marked(
        "If you know better, tick {code} under “Severe problems to accept” in the advanced or "
        "expert settings."
    ),
    "Download that file, lay it beside the scene, and import with --mask cloud.": marked(
        "Download that file, lay it beside the scene, and import again without clouds."
    ),
}
# Words in braces stand for what the engine fills in; tests compare them with what it writes.
SENTENCES = (
    *IN_DIALOGS,
    marked(
        "All bands from {first} to {last} nm hold {value} in {share} of the pixels of {place} and "
        "the other bands do not; these pixels count as values."
    ),
    marked(
        "All bands from {first} to {last} nm hold {value} in {share} of the pixels of {place}, "
        "which is no reflectance and not the nodata value: such pixels are taken as missing "
        "everywhere."
    ),
    marked("The file lacks {count} of the {all} bands of {model}, which knows how to do without."),
    marked("With so few its error on simulated spectra is {factor} times as large."),
    marked("The text in the field {name} of {layer} was read as numbers."),
    marked(
        "The texts in {where} look like numbers with decimal commas ({some}), but count as names "
        "of classes; text is never turned into a number."
    ),
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
    # What ``restore`` has done.
    marked("Nothing is missing: all values are as they were."),
    marked("Predicted from the scene: {bands}."),
    marked("Interpolated along the spectrum: {bands}."),
    marked(
        "On known values that were hidden the prediction is off by {error} in reflectance, a "
        "line along the spectrum by {line}."
    ),
    marked("Band {band} is wrong in the columns {columns} (from 1)."),
    marked(
        "Left as they are, because they lack more than a quarter of their bands: {count} pixels."
    ),
    marked(
        "Bad bands in water vapour are left as they are: {bands}; the option vapour fills them."
    ),
    marked(
        "Bands of one number are left as they are: {bands}; flag them as bad (bbl = 0) to have "
        "them filled."
    ),
    # The problems of a scene, see docs/problems.md.
    marked("The raster has no coordinate reference system."),
    marked("The raster has no geotransform; its outputs have none either."),
    marked(
        "The raster has {count} ground control points instead of a grid; they are copied, "
        "nothing is rectified."
    ),
    marked("The raster is rotated or sheared; its geotransform is copied as it is."),
    marked("The raster is south-up; its geotransform is copied as it is."),
    marked("Text of {name} is not UTF-8 and was read as Latin-1, for instance {example}."),
    marked("{count} of {all} sampled windows cannot be read: the file is damaged."),
    marked("No data in {place} and therefore not used: {bands}."),
    marked("One number ({number}) in every pixel of {place} and therefore not used: {bands}."),
    marked("No band holds a valid value in {place}."),
    marked("The nodata value {value} cannot occur in {type} and is ignored."),
    marked("Values below {value} that are not 0 are taken as nodata."),
    marked(
        "No nodata value is declared, but every band holds {value} in {share} of the pixels "
        "of {place}: taken as nodata."
    ),
    marked(
        "Every band holds {values} in {share} of the pixels of {place}, which is no "
        "reflectance and not the nodata value: such pixels are taken as missing everywhere."
    ),
    marked(
        "No nodata value is declared, and every band is 0 in {share} of the pixels of "
        "{place}: if this is a border without data, declare nodata 0."
    ),
    marked(
        "Although nodata is {value}, every band is 0 in {share} of the pixels of {place}: if "
        "this is a border without data, declare nodata 0."
    ),
    marked(
        "Every band holds {value} in {share} of the pixels of {place}, as no spectrum does; "
        "they count as values."
    ),
    marked(
        "The file declares no scale; its {type} values are taken as {meaning}, which is "
        "inferred: {numbers}."
    ),
    marked("They would fit reflectance x 1000 ({value}) as well."),
    marked("The {where} says {text}: {kind}, but the numbers look like reflectance ({numbers})."),
    marked("They are taken as reflectance."),
    marked("Make sure that they are; if so, correct the text."),
    marked(
        "{count} of {all} bands end at exactly {top}, the largest number of {bits} bits: the "
        "values look like raw counts of a detector that saturates."
    ),
    marked("The values seem to be counts of a detector, not reflectance: {said}."),
    marked("Calibrate them to reflectance."),
    marked(
        "The {percentile}th percentile of bright bands is a reflectance of {value}: snow or "
        "clouds under a low sun, or no reflectance at all."
    ),
    marked("Taken for DESIS L2A by the name {name}; there is no METADATA.xml."),
    marked("Not used by its producer (List_Cw_*_Flags): {bands}."),
    marked(
        "Marked bad, because the error matrix calls them invalid in more than half of {pixels}: "
        "{bands}."
    ),
    marked(
        "The {detector} detector holds nothing but 0 in {share} of {pixels}: they are left out."
    ),
    marked("The error matrix calls values of {share} of {pixels} invalid: they are left out."),
    marked("Clouds are in the data: no EMIT_L2A_MASK file of the scene lies beside it."),
)
# What may fill the places of these sentences, where it is English.
FRAGMENTS = (
    marked("the raster"),
    marked("the pixels with data"),
    marked("the sampled pixels with data"),
    marked("{count} sampled windows"),
    marked("bands {numbers}"),
    marked("band {number}"),
    marked("floating-point"),
    marked("reflectance 0 to 1"),
    marked("reflectance x 10000"),
    marked("percent"),
    marked("radiance"),
    marked("counts of a detector"),
    marked("description"),
    marked("file name"),
    marked(
        "{percentile}th percentile {value}, in the median band {median}, in bright bands {bright}"
    ),
    marked("{percentile}th percentile {value}, in the median band {median}"),
    marked("{percentile}th percentile {value}"),
)


def translated(text: str) -> str:
    """Return what the engine said, one sentence or several, as the user reads it."""
    whole = _translated(text)
    if whole is not None:
        return whole
    parts = re.split(r"(?<=[.!]) (?=[A-Z])", text)
    return " ".join(_translated(part) or part for part in parts)


def _translated(text: str, known: tuple[str, ...] = SENTENCES) -> Optional[str]:
    """Return a known sentence in the user's language, or None."""
    for source, pattern in _patterns(known):
        match = pattern.fullmatch(text)
        if match is not None:
            told = QCoreApplication.translate("HyperKD", IN_DIALOGS.get(source, source))
            filled = match.groupdict().items()
            return told.format(
                **{name: _translated(value, FRAGMENTS) or value for name, value in filled}
            )
    return None


@cache
def _patterns(known: tuple[str, ...]) -> list[tuple[str, re.Pattern[str]]]:
    found = []
    for source in known:
        parts = re.split(r"\{(\w+)\}", source)
        text = "".join(
            # What is filled in is never the end of one sentence and the start of another.
            f"(?P<{part}>(?:(?!\\. [A-Z]).)+?)" if place % 2 else re.escape(part)
            for place, part in enumerate(parts)
        )
        found.append((source, re.compile(text)))
    return found
