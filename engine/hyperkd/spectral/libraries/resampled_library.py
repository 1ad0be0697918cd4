"""Spectra of a library in the bands of a sensor, and how well they cover them."""

from __future__ import annotations

from dataclasses import dataclass

from hyperkd.sentences import counted
from hyperkd.spectral.band_support import SupportReport
from hyperkd.spectral.libraries.library import Spectrum, bad_library
from hyperkd.spectral.resampling import resample
from hyperkd.types import FloatArray, Wavelengths

# With less than half of a sensor's bands, what is found is another material's.
LEAST_COVERED = 0.5


@dataclass(frozen=True, eq=False)
class ResampledSpectrum:
    """A library's spectrum in the bands of a sensor.

    Attributes:
        values: ``(bands,)`` reflectance; the value of the nearest band where the library has
            none, see ``support.supported``.
        support: where each band comes from.
    """

    name: str
    values: FloatArray
    support: SupportReport


def at_bands(path: str, spectrum: Spectrum, bands: Wavelengths) -> ResampledSpectrum:
    """Return a spectrum in the bands of a sensor, by the rules that scenes are resampled by.

    Args:
        path: the library, for messages.
        spectrum: one of its spectra; bands without a value are left out.
        bands: those of the sensor.

    Raises:
        HyperKDError: ``bad_library`` where it covers less than half of the bands;
            ``bad_wavelengths`` where many of its bands share a wavelength.
    """
    resampling = resample(spectrum.bands, bands, max_extrapolated=1.0)
    support = resampling.report
    covered = int(support.supported.sum())
    if covered < LEAST_COVERED * len(bands):
        first, last = support.source_range_nm
        centre = bands.centre_nm
        raise bad_library(
            path,
            f"covers {covered} of the scene's {counted(len(bands), 'good band')} "
            f"({centre.min():g} to {centre.max():g} nm) with {spectrum.name!r}, whose "
            f"{support.source_count} values lie from {first:g} to {last:g} nm",
            "Use a spectrum that was measured over the sensor's range in narrow bands, or mark the "
            "other bands of the scene as bad (bbl) to do without them.",
        )
    return ResampledSpectrum(spectrum.name, resampling.affine.apply(spectrum.values), support)
