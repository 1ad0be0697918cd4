"""Small products with the structure that their documentation gives."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
from osgeo import gdal, osr

STEM = "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20231116T140614Z"
PRESET = Path(__file__).resolve().parents[1] / "engine" / "hyperkd" / "spectral" / "enmap.csv"
CENTRES = [418.24, 423.87, 902.26, 905.11, 1010.5, 1390.8]
WIDTHS = [7.0, 6.7, 11.0, 10.1, 10.5, 11.8]


def enmap_xml(level: str = "L2A", empty: Optional[int] = 6, gain: str = "0.0001") -> str:
    """Return a small METADATA.XML of ``len(CENTRES)`` bands."""
    bands = "".join(
        f'<bandID number="{i}"><wavelengthCenterOfBand>{c}</wavelengthCenterOfBand>'
        f"<FWHMOfBand>{w}</FWHMOfBand><GainOfBand>{gain}</GainOfBand>"
        f"<OffsetOfBand>0.02</OffsetOfBand></bandID>"
        for i, (c, w) in enumerate(zip(CENTRES, WIDTHS), 1)
    )
    statistics = "".join(
        f'<bandID number="{i}"><mean>{"-1000000" if i == empty else "812.5"}</mean>'
        f"<stdDeviation>{'0' if i == empty else '40'}</stdDeviation></bandID>"
        for i in range(1, len(CENTRES) + 1)
    )
    return (
        f"<level_X><metadata><schema><versionSchema>00.02.00</versionSchema></schema></metadata>"
        f"<base><level>{level}</level><temporalCoverage><startTime>2022-07-24T10:45:26Z"
        f"</startTime></temporalCoverage></base><specific><widthOfOrthoScene>4"
        f"</widthOfOrthoScene><heightOfOrthoScene>3</heightOfOrthoScene><qualityFlag>"
        f"<cloudCover>12</cloudCover></qualityFlag><bandCharacterisation>{bands}"
        f"</bandCharacterisation></specific><product><bandStatistics>{statistics}"
        f"</bandStatistics></product></level_X>"
    )


def write_tif(path: Path, values: np.ndarray, nodata: Optional[float] = None) -> None:
    """Write ``(band, row, col)`` without any band metadata, as EnMAP delivers it."""
    kinds = {"int16": gdal.GDT_Int16, "uint8": gdal.GDT_Byte}
    count, rows, cols = values.shape
    dataset = gdal.GetDriverByName("GTiff").Create(
        str(path), cols, rows, count, kinds[values.dtype.name]
    )
    dataset.SetGeoTransform((365000.0, 30.0, 0.0, 5807000.0, 0.0, -30.0))
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(32633)
    dataset.SetProjection(reference.ExportToWkt())
    if nodata is not None:
        for band in range(1, count + 1):
            dataset.GetRasterBand(band).SetNoDataValue(nodata)
    dataset.WriteRaster(0, 0, cols, rows, values.tobytes(), cols, rows, kinds[values.dtype.name])
    dataset = None


def enmap_cube() -> np.ndarray:
    """Return DN of 6 bands on 3 x 4 pixels; band 6 and the pixel (0, 0) are nodata."""
    cube = (100 * np.arange(1, 7)[:, None, None] + np.arange(12).reshape(3, 4)).astype(np.int16)
    cube[:, 0, 0] = -32768
    cube[5] = -32768
    return cube


def write_enmap(parent: Path) -> Path:
    """Write a small but complete EnMAP product into ``parent``; return its folder."""
    folder = parent / STEM
    folder.mkdir()
    (folder / f"{STEM}-METADATA.XML").write_text(enmap_xml())
    write_tif(folder / f"{STEM}-SPECTRAL_IMAGE.TIF", enmap_cube(), -32768)
    layers: dict[str, np.ndarray] = {
        name: np.zeros((1, 3, 4), np.uint8)
        for name in ("CLOUD", "CLOUDSHADOW", "HAZE", "CIRRUS", "SNOW")
    }
    layers["CLOUD"][0, 0, 1] = 1
    layers["CLOUDSHADOW"][0, 0, 2] = 1
    layers["HAZE"][0, 0, 3] = 1
    layers["CIRRUS"][0, 1, :3] = (1, 2, 3)
    layers["SNOW"][0, 1, 3] = 1
    layers["CLASSES"] = np.full((1, 3, 4), 1, np.uint8)
    layers["CLASSES"][0, 2, :2] = (2, 3)
    for name, values in layers.items():
        write_tif(folder / f"{STEM}-QL_QUALITY_{name}.TIF", values)
    pixels = np.zeros((6, 3, 4), np.uint8)
    pixels[:, 0, 0] = 255
    pixels[3, 2, 3] = 1
    write_tif(folder / f"{STEM}-QL_PIXELMASK.TIF", pixels)
    return folder


DESIS_STEM = "DESIS-HSI-L2A-DT0000384932_009-20191007T070834-V0213"
DESIS_CENTRES = [401.9, 404.4, 550.25, 999.5]
DESIS_WIDTHS = [3.5, 3.4, 3.55, 3.6]


def desis_xml(level: str = "L2A", order: tuple[int, ...] = (1, 2, 3, 4)) -> str:
    """Return a small METADATA.xml of four bands, which come in ``order``."""
    bands = "".join(
        f"<band><bandNumber>{n}</bandNumber><wavelengthCenterOfBand>{DESIS_CENTRES[n - 1]}"
        f"</wavelengthCenterOfBand><wavelengthWidthOfBand>{DESIS_WIDTHS[n - 1]}"
        "</wavelengthWidthOfBand><response>0.1,0.9</response><wavelengths>400,401</wavelengths>"
        "<gainOfBand>0.0001</gainOfBand><offsetOfBand>0.01</offsetOfBand></band>"
        for n in order
    )
    geometry = "".join(f"<band><bandNumber>{n}</bandNumber></band>" for n in (1, 2, 3, 4))
    return (
        f"<hsi_doc><base><mission>DESIS</mission><level>{level}</level><temporalCoverage>"
        "<startTime>2019-10-07T07:08:34Z</startTime></temporalCoverage></base><specific>"
        f"<interiorOrientation>{geometry}</interiorOrientation>"
        f"<bandCharacterisation>{bands}</bandCharacterisation></specific></hsi_doc>"
    )


def desis_cube() -> np.ndarray:
    """Return DN of 4 bands on 3 x 5 pixels; the pixel (2, 4) is nodata."""
    cube = (1000 * np.arange(1, 5)[:, None, None] + np.arange(15).reshape(3, 5)).astype(np.int16)
    cube[:, 2, 4] = -32768
    return cube


# The layers of QL_QUALITY-2 in their order; the last two are no flags.
DESIS_LAYERS = (
    *("Shadow", "Land", "Snow", "Haze over land", "Haze over water"),
    *("Cloud over land", "Cloud over water", "Water", "AOT", "WV"),
)


def write_desis(parent: Path, level: str = "L2A", **xml: Any) -> Path:
    """Write a small DESIS product as delivered into ``parent``; return its folder."""
    stem = DESIS_STEM.replace("L2A", level)
    folder = parent / stem
    folder.mkdir()
    (folder / f"{stem}-METADATA.xml").write_text(desis_xml(level, **xml))
    (folder / f"{stem}-HISTORY.xml").write_text("<hsi_doc><history/></hsi_doc>")
    image = folder / f"{stem}-SPECTRAL_IMAGE.tif"
    write_tif(image, desis_cube(), -32768)
    image.with_suffix(".hdr").write_text(
        "ENVI\nsamples = 5\nlines = 3\nbands = 4\ndata type = 2\ninterleave = bip\n"
        "wavelength units = nanometers\nwavelength = {500, 600, 700, 800}\n"
    )
    quality = np.zeros((10, 3, 5), np.uint8)
    for layer in range(8):
        quality[layer].flat[layer] = 1
    quality[8:] = 40
    write_tif(folder / f"{stem}-QL_QUALITY-2.tif", quality)
    write_tif(folder / f"{stem}-QL_IMAGE.tif", np.zeros((3, 3, 5), np.uint8))
    return folder


# --- a delivery --------------------------------------------------------------------------


@dataclass(frozen=True)
class Delivery:
    """A delivered product, most images of which are empty, and the bands of a later one.

    Attributes:
        archive: the zip of the product, with 218 bands.
        bands: an XML file with the characterisation of the 224 bands of a product of 2022.
        real: whether DLR wrote them.
    """

    archive: Path
    bands: Path
    real: bool

    def metadata(self) -> tuple[str, bytes]:
        """Return the name and the bytes of the METADATA.XML."""
        with zipfile.ZipFile(self.archive) as archive:
            (name,) = (n for n in archive.namelist() if n.endswith("-METADATA.XML"))
            return name, archive.read(name)


QUALIFICATION = "ENMAP01-____L2A-DT0000326721_20170626T102020Z_001_V000204_20200406T201930Z"
EMPTY = (
    *("QL_PIXELMASK", "QL_QUALITY_CIRRUS", "QL_QUALITY_CLOUD", "QL_QUALITY_CLOUDSHADOW"),
    *("QL_QUALITY_HAZE", "QL_QUALITY_SNOW", "QL_QUALITY_TESTFLAGS", "QL_SWIR", "QL_VNIR"),
    "SPECTRAL_IMAGE",
)


def delivered_bands() -> list[tuple[str, str, bool]]:
    """Return centre, width and detector (VNIR or not) of the 218 bands, by wavelength.

    Two detectors that overlap, and the gaps of water vapour, as the products of the time
    before the launch have them; no band lies where one of the student's does.
    """
    vnir = [(423.03 + 5.1 * n + 0.0157 * n**2, 6.0 + 0.044 * n, True) for n in range(88)]
    swir = [
        *((904.78 + 9.7 * n + 0.04 * n**2, 11.6 + 0.13 * n - 0.0015 * n**2) for n in range(43)),
        *((1487.8 + 11.6 * n - 0.026 * n**2, 13.9 - 0.057 * n) for n in range(27)),
        *((1941.5 + 9.5 * n - 0.0185 * n**2, 11.4 - 0.042 * n) for n in range(60)),
    ]
    bands = sorted([*vnir, *((*band, False) for band in swir)])
    return [(f"{centre:.5g}", f"{width:.2f}", is_vnir) for centre, width, is_vnir in bands]


def _characterisation(bands: list[tuple[str, str]]) -> str:
    rows = "".join(
        f"""
    <bandID number="{number}">
        <wavelengthCenterOfBand>{centre}</wavelengthCenterOfBand>
        <FWHMOfBand>{width}</FWHMOfBand>
        <GainOfBand>0.0001</GainOfBand>
        <OffsetOfBand>0</OffsetOfBand>
    </bandID>"""
        for number, (centre, width) in enumerate(bands, 1)
    )
    return f"<bandCharacterisation>{rows}\n</bandCharacterisation>"


def _delivered_xml() -> str:
    """Return the METADATA.XML, with the other elements whose names are like those we read."""
    bands = delivered_bands()
    channels = {
        detector: ",".join(
            str(number) for number, band in enumerate(bands, 1) if band[2] == (detector == "vnir")
        )
        for detector in ("vnir", "swir")
    }
    quality = "".join(
        f"<{name}ProductQuality><expectedChannelsList>{numbers}</expectedChannelsList>"
        f"<missingChannelsList></missingChannelsList></{name}ProductQuality>"
        for name, numbers in channels.items()
    )
    coefficients = "".join(
        f'<bandID number="{n}"><ROW_OFF>512.0</ROW_OFF><COL_OFF>500.0</COL_OFF></bandID>'
        for n in range(1, 219)
    )
    statistics = "".join(
        f'<bandID number="{number}"><waveLength>{band[0]}</waveLength><mean>0.0279624</mean>'
        "<stdDeviation>0.011186</stdDeviation></bandID>"
        for number, band in enumerate(bands, 1)
    )
    covers = "".join(
        f"<{name}>{percent}</{name}>"
        for name, percent in (
            *(("cloudCover", 0), ("hazeCover", 0), ("cirrusCover", 0), ("snowCover", 0)),
            *(("waterCover", 2), ("cloudShadow", 8), ("noncloudShadow", 0)),
        )
    )
    return (
        '<level_X xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xsi:noNamespaceSchemaLocation="metadata_Lx_00-02-00.xsd">'
        "<metadata><schema><versionSchema>00.02.00</versionSchema><processingLevel>L2A"
        f"</processingLevel></schema><name>{QUALIFICATION}-METADATA.XML</name></metadata>"
        "<base><temporalCoverage><startTime>2017-06-26T10:20:20.999936Z</startTime>"
        "<stopTime>2017-06-26T10:20:25.545157Z</stopTime></temporalCoverage>"
        "<format>ENMAP_L2A</format><level>L2A</level></base>"
        f"<specific><qualityFlag>{covers}</qualityFlag>{quality}"
        "<backgroundValue>0</backgroundValue>"
        '<widthOfScene unit="pixel">1000</widthOfScene>'
        '<heightOfScene unit="pixel">1024</heightOfScene>'
        f"{_characterisation([band[:2] for band in bands])}"
        "<widthOfOrthoScene>1128</widthOfOrthoScene><heightOfOrthoScene>1212"
        "</heightOfOrthoScene></specific>"
        f"<product><navigation><RPC>{coefficients}</RPC></navigation>"
        f"<bandStatistics>{statistics}</bandStatistics></product></level_X>"
    )


def write_delivery(folder: Path) -> Delivery:
    """Write a delivery of the structure of the real one, whose classes alone have pixels."""
    classes = folder / "classes.tif"
    write_tif(classes, np.ones((1, 1212, 1128), np.uint8))
    top = "enmap_L2A_gtif_qualification/"
    with zipfile.ZipFile(folder / "enmap_L2A.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(top, "")
        archive.writestr(f"{top}{QUALIFICATION}-METADATA.XML", _delivered_xml())
        for name in EMPTY:
            archive.writestr(f"{top}{QUALIFICATION}-{name}.TIF", b"")
        archive.write(classes, f"{top}{QUALIFICATION}-QL_QUALITY_CLASSES.TIF")
    with PRESET.open(encoding="ascii") as file:
        bands = [(row["centre_nm"], row["fwhm_nm"]) for row in csv.DictReader(file)]
    (folder / "bands_2022.xml").write_text(_characterisation(bands), encoding="ascii")
    return Delivery(folder / "enmap_L2A.zip", folder / "bands_2022.xml", real=False)


# --- PRISMA and EMIT ---------------------------------------------------------------------


def write_prisma(path: Path, **changes: Any) -> dict[str, np.ndarray]:
    """Write a small PRISMA L2D file; returns its cubes (row, band, col)."""
    import h5py

    random = np.random.default_rng(5)
    cubes = {
        "VNIR": random.integers(1, 65535, (4, 3, 5)).astype(np.uint16),
        "SWIR": random.integers(1, 65535, (4, 4, 5)).astype(np.uint16),
    }
    for cube in cubes.values():
        cube[0, :, 0] = 0  # no spectrum here
    cubes["VNIR"][1, 0, 1] = 0  # one dark band is not "no spectrum"
    attributes = {
        "Processing_Level": np.bytes_("2D"),
        "List_Cw_Vnir": np.array([972.0, 500.0, 0.0], np.float32),
        "List_Fwhm_Vnir": np.array([12.0, 11.0, 0.0], np.float32),
        "List_Cw_Swir": np.array([2400.0, 1600.0, 943.0, 0.0], np.float32),
        "List_Fwhm_Swir": np.array([9.0, 10.0, 11.5, 0.0], np.float32),
        "L2ScaleVnirMin": np.float32(-0.0625),
        "L2ScaleVnirMax": np.float32(1.0),
        "L2ScaleSwirMin": np.float32(0.0),
        "L2ScaleSwirMax": np.float32(0.5),
        "Epsg_Code": np.int64(32633),
        "Product_ULcorner_easting": np.float64(300015.0),
        "Product_ULcorner_northing": np.float64(5000015.0),
    }
    attributes.update({k: v for k, v in changes.items() if k not in ("swath", "cubes", "errors")})
    cubes.update(changes.get("cubes", {}))
    with h5py.File(path, "w") as handle:
        for name, value in attributes.items():
            if value is not None:
                handle.attrs[name] = value
        group = handle.create_group(
            changes.get("swath", "HDFEOS/SWATHS/PRS_L2D_HCO") + "/Data Fields"
        )
        for name, cube in cubes.items():
            group.create_dataset(f"{name}_Cube", data=cube, chunks=cube.shape, compression="gzip")
        for name, errors in changes.get("errors", {}).items():
            group.create_dataset(f"{name}_PIXEL_L2_ERR_MATRIX", data=errors)
    return cubes


EMIT_WKT = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'
)


def write_emit(path: Path, glt_x: np.ndarray, glt_y: np.ndarray) -> np.ndarray:
    """Write a small EMIT L2A file; returns its swath (row, col, band)."""
    import h5py

    swath = np.random.default_rng(7).normal(0.2, 0.1, (6, 5, 4)).astype(np.float32)
    with h5py.File(path, "w") as handle:
        handle.attrs["geotransform"] = np.array([10.0, 0.0005, 0.0, 50.0, 0.0, -0.0007])
        handle.attrs["spatial_ref"] = EMIT_WKT
        data = handle.create_dataset("reflectance", data=swath, chunks=(3, 5, 4))
        data.attrs["_FillValue"] = np.array([-9999], np.float32)
        handle["sensor_band_parameters/wavelengths"] = np.array([400, 900, 1380, 2200], np.float32)
        handle["sensor_band_parameters/fwhm"] = np.array([8.5, 8.4, 8.7, 8.9], np.float32)
        handle["sensor_band_parameters/good_wavelengths"] = np.array([1, 1, 0, 1], np.uint8)
        handle["location/glt_x"] = glt_x.astype(np.int32)
        handle["location/glt_y"] = glt_y.astype(np.int32)
    return swath


# The layers of EMIT's mask product in their order, in its first and second version.
EMIT_MASKS = {
    "001": (
        *("Cloud flag", "Cirrus flag", "Water flag", "Spacecraft Flag", "Dilated Cloud Flag"),
        *("AOD550", "H2O (g cm-2)", "Aggregate Flag"),
    ),
    "002": (
        *("Cloud Flag", "Cirrus Flag", "Water Flag", "Spacecraft Flag", "Dilated Cloud Flag"),
        *("AOD550", "H2O (g cm-2)", "Aggregate Flag"),
        *("SpecTf-Cloud Probability", "SpecTf-Cloud Flag", "SpecTf-Buffer Distance"),
    ),
}


def write_emit_mask(path: Path, names: tuple[str, ...]) -> np.ndarray:
    """Write EMIT's mask product of the swath of ``write_emit``; returns it (row, col, layer)."""
    import h5py

    random = np.random.default_rng(13)
    layers = (random.random((6, 5, len(names))) < 0.3).astype(np.float32)
    for number, name in enumerate(names):
        if "lag" not in name:
            layers[..., number] = random.random((6, 5))
    with h5py.File(path, "w") as handle:
        handle["mask"] = layers
        handle["sensor_band_parameters/mask_bands"] = np.array(names, h5py.string_dtype())
    return layers


