from __future__ import annotations

import hashlib
from xml.etree import ElementTree

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.spectral.sensors import SENSORS, canonical_bands, sensor_bands


def test_enmap_has_224_ascending_bands_six_of_them_without_data():
    bands = sensor_bands("enmap")
    centre = bands.wavelengths.centre_nm
    assert len(bands) == 224
    assert (np.diff(centre) > 0).all()
    assert (centre[0], centre[-1]) == (418.24, 2445.53)
    assert (np.flatnonzero(~bands.good) + 1).tolist() == [130, 131, 132, 133, 134, 135]
    np.testing.assert_array_equal(bands.scale, 1e-4)
    np.testing.assert_array_equal(bands.offset, 0)
    np.testing.assert_array_equal(bands.nodata, -32768)
    assert bands.origins["wavelength"] == "sensor preset enmap"


def test_enmap_bands_are_named_by_detector_in_the_delivered_order():
    names = sensor_bands("enmap").names
    assert names[:2] == ("VNIR 1", "VNIR 2")
    assert names[-1] == "SWIR 133"
    # Positions 78 to 102 (1-based) as band numbers in detector order, SWIR from 92.
    detector_band = [
        int(name.split()[1]) + (91 if name.startswith("SWIR") else 0) for name in names[77:102]
    ]
    assert detector_band == [
        78, 79, 92, 80, 81, 93, 82, 94, 83, 95, 84, 96, 85,
        97, 86, 87, 98, 88, 99, 89, 100, 90, 91, 101, 102,
    ]  # fmt: skip


def test_enmap_equals_the_band_characterisation_of_a_product(delivery):
    root = ElementTree.parse(delivery.bands).getroot()
    expected = np.array(
        [
            [float(band.findtext(key, "")) for key in ("wavelengthCenterOfBand", "FWHMOfBand")]
            for band in root
        ]
    )
    bands = sensor_bands("enmap").wavelengths
    np.testing.assert_array_equal(bands.centre_nm, expected[:, 0])
    np.testing.assert_array_equal(bands.fwhm_nm, expected[:, 1])
    # A simulated delivery is written from the preset; this was computed from DLR's numbers.
    digest = hashlib.sha256(np.ascontiguousarray(expected, "<f8").tobytes()).hexdigest()
    assert digest == "19bff927d603805359564ad9331c5c01ce16b8acef685c5c10a036e85572510d"


def test_the_student_sees_the_218_good_bands():
    bands = canonical_bands()
    assert len(bands) == 218
    table = sensor_bands("enmap")
    np.testing.assert_array_equal(bands.centre_nm, table.wavelengths.centre_nm[table.good])
    np.testing.assert_array_equal(bands.fwhm_nm, table.wavelengths.fwhm_nm[table.good])


def test_enmap_202_keeps_the_first_short_wave_window():
    bands = sensor_bands("enmap-202")
    centre = bands.wavelengths.centre_nm
    assert len(bands) == 202
    assert bands.good.all()
    # A published list drops 1576 to 1642 nm instead of 1739 to 1968 nm; this one must not.
    assert np.count_nonzero((centre > 1570) & (centre < 1650)) == 7
    assert not ((centre > 1290) & (centre < 1525)).any()
    assert not ((centre > 1735) & (centre < 1970)).any()


def test_unknown_sensor_is_refused_with_the_known_names():
    with pytest.raises(HyperKDError, match="no sensor preset 'landsat'") as caught:
        sensor_bands("landsat")
    assert caught.value.code == "bad_job"
    assert all(name in caught.value.hint for name in SENSORS)
