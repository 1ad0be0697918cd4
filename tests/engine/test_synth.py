from __future__ import annotations

import hashlib
import json
import sys

import numpy as np
import pytest

pytest.importorskip("prosail", reason="the simulation of scenes needs the extra synth")

from hyperkd.errors import HyperKDError
from hyperkd.requests.prepare_options import SynthJob
from hyperkd.spectral.sensors import sensor_bands
from hyperkd.synth import covers as cover
from hyperkd.synth import metamers
from hyperkd.synth.landscape import Ground, Landscape
from hyperkd.synth.mixing import MARGIN, OVERSAMPLING, POINT_SPREAD, TRAITS, dominant, mix, points
from hyperkd.synth.physics_spectra import (
    WAVELENGTH_NM,
    Built,
    Canopy,
    Geometry,
    Soil,
    WaterBody,
    built_spectrum,
    canopy_spectra,
    soil_spectrum,
    water_spectrum,
)
from hyperkd.synth.random_fields import Field, bricks, derive, normal, uniform, voronoi
from hyperkd.synth.scene import SimulatedScene, synth, truth_paths
from hyperkd.synth.scene_draw import draw_scene
from hyperkd.synth.sensor import NODATA, fine_responses, make_sensor
from hyperkd.synth.surface_spectra import SpectralLibrary  # noqa: E402
from hyperkd.types import Window

SOIL = Soil(brightness=0.8, organic=0.3, iron=0.2, clay=0.1, carbonate=0.05)
TRAIT_NAMES = [trait.name for trait in TRAITS] + ["illumination"]


class Report:
    """Remembers what it is told and cancels at the given check."""

    def __init__(self, cancel_at: int = -1) -> None:
        self.checks, self.cancel_at = 0, cancel_at
        self.artifacts, self.done = [], []

    def stage(self, name): ...

    def metric(self, step, values): ...

    def log(self, level, message): ...

    def problem(self, problem, scene): ...

    def progress(self, done, total, unit):
        self.done.append(done / total)

    def artifact(self, role, path):
        self.artifacts.append((role, path))

    def check_cancelled(self):
        self.checks += 1
        if self.checks == self.cancel_at:
            raise HyperKDError("cancelled", "The job was cancelled.")


@pytest.fixture(scope="module")
def scene():
    return SimulatedScene(160, 150, seed=5, border=0.1)


@pytest.fixture(scope="module")
def layers(scene):
    return scene.render(scene.grid.window)


def uniform_ground(index, states, pixels=2, light=1.0):
    """Ground that is the same at every point of ``pixels`` squared pixels."""
    shape = (OVERSAMPLING * pixels + 2 * MARGIN,) * 2
    values = {name: nodes[0] for name, nodes in cover.NODES.items()} | states
    return Ground(
        np.full(shape, index, np.uint8),
        {name: np.full(shape, value, np.float32) for name, value in values.items()},
        np.full(shape, light, np.float32),
    )


def digest(layers):
    hasher = hashlib.sha256()
    for values in (layers.scene, layers.classes, layers.abundances, layers.traits):
        hasher.update(np.ascontiguousarray(values).tobytes())
    return hasher.hexdigest()


# --- random fields -------------------------------------------------------------------


def test_hash_is_uniform_and_its_streams_are_independent():
    keys = derive(3, np.arange(200_000))
    first, second = uniform(keys, 0), uniform(keys, 1)
    assert 0 <= first.min() and first.max() < 1
    counts, _ = np.histogram(first, bins=50, range=(0, 1))
    assert np.abs(counts / 4000 - 1).max() < 0.07
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01
    gaussian = normal(keys)
    assert abs(gaussian.mean()) < 0.01
    assert abs(gaussian.std() - 1) < 0.01


def test_neighbouring_seeds_give_unrelated_fields():
    rows = np.arange(0, 4000, 20.0)
    first, second = (Field(int(derive(seed, 0)[0]), 10)(rows, rows) for seed in (1, 2))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03


