"""What EnMAP and its processing make of a reflectance: bands, seam, noise, digital numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.spectral.responses import gaussian_responses
from hyperkd.synth.physics_spectra import WAVELENGTH_NM
from hyperkd.types import BandTable, Float32Array, FloatArray

NODATA = -32768
SCALE = 1e-4

# Signal to noise of the Level 2A product for a reflectance of 0.3, by wavelength,
# as regressing each band of a real summer scene on all others leaves it: 400 to
# 550 in the visible, 200 on the slope of the near infrared, 250 at 2200 nm (150
# for the 0.15 that soils and dry plants reflect there).
_SNR_VNIR = (
    (415, 180), (450, 300), (500, 410), (560, 500), (620, 560), (680, 540), (710, 290), (740, 220),
    (780, 300), (850, 200), (900, 180), (995, 135),
)  # fmt: skip
_SNR_SWIR = (
    (900, 300), (1000, 600), (1060, 650), (1200, 540), (1300, 540), (1500, 400), (1560, 480),
    (1640, 430), (1740, 270), (1980, 200), (2050, 250), (2140, 285), (2260, 235), (2350, 150),
    (2450, 60),
)  # fmt: skip
# Gas absorptions: centre and half width in nm, the share of the signal to noise
# lost at the centre, and the optical depth whose misjudged part the atmospheric
# correction leaves in every spectrum of the scene.
_ABSORPTIONS = (
    (720, 8, 0.1, 0.05), (761, 5, 0.4, 0.2), (820, 12, 0.15, 0.1), (937, 9, 0.6, 0.3),
    (1128, 7, 0.6, 0.8), (1360, 45, 0.92, 0.0), (1465, 14, 0.7, 0.2), (1775, 14, 0.5, 0.2),
    (1937, 8, 0.99, 0.5), (1956, 8, 0.85, 0.6), (2008, 8, 0.6, 0.3), (2062, 8, 0.25, 0.1),
)  # fmt: skip
# Where water vapour leaves next to no light, dividing by it makes the little that
# strays there from the bright near infrared as large as a reflectance: the first
# bands after the gap at 1940 nm are several times too bright, in proportion to
# the reflectance near 1250 nm, as in the product.
_STRAY_NM, _STRAY_WIDTH_NM, _STRAY_SOURCE_NM = 1937.0, 7.0, 1250.0
REFERENCE_REFLECTANCE = 0.3


@dataclass(frozen=True)
class Sensor:
    """One scene's sensor state.

    Attributes:
        bands: EnMAP's band table in delivered order.
        gain: ``(bands,)`` what calibration and atmospheric correction leave: the
            seam between the detectors, gas absorptions, smooth residuals.
        stray: ``(bands,)`` share of the reflectance near 1250 nm that is added.
        haze: ``(bands,)`` reflectance that a misjudged aerosol adds or takes away.
        noise: ``(bands,)`` standard deviation at ``REFERENCE_REFLECTANCE``.
    """

    bands: BandTable
    gain: FloatArray
    stray: FloatArray
    haze: FloatArray
    noise: FloatArray

    def measure(self, reflectance: Float32Array) -> Float32Array:
        """Return the noise-free product of ``(bands, H, W)`` reflectance."""
        centre = self.bands.wavelengths.centre_nm
        source = reflectance[np.abs(centre - _STRAY_SOURCE_NM).argmin()]
        gain, stray, haze = (
            values.astype(np.float32)[:, None, None]
            for values in (self.gain, self.stray, self.haze)
        )
        signal: Float32Array = reflectance * gain + stray * source + haze
        return signal

    def noise_at(self, reflectance: Float32Array) -> Float32Array:
        """Return the noise's standard deviation for ``(bands, …)`` reflectance.

        A third of the variance is there without light, the rest grows with it.
        """
        light = np.maximum(reflectance, 0) / np.float32(REFERENCE_REFLECTANCE)
        level = self.noise.astype(np.float32).reshape(-1, *[1] * (reflectance.ndim - 1))
        deviation: Float32Array = level * np.sqrt((1 + 2 * light) / 3)
        return deviation

    def digitise(
        self,
        signal: Float32Array,
        generator: np.random.Generator,
        hidden: Optional[Float32Array] = None,
    ) -> NDArray[np.int16]:
        """Return digital numbers of a noise-free ``(bands, H, W)`` signal.

        Negative values are kept, as in the product; bad bands hold no data.
        ``hidden`` is added without changing the noise.
        """
        noise = generator.standard_normal(signal.shape, dtype=np.float32) * self.noise_at(signal)
        reflectance = signal + noise if hidden is None else signal + noise + hidden
        stored = np.clip(np.rint(reflectance / np.float32(SCALE)), NODATA + 1, 32767)
        numbers: NDArray[np.int16] = stored.astype(np.int16)
        numbers[~self.bands.good] = NODATA
        return numbers


def make_sensor(bands: BandTable, seed: int) -> Sensor:
    """Return the sensor of a scene.

    Args:
        bands: EnMAP's band table, whose names begin with the detector.
    """
    is_vnir = np.array([name.startswith("VNIR") for name in bands.names])
    generator = np.random.default_rng([seed, 0x5E5])
    centre = bands.wavelengths.centre_nm
    vnir, swir = np.array(_SNR_VNIR, dtype=float), np.array(_SNR_SWIR, dtype=float)
    snr = np.where(
        is_vnir,
        np.interp(centre, vnir[:, 0], vnir[:, 1]),
        np.interp(centre, swir[:, 0], swir[:, 1]),
    )
    misjudged = generator.normal(0.15, 0.08)
    residual = np.zeros(len(bands))
    for middle, half_width, loss, depth in _ABSORPTIONS:
        shape = np.exp(-0.5 * ((centre - middle) / half_width) ** 2)
        snr *= 1 - loss * shape
        residual += misjudged * depth * shape
    residual = np.expm1(residual)
    knots = np.linspace(400, 2500, 12)
    residual += np.interp(centre, knots, generator.normal(0, 0.008, knots.size))
    residual += generator.normal(0, 0.0015, len(bands))
    seam = generator.uniform(0.03, 0.1)
    residual -= np.where(is_vnir, seam * np.clip((centre - 850) / 110, 0, 1), 0)
    stray = generator.lognormal(-0.4, 0.5) * np.exp(
        -0.5 * ((centre - _STRAY_NM) / _STRAY_WIDTH_NM) ** 2
    )
    # Aerosols scatter short waves most. What was subtracted too much makes water negative.
    haze = generator.normal(-0.001, 0.003) * (centre / 550.0) ** -1.3 + generator.normal(0, 0.001)
    return Sensor(bands, 1 + residual, stray, haze, REFERENCE_REFLECTANCE / snr)


def fine_responses(bands: BandTable) -> Any:
    """Return the ``(bands, 2101)`` Gaussian responses on the grid of the spectra, sparse."""
    from scipy import sparse

    responses = gaussian_responses(bands.wavelengths, WAVELENGTH_NM)
    # Beyond four standard deviations a Gaussian weighs less than 0.01 per cent.
    responses = np.where(responses > 1e-4 * responses.max(axis=1, keepdims=True), responses, 0)
    return sparse.csr_matrix(responses / responses.sum(axis=1, keepdims=True))
