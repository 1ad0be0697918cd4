"""Detectors of a known spectrum: ACE, matched filter, CEM and spectral angle.

With the background's mean m and covariance C, its matrix of second moments R, and the target t:

- adaptive cosine estimator (Kraut, Scharf and McWhorter 2001, "Adaptive subspace detectors",
  IEEE Trans. Signal Processing 49): the squared cosine between t - m and x - m after whitening,
  ((t-m)' C^-1 (x-m))^2 / ((t-m)' C^-1 (t-m) (x-m)' C^-1 (x-m)). Its sign is kept here: a pixel
  on the other side of the mean is no target;
- matched filter (Manolakis, Marden and Shaw 2003, "Hyperspectral image processing for automatic
  target detection applications", Lincoln Laboratory Journal 14):
  (t-m)' C^-1 (x-m) / ((t-m)' C^-1 (t-m)), the fraction of the target in a linear mixture;
- constrained energy minimisation (Harsanyi 1993, dissertation, University of Maryland Baltimore
  County; Harsanyi and Chang 1994): t' R^-1 x / (t' R^-1 t), the filter of least output energy
  that lets the target pass as 1;
- spectral angle (Kruse et al. 1993, "The spectral image processing system", Remote Sensing of
  Environment 44): the angle between t and x, which knows no background.
"""

from __future__ import annotations

from typing import Callable, Final

import numpy as np

from hyperkd.inference.stats.background import Background
from hyperkd.types import FloatArray

# From ``(n, bands)`` float64 reflectance to ``(n,)`` scores.
Detector = Callable[[FloatArray], FloatArray]

NAMES: Final = {
    "ace": "ACE (signed squared cosine)",
    "mf": "matched filter (fraction)",
    "cem": "CEM (fraction)",
    "sam": "spectral angle (degrees)",
}
# The smaller the angle, the more alike.
DESCENDING: Final = frozenset({"sam"})


def make_detector(method: str, target: FloatArray, background: Background) -> Detector:
    """Return the detector of a target.

    Args:
        method: a key of ``NAMES``.
        target: ``(bands,)`` reflectance.
        background: its covariance has no band without variance.

    Raises:
        numpy.linalg.LinAlgError: the covariance has no inverse.
    """
    made: dict[str, Callable[[FloatArray, Background], Detector]] = {
        "ace": _adaptive_cosine,
        "mf": _matched_filter,
        "cem": _energy_minimiser,
        "sam": _spectral_angle,
    }
    return made[method](target, background)


def contrast(target: FloatArray, background: Background) -> float:
    """Return how many standard deviations of the background a pure target lies from its mean."""
    whitened = _whitener(background.regular_covariance) @ (target - background.mean)
    return float(np.sqrt(whitened @ whitened))


def _adaptive_cosine(target: FloatArray, background: Background) -> Detector:
    mean = background.mean
    whitener = _whitener(background.regular_covariance)
    direction = whitener @ (target - mean)
    direction /= np.linalg.norm(direction)

    def score(pixels: FloatArray) -> FloatArray:
        whitened = (pixels - mean) @ whitener.T
        length = np.linalg.norm(whitened, axis=1)
        cosine = (whitened @ direction) / np.where(length > 0, length, 1.0)
        return np.asarray(np.sign(cosine) * cosine**2)

    return score


def _matched_filter(target: FloatArray, background: Background) -> Detector:
    mean, difference = background.mean, target - background.mean
    weights = np.linalg.solve(background.regular_covariance, difference)
    weights /= weights @ difference
    return lambda pixels: (pixels - mean) @ weights


def _energy_minimiser(target: FloatArray, background: Background) -> Detector:
    weights = np.linalg.solve(background.regular_correlation, target)
    weights /= weights @ target
    return lambda pixels: pixels @ weights


def _spectral_angle(target: FloatArray, background: Background) -> Detector:
    direction = target / np.linalg.norm(target)

    def score(pixels: FloatArray) -> FloatArray:
        length = np.linalg.norm(pixels, axis=1)
        cosine = (pixels @ direction) / np.where(length > 0, length, 1.0)
        return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))

    return score


def _whitener(covariance: FloatArray) -> FloatArray:
    """Return W with W C W' = 1."""
    whitener: FloatArray = np.linalg.inv(np.linalg.cholesky(covariance))
    return whitener
