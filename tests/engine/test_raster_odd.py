"""Rasters that are odd and must work exactly so: exact wavelengths, masks, factors and words.

Those that must be refused are in test_bad_rasters.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal

from hyperkd.errors import HyperKDError
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.source import RasterSource
from hyperkd.types import BandTable, Wavelengths, Window
from tests.factories import (
    GEOTRANSFORM,
    WAVELENGTHS_NM,
    make_envi,
    make_raster,
    make_vrt,
    spectra,
    wkt,
)

NM = list(WAVELENGTHS_NM)
UM = [value / 1000 for value in NM]


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return tmp_path / "scene.tif"


def opened(path: Path, **arguments: Any) -> RasterSource:
    return open_raster(str(path), **arguments)


def nanometres(source: RasterSource) -> list[float]:
    return source.bands.wavelengths.centre_nm.tolist()


def problems(source: RasterSource) -> tuple[str, ...]:
    return tuple(map(str, source.problems))


def valid(source: RasterSource) -> np.ndarray:
    return source.read_tile(source.grid.window).valid


# --- where wavelengths live -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("knobs", "place", "units"),
    [
        ({}, "band metadata 'wavelength'", "band metadata 'wavelength_units' (nanometres)"),
        (
            {"where": "dataset"},
            "dataset metadata 'wavelength'",
            "dataset metadata 'wavelength_units' (nanometres)",
        ),
        (
            {"where": "dataset:ENVI"},
            "dataset metadata ENVI 'wavelength'",
            "dataset metadata ENVI 'wavelength_units' (nanometres)",
        ),
        (
            {"where": "dataset:MINE"},
            "dataset metadata MINE 'wavelength'",
            "dataset metadata MINE 'wavelength_units' (nanometres)",
        ),
        (
            {"where": "MINE"},
            "band metadata MINE 'wavelength'",
            "band metadata MINE 'wavelength_units' (nanometres)",
        ),
        (
            {"keys": {"wavelength": "WAVELENGTH", "wavelength_units": "Wavelength_Unit"}},
            "band metadata 'WAVELENGTH'",
            "band metadata 'Wavelength_Unit' (nanometres)",
        ),
        (
            {"keys": {"wavelength": "Center Wavelength", "wavelength_units": "wavelength units"}},
            "band metadata 'Center Wavelength'",
            "band metadata 'wavelength units' (nanometres)",
        ),
        (
            {"where": "dataset", "keys": {"wavelength": "wavelengths"}},
            "dataset metadata 'wavelengths'",
            "dataset metadata 'wavelength_units' (nanometres)",
        ),
    ],
)
def test_wavelengths_in_any_place_and_spelling(
    scene: Path, knobs: dict[str, Any], place: str, units: str
) -> None:
    with opened(make_raster(scene, **knobs)) as source:
        assert nanometres(source) == NM
        assert source.bands.origins["wavelength"] == place
        assert source.bands.origins["units"] == units
        assert source.problems == ()


@pytest.mark.parametrize(
    ("values", "units", "how"),
    [
        (UM, "Micrometers", "band metadata 'wavelength_units' (micrometres)"),
        (UM, "\u00b5m", "band metadata 'wavelength_units' (micrometres)"),
        (UM, "um", "band metadata 'wavelength_units' (micrometres)"),
        (UM, None, "inferred from the values 0.45 to 2.2"),
        (UM, "Unknown", "inferred from the values 0.45 to 2.2"),
        (NM, None, "inferred from the values 450 to 2200"),
        (NM, "NANOMETERS", "band metadata 'wavelength_units' (nanometres)"),
        ([f"{v:g} nm" for v in NM], None, "band metadata 'wavelength' (nanometres)"),
        ([f"{v:g}um" for v in UM], None, "band metadata 'wavelength' (micrometres)"),
        ([f"{v:g} Nanometers" for v in NM], "nm", "band metadata 'wavelength_units' (nanometres)"),
    ],
)
def test_units_stated_inside_or_inferred(
    scene: Path, values: list[Any], units: str | None, how: str
) -> None:
    with opened(make_raster(scene, wavelengths=values, units=units)) as source:
        np.testing.assert_allclose(nanometres(source), NM, rtol=1e-15)
        assert source.bands.origins["units"] == how


def test_units_of_the_dataset_serve_the_bands(scene: Path) -> None:
    make_raster(
        scene, wavelengths=UM, units=None, metadata={"": {"wavelength_units": "Micrometers"}}
    )
    with opened(scene) as source:
        np.testing.assert_allclose(nanometres(source), NM, rtol=1e-15)
        assert source.bands.origins["units"] == "dataset metadata 'wavelength_units' (micrometres)"


def test_imagery_domain_comes_first_and_names_its_unit(scene: Path) -> None:
    make_raster(
        scene,
        wavelengths=UM,
        units=None,
        fwhm=0.0065,
        where="IMAGERY",
        keys={"wavelength": "CENTRAL_WAVELENGTH_UM", "fwhm": "FWHM_UM"},
        metadata={"": {"wavelength": "{1, 2, 3, 4, 5, 6}"}},
    )
    with opened(scene) as source:
        np.testing.assert_allclose(nanometres(source), NM, rtol=1e-15)
        np.testing.assert_allclose(source.bands.wavelengths.fwhm_nm, 6.5, rtol=1e-15)
        assert source.bands.origins["wavelength"] == "band metadata IMAGERY 'CENTRAL_WAVELENGTH_UM'"
        assert source.bands.origins["fwhm"] == "band metadata IMAGERY 'FWHM_UM'"
        assert problems(source) == (
            "Some wavelengths are ignored: The wavelengths (dataset metadata 'wavelength') are "
            "1, 2, ... 6: band numbers, not wavelengths.",
        )


def test_wavelengths_that_gdal_rounded_give_way_to_the_exact_ones(scene: Path) -> None:
    exact = [450.123, 550.456, 650.4999, 860.0, 1600.31, 2200.2]
    make_raster(scene, wavelengths=exact)
    dataset = gdal.Open(str(scene), gdal.GA_Update)
    for index, value in enumerate(exact):
        dataset.GetRasterBand(index + 1).SetMetadataItem(
            "CENTRAL_WAVELENGTH_UM", f"{value / 1000:.3f}", "IMAGERY"
        )
    del dataset
    with opened(scene) as source:
        assert nanometres(source) == exact
        assert source.problems == ()


def test_places_that_disagree_are_told(scene: Path) -> None:
    other = ", ".join(str(value + 3.25) for value in NM)
    make_raster(scene, metadata={"ENVI": {"wavelength": "{" + other + "}"}})
    with opened(scene) as source:
        assert nanometres(source) == NM
        assert problems(source) == (
            "The dataset metadata ENVI 'wavelength' differs by up to 3.25 nm from the band "
            "metadata 'wavelength', which is used.",
        )


def test_a_complete_place_wins_over_an_earlier_broken_one(scene: Path) -> None:
    make_raster(
        scene,
        wavelengths=[450, None, 650, 860, 1600, 2200],
        metadata={"ENVI": {"wavelength": "{" + ", ".join(map(str, NM)) + "}"}},
    )
    with opened(scene) as source:
        assert nanometres(source) == NM
        assert source.bands.origins["wavelength"] == "dataset metadata ENVI 'wavelength'"


@pytest.mark.parametrize("pattern", ["band {n} ({v:g} Nanometers)", "{v:g} nm", "B{n}_x {v:g}NM"])
def test_band_descriptions(scene: Path, pattern: str) -> None:
    names = [pattern.format(n=n, v=v) for n, v in enumerate(NM, 1)]
    make_raster(scene, wavelengths=None, descriptions=names)
    with opened(scene) as source:
        assert nanometres(source) == NM
        assert source.bands.origins["wavelength"] == "band descriptions"
        assert list(source.bands.names) == names


def test_stale_band_items_are_not_believed(scene: Path) -> None:
    stale = {f"Band_{n}": f"{n}00 Nanometers" for n in range(1, 7)}
    with opened(make_raster(scene, metadata={"": stale})) as source:
        assert nanometres(source) == NM
        assert source.problems == ()


def test_list_of_another_length_is_ignored_and_told(scene: Path) -> None:
    make_raster(scene, metadata={"ENVI": {"fwhm": "{6, 6}"}})
    with opened(scene) as source:
        assert source.bands.wavelengths.fwhm_nm is None
        assert problems(source) == (
            "The dataset metadata ENVI 'fwhm' has 2 values for 6 bands and is ignored.",
        )


def tiles(folder: Path, **second: Any) -> list[str]:
    """Write two tiles side by side and return their paths."""
    east = (GEOTRANSFORM[0] + 7 * 30, *GEOTRANSFORM[1:])
    bbl = [1, 1, 0, 1, 1, 1]
    return [
        str(make_raster(folder / "west.tif", fwhm=6.5, bbl=bbl)),
        str(make_raster(folder / "east.tif", fwhm=6.5, bbl=bbl, geotransform=east, **second)),
    ]


def test_half_floats_are_read_as_single_ones(scene: Path, tmp_path: Path) -> None:
    """They are a type of their own from GDAL 3.11 on; the engine writes them itself."""
    values = (spectra() / 8).astype(np.float16).astype(np.float32)
    make_raster(scene, values, wavelengths=NM)
    half = tmp_path / "half.tif"
    gdal.Translate(str(half), str(scene), creationOptions=["NBITS=16", "COMPRESS=DEFLATE"])
    with opened(half) as source:
        data = source.read(source.grid.window)
    assert data.dtype == np.float32
    np.testing.assert_array_equal(data, values)


def test_mosaic_takes_the_bands_of_its_tiles(tmp_path: Path) -> None:
    """Programs that build a VRT drop wavelengths, FWHM and bad bands of its tiles."""
    path = tmp_path / "mosaic.vrt"
    gdal.BuildVRT(str(path), tiles(tmp_path)).FlushCache()
    with opened(path) as source:
        assert nanometres(source) == NM
        assert source.bands.wavelengths.fwhm_nm.tolist() == [6.5] * 6
        assert source.bands.good.tolist() == [True, True, False, True, True, True]
        assert source.bands.scale.tolist() == [1e-4] * 6
        # From GDAL 3.13 on its own program keeps them.
        assert source.bands.origins["wavelength"] in (
            "metadata of the VRT's sources 'wavelength'",
            "band metadata 'wavelength'",
        )
        assert source.problems == ()
        data = source.read(source.grid.window)
    np.testing.assert_array_equal(data, np.concatenate([spectra(), spectra()], axis=2))


def test_tiles_that_disagree_are_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "mosaic.vrt"
    parts = tiles(tmp_path, wavelengths=[450, 550.50, 650, 860, 1600, 2200])
    gdal.BuildVRT(str(path), parts).FlushCache()
    said = r"they disagree on the wavelength of band 2 \(550.0 and 550.5\)"
    with pytest.raises(HyperKDError, match=said) as caught:
        opened(path)
    assert caught.value.code == "no_wavelengths"


def test_envi_header_beside_a_tiff(scene: Path) -> None:
    make_raster(scene, wavelengths=None, scale=None)
    scene.with_suffix(".hdr").write_text(
        "ENVI\nwavelength units = Micrometers\nwavelength = {\n 0.45, 0.55, 0.65,\n 0.86, 1.6, "
        "2.2}\nfwhm = {0.01, 0.01, 0.01, 0.01, 0.02, 0.02}\nbbl = {1, 1, 1, 1, 0, 1}\n"
        "; a comment = here\ndata gain values = {1e-4,1e-4,1e-4,1e-4,1e-4,1e-4}\n"
    )
    with opened(scene) as source:
        np.testing.assert_allclose(nanometres(source), NM, rtol=1e-15)
        np.testing.assert_allclose(source.bands.wavelengths.fwhm_nm, [10, 10, 10, 10, 20, 20])
        assert source.bands.good.tolist() == [True, True, True, True, False, True]
        assert source.bands.scale.tolist() == [1e-4] * 6
        assert source.bands.origins["wavelength"] == "sidecar scene.hdr 'wavelength'"
        assert source.bands.origins["scale"] == "sidecar scene.hdr 'data gain values'"


def enmap_metadata(wavelengths: list[float], level: str = "L2A") -> str:
    bands = "".join(
        f'<bandID number="{n}"><wavelengthCenterOfBand>{v}</wavelengthCenterOfBand>'
        f"<FWHMOfBand>{6 + n / 10}</FWHMOfBand><GainOfBand>0.0001</GainOfBand>"
        "<OffsetOfBand>0</OffsetOfBand></bandID>"
        for n, v in enumerate(wavelengths, 1)
    )
    return (
        f"<level_X><base><level>{level}</level></base><specific><bandCharacterisation>{bands}"
        "</bandCharacterisation></specific></level_X>"
    )


@pytest.mark.parametrize("ending", ["-METADATA.XML", "-METADATA.XML.XML", "-metadata.xml"])
@pytest.mark.parametrize("image", ["-SPECTRAL_IMAGE.TIF", "-SPECTRAL_IMAGE_COG.tiff"])
def test_enmap_metadata_beside_the_image(tmp_path: Path, ending: str, image: str) -> None:
    (tmp_path / f"ENMAP01{ending}").write_text(enmap_metadata(NM))
    path = make_raster(tmp_path / f"ENMAP01{image}", wavelengths=None, scale=None)
    with opened(path) as source:
        assert nanometres(source) == NM
        assert source.bands.wavelengths.fwhm_nm.tolist() == [6.1, 6.2, 6.3, 6.4, 6.5, 6.6]
        assert source.bands.scale.tolist() == [1e-4] * 6
        assert f"ENMAP01{ending}" in source.bands.origins["wavelength"]
        assert "GainOfBand" in source.bands.origins["scale"]


def test_enmap_metadata_of_another_band_count_is_ignored_and_told(tmp_path: Path) -> None:
    (tmp_path / "ENMAP01-METADATA.XML").write_text(enmap_metadata(NM[:4]))
    path = make_raster(tmp_path / "ENMAP01-SPECTRAL_IMAGE.TIF")
    with opened(path) as source:
        assert problems(source) == (
            "The sidecar ENMAP01-METADATA.XML has 4 values for 6 bands and is ignored.",
        )


# --- the user's word --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "wavelength_nm,fwhm_nm,bbl,scale\n"
        + "".join(f"{v},6.5,{int(v != 650)},0.0001\n" for v in NM),
        "Wavelength;units;FWHM;good;gain\n"
        + "".join(
            f"{v};Micrometers;0,0065;{str(v != 0.65).lower()};0,0001\n".replace(".", ",")
            for v in UM
        ),
        "# from the lab\nwavelength_um\tfwhm_um\tbbl\tscale\n\n"
        + "".join(f"{v}\t0.0065\t{int(v != 0.65)}\t1e-4\n" for v in UM),
    ],
    ids=["commas", "semicolons and decimal commas", "tabs"],
)
def test_band_table_as_csv(scene: Path, tmp_path: Path, text: str) -> None:
    table = tmp_path / "bands.csv"
    table.write_text(text, encoding="utf-8-sig")
    make_raster(scene, wavelengths=[100 + v for v in NM], scale=None)
    with opened(scene, bands=str(table)) as source:
        np.testing.assert_allclose(nanometres(source), NM, rtol=1e-15)
        np.testing.assert_allclose(source.bands.wavelengths.fwhm_nm, 6.5, rtol=1e-15)
        assert source.bands.good.tolist() == [True, True, False, True, True, True]
        assert source.bands.scale.tolist() == [1e-4] * 6
        assert source.bands.origins["wavelength"] == "band table bands.csv"
        assert source.problems == ()


def sensor(**origins: str) -> BandTable:
    return BandTable(
        Wavelengths(np.array(NM) + 1, np.full(6, 7.0)),
        good=np.array([True, False, True, True, True, True]),
        scale=np.full(6, 5e-5),
        offset=np.full(6, 0.01),
        nodata=np.full(6, -9999.0),
        origins=origins,
    )


def test_given_table_replaces_wavelengths_only(scene: Path) -> None:
    with opened(make_raster(scene, nodata=None), bands=sensor()) as source:
        assert nanometres(source) == [v + 1 for v in NM]
        assert source.bands.good.tolist() == [True, False, True, True, True, True]
        assert source.bands.scale.tolist() == [1e-4] * 6
        assert np.isnan(source.bands.nodata).all()
        assert source.bands.origins["wavelength"] == "given band table"
        assert source.bands.origins["scale"] == "band scale and offset"


def test_given_table_brings_what_its_origins_name(scene: Path) -> None:
    table = sensor(scale="the lab", nodata="the lab's convention")
    with opened(make_raster(scene, nodata=None), bands=table) as source:
        assert source.bands.scale.tolist() == [5e-5] * 6
        assert source.bands.offset.tolist() == [0.01] * 6
        assert source.bands.nodata.tolist() == [-9999.0] * 6
        assert source.bands.origins["scale"] == "given band table: the lab"
        assert source.bands.origins["nodata"] == "the lab's convention"
    with opened(make_raster(scene), bands=table) as source:
        assert source.bands.nodata.tolist() == [-32768.0] * 6, "the file's own nodata stays"


def test_given_scale_offset_and_nodata_win(scene: Path) -> None:
    data = spectra()
    data[:, 0, 0] = 77
    make_raster(scene, data)
    with opened(scene, scale=2e-4, offset=-0.1, nodata=77) as source:
        assert source.bands.scale.tolist() == [2e-4] * 6
        assert source.bands.offset.tolist() == [-0.1] * 6
        assert source.bands.nodata.tolist() == [77.0] * 6
        assert source.bands.origins["scale"] == "given by the user"
        assert source.bands.origins["nodata"] == "given by the user"
        assert np.argwhere(~valid(source)).tolist() == [[0, 0]]


def test_given_scale_that_looks_wrong_is_used_and_told(scene: Path) -> None:
    with opened(make_raster(scene), scale=0.01) as source:
        assert source.bands.scale.tolist() == [0.01] * 6
        assert len(source.problems) == 1
        assert str(source.problems[0]).startswith(
            "With the scale 0.01 (given by the user) reflectance would be 99th percentile 44.4"
        )


# --- odd wavelengths --------------------------------------------------------------------------


def test_descending_wavelengths_keep_the_order_of_the_file(scene: Path) -> None:
    with opened(make_raster(scene, wavelengths=NM[::-1])) as source:
        assert nanometres(source) == NM[::-1]
        assert source.problems == ()
        np.testing.assert_array_equal(source.read(source.grid.window), spectra())


def test_shared_wavelengths_are_told(scene: Path) -> None:
    with opened(make_raster(scene, wavelengths=[450, 550, 550, 860, 1600, 1600])) as source:
        assert nanometres(source) == [450, 550, 550, 860, 1600, 1600]
        assert problems(source) == (
            "2 wavelengths stand for more than one band, the first is 550 nm.",
        )


@pytest.mark.parametrize("text", [0, "nan", -1, None])
def test_bad_band_without_wavelength_keeps_its_place(scene: Path, text: Any) -> None:
    make_raster(
        scene, wavelengths=[450, 550, text, 860, 1600, text], bbl=[1, 1, 0, 1, 1, 0], fwhm=7
    )
    with opened(scene) as source:
        # Between and beside its neighbours; never used, but the numbers of the others stay.
        assert nanometres(source) == [450, 550, 705, 860, 1600, 1600]
        assert source.bands.good.tolist() == [True, True, False, True, True, False]


def test_band_without_data_needs_no_wavelength(scene: Path) -> None:
    data = spectra()
    data[2] = -32768
    with opened(make_raster(scene, data, wavelengths=[450, 550, 0, 860, 1600, 2200])) as source:
        assert source.bands.good.tolist() == [True, True, False, True, True, True]
        assert problems(source) == ("No data in the raster and therefore not used: band 3.",)


def test_wavelengths_beyond_the_reflective_range_are_told(scene: Path) -> None:
    with opened(make_raster(scene, wavelengths=[450, 550, 650, 860, 1600, 9500])) as source:
        assert problems(source) == (
            "The wavelengths reach from 450 to 9500 nm, beyond the reflective range of 300 to "
            "2600 nm.",
        )


@pytest.mark.parametrize(
    ("fwhm", "said"),
    [
        ([7, 7, 0, 7, 7, 7], "The band metadata 'fwhm' is ignored: band 3 has 0."),
        ([7, 7, None, 7, 7, 7], "The band metadata 'fwhm' is ignored: band 3 has none."),
        (0.0065, "The band metadata 'fwhm' is ignored: 0.0065 to 0.0065 nm is not a bandwidth."),
    ],
)
def test_unusable_fwhm_is_ignored_and_told(scene: Path, fwhm: Any, said: str) -> None:
    with opened(make_raster(scene, fwhm=fwhm)) as source:
        assert source.bands.wavelengths.fwhm_nm is None
        assert problems(source) == (said,)
        assert "fwhm" not in source.bands.origins


@pytest.mark.parametrize("bad", ["0", "false", "bad", "0.0"])
def test_bad_band_words_and_bands_without_the_item(scene: Path, bad: str) -> None:
    with opened(make_raster(scene, bbl=[None, bad, "1", None, "1", "1.0"])) as source:
        assert source.bands.good.tolist() == [True, False, True, True, True, True]
        assert source.bands.origins["good"] == "band metadata 'bbl'"


def test_three_bands_with_wavelengths_open(scene: Path) -> None:
    make_raster(scene, spectra(3), wavelengths=[450, 550, 650])
    with opened(scene) as source:
        assert nanometres(source) == [450, 550, 650]


# --- scale ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "unit", "reason"),
    [
        (
            "int16",
            1e-4,
            "inferred as reflectance x 10000, 99th percentile 4441.29, in the median band ",
        ),
        (
            "uint16",
            1e-4,
            "inferred as reflectance x 10000, 99th percentile 4441.29, in the median band ",
        ),
        (
            "float32",
            1e-4,
            "inferred as reflectance x 10000, 99th percentile 4441.14, in the median band ",
        ),
        (
            "float32",
            1.0,
            "inferred from floating-point values, 99th percentile 0.444114, in the median band ",
        ),
        (
            "float64",
            1.0,
            "inferred from floating-point values, 99th percentile 0.444114, in the median band ",
        ),
    ],
)
@pytest.mark.parametrize("declared", [None, 1.0])
def test_undeclared_scale_is_inferred(
    scene: Path, dtype: str, unit: float, reason: str, declared: float | None
) -> None:
    make_raster(scene, spectra(dtype=dtype, unit=unit), scale=declared, nodata=None)
    with opened(scene) as source:
        assert source.bands.scale.tolist() == [unit] * 6
        assert source.bands.offset.tolist() == [0.0] * 6
        assert source.bands.origins["scale"].startswith(reason)


def test_percent_by_its_unit(scene: Path) -> None:
    make_raster(scene, spectra(dtype="float32", unit=0.01), scale=None, unit_type="%")
    with opened(scene) as source:
        assert source.bands.scale.tolist() == [0.01] * 6
        assert source.bands.origins["scale"].startswith("inferred from the unit percent")


def test_percent_after_scaling(scene: Path) -> None:
    """GDAL's unit is that of scaled values: int16 x 0.01 is percent here."""
    with opened(make_raster(scene, scale=0.01, offset=-1, unit_type="percent")) as source:
        assert source.bands.scale.tolist() == [0.01 * 0.01] * 6
        assert source.bands.offset.tolist() == [-0.01] * 6
        assert source.bands.origins["scale"] == "band scale and offset, unit percent"


