"""Anomalies, likeness and clusters: against numbers that a toy student makes easy to know."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.inference import anomaly as anomaly_module
from hyperkd.inference import cluster as cluster_module
from hyperkd.inference import prepared
from hyperkd.inference import similarity as similarity_module
from hyperkd.inference.anomaly import BackgroundStats, anomaly
from hyperkd.inference.cluster import cluster
from hyperkd.inference.similarity import similarity
from hyperkd.inference.stats.kmeans import k_means
from hyperkd.inference.tiling.tile_plan import evenly
from hyperkd.raster.memory import MemoryRaster
from hyperkd.requests.explore_options import AnomalyJob, ClusterJob, SimilarityJob
from hyperkd.types import GridSpec
from tests.engine.inference_factories import Recorder, band_table, make_student
from tests.factories import GEOTRANSFORM, UTM_33N, wkt
from tests.label_factories import make_vector, point, square

gdal = pytest.importorskip("osgeo.gdal")

NODATA = -32768


@pytest.fixture
def student(tmp_path) -> str:
    """A student whose embedding is the reflectance, and whose reconstruction is 0.9 of it."""
    return make_student(tmp_path / "toy.onnx", gain=0.9)


@pytest.fixture
def scene(monkeypatch):
    """Put a raster in memory in the place of the input file; returns what puts it there."""

    def put(data):
        height, width = data.shape[1:]
        grid = GridSpec(width, height, GEOTRANSFORM, wkt(UTM_33N))
        source = MemoryRaster(data, band_table(), grid, path="/far/away/scene.tif")
        monkeypatch.setattr(prepared, "open_scene", lambda path, options, report: source)
        return source

    return put


def spectra(rows: int, cols: int, seed: int = 0, holes: float = 0.1):
    """Random stored values, some pixels without data; returns both."""
    random = np.random.default_rng(seed)
    data = random.integers(500, 5000, (5, rows, cols)).astype(np.int16)
    hole = random.random((rows, cols)) < holes
    data[:, hole] = NODATA
    return data, hole


def read(path):
    dataset = gdal.Open(str(path))
    return dataset, dataset.ReadAsArray()


RUN = {"overlap": None, "batch": 2, "device": "cpu"}


# --- anomalies ---------------------------------------------------------------------------


def expected_scores(errors, valid, measure="rmse"):
    """The modified z-score, written down a second time."""
    chord = errors if measure == "rmse" else np.sqrt(2 - 2 * np.cos(np.radians(errors)))
    levels = np.cbrt(chord.astype(float) ** 2)
    median = np.median(levels[valid])
    mad = np.median(np.abs(levels[valid] - median))
    return (levels - median) / (1.4826 * mad)


def test_the_score_is_the_modified_z_score_of_the_error(tmp_path, student, scene, monkeypatch):
    """The reconstruction is 0.9 of the scene, so the error is a tenth of it."""
    data, hole = spectra(24, 40)  # whole tiles, so that no pixel counts twice
    data[:, 3, 5] = 30_000
    hole[3, 5] = False
    scene(data)
    # The whole of each tile counts, so that the sample is the scene.
    monkeypatch.setattr(anomaly_module, "_inside", lambda size: slice(None))
    output, mask = tmp_path / "a.tif", tmp_path / "m.tif"
    report = Recorder()
    summary = anomaly(
        AnomalyJob(input="scene", output=str(output), mask=str(mask), model=student, **RUN), report
    )
    errors = np.sqrt(((0.1 * data * 1e-4) ** 2).mean(axis=0))
    expected = expected_scores(errors, ~hole)
    dataset, (score, error) = read(output)
    np.testing.assert_allclose(error[~hole], errors[~hole], rtol=1e-4)
    np.testing.assert_allclose(score[~hole], expected[~hole], rtol=2e-3, atol=2e-3)
    assert np.isnan(score[hole]).all()
    assert score[3, 5] > 3.5
    found = (expected >= 3.5) & ~hole
    map_of_them, marked = read(mask)
    assert np.array_equal(marked, np.where(hole, 0, np.where(found, 2, 1)))
    assert summary["anomalies"] == found.sum()
    assert summary["share"] == pytest.approx(found.sum() / (~hole).sum(), abs=1e-6)
    assert summary["median_error"] == pytest.approx(np.median(errors[~hole]), rel=1e-3)
    at = expected_scores(np.append(errors[~hole], summary["threshold_error"]), slice(None, -1))
    assert at[-1] == pytest.approx(3.5, abs=1e-3)
    assert [dataset.GetRasterBand(band).GetDescription() for band in (1, 2)] == [
        "anomaly score",
        "RMSE (reflectance)",
    ]
    band = map_of_them.GetRasterBand(1)
    band.GetMetadata()  # GDAL 3.6 reads the sidecar, where the names are, only when asked for this
    assert band.GetRasterCategoryNames() == ["no data", "as expected", "anomaly"]
    assert report.artifacts == [("output", str(output)), ("mask", str(mask))]
    about = json.loads(dataset.GetMetadataItem("HYPERKD_SETTINGS"))
    assert (about["measure"], about["threshold"]) == ("rmse", 3.5)


@pytest.mark.parametrize("measure", ["rmse", "angle"])
def test_a_score_and_its_error_are_each_others_inverse(measure) -> None:
    errors = np.array([0.01, 0.02, 0.03, 0.05, 0.2]) * (100 if measure == "angle" else 1)
    background = BackgroundStats.of(errors, measure)
    np.testing.assert_allclose(
        background.score(errors), expected_scores(errors, slice(None), measure), rtol=1e-5
    )
    for error, score in zip(errors, background.score(errors)):
        assert background.error_at(float(score)) == pytest.approx(error, rel=1e-5)


def test_a_threshold_that_no_angle_reaches_is_the_largest_angle() -> None:
    background = BackgroundStats.of(np.array([10.0, 40.0, 90.0, 120.0]), "angle")
    assert background.error_at(50.0) == 180.0


def test_the_edge_of_a_tile_does_not_count_as_background() -> None:
    assert np.arange(64)[anomaly_module._inside(64)].tolist() == list(range(8, 56))
    assert np.arange(3)[anomaly_module._inside(3)].tolist() == [0, 1, 2]


def test_where_all_errors_are_equal_nothing_stands_out(tmp_path, student, scene) -> None:
    scene(np.full((5, 12, 12), 1000, np.int16))
    with pytest.raises(HyperKDError, match="same error .*nothing can stand out") as caught:
        anomaly(
            AnomalyJob(input="s", output=str(tmp_path / "a.tif"), model=student, **RUN), Recorder()
        )
    assert caught.value.code == "unsupported_raster"
    assert list(tmp_path.glob("a.tif*")) == []


# --- likeness ----------------------------------------------------------------------------


def place(row, col):
    """Return a point in the middle of a pixel."""
    return point(col + 0.5, row + 0.5)


def likeness(data, hole, references):
    """Cosines with the mean taken out, written down a second time."""
    vectors = data.reshape(5, -1).T * 1e-4
    centred = vectors - vectors[~hole.ravel()].mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    chosen = centred.reshape(*hole.shape, 5)[tuple(np.transpose(references))]
    result = (centred @ chosen.T).max(axis=1).reshape(hole.shape)
    return np.where(hole, np.nan, result), chosen


def run_similarity(scene_data, student, tmp_path, geometries, **fields):
    places = make_vector(tmp_path / "places.gpkg", geometries, {})
    output = tmp_path / "like.tif"
    summary = similarity(
        SimilarityJob(
            input="s", places=str(places), output=str(output), model=student, **{**RUN, **fields}
        ),
        Recorder(),
    )
    return summary, read(output)[1]


def test_likeness_is_the_largest_cosine_to_a_reference(tmp_path, student, scene) -> None:
    data, hole = spectra(16, 24)
    references = [(2, 3), (7, 20), (12, 9), (15, 0)]
    for row, col in references:
        hole[row, col] = False
        data[:, row, col] = np.random.default_rng(row).integers(500, 5000, 5)
    scene(data)
    summary, found = run_similarity(
        data, student, tmp_path, [(place(row, col), {}) for row, col in references]
    )
    expected, chosen = likeness(data, hole, references)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert [found[place] for place in references] == pytest.approx([1.0] * 4, abs=1e-5)
    assert (summary["references"], summary["features"]) == (4, 4)
    others = (chosen @ chosen.T - 2 * np.eye(4)).max(axis=1)
    assert summary["threshold"] == pytest.approx(np.quantile(others, 0.1), abs=1e-3)


def test_many_references_become_as_many_clusters_of_them(tmp_path, student, scene) -> None:
    """Two kinds of surface under one polygon each: both are found, everything else is not."""
    data = np.full((5, 24, 24), 1000, np.int16)
    random = np.random.default_rng(1)
    data += random.integers(-5, 6, data.shape).astype(np.int16)
    data[0, :, :12] += 3000
    data[4, :, 12:18] += 3000
    scene(data)
    places = [(square(0, 0, 12, 20), {}), (square(12, 5, 6, 4), {})]
    summary, found = run_similarity(data, student, tmp_path, places)
    assert summary["references"] > similarity_module.MOST_REFERENCES
    assert summary["threshold"] is None
    assert found[:, :18].min() > 0.99
    assert found[:, 18:].max() < 0.9


def test_places_without_data_do_not_count(tmp_path, student, scene) -> None:
    data, hole = spectra(16, 16, holes=0.0)
    data[:, 4, 4] = NODATA
    hole[4, 4] = True
    scene(data)
    summary, found = run_similarity(data, student, tmp_path, [(place(4, 4), {}), (place(9, 9), {})])
    assert (summary["references"], summary["features"]) == (1, 1)
    np.testing.assert_allclose(found, likeness(data, hole, [(9, 9)])[0], atol=2e-5)
    with pytest.raises(HyperKDError, match="has no data at any pixel that .* marks") as caught:
        run_similarity(data, student, tmp_path, [(place(4, 4), {})])
    assert caught.value.code == "no_labels"


def test_features_beside_the_scene_are_refused(tmp_path, student, scene) -> None:
    data, _ = spectra(16, 16)
    scene(data)
    with pytest.raises(HyperKDError) as caught:
        run_similarity(data, student, tmp_path, [(place(500, 500), {})])
    assert caught.value.code == "no_labels"


# --- clusters ----------------------------------------------------------------------------


def test_three_surfaces_are_three_clusters_by_their_size(tmp_path, student, scene) -> None:
    random = np.random.default_rng(0)
    kinds = np.zeros((20, 30), int)
    kinds[:, 10:] = 1
    kinds[:6, 24:] = 2
    levels = np.array([[1000, 2000, 3000, 2000, 1000], [4000] * 5, [500, 500, 500, 6000, 6000]])
    data = levels[kinds].transpose(2, 0, 1) + random.integers(-40, 41, (5, 20, 30))
    data = data.astype(np.int16)
    data[:, 0, 0] = NODATA
    scene(data)
    output = tmp_path / "c.tif"
    summary = cluster(
        ClusterJob(input="s", output=str(output), model=student, classes=3, **RUN), Recorder()
    )
    dataset, found = read(output)
    order = {1: 1, 0: 2, 2: 3}  # the middle one is the largest
    expected = np.vectorize(order.get)(kinds)
    expected[0, 0] = 0
    assert np.array_equal(found, expected)
    assert summary["clusters"] == {
        f"cluster {number}": int((expected == number).sum()) for number in (1, 2, 3)
    }
    assert summary["explained"] > 0.99
    band = dataset.GetRasterBand(1)
    band.GetMetadata()  # GDAL 3.6 reads the sidecar, where the names are, only when asked for this
    assert band.GetRasterCategoryNames() == ["no data", "cluster 1", "cluster 2", "cluster 3"]
    colours = {band.GetColorTable().GetColorEntry(number)[:3] for number in (1, 2, 3)}
    assert len(colours) == 3
    assert band.GetNoDataValue() == 0


def test_the_same_seed_gives_the_same_map_and_254_clusters_fit(tmp_path, student, scene) -> None:
    data, hole = spectra(40, 40, holes=0.0)
    scene(data)
    maps = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        cluster(
            ClusterJob(
                input="s", output=str(tmp_path / name), model=student, classes=254, seed=seed, **RUN
            ),
            Recorder(),
        )
        maps.append(read(tmp_path / name)[1])
    assert np.array_equal(maps[0], maps[1])
    assert not np.array_equal(maps[0], maps[2])
    assert set(np.unique(maps[0])) <= set(range(1, 255))
    assert len({cluster_module._rgb(number) for number in range(254)}) == 254


def test_more_clusters_than_different_pixels_are_refused(tmp_path, student, scene) -> None:
    data = np.full((5, 9, 9), 1000, np.int16)
    data[0, 0, 0] = 2000
    scene(data)
    with pytest.raises(HyperKDError, match="3 clusters .* fewer different pixels") as caught:
        cluster(
            ClusterJob(input="s", output=str(tmp_path / "c.tif"), model=student, classes=3, **RUN),
            Recorder(),
        )
    assert caught.value.code == "bad_job"
    assert list(tmp_path.glob("c.tif*")) == []


# --- k-means -----------------------------------------------------------------------------


def test_the_error_is_that_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.cluster")
    random = np.random.default_rng(3)
    middles = random.normal(0, 4, (6, 4))
    points = np.concatenate(
        [random.normal(c, 0.3, (100 + 10 * i, 4)) for i, c in enumerate(middles)]
    )
    ours = k_means(points, 6, seed=0)
    theirs = sklearn.KMeans(6, n_init=10, random_state=0).fit(points)
    assert ours.error == pytest.approx(theirs.inertia_ / len(points), rel=1e-6)
    assert np.array_equal(
        np.sort(np.bincount(ours.nearest(points))), np.sort(np.bincount(theirs.labels_))
    )
    assert np.array_equal(np.bincount(ours.nearest(points)).argsort()[::-1], np.arange(6))
    assert ours.explained == pytest.approx(
        1 - theirs.inertia_ / ((points - points.mean(0)) ** 2).sum(), rel=1e-6
    )


def test_as_many_clusters_as_points_leave_no_error() -> None:
    points = np.array([[0.0], [1.0], [5.0], [9.0]])
    centres = k_means(points, 4, seed=0)
    assert centres.error == 0
    assert centres.explained == 1
    assert sorted(centres.vectors[:, 0]) == [0, 1, 5, 9]
    with pytest.raises(ValueError, match="as many different vectors"):
        k_means(np.array([[1.0], [1.0], [2.0]]), 3, seed=0)


def test_a_cluster_that_loses_its_points_gets_others() -> None:
    """Started so that one centre is nobody's nearest."""
    from hyperkd.inference.stats.kmeans import _lloyd

    points = np.array([[0.0], [0.1], [10.0], [10.1], [20.0]])
    centres, error, sizes = _lloyd(points, np.array([[0.0], [10.0], [1000.0]]))
    assert sizes.sum() == 5
    assert (sizes > 0).all()
    assert error == pytest.approx(4 * 0.05**2 / 5)


