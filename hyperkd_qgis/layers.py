"""From a layer to the file that the engine reads, and from its files to styled layers."""

from __future__ import annotations

import os
from pathlib import Path

from qgis.core import (
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProviderRegistry,
    QgsRasterLayer,
)
from qgis.PyQt import sip

from .messages import tr
from .styles import STYLES


class UnusableLayerError(Exception):
    """A layer that the engine cannot read; the text says why and what to do."""


def raster_source(layer: QgsRasterLayer) -> str:
    """Return what GDAL opens to read the layer's pixels.

    Raises:
        UnusableLayerError: the layer is no file that GDAL reads, or the file is gone.
    """
    provider = layer.providerType()
    if provider != "gdal":
        raise UnusableLayerError(
            tr(
                "“{layer}” comes from the provider “{provider}”; HyperKD reads raster files. "
                "Save the layer as a GeoTIFF first (right-click › Export › Save As…)."
            ).format(layer=layer.name(), provider=provider or tr("none"))
        )
    parts = QgsProviderRegistry.instance().decodeUri(provider, layer.source())
    # For an archive QGIS keeps the parts of /vsizip/archive.zip/inside.tif apart.
    prefix, suffix = (str(parts.get(key) or "") for key in ("vsiPrefix", "vsiSuffix"))
    path = str(parts["path"])
    if path.startswith("/vsimem/"):
        raise UnusableLayerError(
            tr(
                "“{layer}” lies in the memory of QGIS, where HyperKD's process cannot read it. "
                "Save it as a file first (right-click › Export › Save As…)."
            ).format(layer=layer.name())
        )
    if os.path.exists(path):
        # The engine reads relative paths from the folder of the job file.
        path = os.path.abspath(path)
    elif not suffix and Path(path).is_absolute() and not path.startswith("/vsi"):
        # A subdataset (NETCDF:"file":name) or /vsicurl/ is no path of the file system.
        raise UnusableLayerError(
            tr(
                "The file of “{layer}” is gone: there is no {path}. "
                "Repair the layer's data source or open the raster again."
            ).format(layer=layer.name(), path=path)
        )
    return prefix + path + suffix


def write_style(path: str, style: str) -> None:
    """Write the style of an output as a ``.qml`` file beside it.

    It is made here, where the output is made, because reading the raster for its
    stretch takes too long for the thread of the window; whoever opens the file
    later, also from another project, gets the same picture.

    Args:
        path: a finished raster.
        style: a key of ``STYLES``.

    Raises:
        OSError: the style file could not be written.
    """
    layer = QgsRasterLayer(path, Path(path).stem, "gdal")
    STYLES[style](layer)
    message, written = layer.saveNamedStyle(str(Path(path).with_suffix(".qml")))
    if not written:
        raise OSError(message)


class _StylePostProcessor(QgsProcessingLayerPostProcessorInterface):
    """Gives an output that QGIS loads the style that was written beside it."""

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Style the layer; Processing calls this in the main thread."""
        layer.loadDefaultStyle()
        layer.triggerRepaint()


# The context of Processing owns each post-processor and deletes it at its end, so
# every output needs one of its own; but only a Python reference keeps the method
# above alive until then.
_post_processors: list[_StylePostProcessor] = []


def _new_post_processor() -> _StylePostProcessor:
    _post_processors[:] = [each for each in _post_processors if not sip.isdeleted(each)]
    _post_processors.append(_StylePostProcessor())
    return _post_processors[-1]


def style_on_load(context: QgsProcessingContext, path: str, description: str, name: str) -> None:
    """Have QGIS style and name an output when it loads it, if it will load it at all.

    Args:
        context: of the algorithm.
        path: the output.
        description: the parameter's own description; where the layer is to be
            called otherwise, somebody has chosen that name and it stays.
        name: what to call the layer.
    """
    if not context.willLoadLayerOnCompletion(path):
        return
    details = context.layerToLoadOnCompletionDetails(path)
    details.setPostProcessor(_new_post_processor())
    if details.name == description:
        details.name = name