def test_scale_and_offset_per_band(scene: Path) -> None:
    scales = [1e-4, 2e-4, 1e-4, 1e-4, 5e-5, 1e-4]
    offsets = [0, -0.1, 0, 0.2, 0, 0]
    with opened(make_raster(scene, scale=scales, offset=offsets)) as source:
        assert source.bands.scale.tolist() == scales
        assert source.bands.offset.tolist() == offsets
        assert source.bands.origins["scale"] == "band scale and offset"


def test_scale_of_a_bad_band_may_be_zero(scene: Path) -> None:
    make_raster(scene, scale=[1e-4, 0, 1e-4, 1e-4, 1e-4, 1e-4], bbl=[1, 0, 1, 1, 1, 1])
    with opened(scene) as source:
        assert source.bands.scale.tolist() == [1e-4, 1.0, 1e-4, 1e-4, 1e-4, 1e-4]


def test_envi_gains_and_factor(tmp_path: Path) -> None:
    gains = "data gain values = {2e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4}"
    with opened(make_envi(tmp_path / "a.bsq", header=gains)) as source:
        assert source.bands.scale.tolist() == [2e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4]
    factor = make_envi(tmp_path / "b.bsq", header="reflectance scale factor = 10000")
    with opened(factor) as source:
        assert source.bands.scale.tolist() == [1e-4] * 6
        assert source.bands.origins["scale"] == "dataset metadata ENVI 'reflectance_scale_factor'"