# --- Tanager ---

TANAGER_WAVELENGTHS = [376.44, 665.2, 1380.0, 2499.0]


def write_tanager(path: Path, kind: str = "GRIDS", **changes: Any) -> np.ndarray:
    """Write a small Tanager product, ortho (GRIDS) or basic (SWATHS); returns (band, row, col)."""
    import h5py

    cube = np.random.default_rng(3).random((4, 5, 6)).astype(np.float32)
    cube[:, 0, 0] = -9999
    missing = np.zeros((5, 6), np.uint8)
    missing[0, 0] = missing[4, 5] = 1
    group = f"HDFEOS/{kind}/HYP"
    structure = (
        'GROUP=GridStructure\n\tGROUP=GRID_1\n\t\tGridName="HYP"\n\t\tXDim=6\n\t\tYDim=5\n'
        "\t\tUpperLeftPointMtrs=(345660.000000,6286110.000000)\n"
        "\t\tLowerRightMtrs=(345840.000000,6285960.000000)\n\tEND_GROUP=GRID_1\n"
    )
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            f"{group}/Data Fields/{changes.get('array', 'surface_reflectance')}",
            data=cube,
            chunks=(2, 3, 4),
            compression="gzip",
        )
        attributes = {
            "_FillValue": np.float32(-9999),
            "wavelengths": np.array(TANAGER_WAVELENGTHS, np.float32),
            "wavelengths_units": "nm",
            "fwhm": np.array([5.0, 5.5, 6.0, 6.5], np.float32),
            "good_wavelengths": np.array([1, 1, 0, 1], np.uint8),
            **changes.get("attributes", {}),
        }
        for name, value in attributes.items():
            if value is not None:
                data.attrs[name] = value
        layers = {
            "nodata_pixels": missing,
            "beta_cloud_mask": np.eye(5, 6, dtype=np.uint8),
            "beta_cirrus_mask": np.eye(5, 6, k=1, dtype=np.uint8),
            **changes.get("layers", {}),
        }
        for name, layer in layers.items():
            file[f"{group}/Data Fields/{name}"] = layer
        if kind == "GRIDS":
            file[group].attrs["epsg_code"] = np.int64(32734)
            text = changes.get("structure", structure)
            file["HDFEOS INFORMATION/StructMetadata.0"] = np.bytes_(text)
        else:
            rows, cols = np.mgrid[0:5, 0:6]
            file[f"{group}/Geolocation Fields/Latitude"] = -33.0 - 0.001 * rows - 0.0001 * cols
            file[f"{group}/Geolocation Fields/Longitude"] = 18.0 + 0.001 * cols
    return cube
