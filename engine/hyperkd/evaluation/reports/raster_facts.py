"""What a raster is, as numbers for programs and as lines for people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hyperkd.raster.source import RasterSource
from hyperkd.types import BandTable, GridSpec, Reporter, Wavelengths, Window

_SAMPLE_PX = 32  # 3 x 3 windows of this side tell the share of valid pixels well enough


def describe_raster(source: RasterSource, report: Reporter) -> dict[str, Any]:
    """Return everything that is known about a raster."""
    bands = source.bands
    valid, sampled = _count_valid(source, report)
    return {
        "kind": "raster",
        "path": source.path,
        "width": source.grid.width,
        "height": source.grid.height,
        **_grid_summary(source.grid),
        "dtype": source.dtype.name,
        "interleave": source.interleave,
        "block": {"width": source.block_shape[1], "height": source.block_shape[0]},
        **describe_bands(bands),
        "valid_pixels": {"valid": valid, "sampled": sampled},
        "problems": [problem.as_json() for problem in source.problems],
    }


def describe_bands(bands: BandTable) -> dict[str, Any]:
    """Return everything that is known about a band table."""
    return {
        "bands": len(bands),
        "bad_bands": (np.flatnonzero(~bands.good) + 1).tolist(),
        "wavelengths": _wavelength_summary(bands.wavelengths),
        "scale": np.unique(bands.scale).tolist(),
        "offset": np.unique(bands.offset).tolist(),
        "nodata": np.unique(bands.nodata[~np.isnan(bands.nodata)]).tolist(),
        "read_from": dict(bands.origins),
    }


def _count_valid(source: RasterSource, report: Reporter) -> tuple[int, int]:
    """Return how many of the pixels of 3 x 3 small windows are valid, and how many there are."""
    valid = sampled = 0
    for row, height in _samples(source.grid.height):
        for col, width in _samples(source.grid.width):
            report.check_cancelled()
            tile = source.read_tile(Window(col, row, width, height))
            valid += int(tile.valid.sum())
            sampled += tile.valid.size
    return valid, sampled


def _samples(length: int) -> list[tuple[int, int]]:
    """Return start and size of what is sampled along one axis: both ends and the middle."""
    if length <= 3 * _SAMPLE_PX:
        return [(0, length)]
    last = length - _SAMPLE_PX
    return [(start, _SAMPLE_PX) for start in (0, last // 2, last)]


def _grid_summary(grid: GridSpec) -> dict[str, Any]:
    wkt = grid.crs_wkt or grid.gcp_crs_wkt
    # The name is the first quoted word of WKT, the identifier of the whole stands at its end.
    name = re.match(r'\w+\["((?:[^"]|"")*)"', wkt)
    identifier = re.search(r'(?:ID|AUTHORITY)\["(\w+)","?(\w+)"?\]\]\s*$', wkt)
    return {
        "crs": name.group(1) if name else None,
        "crs_id": ":".join(identifier.groups()) if identifier else None,
        "geotransform": grid.geotransform,
        "ground_control_points": len(grid.gcps),
    }


def _wavelength_summary(wavelengths: Wavelengths) -> dict[str, Any]:
    centre, fwhm = wavelengths.centre_nm, wavelengths.fwhm_nm
    steps = np.diff(centre)
    drops = np.flatnonzero(steps <= 0)
    if not drops.size:
        order = "ascending"
    elif (steps < 0).all():
        order = "descending"
    else:
        order = "by detector"  # each detector ascends, and the next one starts lower
    return {
        "minimum_nm": centre.min(),
        "maximum_nm": centre.max(),
        "order": order,
        "drops": [
            {"after_band": i + 1, "from_nm": centre[i], "to_nm": centre[i + 1]}
            for i in (drops if order == "by detector" else ())
        ],
        "fwhm_minimum_nm": None if fwhm is None else fwhm.min(),
        "fwhm_maximum_nm": None if fwhm is None else fwhm.max(),
    }


def description_lines(summary: Mapping[str, Any]) -> list[str]:
    """Return what ``describe_raster`` found as lines of the form ``label: value``."""
    block, valid = summary["block"], summary["valid_pixels"]
    product = summary["read_from"].get("product")
    return [
        *([f"Product: {product}"] if product else []),
        f"Size: {summary['width']} x {summary['height']} px, {summary['dtype']}, "
        f"{summary['interleave']} interleaved, blocks of {block['width']} x {block['height']} px",
        _grid_line(summary),
        *band_lines(summary),
        f"Valid pixels: {valid['valid'] / valid['sampled']:.1%} of {valid['sampled']} sampled",
    ]


def band_lines(summary: Mapping[str, Any]) -> list[str]:
    """Return what ``describe_bands`` found as lines of the form ``label: value``."""
    bad, origins = summary["bad_bands"], summary["read_from"]

    def line(text: str, *keys: str) -> str:
        """Return ``text`` with the places where its values were read."""
        places = [f"{key}: {origins[key]}" for key in keys if key in origins]
        return f"{text} [{'; '.join(places)}]" if places else text

    return [
        line(
            f"Bands: {summary['bands']}, {len(bad)} bad" + (f": {_ranges(bad)}" if bad else ""),
            "good",
        ),
        line(_wavelength_text(summary["wavelengths"]), "wavelength", "units"),
        *_detector_lines(summary["wavelengths"]),
        line(_fwhm_text(summary["wavelengths"]), "fwhm"),
        line(
            f"Reflectance: stored value x {_numbers(summary['scale'])} "
            f"+ {_numbers(summary['offset'])}",
            "scale",
            "offset",
        ),
        line(f"Nodata: {_numbers(summary['nodata']) or 'none'}", "nodata"),
    ]


def _grid_line(summary: Mapping[str, Any]) -> str:
    crs = summary["crs"] or "no coordinate reference system"
    if summary["crs_id"]:
        crs += f" ({summary['crs_id']})"
    if summary["geotransform"]:
        x0, dx, rx, y0, ry, dy = summary["geotransform"]
        turned = ", rotated" if rx or ry else ""
        return f"Grid: {crs}, origin {x0:.10g}, {y0:.10g}, pixel {dx:.10g} x {dy:.10g}{turned}"
    points = summary["ground_control_points"]
    return f"Grid: {crs}, " + (f"{points} ground control points" if points else "no geotransform")


def _wavelength_text(summary: Mapping[str, Any]) -> str:
    low, high = summary["minimum_nm"], summary["maximum_nm"]
    return f"Wavelengths: {low:.2f} to {high:.2f} nm, {summary['order']}"


def _fwhm_text(summary: Mapping[str, Any]) -> str:
    low, high = summary["fwhm_minimum_nm"], summary["fwhm_maximum_nm"]
    return "FWHM: unknown" if low is None else f"FWHM: {low:.2f} to {high:.2f} nm"


def _detector_lines(summary: Mapping[str, Any]) -> list[str]:
    return [
        f"Detector ends: band {drop['after_band']} at {drop['from_nm']:.2f} nm, "
        f"the next one starts at {drop['to_nm']:.2f} nm"
        for drop in summary["drops"]
    ]


def _ranges(numbers: Sequence[int]) -> str:
    """Return for instance ``3, 130-135`` for sorted numbers."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else f"{r[0]}" for r in runs)


def _numbers(values: Sequence[float]) -> str:
    """Return distinct values, or their range where they are many."""
    if len(values) > 3:
        return f"{values[0]:g} to {values[-1]:g} ({len(values)} values)"
    return " or ".join(f"{value:g}" for value in values)