def test_contradicting_scales_are_told(tmp_path: Path) -> None:
    gains = "data gain values = {1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4}"
    header = gains + "\nreflectance scale factor = 1000"
    with opened(make_envi(tmp_path / "a.bsq", header=header)) as source:
        assert source.bands.scale.tolist() == [1e-4] * 6
        assert str(source.problems[-1]) == (
            "The dataset metadata ENVI 'reflectance_scale_factor' says a scale of 0.001, the band "
            "scale and offset 0.0001, which is used."
        )


def test_negative_and_bright_reflectance_is_kept(scene: Path) -> None:
    data = spectra()
    data[0, 0, 0], data[5, 4, 6] = -250, 14000
    with opened(make_raster(scene, data)) as source:
        tile = source.read_tile(source.grid.window)
        assert tile.valid.all()
        assert (tile.data[0, 0, 0], tile.data[5, 4, 6]) == (-250, 14000)


# --- nodata -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "gaps"),
    [("any", [(0, 0), (1, 1), (2, 2)]), ("all", [(2, 2)]), (0.0, [(0, 0), (1, 1), (2, 2)]),
     (0.2, [(1, 1), (2, 2)]), (0.4, [(1, 1), (2, 2)]), (0.6, [(2, 2)]), (0.99, [(2, 2)])],
)  # fmt: skip
def test_three_rules_for_a_missing_value(
    scene: Path, missing: Any, gaps: list[tuple[int, int]]
) -> None:
    data = spectra()
    data[0, 0, 0] = -32768  # one of five good bands
    data[:3, 1, 1] = -32768  # three of five
    data[:5, 2, 2] = -32768  # all good bands, not the bad one
    with opened(make_raster(scene, data, bbl=[1, 1, 1, 1, 1, 0]), missing=missing) as source:
        assert [tuple(place) for place in np.argwhere(~valid(source))] == gaps


