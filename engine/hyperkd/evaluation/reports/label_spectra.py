"""Spectra at labelled pixels: read, and summed up by class or by value for the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.scores.json_numbers import numbers
from hyperkd.models.card import ModelCard
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.spectral.sorted_bands import sort_bands
from hyperkd.types import BandTable, FloatArray, Reporter, Window

# Bands of two scenes are the same where their centres differ by less: EnMAP's wavelengths
# drift by some 0.1 nm from scene to scene, its neighbouring bands are 6 nm and more apart.
_SAME_BAND_NM = 1.0
_PERCENTILES = (10, 90)
# Of targets: a third each of the lowest, middle and highest values, dark to light.
_THIRDS = (("lowest", "#7a4a10"), ("middle", "#c58b2b"), ("highest", "#2a7f62"))


@dataclass(frozen=True, eq=False)
class MeanSpectra:
    """Mean spectra of some pixels, by class or by value.

    Attributes:
        centre_nm: ``(C,)`` band centres, one detector after the other.
        run: ``(C,)`` which detector a band belongs to; curves break between two.
        names, colours: of the K kinds of pixels.
        pixels: ``(K,)`` how many were averaged.
        mean, low, high: ``(K, C)`` mean, 10th and 90th percentile of reflectance.
    """

    centre_nm: FloatArray
    run: NDArray[np.int64]
    names: tuple[str, ...]
    colours: tuple[str, ...]
    pixels: NDArray[np.int64]
    mean: FloatArray
    low: FloatArray
    high: FloatArray

    def to_json(self) -> dict[str, Any]:
        """Return the curves as JSON values, reflectance rounded to 0.00001."""
        return {
            "centre_nm": self.centre_nm.round(3).tolist(),
            "run": self.run.tolist(),
            "kinds": [
                {
                    "name": name,
                    "color": colour,
                    "pixels": int(self.pixels[k]),
                    "mean": numbers(self.mean[k].round(5)),
                    "p10": numbers(self.low[k].round(5)),
                    "p90": numbers(self.high[k].round(5)),
                }
                for k, (name, colour) in enumerate(zip(self.names, self.colours))
            ],
        }


def detector_runs(bands: BandTable) -> NDArray[np.int64]:
    """Return for each band the detector it belongs to, -1 for a bad one; see ``sort_bands``."""
    have = sort_bands(bands.wavelengths, bands.good)
    run_of_node = np.zeros(len(have), np.int64)
    for number, detector in enumerate(have.detectors):
        run_of_node[detector] = number
    runs = np.full(len(bands), -1, np.int64)
    known = have.node >= 0
    runs[known] = run_of_node[have.node[known]]
    return runs


def common_bands(tables: Sequence[BandTable]) -> Optional[NDArray[np.int64]]:
    """Return the indices of the bands that are good in every scene.

    None where the scenes were not taken with the same bands.
    """
    first = tables[0].wavelengths.centre_nm
    for table in tables[1:]:
        other = table.wavelengths.centre_nm
        if other.shape != first.shape or np.abs(other - first).max() >= _SAME_BAND_NM:
            return None
    good = np.flatnonzero(np.logical_and.reduce([table.good for table in tables]))
    return good.astype(np.int64) if good.size else None


def reflectance_at(
    source: RasterSource,
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    bands: NDArray[np.int64],
    report: Reporter,
) -> NDArray[np.float32]:
    """Return reflectance ``(n, bands)`` of pixels, each block of the file read once.

    Args:
        rows, cols: ``(n,)`` pixel indices.
        bands: 0-based bands in the order wanted.

    Raises:
        HyperKDError: what reading raises; ``cancelled``.
    """
    spectra = np.empty((len(rows), len(bands)), np.float32)
    scale, offset = source.bands.scale[bands], source.bands.offset[bands]
    order = [int(band) for band in bands]
    blocks = list(_blocks(source, rows, cols))
    for number, members in enumerate(blocks, 1):
        report.check_cancelled()
        top, left = int(rows[members].min()), int(cols[members].min())
        window = Window(
            left, top, int(cols[members].max()) - left + 1, int(rows[members].max()) - top + 1
        )
        stored = source.read(window, order)[:, rows[members] - top, cols[members] - left]
        spectra[members] = stored.T.astype(np.float64) * scale + offset
        report.progress(number, len(blocks), "blocks")
    return spectra


def labelled_reflectance(
    sources: Sequence[RasterSource],
    labels: Labels,
    pixels: NDArray[np.int64],
    bands: NDArray[np.int64],
    report: Reporter,
) -> NDArray[np.float32]:
    """Return reflectance ``(k, bands)`` of some of the labelled pixels.

    Args:
        pixels: ``(k,)`` indices into the labelled pixels of all scenes, sorted.
        bands: see ``reflectance_at``.

    Raises:
        HyperKDError: what reading raises; ``cancelled``.
    """
    spectra, first = [], 0
    for source, scene in zip(sources, labels.scenes):
        here = pixels[(pixels >= first) & (pixels < first + len(scene))] - first
        spectra.append(reflectance_at(source, scene.rows[here], scene.cols[here], bands, report))
        first += len(scene)
    return np.concatenate(spectra)


def mean_spectra(
    reflectance: NDArray[Any], values: NDArray[Any], card: ModelCard, bands: BandTable
) -> MeanSpectra:
    """Return mean spectra by class, or by thirds of the first target.

    Args:
        reflectance: ``(n, C)``.
        values: ``(n,)`` class indices or ``(n, T)`` targets.
        card: the classes or targets.
        bands: the table of exactly the C bands, all good.
    """
    if card.task == "classification":
        return spectra_by_class(reflectance, values, card.classes, bands)
    return spectra_by_value(reflectance, values[:, 0], card.targets[0], bands)


def spectra_by_class(
    reflectance: NDArray[Any],
    truth: NDArray[np.int64],
    classes: Sequence[Mapping[str, Any]],
    bands: BandTable,
) -> MeanSpectra:
    """Sum up spectra by class; classes without a pixel are left out.

    Args:
        reflectance: ``(n, C)``.
        truth: ``(n,)`` class indices.
        classes: as in the card.
        bands: the table of exactly the C bands, all good.
    """
    kinds = [
        (str(item["name"]), str(item["color"]), truth == k)
        for k, item in enumerate(classes)
        if (truth == k).any()
    ]
    return _summed_up(reflectance, kinds, bands)


def spectra_by_value(
    reflectance: NDArray[Any], values: FloatArray, target: Mapping[str, Any], bands: BandTable
) -> MeanSpectra:
    """Sum up the spectra of the lowest, middle and highest third of a target's values.

    Args:
        reflectance: ``(n, C)``.
        values: ``(n,)``, NaN where a pixel has no truth.
        target: as in the card, with ``name`` and ``unit``.
        bands: the table of exactly the C bands, all good.
    """
    known = np.flatnonzero(np.isfinite(values))
    ranked = known[np.argsort(values[known], kind="stable")]
    kinds = []
    for (which, colour), members in zip(_THIRDS, np.array_split(ranked, len(_THIRDS))):
        if members.size:
            mask = np.zeros(len(values), np.bool_)
            mask[members] = True
            low, high = values[members].min(), values[members].max()
            unit = f" {target['unit']}" if target["unit"] else ""
            kinds.append((f"{which} third, {low:.3g} to {high:.3g}{unit}", colour, mask))
    return _summed_up(reflectance, kinds, bands)


def _summed_up(
    reflectance: NDArray[Any], kinds: Sequence[tuple[str, str, NDArray[np.bool_]]], bands: BandTable
) -> MeanSpectra:
    runs = detector_runs(bands)
    order = np.lexsort((bands.wavelengths.centre_nm, runs))
    by_kind = [np.asarray(reflectance, np.float64)[mask][:, order] for _, _, mask in kinds]
    ends = [np.percentile(spectra, _PERCENTILES, axis=0) for spectra in by_kind]
    return MeanSpectra(
        centre_nm=bands.wavelengths.centre_nm[order],
        run=runs[order],
        names=tuple(name for name, _, _ in kinds),
        colours=tuple(colour for _, colour, _ in kinds),
        pixels=np.array([len(spectra) for spectra in by_kind], np.int64),
        mean=np.stack([spectra.mean(axis=0) for spectra in by_kind]),
        low=np.stack([low for low, _ in ends]),
        high=np.stack([high for _, high in ends]),
    )


def _blocks(
    source: RasterSource, rows: NDArray[np.int64], cols: NDArray[np.int64]
) -> Iterator[NDArray[np.int64]]:
    """Yield the pixels of each block of the file that holds any."""
    if not len(rows):
        return
    height, width = source.block_shape
    across = -(-source.grid.width // width)
    place = rows // height * across + cols // width
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order])) + 1
    yield from np.split(order, starts)