def test_field_has_zero_mean_and_unit_variance_at_every_phase_of_its_lattice():
    field = Field(7, spacing_px=8, octaves=2)
    for phase in (0.0, 2.0, 4.5):
        values = field(phase + 32 * np.arange(120), phase + 32 * np.arange(120))
        assert abs(values.mean()) < 0.04
        assert abs(values.std() - 1) < 0.03


def test_field_is_smooth_and_the_same_in_any_window():
    field = Field(11, spacing_px=12, octaves=3)
    rows, cols = np.arange(-20, 60) / 3, np.arange(0, 90) / 3
    whole = field(rows, cols)
    assert np.array_equal(whole[17:40, 30:80], field(rows[17:40], cols[30:80]))
    assert np.abs(np.diff(whole, axis=0)).max() < 0.5


def test_voronoi_cells_contain_their_neighbourhood_up_to_the_edge_distance():
    rows, cols = (axis.ravel() for axis in np.mgrid[0:40:0.5, 0:40:0.5])
    cell, edge = voronoi(5, rows, cols, spacing_px=9)
    inside = edge > 0.3
    for step in ((0.2, 0), (-0.2, 0), (0, 0.2), (0, -0.2)):
        moved, _ = voronoi(5, rows + step[0], cols + step[1], spacing_px=9)
        assert np.array_equal(moved[inside], cell[inside])
    assert 12 < len(np.unique(cell)) < 45


def test_bricks_are_rectangles_of_the_requested_size():
    rows, cols = np.mgrid[0:300, 0:300].astype(float)
    region = np.full(rows.shape, derive(4, 2)[0])
    parcel, edge = bricks(region, rows, cols, (6, 6), (20, 20))
    _, areas = np.unique(parcel, return_counts=True)
    assert np.median(areas) == pytest.approx(120, rel=0.05)
    assert edge.min() >= 0
    assert edge.max() == pytest.approx(3, abs=0.05)


# --- spectra -------------------------------------------------------------------------


def test_canopy_equals_prosail_run_for_the_same_soil():
    import prosail

    canopy = Canopy(1.6, 0.2, 0.5, 0.1, 0.006, 55.0, 0.1)
    soils = np.stack([soil_spectrum(SOIL, moisture) for moisture in (0.05, 0.3)])
    ours = canopy_spectra(canopy, np.array([0.4, 3.0]), 40.0, 0.012, soils, Geometry(35, 8, 60))
    for i, lai in enumerate((0.4, 3.0)):
        for j, soil in enumerate(soils):
            theirs = prosail.run_prosail(
                1.6, 40.0, 1.5 + 0.2 * 40, 0.1, 0.012, 0.006, lai, 55.0, 0.1, 35, 8, 60,
                ant=0.5, prospect_version="D", rsoil0=soil,
            )  # fmt: skip
            np.testing.assert_allclose(ours[i, j], theirs, rtol=1e-9)


def test_canopy_without_leaves_is_its_soil():
    soil = soil_spectrum(SOIL, 0.1)
    canopy = Canopy(1.6, 0.2, 0.5, 0.1, 0.006, 55.0, 0.1)
    bare = canopy_spectra(canopy, np.array([0.0]), 40.0, 0.012, soil[None], Geometry(35, 8, 60))
    np.testing.assert_allclose(bare[0, 0], soil, atol=1e-12)


def test_wet_soil_is_darker_everywhere_and_most_where_water_absorbs():
    dry, moist, wet = (soil_spectrum(SOIL, value) for value in (0.0, 0.15, 0.4))
    assert (moist < dry).all()
    assert (wet < moist).all()
    ratio = wet / dry
    at = {nm: ratio[nm - 400] for nm in (1300, 1450, 1650, 1940, 2200)}
    assert at[1450] < at[1300]
    assert at[1940] < at[1650]
    assert at[1940] < at[2200]


def test_organic_iron_clay_and_carbonate_act_where_they_absorb():
    plain = soil_spectrum(Soil(0.8, 0, 0, 0, 0), 0.0)
    for soil, peak_nm in (
        (Soil(0.8, 0, 0.3, 0, 0), 500),
        (Soil(0.8, 0, 0, 0.2, 0), 2205),
        (Soil(0.8, 0, 0, 0, 0.2), 2340),
    ):
        depth = -np.log(soil_spectrum(soil, 0.0) / plain)
        assert WAVELENGTH_NM[depth.argmax()] == peak_nm
    organic = -np.log(soil_spectrum(Soil(0.8, 0.4, 0, 0, 0), 0.0) / plain)
    assert (np.diff(organic) < 0).all()


