"""The job ``similarity``: where a scene is similar to some places of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference.pixel_values import values_at
from hyperkd.inference.prepared import matched_scene
from hyperkd.inference.scene_sample import sampled_vectors
from hyperkd.inference.stats.kmeans import k_means
from hyperkd.inference.tiling.pipeline import FinishedRows
from hyperkd.inference.tiling.row_writer import OutputFile
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.inference.tiling.tiled_job import write_tiled
from hyperkd.raster.labels.read_labels import read_places
from hyperkd.raster.sink import RasterSpec
from hyperkd.raster.source import RasterSource
from hyperkd.requests.explore_options import SimilarityJob
from hyperkd.types import Float32Array, FloatArray, GridSpec, Ints, Reporter

# More references than this are replaced by the centres of as many clusters of them.
MOST_REFERENCES = 64
# Pixels that the scene's mean is estimated from.
_SAMPLE_PIXELS = 16_384
# The suggested threshold lets this fraction of the references themselves pass.
_PASSING = 0.9
_LEAST_FEATURES = 3


def similarity(request: SimilarityJob, report: Reporter) -> dict[str, Any]:
    """Write how similar each pixel is to the places that features mark.

    Similarity is the cosine between two embeddings from which the scene's mean was subtracted:
    1 is the same, 0 has nothing in common, -1 is the opposite. The largest over all references
    counts, so that places of several kinds can be given at once.

    Returns:
        The summary, with the number of references and, from three features on,
        ``threshold``: nine tenths of the references are at least that similar to the best one
        of another feature.

    Raises:
        HyperKDError: ``no_labels`` where no feature marks a pixel with data; ``bad_labels``;
            and what reading, computing and writing raise.
    """
    with matched_scene(request.input, request.model, request, ["embedding"], report) as matched:
        source = matched.source
        rows, cols, features = read_places(source, request.places, margin_px=request.margin)
        report.stage("Sampling the scene")
        vectors = sampled_vectors(matched, request, report, seed=request.seed, most=_SAMPLE_PIXELS)
        mean = vectors.mean(axis=0)
        report.stage("Embedding the places")
        found = values_at(matched, (rows, cols), request, report, again=True)
        references, features = _valid(found, features, source, request.places)
        result = _Similarity(mean, references, features, source.grid, request)
        summary = write_tiled(
            matched, [result.file], result.convert, request, report, stage="Comparing"
        )
        return {**summary, **result.summary}


class _Similarity:
    """The file of the job.

    Attributes:
        summary: what is known of the references.
    """

    def __init__(
        self,
        mean: Float32Array,
        references: Float32Array,
        features: Ints,
        grid: GridSpec,
        request: SimilarityJob,
    ) -> None:
        self._mean = mean
        directions = _directions(references - mean)
        self.summary = {
            "references": len(references),
            "features": len(np.unique(features)),
            "threshold": _threshold(directions, features),
        }
        if len(directions) > MOST_REFERENCES:
            directions = _fewer(directions, request.seed)
        self._directions = directions
        names = ["similarity (cosine of embeddings)"]
        spec = RasterSpec(grid, 1, np.float32, nodata=np.nan, names=names)
        about = {"references": len(references), "seed": request.seed}
        self.file = OutputFile("output", request.output, spec, about)

    def convert(self, rows: FinishedRows, clock: Stopwatch) -> Sequence[NDArray[Any]]:
        """Return the similarity of finished rows."""
        with clock.time("compare"):
            cosine = np.full((1, *rows.valid.shape), np.nan, np.float32)
            vectors = _directions(rows.values[:, rows.valid].T - self._mean)
            cosine[0][rows.valid] = (vectors @ self._directions.T).max(axis=1)
        return [cosine]


def _directions(vectors: Float32Array) -> Float32Array:
    """Return ``(n, D)`` vectors of length 1; one without a direction stays 0."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions: Float32Array = vectors / np.maximum(length, np.finfo(np.float32).tiny)
    return directions


def _fewer(directions: Float32Array, seed: int) -> Float32Array:
    """Return the directions of the centres of clusters of the references."""
    different = len(np.unique(directions, axis=0))
    centres = k_means(directions, min(MOST_REFERENCES, different), seed).vectors
    return _directions(centres.astype(np.float32))


def _threshold(directions: Float32Array, features: Ints) -> Optional[float]:
    """Return the similarity that most references have to the best one of another feature."""
    names = np.unique(features)
    if len(names) < _LEAST_FEATURES:
        return None
    best: FloatArray = np.empty(len(directions))
    for name in names:
        own = features == name
        best[own] = (directions[own] @ directions[~own].T).max(axis=1)
    return round(float(np.quantile(best, 1.0 - _PASSING)), 4)


def _valid(
    vectors: Float32Array, features: Ints, source: RasterSource, places: str
) -> tuple[Float32Array, Ints]:
    """Leave out the references on pixels without data."""
    valid = np.isfinite(vectors[:, 0])
    if not valid.any():
        raise HyperKDError(
            "no_labels",
            f"{source.path} has no data at any pixel that {places} marks.",
            "Mark places where the scene has data.",
        )
    return vectors[valid], features[valid]
