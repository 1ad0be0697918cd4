"""Band tables from the metadata of a raster; docs/rasters.md explains the order of sources.

Two steps, because pixels are only worth reading where there are wavelengths:
``draft_table`` uses the metadata alone, ``complete_table`` adds what a sample
of pixels shows (bands without data, nodata, scale).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.problems import Problem
from hyperkd.raster.bands.band_values import (
    BandSource,
    common_unit,
    parse_lengths,
    parse_numbers,
    property_of,
    source_of_descriptions,
    source_of_items,
    source_of_lists,
    split_list,
    to_nanometres,
)
from hyperkd.types import BoolArray, FloatArray

_HOW = (
    "Give a band table as CSV (columns wavelength_nm, fwhm_nm, bbl), name the sensor, or write "
    "the items wavelength and wavelength_units to each band."
)
# GDAL 3.10 and later round CENTRAL_WAVELENGTH_UM to three decimals: half a nanometre.
_ROUNDING_NM = 0.5001
# Two places that differ by more than this describe different sensors.
_DISAGREEMENT_NM = 1.0
_FWHM_NM = (0.1, 1000.0)
_PLAUSIBLE_NM = (300.0, 2600.0)


@dataclass(frozen=True)
class BandMetadata:
    """What a file says about one band.

    Attributes:
        domains: metadata items by domain; the default domain is ``""``.
        description: the band's name.
        unit: the unit of stored values, or an empty string.
        scale, offset, nodata: as declared, None where the file declares none.
    """

    domains: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    description: str = ""
    unit: str = ""
    scale: Optional[float] = None
    offset: Optional[float] = None
    nodata: Optional[float] = None


@dataclass(frozen=True)
class RasterMetadata:
    """What a file says about itself and its bands, without any pixel.

    Attributes:
        path: the file.
        dtype: its stored dtype.
        bands: its bands in their order.
        domains: metadata items of the dataset by domain.
        notes: what is odd about its texts.
    """

    path: str
    dtype: np.dtype[Any]
    bands: Sequence[BandMetadata]
    domains: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notes: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class BandDraft:
    """What metadata alone says about the bands.

    Attributes:
        centre_nm: ``(bands,)``, NaN where the file names no usable wavelength.
        unusable: ``(bands,)`` the text the file has instead, by 0-based band.
        fwhm_nm: ``(bands,)``, or None.
        good: ``(bands,)`` False where flagged bad.
        origins: where each kind of value was read.
        problems: what is odd.
    """

    centre_nm: FloatArray
    unusable: Mapping[int, str]
    fwhm_nm: Optional[FloatArray]
    good: BoolArray
    origins: Mapping[str, str]
    problems: tuple[Problem, ...]


def sources_of_metadata(metadata: RasterMetadata) -> tuple[BandSource, ...]:
    """Return the places inside a raster where band values may stand, the first choice first."""
    count = len(metadata.bands)
    sources: list[BandSource] = []
    domains = sorted({domain for band in metadata.bands for domain in band.domains})
    for domain in _ordered(domains, ("IMAGERY", "")):
        items = [band.domains.get(domain, {}) for band in metadata.bands]
        sources.append(source_of_items(_place("band metadata", domain), items))
    for domain in _ordered(metadata.domains, ("", "ENVI")):
        place = _place("dataset metadata", domain)
        sources.append(source_of_lists(place, metadata.domains[domain], count))
    return tuple(sources)


def without_misfits(metadata: RasterMetadata, domain: str) -> RasterMetadata:
    """Return the metadata without the band items that GDAL took from lists of another length.

    It gives the first values of a header's list to the first bands, however many there are,
    and names the bands by them.

    Args:
        metadata: that of a file.
        domain: where the lists stand as the header has them.
    """
    lists = {property_of(key)[0]: text for key, text in metadata.domains.get(domain, {}).items()}
    count = len(metadata.bands)
    misfits = [
        name
        for name in ("wavelength", "fwhm")
        if name in lists and len(split_list(lists[name])) != count
    ]
    bands = tuple(
        replace(
            band,
            description="" if "wavelength" in misfits else band.description,
            domains={
                place: {k: v for k, v in items.items() if property_of(k)[0] not in misfits}
                for place, items in band.domains.items()
            },
        )
        for band in metadata.bands
    )
    return replace(metadata, bands=bands)


def _ordered(domains: Sequence[str] | Mapping[str, Any], first: Sequence[str]) -> list[str]:
    present = [domain for domain in first if domain in domains]
    return present + sorted(domain for domain in domains if domain not in first)


def _place(what: str, domain: str) -> str:
    return f"{what} {domain}" if domain else what


def draft_table(
    metadata: RasterMetadata, sources: Sequence[BandSource], given: Optional[BandSource] = None
) -> BandDraft:
    """Choose wavelengths, FWHM and bad bands from the places where they may stand.

    Args:
        metadata: the raster's own metadata.
        sources: all places in order of preference; band descriptions are added here.
        given: a band table that the user gives: it goes before all others.

    Raises:
        HyperKDError: ``no_wavelengths``, ``bad_wavelengths`` or ``bad_units``.
    """
    sources = [*sources, source_of_descriptions([band.description for band in metadata.bands])]
    problems = [_ignored(sentence) for source in sources for sentence in source.ignored]
    origins: dict[str, str] = {}
    if given is not None:
        sources = [given, *sources]
    good = _bad_bands(sources, len(metadata.bands), origins)
    candidates = [source for source in sources if "wavelength" in source.columns]
    if not candidates:
        raise HyperKDError(
            "no_wavelengths",
            f"{metadata.path} ({_count(len(metadata.bands), 'band')} of {metadata.dtype}) says "
            "no wavelengths" + (": " + " ".join(map(str, problems)) if problems else "."),
            _HOW,
            bands=len(metadata.bands),
        )
    if given is None:
        chosen = _choose(candidates, sources, problems)
    else:  # it stands alone: neither a unit nor an objection of the file counts
        chosen = _choose([given], [], problems)
    origins.update(chosen.origins)
    centre_nm = chosen.centre_nm
    usable = ~np.isnan(centre_nm)
    fwhm_nm = _fwhm(sources, usable & good, origins, problems)
    problems += _oddities(centre_nm[usable & good])
    return BandDraft(centre_nm, chosen.unusable, fwhm_nm, good, origins, tuple(problems))


@dataclass(frozen=True)
class _Centres:
    centre_nm: FloatArray
    unusable: Mapping[int, str]
    origins: Mapping[str, str]


def _choose(
    candidates: Sequence[BandSource], sources: Sequence[BandSource], problems: list[Problem]
) -> _Centres:
    """Return the first complete wavelengths, or else those that lack the fewest.

    A place that cannot be understood only matters where no other is complete.
    """
    read: list[_Centres] = []
    errors: list[HyperKDError] = []
    for candidate in candidates:
        try:
            read.append(_centres(candidate, sources))
        except HyperKDError as error:
            errors.append(error)
    if errors and all(one.unusable for one in read):
        raise errors[0]
    problems += [_ignored(f"Some wavelengths are ignored: {error.message}") for error in errors]
    chosen = min(read, key=lambda one: len(one.unusable))
    place = chosen.origins["wavelength"]
    if np.isnan(chosen.centre_nm).all():
        text = next(iter(chosen.unusable.values()))
        raise HyperKDError(
            "no_wavelengths",
            f"No band has a usable wavelength: all {place} are {text}.",
            _HOW,
        )
    for other in read:
        if other is chosen or np.isnan(other.centre_nm).any():
            continue
        gap = float(np.nanmax(np.abs(other.centre_nm - chosen.centre_nm)))
        if "IMAGERY" in place and gap <= _ROUNDING_NM and not chosen.unusable:
            return other  # the same wavelengths, without GDAL's rounding
        if gap > _DISAGREEMENT_NM:
            problems.append(
                Problem(
                    "wavelengths_disagree",
                    f"The {other.origins['wavelength']} differs by up to {gap:.4g} nm from the "
                    f"{place}, which is used.",
                    values={"difference_nm": gap},
                )
            )
    return chosen


def _centres(source: BandSource, sources: Sequence[BandSource]) -> _Centres:
    texts, origin = source.columns["wavelength"], source.origins["wavelength"]
    values, units_inside = parse_lengths(texts, origin)
    unusable = {
        int(index): "missing" if texts[index] is None else str(texts[index])
        for index in np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    }
    values[list(unusable)] = np.nan
    if len(unusable) == len(values):
        return _Centres(values, unusable, {"wavelength": origin})
    stated = [*units_inside, *source.columns.get("units", ())]
    unit, place = common_unit(stated, origin), source.origins.get("units", origin)
    if unit is None:
        unit, place = _unit_elsewhere(sources)
    converted, how = to_nanometres(values, unit, origin)
    written = {"nm": "nanometres", "um": "micrometres"}.get(unit or "", "")
    units = f"{place} ({written})" if unit else how
    return _Centres(converted, unusable, {"wavelength": origin, "units": units})


def _unit_elsewhere(sources: Sequence[BandSource]) -> tuple[Optional[str], str]:
    """Return the unit that another place states, for wavelengths that come without."""
    for source in sources:
        origin = source.origins.get("units")
        # A unit inside a key or a description belongs to that place alone.
        if origin is not None and origin != source.origins.get("wavelength"):
            unit = common_unit(source.columns["units"], origin)
            if unit is not None:
                return unit, origin
    return None, ""


def _bad_bands(sources: Sequence[BandSource], count: int, origins: dict[str, str]) -> BoolArray:
    for source in sources:
        if "bbl" in source.columns:
            texts = tuple(_flag(text) for text in source.columns["bbl"])
            flags, _ = parse_numbers(texts, source.origins["bbl"])
            origins["good"] = source.origins["bbl"]
            # A band without the item is good: programs write it for bad bands only.
            return np.asarray(flags != 0)
    origins["good"] = "no bad bands declared"
    return np.ones(count, bool)


def _flag(text: Optional[str]) -> Optional[str]:
    words = {"true": "1", "false": "0", "yes": "1", "no": "0", "good": "1", "bad": "0"}
    return None if text is None else words.get(text.lower(), text)


def _fwhm(
    sources: Sequence[BandSource],
    needed: BoolArray,
    origins: dict[str, str],
    problems: list[Problem],
) -> Optional[FloatArray]:
    """Return the first FWHM that is usable for every band that needs one."""
    chosen: Optional[FloatArray] = None
    for source in sources:
        if "fwhm" not in source.columns:
            continue
        values = _widths(source, needed, problems)
        if values is None:
            continue
        if chosen is not None and (np.abs(values - chosen)[needed] > _ROUNDING_NM).any():
            continue
        chosen, origins["fwhm"] = values, source.origins["fwhm"]
        if "IMAGERY" not in origins["fwhm"]:
            break  # else another place may have the same widths without GDAL's rounding
    return chosen


def _widths(source: BandSource, needed: BoolArray, problems: list[Problem]) -> Optional[FloatArray]:
    """Return the FWHM of one place in nm, or None with a sentence why it is not usable."""
    origin = source.origins["fwhm"]
    values, inside = parse_lengths(source.columns["fwhm"], origin)
    broken = np.flatnonzero(needed & ~(np.isfinite(values) & (values > 0)))
    if broken.size:
        problems.append(
            _ignored(
                f"The {origin} is ignored: band {broken[0] + 1} has "
                f"{source.columns['fwhm'][broken[0]] or 'none'}."
            )
        )
        return None
    values[~(np.isfinite(values) & (values > 0))] = np.nan
    unit = common_unit([*inside, *source.columns.get("units", ())], origin)
    # No spectrometer has bands of 0.5 nm, and none of 500 nm.
    micrometres = unit == "um" or (unit is None and float(np.nanmax(values)) < 0.5)
    fwhm_nm: FloatArray = values * (1000.0 if micrometres else 1.0)
    low, high = float(np.nanmin(fwhm_nm)), float(np.nanmax(fwhm_nm))
    if low < _FWHM_NM[0] or high > _FWHM_NM[1]:
        problems.append(
            _ignored(f"The {origin} is ignored: {low:g} to {high:g} nm is not a bandwidth.")
        )
        return None
    return fwhm_nm


def _oddities(centre_nm: FloatArray) -> list[Problem]:
    """Return what is odd about the wavelengths of the good bands.

    Raises:
        HyperKDError: ``bad_wavelengths`` where all bands have the same one.
    """
    problems: list[Problem] = []
    if centre_nm.size == 0:
        return problems
    low, high = float(centre_nm.min()), float(centre_nm.max())
    distinct, counts = np.unique(centre_nm, return_counts=True)
    if centre_nm.size > 1 and distinct.size == 1:
        raise HyperKDError(
            "bad_wavelengths",
            f"All {centre_nm.size} bands have the wavelength {low:g} nm.",
            "Correct the band metadata, or give a band table as CSV.",
        )
    if distinct.size < centre_nm.size:
        shared = distinct[counts > 1]
        problems.append(
            Problem(
                "shared_wavelengths",
                f"{_count(int(shared.size), 'wavelength')} stand for more than one band, "
                f"the first is {shared[0]:g} nm.",
                values={"wavelengths_nm": shared.tolist()},
            )
        )
    if low < _PLAUSIBLE_NM[0] or high > _PLAUSIBLE_NM[1]:
        problems.append(
            Problem(
                "odd_wavelengths",
                f"The wavelengths reach from {low:g} to {high:g} nm, beyond the reflective range "
                f"of {_PLAUSIBLE_NM[0]:g} to {_PLAUSIBLE_NM[1]:g} nm.",
                values={"minimum_nm": low, "maximum_nm": high},
            )
        )
    return problems


def _ignored(sentence: str) -> Problem:
    return Problem("ignored_metadata", sentence)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