def test_pure_water_is_dark_beyond_900_nm_and_sediment_brightens_it():
    water = WaterBody(dissolved=0.2, slope=0.014, glint=0.0, backscatter=0.01)
    clear, turbid = water_spectrum(water, 1.0, 0.2), water_spectrum(water, 1.0, 20.0)
    assert clear[900 - 400 :].max() < 0.001
    assert (turbid > clear)[: 900 - 400].all()
    green = water_spectrum(water, 30.0, 2.0)
    assert green[440 - 400] < green[560 - 400] > green[675 - 400] < green[705 - 400]


def test_built_features_lie_at_their_wavelengths():
    flat = (0.3, 0.3, 0.3, 0.3)
    assert np.ptp(built_spectrum(Built(flat))) < 1e-12
    hydrocarbon = built_spectrum(Built(flat, hydrocarbon=0.2))
    assert WAVELENGTH_NM[hydrocarbon.argmin()] == 2310
    assert hydrocarbon[1725 - 400] == pytest.approx(0.3 * np.exp(-0.12), rel=1e-3)
    tile = built_spectrum(Built(flat, iron=1.0))
    assert tile[450 - 400] < 0.4 * tile[700 - 400]


def test_missing_prosail_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "prosail", None)
    with pytest.raises(HyperKDError, match="needs the package prosail") as caught:
        SimulatedScene(16, 16, 0, 0.0)
    assert caught.value.code == "missing_dependency"
    assert "hyperkd[synth]" in caught.value.hint


# --- look-up tables and mixing -------------------------------------------------------


@pytest.mark.parametrize("index", [cover.CEREAL, cover.NEEDLELEAF])
def test_pure_pixel_at_a_node_is_prosail_through_the_responses(scene, index):
    states = {"lai": 2.6, "leaf_chlorophyll": 32.0, "leaf_water": 0.012, "soil_moisture": 0.2}
    pixels = mix(uniform_ground(index, states), scene.library)
    soil = soil_spectrum(scene.draw.soils[1], 0.2)
    direct = canopy_spectra(
        scene.draw.canopies[index], np.array([2.6]), 32.0, 0.012, soil[None], scene.draw.geometry
    )[0, 0]
    expected = fine_responses(scene.bands) @ direct
    for row, col in np.ndindex(2, 2):
        np.testing.assert_allclose(pixels.reflectance[:, row, col], expected, atol=2e-6)
    assert pixels.abundances[index] == pytest.approx(1, abs=1e-6)
    expected_traits = [*states.values(), np.nan, np.nan, 1.0]
    np.testing.assert_allclose(pixels.traits[:, 0, 0], expected_traits, rtol=1e-6)


def test_interpolation_stays_close_to_prosail_between_the_nodes(scene):
    random = np.random.default_rng(0)
    errors = []
    for _ in range(40):
        states = {
            "lai": random.uniform(0.1, 7),
            "leaf_chlorophyll": random.uniform(4, 65),
            "leaf_water": random.uniform(0.003, 0.03),
            "soil_moisture": random.uniform(0.05, 0.4),
        }
        ours = mix(uniform_ground(cover.MAIZE, states, pixels=1), scene.library)
        soil = soil_spectrum(scene.draw.soils[1], states["soil_moisture"])
        direct = canopy_spectra(
            scene.draw.canopies[cover.MAIZE], np.array([states["lai"]]),
            states["leaf_chlorophyll"], states["leaf_water"], soil[None], scene.draw.geometry,
        )[0, 0]  # fmt: skip
        errors.append(ours.reflectance[:, 0, 0] - fine_responses(scene.bands) @ direct)
    absolute = np.abs(errors)
    assert np.median(absolute) < 0.0015
    assert absolute.max() < 0.015


