"""Class rasters and rasters of targets as labels; merging, patches, palettes; real labels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from osgeo import gdal, ogr
from skimage.measure import label as label_patches

from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal.legend import read_legend
from hyperkd.raster.labels.class_colours import colours_of, palette, usual_colour
from hyperkd.raster.labels.field_values import sort_key
from hyperkd.raster.labels.marks import Marks, connected, merge, patches, valid_at
from hyperkd.raster.open_raster import open_raster
from hyperkd.sentences import counted, some
from hyperkd.types import GridSpec
from tests.factories import GEOTRANSFORM
from tests.label_factories import image, make_classes, make_scene, make_vector, point, read, square
from tests.potsdam import Potsdam, pixels
from tests.reports import SilentReport

HEIGHT, WIDTH = 12, 16


def classes(seed: int = 3, dtype: str = "uint8") -> Any:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 4, (HEIGHT, WIDTH)).astype(dtype)


def moved(cols: float, rows: float, size: float = 1.0) -> tuple[float, ...]:
    left, step, _, top, _, down = GEOTRANSFORM
    return (left + cols * step, step * size, 0.0, top + rows * down, 0.0, down * size)


# --- class rasters ---


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
def test_a_class_raster_labels_its_pixels_and_0_labels_nothing(tmp_path: Path, dtype: str) -> None:
    values = classes(dtype=dtype)
    labels, _ = read(make_scene(), make_classes(tmp_path / "a.tif", values))
    np.testing.assert_array_equal(image(labels, (HEIGHT, WIDTH)), values)
    assert [(c.name, c.value) for c in labels.classes] == [("1", 1), ("2", 2), ("3", 3)]
    assert labels.notes == ()


def test_nodata_and_nan_label_nothing_and_negative_classes_are_classes(tmp_path: Path) -> None:
    values = classes(dtype="float32")
    values[values == 2] = -5
    values[3, 4:7] = np.nan
    values[5, 4:7] = -9999
    path = make_classes(tmp_path / "a.tif", values, nodata=-9999)
    labels, _ = read(make_scene(), path)
    assert [item.value for item in labels.classes] == [-5, 1, 3]
    expected = np.nan_to_num(values)
    expected[5, 4:7] = 0
    index = {0: 0, -5: 1, 1: 2, 3: 3}
    expected = np.vectorize(index.get)(expected)
    np.testing.assert_array_equal(image(labels, (HEIGHT, WIDTH)), expected)
    zeros = int((values == 0).sum())
    assert labels.notes == (
        f"a.tif holds 0 in {zeros} pixels, although its nodata value is -9999; 0 labels nothing, "
        "so renumber the class if it is one.",
    )


def test_a_nodata_value_that_the_type_cannot_hold_is_harmless(tmp_path: Path) -> None:
    path = make_classes(tmp_path / "a.tif", classes())
    # GDAL refuses -9999 for bytes when it writes; a VRT may declare it all the same.
    gdal.Translate(str(tmp_path / "a.vrt"), path, format="VRT")
    text = (tmp_path / "a.vrt").read_text(encoding="utf-8")
    text = re.sub(r"(<VRTRasterBand[^>]*>)", r"\1<NoDataValue>-9999</NoDataValue>", text)
    (tmp_path / "a.vrt").write_text(text, encoding="utf-8")
    labels, _ = read(make_scene(), str(tmp_path / "a.vrt"))
    np.testing.assert_array_equal(image(labels, (HEIGHT, WIDTH)), classes())


def test_names_and_colours_come_from_the_raster(tmp_path: Path) -> None:
    path = make_classes(
        tmp_path / "a.tif",
        classes(),
        names=["nothing", "roof", "", "tree"],
        colours={1: (255, 0, 0), 3: (0, 128, 64)},
    )
    labels, _ = read(make_scene(), path, colours={"tree": "#0a0b0c"})
    assert [(c.name, c.value, c.colour) for c in labels.classes] == [
        *(("roof", 1, "#ff0000"), ("2", 2, "#009e73"), ("tree", 3, "#0a0b0c")),
    ]


def test_the_attribute_table_counts_most(tmp_path: Path) -> None:
    path = make_classes(tmp_path / "a.tif", classes(dtype="int16"), names=["", "one", "two"])
    dataset = gdal.Open(path, gdal.GA_Update)
    table = gdal.RasterAttributeTable()
    for column in (
        ("VALUE", gdal.GFT_Integer, gdal.GFU_MinMax),
        ("NAME", gdal.GFT_String, gdal.GFU_Name),
        ("R", gdal.GFT_Integer, gdal.GFU_Red),
        ("G", gdal.GFT_Integer, gdal.GFU_Green),
        ("B", gdal.GFT_Integer, gdal.GFU_Blue),
    ):
        table.CreateColumn(*column)
    for row, (value, name, red) in enumerate([(2, "meadow", 17), (3000, "far", 18)]):
        table.SetValueAsInt(row, 0, value)
        table.SetValueAsString(row, 1, name)
        for column, shade in enumerate((red, 2, 3), start=2):
            table.SetValueAsInt(row, column, shade)
    dataset.GetRasterBand(1).SetDefaultRAT(table)
    del dataset
    legend = read_legend(path)
    assert legend.names == {1: "one", 2: "meadow", 3000: "far"}
    assert legend.colours == {2: "#110203", 3000: "#120203"}


def test_our_own_class_maps_can_be_labels(tmp_path: Path) -> None:
    from hyperkd.raster.create_raster import create_raster
    from hyperkd.raster.sink import ClassEntry, RasterSpec

    scene = make_scene()
    sink = create_raster(
        str(tmp_path / "map.tif"),
        RasterSpec(
            scene.grid,
            1,
            np.dtype(np.uint8),
            nodata=0,
            names=["land cover"],
            classes=[
                ClassEntry("roof", (255, 0, 0)),
                ClassEntry("tree", (0, 255, 0)),
                ClassEntry("soil", (0, 0, 255)),
            ],
        ),
    )
    sink.write(scene.grid.window, classes()[None])
    sink.commit()
    labels, _ = read(scene, str(tmp_path / "map.tif"))
    assert [(c.name, c.value, c.colour) for c in labels.classes] == [
        *(("roof", 1, "#ff0000"), ("tree", 2, "#00ff00"), ("soil", 3, "#0000ff")),
    ]


def test_groups_of_a_class_raster_are_its_patches(tmp_path: Path) -> None:
    values = classes(5)
    labels, _ = read(make_scene(), make_classes(tmp_path / "a.tif", values))
    scene = labels.scenes[0]
    found = np.zeros(values.shape, int)
    found[scene.rows, scene.cols] = scene.group + 1
    expected = label_patches(values, background=0, connectivity=1)
    pairs = set(zip(found.ravel().tolist(), expected.ravel().tolist()))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


# --- grids ---


@pytest.mark.parametrize(("cols", "rows"), [(0, 0), (3, 2), (-3, 4), (0.45, -0.45)])
def test_a_raster_on_the_same_lattice_is_placed_by_the_nearest_pixel(
    tmp_path: Path, cols: float, rows: float
) -> None:
    values = classes()
    path = make_classes(tmp_path / "a.tif", values, geotransform=moved(cols, rows))
    labels, _ = read(make_scene(), path)
    expected = np.zeros((HEIGHT, WIDTH))
    row, col = round(rows), round(cols)
    for r, c in np.ndindex(HEIGHT, WIDTH):
        if 0 <= r - row < HEIGHT and 0 <= c - col < WIDTH:
            expected[r, c] = values[r - row, c - col]
    np.testing.assert_array_equal(image(labels, (HEIGHT, WIDTH)), expected)
    shifted = cols % 1 != 0
    assert labels.notes == (
        ("a.tif is shifted by 0.45 pixels against the scene; each pixel takes the nearest label.",)
        if shifted
        else ()
    )


def test_a_pixel_size_that_drifts_by_less_than_half_a_pixel_is_near_enough(tmp_path: Path) -> None:
    values = classes()
    path = make_classes(tmp_path / "a.tif", values, geotransform=moved(0, 0, 1.02))
    labels, _ = read(make_scene(), path)
    np.testing.assert_array_equal(image(labels, (HEIGHT, WIDTH)), values)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"geotransform": moved(0, 0, 2)}, r"it has pixels of 2 x 2 times the scene's size"),
        ({"geotransform": moved(0, 0, 1 / 3)}, r"pixels of 0\.3333 x 0\.3333 times"),
        ({"geotransform": moved(0.5, 0)}, "it is shifted by half a pixel, so that no label"),
        (
            {"geotransform": (366000.0, 29.0, 8.0, 5810000.0, 8.0, -29.0)},
            "is turned or sheared against the scene",
        ),
        ({"epsg": 32632}, "it is in EPSG:32632, the scene in EPSG:32633"),
        ({"epsg": None}, "it is in no coordinate reference system, the scene in EPSG:32633"),
        ({"geotransform": None}, "it has no geotransform, so nobody knows where it lies"),
    ],
)
def test_another_grid_is_refused(tmp_path: Path, knobs: Any, message: str) -> None:
    path = make_classes(tmp_path / "a.tif", classes(), **knobs)
    with pytest.raises(HyperKDError, match=f"a.tif lies on another grid: .*({message})") as error:
        read(make_scene(), path)
    assert error.value.code == "bad_labels"
    assert "Warp the labels" in error.value.hint


def test_without_geotransforms_the_size_decides(tmp_path: Path) -> None:
    plain = {"geotransform": None, "epsg": None}
    path = make_classes(tmp_path / "a.tif", classes(), **plain)
    labels, _ = read(make_scene(**plain), path)
    np.testing.assert_array_equal(image(labels, (HEIGHT, WIDTH)), classes())
    with pytest.raises(HyperKDError, match="has 16 x 12 pixels and no geotransform, the scene 9 x"):
        read(make_scene(10, 9, **plain), path)
    with pytest.raises(HyperKDError, match="a.tif has no geotransform and fits 2 scenes"):
        read([make_scene(**plain), make_scene(**plain)], path)


def test_a_raster_elsewhere_is_refused_by_name(tmp_path: Path) -> None:
    path = make_classes(tmp_path / "a.tif", classes(), geotransform=moved(WIDTH, 0))
    with pytest.raises(HyperKDError, match="a.tif lies outside every scene") as error:
        read(make_scene(), path)
    assert error.value.code == "no_labels"


def test_every_raster_is_tried_on_every_scene(tmp_path: Path) -> None:
    """One map over two overlapping scenes, and one that fits the second scene only."""
    values = classes()
    whole = make_classes(tmp_path / "map.tif", values)
    other = make_classes(
        tmp_path / "other.tif", np.full((4, 4), 9, np.uint8), geotransform=moved(100, 0)
    )
    scenes = [
        make_scene(HEIGHT, 10),
        make_scene(HEIGHT, 10, geotransform=moved(6, 0)),
        make_scene(4, 4, geotransform=moved(100, 0)),
        # another resolution: no raster fits, and that is no reason to refuse the others
        make_scene(4, 4, geotransform=moved(0, 0, 2)),
    ]
    labels, _ = read(scenes, [whole, other])
    assert [len(scene) for scene in labels.scenes] == [
        *((values[:, :10] > 0).sum(), (values[:, 6:] > 0).sum(), 16, 0),
    ]
    np.testing.assert_array_equal(image(labels, (HEIGHT, 10), 1), values[:, 6:])
    # A patch that both scenes see is one group.
    first, second = labels.scenes[:2]
    by_place = {(r, c): g for r, c, g in zip(first.rows, first.cols, first.group)}
    for r, c, g in zip(second.rows, second.cols, second.group):
        assert by_place.get((r, c + 6), g) == g


def test_scenes_without_a_fitting_raster_are_told(tmp_path: Path) -> None:
    path = make_classes(tmp_path / "a.tif", classes())
    labels, _ = read([make_scene(), make_scene(4, 4, geotransform=moved(0, 0, 2))], path)
    assert labels.notes == (
        "a.tif is not used for scene.tif: it has pixels of 0.5 x 0.5 times the scene's size.",
    )


# --- values that are no classes, and targets ---


def test_fractions_are_no_classes(tmp_path: Path) -> None:
    values = classes(dtype="float32")
    values[4, 7] = 1.5
    path = make_classes(tmp_path / "a.tif", values)
    with pytest.raises(HyperKDError, match="a.tif holds 1.5 at column 7, row 4") as error:
        read(make_scene(), path)
    assert error.value.code == "bad_labels"
    assert "regression" in error.value.hint


def test_a_raster_of_targets_labels_all_but_nodata_and_nan(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(2, HEIGHT, WIDTH)).astype(np.float32)
    values[0, 1, 1] = np.nan
    values[1, 2, 2] = -1
    values[0, 3, 3] = 0
    path = make_classes(tmp_path / "a.tif", values, nodata=-1, bands=["soc", "ph"])
    labels, _ = read(make_scene(), path, "regression")
    assert labels.targets == ("soc", "ph")
    keep = np.ones((HEIGHT, WIDTH), bool)
    keep[1, 1] = keep[2, 2] = False
    np.testing.assert_array_equal(labels.values, values[:, keep].T)
    labels, _ = read(make_scene(), path, "regression", "ph")
    assert labels.targets == ("ph",)
    np.testing.assert_array_equal(labels.values[:, 0], values[1, values[1] != -1])
    labels, _ = read(make_scene(), path, "regression", "2")
    np.testing.assert_array_equal(labels.values[:, 0], values[1, values[1] != -1])


def test_bands_of_rasters_are_named_or_refused(tmp_path: Path) -> None:
    values = np.stack([classes(1), classes(2)])
    path = make_classes(tmp_path / "a.tif", values, bands=["2019", "2020"])
    labels, _ = read(make_scene(), path, fields="2020")
    np.testing.assert_array_equal(image(labels, (HEIGHT, WIDTH)), values[1])
    with pytest.raises(HyperKDError, match=r"a.tif has 2 bands \(2019, 2020\)\.") as error:
        read(make_scene(), path)
    assert "Name the band that holds the classes" in error.value.hint
    with pytest.raises(HyperKDError, match=r"a.tif has 2 bands \(2019, 2020\); asked for: 2021"):
        read(make_scene(), path, fields="2021")
    with pytest.raises(HyperKDError, match="asked for: soc, x") as error:
        read(make_scene(), path, "regression", ["soc", "x"])
    assert "one for each target" in error.value.hint


def test_files_must_agree_on_the_number_of_targets(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(2, HEIGHT, WIDTH)).astype(np.float32)
    raster = make_classes(tmp_path / "a.tif", values)
    layer = make_vector(tmp_path / "b.gpkg", [(point(1.5, 1.5), {"soc": 1.0})], {"soc": "number"})
    with pytest.raises(HyperKDError, match=r"a.tif has 2 targets \(band 1, band 2\), the files b"):
        read(make_scene(), [layer, raster], "regression")


def test_a_name_of_two_values_is_refused(tmp_path: Path) -> None:
    labels = make_classes(tmp_path / "a.tif", classes(), names=["", "roof", "roof"])
    with pytest.raises(HyperKDError, match="The values 1, 2 are all called roof") as error:
        read(make_scene(), labels)
    assert error.value.code == "bad_labels"


def test_rasters_must_agree_on_what_a_value_means(tmp_path: Path) -> None:
    one = make_classes(tmp_path / "a.tif", classes(), names=["", "roof"])
    two = make_classes(tmp_path / "b.tif", classes(), names=["", "tree"])
    with pytest.raises(HyperKDError, match="The value 1 means roof in a.tif, but tree in b.tif"):
        read(make_scene(), [one, two])


def test_raster_and_vector_together_contradict_by_name(tmp_path: Path) -> None:
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    values[2:4, 2:6] = 1
    raster = make_classes(tmp_path / "a.tif", values)
    layer = make_vector(
        tmp_path / "b.gpkg",
        [(square(5, 2, 3, 2), {"class": 2}), (square(2, 3, 1, 4), {"class": 1})],
        {"class": "integer"},
    )
    labels, _ = read(make_scene(), [raster, layer], fields="class")
    assert labels.class_counts() == {"1": 9, "2": 4}
    assert labels.notes == (
        "Left out for contradicting labels: 2 pixels (2 by the patch at column 2, row 2 of a.tif "
        "and feature 1 (2) of b.gpkg).",
    )
    assert len(set(labels.group.tolist())) == 2


def test_more_classes_than_a_map_holds_are_refused(tmp_path: Path) -> None:
    values = np.arange(300, dtype=np.int16).reshape(15, 20)
    path = make_classes(tmp_path / "a.tif", values)
    with pytest.raises(HyperKDError, match="The labels have 299 classes, but a map holds 255"):
        read(make_scene(15, 20), path)


# --- the parts ---


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_merging_equals_a_walk_over_the_pixels(seed: int) -> None:
    generator = np.random.default_rng(seed)
    count = int(generator.integers(0, 40))
    grid = GridSpec(4, 3)
    marks = Marks(
        *(generator.integers(0, n, count) for n in (3, 4, 6)),
        generator.integers(0, 3, (count, 2)).astype(float),
        generator.random(count) < 0.6,
    )
    merged = merge(marks, grid)
    expected = []
    for row, col in np.ndindex(3, 4):
        here = np.flatnonzero((marks.rows == row) & (marks.cols == col))
        if here.size == 0:
            continue
        values = marks.values[here]
        if (values == values[0]).all():
            expected.append((row, col, *values[0]))
        elif marks.pointlike[here].all():
            expected.append((row, col, *values.mean(axis=0)))
    found = np.column_stack([merged.marks.rows, merged.marks.cols, merged.marks.values])
    np.testing.assert_allclose(found, np.array(expected).reshape(-1, 4), rtol=1e-15)
    # Features that agree in a pixel are found, whatever else lies there.
    label = connected(6, merged.together)
    for row, col in np.ndindex(3, 4):
        here = np.flatnonzero((marks.rows == row) & (marks.cols == col))
        if here.size and (marks.values[here] == marks.values[here][0]).all():
            assert len(set(label[marks.feature[here]])) == 1


@settings(max_examples=100)
@given(
    count=st.integers(1, 40),
    pairs=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=60),
)
def test_components_equal_a_search(count: int, pairs: list[tuple[int, int]]) -> None:
    pairs = [(a % count, b % count) for a, b in pairs]
    label = connected(count, np.array(pairs, np.int64).reshape(-1, 2))
    expected = list(range(count))
    for _ in range(count):
        for a, b in pairs:
            expected[a] = expected[b] = min(expected[a], expected[b])
    assert label.tolist() == expected


def test_a_long_chain_is_one_component() -> None:
    nodes = np.random.default_rng(0).permutation(20000)
    pairs = np.stack([nodes[:-1], nodes[1:]], axis=1)
    assert connected(20000, pairs).max() == 0


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.1, 0.9))
def test_patches_equal_those_of_scikit_image(seed: int, share: float) -> None:
    generator = np.random.default_rng(seed)
    values = generator.integers(1, 3, (9, 11)) * (generator.random((9, 11)) < share)
    rows, cols = np.nonzero(values)
    order = generator.permutation(rows.size)
    rows, cols = rows[order], cols[order]
    found = patches(rows, cols, values[rows, cols], 11)
    expected = label_patches(values, background=0, connectivity=1)[rows, cols]
    np.testing.assert_array_equal(found, expected - 1)  # both number by the first pixel


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), block=st.tuples(st.integers(1, 700), st.integers(1, 700)))
def test_validity_is_read_right_whatever_the_blocks(seed: int, block: tuple[int, int]) -> None:
    generator = np.random.default_rng(seed)
    valid = generator.random((40, 50)) < 0.5
    scene = make_scene(40, 50, valid=valid, block_shape=block)
    count = int(generator.integers(0, 60))
    rows, cols = generator.integers(0, 40, count), generator.integers(0, 50, count)
    np.testing.assert_array_equal(valid_at(scene, rows, cols, SilentReport()), valid[rows, cols])


def test_palettes_are_distinct_and_begin_colour_blind_safe() -> None:
    colours = palette(600)
    assert len(set(colours)) == 600
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours)
    assert colours[:3] == ["#009e73", "#e69f00", "#56b4e9"]


def test_sorting_and_words() -> None:
    assert sorted(["b2", "b10", "a", "B1", "10", "9"], key=sort_key) == [
        *("9", "10", "B1", "a", "b2", "b10")
    ]
    assert sorted([10, 9, -1], key=sort_key) == [-1, 9, 10]
    assert some(range(7)) == "0, 1, 2, 3, 4 and 2 more"
    assert some([1, 2], count=4) == "1, 2 and 2 more"
    assert (counted(1, "class", "classes"), counted(0, "class", "classes")) == (
        *("1 class", "0 classes"),
    )


# --- real labels ---


def test_the_labels_of_potsdam(potsdam: Potsdam) -> None:
    rasters = [str(path) for path in potsdam.labels]
    sources = [open_raster(str(path)) for path in potsdam.images]
    labels, _ = read(sources, rasters)
    stored = np.stack([pixels(path)[0] for path in potsdam.labels])
    for number, raw in enumerate(stored):
        np.testing.assert_array_equal(image(labels, (32, 32), number), raw)
    counts = list(labels.class_counts().values())
    assert counts == [np.count_nonzero(stored == value) for value in range(1, 7)]
    if potsdam.real:
        assert counts == [315, 528, 1047, 1476, 35, 227]
    assert labels.notes == ()

    points, _ = read(
        sources, str(potsdam.folder / "landcover_point.gpkg"), fields="level_2", minimum_samples=3
    )
    assert points.class_counts() == {"impervious": 9, "low vegetation": 6, "soil": 8, "tree": 10}
    assert points.notes == ("Classes with fewer than 3 labelled pixels are left out: water (2).",)
    # Points and rasters describe the same ground, a point and 900 square metres of it; one
    # pixel to any side fewer agree.
    cover, _ = read(sources, rasters)
    told = {"impervious": {1, 2}, "low vegetation": {3}, "soil": {5}, "tree": {4}}
    agree, both = 0, 0
    for number in range(len(sources)):
        picture = image(cover, (32, 32), number)
        scene = points.scenes[number]
        for row, col, value in zip(scene.rows, scene.cols, scene.values):
            if picture[row, col]:
                both += 1
                agree += picture[row, col] in told[points.classes[value].name]
    assert (both, agree) == _points_that_agree(potsdam)
    if potsdam.real:
        assert (both, agree) == (17, 12)

    fractions, _ = read(sources, str(potsdam.folder / "vegcover_point.gpkg"), "regression")
    assert fractions.targets == ("vegetation_fraction",)
    assert len(fractions) == 109
    assert (fractions.values.min(), fractions.values.max()) == (0.0, 1.0)


def _points_that_agree(potsdam: Potsdam) -> tuple[int, int]:
    """Count the points on labelled pixels, and those whose class is the pixel's, by GDAL alone."""
    told = {"impervious": (1, 2), "low vegetation": (3,), "soil": (5,), "tree": (4,)}
    rasters = [gdal.Open(str(path)) for path in potsdam.labels]
    found = []
    points = ogr.Open(str(potsdam.folder / "landcover_point.gpkg"))
    for feature in points.GetLayer(0):
        name, place = feature["level_2"], feature.GetGeometryRef()
        for raster in rasters:
            left, step, _, top, _, down = raster.GetGeoTransform()
            col = int((place.GetX() - left) // step)
            row = int((place.GetY() - top) // down)
            if name in told and 0 <= col < 32 and 0 <= row < 32:
                value = raster.GetRasterBand(1).ReadAsArray(col, row, 1, 1)[0, 0]
                found += [value in told[name]] if value else []
    return len(found), sum(found)


@pytest.mark.parametrize(
    ("name", "colour"),
    [
        ("water", "#2166ac"),
        ("Trees", "#1b7837"),
        ("Laubwald", "#1b7837"),
        ("low vegetation", "#a6d96a"),
        ("grassland", "#a6d96a"),
        ("water meadow", "#a6d96a"),
        ("Roof (red)", "#c51b1d"),
        ("Straße_2", "#7f7f7f"),
        ("bare soil", "#bf812d"),
        ("season", None),
        ("class 7", None),
        ("1", None),
    ],
)
def test_names_that_say_what_they_are_have_the_usual_colour(name: str, colour: Any) -> None:
    assert usual_colour(name) == colour


def test_classes_get_given_usual_and_other_colours_all_different() -> None:
    names = ["oak forest", "pine forest", "lake", "x", "roof", "y"]
    found = colours_of(names, [None, None, "#111111", None, None, "#009e73"])
    assert found[0] == "#1b7837" and found[2] == "#111111" and found[4] == "#c51b1d"
    assert found[3] == "#e69f00" and found[5] == "#009e73"  # the palette's first is taken
    assert len(set(found)) == 6 and found[1].startswith("#8d")  # lighter
    assert colours_of(["a", "b"], [None, None]) == ["#009e73", "#e69f00"]
