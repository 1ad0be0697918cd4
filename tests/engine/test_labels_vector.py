"""Polygons, lines and points on the pixels of scenes, held against geometry done by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from osgeo import gdal, ogr, osr

from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal.vector_pixels import VectorLayer
from hyperkd.raster.labels.read_labels import read_places
from hyperkd.types import GridSpec
from tests.factories import GEOTRANSFORM, UTM_33N
from tests.label_factories import image, make_scene, make_vector, point, read, square

HEIGHT, WIDTH = 12, 16
CLASS = {"class": "text"}


# --- the geometry, by hand ---


def corners(ring: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return ring, np.roll(ring, -1, axis=0)


def contains(rings: list[NDArray[Any]], points: NDArray[Any]) -> NDArray[np.bool_]:
    """Even-odd rule: how often does a ray to the right cross the rings?"""
    crossings = np.zeros(len(points), int)
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(*corners(ring)):
            between = (y0 > points[:, 1]) != (y1 > points[:, 1])
            with np.errstate(divide="ignore", invalid="ignore"):
                x = x0 + (points[:, 1] - y0) * (x1 - x0) / (y1 - y0)
            crossings += between & (points[:, 0] < x)
    return crossings % 2 == 1


def distance(rings: list[NDArray[Any]], points: NDArray[Any]) -> NDArray[Any]:
    """Distance to the nearest edge."""
    nearest = np.full(len(points), np.inf)
    for ring in rings:
        for start, end in zip(*corners(ring)):
            along = end - start
            share = np.clip((points - start) @ along / (along @ along), 0, 1)
            foot = start + share[:, None] * along
            nearest = np.minimum(nearest, np.hypot(*(points - foot).T))
    return nearest


def centres(height: int = HEIGHT, width: int = WIDTH) -> NDArray[Any]:
    """Centres of all pixels ``(n, 2)`` as (column, row), row by row."""
    row, col = np.mgrid[:height, :width] + 0.5
    return np.stack([col.ravel(), row.ravel()], axis=1)


def star(generator: np.random.Generator, middle: NDArray[Any], radius: float) -> NDArray[Any]:
    """A ring with corners that point inwards, in pixels."""
    count = int(generator.integers(3, 10))
    angle = np.sort(generator.uniform(0, 2 * math.pi, count))
    length = radius * generator.uniform(0.3, 1, count)
    return middle + np.stack([np.cos(angle), np.sin(angle)], axis=1) * length[:, None]


def to_world(ring: NDArray[Any], place: Any) -> NDArray[Any]:
    matrix = np.array([[place[1], place[2]], [place[4], place[5]]])
    return ring @ matrix.T + np.array([place[0], place[3]])


def ring_text(ring: NDArray[Any]) -> str:
    closed = np.vstack([ring, ring[:1]])
    return "(" + ", ".join(f"{x:.12f} {y:.12f}" for x, y in closed) + ")"


def polygon_text(rings: list[NDArray[Any]], place: Any) -> str:
    return "POLYGON(" + ", ".join(ring_text(to_world(ring, place)) for ring in rings) + ")"


def layer_pixels(path: str, scene: Any, margin_px: float = 0) -> dict[int, NDArray[np.bool_]]:
    """What each feature marks, ``(row, col)`` bool by feature id."""
    marked = {}
    with VectorLayer(path) as layer:
        for feature in layer.features(scene.grid, [], margin_px):
            picture = np.zeros((scene.grid.height, scene.grid.width), bool)
            picture[feature.rows, feature.cols] = True
            assert picture.sum() == feature.rows.size, "each pixel once"
            marked[feature.fid] = picture
    return marked


ANGLE = math.radians(24)
PLACES = {
    "north up": GEOTRANSFORM,
    "south up": (366000.0, 30.0, 0.0, 5800000.0, 0.0, 30.0),
    "rotated": (
        *(366000.0, 30 * math.cos(ANGLE), 30 * math.sin(ANGLE)),
        *(5810000.0, 30 * math.sin(ANGLE), -30 * math.cos(ANGLE)),
    ),
    "sheared, not square": (1000.5, 2.0, 0.7, -300.25, 0.3, -5.0),
    "identity": (0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vectors")


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_polygon_labels_the_pixels_whose_centre_it_contains(
    folder: Path, place: Any, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    middle = generator.uniform((-3, -3), (WIDTH + 3, HEIGHT + 3))
    outer = star(generator, middle, generator.uniform(0.5, 12))
    hole = star(generator, middle, generator.uniform(0.2, 3))
    other = star(generator, generator.uniform((0, 0), (WIDTH, HEIGHT)), 3)
    scene = make_scene(HEIGHT, WIDTH, geotransform=place)
    multi = f"MULTIPOLYGON({polygon_text([outer], place)[7:]}, {polygon_text([other], place)[7:]})"
    path = make_vector(
        folder / "polygons.gpkg",
        [
            (polygon_text([outer], place), {"class": "a"}),
            (polygon_text([outer, hole], place), {"class": "b"}),
            (multi, {"class": "c"}),
        ],
        CLASS,
    )
    marked = layer_pixels(path, scene)
    inside = [contains([ring], centres()).reshape(HEIGHT, WIDTH) for ring in (outer, other)]
    with_hole = contains([outer, hole], centres()).reshape(HEIGHT, WIDTH)
    expected = {1: inside[0], 3: inside[0] | inside[1]}
    if ogr.CreateGeometryFromWkt(polygon_text([outer, hole], place)).IsValid():
        expected[2] = with_hole  # a hole outside of its polygon has no meaning
    for fid, pixels in expected.items():
        found = marked.get(fid, np.zeros_like(pixels))
        np.testing.assert_array_equal(found, pixels)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), margin=st.sampled_from([0.25, 0.5, 0.7072, 1.5]))
def test_a_margin_keeps_pixels_that_far_inside(folder: Path, seed: int, margin: float) -> None:
    generator = np.random.default_rng(seed)
    middle = np.array([WIDTH / 2, HEIGHT / 2])
    outer, hole = star(generator, middle, 11), star(generator, middle + 2, 2)
    place = PLACES["rotated"]
    scene = make_scene(HEIGHT, WIDTH, geotransform=place)
    path = make_vector(
        folder / "margin.gpkg", [(polygon_text([outer, hole], place), {"class": "a"})], CLASS
    )
    # A polygon that crosses itself has several readings of where its inside is.
    if not ogr.CreateGeometryFromWkt(polygon_text([outer, hole], place)).IsValid():
        return
    found = layer_pixels(path, scene, margin).get(1, np.zeros((HEIGHT, WIDTH), bool)).ravel()
    inside = contains([outer, hole], centres())
    depth = distance([outer, hole], centres())
    sure = np.abs(depth - margin) > 0.001  # the arcs around corners are chains of chords
    np.testing.assert_array_equal(found[sure], (inside & (depth > margin))[sure])


def test_a_margin_of_half_the_diagonal_leaves_pixels_wholly_inside(tmp_path: Path) -> None:
    path = make_vector(tmp_path / "a.gpkg", [(square(2.4, 3.4, 4.2, 3.2), {"class": "a"})], CLASS)
    by_centre = layer_pixels(path, make_scene())[1]
    inside = layer_pixels(path, make_scene(), 0.7072)[1]
    assert (by_centre.sum(), inside.sum()) == (5 * 4, 3 * 2)
    assert np.argwhere(inside).min(0).tolist() == [4, 3]


def test_a_polygon_that_crosses_itself_has_a_margin_too(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    x, y = GEOTRANSFORM[0], GEOTRANSFORM[3]
    tie = ", ".join(
        f"{x + 30 * c} {y - 30 * r - 9}" for c, r in ((0, 0), (12, 12), (12, 0), (0, 12))
    )
    path = make_vector(tmp_path / "a.gpkg", [(f"POLYGON(({tie}, {x} {y}))", {"class": "a"})], CLASS)
    plain, inner = (layer_pixels(path, make_scene(), margin)[1] for margin in (0, 1))
    col, row = centres().T
    bow = (np.abs(row - 6.3) < np.abs(col - 6)) & (col < 12)
    np.testing.assert_array_equal(plain.ravel(), bow)
    deep = bow & (np.abs(col - 6) - np.abs(row - 6.3) > math.sqrt(2)) & (col > 1) & (col < 11)
    np.testing.assert_array_equal(inner.ravel(), deep)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("margin", [0, 0.4])
def test_rings_that_enclose_nothing_are_harmless(tmp_path: Path, margin: float) -> None:
    x, y = GEOTRANSFORM[0], GEOTRANSFORM[3] - 360
    ring = f"({x} {y},{x + 480} {y},{x + 480} {y + 360},{x} {y + 360},{x} {y})"
    shapes = [
        f"POLYGON({ring}, ({x + 60} {y + 60},{x + 60} {y + 60}))",
        f"POLYGON(({x} {y + 60}))",
        f"POLYGON(({x} {y + 60},{x + 90} {y + 90}))",
        f"POLYGON(({x} {y + 60},{x + 90} {y + 90},{x} {y + 60}))",
        "MULTIPOLYGON EMPTY",
    ]
    path = make_vector(tmp_path / "a.gpkg", [(wkt, {"class": "a"}) for wkt in shapes], CLASS)
    with VectorLayer(path) as layer:
        found = list(layer.features(make_scene().grid, ["class"], margin))
    assert found[0].rows.size == HEIGHT * WIDTH
    assert {feature.why_none for feature in found[1:]} == {"small"}


def test_neighbouring_polygons_share_no_pixel_and_leave_none_out(tmp_path: Path) -> None:
    # The common border runs through centres of pixels.
    path = make_vector(
        tmp_path / "a.gpkg",
        [(square(0, 0, 5.5, 12), {"class": "a"}), (square(5.5, 0, 10.5, 12), {"class": "b"})],
        CLASS,
    )
    labels, _ = read(make_scene(), path, fields="class")
    assert labels.notes == ()
    picture = image(labels, (HEIGHT, WIDTH))
    assert (picture > 0).all()
    assert (np.diff(picture, axis=1) != 0).sum() == HEIGHT


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_line_labels_the_pixels_that_it_touches(folder: Path, seed: int) -> None:
    generator = np.random.default_rng(seed)
    ends = generator.uniform((-2, -2), (WIDTH + 2, HEIGHT + 2), (4, 2))
    place = PLACES["rotated"]
    line = ", ".join(f"{x:.12f} {y:.12f}" for x, y in to_world(ends, place))
    path = make_vector(folder / "lines.gpkg", [(f"LINESTRING({line})", {"class": "a"})], CLASS)
    found = layer_pixels(path, make_scene(HEIGHT, WIDTH, geotransform=place))[1]
    drawn = ogr.CreateGeometryFromWkt(
        f"LINESTRING({', '.join(f'{x:.12f} {y:.12f}' for x, y in ends)})"
    )
    for row, col in np.ndindex(HEIGHT, WIDTH):
        pixel = ogr.CreateGeometryFromWkt(
            f"POLYGON(({col} {row}, {col + 1} {row}, {col + 1} {row + 1}, {col} {row + 1}, "
            f"{col} {row}))"
        )
        assert found[row, col] == pixel.Intersects(drawn), (row, col)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_a_point_labels_the_pixel_it_lies_in(tmp_path: Path, place: Any) -> None:
    generator = np.random.default_rng(7)
    points = generator.uniform((-2, -2), (WIDTH + 2, HEIGHT + 2), (200, 2))
    world = to_world(points, place)
    path = make_vector(
        tmp_path / "a.gpkg",
        [(f"POINT({x:.12f} {y:.12f})", {"class": "a"}) for x, y in world]
        + [("MULTIPOINT(({:.12f} {:.12f}), ({:.12f} {:.12f}))".format(*world[:2].ravel()), {})],
        CLASS,
    )
    marked = layer_pixels(path, make_scene(HEIGHT, WIDTH, geotransform=place))
    for number, (x, y) in enumerate(points, start=1):
        expected = [[int(y), int(x)]] if 0 <= x < WIDTH and 0 <= y < HEIGHT else []
        found = np.argwhere(marked[number]).tolist() if number in marked else []
        assert found == expected
    if 201 in marked:
        assert (marked[201] == marked[1] | marked[2]).all()


def test_curves_heights_and_collections_count_as_what_they_are(tmp_path: Path) -> None:
    x, y = GEOTRANSFORM[0] + 30 * 8, GEOTRANSFORM[3] - 30 * 6
    shapes = [
        # a circle of 3 pixels' radius
        f"CURVEPOLYGON(CIRCULARSTRING({x - 90} {y}, {x + 90} {y}, {x - 90} {y}))",
        f"POINT Z ({x + 200} {y} 12)",
        f"GEOMETRYCOLLECTION(POINT({x} {y}), {square(0, 0, 2, 1)})",
    ]
    path = make_vector(tmp_path / "a.gpkg", [(wkt, {"class": "a"}) for wkt in shapes], CLASS)
    marked = layer_pixels(path, make_scene())
    circle = np.hypot(*(centres() - (8, 6)).T).reshape(HEIGHT, WIDTH) < 3
    np.testing.assert_array_equal(marked[1], circle)
    assert np.argwhere(marked[2]).tolist() == [[6, 14]]
    assert np.argwhere(marked[3]).tolist() == [[0, 0], [0, 1], [6, 8]]


# --- reference systems ---


def reprojected(wkt_text: str, epsg: int) -> str:
    systems = []
    for code in (UTM_33N, epsg):
        system = osr.SpatialReference()
        system.ImportFromEPSG(code)
        system.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
        systems.append(system)
    geometry = ogr.CreateGeometryFromWkt(wkt_text)
    geometry.Transform(osr.CoordinateTransformation(*systems))
    return str(geometry.ExportToWkt())


@pytest.mark.parametrize(
    ("epsg", "driver", "suffix"),
    [
        (4326, "GPKG", "gpkg"),  # longitude first in the file
        (4326, "KML", "kml"),
        (4326, "GeoJSON", "geojson"),
        (4326, "ESRI Shapefile", "shp"),
        (3857, "GPKG", "gpkg"),
        (25832, "GPKG", "gpkg"),
        (3035, "FlatGeobuf", "fgb"),  # northing first by definition
    ],
)
def test_labels_in_another_reference_system_fall_on_the_same_pixels(
    tmp_path: Path, epsg: int, driver: str, suffix: str
) -> None:
    shapes = [square(1.2, 2.3, 6.1, 5.4), square(9.3, 1.2, 4.4, 8.8)]
    here = make_vector(tmp_path / "here.gpkg", [(s, {"class": "a"}) for s in shapes], CLASS)
    there = make_vector(
        tmp_path / f"there.{suffix}",
        [(reprojected(s, epsg), {"class": "a"}) for s in shapes],
        CLASS,
        epsg=epsg,
        driver=driver,
        geometry=ogr.wkbPolygon,
    )
    expected = sum(layer_pixels(here, make_scene()).values())
    found = layer_pixels(there, make_scene())
    assert len(found) == 2
    np.testing.assert_array_equal(sum(found.values()), expected)


def test_a_filter_around_the_scene_loses_no_feature_and_reads_no_other(tmp_path: Path) -> None:
    # A country of squares; the scene covers a few of them.
    shapes = [square(40 * i, 40 * j, 8, 8) for i in range(-20, 20) for j in range(-20, 20)]
    path = make_vector(
        tmp_path / "many.gpkg",
        [(reprojected(s, 4326), {"class": str(i)}) for i, s in enumerate(shapes)],
        CLASS,
        epsg=4326,
    )
    scene = make_scene(100, 90)
    with VectorLayer(path) as layer:
        found = list(layer.features(scene.grid, ["class"]))
    assert sum(feature.rows.size > 0 for feature in found) == 3 * 3
    assert sum(feature.rows.size for feature in found) == 9 * 64
    assert len(found) <= 5 * 5


def test_a_scene_across_the_date_line_sees_labels_on_both_sides(tmp_path: Path) -> None:
    # UTM 60 north, at the meridian of 180 degrees.
    place = (832000.0, 300.0, 0.0, 100000.0, 0.0, -300.0)
    scene = make_scene(50, 50, geotransform=place, epsg=32660)
    path = make_vector(
        tmp_path / "a.gpkg",
        [("POINT(179.999 0.85)", {"class": "a"}), ("POINT(-179.999 0.85)", {"class": "b"})],
        CLASS,
        epsg=4326,
    )
    assert [int(pixels.sum()) for pixels in layer_pixels(path, scene).values()] == [1, 1]


def test_a_geometry_that_the_projection_cannot_show_is_named(tmp_path: Path) -> None:
    path = make_vector(
        tmp_path / "a.gpkg",
        [
            ("POLYGON((0 -90, 20 52, 13 -90, 0 -90))", {"class": "a"}),
            (reprojected(square(2, 2, 3, 3), 4326), {"class": "a"}),
            (reprojected(square(8, 2, 3, 3), 4326), {"class": "b"}),
            (reprojected(square(8, 2, 3, 3), 4326).replace("13", "1e300", 1), {"class": "b"}),
        ],
        CLASS,
        epsg=4326,
    )
    labels, _ = read(make_scene(), path, fields="class")
    assert labels.class_counts() == {"a": 9, "b": 9}
    assert labels.notes[0] == (
        "Without a place in the scene's reference system: 1 of 4 features of a.gpkg (id 4)."
    )


# --- fields, features, groups ---


def test_classes_are_sorted_as_people_count(tmp_path: Path) -> None:
    names = ["class 10", "class 9", "Acker", "class 9", " Acker "]
    path = make_vector(
        tmp_path / "a.gpkg",
        [(square(3 * i, 1, 2, 2), {"class": name}) for i, name in enumerate(names)],
        CLASS,
    )
    labels, _ = read(make_scene(), path)
    assert [item.name for item in labels.classes] == ["Acker", "class 9", "class 10"]
    assert [item.value for item in labels.classes] == ["Acker", "class 9", "class 10"]
    assert labels.class_counts() == {"Acker": 8, "class 9": 8, "class 10": 4}
    assert len(set(labels.group.tolist())) == 5


def test_numbers_are_classes_with_zero_among_them(tmp_path: Path) -> None:
    for kind, values in (("integer", [10, 0, 2]), ("number", [10.0, 0.0, 2.0])):
        path = make_vector(
            tmp_path / f"{kind}.gpkg",
            [(square(4 * i, 1, 2, 2), {"code": value}) for i, value in enumerate(values)],
            {"code": kind},
        )
        labels, _ = read(make_scene(), path, fields="code")
        assert [item.value for item in labels.classes] == [0, 2, 10]
        assert [item.name for item in labels.classes] == ["0", "2", "10"]
        assert all(type(item.value) is int for item in labels.classes)
        np.testing.assert_array_equal(labels.values, [2, 2, 0, 0, 1, 1] * 2)


def test_colours_come_from_the_user_by_value_or_name_and_else_from_the_palette(
    tmp_path: Path,
) -> None:
    path = make_vector(
        tmp_path / "a.gpkg",
        [(square(4 * i, 1, 2, 2), {"class": name}) for i, name in enumerate("abcd")],
        CLASS,
    )
    labels, _ = read(make_scene(), path, colours={"b": "#009E73", "d": "#123456"})
    # The palette's first colour is taken already, so the next ones serve.
    assert [item.colour for item in labels.classes] == ["#e69f00", "#009e73", "#56b4e9", "#123456"]
    with pytest.raises(HyperKDError, match="class b has the colour 'green'") as error:
        read(make_scene(), path, colours={"b": "green"})
    assert error.value.code == "bad_labels"


def test_several_targets_and_empty_ones(tmp_path: Path) -> None:
    path = make_vector(
        tmp_path / "a.gpkg",
        [
            (point(1.5, 1.5), {"soc": 1.5, "ph": 7}),
            (point(2.5, 1.5), {"soc": 2.5, "ph": 6}),
            (point(3.5, 1.5), {"soc": None, "ph": 6}),
            (point(4.5, 1.5), {"soc": math.nan, "ph": 6}),
            (point(5.5, 1.5), {"soc": math.inf, "ph": 6}),
        ],
        {"soc": "number", "ph": "integer"},
    )
    labels, report = read(make_scene(), path, "regression", ["ph", "soc"])
    assert labels.targets == ("ph", "soc")
    np.testing.assert_array_equal(labels.values, [[7, 1.5], [6, 2.5]])
    assert labels.notes == (
        "Without a value in the field, ignored: 3 of 5 features of a.gpkg (id 3, 4, 5).",
    )
    assert report.logs == [("warning", labels.notes[0])]


def test_numbers_written_as_text_are_numbers(tmp_path: Path) -> None:
    path = make_vector(
        tmp_path / "a.gpkg",
        [(point(i + 0.5, 1.5), {"soc": text}) for i, text in enumerate(["1.5", " 2e-1 ", ""])],
        {"soc": "text"},
    )
    labels, _ = read(make_scene(), path, "regression", "soc")
    np.testing.assert_array_equal(labels.values[:, 0], [1.5, 0.2])


def test_contradictions_are_left_out_by_name_and_agreement_joins_groups(tmp_path: Path) -> None:
    path = make_vector(
        tmp_path / "a.gpkg",
        [
            (square(0, 0, 4, 4), {"class": "roof"}),
            (square(3, 0, 4, 2), {"class": "tree"}),
            (square(0, 3, 2, 4), {"class": "roof"}),
            (square(10, 0, 2, 2), {"class": "roof"}),
        ],
        CLASS,
    )
    labels, report = read(make_scene(), path)
    expected = np.zeros((HEIGHT, WIDTH))
    expected[0:4, 0:4] = expected[3:7, 0:2] = expected[0:2, 10:12] = 1
    expected[0:2, 3:7] = 2
    expected[0:2, 3] = 0
    np.testing.assert_array_equal(image(labels, (HEIGHT, WIDTH)), expected)
    assert labels.notes == (
        "Left out for contradicting labels: 2 pixels (2 by feature 1 (roof) of a.gpkg and "
        "feature 2 (tree) of a.gpkg).",
    )
    scene = labels.scenes[0]
    groups = {
        (int(row), int(col)): int(group)
        for row, col, group in zip(scene.rows, scene.cols, scene.group)
    }
    assert groups[0, 0] == groups[6, 1], "features 1 and 3 share pixels"
    assert len({groups[0, 0], groups[0, 5], groups[0, 10]}) == 3


def test_points_in_one_pixel_are_averaged_but_polygons_that_differ_are_not(
    tmp_path: Path,
) -> None:
    path = make_vector(
        tmp_path / "a.gpkg",
        [
            (point(1.2, 1.2), {"soc": 1.0}),
            (point(1.8, 1.7), {"soc": 4.0}),
            (point(1.5, 1.5), {"soc": 4.0}),
            (square(4, 1, 2, 1), {"soc": 2.0}),
            (point(5.5, 1.5), {"soc": 2.5}),
            (square(4, 1, 1, 1), {"soc": 2.0}),
        ],
        {"soc": "number"},
    )
    labels, _ = read(make_scene(), path, "regression", "soc")
    np.testing.assert_array_equal(labels.values[:, 0], [3.0, 2.0])
    np.testing.assert_array_equal(labels.scenes[0].cols, [1, 4])
    assert labels.notes == (
        "Left out for contradicting labels: 1 pixel (1 by feature 4 of a.gpkg and feature 5 of "
        "a.gpkg).",
        "With several points, whose targets are averaged: 1 pixel.",
    )


def test_a_polygon_in_two_scenes_is_one_group(tmp_path: Path) -> None:
    left, step, *rest = GEOTRANSFORM
    second = make_scene(geotransform=(left + 8 * step, step, *rest), path="second.tif")
    path = make_vector(
        tmp_path / "a.gpkg",
        [(square(9, 1, 2, 2), {"class": "a"}), (square(1, 1, 2, 2), {"class": "b"})],
        CLASS,
    )
    labels, _ = read([make_scene(), second], path)
    assert [len(scene) for scene in labels.scenes] == [8, 4]
    first, other = labels.scenes
    assert set(other.group) == set(first.group[first.values == 0])
    assert other.cols.tolist() == [1, 2, 1, 2]


def test_only_valid_pixels_count_and_only_windows_with_labels_are_read(tmp_path: Path) -> None:
    valid = np.ones((HEIGHT, WIDTH), bool)
    valid[2, 2:5] = False
    features = [(square(1, 1, 4, 3), {"class": "a"}), (square(8, 1, 2, 2), {"class": "b"})]
    path = make_vector(tmp_path / "a.gpkg", features, CLASS)
    labels, _ = read(make_scene(valid=valid), path)
    assert labels.class_counts() == {"a": 9, "b": 4}
    assert labels.notes == ("Left out, because the scene has no data there: 3 pixels.",)

    large = make_scene(20000, 30000, block_shape=(512, 512))
    path = make_vector(
        tmp_path / "b.gpkg",
        [*features, (square(29000, 19000, 20, 30), {"class": "a"})],
        CLASS,
    )
    labels, _ = read(large, path)
    assert labels.class_counts() == {"a": 612, "b": 4}
    assert sum(window.width * window.height for window in large.windows) == 9 * 3 + 20 * 30


def test_a_polygon_over_a_large_scene_is_burned_in_stripes(tmp_path: Path) -> None:
    path = make_vector(
        tmp_path / "a.gpkg",
        [(square(10.4, 0.6, 2000, 5000), {"class": "a"})],
        CLASS,
    )
    scene = make_scene(6000, 3000)
    with VectorLayer(path) as layer:
        (feature,) = layer.features(scene.grid, ["class"])
    assert feature.rows.size == 2000 * 5000
    assert (feature.rows.min(), feature.rows.max()) == (1, 5000)
    assert (feature.cols.min(), feature.cols.max()) == (10, 2009)


def test_features_that_label_nothing_are_named(tmp_path: Path) -> None:
    path = make_vector(
        tmp_path / "a.gpkg",
        [
            (square(1, 1, 2, 2), {"class": "a"}),
            (square(4, 1, 2, 2), {"class": "b"}),
            (square(7.6, 1.6, 0.3, 0.3), {"class": "b"}),
            (None, {"class": "b"}),
            (square(9, 1, 2, 2), {"class": None}),
            (square(9, 1, 2, 2), {"class": "  "}),
            (point(900, 900), {"class": "c"}),
            (point(-0.1, 3), {"class": "b"}),
        ],
        CLASS,
    )
    labels, _ = read(make_scene(), path)
    assert set(labels.notes) == {
        "Without any centre of a pixel inside (after the margin), so give them as points or "
        "enlarge them: 1 of 8 features of a.gpkg (id 3).",
        "Without a value in the field, ignored: 2 of 8 features of a.gpkg (id 5, 6).",
        "Without a geometry: 1 of 8 features of a.gpkg (id 4).",
        "Outside every scene: 2 of 8 features of a.gpkg (id 7, 8).",
    }


def test_options_behind_the_path_choose_layer_and_features(tmp_path: Path) -> None:
    path = make_vector(
        tmp_path / "a.gpkg",
        [(square(3 * i, 1, 2, 2), {"class": name}) for i, name in enumerate("aabc")],
        CLASS,
    )
    make_vector(
        tmp_path / "a.gpkg",
        [(square(1, 1, 2, 2), {"class": "x"}), (square(5, 1, 2, 2), {"class": "y"})],
        CLASS,
        layer="other",
        append=True,
    )
    scene = make_scene()
    counts = {
        option: read(scene, f"{path}|{option}")[0].class_counts()
        for option in (
            *("layername=labels", "layerid=1", "layername=other"),
            "layername=labels|subset=\"class\" = 'a' OR \"class\" = 'c'",
        )
    }
    assert list(counts.values()) == [
        *({"a": 8, "b": 4, "c": 4}, {"x": 4, "y": 4}, {"x": 4, "y": 4}),
        {"a": 8, "c": 4},
    ]


def test_outputs_cannot_replace_label_files_while_they_are_read(tmp_path: Path) -> None:
    from hyperkd.atomic import AtomicFile

    path = make_vector(tmp_path / "a.gpkg", [(square(1, 1, 2, 2), {"class": "a"})], CLASS)
    with VectorLayer(path), pytest.raises(HyperKDError, match="is read by this job"):
        AtomicFile(path)
    AtomicFile(path).abort()


# --- labels that must be refused ---


def refused(code: str, message: str, hint: str, paths: Any, **others: Any) -> HyperKDError:
    scene = others.pop("scene", None) or make_scene()
    with pytest.raises(HyperKDError, match=message) as error:
        read(scene, paths, **others)
    assert error.value.code == code
    assert hint in error.value.hint
    return error.value


def two(tmp_path: Path, **knobs: Any) -> str:
    features = [(square(1, 1, 2, 2), {"class": "a"}), (square(4, 1, 2, 2), {"class": "b"})]
    return make_vector(tmp_path / "a.gpkg", features, CLASS, **knobs)


def test_labels_elsewhere_are_refused_with_where_they_lie(tmp_path: Path) -> None:
    path = make_vector(
        tmp_path / "a.gpkg",
        [(point(500, 3), {"class": "a"}), (point(600, 3), {"class": "b"})],
        CLASS,
    )
    error = refused(
        "no_labels", "No pixel of scene.tif is labelled by", "on top of each other", path
    )
    assert "Outside every scene: 2 of 2 features of a.gpkg (id 1, 2)." in error.message
    assert "The scene reaches from 366000 to 366480 and from 5809640 to 5810000" in error.message
    assert "from 381000 to 384000 and from 5809910 to 5809910 in EPSG:32633" in error.message


def test_features_without_geometry_lie_nowhere(tmp_path: Path) -> None:
    nowhere = [(None, {"class": name}) for name in "ab"]
    path = make_vector(tmp_path / "a.gpkg", nowhere, CLASS)
    error = refused("no_labels", "No pixel of scene.tif is labelled by", "", path)
    assert "Without a geometry: 2 of 2 features of a.gpkg (id 1, 2)." in error.message
    assert "utside" not in error.message
    path = make_vector(tmp_path / "b.gpkg", [*nowhere, (point(500, 3), {"class": "a"})], CLASS)
    error = refused("no_labels", "Without a geometry: 2 of 3 features", "", path)
    assert "Outside every scene: 1 of 3 features of b.gpkg (id 3)." in error.message
    assert "The layer reaches from" in error.message


def test_labels_without_data_below_them_are_refused(tmp_path: Path) -> None:
    scene = make_scene(valid=np.zeros((HEIGHT, WIDTH), bool))
    refused(
        "no_labels", "Where a scene has no data: 8 labelled pixels", "", two(tmp_path), scene=scene
    )


def test_an_empty_layer_is_refused(tmp_path: Path) -> None:
    path = make_vector(tmp_path / "a.gpkg", [], CLASS)
    refused("no_labels", "a.gpkg has no features", "Choose a layer", path)
    refused("no_labels", "a.gpkg has no features", "filter", two(tmp_path) + "|subset=class='z'")


def test_missing_reference_systems_are_refused(tmp_path: Path) -> None:
    refused(
        "bad_labels",
        "a.gpkg has no coordinate reference system, but the raster is in EPSG:32633",
        "Assign",
        two(tmp_path, epsg=None),
    )
    refused(
        "bad_labels",
        "The raster has no coordinate reference system, but a.gpkg is in EPSG:32633",
        "Assign",
        two(tmp_path),
        scene=make_scene(epsg=None),
    )
    refused(
        "bad_labels",
        "cannot be placed on a raster without a geotransform",
        "Rectify",
        two(tmp_path),
        scene=make_scene(geotransform=None),
    )
    # Where nobody names a system, both are in the same plane.
    labels, _ = read(make_scene(epsg=None), two(tmp_path, epsg=None))
    assert labels.class_counts() == {"a": 4, "b": 4}


def test_a_field_that_does_not_exist_is_refused_with_the_ones_that_do(tmp_path: Path) -> None:
    path = make_vector(
        tmp_path / "a.gpkg",
        [(square(1, 1, 2, 2), {"Class": "a", "code": 1})],
        {"Class": "text", "code": "integer", "day": "date"},
    )
    shown = r"Class \(text\), code \(integer\), day \(other\)"
    refused(
        "bad_labels",
        f"has no field clas; its fields are {shown}",
        "mean Class?",
        path,
        fields="clas",
    )
    refused(
        "bad_labels", f"has no field xyz; its fields are {shown}", "Name one", path, fields="xyz"
    )
    refused(
        "bad_labels",
        f"Which field of a.gpkg holds the labels\\? Its fields are {shown}",
        "Name",
        path,
    )
    refused(
        "bad_labels",
        "The field day of a.gpkg is neither text nor a number",
        "Class",
        path,
        fields="day",
    )
    refused(
        "bad_labels",
        r"2 fields were given \(Class, code\)",
        "regression",
        path,
        fields=["Class", "code"],
    )


def test_values_of_the_wrong_kind_are_refused(tmp_path: Path) -> None:
    path = make_vector(
        tmp_path / "a.gpkg",
        [
            (point(1.5, 1.5), {"level": "3", "soc": 0.5}),
            (point(2.5, 1.5), {"level": "high", "soc": 0.5}),
        ],
        {"level": "text", "soc": "number"},
    )
    refused(
        "bad_labels",
        r"The field level of a.gpkg holds the text 'high' \(feature 2\)",
        "classification",
        path,
        task="regression",
        fields="level",
    )
    refused(
        "bad_labels",
        "The field soc of a.gpkg holds 0.5, which is not a class",
        "regression",
        path,
        fields="soc",
    )
    refused(
        "bad_labels",
        "The target soc is 0.5 in all 2 labelled pixels",
        "varies",
        path,
        task="regression",
        fields="soc",
    )


def test_text_and_numbers_do_not_mix(tmp_path: Path) -> None:
    numbers = make_vector(
        tmp_path / "b.gpkg", [(square(8, 1, 2, 2), {"class": 3})], {"class": "integer"}
    )
    refused(
        "bad_labels",
        "The classes in b.gpkg are numbers, those in a.gpkg text",
        "same class values",
        [two(tmp_path), numbers],
        fields="class",
    )


def test_too_few_classes_or_pixels_are_refused_and_small_classes_named(tmp_path: Path) -> None:
    path = make_vector(tmp_path / "one.gpkg", [(square(1, 1, 2, 2), {"class": "a"})], CLASS)
    refused("bad_labels", r"one class only: a \(4\) labelled pixels", "two classes", path)
    ids = make_vector(
        tmp_path / "ids.gpkg", [(point(i + 0.5, 1.5), {"class": str(i)}) for i in range(7)], CLASS
    )
    refused(
        "bad_labels",
        r"Only 7 pixels for 7 classes, of which none has the 3 pixels it needs: 0 \(1\), 1 \(1\)",
        "identifiers",
        ids,
        minimum_samples=3,
    )
    small = make_vector(
        tmp_path / "small.gpkg",
        [(square(3 * i, 1, 2, 2), {"class": name}) for i, name in enumerate("ab")]
        + [(point(12.5, 2.5), {"class": "soil"}), (point(99, 2), {"class": "gone"})],
        CLASS,
    )
    labels, _ = read(make_scene(), small, minimum_samples=3)
    assert labels.class_counts() == {"a": 4, "b": 4}
    assert labels.notes[-1] == "Classes with fewer than 3 labelled pixels are left out: soil (1)."


def test_files_that_are_no_labels_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no labels", encoding="utf-8")
    refused(
        "bad_labels", "notes.txt is neither a vector layer nor a raster", "class raster", str(text)
    )
    refused(
        "bad_labels",
        "is neither a vector layer nor a raster: There is no file",
        "",
        "/nowhere.gpkg",
    )
    refused("unsupported_raster", "lies on a network", "download", "https://example.org/a.gpkg")
    refused("unsupported_raster", "lies on a network", "download", "/vsicurl/https://x.org/a.gpkg")
    table = make_vector(
        tmp_path / "table.gpkg", [(None, {"class": "a"})], CLASS, geometry=ogr.wkbNone
    )
    refused("bad_labels", "table.gpkg is a table without geometries", "polygons", table)
    path = two(tmp_path)
    refused(
        "bad_labels",
        "has no layer layername x; its layers are labels",
        "Choose",
        f"{path}|layername=x",
    )
    refused("bad_labels", "has the option 'option:x=y'", "layername", f"{path}|option:x=y")
    refused(
        "bad_labels",
        "filter 'no such' of a.gpkg is not understood",
        "filter",
        f"{path}|subset=no such",
    )
    make_vector(tmp_path / "a.gpkg", [], CLASS, layer="second", append=True)
    refused("bad_labels", "has 2 layers: labels, second", r"|layername=labels", path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = Path(two(tmp_path, driver="GPKG"))
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\x55" * (len(whole) - 4096))
    with pytest.raises(HyperKDError) as error:
        read(make_scene(), str(path))
    assert error.value.code == "bad_labels"


def test_reading_can_be_cancelled(tmp_path: Path) -> None:
    from hyperkd.raster.labels.read_labels import read_labels
    from tests.reports import SilentReport

    with pytest.raises(HyperKDError) as error:
        read_labels(
            [make_scene()],
            [two(tmp_path)],
            task="classification",
            report=SilentReport(cancel_after=0),
        )
    assert error.value.code == "cancelled"


def test_a_grid_without_geotransform_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with VectorLayer(two(tmp_path)) as layer, pytest.raises(HyperKDError, match="geotransform"):
        next(layer.features(GridSpec(4, 4), ["class"]))


def test_places_are_the_pixels_of_all_features_of_all_layers(tmp_path: Path) -> None:
    path = make_vector(
        tmp_path / "a.gpkg",
        [(square(1, 1, 2, 1), {}), (point(99, 1), {}), (square(2, 1, 1, 1), {})],
        CLASS,
    )
    make_vector(tmp_path / "a.gpkg", [(point(8.5, 9.5), {})], {}, layer="more", append=True)
    scene = make_scene(valid=np.zeros((HEIGHT, WIDTH), bool))
    found = [array.tolist() for array in read_places(scene, path)]
    assert found == [[1, 1, 1, 9], [1, 2, 2, 8], [0, 0, 1, 2]]
    assert [a.tolist() for a in read_places(scene, f"{path}|layername=more")] == [[9], [8], [0]]
    assert read_places(scene, f"{path}|subset=fid=1")[2].tolist() == [0, 0, 1]
    with pytest.raises(HyperKDError, match="No feature of .*a.gpkg.* marks a pixel of") as error:
        read_places(scene, f"{path}|layername=labels|subset=fid=2")
    assert error.value.code == "no_labels"
    with pytest.raises(HyperKDError, match="cannot be read as a vector layer"):
        read_places(scene, str(tmp_path / "none.gpkg"))


def test_reading_leaves_the_switches_of_gdal_as_they_were(tmp_path: Path) -> None:
    # GDAL refuses to switch its exceptions off below those of ogr and osr, as sinks do. From
    # 3.7 on the switch of gdal moves all three.
    before = ogr.GetUseExceptions(), osr.GetUseExceptions()
    with VectorLayer(two(tmp_path)) as layer:
        for _ in layer.features(make_scene().grid, ["class"]):
            assert (ogr.GetUseExceptions(), osr.GetUseExceptions()) == before
            gdal.DontUseExceptions()
            gdal.UseExceptions()