def test_vegetation_index_and_near_infrared_grow_with_leaf_area(scene):
    centre = scene.bands.wavelengths.centre_nm
    red, infrared = (np.abs(centre - nm).argmin() for nm in (665, 865))
    spectra = []
    for lai in np.linspace(0.1, 7.5, 30):
        states = {"lai": lai, "leaf_chlorophyll": 40.0, "leaf_water": 0.01, "soil_moisture": 0.2}
        spectra.append(mix(uniform_ground(cover.ROOT, states, 1), scene.library).reflectance)
    values = np.array(spectra)[:, :, 0, 0]
    assert (np.diff(values[:, infrared]) > 0).all()
    index = (values[:, infrared] - values[:, red]) / (values[:, infrared] + values[:, red])
    assert (np.diff(index) > 0).all()


def test_two_covers_mix_by_the_point_spread_and_linearly(scene):
    ground = uniform_ground(cover.WATER, {"water_chlorophyll": 6.0, "suspended_matter": 3.0}, 2)
    right = uniform_ground(cover.SOIL, {"soil_moisture": 0.1, "variant": 1.0}, 2)
    edge = MARGIN + OVERSAMPLING  # the border between the two pixels
    for target, source in ((ground.cover, right.cover), *(
        (ground.states[name], right.states[name]) for name in ground.states
    )):  # fmt: skip
        target[:, edge:] = source[:, edge:]
    pixels = mix(ground, scene.library)
    spill = POINT_SPREAD[-MARGIN:].sum()
    assert spill == pytest.approx(1 / 9)
    np.testing.assert_allclose(pixels.abundances[cover.WATER], [[8 / 9, 1 / 9]] * 2, rtol=1e-6)
    np.testing.assert_allclose(pixels.abundances[cover.SOIL], [[1 / 9, 8 / 9]] * 2, rtol=1e-6)
    water, soil = (
        mix(uniform_ground(index, states, 1), scene.library).reflectance[:, 0, 0]
        for index, states in (
            (cover.WATER, {"water_chlorophyll": 6.0, "suspended_matter": 3.0}),
            (cover.SOIL, {"soil_moisture": 0.1, "variant": 1.0}),
        )
    )
    expected = 8 / 9 * water + 1 / 9 * soil
    np.testing.assert_allclose(pixels.reflectance[:, 0, 0], expected, rtol=1e-5)
    # A trait is the mean over the covers that have it, and unknown where they are rare.
    moisture = pixels.traits[TRAIT_NAMES.index("soil_moisture")]
    np.testing.assert_allclose(moisture, [[0.1, 0.1]] * 2, rtol=1e-6)
    assert np.isnan(pixels.traits[TRAIT_NAMES.index("lai")]).all()


def test_illumination_scales_the_reflectance(scene):
    states = {"variant": 2.0}
    flat = mix(uniform_ground(cover.ASPHALT, states), scene.library)
    slope = mix(uniform_ground(cover.ASPHALT, states, light=1.2), scene.library)
    np.testing.assert_allclose(slope.reflectance, 1.2 * flat.reflectance, rtol=1e-5)
    np.testing.assert_allclose(slope.traits[-1], 1.2, rtol=1e-6)
    np.testing.assert_allclose(slope.abundances, flat.abundances)


def test_points_of_neighbouring_blocks_are_the_same_positions():
    whole = points(0, 10)
    np.testing.assert_array_equal(points(4, 3), whole[12 : 12 + 11])
    # The middle point of each pixel lies in its centre.
    np.testing.assert_allclose(whole[MARGIN + 1 :: OVERSAMPLING][:10], np.arange(10) + 0.5)


# --- landscape -----------------------------------------------------------------------


def test_landscape_reaches_the_shares_that_were_drawn():
    shares = []
    for seed in range(6):
        draw = draw_scene(seed)
        positions = np.arange(0, 1500, 7.3)
        ground = Landscape(draw, seed)(positions, positions)
        built = np.isin(ground.cover, (cover.TILE, cover.FLAT, cover.CONCRETE)).mean()
        water = (ground.cover == cover.WATER).mean()
        assert draw.shares["water"] * 0.5 < water < draw.shares["water"] * 1.5 + 0.03
        shares.append((draw.shares["settlement"], built))
    assert np.corrcoef(np.array(shares).T)[0, 1] > 0.8