def test_only_bands_that_are_read_and_good_count(scene: Path) -> None:
    data = spectra()
    data[0, 0, 0] = data[5, 1, 1] = -32768
    with opened(make_raster(scene, data, bbl=[1, 1, 1, 1, 1, 0])) as source:
        window = source.grid.window
        assert np.argwhere(~source.read_tile(window).valid).tolist() == [[0, 0]]
        assert source.read_tile(window, [1, 2, 5]).valid.all()
        assert not source.read_tile(window, [5]).valid.any(), "no good band, no spectrum"


def test_bands_without_data_and_without_bbl(scene: Path) -> None:
    data = spectra()
    data[1] = data[3] = -32768
    with opened(make_raster(scene, data)) as source:
        assert source.bands.good.tolist() == [True, False, True, False, True, True]
        assert source.bands.origins["good"] == (
            "no bad bands declared; no data in the raster: bands 2, 4"
        )
        assert valid(source).all()


@pytest.mark.parametrize("nodata", [None, "nan", -9999])
def test_nan_and_infinity_are_never_values(scene: Path, nodata: Any) -> None:
    data = spectra(dtype="float32", unit=1.0)
    data[2, 0, 0], data[3, 1, 1], data[4, 2, 2] = np.nan, np.inf, -np.inf
    with opened(make_raster(scene, data, scale=None, nodata=nodata)) as source:
        assert np.argwhere(~valid(source)).tolist() == [[0, 0], [1, 1], [2, 2]]
        expected = {None: "none declared", "nan": "band nodata", -9999: "band nodata"}
        assert source.bands.origins["nodata"] == expected[nodata]


