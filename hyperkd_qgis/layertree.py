"""Where new layers go in the layer tree: on top, visible, and in one group."""

from __future__ import annotations

from itertools import count

from qgis.core import (
    QgsLayerTreeGroup,
    QgsLayerTreeLayer,
    QgsLayerTreeNode,
    QgsMapLayer,
    QgsProject,
    QgsRasterLayer,
)

# The group of all maps and tables that runs and windows of HyperKD make.
RESULTS = "HyperKD"
# Of a group and of layers: the id of the scene that they belong to.
SCENE_KEY = "hyperkd/scene"

_numbers = count(1)
# In which order the layers of this session were made, by their ids: QGIS adds those of one run
# in the order of their files' names.
_made: dict[str, int] = {}


def next_number() -> int:
    """Return a number that is larger than all before it: a later result lies above earlier ones."""
    return next(_numbers)


def group_on_top(project: QgsProject, name: str, new: str = "") -> QgsLayerTreeGroup:
    """Return a ticked group at the top of the tree, made where it is missing.

    One that is there is moved only where a raster lies above it and could hide it: labels that
    somebody has put above their maps stay there.

    Args:
        name: of the group.
        new: the id of a layer that will go into the group.
    """
    root = project.layerTreeRoot()
    group = root.findGroup(name)
    if group is None:
        group = root.insertGroup(0, name)
    elif _is_hidden(root, group, new):
        moved = group.clone()
        root.insertChildNode(0, moved)
        group.parent().removeChildNode(group)
        group = moved
    group.setItemVisibilityCheckedParentRecursive(True)
    return group


def scene_group(project: QgsProject, scene: QgsMapLayer, title: str) -> QgsLayerTreeGroup:
    """Return the group of a scene and of what is made of it, made around the scene if missing.

    It is known by the scene, so it may be renamed and moved; it comes to the top where a raster
    would hide it.

    Args:
        title: what a new group is called.
    """
    root = project.layerTreeRoot()
    known = [each for each in root.findGroups(True) if each.customProperty(SCENE_KEY) == scene.id()]
    if known:
        group = known[0]
    else:
        group = QgsLayerTreeGroup(title)
        group.setCustomProperty(SCENE_KEY, scene.id())
        node = root.findLayer(scene.id())
        parent = root if node is None else node.parent()
        parent.insertChildNode(0 if node is None else parent.children().index(node), group)
        if node is not None:
            group.addChildNode(node.clone())
            parent.removeChildNode(node)
            group.children()[0].setExpanded(False)
    if _is_hidden(root, group, ""):
        moved = group.clone()
        root.insertChildNode(0, moved)
        group.parent().removeChildNode(group)
        group = moved
    group.setItemVisibilityCheckedParentRecursive(True)
    return group


def put_on_top(project: QgsProject, layer: QgsMapLayer, number: int) -> None:
    """Move a layer that lies in the tree to the top of the group of results, and tick it.

    Where the user has chosen a group for the results of Processing, it stays in that.

    Args:
        number: from ``next_number``; layers of larger numbers stay above it.
    """
    root = project.layerTreeRoot()
    node = root.findLayer(layer.id())
    if node is None:
        return
    parent = node.parent()
    # From QGIS 3.32 on, Processing has put it into our group already, wherever that lies.
    ours = parent == root or (parent.name() == RESULTS and parent.parent() == root)
    group = group_on_top(project, RESULTS, layer.id()) if ours else parent
    node = root.findLayer(layer.id())  # a group that was moved has nodes of its own
    parent = node.parent()
    _made[layer.id()] = number
    later = 0
    for each in group.children():
        if _number(each) <= number and each != node:
            break
        later += each != node
    moved = node.clone()
    group.insertChildNode(later, moved)
    parent.removeChildNode(node)
    moved.setItemVisibilityCheckedParentRecursive(True)
    if root.hasCustomLayerOrder():
        others = [each for each in root.customLayerOrder() if each.id() != layer.id()]
        root.setCustomLayerOrder([layer, *others])


def _number(node: QgsLayerTreeNode) -> int:
    return _made.get(node.layerId(), 0) if isinstance(node, QgsLayerTreeLayer) else 0


def _is_hidden(root: QgsLayerTreeGroup, group: QgsLayerTreeGroup, new: str) -> bool:
    """Return whether a raster lies above a group, or above the group that holds it."""
    outermost = group
    while outermost.parent() != root:
        outermost = outermost.parent()
    nodes = root.children()
    above: list[QgsLayerTreeLayer] = []
    for node in nodes[: nodes.index(outermost)]:
        above += node.findLayers() if isinstance(node, QgsLayerTreeGroup) else [node]
    return any(isinstance(node.layer(), QgsRasterLayer) and node.layerId() != new for node in above)
