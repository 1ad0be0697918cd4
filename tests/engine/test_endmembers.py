"""Measured spectra, snow, clouds, and endmembers with what is true of them."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

pytest.importorskip("prosail")
pytest.importorskip("scipy")

from hyperkd.spectral.sensors import sensor_bands  # noqa: E402
from hyperkd.synth.endmembers import (  # noqa: E402
    BUILT,
    CLOUD,
    COVER_NAMES,
    HERB,
    SNOW,
    SOIL,
    TRAIT_NAMES,
    TREES,
    WATER,
    Endmembers,
    draw_endmembers,
)
from hyperkd.synth.measured_spectra import measured_spectra  # noqa: E402
from hyperkd.synth.physics_spectra import WAVELENGTH_NM  # noqa: E402
from hyperkd.synth.sensor import fine_responses  # noqa: E402
from hyperkd.synth.snow_and_cloud_spectra import (  # noqa: E402
    below_cloud,
    cloud_spectrum,
    ice_absorption_per_m,
    snow_spectrum,
)

BANDS = sensor_bands("enmap")


def at(*wavelengths_nm: float) -> list[int]:
    return [int(np.abs(WAVELENGTH_NM - value).argmin()) for value in wavelengths_nm]


@pytest.fixture(scope="module")
def drawn() -> Endmembers:
    return draw_endmembers(range(4), fine_responses(BANDS))


def test_measured_spectra_are_reflectance_of_their_kind() -> None:
    found = measured_spectra()
    assert {name: len(spectra) for name, spectra in found.items()} == {
        "burned": 21,
        "dry vegetation": 85,
        "pavement": 393,
        "rock": 34,
        "roof": 454,
        "soil": 700,
    }
    for spectra in found.values():
        assert spectra.shape[1] == WAVELENGTH_NM.size
        assert 0 <= spectra.min() and spectra.max() <= 1.2
    # Char is dark in the visible; dry plants absorb by cellulose at 2100 nm, soils do not.
    visible = {name: np.median(spectra[:, at(550)]) for name, spectra in found.items()}
    assert min(visible, key=visible.__getitem__) == "burned"
    depth = {
        name: np.median(spectra[:, at(2100)] / spectra[:, at(2030, 2210)].mean(1, keepdims=True))
        for name, spectra in found.items()
    }
    assert depth["dry vegetation"] < depth["soil"]


def test_the_licence_goes_with_the_spectra() -> None:
    path = resources.files("hyperkd.synth") / "measured_spectra.npz"
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        text = str(stored["licence"])
    assert text.startswith("MIT License") and "Christopher Anderson" in text


def test_ice_absorbs_as_published() -> None:
    """4 pi k / wavelength at points of Warren and Brandt (2008)."""
    np.testing.assert_allclose(
        ice_absorption_per_m()[at(1030, 1310, 2000)],
        4 * np.pi * np.array([2.330e-6, 1.310e-5, 1.640e-3]) / [1.03e-6, 1.31e-6, 2.0e-6],
        rtol=1e-9,
    )


def test_snow_is_white_where_ice_is_clear_and_darkens_with_its_grains() -> None:
    fresh, old = snow_spectrum(0.1), snow_spectrum(1.0)
    assert fresh[at(450)] > 0.98 and (old < fresh).all()
    # exp(-3.62 sqrt(absorption x diameter)), by hand at 1030 nm.
    expected = np.exp(-3.62 * np.sqrt(4 * np.pi * 2.33e-6 / 1.03e-6 * 1e-3))
    np.testing.assert_allclose(old[at(1030)], expected, rtol=1e-9)
    dirty = snow_spectrum(1.0, impurity=50.0)
    assert dirty[at(450)] < old[at(450)] - 0.3
    np.testing.assert_allclose(dirty[at(2000)], old[at(2000)], rtol=0.05, atol=1e-4)


@pytest.mark.parametrize("phase", ["water", "ice"])
def test_clouds_brighten_with_thickness_and_hide_the_ground(phase: str) -> None:
    thin, thick = (cloud_spectrum(value, 12.0, phase) for value in (2.0, 40.0))
    assert (thin < thick).all() and thick[at(550)] > 0.75
    dark, bright = np.full(WAVELENGTH_NM.size, 0.05), np.full(WAVELENGTH_NM.size, 0.6)
    gap = [
        float(
            (below_cloud(bright, value, 12.0, phase) - below_cloud(dark, value, 12.0, phase)).max()
        )
        for value in (2.0, 10.0, 40.0)
    ]
    assert gap[0] > gap[1] > gap[2] > 0
    # Over black ground a cloud is its own reflectance.
    black = np.zeros(WAVELENGTH_NM.size)
    np.testing.assert_allclose(
        below_cloud(black, 5.0, 12.0, phase), cloud_spectrum(5.0, 12.0, phase)
    )


def test_endmembers_are_reflectance_of_every_cover(drawn: Endmembers) -> None:
    assert drawn.spectra.dtype == np.float32
    assert drawn.spectra.shape == (len(drawn.cover), len(BANDS))
    assert np.isfinite(drawn.spectra).all()
    assert 0 <= drawn.spectra.min() and drawn.spectra.max() < 1.3
    for scene in range(4):
        assert set(drawn.cover[drawn.scene == scene]) == set(range(len(COVER_NAMES)))


def test_traits_stand_where_a_cover_has_them(drawn: Endmembers) -> None:
    known = {
        name: set(drawn.cover[np.isfinite(column)])
        for name, column in zip(TRAIT_NAMES, drawn.traits.T)
    }
    assert known["lai"] >= {HERB, TREES}
    assert not known["lai"] & {BUILT, SOIL, WATER, SNOW, CLOUD}
    assert known["water_chlorophyll"] == known["suspended_matter"] == {WATER}
    assert SOIL in known["soil_moisture"]


def test_covers_look_as_they_do(drawn: Endmembers) -> None:
    """Medians: plants have a red edge, water is dark in the infrared, snow in the SWIR."""
    centre = BANDS.wavelengths.centre_nm
    red, near, short = (int(np.abs(centre - value).argmin()) for value in (665, 860, 1650))
    middle = np.stack(
        [np.median(drawn.spectra[drawn.cover == cover], 0) for cover in range(len(COVER_NAMES))]
    )
    index = (middle[:, near] - middle[:, red]) / (middle[:, near] + middle[:, red])
    assert index[HERB] > 0.5 and index[TREES] > 0.5
    assert max(index[BUILT], index[SOIL]) < 0.4
    assert middle[WATER, short] < 0.05
    assert middle[SNOW, short] < 0.25 * middle[SNOW, red]
    assert middle[CLOUD, short] > 0.25


def test_seeds_are_repeated_and_differ(drawn: Endmembers) -> None:
    responses = fine_responses(BANDS)
    again, other = draw_endmembers([2], responses), draw_endmembers([9], responses)
    np.testing.assert_array_equal(again.spectra, drawn.spectra[drawn.scene == 2])
    assert not np.array_equal(again.spectra, other.spectra)
