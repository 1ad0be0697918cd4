"""Adds what a training makes to the project, in groups of their own."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsProject, QgsRasterLayer

from ..layers import Provenance, style_layer
from ..layertree import group_on_top


def remove_group(name: str) -> None:
    """Remove a group with its layers, where it is there."""
    project = QgsProject.instance()
    group = project.layerTreeRoot().findGroup(name)
    if group is not None:
        project.removeMapLayers([node.layerId() for node in group.findLayers()])
        project.layerTreeRoot().removeChildNode(group)


def add_raster(
    path: str, title: str, style: str, group: str, provenance: Optional[Provenance] = None
) -> Optional[QgsRasterLayer]:
    """Add a raster in a style of ours; return its layer, or None where it cannot be read."""
    layer = QgsRasterLayer(path, title, "gdal")
    if not layer.isValid():
        return None
    style_layer(layer, style)
    if provenance is not None:
        provenance.write(layer)
    QgsProject.instance().addMapLayer(layer, False)
    inside = group_on_top(QgsProject.instance(), group)
    inside.insertLayer(0, layer)
    # The tree cannot unfold a group that is still empty, so it is told again.
    inside.setExpanded(False)
    inside.setExpanded(True)
    return layer


def renew_raster(path: str, title: str, style: str, group: str) -> Optional[QgsRasterLayer]:
    """Show a file that was written anew: in its old layer, or in a new one."""
    for layer in QgsProject.instance().mapLayers().values():
        if isinstance(layer, QgsRasterLayer) and layer.source() == path:
            layer.dataProvider().reloadData()
            style_layer(layer, style)
            layer.triggerRepaint()
            return layer
    return add_raster(path, title, style, group)