def test_states_lie_within_the_tables_and_the_light_within_its_bounds():
    draw = draw_scene(3)
    positions = points(0, 100)
    ground = Landscape(draw, 3)(positions, positions)
    for name, values in ground.states.items():
        assert cover.NODES[name][0] <= values.min(), name
        assert values.max() <= np.float32(cover.NODES[name][-1]), name
    light = ground.illumination
    assert np.float32(0.7) <= light.min() < light.max() <= np.float32(1.3)
    assert ground.illumination.dtype == np.float32


def test_seeds_draw_different_endmembers():
    first, second = (
        SpectralLibrary(draw_scene(seed), fine_responses(sensor_bands("enmap"))) for seed in (0, 1)
    )
    for index, name in enumerate(cover.NAMES):
        rows = slice(first.first[index], first.first[index + 1])
        difference = np.abs(first.nodes[rows] - second.nodes[rows]).max()
        assert difference > 0.005, name


# --- the sensor ----------------------------------------------------------------------


def test_noise_has_the_specified_level_in_every_band(scene):
    sensor = scene.sensor
    for level in (0.05, 0.4):
        reflectance = np.full((224, 80, 80), level, np.float32)
        signal = sensor.measure(reflectance)
        numbers = sensor.digitise(signal, np.random.default_rng(1))
        residual = (numbers * 1e-4 - signal)[sensor.bands.good].reshape(218, -1)
        expected = np.sqrt(sensor.noise_at(signal)[sensor.bands.good, 0, 0] ** 2 + 1e-8 / 12)
        np.testing.assert_allclose(residual.std(axis=1), expected, rtol=0.05)
        assert np.abs(residual.mean(axis=1) / expected).max() < 0.06


def test_signal_to_noise_matches_the_real_scene_where_it_was_measured(scene):
    centre = scene.bands.wavelengths.centre_nm
    snr = 0.3 / scene.sensor.noise
    for nm, low, high in ((560, 450, 550), (650, 500, 600), (1050, 550, 700), (1600, 380, 500),
                          (2200, 220, 300), (2350, 120, 180), (1939.4, 0, 20)):  # fmt: skip
        assert low < snr[np.abs(centre - nm).argmin()] < high, nm


def test_detectors_disagree_at_the_seam():
    bands = sensor_bands("enmap")
    vnir = np.array([name.startswith("VNIR") for name in bands.names])
    centre = bands.wavelengths.centre_nm
    last_vnir = np.flatnonzero(vnir & (np.abs(centre - 993.1) < 0.3))[0]
    swir = np.flatnonzero(~vnir & (np.abs(centre - 993.5) < 0.3))[0]
    ratios = [
        sensor.gain[last_vnir] / sensor.gain[swir]
        for sensor in (make_sensor(bands, seed) for seed in range(20))
    ]
    assert 0.88 < min(ratios) < max(ratios) < 0.99


def test_bad_bands_hold_no_data_and_negative_reflectance_is_kept(scene):
    signal = np.full((224, 4, 4), -0.02, np.float32)
    numbers = scene.sensor.digitise(signal, np.random.default_rng(0))
    bad = np.flatnonzero((numbers == NODATA).all(axis=(1, 2)))
    assert list(bad + 1) == [130, 131, 132, 133, 134, 135]
    good = numbers[scene.bands.good]
    assert (good > NODATA).all()
    assert good.mean() == pytest.approx(-200, abs=5)
    assert numbers.dtype == np.int16


def test_bright_signals_saturate_instead_of_wrapping(scene):
    numbers = scene.sensor.digitise(np.full((224, 2, 2), 9.0, np.float32), np.random.default_rng(0))
    assert (numbers[scene.bands.good] == 32767).all()


# --- the scene -----------------------------------------------------------------------


