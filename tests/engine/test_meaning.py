"""What looks about right is no reflectance yet: the scale, the words and the counts of a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.jobs.dispatch import carry_out
from hyperkd.raster.bands.words import kind_of_unit, kinds_of_text, level_of_product
from hyperkd.raster.open_raster import open_raster
from hyperkd.reporting import SilentReporter
from hyperkd.requests.prepare_options import AlignJob, ImportJob
from tests.factories import make_envi, make_raster

NM = np.arange(425.0, 2451.0, 25.0)
SIDE = 20


def bump(centre: float, width: float) -> NDArray[np.float64]:
    return np.exp(-0.5 * ((NM - centre) / width) ** 2)


def reflectance() -> NDArray[np.float64]:
    """Return spectra of plants, soil, water and roofs ``(band, row, col)`` with noise."""
    edge = 1 / (1 + np.exp(-(NM - 715) / 12))
    plants = 0.04 + 0.05 * bump(550, 35) + edge * 0.42 * np.exp(-np.maximum(NM - 760, 0) / 1500)
    soil = 0.06 + 0.28 * (1 - np.exp(-(NM - 400) / 700))
    water = 0.045 * np.exp(-(NM - 420) / 180) + 0.004
    roofs = 0.10 + 0.22 / (1 + np.exp(-(NM - 590) / 30))
    random = np.random.default_rng(3)
    kinds = np.kron(random.integers(0, 4, (SIDE // 4, SIDE // 4)), np.ones((4, 4), int))
    cube = np.stack([plants, soil, water, roofs])[kinds].transpose(2, 0, 1)
    cube = cube * random.normal(1, 0.1, (1, SIDE, SIDE)) + random.normal(0, 0.002, cube.shape)
    return np.maximum(cube, 5e-4)


def radiance() -> NDArray[np.float64]:
    """Return what a sensor above the atmosphere sees of them, in W m-2 sr-1 um-1."""
    sun = np.interp(
        NM, [420, 500, 600, 700, 850, 1000, 1250, 1650, 2200, 2450],
        [1700, 1950, 1770, 1430, 990, 740, 460, 230, 80, 52],
    )  # fmt: skip
    clear = 0.85 - 0.75 * bump(1400, 35) - 0.8 * bump(1890, 45) - 0.3 * bump(940, 20)
    path = 25 * np.exp(-(NM - 420) / 110)
    return (sun * clear * 0.64 / np.pi)[:, None, None] * reflectance() + path[:, None, None]


def counts(bits: int) -> NDArray[np.float64]:
    """Return counts of a detector that saturates."""
    light = radiance()
    bright = light / light.max() * 2.5 * 2**bits
    return np.clip(2**bits / 20 + bright, 0, 2**bits - 1)


def snow() -> NDArray[np.float64]:
    """Return snow on slopes under a low sun: bright, and dark beyond 1500 nm."""
    spectrum = np.where(NM < 1000, 0.95, np.maximum(0.95 - (NM - 1000) / 550, 0.03))
    slopes = np.random.default_rng(4).uniform(0.5, 2.3, (1, SIDE, SIDE))
    return spectrum[:, None, None] * slopes


REFLECTANCE, RADIANCE, WATER = reflectance(), radiance(), reflectance() * 0.05 + 0.001
VAPOUR = ((NM > 1340) & (NM < 1460)) | ((NM > 1790) & (NM < 1960))
NOISE = np.where(
    VAPOUR[:, None, None], np.random.default_rng(5).normal(0, 9, REFLECTANCE.shape), REFLECTANCE
)
FACTORS = np.where(NM < 925, 40, 80)[:, None, None]

GUESS, WORDS, COUNTS, BRIGHT = "inferred_scale", "words_contradict", "raw_counts", "unlikely_scale"


class Case(NamedTuple):
    """A file, and what must become of it.

    Attributes:
        values: as they are stored.
        dtype: their type.
        right: codes of its problems, or the code of the refusal.
        scale: what it must be read with; None: whatever.
        name, header, unit, declared: of the file, its ENVI header, and what it declares.
        said: what the refusal or a problem says.
    """

    values: NDArray[np.float64]
    dtype: str
    right: Any
    scale: Optional[float] = None
    name: str = "scene"
    header: str = ""
    unit: str = ""
    declared: Optional[float] = None
    said: str = ""
    severe: Sequence[str] = ()


def envi(*given: Any, **fields: Any) -> Case:
    return Case(*given, **{"header": "\n", **fields})


CASES = {
    # declared or not
    "int16 x 10000, declared": Case(REFLECTANCE * 1e4, "int16", [], 1e-4, declared=1e-4),
    "int16 x 10000": Case(REFLECTANCE * 1e4, "int16", [GUESS], 1e-4, said="10000.*inferred: 99th"),
    "uint16 x 10000": Case(REFLECTANCE * 1e4, "uint16", [GUESS], 1e-4),
    "int32 x 10000": Case(REFLECTANCE * 1e4, "int32", [GUESS], 1e-4),
    "float x 10000": Case(REFLECTANCE * 1e4, "float32", [GUESS], 1e-4),
    "float": Case(REFLECTANCE, "float32", [GUESS], 1.0, said="floating-point values are taken"),
    "float64": Case(REFLECTANCE, "float64", [GUESS], 1.0),
    "int16 x 1000": Case(REFLECTANCE * 1e3, "int16", [GUESS], 1e-4, said="x 1000 .0.4.* as well"),
    "int16 x 1000, declared": Case(REFLECTANCE * 1e3, "int16", [], 1e-3, declared=1e-3),
    "int16 x 50000, declared": Case(REFLECTANCE * 5e4, "uint16", [], 2e-5, declared=2e-5),
    "uint16 x 50000": Case(REFLECTANCE * 5e4, "uint16", "bad_scale", said="fit neither"),
    "int16 x 100": Case(REFLECTANCE * 100, "int16", "bad_scale", said="fit neither"),
    "percent by its unit": Case(REFLECTANCE * 100, "float32", [GUESS], 1e-2, unit="%"),
    "percent by nobody": Case(REFLECTANCE * 100, "float32", "bad_scale", said="fit neither"),
    "bytes of percent x 2.5": Case(REFLECTANCE * 250, "uint8", [], 4e-3, declared=4e-3),
    "clear water": Case(WATER, "float32", [GUESS], 1.0),
    "snow on slopes": Case(snow() * 1e4, "int16", [BRIGHT], 1e-4, declared=1e-4),
    "noise inside water vapour": Case(NOISE, "float32", [GUESS], 1.0),
    "a unit of reflectance": envi(
        REFLECTANCE, "float32", [GUESS], header="data units = Reflectance"
    ),
    # radiance
    "uW/cm2/nm/sr by its size": Case(RADIANCE / 10, "float32", "bad_scale", said="bright bands"),
    "uW/cm2/nm/sr by its unit": Case(
        RADIANCE / 10, "float32", "bad_scale", unit="uW/cm^2/nm/sr", said="radiance, not refl"
    ),
    "W/m2/sr/um by its unit": Case(RADIANCE, "float32", "bad_scale", unit="W/m2/sr/um"),
    "mW without sr": Case(RADIANCE / 1e4, "float32", "bad_scale", unit="mW cm-2 um-1"),
    "W/m2/sr/nm, dark enough, by its unit": Case(
        RADIANCE / 1e3, "float32", "bad_scale", unit="W m-2 sr-1 nm-1"
    ),
    "W/m2/sr/nm by the header's unit": envi(
        RADIANCE / 1e3, "float32", "bad_scale", header="data units = W/m^2/sr/nm",
        said="header's unit",
    ),
    "W/m2/sr/nm by its description": envi(
        RADIANCE / 1e3, "float32", [GUESS, WORDS], 1.0, header="description = {At-sensor radiance}",
        said="The description says .*radiance, but the numbers look like reflectance .99th",
    ),
    "W/m2/sr/nm by its name": Case(
        RADIANCE / 1e3, "float32", [GUESS, WORDS], 1.0, name="f080611t01p00r06rdn_c",
        said="The file name says 'f080611t01p00r06rdn_c'",
    ),
    "radiance and a scale of reflectance": envi(
        RADIANCE * 100, "int16", [WORDS], 1e-4,
        header="description = {radiance x 100}\nreflectance scale factor = 10000",
    ),
    "Hyperion x 40 and x 80": envi(
        RADIANCE / 10 * FACTORS * 10, "int16", [GUESS, WORDS], 1e-4,
        header="description = {EO-1 Hyperion L1 W/(m^2 sr um), VNIR x 40, SWIR x 80}",
    ),
    "AVIRIS x 500": Case(RADIANCE / 10 * 500, "int16", [GUESS], 1e-4),
    "reflectance that keeps the words of radiance": envi(
        REFLECTANCE, "float32", [GUESS, WORDS], 1.0, name="ang20150422t163638_rfl_v1",
        header="description = {AVIRIS-NG Measured Radiances in uW nm-1 cm-2 sr-1}",
        said="The file name says 'ang20150422t163638_rfl_v1': reflectance",
    ),
    "reflectance that keeps the unit of radiance": envi(
        REFLECTANCE, "float32", [GUESS, WORDS], 1.0, name="ang20150422t163638_rfl_v1",
        header="data units = uW/cm^2/nm/sr",
    ),
    "reflectance made from radiance": envi(
        REFLECTANCE, "float32", [GUESS], 1.0, header="description = {Reflectance from radiance}"
    ),
    "the user knows": Case(RADIANCE / 1e3, "float32", None, 1.0, unit="W m-2 sr-1 nm-1"),
    # per steradian
    "Rrs by sr^-1": Case(WATER / np.pi, "float32", "bad_scale", unit="sr^-1", said="Rrs"),
    "Rrs by 1/sr": Case(WATER / np.pi, "float32", "bad_scale", unit="1/sr"),
    "Rrs by the header's unit": envi(
        WATER / np.pi, "float32", "bad_scale", header="data units = sr-1"
    ),
    "Rrs by its name": Case(
        WATER / np.pi, "float32", "bad_scale", name="lake_Rrs_2024", said="remote sensing refl"
    ),
    "Rrs by its description": envi(
        WATER / np.pi, "float32", "bad_scale", header="description = {Remote sensing reflectance}"
    ),
    "a name of Rrs, numbers of land": Case(REFLECTANCE, "float32", [GUESS, WORDS], name="a_rrs"),
    # counts
    "10 bits": Case(counts(10), "uint16", [GUESS, COUNTS], severe=[COUNTS], said="10 bits"),
    "12 bits": Case(counts(12), "uint16", [GUESS, COUNTS], severe=[COUNTS], said="exactly 4095"),
    "12 bits as float": Case(counts(12), "float32", [GUESS, COUNTS], severe=[COUNTS]),
    "14 bits": Case(counts(14), "uint16", [GUESS, BRIGHT, COUNTS], severe=[COUNTS]),
    "16 bits": Case(counts(16), "uint16", "bad_scale", said="fit neither"),
    "12 bits under a scale": Case(
        counts(12), "uint16", [COUNTS], 1e-4, declared=1e-4, said="saturates"
    ),
    "12 bits, Headwall": envi(
        counts(12), "uint16", [GUESS, COUNTS], severe=[COUNTS], name="raw_0",
        header="description = {[HEADWALL Hyperspec III]}\ndata units = DN\ntint = 8.0\nfps = 50",
    ),
    "dark counts by their unit": envi(
        counts(12) / 3, "uint16", [GUESS, COUNTS], severe=[COUNTS], header="data units = DN",
        said="the header's unit says 'DN'",
    ),
    "dark counts by name and camera": envi(
        counts(12) / 3, "uint16", [GUESS, COUNTS], severe=[COUNTS], name="raw_0",
        header="tint = 8.0\nfps = 50", said="the header says 'fps, tint'",
    ),
    "dark counts by their name": Case(counts(12) / 3, "uint16", [GUESS, WORDS], name="plot_raw"),
    "reflectance that keeps the camera": envi(
        REFLECTANCE * 1e4, "uint16", [], 1e-4, header="reflectance scale factor = 10000\ntint = 8"
    ),
}  # fmt: skip


def written(case: Case, folder: Path) -> str:
    values = case.values if case.dtype.startswith("f") else np.rint(case.values)
    data = values.astype(case.dtype)
    if case.header:
        path = make_envi(
            folder / f"{case.name}.img", data, wavelengths=NM.tolist(), header=case.header
        )
    else:
        path = make_raster(
            folder / f"{case.name}.tif", data, wavelengths=NM.tolist(), scale=case.declared,
            nodata=None, unit_type=case.unit,
        )  # fmt: skip
    return str(path)


def _codes(problems: Sequence[Any]) -> list[str]:
    """Return the codes on what the values mean."""
    return [each.code for each in problems if each.code in (GUESS, WORDS, COUNTS, BRIGHT)]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if type(case.right) is list])
def test_what_can_be_used_is_read_so_and_told(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    with open_raster(written(case, tmp_path)) as source:
        assert _codes(source.problems) == case.right
        severe = [each.code for each in source.problems if each.severity == "severe"]
        assert severe == list(case.severe)
        if case.scale is not None:
            np.testing.assert_allclose(source.bands.scale, case.scale, rtol=1e-12)
        said = "\n".join(map(str, source.problems))
        assert re.search(case.said, said), said


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if type(case.right) is str])
def test_what_is_no_reflectance_is_refused(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    with pytest.raises(HyperKDError, match=case.said or None) as caught:
        open_raster(written(case, tmp_path))
    assert caught.value.code == case.right
    assert caught.value.hint


@pytest.mark.parametrize("name", ["the user knows", "Rrs by sr^-1", "12 bits", "int16 x 10000"])
def test_who_gives_the_scale_knows(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    scale = {"Rrs by sr^-1": np.pi, "the user knows": 1.0}.get(name, 1e-4)
    with open_raster(written(case, tmp_path), scale=scale) as source:
        assert _codes(source.problems) == []
        assert (source.bands.scale == scale).all()


def test_percent_that_the_unit_states_is_a_note(tmp_path: Path) -> None:
    with open_raster(written(CASES["percent by its unit"], tmp_path)) as source:
        assert [each.severity for each in source.problems] == ["note"]


def test_a_unit_of_reflectance_makes_the_scale_a_note(tmp_path: Path) -> None:
    with open_raster(written(CASES["a unit of reflectance"], tmp_path)) as source:
        assert [each.severity for each in source.problems if each.code == GUESS] == ["note"]


def test_a_job_stops_for_counts_and_goes_on_where_they_are_accepted(tmp_path: Path) -> None:
    path, output = written(CASES["12 bits"], tmp_path), str(tmp_path / "out.tif")
    with pytest.raises(HyperKDError, match="exactly 4095") as caught:
        carry_out(AlignJob(input=path, output=output), SilentReporter())
    assert caught.value.code == "unaccepted_problem"
    accepted = AlignJob(input=path, output=output, accept=("raw_counts",))
    summary = carry_out(accepted, SilentReporter())
    assert [each["code"] for each in summary["problems"]] == [GUESS, COUNTS]
    assert {each["severity"] for each in summary["problems"]} == {"warning"}


def test_bands_of_one_number_are_bad_and_named(tmp_path: Path) -> None:
    values = REFLECTANCE.copy()
    values[VAPOUR] = -0.01
    path = written(Case(values, "float32", []), tmp_path)
    with open_raster(path) as source:
        assert (source.bands.good == ~VAPOUR).all()
        problem = next(each for each in source.problems if each.code == "constant_bands")
        assert str(problem) == (
            "One number (-0.01) in every pixel of the raster and therefore not used: "
            "bands 38-42, 56-62."
        )
        assert source.bands.origins["good"].endswith("one number in the raster: bands 38-42, 56-62")


@pytest.mark.parametrize("value", [0.0, -0.01, 1.0, 0.3])
def test_bands_of_any_one_number_are_bad_beside_a_border_of_fill(
    value: float, tmp_path: Path
) -> None:
    values = REFLECTANCE * 1e4
    values[[3, 50]] = round(value * 1e4)
    values[:, :, :5] = -9999
    path = make_raster(
        tmp_path / "a.tif", np.rint(values).astype(np.int16), wavelengths=NM.tolist(), nodata=0
    )
    with open_raster(str(path)) as source:
        assert np.flatnonzero(~source.bands.good).tolist() == [3, 50]


def test_an_image_of_one_number_keeps_its_bands(tmp_path: Path) -> None:
    data = np.full((6, 9, 9), 1200, np.int16)
    with open_raster(str(make_raster(tmp_path / "a.tif", data))) as source:
        assert source.bands.good.all()


@pytest.mark.parametrize(
    ("name", "mission", "level"),
    [
        ("DESIS-HSI-L1C-DT0000384932_009-20191007T070834-V0213-SPECTRAL_IMAGE", "DESIS", "L1C"),
        ("DESIS-HSI-L1B-DT0000384932_009-SPECTRAL_IMAGE", "DESIS", "L1B"),
        ("ENMAP01-____L1C-DT0000001867_20220627T104548Z_009-SPECTRAL_IMAGE", "ENMAP", "L1C"),
        ("ENMAP01-____L1B-DT0000001867-SPECTRAL_IMAGE_VNIR", "ENMAP", "L1B"),
        ("PRS_L1_STD_OFFL_20200101", "PRS", "L1"),
        ("EMIT_L1B_RAD_001_20230101", "EMIT", "L1B"),
        ("AV320230926t201618_005_L1B_RDN_3f4aef90_RDN", "AV3", "L1B"),
    ],
)
def test_products_below_level_2_are_refused_by_their_names(
    name: str, mission: str, level: str, tmp_path: Path
) -> None:
    path = written(Case(RADIANCE, "float32", "", name=name, declared=0.008), tmp_path)
    with pytest.raises(HyperKDError, match=f"a {mission} product of level {level}, ") as caught:
        open_raster(path)
    assert caught.value.code == "bad_product"
    with open_raster(path, scale=0.008) as source:
        assert _codes(source.problems) == []


@pytest.mark.parametrize(
    "name",
    [
        "ENMAP01-____L2A-DT0000001867_20220627T104548Z_009-SPECTRAL_IMAGE",
        "DESIS-HSI-L2A-DT0000384932_009-SPECTRAL_IMAGE",
        "EMIT_L2A_RFL_001_20230101",
        "ENMAP01-____L1C-DT0000001867_rfl",
        "ANGUS_L1_field",
        "my_L1_scene",
    ],
)
def test_other_names_are_no_product_below_level_2(name: str) -> None:
    assert level_of_product(f"/data/{name}.tif") is None


def test_a_desis_folder_of_level_1c_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    name = "DESIS-HSI-L1C-DT0000384932_009-SPECTRAL_IMAGE"
    written(Case(RADIANCE * 10, "int16", "", name=name, declared=8e-4), folder)
    with pytest.raises(HyperKDError, match="DESIS product of level L1C") as caught:
        carry_out(
            ImportJob(product=str(folder), output=str(tmp_path / "out.tif")), SilentReporter()
        )
    assert caught.value.code == "bad_product"


@pytest.mark.parametrize(
    ("unit", "kind"),
    [
        *((unit, "Rrs") for unit in ("sr^-1", "sr-1", "1/sr", "per sr", "sr**-1", "Steradian-1")),
        *((unit, "radiance") for unit in ("W/m2/sr/um", "Wm-2sr-1um-1", "µW/(cm² sr nm)")),
        *((unit, "radiance") for unit in ("mW/m2/nm", "microwatts cm-2", "W m-2 um-1", "Radiance")),
        *((unit, "counts") for unit in ("DN", "counts", "Digital Number")),
        *((unit, "reflectance") for unit in ("Reflectance", "surface reflectance x 10000")),
        *((unit, "") for unit in ("SR", "sr", "", "1", "%", "nm", "µm", "mm", "swath", "dBm", "K")),
    ],
)
def test_units(unit: str, kind: str) -> None:
    assert kind_of_unit(unit) == kind


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("f080611t01p00r06rdn_c", {"radiance"}),
        ("f080611t01p00r06rfl", {"reflectance"}),
        ("ang20200101_corr_v2p9_img", {"reflectance"}),
        ("EO-1 Hyperion L1R, W/(m^2 sr um)", {"radiance"}),
        ("Level 1 at-sensor", {"radiance"}),
        ("Rrs_442", {"Rrs"}),
        ("hyspex_rad_ref", {"radiance", "reflectance"}),
        ("scene_DN", {"counts"}),
        *((text, set()) for text in ("strawberry", "gradient", "paradise", "country", "tower")),
        *(
            (text, set())
            for text in ("enmap_potsdam_tile_128_0", "Reflexion", "prrst", "LC08_L1TP")
        ),
    ],
)
def test_words(text: str, kinds: set[str]) -> None:
    assert kinds_of_text(text) == kinds
