"""The files that a job names: what it writes must be its own, and nobody else's just now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from hyperkd.errors import HyperKDError
from hyperkd.locks import FileLock
from hyperkd.output_checks import require_writable, same_file
from hyperkd.requests.option import INPUT_ROLES, OUTPUT_ROLES, Job, JobField, job_fields
from hyperkd.temporary_names import derived_names

_MODELS = ("model", "checkpoint", "teacher")
_FILES = ("output_raster", "output_file")
_RASTERS = ("input_raster", "product")
_LIBRARIES = ("spectral_library",)

# What other endings promise.
_FORMATS = {
    ending: name
    for name, endings in {
        "ENVI": (".hdr", ".dat", ".img", ".bsq", ".bil", ".bip", ".raw", ".bin"),
        "netCDF": (".nc", ".nc4", ".cdf"),
        "HDF5": (".h5", ".hdf5", ".he5", ".hdf"),
        "Zarr": (".zarr",),
        "JPEG 2000": (".jp2", ".j2k", ".jpx"),
        "a picture": (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".svg"),
        "a VRT": (".vrt",),
        "a grid of text": (".asc", ".xyz", ".csv", ".txt"),
        "a raster of another program": (".grd", ".flt", ".rst", ".pix", ".sid", ".ecw", ".ers"),
        "a vector layer": (".shp", ".gpkg", ".geojson", ".json", ".kml", ".kmz", ".gml", ".fgb"),
        "a database": (".mbtiles", ".sqlite", ".gdb", ".dbf", ".parquet"),
        "a document": (".html", ".pdf", ".xml"),
        "an archive": (".zip", ".tar", ".gz", ".tgz", ".7z"),
        "an array": (".npy", ".npz", ".mat"),
        "a model": (".onnx", ".safetensors", ".pt", ".pth"),
        "a project": (".qgz", ".qgs"),
        "a style": (".qml", ".sld"),
    }.items()
    for ending in endings
}


def check_outputs(job: Job) -> None:
    """Refuse outputs that would overwrite an input or each other, or cannot be written.

    Raises:
        HyperKDError: ``bad_job``, ``unwritable_output`` or ``out_of_disk``.
    """
    inputs = _paths(job, INPUT_ROLES)
    outputs = _paths(job, OUTPUT_ROLES)
    for number, (field, path) in enumerate(outputs):
        for other, other_path in inputs + outputs[:number]:
            if same_file(path, other_path):
                raise _bad_job(
                    f"{field.name!r} and {other.name!r} are the same file: {path}.",
                    f"Choose another {field.name}; a job never overwrites its own files.",
                    field,
                )
        _require_room_beside(field, path, inputs + outputs)
    for field, path in outputs:
        _require_ending(field, path)
        inside = field.role == "output_directory" and os.path.exists(path)
        require_writable(os.path.join(path, "hyperkd") if inside else path)


@contextmanager
def claimed_outputs(job: Job) -> Iterator[None]:
    """Keep other jobs of this machine from writing the same outputs until this one ends.

    Files alone: several jobs may write into one folder, as into a store of models.

    Raises:
        HyperKDError: ``unwritable_output`` where another job does just now.
    """
    with ExitStack() as stack:
        for real in sorted({os.path.realpath(path) for _, path in _paths(job, _FILES)}):
            stack.callback(FileLock(real, "job").release)
        yield


def code_of(job: Job, path: str) -> str:
    """Return the code with which a job refuses a file that it cannot use, by its role."""
    for roles, code in (
        (_RASTERS, "unreadable_raster"),
        (_MODELS, "bad_model"),
        (_LIBRARIES, "bad_library"),
        (OUTPUT_ROLES, "unwritable_output"),
    ):
        # A file next to the named one, or in a named folder, has the role of that name.
        if path and any(path.startswith(named) for _, named in _paths(job, roles)):
            return code
    return "bad_job"


def _require_ending(field: JobField, path: str) -> None:
    """Refuse a GeoTIFF with the ending of another format: what opens these would not read it."""
    stem, ending = os.path.splitext(path)
    promised = _FORMATS.get(ending.lower())
    if field.role == "output_raster" and promised is not None:
        raise _bad_job(
            f"{field.name!r} is {path}, but what is written is a GeoTIFF, not {promised}.",
            f"Name it {os.path.basename(stem)}.tif; gdal_translate converts it afterwards.",
            field,
        )


def _require_room_beside(field: JobField, path: str, others: list[tuple[JobField, str]]) -> None:
    """Refuse a file in the place of one that is made while an output is written."""
    if field.role == "output_directory":
        return
    for name in derived_names(path):
        for other, other_path in others:
            if same_file(name, other_path):
                raise _bad_job(
                    f"{other.name!r} is {other_path}, a file that may be made beside {path} "
                    "while it is written.",
                    f"Choose another {field.name}.",
                    field,
                )


def _paths(job: Job, roles: tuple[str, ...]) -> list[tuple[JobField, str]]:
    """Return each path of the job that has one of ``roles``, with its field."""
    found = []
    for field in job_fields(type(job)):
        value = getattr(job, field.name)
        if field.role in roles and value is not None:
            found += [(field, path) for path in (value if field.repeated else (value,))]
    return found


def _bad_job(message: str, hint: str, field: JobField) -> HyperKDError:
    return HyperKDError("bad_job", message, hint, key=field.name)