def test_nodata_that_the_dtype_cannot_hold_is_ignored_and_told(scene: Path) -> None:
    with opened(make_raster(scene, spectra(dtype="uint16"), nodata=-9999)) as source:
        assert np.isnan(source.bands.nodata).all()
        assert problems(source) == (
            "The nodata value -9999 cannot occur in uint16 and is ignored.",
        )
        assert source.bands.origins["nodata"] == "none declared"
        assert valid(source).all()


def test_nodata_in_float32_is_compared_in_float32(scene: Path) -> None:
    data = spectra(dtype="float32", unit=1.0)
    data[:, 0, 0] = -9999.9
    with opened(make_raster(scene, data, scale=None, nodata=-9999.9)) as source:
        assert np.argwhere(~valid(source)).tolist() == [[0, 0]]


@pytest.mark.parametrize("nodata", [-3.4028234663852886e38, -3.40282e38, -3.40282347e38])
def test_lowest_float_however_its_header_rounds_it(scene: Path, nodata: float) -> None:
    data = spectra(dtype="float32", unit=1.0)
    data[:, 0, 0] = np.finfo(np.float32).min
    with opened(make_raster(scene, data, scale=None, nodata=nodata)) as source:
        assert np.argwhere(~valid(source)).tolist() == [[0, 0]]


