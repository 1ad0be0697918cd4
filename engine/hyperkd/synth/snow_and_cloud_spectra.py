"""Reflectance of snow, ice and clouds, 400 to 2500 nm in steps of 1 nm.

Asymptotic radiative transfer for layers of weakly absorbing scatterers (Kokhanovsky and
Zege 2004 for snow; Kokhanovsky and Rozanov 2003 for clouds), with the absorption of ice by
Warren and Brandt (2008) and that of water as in PROSPECT. Reflectance factors, 0 to 1.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hyperkd.synth.physics_spectra import WAVELENGTH_NM, load_prosail
from hyperkd.types import FloatArray

# Imaginary part of the refractive index of ice (Warren and Brandt 2008), a selection of the
# published points: wavelength in nm, index.
_ICE: Final = (
    (400, 2.365e-11), (430, 4.140e-11), (460, 1.325e-10), (490, 4.172e-10), (520, 1.076e-9),
    (550, 2.289e-9), (600, 5.730e-9), (650, 1.430e-8), (690, 2.400e-8), (720, 4.030e-8),
    (760, 7.080e-8), (800, 1.340e-7), (840, 1.510e-7), (860, 2.150e-7), (890, 3.920e-7),
    (920, 4.740e-7), (950, 6.020e-7), (980, 1.120e-6), (1010, 2.000e-6), (1030, 2.330e-6),
    (1050, 2.170e-6), (1080, 1.740e-6), (1100, 1.700e-6), (1130, 2.040e-6), (1150, 2.290e-6),
    (1180, 4.770e-6), (1210, 8.660e-6), (1240, 1.220e-5), (1270, 1.350e-5), (1310, 1.310e-5),
    (1350, 1.390e-5), (1400, 1.980e-5), (1420, 5.959e-5), (1440, 1.516e-4), (1471, 3.987e-4),
    (1493, 5.532e-4), (1527, 4.908e-4), (1563, 3.858e-4), (1613, 2.659e-4), (1680, 2.046e-4),
    (1730, 1.650e-4), (1800, 1.411e-4), (1830, 1.302e-4), (1860, 1.432e-4), (1890, 2.566e-4),
    (1923, 7.060e-4), (1961, 1.442e-3), (2000, 1.640e-3), (2041, 1.458e-3), (2083, 1.023e-3),
    (2130, 5.255e-4), (2170, 3.235e-4), (2240, 2.037e-4), (2290, 2.538e-4), (2350, 4.591e-4),
    (2410, 5.956e-4), (2460, 6.820e-4), (2500, 7.530e-4),
)  # fmt: skip
# Fractal grains scatter so that exp(-3.62 sqrt(absorption x diameter)) is left (2004, eq. 23).
_GRAIN_SHAPE: Final = 3.62
_ASYMMETRY: Final = {"water": 0.86, "ice": 0.75}
_ESCAPE: Final = 1.07  # of the Milne problem, for thick layers


def ice_absorption_per_m() -> FloatArray:
    """Return the absorption coefficient of pure ice in 1/m, ``(2101,)``."""
    nm, index = np.array(_ICE).T
    fine = np.exp(np.interp(WAVELENGTH_NM, nm, np.log(index)))
    return np.asarray(4 * np.pi * fine / (WAVELENGTH_NM * 1e-9))


def snow_spectrum(grain_mm: float, impurity: float = 0.0) -> FloatArray:
    """Return the reflectance of deep snow, or of bare ice with grains of a centimetre.

    Args:
        grain_mm: optical diameter of the grains: 0.1 fresh, 1 old, 10 glacier ice.
        impurity: absorption by soot and dust at 550 nm in 1/m, 0 (clean) to some 100
            (dirty); it grows towards short waves as 1 / wavelength.
    """
    absorption = ice_absorption_per_m() + impurity * 550.0 / WAVELENGTH_NM
    return np.asarray(np.exp(-_GRAIN_SHAPE * np.sqrt(absorption * grain_mm * 1e-3)))


def cloud_spectrum(thickness: float, radius_um: float, phase: str = "water") -> FloatArray:
    """Return the reflectance of a cloud over black ground.

    Args:
        thickness: optical thickness, from 1 on: below, the formula does not hold.
        radius_um: effective radius of droplets or crystals in um.
        phase: ``water`` or ``ice``.
    """
    reflected, _ = _cloud(thickness, radius_um, phase)
    return reflected


def below_cloud(ground: FloatArray, thickness: float, radius_um: float, phase: str) -> FloatArray:
    """Return the reflectance of a cloud above Lambertian ground ``(..., 2101)``."""
    reflected, passed = _cloud(thickness, radius_um, phase)
    return np.asarray(reflected + passed**2 * ground / (1 - reflected * ground))


def _cloud(thickness: float, radius_um: float, phase: str) -> tuple[FloatArray, FloatArray]:
    """Return spherical albedo and transmittance of a homogeneous layer."""
    asymmetry = _ASYMMETRY[phase]
    if phase == "ice":
        absorption = ice_absorption_per_m()
    else:
        absorption = 100.0 * load_prosail().spectral_lib.prospectd.kw  # 1/cm to 1/m
    # Large particles absorb 4/3 of absorption x radius, times 1.25 for the path inside by
    # refraction, of the two cross sections that they scatter from.
    lost = np.clip(4 / 3 * 1.25 / 2 * absorption * radius_um * 1e-6, 1e-9, 0.5)
    exponent = 4 * np.sqrt(lost / (3 * (1 - asymmetry)))
    depth = thickness * np.sqrt(3 * lost * (1 - asymmetry))
    passed = np.sinh(exponent) / np.sinh(_ESCAPE * exponent + depth)
    reflected = np.exp(-exponent) - passed * np.exp(-depth - exponent)
    return np.asarray(reflected), np.asarray(passed)