# --- the sample --------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 7, 64, 1000])
def test_every_beginning_of_the_sample_is_spread_evenly(count) -> None:
    order = evenly(count)
    assert sorted(order) == list(range(count))
    for share in (4, 16):
        first = np.sort(order[: count // share])
        if len(first) > 2:
            # twice the even distance at most, as the golden ratio promises (and its ends)
            assert np.diff(first).max() <= 3 * share
            assert first[0] <= 3 * share
            assert count - first[-1] <= 3 * share


def test_an_empty_part_of_the_scene_does_not_make_the_sample_empty(
    tmp_path, student, scene, monkeypatch
) -> None:
    """Of 256 tiles one has data, and it is not among the first that are looked at."""
    data = np.full((5, 128, 128), NODATA, np.int16)
    last = evenly(256)[-1]
    row, col = 8 * (last // 16), 8 * (last % 16)
    random = np.random.default_rng(0)
    data[:, row : row + 8, col : col + 8] = random.integers(500, 5000, (5, 8, 8))
    scene(data)
    summary = cluster(
        ClusterJob(input="s", output=str(tmp_path / "c.tif"), model=student, classes=4, **RUN),
        Recorder(),
    )
    assert sum(summary["clusters"].values()) == 64
    data[:] = NODATA
    with pytest.raises(HyperKDError) as caught:
        cluster(
            ClusterJob(input="s", output=str(tmp_path / "d.tif"), model=student, classes=4, **RUN),
            Recorder(),
        )
    assert caught.value.code == "no_valid_pixels"


def test_a_cancel_during_the_sample_leaves_nothing(tmp_path, student, scene) -> None:
    data, _ = spectra(40, 40)
    scene(data)
    with pytest.raises(HyperKDError) as caught:
        cluster(
            ClusterJob(input="s", output=str(tmp_path / "c.tif"), model=student, classes=4, **RUN),
            Recorder(cancel_after=2),
        )
    assert caught.value.code == "cancelled"
    assert list(tmp_path.glob("c.tif*")) == []