def test_nodata_differs_from_band_to_band(tmp_path: Path) -> None:
    first, second = spectra(3), spectra(3)
    first[0, 0, 0], second[0, 1, 1] = -32768, -9999
    first[1, 2, 2], second[1, 3, 3] = -9999, -32768  # the other part's sentinel: a value here
    parts = [
        make_raster(tmp_path / "a.tif", first, wavelengths=NM[:3]),
        make_raster(tmp_path / "b.tif", second, wavelengths=NM[3:], nodata=-9999),
    ]
    with opened(make_vrt(tmp_path / "scene.vrt", parts)) as source:
        assert source.bands.nodata.tolist() == [-32768.0] * 3 + [-9999.0] * 3
        assert nanometres(source) == NM
        assert np.argwhere(~valid(source)).tolist() == [[0, 0], [1, 1]]


def test_tiny_values_beside_the_declared_nodata(scene: Path) -> None:
    data = spectra(dtype="float32", unit=1.0)
    data[:, 0, 0], data[2, 1, 1], data[2, 2, 2] = -9999, 1e-34, 0.0
    with opened(make_raster(scene, data, scale=0.5, nodata=-9999)) as source:
        assert np.argwhere(~valid(source)).tolist() == [[0, 0], [1, 1]]
        assert problems(source) == ("Values below 1e-30 that are not 0 are taken as nodata.",)


