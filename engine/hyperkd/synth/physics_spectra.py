"""Reflectance spectra from physics, 400 to 2500 nm in steps of 1 nm.

Canopies and leaves: PROSPECT-D and 4SAIL through the ``prosail`` package
(Féret et al. 2017; Verhoef et al. 2007). Soils: its dry soil spectrum with iron
oxides, clay, carbonate and organic matter, wetted by a film of water (Bach and
Mauser 1994). Water: absorption and backscattering of pure water, phytoplankton,
sediment and dissolved organic matter (Gordon et al. 1988; Lee et al. 2002).
Built surfaces: smooth continua with the absorptions of their material. All are
reflectance factors, 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.types import FloatArray

WAVELENGTH_NM: FloatArray = np.arange(400.0, 2501.0)
WAVELENGTH_NM.setflags(write=False)


def load_prosail() -> ModuleType:
    """Return the ``prosail`` package.

    Raises:
        HyperKDError: ``missing_dependency`` where it is not installed.
    """
    try:
        import prosail
    except ImportError as error:
        raise HyperKDError(
            "missing_dependency",
            f"The simulation of scenes needs the package prosail ({error}).",
            "Install the engine with the extra hyperkd[synth].",
        ) from error
    return prosail  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Geometry:
    """Directions of sun and sensor, in degrees."""

    sun_zenith_deg: float
    view_zenith_deg: float
    relative_azimuth_deg: float


@dataclass(frozen=True)
class Canopy:
    """What a canopy has besides LAI, leaf chlorophyll and leaf water.

    Attributes:
        structure: number of leaf layers (PROSPECT's N).
        carotenoid_ratio: carotenoids per chlorophyll, by mass.
        anthocyanin: ug/cm2.
        brown: senescent pigments, arbitrary units 0 to 1.
        dry_matter: g/cm2.
        leaf_angle_deg: mean leaf inclination of an ellipsoidal distribution.
        hotspot: leaf size relative to canopy height.
        crown_light: share of sunlit surface in a canopy of separate crowns, which
            a turbid medium does not have; scales the reflectance.
    """

    structure: float
    carotenoid_ratio: float
    anthocyanin: float
    brown: float
    dry_matter: float
    leaf_angle_deg: float
    hotspot: float
    crown_light: float = 1.0


def canopy_spectra(
    canopy: Canopy,
    lai: FloatArray,
    chlorophyll: float,
    leaf_water: float,
    soils: FloatArray,
    geometry: Geometry,
) -> FloatArray:
    """Return the reflectance of a canopy for each LAI above each soil.

    Args:
        canopy: the remaining parameters.
        lai: ``(L,)`` leaf area index in m2/m2.
        chlorophyll: leaf chlorophyll in ug/cm2.
        leaf_water: equivalent water thickness in cm.
        soils: ``(S, 2101)`` reflectance below the canopy.
        geometry: sun and view directions.

    Returns:
        ``(L, S, 2101)`` bidirectional reflectance factors.
    """
    prosail = load_prosail()
    carotenoid = 1.5 + canopy.carotenoid_ratio * chlorophyll
    _, reflectance, transmittance = prosail.run_prospect(
        canopy.structure, chlorophyll, carotenoid, canopy.brown, leaf_water, canopy.dry_matter,
        ant=canopy.anthocyanin, prospect_version="D",
    )  # fmt: skip
    spectra = np.empty((len(lai), len(soils), WAVELENGTH_NM.size))
    for i, leaf_area in enumerate(lai):
        terms = prosail.run_sail(
            reflectance, transmittance, leaf_area, canopy.leaf_angle_deg, canopy.hotspot,
            geometry.sun_zenith_deg, geometry.view_zenith_deg, geometry.relative_azimuth_deg,
            rsoil0=soils[0], factor="ALLALL",
        )  # fmt: skip
        for j, soil in enumerate(soils):
            spectra[i, j] = _above_soil(terms, soil)
    return spectra * canopy.crown_light


def _above_soil(terms: list[Any], soil: FloatArray) -> FloatArray:
    """Couple the four-stream terms of a canopy to a Lambertian soil (4SAIL, eq. for rsot).

    The terms of the canopy alone do not depend on the soil, so that one run of
    4SAIL serves every soil.
    """
    tss, too, tsstoo, rdd, _, _, tsd, _, tdo, rso = terms[:10]
    multiple = ((tss + tsd) * tdo + (tsd + tss * soil * rdd) * too) * soil / (1 - soil * rdd)
    coupled: FloatArray = rso + tsstoo * soil + multiple
    return coupled


@dataclass(frozen=True)
class Soil:
    """A soil's optical constituents, each as optical depth or factor.

    Attributes:
        brightness: factor on the dry reference soil.
        organic: 0 (none) to 1 (black earth): darkens, most in the visible.
        iron: depth of the iron oxide absorptions at 500 and 880 nm.
        clay: depth of the hydroxyl absorption at 2205 nm.
        carbonate: depth of the carbonate absorption at 2340 nm.
    """

    brightness: float
    organic: float
    iron: float
    clay: float
    carbonate: float


def dip(centre_nm: float, width_nm: float, depth: float) -> FloatArray:
    """Return the optical depth of a Gaussian absorption with standard deviation ``width_nm``."""
    shape: FloatArray = np.exp(-0.5 * ((WAVELENGTH_NM - centre_nm) / width_nm) ** 2)
    return depth * shape


def soil_spectrum(soil: Soil, moisture: float) -> FloatArray:
    """Return the reflectance of a soil with volumetric ``moisture`` (m3/m3, 0 to 0.5)."""
    library = load_prosail().spectral_lib
    depth = dip(500, 75, soil.iron) + dip(880, 70, 0.35 * soil.iron)
    depth += dip(2205, 18, soil.clay) + dip(1414, 20, 0.5 * soil.clay)
    depth += dip(2340, 25, soil.carbonate)
    depth += soil.organic * (0.35 + 1.1 * np.exp(-(WAVELENGTH_NM - 400.0) / 450.0))
    dry = soil.brightness * library.soil.rsoil1 * np.exp(-depth)
    return wet_spectrum(dry, moisture)


def wet_spectrum(dry: FloatArray, moisture: float) -> FloatArray:
    """Return the reflectance of a surface with volumetric ``moisture`` (m3/m3, 0 to 0.5).

    A fraction of the surface carries a film of water (Bach and Mauser 1994): light enters
    it, meets the soil, and is partly reflected back inside.
    """
    fraction = 1 - np.exp(-moisture / 0.12)
    film_cm = 0.06 * moisture / 0.5
    inner = 1 - (1 - 0.066) / 1.33**2
    passed = np.exp(-2 * film_cm * load_prosail().spectral_lib.prospectd.kw)
    wet = 0.98 * (1 - inner) * dry * passed / (1 - inner * dry * passed)
    return np.asarray((1 - fraction) * dry + fraction * wet, dtype=np.float64)


@dataclass(frozen=True)
class WaterBody:
    """What a scene's water has in common.

    Attributes:
        dissolved: absorption by dissolved organic matter at 440 nm, 1/m.
        slope: its spectral slope, 1/nm.
        glint: reflectance of the surface in the near infrared.
        backscatter: specific backscattering of sediment at 550 nm, m2/g.
    """

    dissolved: float
    slope: float
    glint: float
    backscatter: float


def water_spectrum(water: WaterBody, chlorophyll: float, sediment: float) -> FloatArray:
    """Return the reflectance of optically deep water.

    Args:
        water: the constituents that do not vary within a scene.
        chlorophyll: phytoplankton pigment in mg/m3.
        sediment: suspended matter in g/m3.
    """
    pure = 100.0 * load_prosail().spectral_lib.prospectd.kw  # 1/cm to 1/m
    relative = WAVELENGTH_NM / 550.0
    pigment = dip(440, 45, 1.0) + dip(490, 40, 0.45) + dip(620, 30, 0.15) + dip(675, 12, 0.6)
    absorption = pure + 0.05 * chlorophyll**0.65 * pigment
    absorption += water.dissolved * np.exp(-water.slope * (WAVELENGTH_NM - 440.0))
    absorption += 0.02 * sediment * np.exp(-0.011 * (WAVELENGTH_NM - 440.0))
    scattering = 0.5 * 0.00144 * (WAVELENGTH_NM / 500.0) ** -4.32
    scattering = scattering + water.backscatter * sediment * relative**-0.6
    scattering += 0.0006 * chlorophyll**0.62
    ratio = scattering / (absorption + scattering)
    below = (0.089 + 0.125 * ratio) * ratio
    above = np.pi * 0.52 * below / (1 - 1.7 * below)
    return np.asarray(above + water.glint * (0.7 + 0.3 * relative**-1.5), dtype=np.float64)


@dataclass(frozen=True)
class Built:
    """A built surface: reflectance at four wavelengths and its absorptions.

    Attributes:
        anchors: reflectance at 400, 700, 1200 and 2500 nm, joined smoothly.
        iron: depth of the iron oxide absorption below 600 nm (fired clay, rust).
        carbonate: depth at 2340 nm (cement, limestone).
        hydroxyl: depth at 1414, 1930 and 2210 nm (hydrated cement, clay).
        hydrocarbon: depth at 1730 and 2310 nm (bitumen, plastic).
    """

    anchors: tuple[float, float, float, float]
    iron: float = 0.0
    carbonate: float = 0.0
    hydroxyl: float = 0.0
    hydrocarbon: float = 0.0


def built_spectrum(built: Built) -> FloatArray:
    """Return the reflectance of a built surface."""
    base = np.interp(np.log(WAVELENGTH_NM), np.log([400.0, 700.0, 1200.0, 2500.0]), built.anchors)
    kernel = np.hanning(241)
    padded = np.pad(base, 120, mode="edge")
    base = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    # Fired clay absorbs everything below a sharp edge near 580 nm.
    depth = built.iron / (1 + np.exp((WAVELENGTH_NM - 575.0) / 25.0))
    depth += dip(870, 80, 0.25 * built.iron)
    depth += dip(2340, 28, built.carbonate) + dip(2310, 18, built.hydrocarbon)
    depth += dip(1725, 18, 0.6 * built.hydrocarbon) + dip(2210, 25, 0.6 * built.hydroxyl)
    depth += dip(1414, 35, 0.5 * built.hydroxyl) + dip(1930, 50, built.hydroxyl)
    return np.asarray(base * np.exp(-depth), dtype=np.float64)
