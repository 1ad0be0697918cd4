"""Measured spectra beside the physical models: soils, rock, built surfaces, dry plants, char.

``measured_spectra.npz`` is condensed from ``earthlib`` 1.1 (MIT licence, (c) 2023 Christopher
Anderson; soils of the ICRAF-ISRIC library, built surfaces of Santa Barbara) by
``benchmarks/condense_spectra.py``: 180 bands of 10 nm from 400 to 2450 nm, without the two
ranges where water vapour leaves no light. The file holds the licence's text too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources

import numpy as np

from hyperkd.synth.physics_spectra import WAVELENGTH_NM
from hyperkd.types import FloatArray

_SCALE = 1e-4


@lru_cache(maxsize=1)
def measured_spectra() -> Mapping[str, FloatArray]:
    """Return reflectance (0 to 1) by kind, each ``(spectra, 2101)`` at ``WAVELENGTH_NM``.

    Between bands and across the two gaps values are interpolated linearly, beyond the last
    band the last value stays.
    """
    path = resources.files("hyperkd.synth") / "measured_spectra.npz"
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        measured_nm, kind = stored["wavelength_nm"], stored["kind"]
        values = stored["reflectance"].astype(np.float64) * _SCALE
        names = [str(name) for name in stored["kinds"]]
    at = np.clip(WAVELENGTH_NM, measured_nm[0], measured_nm[-1])
    upper = np.clip(np.searchsorted(measured_nm, at), 1, measured_nm.size - 1)
    weight = (at - measured_nm[upper - 1]) / (measured_nm[upper] - measured_nm[upper - 1])
    fine = values[:, upper - 1] * (1 - weight) + values[:, upper] * weight
    found = {name: fine[kind == index] for index, name in enumerate(names)}
    for spectra in found.values():
        spectra.setflags(write=False)
    return found