@pytest.mark.parametrize(
    ("dtype", "sentinel"), [("int16", -32768), ("int16", -9999), ("float32", -9999),
                            ("uint16", 65535)],
)  # fmt: skip
def test_undeclared_border_is_found(scene: Path, dtype: str, sentinel: int) -> None:
    data = spectra(dtype=dtype)
    data[:, :2] = sentinel
    with opened(make_raster(scene, data, nodata=None)) as source:
        assert source.bands.nodata.tolist() == [float(sentinel)] * 6
        assert source.bands.origins["nodata"] == "inferred: every band holds it"
        assert problems(source) == (
            f"No nodata value is declared, but every band holds {sentinel} in 40.0% of the pixels "
            "of the raster: taken as nodata.",
        )
        assert valid(source).tolist() == [[row >= 2] * 7 for row in range(5)]


def test_undeclared_border_of_zeros_is_only_told(scene: Path) -> None:
    data = spectra()
    data[:, :1] = 0
    with opened(make_raster(scene, data, nodata=None)) as source:
        assert np.isnan(source.bands.nodata).all()
        assert problems(source) == (
            "No nodata value is declared, and every band is 0 in 20.0% of the pixels of the "
            "raster: if this is a border without data, declare nodata 0.",
        )
        assert valid(source).all()


def test_all_nodata_with_a_scale_opens_without_a_valid_pixel(scene: Path) -> None:
    with opened(make_raster(scene, np.full((6, 5, 7), -32768, np.int16))) as source:
        assert not valid(source).any()
        assert source.bands.good.all()
        assert problems(source) == ("No band holds a valid value in the raster.",)


def test_dataset_mask_and_nodata_both_count(scene: Path) -> None:
    data, mask = spectra(), np.ones((5, 7), bool)
    data[3, 0, 0], mask[4, 6] = -32768, False
    make_raster(scene, data, mask=mask)
    with opened(scene) as source:
        assert np.argwhere(~valid(source)).tolist() == [[0, 0], [4, 6]]
        part = source.read_tile(Window(6, 3, 1, 2))
        assert part.valid.tolist() == [[True], [False]]


def test_alpha_band_is_a_mask_and_no_band(scene: Path) -> None:
    data = np.concatenate([spectra(), np.full((1, 5, 7), 255, np.int16)])
    data[6, 2, 3] = 0
    make_raster(scene, data, wavelengths=[*NM, None], nodata=None, alpha=True)
    with opened(scene) as source:
        assert nanometres(source) == NM
        assert source.read(source.grid.window).shape == (6, 5, 7)
        assert np.argwhere(~valid(source)).tolist() == [[2, 3]]


def test_bands_of_two_types_are_read_in_one_that_holds_both(tmp_path: Path) -> None:
    parts = [
        make_raster(tmp_path / "a.tif", spectra(3), wavelengths=NM[:3]),
        make_raster(
            tmp_path / "b.tif", spectra(3, dtype="uint16") + 40000, wavelengths=NM[3:], scale=1e-5,
            nodata=0,
        ),
    ]  # fmt: skip
    with opened(make_vrt(tmp_path / "scene.vrt", parts)) as source:
        assert source.dtype == np.int32
        data = source.read(source.grid.window)
        np.testing.assert_array_equal(data[:3], spectra(3))
        np.testing.assert_array_equal(data[3:], spectra(3, dtype="uint16") + 40000)


# --- geometry and layout ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("geotransform", "said"),
    [
        ((366000.0, 30.0, 5.0, 5810000.0, -5.0, -30.0), "rotated or sheared"),
        ((366000.0, 30.0, 0.0, 5810000.0, 0.0, 30.0), "south-up"),
        ((366000.0, 30.0, 0.0, 5810000.0, 0.0, -20.0), None),
    ],
    ids=["rotated", "south-up", "not square"],
)
def test_geotransform_is_copied_as_it_is(scene: Path, geotransform: Any, said: str | None) -> None:
    with opened(make_raster(scene, geotransform=geotransform)) as source:
        assert source.grid.geotransform == geotransform
        assert (source.grid.width, source.grid.height) == (7, 5)
        assert [said in problem for problem in problems(source)] == ([True] if said else [])
        np.testing.assert_array_equal(source.read(source.grid.window), spectra())