def test_abundances_sum_to_one_and_the_class_is_the_largest(scene, layers):
    inside = scene.footprint(scene.grid.window)
    total = layers.abundances.sum(axis=0)
    np.testing.assert_allclose(total[inside], 1, atol=1e-5)
    assert np.isnan(total[~inside]).all()
    assert np.array_equal(layers.classes[0][inside], dominant(layers.abundances[:, inside]))
    assert (layers.classes[0][~inside] == 0).all()
    assert len(np.unique(layers.classes)) > 8


def test_traits_are_known_exactly_where_their_covers_are(scene, layers):
    inside = scene.footprint(scene.grid.window)
    kinds = np.array([item.kind for item in cover.COVERS])
    for trait, values in zip(TRAITS, layers.traits):
        share = layers.abundances[np.isin(kinds, trait.kinds)].sum(axis=0)
        known = np.isfinite(values)
        assert not known[~inside].any()
        assert known[inside & (share > 0.1001)].all(), trait.name
        assert not known[inside & (share < 0.0999)].any(), trait.name
        first, last = cover.NODES[trait.name][0], cover.NODES[trait.name][-1]
        assert ((first * 0.9999 <= values[known]) & (values[known] <= last * 1.0001)).all()


def test_border_is_the_same_in_every_good_band(scene, layers):
    inside = scene.footprint(scene.grid.window)
    filled = layers.scene[scene.bands.good] != NODATA
    assert (filled == inside).all()


