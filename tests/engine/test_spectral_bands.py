from __future__ import annotations

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.spectral.sensors import sensor_bands
from hyperkd.spectral.sorted_bands import sort_bands
from hyperkd.types import Wavelengths


def detector_ranges(wavelengths):
    bands = sort_bands(wavelengths)
    return [
        (float(bands.centre_nm[nodes[0]]), float(bands.centre_nm[nodes[-1]]), nodes.size)
        for nodes in bands.detectors
    ]


def test_the_detectors_of_enmap_are_told_apart_by_their_fwhm():
    table = sensor_bands("enmap")
    bands = sort_bands(table.wavelengths)
    found = [{table.names[node].split()[0] for node in nodes} for nodes in bands.detectors]
    assert found == [{"VNIR"}, {"SWIR"}, {"SWIR"}, {"SWIR"}]
    assert detector_ranges(table.wavelengths) == [
        (418.24, 993.083, 91),
        (902.257, 1390.84, 44),
        (1461.46, 1759.83, 28),
        (1939.44, 2445.53, 61),
    ]


def test_detectors_that_cross_four_times_are_followed():
    # Four spectrometers, each overlapping the next by three bands, as AVIRIS has them.
    starts, steps, fwhm = (380, 640, 1240, 1850), (9.7, 9.5, 9.9, 10.1), (9.6, 8.7, 10.4, 12.0)
    centre = [start + step * np.arange(count) for start, step, count in
              zip(starts, steps, (30, 66, 64, 64))]  # fmt: skip
    width = [np.full(part.size, value) for part, value in zip(centre, fwhm)]
    ranges = detector_ranges(Wavelengths(np.concatenate(centre), np.concatenate(width)))
    assert ranges == [(part[0], pytest.approx(part[-1]), part.size) for part in centre]


def test_one_detector_without_gaps_stays_whole_when_a_band_is_missing():
    centre = np.delete(np.arange(400.0, 1000.0, 5.0), 40)
    assert detector_ranges(Wavelengths(centre, np.full(centre.size, 6.0))) == [(400, 995, 119)]


def test_without_fwhm_all_bands_count_as_one_detector():
    table = sensor_bands("enmap")
    assert detector_ranges(Wavelengths(table.wavelengths.centre_nm)) == [(418.24, 2445.53, 224)]


def test_nodes_lead_back_to_the_bands_of_the_file():
    centre = np.array([700.0, 500.0, 600.0, 500.0, *range(800, 1000, 10)])
    good = np.ones(centre.size, dtype=bool)
    good[2] = False
    bands = sort_bands(Wavelengths(centre), good)
    assert bands.node[:5].tolist() == [1, 0, -1, 0, 2]
    assert bands.order[:4].tolist() == [2, 1, 3, 0]
    assert bands.counts[:3].tolist() == [2, 1, 1]
    np.testing.assert_array_equal(bands.centre_nm[bands.node[good]], centre[good])


def test_bands_at_one_wavelength_but_of_two_detectors_are_not_duplicates():
    wavelengths = Wavelengths(np.array([900.0, 910.0, 910.0, 920.0]), np.array([9.0, 9, 12, 9]))
    bands = sort_bands(wavelengths)
    assert bands.duplicates == 0
    assert bands.centre_nm.tolist() == [900, 910, 910, 920]


def test_a_stack_of_two_images_is_refused():
    centre = sensor_bands("enmap").wavelengths.centre_nm
    with pytest.raises(
        HyperKDError,
        match=r"448 of 448 good bands share their wavelength with another band: "
        r"bands 1, 225 all have 418.24 nm",
    ) as caught:
        sort_bands(Wavelengths(np.r_[centre, centre]))
    assert caught.value.code == "bad_wavelengths"
    assert "one acquisition" in caught.value.hint
    assert caught.value.context["bands"] == [1, 225]


def test_a_raster_with_bad_bands_only_is_refused():
    with pytest.raises(HyperKDError, match="All 2 bands are marked as bad") as caught:
        sort_bands(Wavelengths(np.array([500.0, 600.0])), np.zeros(2, dtype=bool))
    assert caught.value.code == "band_mismatch"
    assert "bbl" in caught.value.hint
