"""From a layer to the file that the engine reads, and from its files to styled layers."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from qgis.core import (
    NULL,
    QgsCategorizedSymbolRenderer,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProviderRegistry,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt import sip

from .layertree import RESULTS, next_number, put_on_top
from .messages import tr
from .paths import metadata
from .styles import STYLES


class UnusableLayerError(Exception):
    """A layer that the engine cannot read; the text says why and what to do."""


# What may stand before the path of a file: nothing, or how GDAL looks into it.
_ARCHIVES = ("", "/vsizip/", "/vsitar/", "/vsigzip/")


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
    # What QGIS calls the path of /vsimem/scene.tif, with the folder or without, depends on QGIS.
    if "/vsimem/" in prefix + path:
        raise UnusableLayerError(
            tr(
                "“{layer}” lies in the memory of QGIS, where HyperKD's process cannot read it. "
                "Save it as a file first (right-click › Export › Save As…)."
            ).format(layer=layer.name())
        )
    # Behind another prefix stands no path of the file system, as in /vsis3/bucket/scene.tif.
    if prefix in _ARCHIVES and os.path.exists(path):
        # The engine reads relative paths from the folder of the job file.
        path = os.path.abspath(path)
    elif prefix in _ARCHIVES and not suffix and _is_local(path):
        raise UnusableLayerError(
            tr(
                "The file of “{layer}” is gone: there is no {path}. "
                "Repair the layer's data source or open the raster again."
            ).format(layer=layer.name(), path=path)
        )
    return prefix + path + suffix


def _is_local(path: str) -> bool:
    """Return whether a path is one of the file system; NETCDF:"file":name is none."""
    return Path(path).is_absolute() and not path.startswith("/vsi")


def class_colours(layer: QgsVectorLayer, field: str) -> list[str]:
    """Return the colours of a layer's classes as ``value=#rrggbb``.

    Empty where its style is not categorised by this field.
    """
    renderer = layer.renderer()
    if not isinstance(renderer, QgsCategorizedSymbolRenderer):
        return []
    if renderer.classAttribute().strip('"') != field:
        return []
    found = []
    for category in renderer.categories():
        values = category.value() if isinstance(category.value(), list) else [category.value()]
        for value in values:
            # The last category of QGIS is "all other values", which has none.
            if value not in (None, NULL, "") and category.symbol() is not None:
                number = isinstance(value, float) and value.is_integer()
                text = str(int(value)) if number else str(value)
                found.append(f"{text}={category.symbol().color().name()}")
    return found


def style_layer(layer: QgsRasterLayer, style: str) -> None:
    """Give a layer one of ``styles.STYLES``; only its look in QGIS changes."""
    STYLES[style](layer)


def write_styles(styles: Mapping[str, str]) -> list[str]:
    """Write the styles of outputs as ``.qml`` files beside them; return what went wrong.

    They are made here, where the outputs are made, because reading rasters for their
    stretch takes too long for the thread of the window; whoever opens a file
    later, also from another project, gets the same picture.

    Args:
        styles: for each finished raster a key of ``STYLES``.
    """
    # All are opened before the first is closed: after one was deleted in a thread, the data of the
    # next counts as deleted too now and then (QGIS 3.22: one run in ten).
    layers = {path: QgsRasterLayer(path, Path(path).stem, "gdal") for path in styles}
    problems = []
    for path, layer in layers.items():
        if not layer.isValid():
            problems.append(layer.error().summary())
            continue
        STYLES[styles[path]](layer)
        message, written = layer.saveNamedStyle(str(Path(path).with_suffix(".qml")))
        if not written:
            problems.append(message)
    return problems


@dataclass(frozen=True)
class Provenance:
    """How a result was made.

    Attributes:
        group: the group in the layer tree that the results of one run share.
        made_by: program, version and algorithm.
        model: name and checksum of the model; may be empty.
    """

    group: str
    made_by: str
    model: str = ""
    settings: str = ""

    def write(self, layer: QgsMapLayer) -> None:
        """Put it into the layer's metadata, where Properties › Metadata shows it."""
        metadata = layer.metadata()
        metadata.setType("dataset")
        metadata.setTitle(layer.name())
        metadata.setAbstract(self.made_by)
        for line in (self.made_by, self.model and f"Model: {self.model}", self.settings):
            if line:
                metadata.addHistoryItem(line)
        layer.setMetadata(metadata)


def provenance_of(
    algorithm: str, fields: Mapping[str, Any], summary: Mapping[str, Any], group: str
) -> Provenance:
    """Return how the results of a job were made.

    Args:
        algorithm: its id.
        fields, summary: of the job.
        group: that the results lie in.
    """
    told = {name: value for name, value in fields.items() if value not in (None, [], "")}
    model = str(summary.get("model", ""))
    if model and summary.get("model_sha256"):
        model += f" (SHA-256 {summary['model_sha256']})"
    return Provenance(
        group=group,
        made_by=f"HyperKD {metadata().get('version', '')}, {algorithm}",
        model=model,
        settings=json.dumps(told, ensure_ascii=False, default=str),
    )


class _ResultPostProcessor(QgsProcessingLayerPostProcessorInterface):
    """Gives an output that QGIS loads its style, its provenance, and its place in the tree."""

    def __init__(self, provenance: Optional[Provenance]) -> None:
        super().__init__()
        self._provenance = provenance
        self._number = next_number()

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Style the layer; Processing calls this in the main thread."""
        if self._provenance is not None:
            layer.loadDefaultStyle()
            self._provenance.write(layer)
            layer.triggerRepaint()
        if context.project() is not None:
            put_on_top(context.project(), layer, self._number)


# The context of Processing owns each post-processor and deletes it at its end, so
# every output needs one of its own; but only a Python reference keeps the method
# above alive until then.
_post_processors: list[_ResultPostProcessor] = []


def _new_post_processor(provenance: Optional[Provenance]) -> _ResultPostProcessor:
    _post_processors[:] = [each for each in _post_processors if not sip.isdeleted(each)]
    _post_processors.append(_ResultPostProcessor(provenance))
    return _post_processors[-1]


def place_on_load(
    context: QgsProcessingContext,
    path: str,
    names: Collection[str],
    name: str,
    provenance: Optional[Provenance] = None,
) -> None:
    """Have QGIS name and place an output when it loads it, if it will load it at all.

    Args:
        names: what QGIS calls the layer by itself; where it is to be called otherwise,
            somebody has chosen that name and it stays.
        name: what to call the layer.
        provenance: how it was made, where it is a raster of ours with its style beside it.
    """
    if not context.willLoadLayerOnCompletion(path):
        return
    details = context.layerToLoadOnCompletionDetails(path)
    if details.postProcessor() is None or provenance is not None:
        details.setPostProcessor(_new_post_processor(provenance))
    if hasattr(details, "groupName"):  # from QGIS 3.32 on
        details.groupName = RESULTS
    if details.name in names:
        details.name = name
