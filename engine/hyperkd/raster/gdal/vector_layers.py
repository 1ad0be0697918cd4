"""Vector files: which there are, how their layers are named, and how one is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from osgeo import gdal, ogr

from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal.gdal_errors import GDAL_ERRORS
from hyperkd.raster.gdal.local_names import (
    met_closed_network,
    on_network,
    require_local,
    require_regular,
    unknown_format,
)
from hyperkd.raster.gdal.restrictions import VECTOR_DRIVERS, present, restricted
from hyperkd.raster.gdal.sqlite_copy import quiet_source
from hyperkd.raster.parsing import parsing
from hyperkd.raster.texts import decoded


@restricted()
def is_vector(path: str) -> bool:
    """Return whether a label file is a vector layer; ``|`` begins its options.

    Raises:
        HyperKDError: ``unsupported_raster`` for a file on a network, ``bad_labels`` for
            one of a format that is closed.
    """
    path = path.partition("|")[0]
    try:
        dataset = open_vector(path)
    except GDAL_ERRORS:  # GDAL's way to say that no vector driver knows the file
        closed = unknown_format(path, vector=True)
        if closed is not None:
            raise closed from None
        return False
    with _layers(path):
        return bool(dataset.GetLayerCount())


def _layers(path: str) -> AbstractContextManager[None]:
    return parsing(path, "bad_labels", "Check the path and open the file in QGIS.")


@restricted()
def layer_paths(path: str) -> list[str]:
    """Return a path for each layer with geometries; the path itself where it names a layer.

    Raises:
        HyperKDError: ``bad_labels``, or ``unsupported_raster`` for a file on a network.
    """
    file, options = split_path(path)
    if "layername" in options or "layerid" in options:
        return [path]
    try:
        dataset = open_vector(file)
    except GDAL_ERRORS as error:
        raise unreadable(file, error) from error
    with _layers(file):
        return [
            path.replace(file, f"{file}|layername={layer_name(layer)}", 1)
            for layer in _all_layers(file, dataset)
            if layer.GetGeomType() != ogr.wkbNone
        ]


def layer_name(layer: Any) -> str:
    """Return the name of a layer as text that can be written again."""
    return decoded(layer.GetName())


def _all_layers(path: str, dataset: Any) -> list[Any]:
    found = [dataset.GetLayer(index) for index in range(dataset.GetLayerCount())]
    if None in found:
        raise RuntimeError(f"layer {found.index(None)} of {path} cannot be opened")
    return found


@restricted()
def open_vector(path: str) -> Any:
    """Return the open dataset; ``RuntimeError`` where no open driver knows the file.

    Raises:
        HyperKDError: ``unsupported_raster`` for a file on a network.
    """
    require_local(path)
    require_regular(path)
    if gdal.VSIStatL(path) is None:  # some drivers take the text itself, or an address
        raise RuntimeError(f"there is no file {path}")
    source, options = quiet_source(path)
    gdal.ErrorReset()
    dataset = gdal.OpenEx(
        source,
        gdal.OF_VECTOR | gdal.OF_VERBOSE_ERROR,
        allowed_drivers=present(VECTOR_DRIVERS),
        open_options=options,
    )
    message = gdal.GetLastErrorMsg()
    if met_closed_network(message):  # a reference system at an address, which GDAL takes for WGS 84
        raise on_network(path, message.strip())
    if dataset is None:  # without exceptions, which are process-wide
        raise RuntimeError(message)
    return dataset


def split_path(path: str) -> tuple[str, dict[str, str]]:
    """Return the file and the options that QGIS writes behind ``|``.

    Raises:
        HyperKDError: ``bad_labels`` for an unknown option.
    """
    file, *parts = path.split("|")
    options = {}
    for number, part in enumerate(parts):
        key, _, value = part.partition("=")
        if key.lower() == "subset":  # the last one, and it may contain anything
            options["subset"] = "|".join(parts[number:]).partition("=")[2]
            break
        if key.lower() not in ("layername", "layerid"):
            raise HyperKDError(
                "bad_labels",
                f"{path} has the option {part!r}.",
                "Known are |layername=NAME, |layerid=NUMBER and |subset=FILTER.",
                path=file,
            )
        options[key.lower()] = value
    return file, options


@restricted()
def choose_layer(dataset: Any, path: str, options: Mapping[str, str]) -> tuple[Any, bool]:
    """Return the layer that is meant, and whether the file has others.

    Raises:
        HyperKDError: ``bad_labels`` where there is none, or nobody says which.
    """
    with _layers(path):
        return _choose_layer(dataset, path, options)


def _choose_layer(dataset: Any, path: str, options: Mapping[str, str]) -> tuple[Any, bool]:
    layers = _all_layers(path, dataset)
    names = [layer_name(layer) for layer in layers]
    if "layername" in options:
        layers = [layer for layer, name in zip(layers, names) if name == options["layername"]]
    elif "layerid" in options:
        wanted = options["layerid"]
        layers = [layer for index, layer in enumerate(layers) if str(index) == wanted]
    else:
        layers = [layer for layer in layers if layer.GetGeomType() != ogr.wkbNone]
    if not layers:
        asked = ", ".join(f"{key} {value}" for key, value in options.items() if key != "subset")
        raise HyperKDError(
            "bad_labels",
            f"{path} has no layer {asked}; its layers are {', '.join(names)}."
            if asked
            else f"{path} is a table without geometries.",
            "Choose one of its layers." if asked else "Give polygons, lines or points.",
            path=path,
        )
    if len(layers) > 1:
        raise HyperKDError(
            "bad_labels",
            f"{path} has {len(layers)} layers: {', '.join(layer_name(layer) for layer in layers)}.",
            f"Say which one: {path}|layername={layer_name(layers[0])}",
            path=path,
        )
    if layers[0].GetGeomType() == ogr.wkbNone:
        raise HyperKDError(
            "bad_labels",
            f"{path} is a table without geometries.",
            "Give polygons, lines or points.",
            path=path,
        )
    return layers[0], len(names) > 1


def unreadable(path: str, error: Exception) -> HyperKDError:
    """Return the coded error for a vector file that breaks off or is none."""
    reason = str(error).replace(f"{path}: ", "").strip().rstrip(".")
    return HyperKDError(
        "bad_labels",
        f"{path} cannot be read as a vector layer: {reason}.",
        "Check the path and open the file in QGIS.",
        path=path,
    )
