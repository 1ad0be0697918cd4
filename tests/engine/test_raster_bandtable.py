"""Band tables from metadata alone, without GDAL: identities over random tables, and texts."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperkd.errors import HyperKDError
from hyperkd.raster.bands.band_table import BandMetadata, RasterMetadata
from hyperkd.raster.bands.band_values import property_of, split_list, to_nanometres
from hyperkd.raster.bands.describe import Description, Given, describe_bands
from hyperkd.raster.bands.good_bands import list_bands
from hyperkd.raster.bands.sampling import Sample
from hyperkd.raster.bands.sidecars import parse_header, source_of_table

HOMES = ("", "IMAGERY", "OTHER", "dataset:", "dataset:ENVI")


def metadata_of(
    centre: list[float],
    fwhm: list[float],
    good: list[bool],
    home: str = "",
    unit: str = "nm",
) -> RasterMetadata:
    """Return the metadata of a file that keeps these values in one place, in one unit."""
    factor = {"nm": 1.0, "um": 1e-3}[unit]
    keys = ("CENTRAL_WAVELENGTH_UM", "FWHM_UM") if home == "IMAGERY" else ("wavelength", "fwhm")
    if home == "IMAGERY":
        factor = 1e-3
    columns = {
        keys[0]: [repr(value * factor) for value in centre],
        keys[1]: [repr(value * factor) for value in fwhm],
        "bbl": [str(int(flag)) for flag in good],
    }
    count = len(centre)
    if home.startswith("dataset:"):
        lists = {key: "{" + ",".join(values) + "}" for key, values in columns.items()}
        lists["wavelength_units"] = unit
        bands = tuple(BandMetadata() for _ in range(count))
        return RasterMetadata("x", np.dtype(np.int16), bands, {home[8:]: lists})
    if home != "IMAGERY":
        columns["wavelength_units"] = [unit] * count
    items = [{key: values[index] for key, values in columns.items()} for index in range(count)]
    bands = tuple(BandMetadata({home: item}) for item in items)
    return RasterMetadata("x", np.dtype(np.int16), bands)


def described(metadata: RasterMetadata, pixels: Any = None, **given: Any) -> Description:
    count = len(metadata.bands)
    if pixels is None:
        pixels = np.full((count, 4), 1000, metadata.dtype) + np.arange(4, dtype=metadata.dtype)
    sample = Sample(np.asarray(pixels), 1, True)
    return describe_bands(metadata, (), Given(**given), lambda nodata: sample)


def problems_of(found: Description) -> tuple[str, ...]:
    """Return the sentences but that on the scale, which these tables lack."""
    return tuple(str(each) for each in found.problems if each.code != "inferred_scale")


tables = st.lists(
    st.tuples(
        st.floats(300, 2600).map(lambda value: round(value, 4)),
        st.floats(1, 40).map(lambda value: round(value, 4)),
        st.booleans(),
    ),
    min_size=2,
    max_size=40,
    unique_by=lambda row: row[0],
).filter(lambda rows: any(row[2] for row in rows))


@given(tables, st.sampled_from(HOMES), st.sampled_from(["nm", "um"]))
def test_any_table_from_any_home_in_any_unit(rows: Any, home: str, unit: str) -> None:
    centre, fwhm, good = (list(column) for column in zip(*rows))
    bands = described(metadata_of(centre, fwhm, good, home, unit)).bands
    exact = unit == "nm" and home != "IMAGERY"
    tolerance = 0 if exact else 1e-14
    np.testing.assert_allclose(bands.wavelengths.centre_nm, centre, rtol=tolerance)
    np.testing.assert_allclose(bands.wavelengths.fwhm_nm, fwhm, rtol=tolerance)
    assert bands.good.tolist() == good


@given(tables, st.randoms(use_true_random=False))
def test_shuffled_bands_give_the_shuffled_table(rows: Any, random: Any) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    plain = described(metadata_of(*(list(column) for column in zip(*rows)))).bands
    mixed = described(metadata_of(*(list(c) for c in zip(*[rows[i] for i in order])))).bands
    taken = plain.take(order)
    np.testing.assert_array_equal(mixed.wavelengths.centre_nm, taken.wavelengths.centre_nm)
    np.testing.assert_array_equal(mixed.wavelengths.fwhm_nm, taken.wavelengths.fwhm_nm)
    np.testing.assert_array_equal(mixed.good, taken.good)


@given(tables, st.sampled_from(HOMES))
def test_a_table_given_to_another_file_gives_itself(rows: Any, home: str) -> None:
    centre, fwhm, good = (list(column) for column in zip(*rows))
    table = described(metadata_of(centre, fwhm, good)).bands
    other = metadata_of([v + 7 for v in centre], fwhm, [True] * len(rows), home)
    again = described(other, bands=table).bands
    np.testing.assert_array_equal(again.wavelengths.centre_nm, table.wavelengths.centre_nm)
    np.testing.assert_array_equal(again.wavelengths.fwhm_nm, table.wavelengths.fwhm_nm)
    np.testing.assert_array_equal(again.good, table.good)


def with_imagery(fwhm_um: list[str], **domains: dict[str, str]) -> RasterMetadata:
    """Return the metadata of an ENVI file as GDAL 3.10 tells them, rounded in IMAGERY."""
    bands = tuple(
        BandMetadata({"IMAGERY": {"CENTRAL_WAVELENGTH_UM": f"{0.45 + n / 10:.3f}", "FWHM_UM": one}})
        for n, one in enumerate(fwhm_um)
    )
    return RasterMetadata("x", np.dtype(np.int16), bands, domains)


def test_widths_that_gdal_rounded_give_way_to_the_exact_ones() -> None:
    header = {"wavelength_units": "Nanometers", "fwhm": "{6.5, 7.123, 8.25}"}
    found = described(with_imagery(["0.006", "0.007", "0.008"], ENVI=header))
    assert found.bands.wavelengths.fwhm_nm is not None
    assert found.bands.wavelengths.fwhm_nm.tolist() == [6.5, 7.123, 8.25]
    assert found.bands.origins["fwhm"] == "dataset metadata ENVI 'fwhm'"
    assert problems_of(found) == ()


@pytest.mark.parametrize(
    ("header", "problems"),
    [
        ({}, ()),
        # Another sensor's widths are no rounding.
        ({"wavelength_units": "Nanometers", "fwhm": "{6.5, 7.123, 9.25}"}, ()),
        (
            {"wavelength_units": "Nanometers", "fwhm": "{6.5, 0, 8.25}"},
            ("The dataset metadata ENVI 'fwhm' is ignored: band 2 has 0.",),
        ),
    ],
)
def test_rounded_widths_are_used_where_no_other_place_tells_the_same(
    header: dict[str, str], problems: tuple[str, ...]
) -> None:
    found = described(with_imagery(["0.006", "0.007", "0.008"], ENVI=header))
    assert found.bands.wavelengths.fwhm_nm is not None
    np.testing.assert_allclose(found.bands.wavelengths.fwhm_nm, [6, 7, 8], rtol=1e-14)
    assert found.bands.origins["fwhm"] == "band metadata IMAGERY 'FWHM_UM'"
    assert problems_of(found) == problems


def test_order_of_places() -> None:
    places = [
        ("band metadata IMAGERY 'CENTRAL_WAVELENGTH_UM'", "IMAGERY"),
        ("band metadata 'wavelength'", ""),
        ("band metadata A 'wavelength'", "A"),
        ("band metadata B 'wavelength'", "B"),
        ("dataset metadata 'wavelength'", "dataset:"),
        ("dataset metadata ENVI 'wavelength'", "dataset:ENVI"),
        ("dataset metadata Z 'wavelength'", "dataset:Z"),
        ("band descriptions", None),
    ]
    for first in range(len(places)):
        bands: list[dict[str, dict[str, str]]] = [{}, {}, {}]
        domains: dict[str, dict[str, str]] = {}
        for rank, (_, home) in enumerate(places[first:], first):
            values = [400 + 100 * rank + 10 * index for index in range(3)]
            if home is None:
                continue
            if home.startswith("dataset:"):
                domains[home[8:]] = {"wavelength": " ".join(map(str, values))}
                continue
            for band, value in zip(bands, values):
                if home == "IMAGERY":
                    band[home] = {"CENTRAL_WAVELENGTH_UM": str(value / 1000)}
                else:
                    band[home] = {"wavelength": str(value)}
        metadata = RasterMetadata(
            "x",
            np.dtype(np.int16),
            tuple(BandMetadata(b, description=f"{1100 + 10 * i} nm") for i, b in enumerate(bands)),
            domains,
        )
        table = described(metadata).bands
        assert table.origins["wavelength"] == places[first][0]
        expected = [400 + 100 * first + 10 * index for index in range(3)]
        np.testing.assert_allclose(table.wavelengths.centre_nm, expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("wavelength", ("wavelength", None)),
        ("  Center-Wavelength ", ("wavelength", None)),
        ("CENTRAL_WAVELENGTH_UM", ("wavelength", "um")),
        ("wavelength_nm", ("wavelength", "nm")),
        ("FWHM_UM", ("fwhm", "um")),
        ("Wavelength units", ("units", None)),
        ("Wavelength_unit", ("units", None)),
        ("bbl_nm", (None, None)),
        ("Band_1", (None, None)),
        ("wavelength_range", (None, None)),
    ],
)
def test_keys(key: str, expected: Any) -> None:
    assert property_of(key) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{1, 2,3}", ("1", "2", "3")),
        ("[1 2\t3]", ("1", "2", "3")),
        ("1,2,,3", ("1", "2", "", "3")),
        ("  {442.3 nm, 450 nm} ", ("442.3 nm", "450 nm")),
        ("{}", ()),
        ("7", ("7",)),
    ],
)
def test_lists(text: str, expected: Any) -> None:
    assert split_list(text) == expected


def test_unit_limits() -> None:
    def unit_of(values: list[float]) -> str:
        nanometres, _ = to_nanometres(np.array(values), None, "here")
        return {1.0: "nm", 1000.0: "um"}[round(nanometres[0] / values[0])]

    assert unit_of([0.4, 2.5]) == "um"
    assert unit_of([0.1, 20.0]) == "um"
    assert unit_of([100.0, 20000.0]) == "nm"
    for values in ([0.09, 1.0], [1.0, 20.1], [99.9, 100.0], [100.0, 20001.0]):
        with pytest.raises(HyperKDError, match="without a unit") as caught:
            to_nanometres(np.array(values), None, "here")
        assert caught.value.code == "bad_units"


def test_whole_numbers_in_nanometres_are_no_band_numbers() -> None:
    values = np.arange(400.0, 500.0)
    assert to_nanometres(values, None, "here")[0].tolist() == values.tolist()


def test_header_with_lists_over_lines_comments_and_equal_signs() -> None:
    text = (
        "ENVI\r\n; made = by hand\ndescription = {\n  a = b,\n  c}\nWavelength = { 1,\n 2,\n 3 }\n"
        "map info = {UTM, 1=1}\nempty =\nbands = 3\n"
    )
    assert parse_header(text) == {
        "description": "{ a = b, c}",
        "wavelength": "{ 1, 2, 3 }",
        "map info": "{UTM, 1=1}",
        "empty": "",
        "bands": "3",
    }


def test_bands_in_words() -> None:
    assert list_bands([0]) == "band 1"
    assert list_bands([134, 129, 130, 131, 132, 133, 3]) == "bands 4, 130-135"


def test_pixels_are_not_read_where_metadata_is_refused() -> None:
    def never(nodata: Any) -> Sample:
        raise AssertionError("read pixels of a raster without wavelengths")

    metadata = RasterMetadata("x", np.dtype(np.int16), (BandMetadata(), BandMetadata()))
    with pytest.raises(HyperKDError, match=r"x \(2 bands of int16\) says no wavelengths"):
        describe_bands(metadata, (), Given(), never)


def test_source_of_table_keeps_numbers_to_the_bit() -> None:
    centre = [450.1234567890123, 1 / 3 * 1000]
    table = described(metadata_of(centre, [6.1, 7.2], [True, True])).bands
    source = source_of_table(table, 2, "given")
    assert [float(text or "nan") for text in source.columns["wavelength"]] == centre


@pytest.mark.parametrize(
    ("bright", "dtype", "scale"),
    [
        (1.59, np.float32, 1.0),
        (0.005, np.float64, 1.0),
        (160.1, np.float32, 1e-4),
        (15999.0, np.float32, 1e-4),
        (161, np.int16, 1e-4),
        (16000, np.uint16, 1e-4),
    ],
)
def test_limits_of_the_inferred_scale(bright: float, dtype: Any, scale: float) -> None:
    metadata = RasterMetadata(
        "x",
        np.dtype(dtype),
        tuple(BandMetadata({"": {"wavelength": str(v)}}) for v in (450, 550)),
    )
    assert described(metadata, np.full((2, 4), bright, dtype)).bands.scale.tolist() == [scale] * 2


@pytest.mark.parametrize(
    ("bright", "dtype"),
    [(1.61, np.float32), (0.0049, np.float32), (159.9, np.float32), (16001, np.float32),
     (160, np.int16), (1, np.int16), (16001, np.uint16), (200, np.uint8)],
)  # fmt: skip
def test_beyond_the_limits_the_scale_is_refused(bright: float, dtype: Any) -> None:
    metadata = RasterMetadata(
        "x",
        np.dtype(dtype),
        tuple(BandMetadata({"": {"wavelength": str(v)}}) for v in (450, 550)),
    )
    with pytest.raises(HyperKDError, match=re.escape(f"(99th percentile {bright:g}, in")) as caught:
        described(metadata, np.full((2, 4), bright, dtype))
    assert caught.value.code == "bad_scale"


def scaled(pixels: Any, **given: Any) -> Any:
    wavelengths = [400.0 + 10 * index for index in range(len(pixels))]
    metadata = metadata_of(wavelengths, [6.0] * len(pixels), [True] * len(pixels))
    metadata = RasterMetadata("x", pixels.dtype, metadata.bands)
    return described(metadata, pixels, **given).bands.scale[0]


def test_noise_of_water_vapour_bands_does_not_pass_for_radiance() -> None:
    pixels = np.random.default_rng(0).normal(0.3, 0.05, (50, 400)).astype(np.float32)
    pixels[30:45] *= 1000
    assert scaled(pixels) == 1.0
    assert scaled((pixels * 10000).astype(np.int32)) == 1e-4


def test_clear_water_is_bright_enough_in_its_blue_bands() -> None:
    reflectance = np.full((50, 400), 0.001) + np.random.default_rng(0).normal(0, 1e-4, (50, 400))
    reflectance[:5] += 0.03
    assert scaled((reflectance * 10000).astype(np.int16)) == 1e-4
    assert scaled(reflectance.astype(np.float32)) == 1.0