def test_geographic_reference(scene: Path) -> None:
    degrees = (13.0, 0.0005, 0.0, 52.5, 0.0, -0.0003)
    with opened(make_raster(scene, epsg=4326, geotransform=degrees)) as source:
        assert source.grid.geotransform == degrees
        assert source.grid.crs_wkt == wkt(4326)
        assert source.problems == ()


def test_nothing_is_invented_without_geometry(scene: Path) -> None:
    with opened(make_raster(scene, epsg=None, geotransform=None)) as source:
        assert source.grid.geotransform is None
        assert source.grid.crs_wkt == ""
        assert problems(source) == (
            "The raster has no geotransform; its outputs have none either.",
            "The raster has no coordinate reference system.",
        )


def test_ground_control_points_are_kept(scene: Path) -> None:
    points = [(0.0, 0.0, 13.0, 52.5), (7.0, 0.0, 13.1, 52.5), (0.0, 5.0, 13.0, 52.4)]
    with opened(make_raster(scene, epsg=4326, gcps=points)) as source:
        kept = [(pixel, line, x, y) for pixel, line, x, y, _, _ in source.grid.gcps]
        assert kept == points
        assert source.grid.gcp_crs_wkt == wkt(4326)
        assert source.grid.geotransform is None
        assert str(source.problems[0]).startswith("The raster has 3 ground control points")


def test_geolocation_that_outputs_lose_is_told(scene: Path) -> None:
    make_raster(scene, metadata={"GEOLOCATION": {"X_DATASET": "lon.tif", "Y_DATASET": "lat.tif"}})
    with opened(scene) as source:
        assert problems(source) == (
            "The raster has geolocation arrays, which its outputs will lack.",
        )


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (9, 1), (33, 100)])
def test_any_size(scene: Path, height: int, width: int) -> None:
    data = spectra(height=height, width=width)
    with opened(make_raster(scene, data)) as source:
        np.testing.assert_array_equal(source.read(source.grid.window), data)
        assert valid(source).shape == (height, width)


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("header_offset", [0, 11])
def test_envi_interleaves_are_equal_to_the_bit(
    tmp_path: Path, dtype: str, big_endian: bool, header_offset: int
) -> None:
    data = spectra(dtype=dtype)
    for interleave, called in (("bsq", "band"), ("bil", "line"), ("bip", "pixel")):
        path = make_envi(
            tmp_path / f"scene.{interleave}",
            data,
            interleave=interleave,
            big_endian=big_endian,
            header_offset=header_offset,
        )
        with opened(path) as source:
            assert source.interleave == called
            assert nanometres(source) == NM
            tile = source.read(Window(1, 2, 5, 3), [4, 0])
            assert tile.dtype == np.dtype(dtype)
            assert tile.flags.c_contiguous
            np.testing.assert_array_equal(tile, data[[4, 0], 2:5, 1:6])


def test_envi_lists_reach_the_table(tmp_path: Path) -> None:
    header = (
        "fwhm = {6, 6.5, 7, 8, 10, 11}\nbbl = {1, 1, 0, 1, 1, 1}\ndata ignore value = -9999\n"
        "reflectance scale factor = 10000"
    )
    with opened(make_envi(tmp_path / "scene.bsq", header=header)) as source:
        assert source.bands.wavelengths.fwhm_nm.tolist() == [6, 6.5, 7, 8, 10, 11]
        assert source.bands.good.tolist() == [True, True, False, True, True, True]
        assert source.bands.nodata.tolist() == [-9999.0] * 6
        assert source.bands.origins["fwhm"] == "dataset metadata ENVI 'fwhm'"


def test_envi_header_picked_instead_of_the_data(tmp_path: Path) -> None:
    path = make_envi(tmp_path / "scene.img")
    with opened(Path(f"{path}.hdr")) as source:
        assert source.path == str(path)
        np.testing.assert_array_equal(source.read(source.grid.window), spectra())


@pytest.mark.parametrize(
    "options",
    [
        ["INTERLEAVE=PIXEL", "TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=32", "COMPRESS=DEFLATE"],
        ["INTERLEAVE=BAND", "TILED=NO", "BLOCKYSIZE=3"],
    ],
)
def test_block_shape_and_interleave(scene: Path, options: list[str]) -> None:
    data = spectra(height=40, width=50)
    with opened(make_raster(scene, data, options=options)) as source:
        tiled = "TILED=YES" in options
        assert source.block_shape == ((32, 16) if tiled else (3, 50))
        assert source.interleave == ("pixel" if tiled else "band")
        np.testing.assert_array_equal(source.read(Window(13, 30, 20, 10)), data[:, 30:, 13:33])


def test_geometry_of_the_default_raster(scene: Path) -> None:
    with opened(make_raster(scene)) as source:
        assert source.grid.geotransform == GEOTRANSFORM
        assert source.grid.crs_wkt == wkt(32633)
        assert source.problems == ()
