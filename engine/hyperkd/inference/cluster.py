"""The job ``cluster``: groups of pixels with similar embeddings, found without labels."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference.prepared import matched_scene
from hyperkd.inference.scene_sample import sampled_vectors
from hyperkd.inference.stats.kmeans import Centres, k_means
from hyperkd.inference.tiling.pipeline import FinishedRows
from hyperkd.inference.tiling.row_writer import OutputFile
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.inference.tiling.tiled_job import write_tiled
from hyperkd.raster.sink import ClassEntry, RasterSpec
from hyperkd.requests.explore_options import ClusterJob
from hyperkd.types import Float32Array, FloatArray, GridSpec, Reporter

NO_CLUSTER = 0
# Pixels that the centres are found from. More change the centres by less than another seed.
SAMPLE_PIXELS = 16_384
# The embedding's directions that hold this fraction of its variance; the rest is noise.
_KEPT_VARIANCE = 0.99
# Most people can distinguish these, also the colour-blind; further ones follow by their hue.
_COLOURS = (
    *("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#ee7733"),
    *("#332288", "#44aa99", "#882255", "#999933"),
)
_GOLDEN_ANGLE = 0.381966


def cluster(request: ClusterJob, report: Reporter) -> dict[str, Any]:
    """Write a map of clusters of a student's embedding.

    The centres are found by k-means on pixels of up to 64 tiles that are spread over the
    scene, in the principal components that hold 99 % of their variance; then every pixel
    gets its nearest centre. Clusters are numbered by their size in the sample.

    Returns:
        The summary, with the pixels of each cluster and ``explained``, the fraction of
        the sample's variance that lies between the clusters.

    Raises:
        HyperKDError: ``bad_job`` where the scene has fewer different pixels than clusters;
            ``no_valid_pixels``; and what reading, computing and writing raise.
    """
    with matched_scene(request.input, request.model, request, ["embedding"], report) as matched:
        report.stage("Computing clusters")
        vectors = sampled_vectors(matched, request, report, seed=request.seed, most=SAMPLE_PIXELS)
        result = _Clusters(vectors, matched.source.grid, request)
        summary = write_tiled(
            matched, [result.file], result.convert, request, report, stage="Mapping the clusters"
        )
        return {**summary, **result.summary()}


class _Clusters:
    """The file of the job."""

    def __init__(self, vectors: Float32Array, grid: GridSpec, request: ClusterJob) -> None:
        classes, seed = request.classes, request.seed
        self._mean, self._directions = _components(vectors)
        reduced = (vectors - self._mean) @ self._directions
        self._centres = _centres(reduced, classes, seed)
        self._counts = np.zeros(classes + 1, np.int64)
        entries = [ClassEntry(f"cluster {number + 1}", _rgb(number)) for number in range(classes)]
        spec = RasterSpec(grid, 1, np.uint8, nodata=NO_CLUSTER, names=["cluster"], classes=entries)
        about = {"classes": classes, "seed": seed}
        self.file = OutputFile("output", request.output, spec, about, self._count)

    def convert(self, rows: FinishedRows, clock: Stopwatch) -> Sequence[NDArray[Any]]:
        """Return the clusters of finished rows."""
        with clock.time("assign"):
            clusters = np.full((1, *rows.valid.shape), NO_CLUSTER, np.uint8)
            vectors = rows.values[:, rows.valid].T
            reduced = (vectors - self._mean) @ self._directions
            clusters[0][rows.valid] = self._centres.nearest(reduced) + 1
        return [clusters]

    def summary(self) -> dict[str, Any]:
        """Return what was found."""
        return {
            "clusters": {
                f"cluster {number}": int(count) for number, count in enumerate(self._counts[1:], 1)
            },
            "components": self._directions.shape[1],
            "explained": round(self._centres.explained, 4),
        }

    def _count(self, clusters: NDArray[Any]) -> None:
        self._counts += np.bincount(clusters.ravel(), minlength=len(self._counts))


def _components(vectors: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Return the mean ``(D,)`` and the directions ``(D, K)`` that hold most of the variance."""
    values = vectors.astype(np.float64)
    mean = values.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov((values - mean).T, ddof=0).reshape(len(mean), -1))
    order = np.argsort(variances)[::-1]
    cumulated: FloatArray = np.cumsum(variances[order].clip(0))
    total = cumulated[-1] if cumulated[-1] > 0 else 1.0
    count = int((cumulated < _KEPT_VARIANCE * total).sum()) + 1
    return mean.astype(np.float32), directions[:, order[:count]].astype(np.float32)


def _centres(vectors: NDArray[Any], classes: int, seed: int) -> Centres:
    try:
        return k_means(vectors, classes, seed)
    except ValueError as error:
        raise HyperKDError(
            "bad_job",
            f"{classes} clusters were asked for, but the scene has fewer different pixels.",
            "Ask for fewer clusters (classes), or check the nodata value of the raster.",
            classes=classes,
        ) from error


def _rgb(number: int) -> tuple[int, int, int]:
    """Return the colour of a cluster: from the list, then by hues far from each other."""
    if number < len(_COLOURS):
        red, green, blue = bytes.fromhex(_COLOURS[number][1:])
        return red, green, blue
    hue = (number * _GOLDEN_ANGLE) % 1.0
    lightness = (0.40, 0.55, 0.70)[number % 3]
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness, 0.65))
    return red, green, blue
