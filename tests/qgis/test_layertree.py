"""Where results go in the layer tree."""

from __future__ import annotations

import pytest


@pytest.fixture
def project(plugin):
    from qgis.core import QgsProject

    # Newer QGIS crashes at its end where a test has left a project of its own behind.
    project = QgsProject.instance()
    project.clear()
    yield project
    project.clear()


@pytest.fixture
def raster(scene):
    from qgis.core import QgsRasterLayer

    return lambda name: QgsRasterLayer(str(scene), name)


def result(project, layer, number=None) -> None:
    """Add a layer as QGIS does, and have it put where results go."""
    from hyperkd_qgis import layertree

    project.addMapLayer(layer)
    layertree.put_on_top(project, layer, number or layertree.next_number())


def tree(project) -> list[tuple[str, str, bool]]:
    nodes = project.layerTreeRoot().findLayers()
    return [(node.parent().name(), node.name(), node.isVisible()) for node in nodes]


def test_a_later_result_lies_above_an_earlier_one_in_one_group(project, raster):
    project.addMapLayer(raster("scene"))
    result(project, raster("first"))
    result(project, raster("second"))
    assert tree(project) == [
        ("HyperKD", "second", True),
        ("HyperKD", "first", True),
        ("", "scene", True),
    ]


def test_results_of_one_run_keep_their_order_however_they_are_loaded(project, raster):
    from hyperkd_qgis.layertree import next_number

    map_number, table_number = next_number(), next_number()
    result(project, raster("table"), table_number)
    result(project, raster("map"), map_number)
    assert [name for _, name, _ in tree(project)] == ["table", "map"]


def test_a_result_that_processing_has_put_into_the_buried_group_brings_it_up(project, raster):
    """As QGIS does from 3.32 on, which knows the group of each result."""
    from hyperkd_qgis import layertree

    root = project.layerTreeRoot()
    result(project, raster("first"))
    root.insertLayer(0, project.addMapLayer(raster("scene"), False))
    layer = project.addMapLayer(raster("second"), False)
    root.findGroup("HyperKD").addLayer(layer)
    layertree.put_on_top(project, layer, layertree.next_number())
    assert tree(project) == [
        ("HyperKD", "second", True),
        ("HyperKD", "first", True),
        ("", "scene", True),
    ]


def test_a_group_that_is_unticked_and_buried_comes_up(project, raster):
    root = project.layerTreeRoot()
    result(project, raster("first"))
    root.findGroup("HyperKD").setItemVisibilityChecked(False)
    project.addMapLayer(raster("scene"))
    root.insertChildNode(-1, root.findGroup("HyperKD").clone())
    root.removeChildNode(root.findGroup("HyperKD"))
    assert [name for _, name, _ in tree(project)] == ["scene", "first"]
    result(project, raster("second"))
    assert tree(project) == [
        ("HyperKD", "second", True),
        ("HyperKD", "first", True),
        ("", "scene", True),
    ]
    assert len(root.findGroups()) == 1


def test_labels_stay_above_the_maps(project, raster):
    from qgis.core import QgsVectorLayer

    result(project, raster("first"))
    labels = QgsVectorLayer("Polygon?crs=EPSG:32633", "labels", "memory")
    project.addMapLayer(labels, False)
    project.layerTreeRoot().insertLayer(0, labels)
    result(project, raster("second"))
    assert [name for _, name, _ in tree(project)] == ["labels", "second", "first"]


def test_a_result_in_a_group_that_the_user_chose_stays_there(project, raster):
    from hyperkd_qgis.layertree import next_number, put_on_top

    mine = project.layerTreeRoot().insertGroup(0, "Mine")
    for name in ("first", "second"):
        layer = raster(name)
        project.addMapLayer(layer, False)
        mine.addLayer(layer)
        put_on_top(project, layer, next_number())
    assert tree(project) == [("Mine", "second", True), ("Mine", "first", True)]


def test_an_order_of_the_users_own_begins_with_the_result(project, raster):
    root = project.layerTreeRoot()
    scene = raster("scene")
    project.addMapLayer(scene)
    root.setHasCustomLayerOrder(True)
    root.setCustomLayerOrder([scene])
    result(project, raster("map"))
    assert [layer.name() for layer in root.layerOrder()] == ["map", "scene"]


def test_a_layer_that_is_not_in_the_tree_is_left_alone(project, raster):
    from hyperkd_qgis.layertree import next_number, put_on_top

    layer = raster("map")
    project.addMapLayer(layer, False)
    put_on_top(project, layer, next_number())
    assert tree(project) == []
