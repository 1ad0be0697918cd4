"""Values that mean "no label", and names that mean one class: one rule for fields and rasters."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from osgeo import gdal

from hyperkd.errors import HyperKDError
from hyperkd.problems import PROBLEMS
from hyperkd.raster.gdal.reader import PlainRaster
from hyperkd.raster.labels.class_names import clean_name, is_garbled, name_key
from hyperkd.types import Window
from tests.factories import GEOTRANSFORM, UTM_33N, wkt
from tests.label_factories import make_classes, make_scene, make_vector, point, read

LEFT_OUT, ASKED = "undeclared_label_nodata", "possible_label_nodata"


class Field(NamedTuple):
    """Values of a field, one feature each; which are left out, and the codes that are told."""

    kind: str
    values: list[Any]
    left_out: set[Any]
    told: list[str]


CLASSES = {
    "whole: -9999": Field("integer", [1, 2, 3, -9999, -9999], {-9999}, [LEFT_OUT]),
    "whole: -9999 once": Field("integer", [1, 2, 3, -9999], {-9999}, [LEFT_OUT]),
    "whole: -99": Field("integer", [1, 2, 3, -99], {-99}, [LEFT_OUT]),
    "whole: -1": Field("integer", [1, 2, 3, -1, -1], set(), [ASKED]),
    "whole: -1 among negative classes": Field("integer", [-3, -2, -1, 1], set(), []),
    "whole: 255": Field("integer", [1, 2, 3, 255, 255], {255}, [LEFT_OUT]),
    "whole: 255 above many classes": Field("integer", [1, 100, 200, 255], set(), [ASKED]),
    "whole: 255 within the classes": Field("integer", [1, 255, 300], set(), []),
    "whole: 65535": Field("integer", [1, 2, 3, 65535], {65535}, [LEFT_OUT]),
    "whole: 999": Field("integer", [1, 2, 3, 999], set(), [ASKED]),
    "whole: the least of 32 bits": Field("integer", [1, 2, -(2**31)], {-(2**31)}, [LEFT_OUT]),
    "whole: the largest of 32 bits": Field("integer", [1, 2, 2**31 - 1], {2**31 - 1}, [LEFT_OUT]),
    "whole: 0 is a class": Field("integer", [0, 1, 2], set(), []),
    "whole: two classes, 255 one of them": Field("integer", [1, 255], set(), [ASKED]),
    "number: 1e30": Field("number", [1.0, 2.0, 1e30], {1e30}, [LEFT_OUT]),
    "number: -3.4e38": Field("number", [1.0, 2.0, -3.4e38], {-3.4e38}, [LEFT_OUT]),
    "number: NaN": Field("number", [1.0, 2.0, float("nan")], {float("nan")}, []),
    "number: -9999 and 1e30": Field("number", [1, 2, -9999, 1e30], {-9999, 1e30}, [LEFT_OUT] * 2),
    "text: nan": Field("text", ["a", "b", "nan"], {"nan"}, [LEFT_OUT]),
    "text: NaN": Field("text", ["a", "b", "NaN"], {"NaN"}, [LEFT_OUT]),
    "text: None": Field("text", ["a", "b", "None"], {"None"}, [LEFT_OUT]),
    "text: null": Field("text", ["a", "b", "null"], {"null"}, [LEFT_OUT]),
    "text: <Null>": Field("text", ["a", "b", "<Null>"], {"<Null>"}, [LEFT_OUT]),
    "text: N/A": Field("text", ["a", "b", "N/A"], {"N/A"}, [LEFT_OUT]),
    "text: a dash": Field("text", ["a", "b", "-"], {"-"}, [LEFT_OUT]),
    "text: blanks": Field("text", ["a", "b", "\u00a0 "], {"\u00a0 "}, []),
    "text: -9999": Field("text", ["a", "b", "-9999"], {"-9999"}, [LEFT_OUT]),
    "text: -9999.0": Field("text", ["1", "2", "-9999.0"], {"-9999.0"}, [LEFT_OUT]),
    "text: no data": Field("text", ["a", "b", "No  Data"], {"No  Data"}, [LEFT_OUT]),
    "text: 255 among numbers": Field("text", ["1", "2", "255"], {"255"}, [LEFT_OUT]),
    "text: -1 among numbers": Field("text", ["1", "2", "-1"], set(), [ASKED]),
    "text: 255 among words": Field("text", ["a", "b", "255"], set(), []),
    "text: words with none inside": Field("text", ["none left", "nano", "b-"], set(), []),
    "text: 007 stays text": Field("text", ["007", "7", "08"], set(), []),
    "text: decimal commas": Field("text", ["0,7", "1,5", "2,25"], set(), ["numbers_as_text"]),
}
TARGETS = {
    "number: -9999": Field("number", [1.5, 2.5, 4.0, -9999, -9999], {-9999}, [LEFT_OUT]),
    "number: -9999 once": Field("number", [1.5, 2.5, 4.0, -9999], {-9999}, [LEFT_OUT]),
    "number: -999 below 0 to 1500": Field("number", [0, 700, 1500, -999], {-999}, [LEFT_OUT]),
    "number: -999 in a range": Field("number", [-3000, -2500, -999, 5], set(), []),
    "number: -99 near negative ones": Field("number", [-90, 0, 40, -99], set(), [ASKED]),
    "number: a value of its own, twice": Field("number", [1, 2, -150, -150], {-150}, [LEFT_OUT]),
    "number: a value of its own, once": Field("number", [1, 2, 3, -150], set(), [ASKED]),
    "number: a value of its own among negative ones": Field(
        "number", [-33, -10, 0, -1500, -1500], set(), [ASKED]
    ),
    "number: depths": Field("number", [-120, -150, -180, -200], set(), []),
    "number: -1, twice": Field("number", [0.2, 0.4, -1, -1], set(), [ASKED]),
    "number: -1, once": Field("number", [0.2, 0.4, 0.9, -1], set(), []),
    "number: -1 among negatives": Field("number", [-3.5, 0.4, -1, -1], set(), []),
    "number: 1e30": Field("number", [1, 2, 1e30], {1e30}, [LEFT_OUT]),
    "number: 1e20, twice": Field("number", [1, 2, 1e20, 1e20], {1e20}, [LEFT_OUT]),
    "number: all above 1e10": Field("number", [1e10, 2e10, 5e10, 7e10], set(), []),
    "number: -3.4e38": Field("number", [1, 2, -3.4028234663852886e38], {-3.4028234663852886e38},
                             [LEFT_OUT]),
    "number: 9999, twice": Field("number", [1, 2, 9999, 9999], {9999}, [LEFT_OUT]),
    "number: 255, twice": Field("number", [0.1, 0.9, 255, 255], {255}, [LEFT_OUT]),
    "number: 255 of bytes": Field("number", [0, 10, 250, 255, 255], set(), [ASKED]),
    "number: 65535, twice": Field("number", [0.1, 0.9, 65535, 65535], {65535}, [LEFT_OUT]),
    "whole: -32768": Field("integer", [1, 2, -32768], {-32768}, [LEFT_OUT]),
    "text: n/a": Field("text", ["1", "2", "n/a"], {"n/a"}, [LEFT_OUT, "numbers_as_text"]),
    "text: None": Field("text", ["1", "2", "None"], {"None"}, [LEFT_OUT, "numbers_as_text"]),
    "text: nan": Field("text", ["1", "2", "nan"], {"nan"}, [LEFT_OUT, "numbers_as_text"]),
    "text: a dash": Field("text", ["1", "2", "-"], {"-"}, [LEFT_OUT, "numbers_as_text"]),
    "text: -9999": Field("text", ["1", "2", "-9999"], {"-9999"}, [LEFT_OUT, "numbers_as_text"]),
    "text: inf": Field("text", ["1", "2", "inf"], {"inf"}, ["numbers_as_text"]),
}  # fmt: skip


def written(path: Path, case: Field) -> str:
    features = [(point(i + 0.5, 1.5), {"value": value}) for i, value in enumerate(case.values)]
    return make_vector(path / "a.gpkg", features, {"value": case.kind})


def kept_columns(case: Field) -> list[int]:
    missing = set(map(str, case.left_out))
    return [i for i, value in enumerate(case.values) if str(value) not in missing]


def codes(labels: Any) -> list[str]:
    return [problem.code for problem in labels.problems]


@pytest.mark.parametrize("name", CLASSES)
def test_codes_in_a_field_of_classes(name: str, tmp_path: Path) -> None:
    case = CLASSES[name]
    labels, _ = read(make_scene(), written(tmp_path, case))
    kept = kept_columns(case)
    assert labels.scenes[0].cols.tolist() == kept
    names = [labels.classes[index].name for index in labels.values]
    assert names == [clean_name(str(case.values[i]).replace(".0", "")) for i in kept]
    assert codes(labels) == case.told


@pytest.mark.parametrize("name", TARGETS)
def test_codes_in_a_field_of_targets(name: str, tmp_path: Path) -> None:
    case = TARGETS[name]
    labels, _ = read(make_scene(), written(tmp_path, case), "regression")
    kept = kept_columns(case)
    assert labels.scenes[0].cols.tolist() == kept
    assert labels.values[:, 0].tolist() == [float(case.values[i]) for i in kept]
    assert codes(labels) == case.told


def test_the_sentences_have_counts_a_range_and_what_to_do(tmp_path: Path) -> None:
    case = Field("number", [1.5, 2.5, 4.0, -9999, -9999], set(), [])
    labels, report = read(make_scene(), written(tmp_path, case), "regression")
    (problem,) = labels.problems
    assert problem.message == (
        "2 of 5 features hold -9999 in the field value of a.gpkg (the others: 1.5 to 4): it is "
        "taken as no label, and they are left out."
    )
    assert "give label_nodata the values" in problem.hint
    assert problem.values == {"value": -9999.0, "count": 2, "of": 5}
    assert labels.told == (problem.advice,)
    assert ("warning", problem.message) in report.logs
    case = Field("integer", [1, 2, 3, -1], set(), [])
    (problem,) = read(make_scene(), written(tmp_path, case))[0].problems
    assert problem.message == (
        "1 of 4 features holds -1 in the field value of a.gpkg, which often means no label; here "
        "it counts as one."
    )
    assert problem.hint == "Where it means none, declare it: label_nodata -1."


def test_one_missing_target_leaves_the_feature_out(tmp_path: Path) -> None:
    soc, ph = [1.0, 2.0, 3.0, -9999], [5.0, 7.0, -9999, 6.0]
    features = [(point(i + 0.5, 1.5), {"soc": soc[i], "ph": ph[i]}) for i in range(4)]
    path = make_vector(tmp_path / "a.gpkg", features, {"soc": "number", "ph": "number"})
    labels, _ = read(make_scene(), path, "regression", ["soc", "ph"])
    assert labels.values.tolist() == [[1.0, 5.0], [2.0, 7.0]]
    assert codes(labels) == [LEFT_OUT, LEFT_OUT]


@pytest.mark.parametrize(
    ("values", "declared", "kept"),
    [
        ([1, 2, 3, -1], ["-1"], [0, 1, 2]),
        ([1, 2, 3, -1], ["-1.0"], [0, 1, 2]),
        ([1, 2, 3, -9999], ["-1"], [0, 1, 2, 3]),
        ([1, 2, 3, 0], ["0"], [0, 1, 2]),
        ([1, 2, 3, 4], ["3", "4"], [0, 1]),
        (["a", "b", "Unknown"], ["unknown"], [0, 1]),
        (["a", "b", "none"], ["unknown"], [0, 1, 2]),
        (["a", "b", "UNKNOWN\u00a0"], ["unknown"], [0, 1]),
    ],
)
def test_who_declares_codes_decides_alone(
    values: list[Any], declared: list[str], kept: list[int], tmp_path: Path
) -> None:
    kind = "text" if isinstance(values[0], str) else "integer"
    path = written(tmp_path, Field(kind, values, set(), []))
    labels, _ = read(make_scene(), path, nodata=declared)
    assert labels.scenes[0].cols.tolist() == kept
    assert labels.problems == ()
    left = len(values) - len(kept)
    assert [note for note in labels.notes if "label_nodata" in note] == (
        [f"Left out, because label_nodata says so: {left} feature{'s' * (left > 1)} of a.gpkg."]
        if left
        else []
    )


# --- rasters --------------------------------------------------------------------------------

HALF = np.zeros((12, 16), bool)
HALF[::2] = True
CLASSES_3 = np.arange(12 * 16).reshape(12, 16) % 3 + 1


class Map(NamedTuple):
    """A raster of classes with another value in half of it, and what becomes of that."""

    dtype: str
    value: float
    left_out: bool
    told: list[str]
    knobs: dict[str, Any] = {}


NAMES = ["", "wood", "soil", "water"]
RASTERS = {
    "uint8, 255": Map("uint8", 255, True, [LEFT_OUT]),
    "uint8, 255, others named": Map("uint8", 255, True, [LEFT_OUT], {"names": NAMES}),
    "uint8, 255, declared": Map("uint8", 255, True, [], {"nodata": 255}),
    "uint8, 0": Map("uint8", 0, True, []),
    "uint8, 99": Map("uint8", 99, False, []),
    "uint8, a name that says so": Map("uint8", 255, True, [LEFT_OUT],
                                      {"names": [*NAMES, *[""] * 251, "NoData"]}),
    "int16, -1": Map("int16", -1, False, [ASKED]),
    "int16, -1, others named": Map("int16", -1, True, [LEFT_OUT], {"names": NAMES}),
    "int16, -1, declared": Map("int16", -1, True, [], {"nodata": -1}),
    "int16, -9999": Map("int16", -9999, True, [LEFT_OUT]),
    "int16, -32768": Map("int16", -32768, True, [LEFT_OUT]),
    "int16, 32767": Map("int16", 32767, True, [LEFT_OUT]),
    "int16, 255": Map("int16", 255, True, [LEFT_OUT]),
    "int32, 65535": Map("int32", 65535, True, [LEFT_OUT]),
    "int32, the largest": Map("int32", 2**31 - 1, True, [LEFT_OUT]),
    "float32, 1e30": Map("float32", 1e30, True, [LEFT_OUT]),
    "float32, -3.4e38": Map("float32", -3.4028234663852886e38, True, [LEFT_OUT]),
    "float32, -3.4e38, declared in few digits": Map(
        "float32", -3.4028234663852886e38, True, [], {"nodata": -3.402823e38}
    ),
    "float32, -9999.5": Map("float32", -9999.5, True, [LEFT_OUT]),
    "float32, NaN": Map("float32", float("nan"), True, []),
    "float32, infinite": Map("float32", float("inf"), True, []),
}  # fmt: skip


@pytest.mark.parametrize("name", RASTERS)
def test_codes_in_a_class_raster(name: str, tmp_path: Path) -> None:
    case = RASTERS[name]
    values = np.where(HALF, case.value, CLASSES_3).astype(case.dtype)
    labels, _ = read(make_scene(), make_classes(tmp_path / "a.tif", values, **case.knobs))
    here = labels.scenes[0]
    assert len(here) == (96 if case.left_out else 192)
    assert HALF[here.rows, here.cols].any() != case.left_out
    assert len(labels.classes) == (3 if case.left_out else 4)
    assert codes(labels) == case.told


@pytest.mark.parametrize(
    ("value", "left_out", "told"),
    [
        (-9999, True, [LEFT_OUT]),
        (-1, False, [ASKED]),
        (-150, True, [LEFT_OUT]),
        (255, True, [LEFT_OUT]),
        (65535, True, [LEFT_OUT]),
        (9999, True, [LEFT_OUT]),
        (1e20, True, [LEFT_OUT]),
        (1e30, True, [LEFT_OUT]),
        (-3.4028234663852886e38, True, [LEFT_OUT]),
        (float("nan"), True, []),
        (0, False, []),
    ],
)
def test_codes_in_a_raster_of_targets(
    value: float, left_out: bool, told: list[str], tmp_path: Path
) -> None:
    quantity = 0.25 + np.arange(12 * 16).reshape(12, 16) / 64
    values = np.where(HALF, value, quantity).astype(np.float32)
    labels, _ = read(make_scene(), make_classes(tmp_path / "a.tif", values), "regression")
    assert len(labels) == (96 if left_out else 192)
    assert codes(labels) == told


def test_a_code_beside_thousands_of_values_is_found(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((60, 80)).astype(np.float32)
    values[7, 9] = -9999
    labels, _ = read(make_scene(60, 80), make_classes(tmp_path / "a.tif", values), "regression")
    assert len(labels) == 60 * 80 - 1
    assert labels.problems[0].values == {"value": -9999.0, "count": 1, "of": 4800}


def signed(path: Path, values: Any, nodata: float | None) -> str:
    """Write int8 as this GDAL does: bytes with a sign before 3.7, its own type since."""
    kind, options = getattr(gdal, "GDT_Int8", None), []
    if kind is None:
        kind, options = gdal.GDT_Byte, ["PIXELTYPE=SIGNEDBYTE"]
    height, width = values.shape
    made = gdal.GetDriverByName("GTiff").Create(str(path), width, height, 1, kind, options)
    made.SetGeoTransform(GEOTRANSFORM)
    made.SetProjection(wkt(UTM_33N))
    if nodata is not None:
        made.GetRasterBand(1).SetNoDataValue(nodata)
    made.WriteRaster(0, 0, width, height, values.astype(np.int8).tobytes())
    del made
    return str(path)


@pytest.mark.parametrize(
    ("value", "nodata", "kept", "told"),
    [
        (-1, -1, 96, []),
        (-1, None, 192, [ASKED]),
        (-128, None, 96, [LEFT_OUT]),
        (-128, -128, 96, []),
    ],
)
def test_bytes_with_a_sign_are_read_with_it(
    value: int, nodata: float | None, kept: int, told: list[str], tmp_path: Path
) -> None:
    values = np.where(HALF, value, CLASSES_3)
    path = signed(tmp_path / "a.tif", values, nodata)
    with PlainRaster(path) as raster:
        assert raster.dtype == np.int8
        assert raster.nodata() == (nodata,)
        np.testing.assert_array_equal(raster.read(Window(0, 0, 16, 12))[0], values)
    labels, _ = read(make_scene(), path)
    assert len(labels) == kept
    assert codes(labels) == told


def test_bytes_with_a_sign_beside_other_types(tmp_path: Path) -> None:
    values = np.where(HALF, -5, CLASSES_3)
    signed(tmp_path / "a.tif", values, None)
    make_classes(tmp_path / "b.tif", (200 + CLASSES_3).astype(np.int16))
    vrt = gdal.BuildVRT(
        str(tmp_path / "c.vrt"), [str(tmp_path / n) for n in ("a.tif", "b.tif")], separate=True
    )
    # BuildVRT forgets the sign before GDAL 3.7.
    if not hasattr(gdal, "GDT_Int8"):
        vrt.GetRasterBand(1).SetMetadataItem("PIXELTYPE", "SIGNEDBYTE", "IMAGE_STRUCTURE")
    del vrt
    with PlainRaster(str(tmp_path / "c.vrt")) as raster:
        assert raster.dtype == np.int16
        both = raster.read(Window(0, 0, 16, 12))
        np.testing.assert_array_equal(both, [values, 200 + CLASSES_3])
        np.testing.assert_array_equal(raster.read(Window(0, 0, 16, 12), [1, 0]), both[::-1])


# --- names of classes -----------------------------------------------------------------------

VARIANTS = [
    ("Grünland", unicodedata.normalize("NFD", "Grünland")),
    ("Grünland", "GRÜNLAND"),
    ("Grünland", unicodedata.normalize("NFD", "gRÜNLAND")),
    ("Tile roof", "Tile  roof"),
    ("Tile roof", "Tile\u00a0roof"),
    ("Tile roof", "Tile roof "),
    ("Tile roof", " Tile roof"),
    ("Tile roof", "Tile\troof"),
    ("Tile roof", "Tile\u2009roof"),
    ("Tile roof", "\ufeffTile roof"),
    ("Tile roof", "Tile\u200b roof"),
    ("Straße", "STRASSE"),
    ("Roof", "roof"),
    ("Ålesund", "\u212blesund"),
]


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_names_that_read_alike_are_one_class_with_a_note(
    name: str, variant: str, tmp_path: Path
) -> None:
    case = Field("text", [name, "water", variant, name], set(), [])
    labels, report = read(make_scene(), written(tmp_path, case))
    counted = labels.class_counts()
    assert counted == {name: 3, "water": 1}
    (problem,) = labels.problems
    assert (problem.code, problem.severity) == ("class_name_variants", "note")
    assert problem.message.startswith("3 features with the names ")
    for each in (name, variant):
        shown = repr(each) if each == clean_name(each) else ascii(each)
        assert shown in problem.message
    assert ("info", problem.message) in report.logs


@pytest.mark.parametrize(
    ("one", "other"), [("m2", "m²"), ("Wald 1", "Wald 11"), ("a-b", "a b"), ("o", "ö"), ("1", "01")]
)
def test_names_that_mean_something_else_stay_apart(one: str, other: str, tmp_path: Path) -> None:
    labels, _ = read(make_scene(), written(tmp_path, Field("text", [one, other], set(), [])))
    assert labels.class_counts() == {one: 1, other: 1}
    assert labels.problems == ()
    assert name_key(one) != name_key(other)


def test_a_colour_fits_every_spelling(tmp_path: Path) -> None:
    path = written(tmp_path, Field("text", ["Tile  roof", "water"], set(), []))
    labels, _ = read(make_scene(), path, colours={"tile roof": "#123456"})
    assert labels.classes[0].colour == "#123456"


def test_two_values_whose_names_read_alike_are_refused(tmp_path: Path) -> None:
    path = make_classes(
        tmp_path / "a.tif", CLASSES_3.astype(np.uint8), names=["", "Wald", "wald ", "Wasser"]
    )
    with pytest.raises(HyperKDError, match="The values 1, 2 are all called Wald") as caught:
        read(make_scene(), path)
    assert caught.value.code == "bad_labels"


@pytest.mark.parametrize(
    ("name", "garbled"),
    [
        ("GrÃ¼nland", True),
        ("Gr\ufffdnland", True),
        ("StraÃŸe", True),
        ("Grünland", False),
        ("Grassland", False),
        ("Ærø", False),
        ("草地", False),
    ],
)
def test_names_that_were_decoded_wrongly_are_told(name: str, garbled: bool, tmp_path: Path) -> None:
    assert is_garbled(name) is garbled
    labels, _ = read(make_scene(), written(tmp_path, Field("text", [name, "b"], set(), [])))
    assert codes(labels) == ["garbled_text"] * garbled


# --- text and numbers -----------------------------------------------------------------------


NOT_NUMBERS = [
    ("0,7", "decimal points"),
    ("1_000", "numeric field"),
    ("1 000", "numeric field"),
    ("1.000,5", "numeric field"),
    ("0x10", "numeric field"),
    ("١٢", "numeric field"),
    ("5 %", "numeric field"),
    ("<0.5", "numeric field"),
    ("12-01-2024", "numeric field"),
    ("high", "numeric field"),
]


@pytest.mark.parametrize(("text", "hint"), NOT_NUMBERS)
def test_text_that_is_no_plain_number_is_no_target(text: str, hint: str, tmp_path: Path) -> None:
    path = written(tmp_path, Field("text", ["1.5", "2.5", text], set(), []))
    with pytest.raises(HyperKDError, match="holds the text") as caught:
        read(make_scene(), path, "regression")
    assert caught.value.code == "bad_labels"
    assert hint in caught.value.hint


def test_the_codes_are_listed() -> None:
    told = {LEFT_OUT, ASKED, "class_name_variants", "garbled_text", "numbers_as_text"}
    assert told <= set(PROBLEMS)
