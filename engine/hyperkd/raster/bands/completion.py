"""The second half of a band table: what only a sample of pixels can tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.problems import Problem
from hyperkd.raster.bands.band_table import BandDraft, RasterMetadata
from hyperkd.raster.bands.band_values import BandSource, parse_numbers
from hyperkd.raster.bands.good_bands import good_bands, list_bands, require_wavelengths
from hyperkd.raster.bands.nodata import (
    Nodata,
    complete_nodata,
    constant_pixels,
    fill_problems,
)
from hyperkd.raster.bands.reflectance import (
    PER_CENT,
    Brightness,
    ReflectanceScale,
    bright_problem,
    check_declared,
    infer,
    inferred_problem,
    is_per_cent,
    raw_counts,
)
from hyperkd.raster.bands.sampling import Sample
from hyperkd.raster.bands.word_checks import (
    contradicting,
    refuse_unit,
    says_reflectance,
    word_problems,
)
from hyperkd.raster.bands.words import refuse_level, sayings
from hyperkd.raster.masks import has_value
from hyperkd.types import BandTable, BoolArray, FloatArray, Wavelengths


def complete_table(
    metadata: RasterMetadata,
    draft: BandDraft,
    sample: Sample,
    declared: Nodata,
    calibration: Optional[ReflectanceScale],
    trusted: bool,
) -> tuple[BandTable, Nodata, tuple[Problem, ...]]:
    """Return the band table, its nodata values and what is odd.

    Args:
        metadata: the raster's own metadata.
        draft: what metadata alone says.
        sample: sampled pixels.
        declared: the declared nodata values.
        calibration: the declared calibration, or None where nobody declares one.
        trusted: whether the user gave the calibration.

    Raises:
        HyperKDError: ``bad_wavelengths`` or ``no_wavelengths`` where a good band
            lacks a wavelength, ``no_valid_pixels`` where no band is good or an
            undeclared scale finds no value to go by, ``bad_scale``.
    """
    nodata = complete_nodata(declared, sample, draft.good)
    problems = [*draft.problems, *nodata.problems]
    origins = dict(draft.origins)
    present = np.stack(
        [
            has_value(values, float(value), nodata.tiny)
            for values, value in zip(sample.pixels, nodata.values)
        ]
    )
    fill = constant_pixels(sample.pixels, draft.good)
    if (present & ~fill)[draft.good].any():  # fill is no value, neither bright nor dark
        present &= ~fill
    good = good_bands(draft, present, sample, origins, problems)
    require_wavelengths(draft, good)
    valid = present & good[:, np.newaxis]
    calibration = _calibrate(
        metadata, calibration, sample, valid, draft.centre_nm, trusted, problems
    )
    origins["scale"] = calibration.origin
    origins["nodata"] = nodata.origin
    table = BandTable(
        wavelengths=Wavelengths(
            _filled(draft.centre_nm), None if draft.fwhm_nm is None else _filled(draft.fwhm_nm)
        ),
        good=good,
        scale=calibration.scale,
        offset=calibration.offset,
        nodata=nodata.values,
        names=tuple(band.description for band in metadata.bands),
        origins=origins,
    )
    problems += fill_problems(sample, table, nodata)
    return table, nodata, tuple(problems)


def _calibrate(
    metadata: RasterMetadata,
    declared: Optional[ReflectanceScale],
    sample: Sample,
    valid: BoolArray,
    centre_nm: FloatArray,
    trusted: bool,
    problems: list[Problem],
) -> ReflectanceScale:
    """Return the declared or inferred calibration, held against the values and the words."""
    per_cent = is_per_cent(tuple(band.unit for band in metadata.bands))
    # Who gives the scale knows what the values are.
    words = [] if trusted else sayings(metadata)
    if not trusted:
        refuse_level(metadata.path)
        refuse_unit(words)
    said = contradicting(words)
    pixels = sample.pixels
    if declared is not None:
        if not valid.any():
            return declared
        reflectance = pixels * declared.scale[:, np.newaxis] + declared.offset[:, np.newaxis]
        brightness = Brightness.of(reflectance, valid, centre_nm)
        declared, sentence = check_declared(declared, brightness, per_cent, trusted, said)
        if sentence:
            problems.append(Problem("unlikely_scale", sentence))
        elif not trusted:
            factor = 1.0 if brightness.fits(1.0) else PER_CENT
            problems += bright_problem(brightness, factor)
            problems += raw_counts(pixels, valid, declared=True)
            problems += word_problems(words, brightness, factor, declared=True)
        return declared
    if not pixels[valid].any():
        raise HyperKDError(
            "no_valid_pixels",
            f"{metadata.path} declares no scale, and {sample.place} "
            f"{'hold' if sample.windows > 1 else 'holds'} no value "
            f"{'but 0' if valid.any() else 'but nodata'}.",
            "Check the raster; if it does hold data, give the scale explicitly.",
        )
    brightness = Brightness.of(pixels, valid, centre_nm)
    factor, reason = infer(brightness, pixels.dtype, per_cent, said)
    stated = says_reflectance(words) if factor == 1 else factor == PER_CENT
    problems.append(inferred_problem(factor, brightness, pixels.dtype, stated))
    problems += bright_problem(brightness, factor)
    problems += raw_counts(pixels, valid, declared=False) or word_problems(
        words, brightness, factor, declared=False
    )
    count = len(metadata.bands)
    return ReflectanceScale(np.full(count, factor), np.zeros(count), reason)


def declared_calibration(
    metadata: RasterMetadata,
    sources: Sequence[BandSource],
    given: Optional[BandSource],
    good: BoolArray,
) -> tuple[Optional[ReflectanceScale], tuple[Problem, ...]]:
    """Return the calibration that the file declares or None, and who contradicts it.

    The order: a given band table, GDAL's band scale and offset, then the other
    places in their order (ENVI's ``data gain values`` before its ``reflectance
    scale factor``). The scale 1 with the offset 0 counts as undeclared:
    drivers report it where nothing is known.

    Raises:
        HyperKDError: ``bad_scale`` where a good band has the scale 0 or NaN, or
            only some bands have a scale.
    """
    _refuse_partial([b.scale is not None and b.scale != 1 for b in metadata.bands], good)
    scale = np.array([1.0 if b.scale is None else float(b.scale) for b in metadata.bands])
    offset = np.array([0.0 if b.offset is None else float(b.offset) for b in metadata.bands])
    if given is not None and "scale" in given.columns:
        return _checked(*_of_source(given), given.origins["scale"], good), ()
    stated = [_declared(scale, offset, "band scale and offset", good)]
    for source in sources:
        for column in ("scale", "divisor"):
            if column in source.columns:
                stated.append(_declared(*_of_source(source, column), source.origins[column], good))
    known = [one for one in stated if one is not None]
    if not known:
        return None, ()
    chosen = known[0]
    return chosen, tuple(
        Problem(
            "scales_disagree",
            f"The {other.origin} says a scale of {other.scale[good][0]:g}, the {chosen.origin} "
            f"{chosen.scale[good][0]:g}, which is used.",
        )
        for other in known[1:]
        if not np.allclose(other.scale[good], chosen.scale[good], rtol=1e-3, atol=0)
    )


def given_calibration(
    scale: Optional[float], offset: Optional[float], count: int
) -> Optional[ReflectanceScale]:
    """Return the calibration that the user gives for every band, or None.

    Raises:
        HyperKDError: ``bad_scale`` where the scale is 0 or not finite.
    """
    if scale is None and offset is None:
        return None
    factor, shift = 1.0 if scale is None else float(scale), float(offset or 0.0)
    if not np.isfinite(factor) or factor == 0 or not np.isfinite(shift):
        raise HyperKDError(
            "bad_scale",
            f"The given scale {factor:g} with the offset {shift:g} cannot be used.",
            "The scale turns stored values into reflectance: give for instance 0.0001.",
        )
    return ReflectanceScale(np.full(count, factor), np.full(count, shift), "given by the user")


def _of_source(source: BandSource, column: str = "scale") -> tuple[FloatArray, FloatArray]:
    """Return scale and offset as a source states them, NaN or 0 where it states none."""
    scale, _ = parse_numbers(source.columns[column], source.origins[column])
    if column == "divisor":
        with np.errstate(divide="ignore"):
            scale = 1.0 / scale
    offset = np.zeros(scale.size)
    if column == "scale" and "offset" in source.columns:
        offset, _ = parse_numbers(source.columns["offset"], source.origins["offset"])
    return scale, np.nan_to_num(offset)


def _declared(
    scale: FloatArray, offset: FloatArray, origin: str, good: BoolArray
) -> Optional[ReflectanceScale]:
    if (scale[good] == 1).all() and (offset[good] == 0).all():
        return None
    return _checked(scale, offset, origin, good)


def _checked(
    scale: FloatArray, offset: FloatArray, origin: str, good: BoolArray
) -> ReflectanceScale:
    broken = np.flatnonzero(good & (~np.isfinite(scale) | (scale == 0)))
    if broken.size:
        raise HyperKDError(
            "bad_scale",
            f"Band {broken[0] + 1} has the scale {scale[broken[0]]:g} ({origin}).",
            "The scale turns stored values into reflectance and cannot be 0: correct it in the "
            "file, or give the scale.",
            bands=[int(index) + 1 for index in broken],
        )
    # Bad bands often carry 0; their values are never used, but the table wants a number.
    usable = np.isfinite(scale) & (scale != 0)
    return ReflectanceScale(np.where(usable, scale, 1.0), np.where(usable, offset, 0.0), origin)


def _refuse_partial(scaled: Sequence[bool], good: BoolArray) -> None:
    flags = np.array(scaled) & good
    if flags.any() and not flags[good].all():
        lacking = np.flatnonzero(good & ~flags)
        raise HyperKDError(
            "bad_scale",
            f"{int(flags.sum())} bands have a band scale, but {lacking.size} do not: "
            f"{list_bands(lacking)}.",
            "Set the scale of every band, or give the scale.",
        )


def _filled(values: FloatArray) -> FloatArray:
    """Return ``values`` with those of unusable bands put between their neighbours'.

    Only bad bands lack a value here. They keep their place, so that band
    numbers stay those of the file, and nobody uses what stands there.
    """
    known = np.flatnonzero(~np.isnan(values))
    return np.asarray(np.interp(np.arange(values.size), known, values[known]))
