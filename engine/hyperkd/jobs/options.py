"""Fields that several jobs share, declared once: the same flag means the same everywhere."""

from __future__ import annotations

from typing import Any

from hyperkd.jobs.job import option

_MODEL = "A student: the name of a shipped or stored model, or the path of an .onnx file."
_DEVICE = "Where to compute: auto takes a GPU only when onnxruntime offers one."


def model_option() -> Any:
    """Declare which student to run."""
    return option(_MODEL, "tiny", role="model")


def input_option() -> Any:
    """Declare the raster to read."""
    return option("The hyperspectral raster to read.", role="input_raster")


def bands_option() -> Any:
    """Declare what to believe about the bands."""
    return option(
        "What to believe about the bands instead of the file: a sensor (enmap, enmap-202), or a "
        "CSV with one row per band (wavelength_nm, fwhm_nm, bbl, scale, offset).",
        None,
        role="band_table",
    )


def scale_option() -> Any:
    """Declare the scale to believe."""
    return option("Reflectance (0 to 1) per stored unit, instead of what the file says.", None)


def nodata_option() -> Any:
    """Declare the nodata value to believe."""
    return option("Stored value without meaning, instead of what the file says.", None)


def overlap_option() -> Any:
    """Declare how many pixels tiles share."""
    return option(
        "Pixels that neighbouring tiles share; they are blended. Default: a quarter of the tile.",
        None,
        minimum=0,
    )


def batch_option() -> Any:
    """Declare how many tiles are computed at once."""
    return option("Tiles computed at once.", 8, minimum=1, maximum=256)


def store_option(role: str) -> Any:
    """Declare where the model store is."""
    return option(
        "Folder of the model store. Default: HYPERKD_MODELS, or HyperKD/models in your data "
        "folder.",
        None,
        role=role,
    )


def device_option() -> Any:
    """Declare where to compute."""
    return option(_DEVICE, "auto", choices=("auto", "cpu", "cuda"))