@pytest.mark.parametrize("border", [0.0, 0.05, 0.24, 0.5])
@pytest.mark.parametrize(("width", "height"), [(200, 200), (90, 310)])
def test_footprint_leaves_the_requested_share_without_data(width, height, border, scene):
    other = object.__new__(SimulatedScene)
    other.width, other.height, other.border = width, height, border
    outside = ~other.footprint(Window(0, 0, width, height))
    assert outside.mean() == pytest.approx(border, abs=0.006)
    # Centres that lie exactly on a side may fall on either side of it by rounding.
    assert (outside != outside[::-1, ::-1]).mean() < 0.006
    corners = outside[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.all() == (border > 0)


def test_scene_is_the_same_in_any_order_of_windows_and_on_every_run(scene, layers):
    again = SimulatedScene(160, 150, seed=5, border=0.1)
    lower = again.render(Window(128, 128, 32, 22))
    upper = again.render(Window(0, 0, 128, 128))
    assert np.array_equal(lower.scene, layers.scene[:, 128:, 128:])
    assert np.array_equal(upper.scene, layers.scene[:, :128, :128])
    assert np.array_equal(lower.traits, layers.traits[:, 128:, 128:], equal_nan=True)
    assert digest(again.render(again.grid.window)) == digest(layers)


def test_another_seed_is_another_scene(scene, layers):
    other = SimulatedScene(160, 150, seed=6, border=0.1)
    assert digest(other.render(other.grid.window)) != digest(layers)
    assert other.grid.geotransform != scene.grid.geotransform


def test_leaf_area_can_be_read_from_the_simulated_spectra(scene, layers):
    """A scene whose spectra and truth did not belong together would fail here."""
    pure = (layers.abundances[:5].sum(axis=0) > 0.95) & np.isfinite(layers.traits[0])
    spectra = layers.scene[scene.bands.good][:, pure] / 1e4 / layers.traits[-1][pure]
    design = np.concatenate([spectra, np.ones((1, spectra.shape[1]))])
    lai = np.log(layers.traits[0][pure])
    train = np.arange(lai.size) % 2 == 0
    ridge = 1e-3 * np.eye(len(design))
    gram = design[:, train] @ design[:, train].T + ridge
    fit = np.linalg.solve(gram, design[:, train] @ lai[train])
    predicted = fit @ design[:, ~train]
    assert np.corrcoef(predicted, lai[~train])[0, 1] ** 2 > 0.8


@pytest.fixture(scope="module")
def many_spectra():
    """Return the bands of a scene and its pixels, ``(band, pixel)``."""
    scene = SimulatedScene(96, 96, 1, border=0.0)
    return scene.bands, scene.render(scene.grid.window).scene.reshape(224, -1)


def test_land_pixels_have_a_close_simulated_neighbour(potsdam, many_spectra):
    """Each labelled pixel of EnMAP tiles, but water, which is black in the real ones."""
    gdal = pytest.importorskip("osgeo.gdal")
    pixels, labels = [], []
    for path in potsdam.images:
        for collect, dataset in (
            (pixels, gdal.Open(str(path))),
            (labels, gdal.Open(str(path.parents[1] / "labels" / path.name))),
        ):
            values = np.frombuffer(dataset.ReadRaster(), np.float32)
            collect.append(values.reshape(dataset.RasterCount, -1))
            bands = [dataset.GetRasterBand(i + 1) for i in range(dataset.RasterCount)]
            if collect is pixels:
                order = np.argsort([float(band.GetMetadataItem("wavelength")) for band in bands])
    real, label = np.concatenate(pixels, axis=1)[order], np.concatenate(labels, axis=1)[0]

    table, simulated = many_spectra
    centre = table.wavelengths.centre_nm
    # The first bands after the water vapour gap are noise in the real scene too.
    use = table.good & ~((centre > 1900) & (centre < 1965))
    ours = simulated[use].astype(np.float32)
    ours /= np.linalg.norm(ours, axis=0)
    for value in (1, 2, 3, 4, 5):  # roof, pavement, low vegetation, tree, soil
        spectra = real[use][:, label == value][:, ::8]
        cosine = (spectra / np.linalg.norm(spectra, axis=0)).T @ ours
        angle_deg = np.degrees(np.arccos(np.clip(cosine.max(axis=1), -1, 1)))
        assert np.median(angle_deg) < 4, value


# --- metamers ------------------------------------------------------------------------


def six_bands(bands):
    centre = bands.wavelengths.centre_nm
    ranges = ((450, 510), (530, 590), (640, 670), (850, 880), (1570, 1650), (2110, 2290))
    rows = [(low <= centre) & (centre <= high) & bands.good for low, high in ranges]
    return np.array([row / row.sum() for row in rows])


def test_hidden_signal_lies_in_the_null_space_and_is_not_zero():
    bands = sensor_bands("enmap")
    shape = metamers.absorption(bands.wavelengths, 2200, 60)
    assert shape.min() == pytest.approx(-1, abs=0.01)
    assert WAVELENGTH_NM[0] < bands.wavelengths.centre_nm[shape.argmin()] < 2210
    hidden = metamers.hide(shape, six_bands(bands))
    np.testing.assert_allclose(six_bands(bands) @ hidden, 0, atol=1e-15)
    assert np.abs(hidden).max() > 0.5
    red_edge = metamers.absorption(bands.wavelengths, 705, 20)
    np.testing.assert_allclose(metamers.hide(red_edge, six_bands(bands)), red_edge, atol=1e-3)


def test_broad_bands_cannot_see_the_hidden_signal_of_a_scene(scene, layers):
    broad = six_bands(scene.bands)
    hidden = 0.03 * metamers.hide(metamers.absorption(scene.bands.wavelengths, 2200, 60), broad)
    marked_scene = SimulatedScene(160, 150, seed=5, border=0.1, hidden=hidden)
    window = Window(0, 0, 128, 128)
    marked, plain = marked_scene.render(window).scene, layers.scene[:, :128, :128]
    inside = scene.footprint(window)
    difference = (marked.astype(float) - plain)[:, inside]
    assert np.abs(broad @ difference).max() < 1  # rounding to digital numbers alone
    share = marked_scene.hidden_share(window)[inside]
    assert 0 < share.min() < 0.2 < 0.8 < share.max() < 1
    expected = 1e4 * hidden[:, None] * share
    good = scene.bands.good
    np.testing.assert_allclose(difference[good], expected[good], atol=1.01)


# --- the job -------------------------------------------------------------------------


@pytest.fixture
def prepared(scene, monkeypatch):
    """Spares the jobs of this scene's seed its most expensive part."""
    monkeypatch.setattr("hyperkd.synth.scene.SpectralLibrary", lambda *_: scene.library)


def run(tmp_path, report=None, **changes):
    job = {"width": 70, "height": 40, "seed": 5, "border": 0.1, "truth": True}
    output = str(tmp_path / "scene.tif")
    return synth(SynthJob(output=output, **{**job, **changes}), report or Report())


def test_job_writes_the_scene_and_its_truth(tmp_path, prepared):
    gdal = pytest.importorskip("osgeo.gdal")
    report = Report()
    summary = run(tmp_path, report)
    expected = {"output": str(tmp_path / "scene.tif"), **truth_paths(str(tmp_path / "scene.tif"))}
    assert dict(report.artifacts) == expected
    assert {role: summary[role] for role in expected} == expected
    assert report.done == sorted(report.done)
    assert report.done[-1] == 1

    opened = {role: gdal.Open(path) for role, path in expected.items()}
    arrays = {
        role: np.frombuffer(dataset.ReadRaster(buf_type=gdal.GDT_Float64), np.float64).reshape(
            dataset.RasterCount, 40, 70
        )
        for role, dataset in opened.items()
    }
    scene = SimulatedScene(70, 40, seed=5, border=0.1)
    layers = scene.render(scene.grid.window)
    np.testing.assert_array_equal(arrays["output"], layers.scene)
    np.testing.assert_array_equal(arrays["classes"], layers.classes)
    np.testing.assert_array_equal(arrays["abundances"], layers.abundances)
    np.testing.assert_array_equal(arrays["traits"], layers.traits)

    dataset = opened["output"]
    assert dataset.RasterCount == 224
    assert dataset.GetRasterBand(1).DataType == gdal.GDT_Int16
    assert dataset.GetSpatialRef().GetAuthorityCode(None).startswith("326")
    assert {other.GetGeoTransform() for other in opened.values()} == {scene.grid.geotransform}
    for number in range(1, 225):
        band = dataset.GetRasterBand(number)
        items = band.GetMetadata()
        assert items["bbl"] == ("0" if 130 <= number <= 135 else "1")
        centre = scene.bands.wavelengths.centre_nm[number - 1]
        assert float(items["wavelength"]) == pytest.approx(centre, abs=1e-3)
        assert (band.GetScale(), band.GetNoDataValue()) == (1e-4, NODATA)
    about = {
        role: json.loads(other.GetMetadataItem("hyperkd_synth")) for role, other in opened.items()
    }
    assert {values["seed"] for values in about.values()} == {5}
    assert about["output"]["geometry"]["sun_zenith_deg"] == scene.draw.geometry.sun_zenith_deg
    units = {
        name: opened["traits"].GetRasterBand(index + 1).GetUnitType()
        for index, name in enumerate(TRAIT_NAMES)
    }
    assert units["leaf_chlorophyll"] == "ug/cm2"
    classes = opened["classes"].GetRasterBand(1)
    classes.GetMetadata()  # GDAL 3.6 reads the names only after something else of the sidecar
    assert classes.GetCategoryNames()[9] == "Water"
    assert classes.GetColorTable().GetColorEntry(9)[:3] == cover.COVERS[8].colour
    descriptions = [opened["traits"].GetRasterBand(i + 1).GetDescription() for i in range(7)]
    assert descriptions == TRAIT_NAMES
    shares = summary["class_shares"]
    assert sum(shares.values()) == pytest.approx(1)
    assert summary["valid_share"] == pytest.approx(0.9, abs=0.02)


def test_job_without_truth_writes_the_scene_alone(tmp_path, prepared):
    pytest.importorskip("osgeo.gdal")
    run(tmp_path, truth=False)
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


@pytest.mark.parametrize("check", [1, 2, 3])
def test_cancel_leaves_no_output_and_an_older_file_as_it_was(tmp_path, prepared, check):
    pytest.importorskip("osgeo.gdal")
    (tmp_path / "scene.tif").write_bytes(b"older")
    with pytest.raises(HyperKDError, match="was cancelled"):
        run(tmp_path, Report(cancel_at=check), width=300)
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]
    assert (tmp_path / "scene.tif").read_bytes() == b"older"


def test_missing_folder_is_refused(tmp_path, prepared):
    pytest.importorskip("osgeo.gdal")
    with pytest.raises(HyperKDError, match="there is no folder") as caught:
        run(tmp_path / "nowhere")
    assert caught.value.code == "unwritable_output"
